"""What the arguments of ``styleengine run`` ask for: settings, styles, masks."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from styleengine.command.terminal import console
from styleengine.protocol import (
    EngineError,
    PaintedStyle,
    Painting,
    Settings,
    fingerprint,
    painted_text,
    painting_from,
)

if TYPE_CHECKING:
    from styleengine.jobs import Frame, Job, Style
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
    dpi: float | None
    depth: int | None
    painted: str
    """What is written into the results about how they were made; empty for nothing."""

    def told(self, picture: Picture) -> Picture:
        """A result that says how it was painted, in the bits per sample asked for."""
        about = dataclasses.replace(picture.about, painted=self.painted)
        return dataclasses.replace(picture, about=about, depth=self.depth or picture.depth)

    def job(self, content: Picture, steady: bool = False, frame: Frame | None = None) -> Job:
        """The job for a photo; ``steady`` for one of a film, after ``frame``."""
        from styleengine.jobs import Job

        content = dataclasses.replace(content, depth=self.depth or content.depth)
        if self.dpi is not None:
            about = dataclasses.replace(content.about, dpi=(self.dpi, self.dpi))
            content = dataclasses.replace(content, about=about)
        long_side = max(content.width, content.height) if self.save_every else 0
        return Job(
            content,
            self.styles,
            self.settings,
            long_side,
            self.save_every,
            self.weights,
            hold=self.hold,
            frame=frame,
            steady=steady,
            given_up=True,
        )


def files_read(args: argparse.Namespace, photos: Sequence[Path]) -> list[Path]:
    """The files that ``args`` name to be read, and that nothing else can be made from.

    A picture ``--like`` which to paint may be painted anew.
    """
    masks = [mask for mask in args.style_mask if mask != "-"]
    others = [each for each in (args.hold, args.weights) if each]
    return [*photos, *map(Path, (*args.style, *masks, *others))]


def asked(args: argparse.Namespace, photos: Sequence[Path]) -> Asked:
    """What ``args`` ask for; reads the styles and the masks. Raises `EngineError`."""
    from styleengine.jobs import Style
    from styleengine.pictures.files import STYLE_PIXELS, as_mask, load, require_usable

    said = {f.name: getattr(args, f.name) for f in dataclasses.fields(Settings)}
    settings, paths, shares = Settings(**said), list(args.style), list(args.style_weight)
    if args.like:
        like = _painting(Path(args.like))
        if like.masks and not args.style_mask and not args.hold and not args.quiet:
            console.print(
                f"Note: “{args.like}” was painted with masks, which its file does not hold.",
                soft_wrap=True,
            )
        kept = {k: v for k, v in like.settings.to_dict().items() if k not in _given(args)}
        settings = dataclasses.replace(settings, **{**kept, "device": settings.device})
        if not paths:
            folders = dict.fromkeys(p.parent for p in (Path(args.like), *photos))
            folders[Path()] = None
            paths = [str(_found(style, list(folders), args.like)) for style in like.styles]
            shares = shares or [style.weight for style in like.styles]
    shares = shares or [1.0] * len(paths)
    if len(shares) != len(paths):
        raise EngineError(
            "bad-setting",
            "There are {styles} styles but {weights} style weights.",
            "Give --style-weight once per --style, or not at all.",
            styles=len(paths),
            weights=len(shares),
        )
    if args.save_every is not None and args.save_every < 1:
        raise EngineError("bad-setting", "--save-every must be at least 1.")
    if args.dpi is not None and not 1 <= args.dpi <= 100_000:
        raise EngineError("bad-setting", "--dpi must be between 1 and 100000.")
    chosen = args.style_mask or ["-"] * len(paths)
    if len(chosen) != len(paths):
        raise EngineError(
            "bad-setting",
            "There are {styles} styles but {masks} style masks.",
            "Give --style-mask once per --style (- for none), or not at all.",
            styles=len(paths),
            masks=len(chosen),
        )
    styles = tuple(
        Style(load(style, STYLE_PIXELS), share, None if mask == "-" else as_mask(load(mask)))
        for style, share, mask in zip(paths, shares, chosen, strict=True)
    )
    for style in styles:
        require_usable(style.picture, "style")
    hold = as_mask(load(args.hold)) if args.hold else None
    told = tuple(
        PaintedStyle(Path(path).name, _fingerprint(Path(path)), style.weight)
        for path, style in zip(paths, styles, strict=True)
    )
    masks = hold is not None or any(style.mask is not None for style in styles)
    painted = "" if args.no_settings else Painting(settings, told, masks).text()
    return Asked(
        settings, styles, hold, args.save_every, args.weights, args.dpi, args.depth, painted
    )


def _given(args: argparse.Namespace) -> set[str]:
    """The settings that were said on the command line."""
    return getattr(args, "given", set())


def _painting(path: Path) -> Painting:
    from styleengine.machine.files import open_file
    from styleengine.pictures.files import cannot_read

    try:
        with open_file(path) as file:
            found = painted_text(file)
    except OSError as error:
        raise cannot_read(path, error) from error
    if found is None:
        raise EngineError(
            "bad-picture",
            "“{name}” does not say how it was painted.",
            "Files say so that `styleengine run` has painted, as long as no other program has left "
            "that out.",
            name=path.name,
        )
    return painting_from(found)


def _found(style: PaintedStyle, folders: Sequence[Path], like: str) -> Path:
    """The file of that name and of that fingerprint in one of ``folders``."""
    for folder in folders:
        path = folder / style.file
        if style.file and style.key and path.is_file() and _fingerprint(path) == style.key:
            return path
    raise EngineError(
        "no-style",
        "The style “{style}”, which “{name}” was painted with, is in none of the folders at hand.",
        "Name it with --style.",
        style=style.file,
        name=Path(like).name,
    )


def _fingerprint(path: Path) -> str:
    """The `fingerprint` of a file; a pipe, which was read to its end, has none."""
    from styleengine.machine.files import NotAFile, open_file
    from styleengine.pictures.files import cannot_read

    try:
        with open_file(path) as file:
            return fingerprint(file)
    except NotAFile:
        return ""
    except OSError as error:
        raise cannot_read(path, error) from error
