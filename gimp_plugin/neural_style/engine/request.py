"""What the engine is asked for: settings, pixels, styles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from protocol import SPOT, PictureSpec, Settings

Strip = tuple[int, int, Any]  # first row, number of rows (0: it takes its time), bytes


@dataclass(frozen=True)
class Mask:
    """Where a style is painted, or the photo held: a u8 sample per pixel, 0 not at all, 255 fully.

    It covers the content's rectangle, whatever its own size.
    """

    width: int
    height: int
    strips: Iterable[Strip] = field(repr=False)


@dataclass(frozen=True)
class StyleFile:
    """A style picture as the bytes of its file; the engine quotes ``name`` in its messages.

    ``weight`` is its share in a blend; without a ``mask`` it is painted where no mask is.
    """

    data: bytes = field(repr=False)
    name: str = ""
    weight: float = 1.0
    mask: Mask | None = None


@dataclass(frozen=True)
class StylePixels:
    """A style picture as strips of pixels."""

    spec: PictureSpec
    strips: Iterable[Strip] = field(repr=False)
    name: str = ""
    weight: float = 1.0
    mask: Mask | None = None


@dataclass(frozen=True)
class Part:
    """Pixels of a large picture at full size, from ``left`` and ``top`` on, as strips."""

    left: int
    top: int
    spec: PictureSpec
    strips: Iterable[Strip] = field(repr=False)


@dataclass(frozen=True)
class SpotPixels:
    """A spot that is to be painted as in the whole picture; the request's content is the whole,
    made smaller if it is large, and ``parts`` then has the spot with a margin.

    ``area`` is left, top, width and height in a picture of ``whole`` (width, height); ``size``
    (width, height) is that of the result. For one that is to be ``ready`` nothing is painted: the
    engine gets ready for any spot of the picture.
    """

    area: tuple[int, int, int, int]
    whole: tuple[int, int]
    size: tuple[int, int]
    parts: Sequence[Part] = ()
    ready: bool = False


@dataclass(frozen=True)
class Request:
    """One run: the settings, the content as strips from top to bottom, and the styles.

    ``shown_px`` is the longest side of the pictures so far that the engine shall send, 0 for none.
    Runs of the same ``series`` follow each other like the frames of an animation; ``steady`` ones
    are painted as the one before was, moved as the content has moved.
    ``hold`` is what of the content stays what it is; ``dpi`` its pixels per inch on paper; of a
    ``spot`` only that is painted. ``painting`` is what a quick preview is for: settings, width and
    height.
    """

    settings: Settings
    content: PictureSpec
    strips: Iterable[Strip] = field(repr=False)
    styles: Sequence[StyleFile | StylePixels] = field(repr=False)
    shown_px: int = 0
    series: str = ""
    hold: Mask | None = None
    dpi: float = 0.0
    spot: SpotPixels | None = None
    painting: tuple[Settings, int, int] | None = None
    steady: bool = False

    @property
    def result_size(self) -> tuple[int, int]:
        """Width and height of what comes back."""
        return self.spot.size if self.spot else (self.content.width, self.content.height)


def shape(spec: PictureSpec) -> dict[str, Any]:
    """A picture's shape, as messages have it."""
    return {"width": spec.width, "height": spec.height, "dtype": spec.dtype}


def announced(style: StyleFile | StylePixels) -> dict[str, Any]:
    """The entry of a style in the ``run`` message."""
    entry: dict[str, Any] = {"name": style.name}
    if isinstance(style, StylePixels):
        entry.update(shape(style.spec))
    if style.weight != 1.0:
        entry["weight"] = style.weight
    if style.mask is not None:
        entry["mask"] = mask_shape(style.mask)
    return entry


def mask_shape(mask: Mask) -> dict[str, Any]:
    """A mask's shape, as messages have it."""
    return {"width": mask.width, "height": mask.height, "dtype": "u8", "channels": 1}


def spot_shape(spot: SpotPixels | None) -> dict[str, Any]:
    """What a ``run`` message says of a spot; nothing without one."""
    if spot is None:
        return {}
    parts = [{**shape(p.spec), "left": p.left, "top": p.top} for p in spot.parts]
    area, whole, size = list(spot.area), list(spot.whole), list(spot.size)
    found = {"area": area, "whole": whole, "size": size, "parts": parts}
    return {SPOT: {**found, "ready": True} if spot.ready else found}


def painting_shape(painting: tuple[Settings, int, int] | None) -> dict[str, Any]:
    """What a ``run`` message says of the painting that a preview is for; nothing without one."""
    if painting is None:
        return {}
    settings, width, height = painting
    return {"painting": {"settings": settings.to_dict(), "width": width, "height": height}}
