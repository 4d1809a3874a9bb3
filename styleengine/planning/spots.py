"""Which parts of a picture are painted so that a spot of it comes out as in the whole picture.

A spot by itself would be driven to the style's statistics, which only the whole picture is to have:
a sky would get all of the style's darks. So beside the spot samples of the rest are painted, each
of whose pixels stands for many; together they have the picture's statistics, from step to step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Size = tuple[int, int]
STEP = 16
"""What all areas begin at multiples of, so that poolings fall where they do in the whole."""
SAMPLES = 8
"""About how many samples stand for the rest of the picture."""
SAMPLE = 96
"""Side of what is painted of a sample, in pixels of a scale."""


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

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.size[0] * self.size[1]

    def within(self, outer: Area) -> Area:
        """The same in a picture that begins where ``outer`` does."""
        top, left = self.top - outer.top, self.left - outer.left
        return Area(top, left, top + self.size[0], left + self.size[1])

    def scaled(self, own: Size, size: Size) -> Area:
        """The least area that has all of this, of a picture of ``own`` size, in one of ``size``."""
        down, across = size[0] / own[0], size[1] / own[1]
        return Area(
            math.floor(self.top * down + 1e-6),
            math.floor(self.left * across + 1e-6),
            min(size[0], math.ceil(self.bottom * down - 1e-6)),
            min(size[1], math.ceil(self.right * across - 1e-6)),
        )

    def grown(self, margin: int, size: Size) -> Area:
        """With a margin around, in whole steps, as far as a picture of ``size`` goes."""
        return Area(
            max(0, self.top // STEP * STEP - margin),
            max(0, self.left // STEP * STEP - margin),
            min(size[0], -(-self.bottom // STEP) * STEP + margin),
            min(size[1], -(-self.right // STEP) * STEP + margin),
        )


@dataclass(frozen=True)
class Patch:
    """A part of a picture that is painted by itself: ``seen`` with the margin that its gradient
    depends on, ``painted`` without."""

    seen: Area
    painted: Area


def spot_patches(
    sizes: Sequence[Size], first: int, spot: Area, margins: Mapping[int, int]
) -> dict[int, Patch]:
    """The patch of a ``spot`` (of the last size) at each scale from ``first`` on.

    Each is painted as far as the next one sees.
    """
    found: dict[int, Patch] = {}
    wanted, size = spot, sizes[-1]
    for scale in range(len(sizes) - 1, first - 1, -1):
        inner = wanted.scaled(size, sizes[scale]).grown(0, sizes[scale])
        seen = inner.grown(margins[scale], sizes[scale])
        found[scale] = Patch(seen, inner)
        wanted, size = seen, sizes[scale]
    return found


def sample_patches(size: Size, middles: Sequence[tuple[float, float]], margin: int) -> list[Patch]:
    """The samples of a scale of ``size`` around ``middles`` (down and across, 0–1 each)."""
    found = []
    for middle in middles:
        low = [
            max(0, min(n - SAMPLE, round(m * n - SAMPLE / 2)) // STEP * STEP)
            for m, n in zip(middle, size, strict=True)
        ]
        painted = Area(low[0], low[1], min(size[0], low[0] + SAMPLE), min(size[1], low[1] + SAMPLE))
        found.append(Patch(painted.grown(margin, size), painted))
    return found


def sample_middles(size: Size, count: int = SAMPLES) -> list[tuple[float, float]]:
    """Places of about so many samples, evenly over a picture of ``size``: down and across, 0–1."""
    height, width = size
    columns = max(1, round(math.sqrt(count * width / height)))
    rows = max(1, round(count / columns))
    return [
        ((row + 0.5) / rows, (column + 0.5) / columns)
        for row in range(rows)
        for column in range(columns)
    ]
