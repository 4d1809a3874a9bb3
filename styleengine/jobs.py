"""What an engine is asked for, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from styleengine.pictures.picture import Picture
from styleengine.protocol import PREVIEW_PX, Progress, Sentence, Settings


@dataclass(frozen=True)
class Style:
    """A style picture and its share in the blend (any positive number).

    ``mask`` (h, w), float32 0–1, says where on the content the style is painted; it covers the
    content whatever its size. A style without one is painted where no mask is.
    """

    picture: Picture
    weight: float = 1.0
    mask: np.ndarray | None = None


@dataclass(frozen=True)
class Before:
    """The picture before: the photo and what was made of it, small and of the same shape.

    `going_on.kept` makes one. ``settings`` are those with which it was finished, None if it was
    stopped before or nobody knows. ``long_side`` is the size, in pixels, that the painting had
    reached if it was stopped before it was as large as that.
    """

    content: Picture
    painted: Picture
    settings: Settings | None = None
    long_side: int = PREVIEW_PX


@dataclass(frozen=True)
class Frame:
    """A frame of a film or an animation as it was painted, for the next one to be steady with.

    ``size`` is the height and width of the photo. ``content`` (h, w, 3), its colours, ``alpha``
    (h, w), None if it is opaque, and ``painted`` (h, w, 3), its painting, are of the size at which
    that was painted, before any finishing step; float16, 0–1. `steady.frame_of` makes one of files.
    """

    size: tuple[int, int]
    content: np.ndarray
    painted: np.ndarray
    alpha: np.ndarray | None = None


@dataclass(frozen=True)
class Part:
    """Pixels of a large picture, from ``left`` and ``top`` on."""

    picture: Picture
    left: int
    top: int


@dataclass(frozen=True)
class Spot:
    """A spot of a picture, to be seen as it will be when all of it has been painted.

    ``area`` (left, top, width, height) lies in the picture of ``whole`` (width, height) pixels; the
    result is of ``size`` (width, height), at most that of the area. ``part`` is what is known at
    full size: the spot with a margin. None is needed of a picture that is the job's
    content itself. For one that is to be ``ready`` nothing is painted: what all spots of the
    picture ask for is made beforehand.
    """

    area: tuple[int, int, int, int]
    whole: tuple[int, int]
    size: tuple[int, int]
    part: Part | None = None
    ready: bool = False

    @property
    def width(self) -> int:
        """Of the whole picture."""
        return self.whole[0]

    @property
    def height(self) -> int:
        """Of the whole picture."""
        return self.whole[1]


@dataclass(frozen=True)
class Job:
    """One picture to paint.

    ``preview`` is the longest side of the previews asked for, in pixels (0: none); they come at
    most every 0.4 s, or exactly every ``preview_steps`` steps if that is given. ``weights`` names a
    weight file (None: see `weights.resolve`). ``before`` is what was painted before of the same
    photo, from which the run goes on, or the frame of an animation before this one; see
    `going_on.start`. ``hold`` (h, w), float32 0–1, says how far the photo's shapes are held; it
    covers the content whatever its size.

    ``frame`` is the frame before this one in a film, which the painting is to be steady with
    instead of going on from ``before``; ``steady`` asks for that of this one, for the next.
    ``given_up`` says that nobody else looks at the content any more: of one that is kept in whole
    numbers a process that shares the run then keeps no more rows than it needs.

    Of a ``spot`` only this is painted, and is the result; the content is then the whole picture
    made smaller, to no less than `OVERVIEW_PX`.
    """

    content: Picture
    styles: tuple[Style, ...]
    settings: Settings = field(default_factory=Settings)
    preview: int = 0
    preview_steps: int | None = None
    weights: str | None = None
    before: Before | None = None
    hold: np.ndarray | None = None
    spot: Spot | None = None
    frame: Frame | None = None
    steady: bool = False
    given_up: bool = False

    @property
    def whole(self) -> Picture | Spot:
        """What has the width and height of the picture that is painted."""
        return self.content if self.spot is None else self.spot


@dataclass(frozen=True)
class Preview:
    """The picture as it is now, at no more than the long side asked for."""

    picture: Picture
    step: int


@dataclass(frozen=True)
class Result:
    """The finished picture at the content's full size, with its alpha untouched.

    ``features`` and ``device`` say in words what was used; ``stopped`` that the run ended early
    because it was asked to; ``reached`` are the width and height at which it was painted last, and
    then enlarged if the picture is larger; ``notes`` are things the user should know; ``frame`` is
    what the next frame of a film is to be steady with, if the job asked for that.
    """

    picture: Picture
    settings: Settings
    features: str
    device: str
    seconds: float
    stopped: bool = False
    reached: tuple[int, int] = (0, 0)
    notes: tuple[Sentence, ...] = ()
    frame: Frame | None = None


Event = Progress | Preview | Result
