"""The user's own small files: settings, presets, lists. JSON that anything may have happened to."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from disk.regular import read_regular

MOST_BYTES = 4 << 20
MOST_DIGITS = 20
MOST_LEVELS = 20
BINARY = getattr(os, "O_BINARY", 0)
MODE, FOLDER_MODE = 0o600, 0o700

_set_aside: list[Path] = []


def plain_json(text: str | bytes) -> Any:
    """The JSON value in a text; raises ValueError also for what no widget and no number takes:
    deep nesting, endless numbers, NaN, halves of characters, NUL.
    """
    try:
        value = json.loads(text, parse_int=_whole, parse_constant=_no_number)
        _check(value, MOST_LEVELS)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError("a number of too many digits")
    return int(digits)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _check(value: Any, levels: int) -> None:
    if not levels:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        value.encode("utf-8")  # a UnicodeEncodeError is a ValueError
        if "\0" in value:
            raise ValueError("a text with a NUL")
    elif isinstance(value, float) and value in (float("inf"), float("-inf")):
        raise ValueError("a number too large")
    elif isinstance(value, dict):
        for key, each in value.items():
            _check(key, levels - 1)
            _check(each, levels - 1)
    elif isinstance(value, list):
        for each in value:
            _check(each, levels - 1)


def read_json(path: Path) -> Any:
    """The value in one of the user's own files; None if there is none, or none that makes sense.

    Such a file is put aside under another name, so that it harms no more and is not lost; see
    `put_aside`.
    """
    try:
        return plain_json(read_regular(path, MOST_BYTES))
    except FileNotFoundError:
        return None
    except PermissionError:
        return None
    except (OSError, ValueError):
        _put_aside(path)
        return None


def _put_aside(path: Path) -> None:
    number = 1
    while os.path.lexists(other := path.with_name(f"{path.name}.unreadable-{number}")):
        number += 1
    with contextlib.suppress(OSError):
        os.rename(path, other)
        _set_aside.append(other)


def put_aside() -> list[Path]:
    """The files that were put aside since this was asked last, by their new names."""
    found = list(_set_aside)
    _set_aside.clear()
    return found


def write_json(path: Path, value: Any) -> None:
    """Replaces the file in one step; a full or read-only disk is no reason to stop."""
    write_bytes(path, json.dumps(value, indent=1).encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """The same of any bytes."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        make_folder(path.parent)
        try:
            number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY, MODE)
            with os.fdopen(number, "wb") as stream:
                stream.write(data)
            os.replace(part, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise


def make_folder(path: Path) -> None:
    """Makes a folder, and those above it that are missing, for nobody but the user."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=FOLDER_MODE, exist_ok=True)
