"""From a tensor of a run back to a picture: a preview of it, and the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from styleengine.jobs import Job
from styleengine.networks.extractor import OPEN, Wrap
from styleengine.pictures.picture import Picture, fit, quantize, row_strips
from styleengine.pictures.samples import kept
from styleengine.scene import outside, resample
from styleengine.scene.color import luma, with_luma
from styleengine.scene.scene import Scene
from styleengine.together.group import Rows
from styleengine.together.stripe import Stripe

AROUND = 32
"""Pixels of what lies beyond an edge that closes, for touches that look around."""
Touch = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Takes the result and the content, (H, W, 3) float32, 0–1, and returns a new result."""


def small_size(size: tuple[int, int], most: int) -> tuple[int, int]:
    """(h, w) of a preview of a picture of ``size``, its long side ``most`` pixels or less."""
    height, width = size
    return fit(width, height, min(max(width, height), most))


def small(scene: Scene, image: Tensor, size: tuple[int, int]) -> Picture:
    """A preview of ``image`` (1, 3, h, w) at ``size``."""
    wrap = scene.plan.wrap
    source = scene.levels.source
    rgb = resample.to_array(scene.restore_colors(resample.resize(image, size, wrap).cpu()))
    covered = outside.coverage([style.mask for style in scene.styles])
    if covered is not None:
        outside.keep(rgb, resample.to_array(source.at(size)), covered)
    seen = source.alpha(size)
    alpha = None if seen is None else seen[0, 0].cpu().numpy()
    return Picture(rgb, alpha, 8, source.given.name)


def touched(
    full: np.ndarray, content: np.ndarray, touches: Iterable[Touch], wrap: Wrap = OPEN
) -> np.ndarray:
    """The result ``full`` after all ``touches``; where it closes, they see what lies beyond."""
    touches = list(touches)
    if not touches:
        return full
    height, width = full.shape[:2]
    around = [
        (min(AROUND, n) if closes else 0,) * 2 for n, closes in zip(full.shape, wrap, strict=False)
    ]
    if any(wrap):
        full, content = (np.pad(each, (*around, (0, 0)), mode="wrap") for each in (full, content))
    for touch in touches:
        full = touch(full, content)
    (top, _), (left, _) = around
    return full[top : top + height, left : left + width]


def finished(scene: Scene, image: Tensor, touches: Iterable[Touch]) -> Picture:
    """``image`` (1, 3, h, w) at the content's full size, with ``touches``.

    What is hidden, or outside of every region, stays as it was. Of a photo that is kept in whole
    numbers, so is the result, unless a touch wants to see it as a whole.
    """
    source, touches = scene.levels.source, list(touches)
    given = source.given
    if source.in_strips and not touches:
        size = image.shape[-2], image.shape[-1]
        rows = resample.carried(
            image,
            (source.height, source.width),
            lambda start, stop: resample.to_tensor(given.rgb[start:stop]),
            lambda: source.at(size).to(image.device),
        )
        return dataclasses.replace(given, rgb=kept(_collected(scene, rows, 0, source.height)))
    content = source.picture
    full = resample.carry_to_full_size(image, np.asarray(content.rgb), scene.plan.wrap)
    _restore(scene, full, content.rgb)
    full = touched(full, np.asarray(content.rgb), touches, scene.plan.wrap)
    outside.keep(full, given.rgb, outside.coverage([style.mask for style in scene.styles]))
    if given.alpha is not None:
        for strip in row_strips(given.height, given.width):
            hidden = given.alpha[strip] <= 0
            full[strip][hidden] = given.rgb[strip][hidden]
    return dataclasses.replace(content, rgb=full)


def finished_together(scene: Scene, scale: int, held: Tensor, stripe: Stripe) -> Picture | None:
    """The same, without touches, of a picture at a scale, of which a ``stripe`` is ``held``.

    Each process makes its rows, and the first one gets them all; None for the others. Only of a
    photo that is kept in whole numbers, see `goes_by_rows`.
    """
    given = scene.levels.source.given
    size = given.height, given.width
    strips: Iterator[tuple[int, Tensor]]
    if stripe.size == size:
        step = max(1, resample.STRIP_PIXELS // size[1])
        own = stripe.own
        strips = ((y, held[..., y : y + step, :].cpu()) for y in range(0, len(own), step))
    else:
        whole = Stripe.of(stripe.group, size, 0, stripe.align)
        own = whole.own

        def content(rows: Rows) -> Tensor:
            return resample.to_tensor(given.rgb[rows.start : rows.stop]).to(held.device)

        grown = scene.grown(scale, held, stripe, whole, content)
        strips, stripe = ((y, strip.cpu()) for y, strip in grown), whole
    made = _collected(scene, ((own.start + y, strip) for y, strip in strips), own.start, len(own))
    rows = torch.from_numpy(made.reshape(len(own), -1).view(np.uint8))
    found = stripe.gathered_by_first(rows)
    if found is None:
        return None
    return dataclasses.replace(given, rgb=kept(found.numpy().view(made.dtype).reshape(*size, 3)))


def goes_by_rows(scene: Scene, job: Job) -> bool:
    """Whether a picture that is shared can be `finished_together`."""
    source, (height, width) = scene.levels.source, scene.plan.sizes[-1]
    larger = height > source.height or width > source.width
    touched = bool(job.settings.postprocess.strip(", "))
    return source.in_strips and not (larger or touched or job.steady)


def _collected(
    scene: Scene, strips: Iterable[tuple[int, Tensor]], top: int, count: int
) -> NDArray[Any]:
    """Rows ``top`` to ``top + count`` of the result as it will be saved, (count, W, 3), from
    ``strips`` (1, 3, h, W), each with its first row."""
    given, covered = scene.levels.source.given, outside.coverage([s.mask for s in scene.styles])
    made = np.empty((count, given.width, 3), np.uint8 if given.depth == 8 else np.uint16)
    for y, strip in strips:
        rows = resample.to_array(strip)
        content = given.rgb[y : y + len(rows)]
        _restore(scene, rows, content)
        outside.keep(rows, content, covered, y, given.height)
        quantize(rows, made[y - top : y - top + len(rows)])
    return made


def _restore(scene: Scene, full: np.ndarray, content: np.ndarray) -> None:
    """Gives ``full`` (H, W, 3) the colours of ``content``, where only its luma was painted."""
    if scene.keep_colors != "luminance":
        return
    for y in range(0, full.shape[0], resample.STRIP_ROWS):
        rows = slice(y, y + resample.STRIP_ROWS)
        light = luma(resample.to_tensor(full[rows]))
        colors = resample.to_tensor(content[rows]).clamp(0, 1)
        full[rows] = resample.to_array(with_luma(colors, light))
