"""One repainting, from the first pixel sent to the last one received. Knows nothing of GIMP or GTK.

A user interface calls `Job.advance` as often as it likes and shows `Job.text` and `Job.fraction`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any, Callable, Protocol

import engine_client
from engine_client import EngineClient, Event, Preview, Request
from engine_texts import translated
from protocol import PictureSpec, Progress
from texts import _


class State(enum.Enum):
    """Where a job is. The last two are final; a failure leaves `advance` as `EngineError`."""

    STARTING = "starting"
    PAINTING = "painting"
    RECEIVING = "receiving"
    DONE = "done"
    CANCELLED = "cancelled"


class Canvas(Protocol):
    """What takes the result."""

    def begin(self, spec: PictureSpec) -> None:
        """The result is coming, in this shape."""

    def write(self, y: int, rows: int, data: bytes) -> None:
        """Some rows of it, from top to bottom."""

    def work(self) -> bool:
        """Does a little of what `write` has left to do; False if that is all done."""


class Job:
    """Drives one `Request` through one engine into one `Canvas`.

    ``poll_s`` is how long `advance` may wait; 0 suits a call from an event loop.
    """

    def __init__(
        self,
        client: EngineClient,
        request: Request,
        canvas: Canvas,
        on_preview: Callable[[Preview], None] | None = None,
        poll_s: float = 0.1,
    ) -> None:
        self.state = State.STARTING
        self.progress: Progress | None = None
        self.result: dict[str, Any] = {}
        self._client = client
        self._canvas = canvas
        self._on_preview = on_preview
        self._events: Iterator[Event] = client.run(request, poll_s)

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state in (State.DONE, State.CANCELLED)

    @property
    def fraction(self) -> float | None:
        """How much is done, 0-1; None while nobody knows."""
        if self.state is State.STARTING:
            return None
        if self.state is State.PAINTING:
            return min(self.progress.fraction, 1.0) if self.progress else None
        return 1.0

    @property
    def text(self) -> str:
        """What is going on, for people."""
        if self.state is State.STARTING:
            return _("Neural style: starting the engine")
        if self.state is not State.PAINTING or self.progress is None:
            return _("Neural style: fetching the picture")
        return _("Neural style: {what}").format(what=describe(self.progress))

    def advance(self) -> bool:
        """Does one small thing, or waits for ``poll_s`` seconds at most; False if there was none.

        Raises `EngineError` when the engine fails; the job is over then.
        """
        if self.state is State.RECEIVING and self._canvas.work():
            return True
        event = next(self._events)
        if isinstance(event, Progress):
            self.state, self.progress = State.PAINTING, event
        elif isinstance(event, Preview):
            if self._on_preview:
                self._on_preview(event)
        elif isinstance(event, engine_client.ResultStart):
            self.state, self.result = State.RECEIVING, event.info
            self._canvas.begin(event.spec)
        elif isinstance(event, engine_client.ResultStrip):
            self._canvas.write(event.y, event.rows, event.data)
        elif isinstance(event, engine_client.Done):
            self.state = State.DONE
        elif isinstance(event, engine_client.Cancelled):
            self.state = State.CANCELLED
        return not isinstance(event, engine_client.Idle)

    def stop(self, keep: bool) -> None:
        """Asks for an early end: with the picture so far (``keep``), or with nothing."""
        self._client.stop(keep)


def describe(progress: Progress) -> str:
    """A progress message in words: what is being done, at which size, and how long it will take."""
    stages = {"prepare": _("preparing"), "finish": _("finishing")}
    words = stages.get(progress.stage, "")
    if not words:
        words = _("painting")
        if progress.scales > 1:
            words = _("painting, size {scale} of {scales}").format(
                scale=progress.scale, scales=progress.scales
            )
        if progress.width and progress.height:
            words += f" ({progress.width} × {progress.height} px)"
    if progress.eta_s is not None:
        words += ", " + _("{time} left").format(time=duration(progress.eta_s))
    if progress.features:
        words += f" · {translated(progress.features)}"
    return words


def duration(seconds: float) -> str:
    """A length of time for people: "45 s", "12 min", "1.5 h"."""
    if seconds < 90:
        return _("{n} s").format(n=f"{max(seconds, 0):.0f}")
    if seconds < 90 * 60:
        return _("{n} min").format(n=f"{seconds / 60:.0f}")
    return _("{n} h").format(n=f"{seconds / 3600:.1f}")
