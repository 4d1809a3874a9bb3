"""The style pictures of a run: how large they get, in which colours, with how much grain."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor

from styleengine.pictures.picture import Picture, fit
from styleengine.planning.plan import SHORTEST
from styleengine.planning.spots import Area, Size
from styleengine.protocol import Settings
from styleengine.scene import resample
from styleengine.scene.color import color_statistics, match_luma, recolor
from styleengine.scene.grain import without_grain
from styleengine.scene.pyramid import Source, resized
from styleengine.scene.strokes import size_on_print
from styleengine.scene.windows import part

ENLARGED, UNSEEN = 2.5, 1200
"""How much a style picture is enlarged at most, and the long side of the content up to which its
blur would be seen; see `style_size`."""
GRAIN_SEEN = 1.2
"""How much a style picture is enlarged before the grain of its file is left behind: as wide as
strokes, it would be asked for as they are, and lie over all as a weave."""


@dataclass(frozen=True)
class StyleTarget:
    """A style at the size of a scale.

    ``image`` is (1, 3, h, w); ``share`` is its part in the blend with the other styles of its
    region; ``alpha`` (h, w), if any, weighs its pixels. ``region`` (H, W), 0–1, says where on the
    content it is painted; None for everywhere.
    """

    image: Tensor
    share: float = 1.0
    alpha: Tensor | None = None
    region: Tensor | None = None


@dataclass(frozen=True)
class Look:
    """Another look at a style: ``ratio`` times its size, ``mirrored`` left to right or not."""

    ratio: float
    mirrored: bool = False

    def of(self, style: StyleTarget) -> StyleTarget:
        """The style as it looks then, for the same region and share."""
        height, width = (max(SHORTEST, round(n * self.ratio)) for n in (style.image.shape[-2:]))

        def seen(picture: Tensor) -> Tensor:
            found = resized(picture, (height, width))
            return found.flip(-1) if self.mirrored else found

        alpha = None if style.alpha is None else seen(style.alpha[None, None])[0, 0]
        return replace(style, image=seen(style.image), alpha=alpha)


@dataclass(frozen=True)
class SceneStyle:
    """A style picture and its share of the blend.

    ``ratio`` is its long side relative to the content's, the same at every scale, so that a small
    preview shows the strokes of the large picture, as far as `style_size` lets it. ``mask``
    (1, 1, H, W), 0–1, says where on the content it is painted; None for wherever no mask is.
    ``adapted`` gives the picture (1, 3, h, w), of alpha (1, 1, h, w) or None, other colours.
    ``calms`` tells that an enlarged picture comes without its grain.
    """

    source: Source
    share: float
    ratio: float
    mask: Tensor | None = None
    adapted: Callable[[Tensor, Tensor | None], Tensor] | None = None
    calms: bool = True

    def at(self, long_side: float, region: Tensor | None = None) -> StyleTarget:
        """The style for a content of ``long_side``, to be painted in ``region``."""
        size = self.size(long_side)
        alpha = self.source.alpha(size)
        return StyleTarget(
            self.image(size), self.share, None if alpha is None else alpha[0, 0], region
        )

    def size(self, long_side: float) -> Size:
        """Its height and width for a content of ``long_side``."""
        height, width = self.source.height, self.source.width
        own = max(width, height)
        h, w = fit(width, height, style_size(own, long_side * self.ratio, long_side))
        return max(h, SHORTEST), max(w, SHORTEST)

    def parts(self, size: Size, areas: Sequence[Area]) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Areas of the picture at ``size``, in the colours to be painted with, (1, 3, h, w) each,
        and their alpha (h, w), if any; all of it is made only where colours or alpha ask for it."""
        if self.adapted is None:
            for cut, its in self._suiting(size).parts(size, areas):
                yield cut, None if its is None else its[0, 0]
            return
        image, alpha = self.image(size), self.source.alpha(size)
        for area in areas:
            yield part(image, area), None if alpha is None else part(alpha[0, 0], area)

    def image(self, size: Size) -> Tensor:
        """The picture at ``size`` (h, w), in the colours to be painted with."""
        image = self._suiting(size).at(size)
        return image if self.adapted is None else self.adapted(image, self.source.alpha(size))

    def _suiting(self, size: Size) -> Source:
        """What the picture at ``size`` is made of: without its grain where that would be seen."""
        own = max(self.source.width, self.source.height)
        return self._calm if self.calms and max(size) > GRAIN_SEEN * own else self.source

    @cached_property
    def _calm(self) -> Source:
        picture = self.source.picture
        rgb = resample.to_array(without_grain(resample.to_tensor(picture.rgb)))
        return Source(replace(picture, rgb=rgb), self.source.device)


def style_ratio(settings: Settings, given: Picture, picture: Picture, photo: Picture) -> float:
    """How long a style, of which ``picture`` is left of what was ``given``, is to be relative to
    the ``photo``."""
    if settings.brush_mm and settings.preset != "classic":
        return size_on_print(picture, photo, settings.brush_mm)
    # Strokes stay as large as in the whole picture.
    return settings.style_scale / 100 * long_side(picture) / long_side(given)


def style_size(own: float, wanted: float, content: float) -> float:
    """The long side that a style picture of long side ``own`` gets, where ``wanted`` is due.

    A larger one is made smaller. A smaller one is enlarged on a large ``content`` (its long side):
    half the way, to no more than that. At its own size its strokes would come out ever finer from
    scale to scale, as a weave or as grain; enlarged all the way, they would be blurred. Up to
    `UNSEEN` pixels it keeps its size, because there a picture is seen as it is.
    """
    half = math.sqrt(min(wanted, content) / own)
    return min(wanted, own * max(1.0, min(half, ENLARGED, content / UNSEEN)))


def long_side(picture: Picture) -> int:
    """Pixels of the longer side."""
    return max(picture.width, picture.height)


def adapting(keep_colors: str, content: Source) -> Callable[[Tensor, Tensor | None], Tensor] | None:
    """What gives a style picture the colours to be painted with; see `SceneStyle`."""
    if keep_colors == "off":
        return None
    sample, weight = content.sample()
    if keep_colors == "luminance":
        return lambda image, alpha: match_luma(image, sample, weight)
    own = color_statistics(sample, weight)

    def recoloring(image: Tensor, alpha: Tensor | None) -> Tensor:
        found = color_statistics(image, None if alpha is None else alpha[0, 0])
        return recolor(image, found, own)

    return recoloring
