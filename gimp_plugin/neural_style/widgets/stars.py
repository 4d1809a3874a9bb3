"""The star in the corner of a thumbnail: filled for a favourite."""

from __future__ import annotations

import functools
import math

from gi.repository import GdkPixbuf

from widgets.cutout import pixbuf

STAR_PX = 20
FINE = 4  # points looked at per pixel, each way
GOLD, INK = (255, 205, 50), (40, 40, 40)
OUTER, INNER = 0.5, 0.21  # radii, of the whole side
RIM, EMPTY = 1.28, 0.45  # the dark rim around it; how much of the picture an empty star covers


@functools.cache
def star(filled: bool, factor: int = 1) -> GdkPixbuf.Pixbuf:
    """The star alone, `STAR_PX` wide, in pixels of the screen ``factor`` times as many."""
    side, fine = STAR_PX * factor, max(1, FINE // factor)
    data = bytearray()
    for y in range(side):
        for x in range(side):
            points = [
                _depth((x + (i + 0.5) / fine) / side - 0.5, (y + (j + 0.5) / fine) / side - 0.5)
                for i in range(fine)
                for j in range(fine)
            ]
            inside = sum(depth <= 1 / RIM for depth in points) / len(points)
            covered = sum(depth <= 1 for depth in points) / len(points)
            share = inside / covered if covered else 0.0
            color = GOLD if filled else (255, 255, 255)
            data.extend(round(c * share + k * (1 - share)) for c, k in zip(color, INK))
            alpha = covered if filled else covered * (1 - share * (1 - EMPTY))
            data.append(round(255 * alpha))
    return pixbuf(bytes(data), side, side)


def _depth(x: float, y: float) -> float:
    """How far out a point is: 1 on the star's rim, 0 in its middle."""
    turn = (math.atan2(x, -y) / (2 * math.pi) * 5) % 1.0  # from one tip to the next
    angle = abs(turn if turn <= 0.5 else turn - 1.0) * 2 * math.pi / 5  # to the nearest tip
    # The rim is the straight line from the tip to the notch between two tips.
    notch = math.pi / 5
    tip, dent = (OUTER, 0.0), (INNER * math.cos(notch), INNER * math.sin(notch))
    normal = (dent[1] - tip[1], tip[0] - dent[0])
    rim = (tip[0] * normal[0]) / (math.cos(angle) * normal[0] + math.sin(angle) * normal[1])
    return math.hypot(x, y) / rim


def with_star(picture: GdkPixbuf.Pixbuf, filled: bool, factor: int = 1) -> GdkPixbuf.Pixbuf:
    """A copy of a thumbnail with a star in its upper right corner."""
    marked = picture.copy()
    side = min(STAR_PX * factor, picture.get_width(), picture.get_height())
    left = picture.get_width() - side
    star(filled, factor).composite(
        marked, left, 0, side, side, left, 0, 1, 1, GdkPixbuf.InterpType.NEAREST, 255
    )
    return marked
