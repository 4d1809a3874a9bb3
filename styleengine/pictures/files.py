"""Pictures from files and to files: the front door of `decoding`, `saving` and `picture`."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from styleengine.machine.files import NotAFile, open_file
from styleengine.pictures.decoding import MAX_PIXELS, decode, stem
from styleengine.pictures.picture import (
    MIN_SIDE,
    Picture,
    as_mask,
    from_pixels,
    require_usable,
    to_pixels,
)
from styleengine.pictures.refusals import bad
from styleengine.pictures.saving import require_writable, save
from styleengine.protocol import EngineError

__all__ = [
    "MAX_PIXELS",
    "MIN_SIDE",
    "STYLE_PIXELS",
    "Picture",
    "as_mask",
    "decode",
    "from_pixels",
    "load",
    "require_usable",
    "require_writable",
    "save",
    "stem",
    "to_pixels",
]

STYLE_PIXELS = 32_000_000
"""Style pictures of more pixels are made smaller while they are decoded: this many show every
stroke on the largest photos, and take 0.4 GB."""
MAX_FILE = 4 << 30
"""Larger files are refused unread; the largest picture that is decoded fits in it."""


def load(path: str | Path, most: int = 0) -> Picture:
    """The picture in a file, of at most ``most`` pixels (0: any); see `decode`.

    Raises `EngineError`: "no-such-file", "cannot-read" (a folder, no permission, a disk error), and
    those of `decode`.
    """
    path = Path(path)
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE:
                text = "{picture} is too large for a picture ({n} GB)."
                raise bad(path.name, text, "Scale it down.", n=size >> 30)
            data = file.read(MAX_FILE)
    except OSError as error:
        raise _cannot_read(path, error) from error
    return decode(data, path.name, most)


def _cannot_read(path: Path, error: OSError) -> EngineError:
    if isinstance(error, FileNotFoundError) or error.errno == errno.ENOTDIR:
        return EngineError(
            "no-such-file",
            "There is no file “{path}”.",
            "Check the name and the folder.",
            path=path,
        )
    if isinstance(error, NotAFile):
        text = "“{path}” is a device or a pipe, not a file."
        return EngineError("cannot-read", text, "Choose a picture file.", path=path)
    if isinstance(error, IsADirectoryError) or os.path.isdir(
        path
    ):  # where Windows says "no permission"
        return EngineError(
            "cannot-read", "“{path}” is a folder.", "Choose a picture file in it.", path=path
        )
    if isinstance(error, PermissionError):
        return EngineError(
            "cannot-read",
            "You may not read “{path}”.",
            "Change its permissions, or copy it.",
            path=path,
        )
    reason = error.strerror or str(error)
    text = "“{path}” could not be read: {reason}."
    return EngineError("cannot-read", text, "Copy it first.", path=path, reason=reason)
