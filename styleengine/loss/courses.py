"""What spots ask for that is the same for all of a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterator

from torch import Tensor

from styleengine.jobs import Before, Job
from styleengine.loss.painting import PaintObjective
from styleengine.loss.spot import Course, Units
from styleengine.loss.squares import Look, Seen, squares
from styleengine.loss.style_losses import StyleLoss
from styleengine.networks.extractor import Extractor
from styleengine.planning.recipes import Recipe
from styleengine.planning.spots import Area, Size
from styleengine.protocol import Settings
from styleengine.scene import going_on
from styleengine.scene.scene import Scene
from styleengine.scene.style_pictures import SceneStyle
from styleengine.scene.windows import Window, part

Piece = tuple[Tensor, Tensor | None]
AROUND = 16
"""Pixels around a square that what is enlarged is known of."""


class Courses:
    """What spots ask for that is the same for all of a picture: kept for the last one."""

    def __init__(self) -> None:
        self._of: tuple[Before | None, Settings | None] = None, None
        self._base: Tensor | None = None
        self._courses: dict[int, list[Course]] = {}
        self._units: dict[tuple[str, ...], Units] = {}

    def begin(self, job: Job) -> None:
        """Forgets what is not of this job's picture."""
        before, settings = self._of
        if job.before is None or job.before is not before or job.settings != settings:
            self._base, self._courses, self._units = None, {}, {}
        self._of = job.before, job.settings

    def base(self, job: Job, scene: Scene) -> Tensor | None:
        """The whole picture at the scale of the quick preview, (1, 3, h, w), if it is known."""
        before = job.before
        if self._base is None and before is not None and going_on.fits(before, job.whole):
            self._base = going_on.finished(scene, before, job.settings)
        return self._base

    def keep(self, base: Tensor) -> None:
        """Keeps the picture for the spots to come."""
        self._base = base

    def make(
        self, scale: int, courses: Callable[[], Generator[None, None, list[Course]]]
    ) -> Iterator[None]:
        """Sees to it that there are the ``courses`` of the styles at a scale, bit by bit."""
        if scale not in self._courses:
            self._courses[scale] = yield from courses()

    def at(self, scale: int) -> list[Course]:
        """The courses of the styles at a scale, once they have been made."""
        return self._courses[scale]

    def units(self, seen: tuple[str, ...], make: Callable[[], Units]) -> Units:
        """The units of the terms by what is ``seen``: a network and its layers."""
        if seen not in self._units:
            self._units[seen] = make()
        return self._units[seen]


def courses_of(
    scene: Scene,
    scale: int,
    extractor: Extractor,
    recipe: Recipe,
    loss: StyleLoss,
    start: Callable[[], Tensor] | None,
) -> Generator[None, None, list[Course]]:
    """The courses of the styles at a scale; comes back after each of the many looks they take.

    ``start`` gives the picture (1, 3, h, w) that the scale begins with. Where that is not known as
    a whole, it is taken to be like the style there: as the style is when it has been made as small
    as the picture was and enlarged, since the scale before had the style's statistics, nearly.
    """
    size, before = scene.plan.sizes[scale], scene.plan.sizes[scale - 1]
    alpha = None
    plain = dataclasses.replace(recipe, near_layers={})
    begun: dict[int, Seen] = {}
    picture = None if start is None else start()
    if picture is not None:
        alpha = scene.alpha_at(scale)
        yield
    found = []
    for style, region in zip(scene.styles, scene.regions_at(size), strict=True):
        own = style.size(max(size))
        areas, known = squares(own), Look(extractor, recipe, loss)
        first = Look(extractor, plain, loss)
        blurred = _enlarged(style, own, areas, max(size) / max(before))
        for image, mask in style.parts(own, areas):
            known.see(image, mask)
            yield
            if picture is None:
                first.see(next(blurred), mask)
                yield
        key = id(region)
        if picture is None:
            begun[key] = first.seen
        elif key not in begun:
            for piece in _cut(picture, _together(region, alpha)):
                first.see(*piece)
                yield
            begun[key] = first.seen
        found.append(Course(known.seen, begun[key].moments))
    return found


def units_of(
    scene: Scene, small: int, extractor: Extractor, recipe: Recipe, loss: StyleLoss
) -> Units:
    """What the terms of ``recipe`` are measured in, seen at the scale ``small``."""
    seen = dataclasses.replace(recipe, near_layers={}, hold={}, faces={})
    content, alpha = scene.content(small), scene.alpha_at(small)
    return Units.of(PaintObjective(extractor, seen, loss, content, scene.targets(small), alpha))


def _cut(picture: Tensor, mask: Tensor | None) -> list[Piece]:
    areas = squares((picture.shape[-2], picture.shape[-1]))
    return [(part(picture, a), None if mask is None else part(mask, a)) for a in areas]


def _together(region: Tensor | None, alpha: Tensor | None) -> Tensor | None:
    if region is None or alpha is None:
        return alpha if region is None else region
    return region * alpha


def _enlarged(style: SceneStyle, size: Size, areas: list[Area], growth: float) -> Iterator[Tensor]:
    """The ``areas`` of a style of ``size``, (1, 3, h, w), as they look enlarged ``growth``
    times."""
    small = max(1, round(size[0] / growth)), max(1, round(size[1] / growth))
    wider = [area.scaled(size, small).grown(AROUND, small) for area in areas]
    for area, own, (image, _) in zip(areas, wider, style.parts(small, wider), strict=True):
        yield Window(image, small, own.top, own.left).at(size, area).image.clamp(0, 1)
