"""A spot on its way in: where it lies, and the parts of the picture that are sent at full size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from styleengine.protocol import CHANNELS, EngineError
from styleengine.serving import limits
from styleengine.serving.canvas import Canvas, canvas_of, is_whole

if TYPE_CHECKING:
    from styleengine.jobs import Spot


@dataclass
class ArrivingSpot:
    """The spot of a job, see `jobs.Spot`; each part is a canvas, and its left and top."""

    area: tuple[int, ...]
    whole: tuple[int, ...]
    size: tuple[int, ...]
    parts: list[tuple[Canvas, int, int]]
    ready: bool = False

    @classmethod
    def of(cls, announced: Any) -> ArrivingSpot:
        """What a ``run`` message announces; raises `EngineError`."""
        if not isinstance(announced, dict):
            raise EngineError("protocol", "A spot that is none was announced.")
        entries = announced.get("parts", [])
        if not isinstance(entries, list) or len(entries) > limits.PARTS:
            raise EngineError("protocol", "A spot of more than {n} parts.", n=limits.PARTS)
        canvases = [canvas_of(entry, CHANNELS) for entry in entries]
        pixels = sum(canvas.spec.width * canvas.spec.height for canvas in canvases)
        if pixels > limits.PARTS_PIXELS:
            raise EngineError("protocol", "A spot of more than {n} pixels.", n=limits.PARTS_PIXELS)
        corners = [_numbers([entry.get("left"), entry.get("top")], 2, 0) for entry in entries]
        spot = cls(
            _numbers(announced.get("area"), 4, 0),
            _numbers(announced.get("whole"), 2, 1),
            _numbers(announced.get("size"), 2, 1),
            [(canvas, left, top) for canvas, (left, top) in zip(canvases, corners, strict=True)],
            announced.get("ready") is True,
        )
        if spot.size[0] * spot.size[1] > limits.PARTS_PIXELS:
            raise EngineError("protocol", "A spot of more than {n} pixels.", n=limits.PARTS_PIXELS)
        return spot

    def put(self, header: dict[str, Any], payload: bytes) -> None:
        """Takes in a strip of a part; raises `EngineError`."""
        index = header.get("index")
        if not is_whole(index) or not 0 <= index < len(self.parts):
            raise EngineError("protocol", "There is no part number {n}.", n=repr(index)[:40])
        self.parts[index][0].put(header.get("y"), header.get("rows"), payload)

    @property
    def complete(self) -> bool:
        """Whether all parts are here."""
        return not any(canvas.missing for canvas, _, _ in self.parts)

    def spot(self, name: str) -> Spot:
        """The engine's; its pictures are called ``name``."""
        from styleengine.jobs import Part, Spot

        left, top, width, height = self.area
        parts = tuple(Part(canvas.picture(name), x, y) for canvas, x, y in self.parts)
        return Spot(
            (left, top, width, height),
            (self.whole[0], self.whole[1]),
            (self.size[0], self.size[1]),
            parts[0] if parts else None,
            self.ready,
        )


def _numbers(value: Any, count: int, least: int) -> tuple[int, ...]:
    whole = isinstance(value, list) and len(value) == count and all(is_whole(n) for n in value)
    if not whole or not all(least <= n <= limits.SIDE for n in value):
        raise EngineError("protocol", "A spot without a place in the picture was announced.")
    return tuple(value)
