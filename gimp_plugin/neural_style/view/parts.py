"""What of a large picture the engine needs to paint a spot of it as in the whole."""

from __future__ import annotations

import math

from protocol import OVERVIEW_PX
from view.viewport import Area

STEP = 16
MARGIN, SAMPLE = 0.04, 0.064
"""Parts of the long side: the margin around the spot, and the side of a sample. From the smallest
scale that the small picture does not show they are 64 and 100 pixels there."""
SAMPLES = 8
MOST_PIXELS = 640_000
"""Of the spot as it is shown: more would take long."""


def parts_of(whole: tuple[int, int], spot: Area) -> list[Area]:
    """The areas of a picture of ``whole`` (width, height) that are sent at full size: the spot with
    a margin, and samples of the rest. None of a picture that is sent at full size anyway."""
    long_side = max(whole)
    if long_side <= OVERVIEW_PX:
        return []
    margin, side = _steps(MARGIN * long_side), _steps(SAMPLE * long_side)
    x, y, width, height = spot
    left, top = max(0, x - margin), max(0, y - margin)
    right, bottom = min(whole[0], x + width + margin), min(whole[1], y + height + margin)
    parts = [(left, top, right - left, bottom - top)]
    for across, down in middles(whole):
        corner = [
            max(0, min(length - side, round(place * length - side / 2)))
            for place, length in zip((across, down), whole)
        ]
        parts.append((corner[0], corner[1], min(side, whole[0]), min(side, whole[1])))
    return parts


def middles(whole: tuple[int, int]) -> list[tuple[float, float]]:
    """Places evenly over a picture, across and down, 0–1."""
    columns = max(1, round(math.sqrt(SAMPLES * whole[0] / whole[1])))
    rows = max(1, round(SAMPLES / columns))
    return [
        ((column + 0.5) / columns, (row + 0.5) / rows)
        for row in range(rows)
        for column in range(columns)
    ]


def spot_in(seen: Area, scale: float) -> tuple[Area, tuple[int, int]]:
    """The spot to paint of what is ``seen`` of a picture at ``scale`` device pixels for one of its
    own, and the size (width, height) to paint it for: all, or the middle of a large view."""
    x, y, width, height = seen
    shown = min(1.0, scale)
    shrink = min(1.0, math.sqrt(MOST_PIXELS / (width * height * shown * shown)))
    w, h = max(1, round(width * shrink)), max(1, round(height * shrink))
    area = x + (width - w) // 2, y + (height - h) // 2, w, h
    return area, (max(1, round(w * shown)), max(1, round(h * shown)))


def covers(outer: Area, inner: Area) -> bool:
    """Whether all of ``inner`` lies in ``outer``."""
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and outer[0] + outer[2] >= inner[0] + inner[2]
        and outer[1] + outer[3] >= inner[1] + inner[3]
    )


def _steps(length: float) -> int:
    return math.ceil(length / STEP) * STEP
