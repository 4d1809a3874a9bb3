"""From a `Picture` to a file: the format by its suffix, the whole file or none."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
from numpy.typing import NDArray
from PIL import Image

from styleengine.machine.files import replacing, require_place
from styleengine.pictures.about import XMP
from styleengine.pictures.carrying import Carried, add_to_tiff, carried
from styleengine.pictures.icc import srgb_profile
from styleengine.pictures.picture import SAMPLE_TYPES, Picture, to_pixels
from styleengine.pictures.samples import integers_of
from styleengine.protocol import EngineError

MOST_IN_JPEG = 65_000
"""Bytes of EXIF or of XMP that fit into a segment of a JPEG."""
MOST_IN_TIFF = (1 << 32) - (1 << 25)
"""Bytes of pixels from which a TIFF is a BigTIFF: what compressing saves is known too late."""
_INCH = 0.0254
JPEG_QUALITY = 95
WEBP_QUALITY = 95


def save(path: str | Path, picture: Picture) -> None:
    """Writes the picture; the suffix decides the format.

    PNG and TIFF keep 16 bits for a picture of depth 16 or 32 and have 8 otherwise; JPEG (quality
    95, 4:4:4) and WebP have 8. PNG, TIFF and WebP keep alpha; JPEG has none, so the picture is put
    on white, as GIMP does. All are marked as sRGB, and carry what of ``picture.about`` still holds
    (see `carrying`). The file appears, or is replaced, only when it is complete. Raises
    `EngineError` ("cannot-write").
    """
    path = Path(path)
    write = _format(path, (picture.width, picture.height))
    about = carried(picture.about, picture.width, picture.height)
    with replacing(path) as file:
        write(file, picture, about)


def require_writable(path: str | Path, size: tuple[int, int] | None = None) -> None:
    """Raises the "cannot-write" that `save` would end in, as far as it can be known before a run.

    Looks at the suffix, at whether the format can hold a picture of ``size`` (width, height), and
    tries to make a file in the folder; leaves nothing behind.
    """
    path = Path(path)
    _format(path, size)
    require_place(path)


# --- formats ----------------------------------------------------------------------------------


def _integers(picture: Picture, dtype: str) -> NDArray[Any]:
    """RGB, or RGBA when there is alpha, in integer samples."""
    kept = integers_of(picture.rgb)
    if picture.alpha is None and kept is not None and kept.dtype == SAMPLE_TYPES[dtype]:
        return kept
    pixels = to_pixels(picture, dtype)
    if picture.alpha is not None:
        return pixels
    return pixels[..., :3].copy()  # its own strides, at 1×1 too


def _write_png(file: BinaryIO, picture: Picture, about: Carried) -> None:
    data = imagecodecs.png_encode(_integers(picture, "u8" if picture.depth == 8 else "u16"))
    header_end = 8 + 25  # signature, IHDR; the sRGB chunk (rendering intent 0) must come next
    file.write(data[:header_end])
    file.write(_chunk(b"sRGB", b"\0"))
    if about.dpi is not None:
        x, y = (round(n / _INCH) for n in about.dpi)
        file.write(_chunk(b"pHYs", struct.pack(">IIB", x, y, 1)))
    if exif := about.exif():
        file.write(_chunk(b"eXIf", exif))
    if about.xmp:
        file.write(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + about.xmp))
    file.write(memoryview(data)[header_end:])


def _chunk(name: bytes, body: bytes) -> bytes:
    whole = name + body
    return struct.pack(">I", len(body)) + whole + struct.pack(">I", zlib.crc32(whole))


def _write_tiff(file: BinaryIO, picture: Picture, about: Carried) -> None:
    import tifffile  # see `tiff`

    xmp = [(XMP, "B", len(about.xmp), about.xmp, True)] if about.xmp else []
    resolution: dict[str, Any] = {}
    if about.dpi is not None:
        resolution = {"resolution": about.dpi, "resolutionunit": "INCH"}
    pixels = _integers(picture, "u8" if picture.depth == 8 else "u16")
    tifffile.imwrite(
        file,
        pixels,
        bigtiff=pixels.nbytes > MOST_IN_TIFF,
        photometric="rgb",
        extrasamples=["unassalpha"] if picture.alpha is not None else None,
        compression="adobe_deflate",
        predictor=True,
        iccprofile=srgb_profile(),
        software="",
        metadata=None,
        byteorder="<",
        extratags=xmp,
        **resolution,
    )
    add_to_tiff(file, about)


def _write_jpeg(file: BinaryIO, picture: Picture, about: Carried) -> None:
    flat = picture
    if picture.alpha is not None:
        cover = picture.alpha[..., None]
        flat = Picture(picture.rgb * cover + (1 - cover), None, 8)
    exif = about.exif()
    if len(exif) > MOST_IN_JPEG:
        exif = about.without_maker_note().exif()
    options: dict[str, Any] = {}
    if about.dpi is not None:
        options["dpi"] = tuple(min(65_535, round(n)) for n in about.dpi)
    if 0 < len(exif) <= MOST_IN_JPEG:
        options["exif"] = b"Exif\0\0" + exif
    xmp = about.xmp if len(about.xmp) <= MOST_IN_JPEG else about.own_xmp
    if 0 < len(xmp) <= MOST_IN_JPEG:
        options["xmp"] = xmp
    Image.fromarray(_integers(flat, "u8")).save(
        file, "JPEG", quality=JPEG_QUALITY, subsampling=0, icc_profile=srgb_profile(), **options
    )


def _write_webp(file: BinaryIO, picture: Picture, about: Carried) -> None:
    options = {"exif": about.exif(resolution=True), "xmp": about.xmp}
    Image.fromarray(_integers(picture, "u8")).save(
        file,
        "WEBP",
        quality=WEBP_QUALITY,
        icc_profile=srgb_profile(),
        **{name: data for name, data in options.items() if data},
    )


_Writer = Callable[[BinaryIO, Picture, Carried], None]
_FORMATS: dict[str, tuple[_Writer, int]] = {
    ".png": (_write_png, 2**31 - 1),
    ".tif": (_write_tiff, 2**31 - 1),
    ".tiff": (_write_tiff, 2**31 - 1),
    ".jpg": (_write_jpeg, 65_500),
    ".jpeg": (_write_jpeg, 65_500),
    ".webp": (_write_webp, 16_383),
}

WRITTEN = frozenset(_FORMATS)
"""Endings of the formats that are written."""


def _format(path: Path, size: tuple[int, int] | None) -> _Writer:
    """The writer for this suffix; raises "cannot-write" where it cannot hold such a picture."""
    known = _FORMATS.get(path.suffix.lower())
    if known is None:
        what = f"a {path.suffix} file" if path.suffix else "a name without an ending"
        raise EngineError(
            "cannot-write",
            "“{name}” cannot be written: {what} says no known picture format.",
            "Use a name that ends in .png, .jpg, .tif or .webp.",
            name=path.name,
            what=what,
        )
    write, limit = known
    if size is not None and max(size) > limit:
        raise EngineError(
            "cannot-write",
            "A {suffix} file can be at most {limit} pixels wide and high, the picture has {size}.",
            "Save it as .png or .tif.",
            suffix=path.suffix,
            limit=limit,
            size=f"{size[0]}×{size[1]}",
        )
    return write
