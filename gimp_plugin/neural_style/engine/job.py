"""One repainting, from the first pixel sent to the last one received. Knows nothing of GIMP or GTK.

A user interface calls `Job.advance` as often as it likes and shows `Job.text` and `Job.fraction`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any, Callable, Protocol

from engine.client import EngineClient
from engine.events import Cancelled, Done, Event, Idle, PictureSoFar, ResultStart, ResultStrip
from engine.request import Request
from engine.wording import describe
from language.texts import _
from protocol import PictureSpec, Progress


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
        so_far: Callable[[PictureSoFar], None] | None = None,
        poll_s: float = 0.1,
    ) -> None:
        self.state = State.STARTING
        self.progress: Progress | None = None
        self.result: dict[str, Any] = {}
        self._client = client
        self._canvas = canvas
        self._so_far = so_far
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
        elif isinstance(event, PictureSoFar):
            if self._so_far:
                self._so_far(event)
        elif isinstance(event, ResultStart):
            self.state, self.result = State.RECEIVING, event.info
            self._canvas.begin(event.spec)
        elif isinstance(event, ResultStrip):
            self._canvas.write(event.y, event.rows, event.data)
        elif isinstance(event, Done):
            self.state = State.DONE
        elif isinstance(event, Cancelled):
            self.state = State.CANCELLED
        return not isinstance(event, Idle)

    def stop(self, keep: bool) -> None:
        """Asks for an early end: with the picture so far (``keep``), or with nothing."""
        self._client.stop(keep)
