"""Where pixels that arrive from the engine are put."""

from __future__ import annotations

from typing import Any

from gi.repository import Gimp

from engine.installed import REINSTALL
from language.texts import _
from pixels.hidden import copy_of, hidden_image
from pixels.private_copy import PRECISIONS
from pixels.reading import FORMATS
from pixels.rect import Rect
from pixels.tilewise import Writer
from protocol import EngineError, PictureSpec


class HiddenCanvas:
    """Takes the result into an image without a display, so that an early end leaves no trace."""

    def __init__(self, seen: Rect) -> None:
        self._seen = seen
        self._writer: Any = None
        self.is_cropped = False
        self.image: Any = None

    def begin(self, spec: PictureSpec) -> None:
        """Makes the image; raises `EngineError` if the engine's picture has another size."""
        if (spec.width, spec.height) != (self._seen.width, self._seen.height):
            raise EngineError(
                "protocol",
                _("The painting engine returned {ours} pixels instead of {wanted}.").format(
                    ours=f"{spec.width} × {spec.height}",
                    wanted=f"{self._seen.width} × {self._seen.height}",
                ),
                _(REINSTALL),
            )
        base, precision = Gimp.ImageBaseType.RGB, PRECISIONS[spec.dtype]
        self.image = hidden_image(spec.width, spec.height, base, precision)
        layer = Gimp.Layer.new(
            self.image,
            "result",
            spec.width,
            spec.height,
            Gimp.ImageType.RGBA_IMAGE,
            100.0,
            Gimp.LayerMode.NORMAL,
        )
        self.image.insert_layer(layer, None, 0)
        form, pixel = FORMATS[spec.dtype], spec.row_bytes // spec.width
        self._writer = Writer(layer.get_buffer(), spec.width, spec.height, form, pixel)

    def write(self, y: int, rows: int, data: bytes) -> None:
        """Takes some rows; `work` puts them into the image."""
        self._writer.add(data)

    def work(self) -> bool:
        """Puts a block of pixels into the image, if there is one; False if not."""
        return self._writer.step()

    def finish(self) -> Gimp.Layer:
        """Ends the writing; returns the picture's layer."""
        while self._writer is not None and self._writer.step():
            pass
        self._writer = None
        return self.image.get_layers()[0]

    def crop(self, rect: Rect) -> Gimp.Layer:
        """Ends the writing and cuts the picture to ``rect`` (of the layer); returns its layer."""
        layer = self.finish()
        if not self.is_cropped:
            self.is_cropped = True
            inside = rect.moved(-self._seen.x, -self._seen.y)
            self.image.crop(inside.width, inside.height, inside.x, inside.y)
        return layer

    def copy(self) -> Gimp.Image:
        """The picture as an image of its own, for somebody who keeps it."""
        return copy_of(self.image)

    def discard(self) -> None:
        """Deletes the image, if there is one."""
        self._writer = None
        if self.image is not None:
            self.image.delete()
            self.image = None


class MemoryCanvas:
    """Takes a small result."""

    def __init__(self) -> None:
        self.spec = PictureSpec(1, 1)
        self._data = bytearray()

    def begin(self, spec: PictureSpec) -> None:
        """The result is coming, in this shape."""
        self.spec = spec
        self._data.clear()

    def write(self, y: int, rows: int, data: bytes) -> None:
        """Some rows of it."""
        self._data += data

    def work(self) -> bool:
        """Nothing is left to do after `write`."""
        return False

    def picture(self) -> tuple[bytes, int, int]:
        """RGBA u8 pixels, width and height."""
        return bytes(self._data), self.spec.width, self.spec.height
