"""A picture that arrives in strips, each of which is converted as it comes, or kept as it is."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from styleengine.machine.failures import out_of_memory
from styleengine.pictures.picture import (
    DEPTHS,
    SAMPLE_TYPES,
    Floats,
    Picture,
    from_pixels,
    highest,
    is_opaque,
    to_unit,
)
from styleengine.pictures.reducing import factor
from styleengine.pictures.samples import KEPT, kept
from styleengine.protocol import CHANNELS, EngineError, PictureSpec, Sentence, picture_spec
from styleengine.serving import limits

LARGE = 4_000_000
"""Pixels from which on whole numbers stay such ones, if that is allowed: a quarter or half of the
memory. Of smaller pictures, as previews are, the result is more exact than the numbers it is sent
in, and is gone on from."""


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether a JSON value is a whole number; JSON's true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


class Canvas:
    """A picture on its way in; one of more than ``most`` pixels (0: any) is made smaller.

    ``missing`` rows have yet to come. A mask, of one channel, is kept as the ``rgb`` (H, W) of a
    picture without colours. With ``keep`` a large picture of whole numbers may stay
    `samples.Samples`. Raises `EngineError` ("out-of-memory").
    """

    def __init__(self, spec: PictureSpec, most: int = 0, *, keep: bool = False) -> None:
        self.spec, self.missing = spec, spec.height
        self._by = factor(spec.width, spec.height, most)
        large = self._by == 1 and spec.width * spec.height >= LARGE
        self._keeps = keep and large and SAMPLE_TYPES[spec.dtype] in KEPT
        self.alpha: NDArray[Any] | None = None
        self.rgb = self._space(*(() if spec.channels == 1 else (3,)))
        if self._by > 1:
            self.rgb.fill(0)

    def put(self, y: Any, rows: Any, payload: bytes) -> None:
        """Takes in a strip; raises `EngineError` unless it is the next one, whole."""
        spec = self.spec
        expected = spec.height - self.missing
        fits = is_whole(y) and is_whole(rows) and y == expected and 0 < rows <= self.missing
        if not fits or len(payload) != rows * spec.row_bytes:
            raise EngineError(
                "protocol", "A strip of pixels does not fit: row {y}, {rows} rows.", y=y, rows=rows
            )
        rgb, alpha = self._parts(rows, payload)
        if alpha is not None and self.alpha is None:
            self.alpha = self._space()
            self.alpha.fill(highest(self.alpha.dtype))
            if self._by > 1:  # sums of the rows that are here, which were opaque
                self._clear_alpha(expected)
        if self._by == 1:
            self.rgb[y : y + rows] = rgb
            if alpha is not None and self.alpha is not None:
                self.alpha[y : y + rows] = alpha
        else:
            self._average(y, rgb, alpha)
        self.missing -= rows

    def _parts(self, rows: int, payload: bytes) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Colours and alpha of a strip, as they are kept; None where all of it is opaque."""
        spec = self.spec
        if spec.channels == 1:
            samples = np.frombuffer(payload, SAMPLE_TYPES[spec.dtype])
            return to_unit(samples.reshape(rows, spec.width)), None
        if not self._keeps:
            strip = from_pixels(payload, spec.width, rows, spec.dtype)
            return strip.rgb, strip.alpha
        pixels = np.frombuffer(payload, SAMPLE_TYPES[spec.dtype]).reshape(
            rows, spec.width, CHANNELS
        )
        alpha = pixels[..., 3]
        return pixels[..., :3], None if is_opaque(alpha) else alpha

    def picture(self, name: str) -> Picture:
        """The whole picture."""
        rgb = self.rgb
        if self._by > 1 and self.alpha is not None:  # colours were summed as far as they show
            cover = self.alpha[..., None]
            np.divide(rgb, cover, out=rgb, where=cover > 0)
            np.clip(rgb, 0, 1, out=rgb)
        depth = DEPTHS[self.spec.dtype]
        if self._keeps:
            return Picture(kept(rgb), None if self.alpha is None else kept(self.alpha), depth, name)
        return Picture(rgb, self.alpha, depth, name)

    def _clear_alpha(self, y: int) -> None:
        assert self.alpha is not None
        self.alpha[y // self._by :] = 0
        if y // self._by < len(self.alpha):
            self.alpha[y // self._by] = (y % self._by) / self._by

    def _average(self, y: int, rgb: Floats, alpha: Floats | None) -> None:
        """Adds rows to the means of their blocks, colours weighted by their alpha."""
        by, height = self._by, len(self.rgb)
        width = self.rgb.shape[1]
        places = np.arange(y, y + len(rgb)) // by
        kept = places < height
        if self.alpha is not None:
            alpha = np.ones(rgb.shape[:2], np.float32) if alpha is None else alpha
            rgb = rgb * alpha[..., None]
            columns = alpha[:, : width * by].reshape(len(alpha), width, by).mean(2)
            np.add.at(self.alpha, places[kept], columns[kept] / by)
        blocks = rgb[:, : width * by].reshape(len(rgb), width, by, *rgb.shape[2:]).mean(2)
        np.add.at(self.rgb, places[kept], blocks[kept] / by)

    def _space(self, *channels: int) -> NDArray[Any]:
        height, width = self.spec.height // self._by, self.spec.width // self._by
        dtype = SAMPLE_TYPES[self.spec.dtype] if self._keeps else np.float32
        try:
            return np.empty((height, width, *channels), dtype)
        except (MemoryError, ValueError, OverflowError) as error:
            raise out_of_memory() from error


def canvas_of(announced: Any, channels: int, most: int = 0, *, keep: bool = False) -> Canvas:
    """The canvas for an announced picture; raises `EngineError` for none, or too large a one."""
    spec = picture_spec(announced)
    if spec.channels != channels:
        raise EngineError("protocol", "A picture of {n} channels was announced.", n=spec.channels)
    if spec.width * spec.height > limits.CONTENT_PIXELS or spec.row_bytes > limits.STRIP_BYTES:
        raise EngineError(
            "picture-too-large",
            "{picture} has more than {n} million pixels.",
            "Scale it down first.",
            picture=Sentence("The picture"),
            n=limits.CONTENT_PIXELS // 1_000_000,
        )
    return Canvas(spec, most, keep=keep)
