"""What the arguments of ``styleengine run`` ask for: settings, styles, masks."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from styleengine.protocol import EngineError, Settings

if TYPE_CHECKING:
    from styleengine.jobs import Job, Style
    from styleengine.pictures.files import Picture
    from styleengine.pictures.picture import Floats


@dataclasses.dataclass(frozen=True)
class Asked:
    """All that is the same for every photo."""

    settings: Settings
    styles: tuple[Style, ...]
    hold: Floats | None
    save_every: int | None
    weights: str | None

    def job(self, content: Picture) -> Job:
        """The job for a photo."""
        from styleengine.jobs import Job

        long_side = max(content.width, content.height) if self.save_every else 0
        return Job(
            content,
            self.styles,
            self.settings,
            long_side,
            self.save_every,
            self.weights,
            hold=self.hold,
        )


def asked(args: argparse.Namespace) -> Asked:
    """What ``args`` ask for; reads the styles and the masks. Raises `EngineError`."""
    from styleengine.jobs import Style
    from styleengine.pictures.files import STYLE_PIXELS, as_mask, load, require_usable

    settings = Settings(**{f.name: getattr(args, f.name) for f in dataclasses.fields(Settings)})
    shares = args.style_weight or [1.0] * len(args.style)
    if len(shares) != len(args.style):
        raise EngineError(
            "bad-setting",
            "There are {styles} styles but {weights} style weights.",
            "Give --style-weight once per --style, or not at all.",
            styles=len(args.style),
            weights=len(shares),
        )
    if args.save_every is not None and args.save_every < 1:
        raise EngineError("bad-setting", "--save-every must be at least 1.")
    masks = args.style_mask or ["-"] * len(args.style)
    if len(masks) != len(args.style):
        raise EngineError(
            "bad-setting",
            "There are {styles} styles but {masks} style masks.",
            "Give --style-mask once per --style (- for none), or not at all.",
            styles=len(args.style),
            masks=len(masks),
        )
    styles = tuple(
        Style(load(style, STYLE_PIXELS), share, None if mask == "-" else as_mask(load(mask)))
        for style, share, mask in zip(args.style, shares, masks, strict=True)
    )
    for style in styles:
        require_usable(style.picture, "style")
    hold = as_mask(load(args.hold)) if args.hold else None
    return Asked(settings, styles, hold, args.save_every, args.weights)
