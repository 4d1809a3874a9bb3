"""A spot of a picture painted as it will be in the whole one, in seconds instead of minutes.

From the scale of the quick preview on only the spot is painted, as if the rest of the picture were
painted, too; see `loss.spot`.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from styleengine.descent.band_scaling import first_guess
from styleengine.descent.lbfgs import LBFGS
from styleengine.descent.minimizer import Diverged
from styleengine.jobs import Job, Preview, Spot
from styleengine.loss.courses import Courses, courses_of, units_of
from styleengine.loss.making import seen_of
from styleengine.loss.spot import SpotObjective, Units
from styleengine.loss.style_losses import MomentsLoss, StyleLoss
from styleengine.machine import allocator, memory
from styleengine.networks.extractor import Extractor
from styleengine.networks.shelf import Shelved
from styleengine.pictures.picture import Picture
from styleengine.planning import fitting
from styleengine.planning.layout import USABLE
from styleengine.planning.plan import Plan
from styleengine.planning.recipes import FINE, Recipe
from styleengine.planning.spots import Area, Size, spot_areas
from styleengine.protocol import Progress
from styleengine.scene import finishing, outside, resample
from styleengine.scene.color import luma, with_luma
from styleengine.scene.known import Known
from styleengine.scene.scene import Scene
from styleengine.scene.windows import Window, carried, part
from styleengine.workshop import for_scales, pace_of

log = logging.getLogger(__name__)

LEAST, MOST, FINE_STEPS = 3, 6, 3
"""Steps at a scale, by how large the spot is there, and at one above `FINE`."""
LOOKED_AT = 900_000
"""Pixels that the steps of a scale look at together, about: what a spot may take."""


class SpotPainter:
    """Paints the spot of a job from the ``base`` on: the whole picture (1, 3, h, w) at a scale."""

    def __init__(
        self,
        job: Job,
        scene: Scene,
        networks: Mapping[str, Shelved],
        style_loss: StyleLoss,
        device: torch.device,
        base: tuple[int, Tensor],
        courses: Courses,
    ) -> None:
        assert job.spot is not None
        self._job, self._scene, self._plan = job, scene, scene.plan
        self._networks, self._style_loss, self._device = networks, style_loss, device
        self._spot, self._known = job.spot, Known(scene, job.spot, job.content)
        self._first, start = base[0] + 1, base[1]
        self._courses = courses
        sizes = scene.plan.sizes
        self._now = Window(start, sizes[base[0]], wrap=scene.plan.wrap)
        self._scale = base[0]
        self._area = _area(job.spot)
        self._whole = job.spot.height, job.spot.width
        self._areas = self._laid_out(self._last())
        self.source, self.stopped = "", False

    def _last(self) -> int:
        """The scale from which on nothing more would be seen at the size asked for."""
        wanted = max(self._whole) * self._spot.size[0] / self._spot.area[2]
        sizes = self._plan.sizes
        enough = (k for k, size in enumerate(sizes) if max(size) >= wanted - 1)
        return next(enough, len(sizes) - 1)

    def _laid_out(self, last: int) -> dict[int, Area]:
        sizes = self._plan.sizes[: last + 1]
        methods = self._plan.methods[self._first : last + 1]
        usual = all(isinstance(method, Recipe) for method in methods)
        if not usual or not isinstance(self._style_loss, MomentsLoss) or not methods:
            return {}  # seen as a whole only: the spot is what the preview has shown
        area = self._area.scaled(self._whole, sizes[-1])
        return spot_areas(sizes, self._first, area, self._plan.wrap)

    def paint(self, should_stop: Callable[[], bool]) -> Iterator[Progress | Preview]:
        """All scales; yields the progress, and the spot as it is now."""
        if not self._areas:
            return
        plan = self._spot_plan()
        used = for_scales(self._networks, plan)
        trunks = {name: found.trunk for name, found in self._networks.items()}
        room = USABLE * memory.free(self._device)
        layouts = fitting.laid_out(plan, trunks, True, self._device, room)
        self.source = used[0].source
        pace = pace_of(plan, layouts, used, self._device)
        yield pace.progress("prepare")
        for number, (scale, area) in enumerate(sorted(self._areas.items())):
            pace.begin(number)
            for _ in self._made(scale):
                yield pace.progress("prepare")  # and is dropped if nobody wants it any more
            if self._spot.ready:
                continue
            content = self._known.at(scale, area)
            guide = self._known.at(scale - 1, self._now.area)
            size = self._plan.sizes[scale]
            image = carried(self._now, guide, content, size, area).contiguous()
            objective = self._objective(scale, area, content)
            scaling = None if _is_fine(size) else first_guess(image, plan.history)
            minimizer = LBFGS(scaling=scaling)
            for step in range(plan.steps[number]):
                try:
                    minimizer.step(image, *objective(image))
                except Diverged:
                    log.warning("a spot went astray at scale %d", scale)
                    return
                pace.stepped()
                self._scale = scale
                self._now = Window(image, size, area.top, area.left, self._plan.wrap)
                yield pace.progress("paint")
                due = pace.preview_due(self._job.preview_steps)
                if self._job.preview and (due or step == 0):  # sharper than what was seen
                    yield Preview(self.picture(), pace.step)
                if should_stop():
                    self.stopped = True
                    return
            del objective
            allocator.give_back()

    def _spot_plan(self) -> Plan:
        """The plan of what is painted of each scale."""
        scales, plan = sorted(self._areas), self._plan
        return dataclasses.replace(
            plan,
            sizes=tuple(self._areas[k].size for k in scales),
            steps=tuple(_steps(plan.sizes[k], self._areas[k].size) for k in scales),
            methods=tuple(plan.methods[k] for k in scales),
        )

    def _start(self) -> Tensor:
        """The whole picture that the first scale begins with."""
        size, base = self._plan.sizes[self._first], self._now
        area = Area(0, 0, *size)
        content, guide = self._known.at(self._first, area), self._known.at(self._scale, base.area)
        return carried(base, guide, content, size, area)

    def _given(self, scale: int) -> tuple[Extractor, Recipe, StyleLoss]:
        """What the pictures of a scale are seen and measured with."""
        plan = self._plan
        method = plan.methods[scale]
        assert isinstance(method, Recipe)
        only = self._networks[plan.features_at(scale)].trunk.only(plan.at(scale))
        return only, method, self._style_loss

    def _made(self, scale: int) -> Iterator[None]:
        """Sees to it that there is what all spots ask for at a scale, bit by bit."""
        scene, given = self._scene, self._given(scale)
        start = self._start if scale == self._first else None
        yield from self._courses.make(scale, lambda: courses_of(scene, scale, *given, start))
        self._units(scale)
        yield

    def _units(self, scale: int) -> Units:
        small, given = self._first - 1, self._given(scale)
        seen = self._plan.features_at(scale), *self._plan.at(scale)
        return self._courses.units(seen, lambda: units_of(self._scene, small, *given))

    def _objective(self, scale: int, area: Area, content: Tensor) -> SpotObjective:
        scene, plan, size = self._scene, self._plan, self._plan.sizes[scale]
        targets = scene.targets_at(size, max(plan.sizes[self._first - 1]))
        only, method, style_loss = self._given(scale)

        def cut(whole: Tensor | None) -> Tensor | None:
            if whole is None:
                return None
            return Window(whole[None, None], size, wrap=plan.wrap).at(size, area).image[0, 0]

        objective = SpotObjective(
            only,
            method,
            style_loss,
            content,
            list(zip(seen_of(targets, cut), self._courses.at(scale), strict=True)),
            cut(scene.alpha_at(scale)),
            (plan.content_factor, plan.tv_factor),
            hold=cut(scene.hold(scale)) if method.hold else None,
            faces=cut(scene.held_faces(scale)) if method.faces else None,
        )
        self._units(scale).give(objective)
        return objective

    # --- what comes of it ------------------------------------------------------------------------

    def picture(self, touches: Sequence[finishing.Touch] = ()) -> Picture:
        """The spot as it is now, at the size asked for, with ``touches``."""
        image, last = self._now, max([*self._areas, self._first - 1])
        if self._scale < last:
            size = self._plan.sizes[last]
            area = self._area.scaled(self._whole, size)
            image = self._enlarged(image, self._known.at(last, area), size, area)
        whole, area = self._shown()
        colors = self._known.colors(whole, area)
        if max(whole) > max(image.whole):
            image = self._enlarged(image, self._scene.seen(colors), whole, area, last)
        found = image.at(whole, area).image.clamp(0, 1)
        return self._finished(found, colors, touches)

    def _enlarged(
        self, image: Window, content: Tensor, size: Size, area: Area, scale: int | None = None
    ) -> Window:
        guide = self._known.at(self._scale if scale is None else scale, image.area)
        found = carried(image, guide, content, size, area)
        return Window(found, size, area.top, area.left, self._plan.wrap)

    def _shown(self) -> tuple[Size, Area]:
        """The size that the whole picture has where the spot has the size asked for, and the spot
        there."""
        width, height = self._spot.size
        down, across = height / self._area.size[0], width / self._area.size[1]
        whole = (
            max(height, round(self._whole[0] * down)),
            max(width, round(self._whole[1] * across)),
        )
        top = min(whole[0] - height, round(self._area.top * down))
        left = min(whole[1] - width, round(self._area.left * across))
        return whole, Area(top, left, top + height, left + width)

    def _finished(
        self, image: Tensor, colors: Tensor, touches: Sequence[finishing.Touch]
    ) -> Picture:
        scene, (whole, area) = self._scene, self._shown()
        if scene.keep_colors == "luminance":
            image = with_luma(colors, luma(image))
        rgb, photo = resample.to_array(image), resample.to_array(colors)
        for touch in touches:
            rgb = touch(rgb, photo)
        masks = [self._cut(style.mask, area.size) for style in scene.styles]
        outside.keep(rgb, photo, outside.coverage(masks))
        return Picture(rgb, self._known.alpha(whole, area), 8, self._job.content.name)

    def _cut(self, mask: Tensor | None, size: Size) -> Tensor | None:
        """A mask over the whole picture, where the spot is."""
        if mask is None:
            return None
        own = mask.shape[-2], mask.shape[-1]
        area = self._area.scaled(self._whole, own)
        return resample.resize(part(mask, area), size).clamp(0, 1)


def _is_fine(size: Size) -> bool:
    return max(size) > FINE


def _area(spot: Spot) -> Area:
    left, top, width, height = spot.area
    return Area(top, left, top + height, left + width)


def _steps(size: Size, spot: Size) -> int:
    if _is_fine(size):
        return FINE_STEPS
    return max(LEAST, min(MOST, round(LOOKED_AT / (spot[0] * spot[1]))))
