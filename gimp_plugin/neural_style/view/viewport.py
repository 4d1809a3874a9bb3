"""Which part of a picture is seen, and where: zoom, place, and points. Knows no GTK.

All lengths in a widget are device pixels, of which a dense screen has several for each of GTK's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

ZOOMS = (0.25, 1 / 3, 0.5, 2 / 3, 1.0, 1.5, 2.0, 3.0, 4.0)
MOST_FITTED = 4.0
"""How much a small picture is magnified at most to fill the widget."""
CLOSE = 1.01
"""Zooms whose ratio is no more than this are the same."""
TINY = 1e-6

Point = tuple[float, float]
Area = tuple[int, int, int, int]  # x, y, width, height


@dataclass(frozen=True)
class Viewport:
    """A picture of ``size`` pixels in a widget with so much ``room`` (width, height).

    ``zoom`` is device pixels for a pixel of the picture, None for all of it to fit in; ``center``
    (0–1 each) the point of the picture that is in the middle, as far as its edges let it.
    """

    size: tuple[int, int] = (1, 1)
    room: tuple[int, int] = (1, 1)
    zoom: float | None = None
    center: Point = (0.5, 0.5)

    @property
    def scale(self) -> float:
        """Device pixels for a pixel of the picture."""
        if self.zoom is not None:
            return self.zoom
        return min(self.room[0] / self.size[0], self.room[1] / self.size[1], MOST_FITTED)

    @property
    def corner(self) -> tuple[int, int]:
        """Where the picture's corner is in the widget; negative if it is not seen."""
        found = []
        for room, side, center in zip(self.room, self.size, self.center):
            shown = side * self.scale
            at = (room - shown) / 2
            if shown > room:
                at = min(0.0, max(room - shown, room / 2 - center * shown))
            found.append(round(at))
        return found[0], found[1]

    @property
    def window(self) -> Area:
        """The part of the widget that the picture covers."""
        found = []
        for room, side, corner in zip(self.room, self.size, self.corner):
            start = max(0, corner)
            shown = max(1, round(side * self.scale))
            found.append((start, min(room - start, shown + min(0, corner))))
        (x, w), (y, h) = found
        return x, y, w, h

    @property
    def seen(self) -> Area:
        """The part of the picture that is seen, in its pixels."""
        found = []
        for start, length, side, corner in zip(
            self.window[:2], self.window[2:], self.size, self.corner
        ):
            first = min(side - 1, max(0, math.floor((start - corner) / self.scale + TINY)))
            last = min(side, math.ceil((start + length - corner) / self.scale - TINY))
            found.append((first, max(1, last - first)))
        (x, w), (y, h) = found
        return x, y, w, h

    def point(self, x: float, y: float) -> Point:
        """The point of the picture under a point of the widget, 0–1 each."""
        left, top = self.corner
        across, down = self.size[0] * self.scale, self.size[1] * self.scale
        return _within((x - left) / across), _within((y - top) / down)

    def zoomed(self, zoom: float | None, at: Point | None = None) -> Viewport:
        """At another zoom; what is at the point ``at`` of the widget stays there, as far as the
        edges let it."""
        if zoom is None or at is None:
            return replace(self, zoom=zoom)
        point = self.point(*at)
        center = tuple(
            _within(p + (room / 2 - where) / (side * zoom))
            for p, room, where, side in zip(point, self.room, at, self.size)
        )
        return replace(self, zoom=zoom, center=(center[0], center[1]))

    def stepped(self, closer: bool) -> float | None:
        """The next zoom of `ZOOMS`; None, all of it, below the smallest that shows less."""
        now = self.scale
        whole = replace(self, zoom=None).scale
        if closer:
            return next((zoom for zoom in ZOOMS if zoom > now * CLOSE), self.zoom)
        smaller = next((zoom for zoom in reversed(ZOOMS) if zoom < now / CLOSE), None)
        return smaller if smaller is not None and smaller > whole * CLOSE else None

    def moved(self, dx: float, dy: float) -> Viewport:
        """With the picture moved by so many device pixels."""
        scale, (x, y) = self.scale, self._middle()
        width, height = self.size
        center = _within(x - dx / (width * scale)), _within(y - dy / (height * scale))
        return replace(self, center=center)

    def _middle(self) -> Point:
        """The point that is in the middle of the widget."""
        return self.point(self.room[0] / 2, self.room[1] / 2)


def _within(value: float) -> float:
    return min(1.0, max(0.0, value))
