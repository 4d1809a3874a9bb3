"""What the dialog shows of a layer: all that the engine sees, small; a spot at full size."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from gi.repository import Gegl, Gimp

from pixels import tilewise
from pixels.private_copy import PrivateCopy, copy_of_layer
from pixels.reading import FORMATS, while_there
from pixels.rect import Rect
from protocol import PictureSpec


def small_spec(rect: Rect, long_side: int) -> PictureSpec:
    """The shape of ``rect`` at ``long_side`` pixels; never larger than it is."""
    scale = min(1.0, long_side / max(rect.width, rect.height))
    return PictureSpec(max(1, round(rect.width * scale)), max(1, round(rect.height * scale)))


def small_strips(layer: Gimp.Drawable, rect: Rect, spec: PictureSpec) -> Iterator[tilewise.Part]:
    """The part ``rect`` of the layer's buffer in the shape ``spec``, in strips that take little
    time each (see `tilewise.read`); raises `EngineError` ("layer-gone").
    """
    scale = small_scale(rect, spec)
    area = round(rect.x * scale), round(rect.y * scale), spec.width, spec.height
    clamp = Gegl.AbyssPolicy.CLAMP
    parts = tilewise.read(layer.get_buffer(), area, scale, FORMATS["u8"], 4, clamp)
    yield from while_there(layer, parts)


def small_picture(
    layer: Gimp.Layer, rect: Rect, long_side: int
) -> Generator[None, None, tuple[PictureSpec, bytes]]:
    """The part ``rect`` as RGBA u8 pixels, its long side at most ``long_side``; in small steps."""
    spec, data = small_spec(rect, long_side), bytearray()
    for _y, _rows, part in small_strips(layer, rect, spec):
        data += part
        yield
    return spec, bytes(data)


def small_scale(rect: Rect, spec: PictureSpec) -> float:
    """By how much ``rect`` is reduced to the shape ``spec``."""
    return spec.width / rect.width if rect.width >= rect.height else spec.height / rect.height


def prepare_conversions(form: str, scale: float) -> None:
    """Has everything worked out that reading pixels of this format at this scale needs, which takes
    a second the first time on a computer. Touches no layer, so that a thread may do it.
    """
    for each in dict.fromkeys((form, FORMATS["u8"])):
        sample = Gegl.Buffer.new(each, 0, 0, 512, 512)
        sample.set(sample.get_extent(), FORMATS["u8"], bytes(4 * 512 * 512))
        rect = Gegl.Rectangle.new(0, 0, 256, 128)
        for size in (1.0, 0.7, 0.5, 0.3, 0.1, scale):
            sample.get(rect, size, FORMATS["u8"], Gegl.AbyssPolicy.CLAMP)


class LayerView:
    """Looks at the part of a layer that the engine sees, filters and colour profile included."""

    def __init__(self, layer: Gimp.Layer, rect: Rect) -> None:
        self.rect, self.shown = rect, layer
        self._copy: PrivateCopy | None = None

    def refresh(self) -> None:
        """Sees to it that the layer is seen as it is now. Raises `EngineError` ("layer-gone")."""
        self.close()
        self._copy = copy_of_layer(self.shown)

    @property
    def is_valid(self) -> bool:
        """Whether the layer is still there."""
        return self.shown.is_valid()

    def small(self, long_side: int) -> tuple[PictureSpec, Iterator[tilewise.Part]]:
        """The whole part as `refresh` found it, RGBA u8, its long side at most ``long_side``."""
        assert self._copy is not None
        spec = small_spec(self.rect, long_side)
        return spec, small_strips(self._copy.drawable, self.rect, spec)

    def part(self, area: tuple[int, int, int, int]) -> Iterator[tilewise.Part]:
        """An area (x, y, width, height) of the part at full size, RGBA u8, in strips; raises
        `EngineError` ("layer-gone")."""
        assert self._copy is not None
        x, y, width, height = area
        there = self.rect.x + x, self.rect.y + y, width, height
        buffer = self._copy.drawable.get_buffer()
        clamp = Gegl.AbyssPolicy.CLAMP
        parts = tilewise.read(buffer, there, 1.0, FORMATS["u8"], 4, clamp)
        yield from while_there(self._copy.drawable, parts)

    def spot(self, x: int, y: int, width: int, height: int, scale: float = 1.0) -> bytes:
        """Some pixels of the part, from its corner on and after scaling; empty before `refresh`."""
        if self._copy is None:
            return b""
        left, top = round(self.rect.x * scale), round(self.rect.y * scale)
        return spot(self._copy.drawable, left + x, top + y, width, height, scale)

    def close(self) -> None:
        """Deletes the copy, if there is one."""
        if self._copy is not None:
            self._copy.close()
            self._copy = None


def spot(
    layer: Gimp.Drawable, x: int, y: int, width: int, height: int, scale: float = 1.0
) -> bytes:
    """RGBA u8 pixels of an area of a layer after scaling; transparent outside of it, empty if it
    is gone."""
    if not layer.is_valid():
        return b""
    rect = Gegl.Rectangle.new(x, y, width, height)
    return layer.get_buffer().get(rect, scale, FORMATS["u8"], Gegl.AbyssPolicy.NONE)
