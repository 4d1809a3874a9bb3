"""The selection, copied when a run starts: users go on selecting while the engine paints."""

from __future__ import annotations

from collections.abc import Iterator

from gi.repository import Gegl, Gimp

from pixels import tilewise
from pixels.private_copy import copy_of_channel

Area = tuple[int, int, int, int]  # x, y, width, height
NONE = Gegl.AbyssPolicy.NONE


class Selection:
    """The values of an image's selection in ``area`` (of the image), which becomes 0, 0.

    It is that of the moment when this is made; `copy`, in small steps, makes it readable.
    """

    def __init__(self, image: Gimp.Image, area: Area) -> None:
        exact = image.get_precision() == Gimp.Precision.U8_NON_LINEAR
        self._area, self._private = area, copy_of_channel(image.get_selection())
        self._buffer = Gegl.Buffer.new("Y u8" if exact else "Y float", 0, 0, area[2], area[3])

    def copy(self) -> Iterator[None]:
        """Copies it, a block at each step."""
        source = self._private.drawable.get_buffer()
        left, top, _, _ = self._area
        for block in _blocks(self._area):
            x, y, width, height = block
            _copy(source, block, self._buffer, (x - left, y - top, width, height))
            yield
        self.close()

    def close(self) -> None:
        """Ends the copying."""
        self._private.close()

    def put_into(self, mask: Gimp.LayerMask) -> Iterator[None]:
        """Makes it the values of a mask of the same size, a block at each step."""
        target = mask.get_buffer()
        for block in _blocks((0, 0, *self._area[2:])):
            if not mask.is_valid():
                return
            _copy(self._buffer, block, target, block)
            target.flush()
            yield

    def small(self, area: Area, scale: float) -> Iterator[tilewise.Part]:
        """Its values in ``area`` (after scaling), u8; 0 outside of its own."""
        yield from tilewise.read(self._buffer, area, scale, "Y u8", 1, NONE)

    def spot(self, x: int, y: int, width: int, height: int, scale: float = 1.0) -> bytes:
        """Some of its values after scaling, u8; 0 outside of the area."""
        return self._buffer.get(Gegl.Rectangle.new(x, y, width, height), scale, "Y u8", NONE)


def selected(image: Gimp.Image, area: Area, scale: float) -> Iterator[tilewise.Part]:
    """The values of the selection as it is now, u8; ``area`` of the image, after scaling."""
    copy = copy_of_channel(image.get_selection())
    try:
        yield from tilewise.read(copy.drawable.get_buffer(), area, scale, "Y u8", 1, NONE)
    finally:
        copy.close()


def _blocks(area: Area) -> Iterator[Area]:
    left, top, width, height = area
    for y, rows in tilewise.edges(top, height, tilewise.TILE):
        for x, across in tilewise.edges(left, width, tilewise.width_of(4)):
            yield x, y, across, rows


def _copy(source: Gegl.Buffer, area: Area, target: Gegl.Buffer, to: Area) -> None:
    source.copy(Gegl.Rectangle.new(*area), NONE, target, Gegl.Rectangle.new(*to))
