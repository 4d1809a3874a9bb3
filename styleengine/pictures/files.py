"""Pictures from files and to files: the front door of `decoding`, `saving` and `picture`."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

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
    "cannot_read",
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
MAX_PIPE = 1 << 30
"""The same of what comes through a pipe, which does not say how much that will be."""


def load(path: str | Path, most: int = 0, *, keep: bool = False) -> Picture:
    """The picture in a file, of at most ``most`` pixels (0: any); see `decode`, also for ``keep``.

    The file may be a pipe, ``<(curl …)`` in a shell, which is read to its end. Raises
    `EngineError`: "no-such-file", "cannot-read" (a folder, no permission, a disk error), and those
    of `decode`.
    """
    path = Path(path)
    try:
        with open_file(path, pipes=True) as file:
            found = os.fstat(file.fileno())
            if stat.S_ISFIFO(found.st_mode):
                most_bytes, data = MAX_PIPE, _all_of_pipe(file)
                size = len(data)
            else:
                most_bytes, size = MAX_FILE, found.st_size
                data = b"" if size > MAX_FILE else file.read(size)
            if size > most_bytes:
                text = "{picture} is too large for a picture ({n} GB)."
                raise bad(path.name, text, "Scale it down.", n=size >> 30)
    except OSError as error:
        raise cannot_read(path, error) from error
    return decode(data, path.name, most, keep=keep)


def _all_of_pipe(file: BinaryIO) -> bytes:
    """What comes through a pipe, a little more than `MAX_PIPE` at most."""
    data = bytearray()
    while len(data) <= MAX_PIPE and (part := file.read(1 << 20)):
        data += part
    return bytes(data)


def cannot_read(path: Path, error: OSError) -> EngineError:
    """The `EngineError` for an `OSError` met while opening or reading ``path``."""
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
