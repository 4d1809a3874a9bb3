"""A picture in memory, and its way in and out of the protocol's pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from styleengine.pictures.about import About
from styleengine.protocol import CHANNELS, SAMPLE_BYTES, EngineError, Sentence

Floats = NDArray[np.float32]

LUMA = (0.299, 0.587, 0.114)
"""Weights of R', G', B' in the luma Y' of ITU-R BT.601."""
MIN_SIDE = 8
"""Shortest side, in pixels, that the network can say anything about."""

STRIP_PIXELS = 1 << 20
"""Conversions work on strips of about this many pixels, so that no temporary is as big as the
picture."""

SAMPLE_TYPES: dict[str, np.dtype[Any]] = {
    "u8": np.dtype("u1"),
    "u16": np.dtype("<u2"),
    "f32": np.dtype("<f4"),
}
DEPTHS = {"u8": 8, "u16": 16, "f32": 32}
"""`Picture.depth` by the protocol's sample type."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels in sRGB.

    ``rgb`` is float32 (H, W, 3), sRGB-encoded, 0–1. ``alpha`` is float32 (H, W), 0–1, straight (not
    multiplied into ``rgb``); None means opaque. ``depth`` is the bits per sample of the source: 8,
    16 or 32 (float). ``name`` is the stem of the file's name, for messages and layer names;
    ``about`` what its file says of it besides. Both arrays may be `samples.Samples`, which stay in
    the whole numbers of a file, where that was asked for.
    """

    rgb: Floats
    alpha: Floats | None = None
    depth: int = 8
    name: str = ""
    about: About = field(default_factory=About)

    @property
    def width(self) -> int:
        """Pixels per row."""
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        """Number of rows."""
        return int(self.rgb.shape[0])


def as_mask(picture: Picture) -> Floats:
    """How white and opaque a picture is, (H, W): the luma (ITU-R BT.601) times the alpha."""
    mask = picture.rgb @ np.array(LUMA, np.float32)
    return mask if picture.alpha is None else mask * picture.alpha


def row_strips(height: int, width: int) -> Iterator[slice]:
    """Slices of consecutive rows that cover a picture, each of about a million pixels."""
    rows = max(1, STRIP_PIXELS // max(1, width))
    for y in range(0, height, rows):
        yield slice(y, min(y + rows, height))


def to_unit(samples: NDArray[Any]) -> Floats:
    """Samples of any real type as float32 0–1; integers are divided by the maximum of their type.

    Float samples are clipped; NaN becomes 0. The result is contiguous and does not share memory
    with ``samples``.
    """
    out = np.empty(samples.shape, np.float32)
    if samples.dtype == np.bool_:
        np.copyto(out, samples)
    elif samples.dtype.kind == "f":
        np.copyto(out, samples, casting="same_kind")
        np.nan_to_num(out, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
        np.clip(out, 0.0, 1.0, out=out)
    elif samples.dtype.kind == "u":
        highest = np.iinfo(samples.dtype).max
        # float32 holds 24 bits: exact up to 16-bit samples; wider ones are divided in double.
        wide = np.float32 if samples.dtype.itemsize <= 2 else np.float64
        for rows in row_strips(samples.shape[0], samples[0].size):
            out[rows] = np.divide(samples[rows], wide(highest), dtype=wide)
    else:
        raise TypeError(f"samples of type {samples.dtype} have no defined range")
    return out


def from_pixels(data: Any, width: int, height: int, dtype: str) -> Picture:
    """A `Picture` from the protocol's pixels: RGBA, sRGB-encoded, straight alpha, interleaved.

    ``data`` is bytes-like or an array of width × height × 4 samples of type ``dtype`` ("u8", "u16"
    or "f32", little-endian). Float samples are clipped to 0–1. Raises `EngineError` ("protocol")
    when the amount of data is not that of the picture.
    """
    expected = width * height * CHANNELS * SAMPLE_BYTES[dtype]
    raw = np.ascontiguousarray(data) if isinstance(data, np.ndarray) else memoryview(data)
    if raw.nbytes != expected or expected <= 0:
        raise EngineError(
            "protocol",
            "{n} bytes of pixels arrived for a {size} picture of {expected}.",
            n=raw.nbytes,
            size=f"{width}×{height}",
            expected=expected,
        )
    pixels = np.frombuffer(raw, SAMPLE_TYPES[dtype]).reshape(height, width, CHANNELS)
    return Picture(to_unit(pixels[..., :3]), alpha_of(pixels[..., 3]), DEPTHS[dtype])


def alpha_of(samples: NDArray[Any]) -> Floats | None:
    """The alpha channel as float32 0–1, or None when every pixel is opaque."""
    return None if is_opaque(samples) else to_unit(samples)


def is_opaque(samples: NDArray[Any]) -> bool:
    """Whether every sample of an alpha channel stands for 1."""
    return bool(samples.min() >= highest(samples.dtype))


def to_pixels(picture: Picture, dtype: str) -> NDArray[Any]:
    """The picture as an (H, W, 4) array of the protocol's sample type, rounded and clipped."""
    pixels: NDArray[Any] = np.empty((picture.height, picture.width, CHANNELS), SAMPLE_TYPES[dtype])
    for rows in row_strips(picture.height, picture.width):
        quantize(picture.rgb[rows], pixels[rows, :, :3])
        if picture.alpha is None:
            pixels[rows, :, 3] = highest(pixels.dtype)
        else:
            quantize(picture.alpha[rows], pixels[rows, :, 3])
    return pixels


