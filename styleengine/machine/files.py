"""Ordinary files: opened without waiting for anything, and made whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

from styleengine.protocol import EngineError


class NotAFile(OSError):
    """A device, a pipe or a socket, which may make one wait, or never end."""


def open_file(path: str | Path, pipes: bool = False) -> BufferedReader:
    """An ordinary file, opened for reading, without waiting for anybody.

    With ``pipes`` a pipe will do, too, and whoever writes to it is waited for. Raises `OSError`:
    `NotAFile`, or what is wrong with the name, whatever signs it holds.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        if pipes and stat.S_ISFIFO(os.stat(path).st_mode):
            return open(path, "rb")
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except ValueError as error:  # NUL, or half a surrogate pair
        raise FileNotFoundError(errno.ENOENT, "no file can have this name") from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    raise NotAFile(errno.EINVAL, "is a device or a pipe, not a file")


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
        raise cannot_write(path, error) from error


def require_place(path: Path) -> None:
    """Raises the "cannot-write" of `replacing` if no file can be made there; leaves nothing."""
    try:
        with _temporary(path):
            pass
    except OSError as error:
        raise cannot_write(path, error) from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Whether this process alone holds the lock file ``path`` (made, and left there).

    The system releases the lock when the process ends, however it ends.
    """
    with open(path, "a+b") as file:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise
            yield False
        else:
            yield True


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Any]:
    """An open file beside ``path`` (beside its target, for a link) that is removed in the end."""
    real = Path(os.path.realpath(path))
    if real.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed before it is renamed
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


def cannot_write(path: Path, error: OSError) -> EngineError:
    """The `EngineError` ("cannot-write") for an `OSError` met while writing ``path``."""
    reasons = {
        errno.ENOSPC: ("the disk is full", "Make room, or choose another disk."),
        errno.EFBIG: ("the file would be too large for this disk", "Choose another disk."),
        errno.EROFS: ("the disk is read-only", "Choose another folder."),
        errno.ENOENT: (f"the folder “{path.parent}” does not exist", "Make it first."),
        errno.ENOTDIR: (f"“{path.parent}” is not a folder", "Choose another folder."),
        errno.EISDIR: ("there is a folder of that name", "Choose another name."),
        errno.EACCES: ("you may not write there", "Choose another folder."),
        errno.EPERM: ("you may not write there", "Choose another folder."),
        errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter name."),
    }
    if hasattr(errno, "EDQUOT"):
        reasons[errno.EDQUOT] = ("your disk quota is used up", "Make room, or choose another disk.")
    fallback = (error.strerror or str(error), "Try another folder.")
    why, hint = reasons.get(error.errno or 0, fallback)
    text = "“{name}” could not be written: {reason}."
    return EngineError("cannot-write", text, hint, name=path.name or path, reason=why)
