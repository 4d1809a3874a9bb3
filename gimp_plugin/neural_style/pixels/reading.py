"""A drawable read strip by strip, as the user sees it."""

from __future__ import annotations

from collections.abc import Iterator

from gi.repository import Gegl, Gimp

from language.texts import _
from pixels import tilewise
from pixels.private_copy import PrivateCopy
from pixels.rect import Rect
from protocol import SAMPLE_BYTES, EngineError, PictureSpec

FORMATS = {"u8": "R'G'B'A u8", "u16": "R'G'B'A u16", "f32": "R'G'B'A float"}


class Reader:
    """The pixels of part of a layer's private copy: sRGB, straight alpha."""

    def __init__(self, copy: PrivateCopy, rect: Rect, dtype: str) -> None:
        self.spec = PictureSpec(rect.width, rect.height, dtype)
        self._copy, self._rect = copy, rect

    def strips(self) -> Iterator[tilewise.Part]:
        """Consecutive strips, each as its first row, number of rows, and bytes.

        Those without rows only say that reading takes its time.
        """
        rect, dtype = self._rect, self.spec.dtype
        area = rect.x, rect.y, rect.width, rect.height
        pixel = self.spec.channels * SAMPLE_BYTES[dtype]
        buffer, none = self._copy.drawable.get_buffer(), Gegl.AbyssPolicy.NONE
        yield from tilewise.read(buffer, area, 1.0, FORMATS[dtype], pixel, none)


def while_there(drawable: Gimp.Drawable, parts: Iterator[tilewise.Part]) -> Iterator[tilewise.Part]:
    """``parts`` of a drawable of ours; raises `EngineError` ("layer-gone") when it is not there any
    more. GIMP kills a plug-in that touches its pixels then.
    """
    while True:
        if not drawable.is_valid():
            text = _("The layer was deleted while it was being read.")
            raise EngineError("layer-gone", text)
        part = next(parts, None)
        if part is None:
            return
        yield part


def native_form(layer: Gimp.Layer) -> str:
    """The name of the pixel format in which GIMP keeps the layer, apart from its colour space."""
    precision = Gimp.Precision(layer.get_image().get_precision()).value_nick
    kind, curve = precision.split("-", 1)
    names = {"u8": "u8", "u16": "u16", "u32": "u32", "half": "half", "float": "float"}
    mark = {"linear": "", "perceptual": "~"}.get(curve, "'")
    letters = "Y" if layer.is_gray() else "RGB"
    model = "".join(letter + mark for letter in letters) + ("A" if layer.has_alpha() else "")
    return f"{model} {names.get(kind, 'float')}"
