"""One guard for all that the main loop calls: what goes wrong is logged and shown, and it goes on.

PyGObject drops a source whose function raises, and prints an exception of a signal handler where
nobody reads it: the dialog would wait for ever.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Callable

from gi.repository import GLib

from dialog.stopwatch import Stopwatch
from engine.mishap import unexpected, where
from protocol import EngineError


class Guard:
    """Calls functions from the main loop. What they raise is shown by ``show``, a mishap once."""

    def __init__(self, watch: Stopwatch, show: Callable[[EngineError], None]) -> None:
        self._watch, self._show = watch, show
        self._seen: set[tuple[str, int]] = set()

    def every(self, name: str, milliseconds: int, function: Callable[[], object]) -> int:
        """Calls ``function`` again and again, until it returns False; returns the source."""
        return GLib.timeout_add(milliseconds, self._guarded(name, function))

    def idle(self, name: str, function: Callable[[], object]) -> int:
        """The same, whenever there is nothing better to do."""
        return GLib.idle_add(self._guarded(name, function))

    def _guarded(self, name: str, function: Callable[[], object]) -> Callable[[], bool]:
        timed = self._watch.timed(name, function)

        def call() -> bool:
            try:
                return timed() is not False
            except Exception as error:  # the edge of the main loop: show, log, go on
                self.tell(error)
                return True

        return call

    def tell(self, error: BaseException) -> None:
        """Logs and shows an error; one of ours each time, a mishap once for each place."""
        if isinstance(error, EngineError):
            self._show(error)
        elif where(error) not in self._seen:
            self._seen.add(where(error))
            self._show(unexpected(error))

    def watch_handlers(self) -> None:
        """Sees to the signal handlers, too, from now on."""
        before = sys.excepthook

        def hook(
            kind: type[BaseException], error: BaseException, trace: TracebackType | None
        ) -> None:
            if isinstance(error, Exception):
                self.tell(error)
            else:
                before(kind, error, trace)

        sys.excepthook = hook


class Steps:
    """Work in small steps, one piece after another, in idle time."""

    def __init__(self, name: str, guard: Guard) -> None:
        self._name, self._guard = name, guard
        self._pieces: list[Iterator[None]] = []
        self._source = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, piece: Iterator[None]) -> None:
        """Does ``piece`` when those before are done. One that raises is over."""
        self._pieces.append(piece)
        if not self._source:
            self._source = self._guard.idle(self._name, self._step)

    def _step(self) -> bool:
        over = True
        try:
            over = not self._pieces or next(self._pieces[0], self) is self
        finally:
            if over:
                del self._pieces[:1]
        if not self._pieces:
            self._source = 0
        return bool(self._pieces)

    def stop(self) -> None:
        """Forgets what is left."""
        for piece in self._pieces:
            close = getattr(piece, "close", None)
            if close is not None:
                with contextlib.suppress(ValueError):  # it is what stops the others
                    close()
        self._pieces.clear()
        self._remove_source()

    def finish(self) -> None:
        """Does now what is left."""
        self._remove_source()
        while self._pieces:
            try:
                self._step()
            except Exception as error:  # as in the main loop
                self._guard.tell(error)

    def _remove_source(self) -> None:
        if self._source:
            GLib.source_remove(self._source)
            self._source = 0
