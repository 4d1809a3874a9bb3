"""From the bytes of a picture file to a `Picture`, whatever the format."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from styleengine.icc import to_srgb
from styleengine.picture import Picture, alpha_of
from styleengine.protocol import EngineError

MAX_PIXELS = 300_000_000
"""Pictures above this size are refused before they are decoded."""

FORMATS = (
    *("JPEG", "MPO", "PNG", "WEBP", "TIFF", "GIF", "BMP", "DIB", "PSD", "AVIF", "JPEG2000"),
    *("ICO", "TGA", "PPM", "PCX", "SGI", "DDS", "QOI"),
)
"""Pillow's readers that we let near a user's file. EPS is not among them: it starts Ghostscript."""

SUFFIXES = frozenset(
    [
        *(".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".psd"),
        *(".avif", ".jp2", ".ico", ".tga", ".ppm", ".pgm", ".pcx", ".sgi", ".dds", ".qoi"),
        *(".heic", ".heif", ".jxl", ".xcf"),
    ]
)

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION = 0x0112
_PILLOW_LOCK = threading.Lock()


@dataclass(frozen=True)
class Raw:
    """What a reader finds in a file, before colour management and orientation.

    ``samples`` is (H, W, n) with n = 1, 3, 4 for ``space`` "gray", "rgb", "cmyk"; ``alpha`` (H, W)
    is straight. Unsigned integers or floats. ``orientation`` is EXIF's, 1–8. ``depth`` is the
    bits per sample in the file where that is not the depth of ``samples``.
    """

    samples: NDArray[Any]
    space: str
    alpha: NDArray[Any] | None = None
    profile: bytes = b""
    orientation: int = 1
    depth: int = 0


def decode(data: bytes, name: str = "") -> Picture:
    """The picture in the bytes of a file, upright and in sRGB at its own precision.

    ``name`` is the file's name (or its stem), for messages. Animations and multi-page files give
    their first picture. Raises `EngineError` with code "bad-picture" (empty, damaged, not a
    picture, a format that cannot be read) or "picture-too-large".
    """
    if not data:
        raise bad(name, "is empty", "Choose another file.")
    try:
        return _upright(_read(data, name), name)
    except MemoryError as error:
        raise EngineError(
            "out-of-memory",
            f"{called(name)} does not fit into this computer's memory.",
            "Close other programs, or use a smaller picture.",
        ) from error


def called(name: str) -> str:
    """How messages name a picture file."""
    return f"“{name}”" if name else "The picture"


def bad(name: str, what: str, hint: str) -> EngineError:
    """The `EngineError` for a picture that cannot be read."""
    return EngineError("bad-picture", f"{called(name)} {what}.", hint)


def check_size(width: int, height: int, name: str) -> None:
    """Refuses pictures above `MAX_PIXELS` ("picture-too-large") and those without pixels."""
    if width * height > MAX_PIXELS:
        raise EngineError(
            "picture-too-large",
            f"{called(name)} has {width}×{height} pixels; "
            f"at most {MAX_PIXELS // 1_000_000} million are read.",
            "Scale it down first.",
        )
    if width < 1 or height < 1:
        raise bad(name, "has no pixels", "Choose another file.")


def _read(data: bytes, name: str) -> Raw:
    damaged = bad(name, "is damaged or incomplete", "Copy or download it again, or export it anew.")
    try:
        if data[:4] in _TIFF:
            raw = _read_tiff(data, name)
            if raw is not None:
                return raw
        with _open(data, name) as image:
            check_size(image.width, image.height, name)
            if data[:8] == _PNG and data[24:25] == b"\x10":
                return _read_png16(data, image)
            return _read_pillow(image)
    except (EngineError, MemoryError):
        raise
    except Exception as error:
        # The decoders answer damaged files with exceptions of every kind (struct.error, KeyError,
        # zlib.error, their own …); nothing but their calls is inside this block.
        raise damaged from error


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(f for f in FORMATS if f in Image.OPEN)


@contextlib.contextmanager
def _open(data: bytes, name: str) -> Iterator[Image.Image]:
    """Pillow's view of the file, nothing decoded; its own limit on pixels gives way to ours."""
    with _PILLOW_LOCK:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            try:
                image = Image.open(io.BytesIO(data), formats=_formats())
            except UnidentifiedImageError:
                raise _unknown(data, name) from None
            with image:
                yield image
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _unknown(data: bytes, name: str) -> EngineError:
    hint = "Open it in GIMP and export it as PNG or JPEG."
    if data[:9] == b"gimp xcf ":
        return bad(name, "is a GIMP project, not a picture file", hint)
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypheim", b"ftyphevc"):
        return bad(name, "is a HEIC picture, which cannot be read", hint)
    if data[:2] == b"\xff\x0a" or data[4:8] == b"JXL ":
        return bad(name, "is a JPEG XL picture, which cannot be read", hint)
    return bad(name, "is not a picture", "Choose a JPEG, PNG, WebP or TIFF file.")


