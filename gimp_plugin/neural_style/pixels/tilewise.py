"""Pixels of GIMP's drawables in blocks that follow its tiles: each takes a few milliseconds.

Reading or writing a row of a large picture at once moves a whole row of tiles between GIMP and the
plug-in; meanwhile the dialog stands still.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from typing import Any, TypeVar

from gi.repository import Gegl

from protocol import STRIP_BYTES

TILE = 128  # pixels; the side of GIMP's tiles
BLOCK_BYTES = 512 << 10

Value = TypeVar("Value")
Part = tuple[int, int, bytes]  # first row, number of rows (0: nothing yet, go on), bytes


def finished(steps: Generator[Any, None, Value]) -> Value:
    """What small steps come to, done all at once."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            value: Value = done.value
            return value


def width_of(pixel_bytes: int) -> int:
    """The width of a block of whole tiles, one tile high, in pixels."""
    return max(TILE, BLOCK_BYTES // (TILE * TILE * pixel_bytes) * TILE)


def edges(start: int, size: int, step: float) -> Iterator[tuple[int, int]]:
    """Cuts ``size`` pixels from ``start`` on at the multiples of ``step``: starts and sizes."""
    end, at = start + size, start
    while at < end:
        following = math.ceil(step * (math.floor(at / step + 1e-6) + 1))
        upto = min(end, max(at + 1, following))
        yield at, upto - at
        at = upto


def read(
    buffer: Gegl.Buffer,
    area: tuple[int, int, int, int],
    scale: float,
    form: str,
    pixel_bytes: int,
    policy: Gegl.AbyssPolicy,
) -> Iterator[Part]:
    """The ``area`` (x, y, width, height; after scaling) from top to bottom, rows counted from 0.

    After each block a part is yielded, most of them with no rows. A part holds at most about
    `STRIP_BYTES`.
    """
    left, top, width, height = area
    # GEGL shrinks by half as often as it can, and keeps the results in tiles of their own.
    halvings = max(0, math.floor(-math.log2(scale) + 1e-9))
    tall = TILE * scale * 2**halvings
    wide = tall if halvings else width_of(pixel_bytes)
    row_bytes = width * pixel_bytes
    shrunk: set[tuple[int, int]] = set()
    for y, rows in edges(top, height, tall):
        columns = list(edges(left, width, wide))
        strip: Any = bytearray(row_bytes * rows)
        for x, across in columns:
            if halvings:
                needed = x / scale, y / scale, (x + across) / scale, (y + rows) / scale
                yield from _shrink(buffer, needed, halvings, shrunk)
            found = buffer.get(Gegl.Rectangle.new(x, y, across, rows), scale, form, policy)
            if len(columns) == 1:
                strip = found
            else:
                _put(strip, row_bytes, found, (x - left) * pixel_bytes, across * pixel_bytes)
                yield y - top, 0, b""
        most = max(1, STRIP_BYTES // row_bytes)
        for first in range(0, rows, most):
            count = min(most, rows - first)
            part = bytes(strip[first * row_bytes : (first + count) * row_bytes])
            yield y - top + first, count, part


def _shrink(
    buffer: Gegl.Buffer,
    area: tuple[float, float, float, float],
    halvings: int,
    done: set[tuple[int, int]],
) -> Iterator[Part]:
    """Has the tiles of shrunk pixels made that an area (x, y, right, bottom) needs, one by one.

    Else a read makes several of them at once, because it looks a pixel beyond its area. Each holds
    a square of the picture, which GIMP may even have to work out: that is fetched in blocks.
    """
    extent = buffer.get_extent()
    side, edge = TILE << halvings, 2 << halvings
    first = math.floor((area[0] - edge) / side), math.floor((area[1] - edge) / side)
    last = math.floor((area[2] + edge) / side), math.floor((area[3] + edge) / side)
    for row in range(first[1], last[1] + 1):
        for column in range(first[0], last[0] + 1):
            left, top = max(extent.x, column * side), max(extent.y, row * side)
            right = min(extent.x + extent.width, (column + 1) * side)
            bottom = min(extent.y + extent.height, (row + 1) * side)
            if (column, row) in done or left >= right or top >= bottom:
                continue
            done.add((column, row))
            for y, rows in edges(top, bottom - top, TILE):
                for x, across in edges(left, right - left, 4 * TILE):
                    rect = Gegl.Rectangle.new(x, y, across, rows)
                    buffer.get(rect, 1.0, None, Gegl.AbyssPolicy.CLAMP)
                    yield 0, 0, b""
            middle = ((left + right) // 2) >> halvings, ((top + bottom) // 2) >> halvings
            rect = Gegl.Rectangle.new(*middle, 1, 1)
            buffer.get(rect, 1 / 2**halvings, None, Gegl.AbyssPolicy.CLAMP)
            yield 0, 0, b""


def _put(strip: bytearray, row_bytes: int, block: bytes, at: int, across: int) -> None:
    """Puts a block of rows of ``across`` bytes into a strip, ``at`` bytes from its left."""
    for row in range(len(block) // across):
        start = row * row_bytes + at
        strip[start : start + across] = block[row * across : (row + 1) * across]


class Writer:
    """Writes rows that come from top to bottom into a buffer, a block at each call of `step`."""

    def __init__(
        self, buffer: Gegl.Buffer, width: int, height: int, form: str, pixel_bytes: int
    ) -> None:
        self._buffer, self._form, self._pixel = buffer, form, pixel_bytes
        self._width, self._height = width, height
        self._waiting = bytearray()
        self._row = 0  # of the first that waits
        self._column = 0  # of the next block in the row of tiles at `_row`

    def add(self, data: bytes) -> None:
        """Takes some more rows."""
        self._waiting += data

    def step(self) -> bool:
        """Writes a block, if a whole row of tiles is there; False if not."""
        row_bytes = self._width * self._pixel
        there = len(self._waiting) // row_bytes
        rows = min(TILE - self._row % TILE, self._height - self._row)
        if rows < 1 or there < rows:
            return False
        x = self._column
        across = min(width_of(self._pixel), self._width - x)
        start, length = x * self._pixel, across * self._pixel
        block = b"".join(
            self._waiting[row * row_bytes + start : row * row_bytes + start + length]
            for row in range(rows)
        )
        self._buffer.set(Gegl.Rectangle.new(x, self._row, across, rows), self._form, block)
        self._buffer.flush()  # otherwise the tiles pile up in this process
        self._column += across
        if self._column == self._width:
            del self._waiting[: rows * row_bytes]
            self._row, self._column = self._row + rows, 0
        return True
