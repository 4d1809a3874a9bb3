"""Regular local files: no device, no pipe and no server is ever opened by its name."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """The file opened for reading; raises OSError for everything but a regular file.

    A pipe without a writer, or a device, would hold up whoever opens or reads it.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise _irregular(path)
    # Asked again once it is open, as it may be another one by then.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise _irregular(path)
    return os.fdopen(number, "rb")


def _irregular(path: str | os.PathLike[str]) -> OSError:
    return OSError(errno.EINVAL, "not a regular file", os.fspath(path))


def read_regular(path: str | os.PathLike[str], most: int) -> bytes:
    """The bytes of a regular file; raises OSError (EFBIG) if there are more than ``most``."""
    with open_regular(path) as stream:
        large = os.fstat(stream.fileno()).st_size > most  # known before memory is taken
        data = b"" if large else stream.read(most + 1)
    if large or len(data) > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), os.fspath(path))
    return data


def local_path(uri: str) -> Path | None:
    """Where a ``file`` address of this computer points to; None for others, and for nonsense."""
    try:
        parts = urlsplit(uri)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
            return None
        path = unquote(parts.path, errors="surrogateescape")
    except ValueError:
        return None
    if "\0" in path or not path.startswith("/"):
        return None
    if os.name == "nt":
        path = path.lstrip("/")
    return Path(path)


def file_name(uri: str) -> str:
    """The last part of an address, for people; of nonsense, all of it."""
    try:
        path = unquote(urlsplit(uri).path)
    except ValueError:
        path = uri
    return path.rstrip("/").rpartition("/")[2] or uri


def is_regular(uri: str) -> bool:
    """Whether the address is that of a regular file on this computer."""
    path = local_path(uri)
    try:
        return path is not None and stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
