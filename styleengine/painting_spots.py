"""A spot of a picture painted as it will be in the whole one, in seconds instead of minutes.

From the scale of the quick preview on only the spot is painted, and samples that stand for the rest
of the picture; see `planning.spots`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from styleengine.descent.pace import Pace
from styleengine.descent.painter import Painter
from styleengine.jobs import Before, Job, Preview, Spot
from styleengine.loss.making import seen_of
from styleengine.loss.spot import SpotObjective
from styleengine.loss.style_losses import StyleLoss
from styleengine.machine import allocator, memory
from styleengine.networks.shelf import Shelved
from styleengine.pictures.picture import Picture
from styleengine.planning import fitting
from styleengine.planning.layout import USABLE
from styleengine.planning.plan import Plan
from styleengine.planning.recipes import Recipe
from styleengine.planning.spots import Area, Size, sample_middles, sample_patches, spot_patches
from styleengine.protocol import Progress, Settings
from styleengine.scene import finishing, going_on, outside, resample
from styleengine.scene.color import luma, with_luma
from styleengine.scene.known import Known
from styleengine.scene.scene import Scene
from styleengine.scene.sheet import Sheet
from styleengine.scene.windows import Window, carried, part

MARGIN, SAMPLE_MARGIN = 48, 32
"""Most pixels around what is painted of the spot, and of samples, at a scale."""


class Bases:
    """Whole pictures at the scale of a quick preview that spots were painted from: the last one."""

    def __init__(self) -> None:
        self._kept: tuple[Before | None, Settings, Tensor] | None = None

    def get(self, job: Job, scene: Scene) -> Tensor | None:
        """The base of a job's spot, (1, 3, h, w), if it is known."""
        before = job.before
        if before is None or not going_on.fits(before, job.whole):
            return None
        if self._kept is not None and self._kept[0] is before and self._kept[1] == job.settings:
            return self._kept[2]
        return going_on.finished(scene, before, job.settings)

    def keep(self, job: Job, base: Tensor) -> None:
        """Keeps one for the spots to come."""
        self._kept = job.before, job.settings, base


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
    ) -> None:
        assert job.spot is not None
        self._job, self._scene, self._plan = job, scene, scene.plan
        self._networks, self._style_loss, self._device = networks, style_loss, device
        self._spot, self._known = job.spot, Known(scene, job.spot)
        self._first, start = base[0] + 1, base[1]
        sizes = scene.plan.sizes
        self._now = Window(start, sizes[base[0]])
        self._scale = base[0]
        self._area = _area(job.spot)
        self._whole = job.spot.height, job.spot.width
        self._sheets = self._laid_out(self._last())
        self.source, self.stopped = "", False

    def _last(self) -> int:
        """The scale from which on nothing more would be seen at the size asked for."""
        wanted = max(self._whole) * self._spot.size[0] / self._spot.area[2]
        sizes = self._plan.sizes
        enough = (k for k, size in enumerate(sizes) if max(size) >= wanted - 1)
        return next(enough, len(sizes) - 1)

    def _laid_out(self, last: int) -> dict[int, Sheet]:
        sizes, plan = self._plan.sizes[: last + 1], self._plan
        margins: dict[int, int] = {}
        for scale in range(self._first, last + 1):
            method = plan.methods[scale]
            margin = fitting.margin(
                self._networks[plan.features_at(scale)].trunk, method, self._style_loss.additive
            )
            if margin is None or not isinstance(method, Recipe):
                return {}  # seen as a whole only: the spot is what the preview has shown
            margins[scale] = margin
        if not margins:
            return {}
        area = self._area.scaled(self._whole, sizes[-1])
        most = {k: min(MARGIN, margin) for k, margin in margins.items()}
        spots = spot_patches(sizes, self._first, area, most)
        middles = self._known.middles or sample_middles(self._whole)
        return {
            scale: Sheet.of(sizes[scale], [spots[scale], *sample_patches(
                sizes[scale], middles, min(SAMPLE_MARGIN, margins[scale])
            )])
            for scale in margins
        }  # fmt: skip

    def paint(self, should_stop: Callable[[], bool]) -> Iterator[Progress | Preview]:
        """All scales; yields the progress, and the spot as it is now."""
        if not self._sheets:
            return
        scales = sorted(self._sheets)
        plan = self._sheet_plan(scales)
        networks = [self._networks[plan.features_at(k)] for k in range(len(scales))]
        trunks = {name: found.trunk for name, found in self._networks.items()}
        room = USABLE * memory.free(self._device)
        layouts = fitting.laid_out(plan, trunks, True, self._device, room)
        # What is left for these few pixels to say in half precision is not worth it.
        layouts = [dataclasses.replace(each, narrow=False) for each in layouts]
        self.source = networks[0].source
        pace = Pace(plan, layouts, self.source, [n.rate for n in networks])
        painter = Painter(plan, layouts, pace, should_stop)
        yield pace.progress("prepare")
        before: Sheet | None = None
        for number, scale in enumerate(scales):
            sheet = self._sheets[scale]
            content = sheet.filled(partial(self._seen, scale))
            start = self._start(scale, sheet, before, content)
            objective = self._objective(scale, sheet, content, layouts[number].side)
            painter.go_on(number, start * objective.root)
            for step in painter.paint(objective):
                yield step
                due = pace.preview_due(self._job.preview_steps)
                if self._job.preview and (due or step.step == 1):  # sharper than what was seen
                    self._take(scale, sheet, painter.picture / objective.root)
                    yield Preview(self.picture(), pace.step)
            self._take(scale, sheet, painter.release() / objective.root)
            del objective
            allocator.give_back()
            before, self.stopped = sheet, painter.stopped
            if painter.stopped:
                return

    def _seen(self, scale: int, _number: int, area: Area) -> Tensor:
        return self._known.at(scale, area)

    def _sheet_plan(self, scales: Sequence[int]) -> Plan:
        plan = self._plan
        return dataclasses.replace(
            plan,
            sizes=tuple(self._sheets[k].size for k in scales),
            steps=tuple(plan.steps[k] for k in scales),
            methods=tuple(plan.methods[k] for k in scales),
        )

    def _take(self, scale: int, sheet: Sheet, picture: Tensor) -> None:
        """Makes a ``picture`` of a sheet what there is."""
        self._scale, self._painted = scale, picture
        spot = sheet.patches[0].seen
        self._now = Window(sheet.seen(picture, 0), sheet.whole, spot.top, spot.left)

    def _start(self, scale: int, sheet: Sheet, before: Sheet | None, content: Tensor) -> Tensor:
        """What the patches of a scale begin with: those of the scale before, enlarged."""

        def enlarged(number: int, area: Area) -> Tensor:
            result = self._now
            if before is not None:
                at = before.patches[number].seen
                image = before.seen(self._painted, number)
                result = Window(image, before.whole, at.top, at.left)
            guide = self._known.at(scale - 1, result.area)
            return carried(result, guide, sheet.seen(content, number), sheet.whole, area)

        return sheet.filled(enlarged)

    def _objective(
        self, scale: int, sheet: Sheet, content: Tensor, side: int | None
    ) -> SpotObjective:
        scene, plan = self._scene, self._plan
        method = plan.methods[scale]
        assert isinstance(method, Recipe)

        def cut(whole: Tensor | None) -> Tensor | None:
            if whole is None:
                return None
            return sheet.filled(lambda _, area: part(whole[None, None], area))[0, 0]

        weights = sheet.weights(self._device)
        alpha = cut(scene.alpha_at(scale))
        targets = seen_of(scene.targets(scale), cut)
        only = self._networks[plan.features_at(scale)].trunk.only(plan.at(scale))
        return SpotObjective(
            only,
            method,
            self._style_loss,
            content,
            targets,
            weights if alpha is None else weights * alpha,
            (plan.content_factor, plan.tv_factor),
            side=side,
            hold=cut(scene.hold(scale)) if method.hold else None,
            faces=cut(scene.held_faces(scale)) if method.faces else None,
        )

    # --- what comes of it ------------------------------------------------------------------------

    def picture(self, touches: Sequence[finishing.Touch] = ()) -> Picture:
        """The spot as it is now, at the size asked for, with ``touches``."""
        image, last = self._now, max([*self._sheets, self._first - 1])
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
        return Window(carried(image, guide, content, size, area), size, area.top, area.left)

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


def _area(spot: Spot) -> Area:
    left, top, width, height = spot.area
    return Area(top, left, top + height, left + width)