def highest(dtype: np.dtype[Any]) -> float:
    """The sample value that stands for 1: 255, 65535 or 1.0, or True."""
    return 1.0 if dtype.kind in "fb" else float(np.iinfo(dtype).max)


def quantize(unit: Floats, out: NDArray[Any]) -> None:
    """Writes 0–1 values into ``out`` in its own sample type, clipped and rounded to nearest."""
    scaled = np.nan_to_num(unit, nan=0.0)
    np.clip(scaled, 0.0, 1.0, out=scaled)
    if out.dtype.kind == "f":
        out[...] = scaled
    else:
        np.multiply(scaled, highest(out.dtype), out=scaled)
        np.rint(scaled, out=scaled)
        out[...] = scaled


def require_usable(picture: Picture, role: str) -> None:
    """Raises `EngineError` when there is nothing in the picture to paint or to learn from.

    ``role`` is "content" (called the photo in messages) or "style". Codes: "bad-picture" when it
    is not what `Picture` says, "picture-too-small" below `MIN_SIDE` pixels a side, "picture-empty"
    when every pixel is fully transparent.
    """
    about = called(picture.name, role)
    if not _well_made(picture):
        raise EngineError(
            "bad-picture",
            "{picture} is not made of float32 samples from 0 to 1, three for every pixel.",
            "Divide samples of 8 bits by 255.",
            picture=about,
        )
    if min(picture.width, picture.height) < MIN_SIDE:
        raise EngineError(
            "picture-too-small",
            "{picture} is only {size} pixels.",
            "Choose a picture of at least {least} pixels.",
            picture=about,
            size=f"{picture.width}×{picture.height}",
            least=f"{MIN_SIDE}×{MIN_SIDE}",
        )
    if picture.alpha is not None and not picture.alpha.any():
        raise EngineError(
            "picture-empty",
            "{picture} is completely transparent.",
            "Choose a picture, or a layer, with something on it.",
            picture=about,
        )


def _well_made(picture: Picture) -> bool:
    """Whether the arrays have shapes and values as `Picture` says, or a little beyond 0 to 1, as
    sharpening leaves them."""
    rgb, alpha = picture.rgb, picture.alpha
    if rgb.dtype != np.float32 or rgb.ndim != 3 or rgb.shape[2] != 3:
        return False
    if alpha is not None and (alpha.dtype != np.float32 or alpha.shape != rgb.shape[:2]):
        return False
    planes = [rgb] if alpha is None else [rgb, alpha]
    strips = (a[rows] for a in planes for rows in row_strips(picture.height, picture.width))
    return all(s.min() >= -1 and s.max() <= 2 for s in strips if s.size)  # false for NaN, too


def called(name: str, role: str) -> Sentence:
    """What messages call a picture; ``role`` is "content" or "style"."""
    if role == "content":
        return Sentence.of("The photo “{name}”", name=name) if name else Sentence("The photo")
    return Sentence.of("The style “{name}”", name=name) if name else Sentence("The style")


def fit(width: int, height: int, long_side: float) -> tuple[int, int]:
    """(height, width) of the picture scaled to ``long_side``, at least one pixel each."""
    scale = long_side / max(width, height)
    return max(1, round(height * scale)), max(1, round(width * scale))
