"""TIFF files, with all the samples they have (tifffile).

tifffile is imported only where such a file turns up: it takes 0.1 s, which every start would pay.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from styleengine.pictures.decoded import Raw, depth_of

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""What TIFF and BigTIFF files begin with."""

_ICC, _ORIENTATION = 34675, 274
_UNSPECIFIED, _PREMULTIPLIED, _STRAIGHT = 0, 1, 2


class TooManyPixels(Exception):
    """The picture is larger than the caller allows."""


def read_tiff(data: bytes, max_pixels: int) -> Raw | None:
    """The first picture of a TIFF file at its own depth; None leaves the file to Pillow.

    That is for the kinds where Pillow knows better: palettes, YCbCr, Lab, bilevel fax. Raises
    `TooManyPixels`, and whatever tifffile raises for a damaged file.
    """
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page: Any = tiff.pages.first
        if page.imagewidth * page.imagelength > max_pixels:
            raise TooManyPixels
        return _page(page, data)


def _page(page: Any, data: bytes) -> Raw | None:
    from tifffile import PHOTOMETRIC as photometric
    from tifffile import PLANARCONFIG

    spaces = {
        photometric.MINISBLACK: ("gray", 1),
        photometric.MINISWHITE: ("gray", 1),
        photometric.RGB: ("rgb", 3),
        photometric.SEPARATED: ("cmyk", 4),
    }
    if page.photometric not in spaces or page.dtype is None or page.dtype.kind not in "uf":
        return None
    space, colors = spaces[page.photometric]
    if page.samplesperpixel < colors or page.samplesperpixel > colors + 8:
        return None
    ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if not ends or max(ends) > len(data):
        raise EOFError("the file ends inside the picture")
    if page.imagewidth * page.imagelength < 1:
        raise ValueError("a picture without pixels")
    pixels = page.asarray()
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    if page.planarconfig == PLANARCONFIG.SEPARATE and page.samplesperpixel > 1:
        pixels = np.moveaxis(pixels.reshape(shape[2], *shape[:2]), 0, -1)
    pixels = _full_range(pixels.reshape(shape), page.bitspersample)
    samples = pixels[..., :colors]
    if page.photometric == photometric.MINISWHITE:
        samples = (1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max) - samples
    depth = depth_of(samples)
    alpha, kind = _alpha(pixels[..., colors:], [int(e) for e in page.extrasamples])
    if alpha is not None and kind == _PREMULTIPLIED:
        samples = _straight(samples, alpha)
    tags = {code: page.tags[code].value for code in (_ICC, _ORIENTATION) if code in page.tags}
    profile, orientation = tags.get(_ICC, b""), int(tags.get(_ORIENTATION, 1))
    if not isinstance(profile, bytes):
        profile = b""
    return Raw(samples, space, alpha, profile, orientation, depth)


def _alpha(extra: NDArray[Any], kinds: list[int]) -> tuple[NDArray[Any] | None, int]:
    """The alpha channel among the extra samples, and its kind.

    A single extra sample of no stated kind is taken as straight alpha, as GIMP does, unless that
    would leave nothing to see.
    """
    for at, kind in enumerate(kinds):
        if kind in (_PREMULTIPLIED, _STRAIGHT):
            return extra[..., at], kind
    if extra.shape[2] == 1 and extra.any():
        return extra[..., 0], _STRAIGHT
    return None, _UNSPECIFIED


def _full_range(pixels: NDArray[Any], bits: int) -> NDArray[Any]:
    """Samples of 1, 2, 4, 10, 12 … bits stretched to the whole range of their integer type."""
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind == "u" and bits != pixels.dtype.itemsize * 8:
        top = np.iinfo(pixels.dtype).max
        stretched: NDArray[Any] = np.rint(pixels * (float(top) / (2**bits - 1)))
        return stretched.astype(pixels.dtype)
    return pixels


def _straight(samples: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Divides premultiplied samples by their alpha."""
    top = 1.0 if samples.dtype.kind == "f" else float(np.iinfo(samples.dtype).max)
    a = alpha[..., None].astype(np.float32) / top
    straight: NDArray[Any] = np.zeros(samples.shape, np.float32)
    np.divide(samples, a * top, out=straight, where=a > 0)
    return straight.clip(0, 1)
