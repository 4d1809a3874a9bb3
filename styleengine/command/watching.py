"""A run as it is seen in a terminal: a bar over all pictures, and what Ctrl-C does."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from styleengine.command.terminal import console
from styleengine.protocol import Progress
from styleengine.together.launch import is_several

if TYPE_CHECKING:
    from styleengine.engine import Engine
    from styleengine.jobs import Job, Preview, Result


SAME_S = 1.0
"""Under torchrun, two Ctrl-C within so many seconds are one."""


class Watch:
    """Shows how far ``pictures`` runs are, and notes the first Ctrl-C (``interrupted``).

    The second one gets through, as `KeyboardInterrupt`. Under torchrun, which passes on what the
    terminal has sent already, it must not come at once.
    """

    def __init__(self, quiet: bool, pictures: int = 1) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self._bar = Bar(*columns, console=console, transient=True, disable=quiet)
        self._pictures, self._done = pictures, 0
        self._started = time.monotonic()
        self.interrupted = False
        self._interrupted_at = 0.0

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._handle)
        self._bar.start()
        self._task = self._bar.add_task("Preparing", total=None, left="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        signal.signal(signal.SIGINT, self._before)

    def _handle(self, *_: object) -> None:
        if not self.interrupted:
            self.interrupted, self._interrupted_at = True, time.monotonic()
        elif not (is_several() and time.monotonic() - self._interrupted_at < SAME_S):
            raise KeyboardInterrupt

    def paint(
        self,
        engine: Engine,
        job: Job,
        name: str = "",
        note: Callable[[Progress], None] = lambda event: None,
        keep: Callable[[Preview], None] = lambda preview: None,
    ) -> Result:
        """Runs a job to its end, which Ctrl-C brings about; ``name`` is the picture's."""
        from styleengine.jobs import Preview, Result

        for event in engine.run(job, lambda: self.interrupted):
            if isinstance(event, Progress):
                note(event)
                shown = _shown(event) if self._pictures == 1 else self._shown_of(event, name)
                self._bar.update(self._task, **shown)
            elif isinstance(event, Preview):
                keep(event)
            else:
                assert isinstance(event, Result)
                return event
        raise AssertionError("a run ends with a result or an error")

    def passed(self) -> None:
        """One more of the pictures is done, or given up."""
        self._done += 1
        self._bar.update(self._task, completed=self._done, total=self._pictures)

    def say(self, text: str | Text) -> None:
        """Writes a line above the bar."""
        self._bar.console.print(text, soft_wrap=True)

    def _shown_of(self, event: Progress, name: str) -> dict[str, Any]:
        done = self._done + event.fraction
        left = ""
        if self._done:  # of the first one, little can be told of the others
            spent = time.monotonic() - self._started
            left = f"{time_left(spent / done * (self._pictures - done))} left"
        return {
            "description": f"{self._done + 1} of {self._pictures}: {name}",
            "completed": done,
            "total": self._pictures,
            "left": left,
        }


def _shown(event: Progress) -> dict[str, Any]:
    if event.stage != "paint":
        label = "Finishing" if event.stage == "finish" else "Preparing"
        return {"description": label, "left": ""}
    about = [] if event.eta_s is None else [f"{time_left(event.eta_s)} left"]
    if event.memory is not None:
        about.append(f"{event.memory / 1e9:.1f} GB")
    return {
        "description": f"Painting {event.width}×{event.height}",
        "completed": event.step,
        "total": event.steps,
        "left": ", ".join(about),
    }


def time_left(seconds: float) -> str:
    """ "45 s", "3 min 20 s"."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"
