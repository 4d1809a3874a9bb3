"""Which part of a picture is painted at each scale so that a spot of it comes out as in the whole.

What the style asks of all of the picture together is not left to the spot, see `loss.spot`; so only
the spot and a margin around it are painted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from styleengine.networks.extractor import OPEN, Wrap

Size = tuple[int, int]
STEP = 16
"""What all areas begin at multiples of, so that poolings fall where they do in the whole."""
MARGIN = 16
"""Pixels that are painted around what is wanted of a scale, as those at the edge see too little."""


@dataclass(frozen=True)
class Area:
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right`` (exclusive) of a picture."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    def within(self, outer: Area) -> Area:
        """The same in a picture that begins where ``outer`` does."""
        top, left = self.top - outer.top, self.left - outer.left
        return Area(top, left, top + self.size[0], left + self.size[1])

    def cut(self, other: Area) -> Area:
        """What both have."""
        return Area(
            max(self.top, other.top),
            max(self.left, other.left),
            min(self.bottom, other.bottom),
            min(self.right, other.right),
        )

    def scaled(self, own: Size, size: Size) -> Area:
        """The least area that has all of this, of a picture of ``own`` size, in one of ``size``."""
        down, across = size[0] / own[0], size[1] / own[1]
        return Area(
            math.floor(self.top * down + 1e-6),
            math.floor(self.left * across + 1e-6),
            math.ceil(self.bottom * down - 1e-6),
            math.ceil(self.right * across - 1e-6),
        )

    def grown(self, margin: int, size: Size, wrap: Wrap = OPEN) -> Area:
        """With a margin around, in whole steps, as far as a picture of ``size`` goes.

        Along an axis of ``wrap`` it goes on beyond its ends, where its other end lies.
        """
        top, left = (n // STEP * STEP - margin for n in (self.top, self.left))
        bottom, right = (-(-n // STEP) * STEP + margin for n in (self.bottom, self.right))
        if not wrap[0]:
            top, bottom = max(0, top), min(size[0], bottom)
        if not wrap[1]:
            left, right = max(0, left), min(size[1], right)
        return Area(top, left, bottom, right)


def spot_areas(sizes: Sequence[Size], first: int, spot: Area, wrap: Wrap = OPEN) -> dict[int, Area]:
    """What is painted for a ``spot`` (of the last size) at each scale from ``first`` on.

    At each the next one finds what it begins with.
    """
    found: dict[int, Area] = {}
    wanted, size = spot, sizes[-1]
    for scale in range(len(sizes) - 1, first - 1, -1):
        found[scale] = wanted.scaled(size, sizes[scale]).grown(MARGIN, sizes[scale], wrap)
        wanted, size = found[scale], sizes[scale]
    return found
