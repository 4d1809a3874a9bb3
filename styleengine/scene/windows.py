"""Parts of a picture at any of its sizes, as they would be cut from all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from styleengine.networks.extractor import OPEN, Wrap
from styleengine.planning.spots import Area, Size
from styleengine.scene.color import luma
from styleengine.scene.resample import MOST_GAIN, local_gain

SMOOTH, SHARP = -0.5, -0.75
"""The cubic's parameter of PyTorch's resampling, where it shrinks with antialiasing and where it
enlarges."""


@dataclass(frozen=True)
class Window:
    """What is known of a picture of ``whole`` (h, w): the ``image`` (1, C, h, w) of an area, which
    begins at ``top`` and ``left``. ``wrap`` tells along which axes the picture closes: there areas
    may lie beyond its ends."""

    image: Tensor
    whole: Size
    top: int = 0
    left: int = 0
    wrap: Wrap = OPEN

    @property
    def area(self) -> Area:
        """Where it lies."""
        height, width = self.image.shape[-2:]
        return Area(self.top, self.left, self.top + height, self.left + width)

    def at(self, size: Size, area: Area) -> Window:
        """An area of the picture made ``size`` (h, w) large, as `resample.resize` makes it.

        What lies outside of this window is taken to go on as its edge does.
        """
        own = self.area
        if (
            size == self.whole
            and (own.top <= area.top and area.bottom <= own.bottom)
            and (own.left <= area.left and area.right <= own.right)
        ):
            return Window(part(self.image, area.within(own)), size, area.top, area.left, self.wrap)
        shrinks = size[0] < self.whole[0] or size[1] < self.whole[1]
        image = self.image
        for axis, start, stop, first in (
            (0, area.top, area.bottom, self.top),
            (1, area.left, area.right, self.left),
        ):
            closes, lengths = self.wrap[axis], (self.whole[axis], size[axis])
            if not closes:  # of a large picture a few rows or columns
                image, first = _near(image, axis - 2, first, lengths, start, stop)
            known = image.shape[axis - 2]
            weights = _weights(*lengths, start, stop, first, known, shrinks, closes).to(image)
            image = weights @ image if axis == 0 else image @ weights.T
        return Window(image, size, area.top, area.left, self.wrap)


def rows(image: Tensor, whole: Size, size: Size, top: int, start: int, stop: int) -> Tensor:
    """Rows ``start`` to ``stop`` of a picture of ``whole`` made ``size`` large, where ``image`` (1,
    C, h, w) is as wide as that already, and begins at row ``top``."""
    shrinks = size[0] < whole[0] or size[1] < whole[1]
    image, first = _near(image, -2, top, (whole[0], size[0]), start, stop)
    # Not kept as those of windows are: there are many strips, and each is asked for once.
    weights = _weights.__wrapped__(
        whole[0], size[0], start, stop, first, image.shape[-2], shrinks, False
    )
    return weights.to(image) @ image


def seen_rows(whole: int, height: int, start: int, stop: int) -> tuple[int, int]:
    """Which rows of a picture ``whole`` rows high are seen by those of it made ``height`` high."""
    scale = whole / height
    reach = 2 * max(scale, 1.0) + 3
    low, high = math.floor(start * scale - reach), math.ceil(stop * scale + reach)
    return max(0, low), min(whole, high + 1)


def _near(
    image: Tensor, axis: int, first: int, lengths: Size, start: int, stop: int
) -> tuple[Tensor, int]:
    """What results from ``start`` to ``stop`` of the second of ``lengths`` see of an image that
    begins at ``first`` of the first, and where that begins."""
    scale, last = lengths[0] / lengths[1], image.shape[axis] - 1
    reach = 2 * max(scale, 1.0) + 2
    low = min(max(0, math.floor(start * scale - reach) - first), last)
    high = min(max(low, math.ceil(stop * scale + reach) - first), last)
    return image.narrow(axis, low, high + 1 - low), first + low


@lru_cache(maxsize=256)
def _weights(
    length: int,
    wanted: int,
    start: int,
    stop: int,
    first: int,
    known: int,
    shrinks: bool,
    closes: bool,
) -> Tensor:
    """The resampling of a line of ``length`` to ``wanted`` pixels as a matrix: the results from
    ``start`` to ``stop`` by the ``known`` pixels from ``first`` on. What lies beyond an end of a
    line that closes is what lies at the other."""
    scale = length / wanted
    stretch = max(scale, 1.0) if shrinks else 1.0
    sharpness = SMOOTH if shrinks else SHARP
    middle = (torch.arange(start, stop, dtype=torch.float64) + 0.5) * scale - 0.5
    reach = 2 * stretch
    lowest = math.floor(float(middle[0]) - reach)
    taps = torch.arange(lowest, math.ceil(float(middle[-1]) + reach) + 1, dtype=torch.float64)
    weights = _cubic((taps[None] - middle[:, None]).abs() / stretch, sharpness)
    if shrinks and not closes:  # nothing lies beyond the edges; where it enlarges, the edges go on
        weights[:, (taps < 0) | (taps >= length)] = 0
    weights = weights / weights.sum(1, keepdim=True)
    place = taps.long() if closes else taps.long().clamp(0, length - 1)
    place = (place - first) % length if closes and known == length else place - first
    place = place.clamp(0, known - 1)
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
    light = luma(before)
    gain = replace(result, image=local_gain(light, result.image))
    painted = result.at(size, area).image
    detail = luma(content) - replace(result, image=light).at(size, area).image
    painted = painted + gain.at(size, area).image.clamp(0, MOST_GAIN) * detail
    return painted.clamp(0, 1)
