"""TIFF files, with all the samples they have (tifffile).

tifffile is imported only where such a file turns up: it takes 0.1 s, which every start would pay.
"""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from styleengine.pictures.about import (
    CENTIMETRE,
    KEPT,
    ORIENTATION,
    RESOLUTION_UNIT,
    X_RESOLUTION,
    XMP,
    Y_RESOLUTION,
    Metadata,
    encoded,
    metadata,
)
from styleengine.pictures.decoded import Raw, depth_of
from styleengine.pictures.reducing import factor, reduced, require_bytes

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""What TIFF and BigTIFF files begin with."""

_ICC, _SUBFILE = 34675, 255
_REDUCED, _MASK = 1, 4
"""Bits of NewSubfileType (TIFF 6.0, tag 254)."""
_UNSPECIFIED, _PREMULTIPLIED, _STRAIGHT = 0, 1, 2
_SHORT_SHOWS = (5, 8, 32773, 32946, 34925, 50000)
"""Compressions (LZW, deflate …) whose decoders notice that data is missing."""
_PAGES = 64
"""Pages that are looked at in search of one that is not a thumbnail."""


class TooManyPixels(Exception):
    """The picture is larger than the caller allows."""


class CameraData(Exception):
    """The picture is what a camera's sensor saw, and has yet to be developed."""


def read_tiff(data: bytes, max_pixels: int, most: int = 0) -> Raw | bytes:
    """The picture of a TIFF file at its own depth; or the file for Pillow, with that page first.

    That is for the kinds where Pillow knows better: palettes, YCbCr, Lab, bilevel fax. The picture
    is the first page that is not a thumbnail or a mask (NewSubfileType), which may lie in another's
    SubIFDs, as in DNG. It is made smaller to have at most ``most`` pixels (0: as many as it has).
    Raises `TooManyPixels`, `CameraData`, `TooManyBytes`, and whatever tifffile raises for a damaged
    file.
    """
    import tifffile

    if data[8:10] == b"CR":  # Canon's CR2 puts a developed picture first, and calls it nothing
        raise CameraData
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page = _full_page(tiff)
        if page.photometric in (tifffile.PHOTOMETRIC.CFA, tifffile.PHOTOMETRIC.LINEAR_RAW):
            raise CameraData
        if page.imagewidth * page.imagelength > max_pixels:
            raise TooManyPixels
        found = _page(page, data, most)
        if found is None and page is not tiff.pages.first:
            return _beginning_with(page.offset, data)
        return data if found is None else found


def _full_page(tiff: Any) -> Any:
    first = tiff.pages.first
    if not _is_extra(first):
        return first
    pages = list(itertools.islice(_all_pages(tiff), _PAGES))
    full = (page for page in pages if not _is_extra(page))
    return next(full, max(pages, key=lambda page: page.imagewidth * page.imagelength))


def _all_pages(tiff: Any) -> Iterator[Any]:
    for page in tiff.pages:
        yield page
        yield from page.pages or ()


def _is_extra(page: Any) -> bool:
    """Whether a page is a smaller version of another one, or a mask."""
    old = page.tags.valueof(_SUBFILE, default=0)  # 2: reduced, in files from before TIFF 5
    return bool(page.subfiletype & (_REDUCED | _MASK)) or old == 2


def _beginning_with(offset: int, data: bytes) -> bytes:
    """The file with another page as its first one."""
    order = "<" if data[:2] == b"II" else ">"
    at, form = (4, "I") if data[2:4] in (b"*\0", b"\0*") else (8, "Q")
    place = struct.pack(order + form, offset)
    return data[:at] + place + data[at + len(place) :]


def _page(page: Any, data: bytes, most: int) -> Raw | None:
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
    if page.dtype.kind == "f" and page.bitspersample != 8 * page.dtype.itemsize:
        return None  # of 24 bits, of which there are several kinds
    space, colors = spaces[page.photometric]
    if page.samplesperpixel < colors or page.samplesperpixel > colors + 8:
        return None
    page.databytecounts = _byte_counts(page, len(data))
    if page.imagewidth * page.imagelength < 1:
        raise ValueError("a picture without pixels")
    if factor(page.imagewidth, page.imagelength, most) > 1:
        size = page.samplesperpixel * page.dtype.itemsize
        require_bytes(page.imagewidth, page.imagelength, size)
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
    samples, alpha = reduced(samples, alpha, most)
    return Raw(samples, space, alpha, _bytes(page, _ICC), _metadata(page, data), depth)


def _byte_counts(page: Any, size: int) -> tuple[int, ...]:
    """How many bytes each strip or tile really has, whatever StripByteCounts says.

    As libtiff does: what is not compressed has the bytes that its pixels need; what is, ends with
    the file. Raises `EOFError` for data that lies beyond the end of the file.
    """
    counts = list(page.databytecounts)
    if page.compression == 1:
        counts = [0 if o == 0 else n for o, n in zip(page.dataoffsets, _plain(page), strict=False)]
    elif page.compression in _SHORT_SHOWS:
        room = [max(0, size - o) for o in page.dataoffsets]
        counts = [min(n or r, r) for n, r in zip(counts, room, strict=False)]
    ends = [o + n for o, n in zip(page.dataoffsets, counts, strict=True)]
    if not ends or max(ends) > size:
        raise EOFError("the file ends inside the picture")
    return tuple(counts)


def _plain(page: Any) -> Iterator[int]:
    """Bytes of each uncompressed strip or tile."""
    chunky = page.planarconfig == 1
    bits = page.bitspersample * (page.samplesperpixel if chunky else 1)
    if page.is_tiled:
        yield from itertools.repeat(-(-page.tilewidth * bits // 8) * page.tilelength)
        return
    rows = min(page.rowsperstrip or page.imagelength, page.imagelength)
    for _ in range(1 if chunky else page.samplesperpixel):
        for y in range(0, page.imagelength, rows):
            yield min(rows, page.imagelength - y) * -(-page.imagewidth * bits // 8)


def _metadata_of(page: Any) -> Metadata:
    """What the page says, but for the camera's directory and the place's."""
    made = Image.Exif()
    for tag in (*KEPT, ORIENTATION):
        value = page.tags.valueof(tag)
        if isinstance(value, int | str | bytes):
            made[tag] = int(value) if isinstance(value, int) else value
    unit = page.tags.valueof(RESOLUTION_UNIT, default=2)
    dpi: list[float] = []
    for tag in (X_RESOLUTION, Y_RESOLUTION):
        value = page.tags.valueof(tag)
        if unit != 1 and isinstance(value, tuple) and len(value) == 2 and value[1]:
            dpi.append(value[0] / value[1] * (2.54 if unit == CENTIMETRE else 1))
    return metadata(encoded(made), _bytes(page, XMP), dpi)


def _bytes(page: Any, code: int) -> bytes:
    value = page.tags.valueof(code)
    return value if isinstance(value, bytes) else b""


def _metadata(page: Any, data: bytes) -> Metadata:
    """What the page's own directory says; EXIF is a part of it."""
    if data[2:4] in (b"+\0", b"\0+"):  # BigTIFF, whose directories Pillow does not know as EXIF
        return _metadata_of(page)
    first = page.parent.pages.first.offset
    whole = data if page.offset == first else _beginning_with(page.offset, data)
    return metadata(whole, _bytes(page, XMP))


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
