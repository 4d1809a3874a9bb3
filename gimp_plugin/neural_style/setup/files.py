"""Files of our own, changed so that a reader finds the old or the new, never a part of either."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import stat
import sys
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fs.h
RENAME_SWAP = 2  # macOS: sys/stdio.h


def long_path(path: str | PurePath, platform: str = sys.platform) -> str:
    """``path`` in the form in which Windows takes more than 259 characters; elsewhere as it is."""
    text = str(path)
    if platform != "win32" or text.startswith("\\\\?\\"):
        return text
    pure = PureWindowsPath(text)
    if not pure.is_absolute():
        return text
    text = str(pure)
    return "\\\\?\\UNC\\" + text[2:] if text.startswith("\\\\") else "\\\\?\\" + text


def write_atomically(path: Path, data: str | bytes) -> None:
    """Writes ``path`` in one step; a text in UTF-8. It is on the disk when this returns."""
    new = path.with_name(path.name + ".new")
    try:
        with open(new, "wb") as stream:
            stream.write(data.encode("utf-8") if isinstance(data, str) else data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(new, path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def remove_tree(path: Path) -> None:
    """Removes a directory of ours (or a file or link in its place), if it is there."""
    text = long_path(path)
    if os.path.isdir(text) and not os.path.islink(text):
        # What is read-only cannot be removed on Windows until it is no more.
        hook: dict[str, Any] = {"onexc" if sys.version_info >= (3, 12) else "onerror": _writable}
        shutil.rmtree(text, **hook)
    elif os.path.lexists(text):
        os.unlink(text)


def _writable(function: Any, path: str, problem: Any) -> None:
    error = problem if isinstance(problem, BaseException) else problem[1]
    if isinstance(error, FileNotFoundError):
        return
    if not isinstance(error, PermissionError) or sys.platform != "win32":
        raise error
    os.chmod(path, stat.S_IWRITE)
    function(path)


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(long_path(path), "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def put_in_place(staged: Path, folder: Path) -> None:
    """Makes the directory ``staged`` the directory ``folder``, whose old contents go.

    In one step where the system can exchange two directories (Linux, macOS): then there is the old
    one or the new one at every moment. Elsewhere in two: for an instant there is none, and never a
    mixture. A directory ``.NAME.old`` may be left behind by a process that is killed; `leftovers`.
    """
    if not os.path.lexists(folder):
        os.rename(staged, folder)
        return
    if _exchange(staged, folder):
        remove_tree(staged)
        return
    old = old_name(folder)
    remove_tree(old)
    os.rename(folder, old)
    try:
        os.rename(staged, folder)
    except OSError:
        os.rename(old, folder)
        raise
    remove_tree(old)


def old_name(folder: Path) -> Path:
    """Where `put_in_place` keeps the old directory for an instant."""
    return folder.with_name(f".{folder.name}.old")


def _exchange(one: Path, other: Path) -> bool:
    """Exchanges two directories; False if this system cannot."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform.startswith("linux"):
            call = libc.renameat2
            status = call(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
        elif sys.platform == "darwin":
            status = libc.renamex_np(os.fsencode(one), os.fsencode(other), RENAME_SWAP)
        else:
            return False
    except (AttributeError, OSError, TypeError):
        return False
    return bool(status == 0)
