"""What of a large picture the engine needs to paint a spot of it as in the whole."""

from __future__ import annotations

import math

from protocol import OVERVIEW_PX
from view.viewport import Area

STEP = 16
MARGIN = 0.04
"""Part of the long side that the margin around the spot is: from the smallest scale that the small
picture does not show, 64 pixels there."""
MOST_PIXELS = 640_000
"""Of the spot as it is shown: more would take long."""


def parts_of(whole: tuple[int, int], spot: Area) -> list[Area]:
    """The areas of a picture of ``whole`` (width, height) that are sent at full size: the spot with
    a margin. None of a picture that is sent at full size anyway."""
    long_side = max(whole)
    if long_side <= OVERVIEW_PX:
        return []
    margin = math.ceil(MARGIN * long_side / STEP) * STEP
    x, y, width, height = spot
    left, top = max(0, x - margin), max(0, y - margin)
    right, bottom = min(whole[0], x + width + margin), min(whole[1], y + height + margin)
    return [(left, top, right - left, bottom - top)]


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
