"""Where the command writes what is for people: standard error, with a progress bar.

A terminal that is gone, or a log on a full disk, must not cost anybody a picture.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from styleengine.protocol import EngineError


def _stderr() -> Any:
    """Standard error as it is now, under what Rich lays over it; None if there is none."""
    return getattr(sys.stderr, "rich_proxied_file", sys.stderr)


class _Careful(io.TextIOBase):
    """Standard error; what cannot be written is lost, and nothing else."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # full, closed, not there
            _stderr().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            _stderr().flush()

    def isatty(self) -> bool:
        try:
            return bool(_stderr().isatty())
        except (ValueError, AttributeError):
            return False

    def fileno(self) -> int:
        if _stderr() is None:
            raise OSError(errno.EBADF, "there is no standard error")
        return int(_stderr().fileno())

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(_stderr(), "encoding", None) or "utf-8"


console = Console(file=_Careful(), highlight=False, markup=False, emoji=False)  # type: ignore[arg-type]
"""Prints texts as they are: file names may contain what Rich takes for markup."""


def tell(error: EngineError) -> None:
    """Prints what went wrong, and what to do about it."""
    console.print(Text.assemble(("Error:", "red"), f" {error.message}"), soft_wrap=True)
    if error.hint:
        console.print(error.hint, soft_wrap=True)


class OutputGone(Exception):
    """Standard output takes nothing any more: its reader has gone, or its disk is full."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error

    @property
    def reader_left(self) -> bool:
        """Whether whoever was reading has seen enough."""
        # Windows says EINVAL.
        return isinstance(self.error, BrokenPipeError) or self.error.errno == errno.EINVAL


def say(text: str = "") -> None:
    """Writes a line to standard output, at once; raises `OutputGone`."""
    try:
        print(text, flush=True)
    except OSError as error:
        _close_output()
        raise OutputGone(error) from error


def close_output() -> None:
    """Writes what is left; raises `OutputGone`."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        _close_output()
        raise OutputGone(error) from error


def _close_output() -> None:
    """Leaves nothing that Python would try to write again when it ends, and complain about."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
