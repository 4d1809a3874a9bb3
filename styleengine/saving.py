"""From a `Picture` to a file: the format by its suffix, the whole file or none."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from styleengine.icc import srgb_profile
from styleengine.picture import Picture, to_pixels
from styleengine.protocol import EngineError

JPEG_QUALITY = 95
WEBP_QUALITY = 95


def save(path: str | Path, picture: Picture) -> None:
    """Writes the picture; the suffix decides the format.

    PNG and TIFF keep 16 bits for a picture of depth 16 or 32 and have 8 otherwise; JPEG (quality
    95, 4:4:4) and WebP have 8. PNG, TIFF and WebP keep alpha; JPEG has none, so the picture is put
    on white, as GIMP does. All are marked as sRGB. The file appears, or is replaced, only when it
    is complete. Raises `EngineError` ("cannot-write").
    """
    path = Path(path)
    write, limit = _format(path)
    if max(picture.width, picture.height) > limit:
        raise EngineError(
            "cannot-write",
            f"A {path.suffix} file can be at most {limit} pixels wide and high, the picture has "
            f"{picture.width}×{picture.height}.",
            "Save it as .png or .tif.",
        )
    with replacing(path) as file:
        write(file, picture)


def require_writable(path: str | Path) -> None:
    """Raises the "cannot-write" that `save` would end in, as far as it can be known before a run.

    Looks at the suffix and tries to make a file in the folder; leaves nothing behind.
    """
    path = Path(path)
    _format(path)
    try:
        with _temporary(path):
            pass
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` when the block ends well, and vanishes otherwise.

    An `OSError` inside or at the end becomes `EngineError` ("cannot-write").
    """
    try:
        with _temporary(path) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            file.close()
            os.replace(file.name, os.path.realpath(path))
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Any]:
    """An open file beside ``path`` (beside its target, for a link) that is removed in the end."""
    real = Path(os.path.realpath(path))
    if real.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed below, before it is renamed
        dir=real.parent, prefix=".styleengine-", suffix=".part", delete=False
    )
    try:
        _ordinary_mode(file.name, real)
        yield file
    finally:
        with contextlib.suppress(OSError):
            file.close()
        with contextlib.suppress(OSError):
            os.unlink(file.name)


def _ordinary_mode(made: str, replaced: Path) -> None:
    """Gives a temporary file the mode that a file made by ``open`` would have."""
    if os.name == "nt":
        return
    try:
        mode = replaced.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    os.chmod(made, mode)


def _cannot_write(path: Path, error: OSError) -> EngineError:
    folder = path.parent if str(path.parent) else Path(".")
    reasons = {
        errno.ENOSPC: ("the disk is full", "Make room, or choose another disk."),
        errno.EDQUOT: ("your disk quota is used up", "Make room, or choose another disk."),
        errno.EFBIG: ("the file would be too large for this disk", "Choose another disk."),
        errno.EROFS: ("the disk is read-only", "Choose another folder."),
        errno.ENOENT: (f"the folder “{folder}” does not exist", "Make it first."),
        errno.ENOTDIR: (f"“{folder}” is not a folder", "Choose another folder."),
        errno.EISDIR: ("there is a folder of that name", "Choose another name."),
        errno.EACCES: ("you may not write there", "Choose another folder."),
        errno.EPERM: ("you may not write there", "Choose another folder."),
        errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter name."),
    }
    why, hint = reasons.get(error.errno or 0, (error.strerror or str(error), "Try another place."))
    return EngineError("cannot-write", f"“{path.name}” could not be written: {why}.", hint)


# --- formats ----------------------------------------------------------------------------------


def _integers(picture: Picture, dtype: str) -> NDArray[Any]:
    """RGB, or RGBA when there is alpha, in integer samples."""
    pixels = to_pixels(picture, dtype)
    return pixels if picture.alpha is not None else np.ascontiguousarray(pixels[..., :3])


def _write_png(file: BinaryIO, picture: Picture) -> None:
    data = imagecodecs.png_encode(_integers(picture, "u8" if picture.depth == 8 else "u16"))
    header_end = 8 + 25  # signature, IHDR; the sRGB chunk (rendering intent 0) must come next
    body = b"sRGB\0"
    chunk = struct.pack(">I", 1) + body + struct.pack(">I", zlib.crc32(body))
    file.write(data[:header_end])
    file.write(chunk)
    file.write(memoryview(data)[header_end:])


def _write_tiff(file: BinaryIO, picture: Picture) -> None:
    tifffile.imwrite(
        file,
        _integers(picture, "u8" if picture.depth == 8 else "u16"),
        photometric="rgb",
        extrasamples=["unassalpha"] if picture.alpha is not None else None,
        compression="adobe_deflate",
        predictor=True,
        iccprofile=srgb_profile(),
        software="",
        metadata=None,
    )


def _write_jpeg(file: BinaryIO, picture: Picture) -> None:
    flat = picture
    if picture.alpha is not None:
        cover = picture.alpha[..., None]
        flat = Picture(picture.rgb * cover + (1 - cover), None, 8)
    Image.fromarray(_integers(flat, "u8")).save(
        file, "JPEG", quality=JPEG_QUALITY, subsampling=0, icc_profile=srgb_profile()
    )


def _write_webp(file: BinaryIO, picture: Picture) -> None:
    Image.fromarray(_integers(picture, "u8")).save(
        file, "WEBP", quality=WEBP_QUALITY, icc_profile=srgb_profile()
    )


_Writer = Callable[[BinaryIO, Picture], None]
_FORMATS: dict[str, tuple[_Writer, int]] = {
    ".png": (_write_png, 2**31 - 1),
    ".tif": (_write_tiff, 2**31 - 1),
    ".tiff": (_write_tiff, 2**31 - 1),
    ".jpg": (_write_jpeg, 65_500),
    ".jpeg": (_write_jpeg, 65_500),
    ".webp": (_write_webp, 16_383),
}


def _format(path: Path) -> tuple[_Writer, int]:
    """The writer for this suffix and the longest side its format allows."""
    known = _FORMATS.get(path.suffix.lower())
    if known is None:
        what = f"a {path.suffix} file" if path.suffix else "a name without an ending"
        raise EngineError(
            "cannot-write",
            f"“{path.name}” cannot be written: {what} says no known picture format.",
            "Use a name that ends in .png, .jpg, .tif or .webp.",
        )
    return known
