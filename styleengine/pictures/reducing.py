"""Pictures that are larger than they are needed, made smaller before they take much memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from styleengine.pictures.picture import row_strips

MOST_BYTES = 640 << 20
"""Samples, as the decoders keep them, of a picture that is to be made smaller. More are refused."""

_STRIP_ROWS = 256


class TooManyBytes(Exception):
    """The picture takes too much memory before it could be made smaller."""


def factor(width: int, height: int, most: int) -> int:
    """By how much the sides are divided, so that at most ``most`` pixels are left (0: any)."""
    if not most or width * height <= most:
        return 1
    found = max(2, math.isqrt(width * height // most))
    while (width // found) * (height // found) > most:
        found += 1
    return min(found, width, height)


def require_room(image: Image.Image, most: int) -> None:
    """Before the pixels are read: JPEG decodes itself smaller. Raises `TooManyBytes`."""
    width, height = image.size
    by = factor(width, height, most)
    if by == 1:
        return
    cost = 1 if image.mode in ("1", "L", "P") else 4
    if image.format == "JPEG":
        image.draft(image.mode, (width // by, height // by))
        if image.info.get("progressive"):  # libjpeg keeps all coefficients
            cost = 2 * len(image.getbands())
        else:
            width, height = image.size
    require_bytes(width, height, cost)


def require_bytes(width: int, height: int, bytes_per_pixel: int) -> None:
    """Raises `TooManyBytes` if the samples of a picture take too many."""
    if width * height * bytes_per_pixel > MOST_BYTES:
        raise TooManyBytes


def reduced_image(image: Image.Image, mode: str, most: int) -> Image.Image:
    """The loaded image in ``mode`` (L, LA, RGB or RGBA), at no more than ``most`` pixels.

    Converted strip by strip. Colours are averaged as far as they are opaque.
    """
    by = factor(*image.size, most)
    if by == 1:
        return image if image.mode == mode else image.convert(mode)
    width, height = image.width // by, image.height // by
    small = Image.new(mode, (width, height))
    averaged = {"RGBA": "RGBa", "LA": "La"}.get(mode, mode)
    for y in range(0, height, _STRIP_ROWS):
        rows = min(_STRIP_ROWS, height - y)
        strip = image.crop((0, y * by, width * by, (y + rows) * by)).convert(mode)
        if averaged != mode:
            strip = strip.convert(averaged)
        small.paste(strip.reduce(by).convert(mode), (0, y))
    return small


def reduced(
    samples: NDArray[Any], alpha: NDArray[Any] | None, most: int
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Samples (H, W, n) of any type and alpha (H, W), averaged to at most ``most`` pixels."""
    height, width = samples.shape[:2]
    by = factor(width, height, most)
    if by == 1:
        return samples, alpha
    h, w = height // by, width // by
    out = np.empty((h, w, samples.shape[2]), samples.dtype)
    cover = None if alpha is None else np.empty((h, w), alpha.dtype)
    for rows in row_strips(h, w * by * by):
        here = slice(rows.start * by, rows.stop * by), slice(0, w * by)
        strip = _blocks(samples[here], by)
        if alpha is None or cover is None:
            out[rows] = _as(strip.mean((1, 3)), out.dtype)
            continue
        weight = _blocks(alpha[here][..., None], by)
        total = weight.sum((1, 3))
        mean = np.divide(
            (strip * weight).sum((1, 3)), total, where=total > 0, out=strip.mean((1, 3))
        )
        out[rows] = _as(mean, out.dtype)
        cover[rows] = _as(weight.mean((1, 3))[..., 0], cover.dtype)
    return out, cover


def _blocks(strip: NDArray[Any], by: int) -> NDArray[np.float64]:
    rows, columns, channels = strip.shape
    shape = rows // by, by, columns // by, by, channels
    return strip.astype(np.float64).reshape(shape)


def _as(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    return values.astype(dtype) if dtype.kind == "f" else np.rint(values).astype(dtype)
