"""Pictures that follow each other: a preview and its painting, or the frames of an animation."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from styleengine.jobs import Before, Spot
from styleengine.pictures.picture import Picture, fit
from styleengine.planning.plan import Plan
from styleengine.protocol import PREVIEW_PX, Settings
from styleengine.scene import resample
from styleengine.scene.closing import closed
from styleengine.scene.pyramid import Source, resized
from styleengine.scene.scene import Scene

SAME, SAME_AT_MOST = 0.015, 0.08
"""Differences of two copies of one photo, in the mean and at any spot: those of box, linear, cubic
and Lanczos filters, by which they may have been made small, stay below 0.010 and 0.061 on photos.
"""
CHANGE = 0.06
"""Mean difference (0–1) from which on a spot of the photo counts as another one."""
AROUND = 9
"""Side, in pixels of the smallest scale, of the square over which the difference is averaged."""


def kept(
    content: Picture,
    painted: Picture,
    settings: Settings | None = None,
    long_side: int = PREVIEW_PX,
) -> Before:
    """What is to be kept of a run for the next; ``settings`` if it was finished with them, else
    perhaps the ``long_side`` that it had reached.
    """
    return Before(_small(content), _small(painted), settings, min(long_side, PREVIEW_PX))


def fits(before: Before, content: Picture | Spot) -> bool:
    """Whether ``content`` has the same shape."""
    size = fit(content.width, content.height, PREVIEW_PX)
    return size == (before.content.height, before.content.width)


def start(scene: Scene, before: Before, settings: Settings | None = None) -> tuple[int, Tensor]:
    """The scale to go on at from the painting before, and the picture to begin with.

    Of the same photo the painting is taken as it is, at the scale whose size it has, so that a
    preview becomes what it showed, and one that was stopped goes on; a preview that was finished
    with ``settings`` has that scale behind it. Of another photo, as the next frame of an animation
    is, it is taken at the smallest scale, where the photo has not changed.
    """
    sizes, scale = scene.plan.sizes, passed(scene.plan, before.long_side)
    content, then, painted = _as_before(scene, before, scale)
    if not unchanged(content, then):
        scale = 0
        content, then, painted = _as_before(scene, before, scale)
        painted = follow(scene.start(scale, None), content, then, painted)
    elif scale + 1 < len(sizes) and _is_finished(before, settings, max(sizes[scale])):
        return scale + 1, scene.start(scale + 1, painted)
    return scale, painted.contiguous()


def passed(plan: Plan, long_side: int = PREVIEW_PX) -> int:
    """The scale of a plan at which a picture of that size ends, as a quick preview does."""
    return max((k for k, size in enumerate(plan.sizes) if max(size) <= long_side), default=0)


def finished(scene: Scene, before: Before, settings: Settings) -> Tensor | None:
    """The painting before as the picture (1, 3, h, w) that one with ``settings`` is at the scale
    that is `passed`; None if it is not that."""
    scale = passed(scene.plan)
    content, then, painted = _as_before(scene, before, scale)
    same = unchanged(content, then) and _is_finished(before, settings, max(scene.plan.sizes[scale]))
    return painted.contiguous() if same else None


def _is_finished(before: Before, settings: Settings | None, size: int) -> bool:
    """Whether a picture of ``settings`` is what was painted before when it passes that size."""
    if settings is None or settings.iterations:  # which are spread over all scales
        return False
    return before.settings == dataclasses.replace(settings, size=size)


def _as_before(scene: Scene, before: Before, scale: int) -> tuple[Tensor, Tensor, Tensor]:
    """The content at a scale, and that of the painting before, and this painting."""
    content = scene.content(scale)
    size = (content.shape[-2], content.shape[-1])
    wrap = scene.plan.wrap
    then, painted = (
        resized(scene.shown(each.rgb), size, wrap).to(content.device)
        for each in (closed(before.content, wrap), before.painted)
    )
    return content, then, painted


def unchanged(content: Tensor, content_before: Tensor) -> bool:
    """Whether two pictures (1, 3, h, w) are copies of the same photo."""
    change = _change(content, content_before)
    return float(change.mean()) < SAME and float(change.max()) < SAME_AT_MOST


def follow(usual: Tensor, content: Tensor, content_before: Tensor, painted: Tensor) -> Tensor:
    """A picture (1, 3, h, w) to start from: ``painted``, the painting before, where the content has
    not changed, and the ``usual`` start where it has, so that nothing leaves a ghost behind.
    """
    same = (1 - _change(content, content_before) / CHANGE).clamp(0, 1)
    return same * painted + (1 - same) * usual


def _change(content: Tensor, other: Tensor) -> Tensor:
    """The mean difference of two pictures (1, 3, h, w) around each place, (1, 1, h, w)."""
    change = (content - other).abs().mean(1, keepdim=True)
    edge = AROUND // 2
    return F.avg_pool2d(F.pad(change, (edge,) * 4, mode="replicate"), AROUND, 1)


def _small(picture: Picture) -> Picture:
    """The picture as a scale of that size has it, with nothing of what is hidden in it."""
    size = fit(picture.width, picture.height, PREVIEW_PX)
    return Picture(resample.to_array(Source(picture, torch.device("cpu")).at(size)))
