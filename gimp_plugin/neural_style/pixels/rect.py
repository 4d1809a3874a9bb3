"""A rectangle of pixels."""

from __future__ import annotations

from dataclasses import dataclass

from gi.repository import Gegl


@dataclass(frozen=True)
class Rect:
    """A rectangle in pixels; of a layer unless said otherwise."""

    x: int
    y: int
    width: int
    height: int

    def gegl(self) -> Gegl.Rectangle:
        """The same for GEGL."""
        return Gegl.Rectangle.new(self.x, self.y, self.width, self.height)

    def moved(self, dx: int, dy: int) -> Rect:
        """The rectangle in coordinates whose origin is at (-dx, -dy)."""
        return Rect(self.x + dx, self.y + dy, self.width, self.height)

    def common(self, other: Rect) -> Rect | None:
        """The part that is in ``other``, too; None if there is none."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return (
            Rect(left, top, right - left, bottom - top) if left < right and top < bottom else None
        )

    def grown(self, margin: int, inside: Rect) -> Rect:
        """The rectangle with a margin on each side, as far as there is room in ``inside``."""
        left, top = max(self.x - margin, inside.x), max(self.y - margin, inside.y)
        right = min(self.x + self.width + margin, inside.x + inside.width)
        bottom = min(self.y + self.height + margin, inside.y + inside.height)
        return Rect(left, top, right - left, bottom - top)