def _read_pillow(image: Image.Image) -> Raw:
    profile = image.info.get("icc_profile") or b""
    # Asked before loading: Pillow turns some formats upright while it loads them, and then says so.
    image.load()
    orientation = int(image.getexif().get(_ORIENTATION, 1))
    mode = image.mode
    if mode in ("F", "I", "I;16", "I;16L", "I;16B", "I;16N"):
        samples = np.asarray(image)
        if mode != "F":
            samples = np.clip(samples, 0, 65535).astype(np.uint16)
        return Raw(samples[..., None], "gray", None, profile, orientation)
    if mode == "CMYK":
        return Raw(np.asarray(image), "cmyk", None, profile, orientation)
    gray = mode in ("1", "L", "LA", "La")
    clear = "transparency" in image.info or mode in ("LA", "La", "PA", "RGBA", "RGBa")
    wanted = ("LA" if clear else "L") if gray else ("RGBA" if clear else "RGB")
    pixels = np.asarray(image if mode == wanted else image.convert(wanted))
    alpha = pixels[..., -1] if clear else None
    samples = pixels.reshape(*pixels.shape[:2], -1)[..., : 1 if gray else 3]
    return Raw(samples, "gray" if gray else "rgb", alpha, profile, orientation)


def _read_png16(data: bytes, image: Image.Image) -> Raw:
    """16 bits per sample, which Pillow would cut to 8; libpng has expanded any tRNS chunk."""
    profile = image.info.get("icc_profile") or b""
    pixels = imagecodecs.png_decode(data)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    channels = pixels.shape[2]
    alpha = pixels[..., -1] if channels in (2, 4) else None
    # Looking for EXIF makes Pillow decode the whole picture; most files have none.
    orientation = int(image.getexif().get(_ORIENTATION, 1)) if b"eXIf" in data else 1
    colors = 1 if channels < 3 else 3
    space = "gray" if colors == 1 else "rgb"
    return Raw(pixels[..., :colors], space, alpha, profile, orientation)


def _read_tiff(data: bytes, name: str) -> Raw | None:
    """TIFF through tifffile, which keeps 16-bit and float samples; None leaves it to Pillow."""
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page = tiff.pages.first
        check_size(page.imagewidth, page.imagelength, name)
        return _tiff_page(page, data)


def _tiff_page(page: Any, data: bytes) -> Raw | None:
    photometric = tifffile.PHOTOMETRIC
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
    pixels = page.asarray()
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and page.samplesperpixel > 1:
        pixels = np.moveaxis(pixels.reshape(shape[2], *shape[:2]), 0, -1)
    pixels = _full_range(pixels.reshape(shape), page.bitspersample)
    samples = pixels[..., :colors]
    if page.photometric == photometric.MINISWHITE:
        samples = (1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max) - samples
    alpha, depth = None, _depth(samples)
    extra = [int(e) for e in page.extrasamples]
    for at, kind in enumerate(extra):
        if kind in (1, 2):
            alpha = pixels[..., colors + at]
            if kind == 1:
                samples = _straight(samples, alpha)
            break
    tags = {code: page.tags[code].value for code in (34675, 274) if code in page.tags}
    profile, orientation = bytes(tags.get(34675, b"")), int(tags.get(274, 1))
    return Raw(samples, space, alpha, profile, orientation, depth)


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


def _upright(raw: Raw, name: str) -> Picture:
    samples = np.ascontiguousarray(_turned(raw.samples, raw.orientation))
    alpha = None if raw.alpha is None else alpha_of(_turned(raw.alpha, raw.orientation))
    rgb = to_srgb(samples, raw.space, raw.profile)
    return Picture(rgb, alpha, raw.depth or _depth(raw.samples), stem(name))


def _depth(samples: NDArray[Any]) -> int:
    """The `Picture.depth` that holds samples of this type."""
    return 32 if samples.dtype.kind == "f" else 8 if samples.dtype.itemsize == 1 else 16


def _turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """A view that undoes EXIF's orientation (TIFF 6.0, tag 274)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def stem(name: str) -> str:
    """The name without the ending of a picture file; other dots in it stay."""
    path = PurePath(name)
    return path.stem if path.suffix.lower() in SUFFIXES else path.name
