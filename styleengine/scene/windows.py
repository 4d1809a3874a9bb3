"""Parts of a picture at any of its sizes, as they would be cut from all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from styleengine.planning.spots import Area, Size
from styleengine.scene.color import luma
from styleengine.scene.resample import MOST_GAIN, local_gain

SMOOTH, SHARP = -0.5, -0.75
"""The cubic's parameter of PyTorch's resampling, where it shrinks with antialiasing and where it
enlarges."""


@dataclass(frozen=True)
class Window:
    """What is known of a picture of ``whole`` (h, w): the ``image`` (1, C, h, w) of an area, which
    begins at ``top`` and ``left``."""

    image: Tensor
    whole: Size
    top: int = 0
    left: int = 0

    @property
    def area(self) -> Area:
        """Where it lies."""
        height, width = self.image.shape[-2:]
        return Area(self.top, self.left, self.top + height, self.left + width)

    def at(self, size: Size, area: Area) -> Window:
        """An area of the picture made ``size`` (h, w) large, as `resample.resize` makes it.

        What lies outside of this window is taken to go on as its edge does.
        """
        if size == self.whole:
            image = part(self.image, area.within(self.area))
            if image.shape[-2:] == area.size:
                return Window(image, size, area.top, area.left)
        shrinks = size[0] < self.whole[0] or size[1] < self.whole[1]
        image = self.image
        for axis, start, stop, first in (
            (0, area.top, area.bottom, self.top),
            (1, area.left, area.right, self.left),
        ):
            weights = _weights(
                self.whole[axis], size[axis], start, stop, first, image.shape[axis - 2], shrinks
            )
            weights = weights.to(image)
            image = weights @ image if axis == 0 else image @ weights.T
        return Window(image, size, area.top, area.left)


@lru_cache(maxsize=64)
def _weights(
    length: int, wanted: int, start: int, stop: int, first: int, known: int, shrinks: bool
) -> Tensor:
    """The resampling of a line of ``length`` to ``wanted`` pixels as a matrix: the results from
    ``start`` to ``stop`` by the ``known`` pixels from ``first`` on."""
    scale = length / wanted
    stretch = max(scale, 1.0) if shrinks else 1.0
    sharpness = SMOOTH if shrinks else SHARP
    middle = (torch.arange(start, stop, dtype=torch.float64) + 0.5) * scale - 0.5
    reach = 2 * stretch
    lowest = math.floor(float(middle[0]) - reach)
    taps = torch.arange(lowest, math.ceil(float(middle[-1]) + reach) + 1, dtype=torch.float64)
    weights = _cubic((taps[None] - middle[:, None]).abs() / stretch, sharpness)
    if shrinks:  # nothing lies beyond the edges; where it enlarges, the edges go on
        weights[:, (taps < 0) | (taps >= length)] = 0
    weights = weights / weights.sum(1, keepdim=True)
    place = taps.long().clamp(0, length - 1).sub_(first).clamp_(0, known - 1)
    found = torch.zeros(stop - start, known, dtype=torch.float64)
    return found.index_add_(1, place, weights).float()


def _cubic(distance: Tensor, a: float) -> Tensor:
    """Keys' cubic convolution kernel (1981, eq. 15)."""
    near = ((a + 2) * distance - (a + 3)) * distance.square() + 1
    far = ((distance - 5) * distance + 8) * distance - 4
    return torch.where(distance < 1, near, torch.where(distance < 2, a * far, 0.0))


def part(image: Tensor, area: Area) -> Tensor:
    """An area of ``image`` (…, H, W)."""
    return image[..., area.top : area.bottom, area.left : area.right]


def carried(result: Window, before: Tensor, content: Tensor, size: Size, area: Area) -> Tensor:
    """`resample.carry` of a part: ``result`` at ``area`` of the larger ``size``, with the detail of
    ``content`` (1, 3, h, w), which is the photo there; ``before`` is the photo where ``result`` is.
    """
    whole, top, left = result.whole, result.top, result.left
    light = luma(before)
    gain = Window(local_gain(light, result.image), whole, top, left)
    painted = result.at(size, area).image
    detail = luma(content) - Window(light, whole, top, left).at(size, area).image
    painted = painted + gain.at(size, area).image.clamp(0, MOST_GAIN) * detail
    return painted.clamp(0, 1)
