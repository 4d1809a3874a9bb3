"""From a tensor of a run back to a picture: a preview of it, and the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
from torch import Tensor

from styleengine.networks.extractor import OPEN, Wrap
from styleengine.pictures.picture import Picture, fit
from styleengine.scene import outside, resample
from styleengine.scene.color import luma, with_luma
from styleengine.scene.scene import Scene

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

    What is hidden, or outside of every region, stays as it was.
    """
    given, content = scene.levels.source.given, scene.levels.source.picture
    full = resample.carry_to_full_size(image, content.rgb, scene.plan.wrap)
    if scene.keep_colors == "luminance":
        for y in range(0, full.shape[0], resample.STRIP_ROWS):
            rows = slice(y, y + resample.STRIP_ROWS)
            light = luma(resample.to_tensor(full[rows]))
            colors = resample.to_tensor(content.rgb[rows]).clamp(0, 1)
            full[rows] = resample.to_array(with_luma(colors, light))
    full = touched(full, content.rgb, touches, scene.plan.wrap)
    outside.keep(full, given.rgb, outside.coverage([style.mask for style in scene.styles]))
    if given.alpha is not None:
        hidden = given.alpha <= 0
        full[hidden] = given.rgb[hidden]
    return dataclasses.replace(content, rgb=full)
