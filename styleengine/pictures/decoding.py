"""From the bytes of a picture file to a `Picture`, whatever the format."""

from __future__ import annotations

import contextlib
import io
import logging
import threading
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import PurePath
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from styleengine.pictures.decoded import Raw, depth_of
from styleengine.pictures.icc import to_srgb
from styleengine.pictures.picture import Picture, alpha_of
from styleengine.pictures.tiff import TIFF, TooManyPixels, read_tiff
from styleengine.protocol import EngineError

log = logging.getLogger(__name__)

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
_PICTURES = (_PNG, *TIFF, b"\xff\xd8\xff", b"GIF8", b"8BPS")
_PILLOW_LOCK = threading.Lock()


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


def _too_large(name: str) -> EngineError:
    return EngineError(
        "picture-too-large",
        f"{called(name)} has more than {MAX_PIXELS // 1_000_000} million pixels.",
        "Scale it down first.",
    )


def _read(data: bytes, name: str) -> Raw:
    try:
        raw = read_tiff(data, MAX_PIXELS) if data.startswith(TIFF) else None
        return raw or _read_other(data, name)
    except (EngineError, MemoryError):
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError, TooManyPixels) as error:
        raise _too_large(name) from error
    except Exception as error:
        # The decoders answer damaged files with exceptions of every kind (struct.error, KeyError,
        # zlib.error, their own …); nothing but calls to them is inside this block.
        raise bad(
            name, "is damaged or incomplete", "Copy or download it again, or export it anew."
        ) from error


def _read_other(data: bytes, name: str) -> Raw:
    with _opened(data) as image:
        if image is None:
            raise _unknown(data, name)
        if data.startswith(_PNG) and data[24:25] == b"\x10":
            return _read_png16(data, image)
        return _read_pillow(image)


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(f for f in FORMATS if f in Image.OPEN)


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[Image.Image | None]:
    """Pillow's view of the file, nothing decoded; None if it is no picture to Pillow.

    Inside, Pillow refuses pictures (also those inside others, as in .ico) by our limit, not by its
    own, and keeps its remarks about odd metadata to itself.
    """
    with _PILLOW_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MAX_PIXELS
        try:
            try:
                image = Image.open(io.BytesIO(data), formats=_formats())
            except UnidentifiedImageError:
                yield None
                return
            with image:
                yield image
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _unknown(data: bytes, name: str) -> EngineError:
    hint = "Open it in GIMP and export it as PNG or JPEG."
    if data.startswith(b"gimp xcf "):
        return bad(name, "is a GIMP project, not a picture file", hint)
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypheim", b"ftyphevc"):
        return bad(name, "is a HEIC picture, which cannot be read", hint)
    if data.startswith(b"\xff\x0a") or data[4:8] == b"JXL ":
        return bad(name, "is a JPEG XL picture, which cannot be read", hint)
    if data.startswith(_PICTURES) or data[4:12] == b"ftypavif":
        return bad(name, "is damaged, or a picture of a kind that cannot be read", hint)
    return bad(name, "is not a picture", "Choose a JPEG, PNG, WebP or TIFF file.")


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 where there is none or none that makes sense."""
    try:
        found = int(image.getexif().get(0x0112, 1))
    except Exception as error:
        # Broken metadata raises anything; the pixels are worth having all the same.
        log.warning("ignoring unreadable EXIF data: %s", error)
        return 1
    return found if 1 <= found <= 8 else 1


def _read_pillow(image: Image.Image) -> Raw:
    image.load()
    # Asked after loading, because Pillow turns TIFFs upright itself and then forgets the tag.
    orientation = _orientation(image)
    mode = image.mode
    # A Lab profile describes what Pillow has converted from, not what it has made.
    profile = b"" if mode == "LAB" else image.info.get("icc_profile") or b""
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
    orientation = _orientation(image) if b"eXIf" in data else 1
    colors = 1 if channels < 3 else 3
    space = "gray" if colors == 1 else "rgb"
    return Raw(pixels[..., :colors], space, alpha, profile, orientation)


def _upright(raw: Raw, name: str) -> Picture:
    samples = np.ascontiguousarray(_turned(raw.samples, raw.orientation))
    alpha = None if raw.alpha is None else alpha_of(_turned(raw.alpha, raw.orientation))
    rgb = to_srgb(samples, raw.space, raw.profile)
    return Picture(rgb, alpha, raw.depth or depth_of(raw.samples), stem(name))


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
