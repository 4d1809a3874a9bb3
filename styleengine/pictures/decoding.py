"""From the bytes of a picture file to a `Picture`, whatever the format."""

from __future__ import annotations

import contextlib
import io
import logging
import threading
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import PurePath
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from styleengine.pictures.about import Metadata, encoded, metadata
from styleengine.pictures.decoded import Raw, depth_of
from styleengine.pictures.icc import adobe_rgb, to_srgb
from styleengine.pictures.jpeg import completed, sound
from styleengine.pictures.picture import Floats, Picture, alpha_of, is_opaque
from styleengine.pictures.png import SIGNATURE as PNG
from styleengine.pictures.png import read_png
from styleengine.pictures.reducing import (
    TooManyBytes,
    factor,
    reduced,
    reduced_image,
    require_bytes,
    require_room,
)
from styleengine.pictures.refusals import (
    bad,
    called,
    camera_data,
    too_large,
    too_large_to_reduce,
    unknown,
)
from styleengine.pictures.samples import KEPT, kept
from styleengine.pictures.tiff import TIFF, CameraData, TooManyPixels, read_tiff
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

JPEG = b"\xff\xd8"
_PILLOW_LOCK = threading.Lock()


def decode(data: bytes, name: str = "", most: int = 0, *, keep: bool = False) -> Picture:
    """The picture in the bytes of a file, upright and in sRGB at its own precision.

    ``name`` is the file's name (or its stem), for messages. Animations and multi-page files give
    their first picture. One of more than ``most`` pixels (0: any) is made smaller, by a whole
    factor, before it takes much memory. With ``keep``, pixels of whole numbers stay such ones, as
    `Samples`. Raises `EngineError` with code "bad-picture" (empty,
    damaged, not a picture, a format that cannot be read) or "picture-too-large".
    """
    if not data:
        raise bad(name, "{picture} is empty.", "Choose another file.")
    try:
        return _upright(_read(data, name, most), name, keep)
    except MemoryError as error:
        raise EngineError(
            "out-of-memory",
            "{picture} does not fit into this computer's memory.",
            "Close other programs, or use a smaller picture.",
            picture=called(name),
        ) from error


def _read(data: bytes, name: str, most: int) -> Raw:
    try:
        if data.startswith(TIFF):
            found = read_tiff(data, MAX_PIXELS, most)
            if isinstance(found, Raw):
                return found
            data = found
        return _read_other(data, name, most)
    except (EngineError, MemoryError):
        raise
    except CameraData:
        raise camera_data(name) from None
    except TooManyBytes:
        raise too_large_to_reduce(name) from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError, TooManyPixels) as error:
        raise too_large(name, MAX_PIXELS) from error
    except Exception as error:
        # The decoders answer damaged files with exceptions of every kind (struct.error, KeyError,
        # zlib.error, their own …); nothing but calls to them is inside this block.
        raise bad(
            name,
            "{picture} is damaged or incomplete.",
            "Copy or download it again, or export it anew.",
        ) from error


def _read_other(data: bytes, name: str, most: int) -> Raw:
    png = read_png(data) if data.startswith(PNG) else None
    if png is not None:
        data = png.pixels
    elif data.startswith(JPEG):
        data = sound(data)
    with _opened(data) as image:
        if image is None:
            raise unknown(data, name)
        if png is None:
            return _read_pillow(image, data, most)
        if data[24:25] == b"\x10":
            raw = _read_png16(data, image.size, most)
        else:
            raw = _read_pillow(image, data, most)
        return replace(raw, profile=png.profile, metadata=png.metadata, tagged=png.tagged)


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


def _load(image: Image.Image, data: bytes, most: int) -> Image.Image:
    """Pillow's image with its pixels; of a JPEG that ends after its last row, too."""
    require_room(image, most)
    try:
        image.load()
        return image
    except OSError:
        found = completed(data) if image.format == "JPEG" else None
        if found is None:
            raise
    images = []
    for whole in found:
        images.append(Image.open(io.BytesIO(whole), formats=("JPEG",)))
        require_room(images[-1], most)
        images[-1].load()
        if images[-1].tobytes() != images[0].tobytes():
            raise EOFError("the file ends inside the picture")
    return images[0]


def _read_pillow(image: Image.Image, data: bytes, most: int) -> Raw:
    image = _load(image, data, most)
    mode = image.mode
    # A Lab profile describes what Pillow has converted from, not what it has made.
    profile = b"" if mode == "LAB" else image.info.get("icc_profile") or b""
    about = _metadata(image)
    if mode in ("F", "I", "I;16", "I;16L", "I;16B", "I;16N"):
        samples = np.asarray(image)
        if mode != "F":
            samples = np.clip(samples, 0, 65535).astype(np.uint16)
        return Raw(reduced(samples[..., None], None, most)[0], "gray", None, profile, about)
    if mode == "CMYK":
        return Raw(reduced(np.asarray(image), None, most)[0], "cmyk", None, profile, about)
    gray = mode in ("1", "L", "LA", "La")
    clear = "transparency" in image.info or mode in ("LA", "La", "PA", "RGBA", "RGBa")
    wanted = ("LA" if clear else "L") if gray else ("RGBA" if clear else "RGB")
    pixels = np.asarray(reduced_image(image, wanted, most))
    alpha = pixels[..., -1] if clear else None
    samples = pixels.reshape(*pixels.shape[:2], -1)[..., : 1 if gray else 3]
    return Raw(samples, "gray" if gray else "rgb", alpha, profile, about)


def _metadata(image: Image.Image) -> Metadata:
    """What Pillow has found besides the pixels; it has turned TIFFs upright itself."""
    xmp = image.info.get("xmp") or b""
    xmp = xmp if isinstance(xmp, bytes) else str(xmp).encode("utf-8", "replace")
    if image.format == "TIFF":
        try:
            found = metadata(encoded(image.getexif()), xmp)
        except Exception as error:  # as in `metadata`
            log.warning("ignoring unreadable tags: %s", error)
            found = metadata(b"", xmp)
        return replace(found, orientation=1)
    exif = image.info.get("exif") or b""
    return metadata(exif.removeprefix(b"Exif\0\0"), xmp, image.info.get("dpi"))


def _read_png16(data: bytes, size: tuple[int, int], most: int) -> Raw:
    """16 bits per sample, which Pillow would cut to 8; libpng has expanded any tRNS chunk."""
    if factor(*size, most) > 1:
        require_bytes(*size, 8)
    pixels = imagecodecs.png_decode(data)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    channels = pixels.shape[2]
    alpha = pixels[..., -1] if channels in (2, 4) else None
    colors = 1 if channels < 3 else 3
    samples, alpha = reduced(pixels[..., :colors], alpha, most)
    return Raw(samples, "gray" if colors == 1 else "rgb", alpha)


def _upright(raw: Raw, name: str, keep: bool) -> Picture:
    found = raw.metadata
    samples = np.ascontiguousarray(_turned(raw.samples, found.orientation))
    alpha = None if raw.alpha is None else _alpha(_turned(raw.alpha, found.orientation), keep)
    profile = raw.profile
    if found.adobe_rgb and raw.space == "rgb" and not (profile or raw.tagged):
        profile = adobe_rgb()
    rgb = to_srgb(samples, raw.space, profile, keep=keep)
    return Picture(rgb, alpha, raw.depth or depth_of(raw.samples), stem(name), found.about)


def _alpha(samples: NDArray[Any], keep: bool) -> Floats | None:
    if keep and samples.dtype in KEPT:
        return None if is_opaque(samples) else kept(np.ascontiguousarray(samples))
    return alpha_of(samples)


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
