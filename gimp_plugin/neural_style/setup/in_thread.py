"""A set-up in a thread of its own, looked at from the thread of a window or a script."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from engine.mishap import unexpected
from protocol import EngineError
from setup.talk import Step, Stopped, Talk


class InThread(Talk):
    """Runs ``work`` at once. What it says and how far it is, is to be fetched now and then."""

    def __init__(self, work: Callable[[Talk], Any]) -> None:
        self.said: list[str] = []
        self.reached: Step | None = None
        self.outcome: Any = None
        self.problem: EngineError | None = None
        self.was_stopped = False
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._work = work
        # A daemon: a process that has to end does not wait for it.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.outcome = self._work(self)
        except Stopped:
            self.was_stopped = True
        except EngineError as problem:
            self.problem = problem
        except Exception as error:
            self.problem = unexpected(error)

    # --- called by the set-up ------------------------------------------------------------------

    def say(self, text: str) -> None:
        """One line for the user."""
        self._lines.put(text)

    def step(self, step: Step) -> None:
        """It has come so far."""
        self.reached = step

    def stopped(self) -> bool:
        """Whether the user wants it to end now."""
        return self._stop.is_set()

    # --- called from outside -------------------------------------------------------------------

    def stop(self) -> None:
        """Asks it to end; what is there is used by the next one."""
        self._stop.set()

    def look(self) -> bool:
        """Takes over what was said meanwhile; True once it has ended."""
        ended = not self._thread.is_alive()
        while not self._lines.empty():
            self.said.append(self._lines.get())
        return ended

    def wait(self, seconds: float) -> None:
        """Waits for the end, at most so long."""
        self._thread.join(seconds)
