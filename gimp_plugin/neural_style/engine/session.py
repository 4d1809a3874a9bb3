"""One engine and what the dialog asks of it, one job at a time. Knows nothing of GIMP or GTK.

The dialog calls `Session.tick` many times a second from its event loop. Nothing in here waits.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable, Protocol

from engine.client import EngineClient, Preview
from engine.job import Canvas, Job, State
from engine.request import Request
from protocol import EngineError, Progress

DEBOUNCE_S = 0.35
BUDGET_S = 0.02


class Phase(enum.Enum):
    """What is going on, as far as the user is concerned."""

    STARTING = "starting"
    READY = "ready"
    PREVIEWING = "previewing"
    PAINTING = "painting"
    KEEPING = "keeping"
    CANCELLING = "cancelling"
    BROKEN = "broken"
    CLOSED = "closed"


@dataclass(frozen=True)
class Work:
    """A job to come. ``request`` is called when it starts, because by then the layer may have
    changed; ``prepare`` is done before, in small steps, while the engine may still be busy.
    ``note`` is the caller's own.
    """

    request: Callable[[], Request] = field(repr=False)
    canvas: Canvas = field(repr=False)
    quick: bool
    note: Any = None
    prepare: Iterator[None] = field(default_factory=lambda: iter(()), repr=False)


class Listener(Protocol):
    """Who wants to know. Every method is called from `Session.tick` or from the call that asked."""

    def session_changed(self) -> None:
        """The phase or the progress is another one."""

    def session_preview(self, work: Work, preview: Preview) -> None:
        """The picture so far."""

    def session_done(self, work: Work, info: dict[str, Any]) -> None:
        """The canvas of ``work`` holds the result; ``info`` is the engine's account of it."""

    def session_dropped(self, work: Work) -> None:
        """The work has ended with nothing, as asked; its canvas is of no use any more."""

    def session_failed(self, work: Work | None, problem: EngineError) -> None:
        """The work, or the engine itself, has come to nothing."""


class Session:
    """Starts the engine, keeps it warm, and runs quick previews and real jobs on it.

    A quick preview starts at once if none was asked for a moment ago, else it waits for a moment of
    calm; it is replaced by the next one, and gives way to real work. Real work is ended by `keep`
    or `cancel` only. ``client`` is an engine that has been started already.
    """

    def __init__(
        self,
        start_engine: Callable[[], EngineClient],
        listener: Listener,
        clock: Callable[[], float] = time.monotonic,
        client: EngineClient | None = None,
    ) -> None:
        self._start_engine, self._listener, self._clock = start_engine, listener, clock
        self._client = client
        self._handshake = client.handshake(poll_s=0.0) if client else None
        self._asked = float("-inf")  # when the last quick preview was
        self._job: Job | None = None
        self._work: Work | None = None  # what the job does
        self._next: Work | None = None
        self._quick: tuple[Work, float] | None = None  # and when it may start
        self._wanted_end = ""
        self._broken = self._closed = False

    # --- what is going on ----------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """What is going on."""
        if self._closed:
            return Phase.CLOSED
        if self._next is not None:
            return Phase.PAINTING
        if self._work is not None and not self._work.quick:
            endings = {"keep": Phase.KEEPING, "drop": Phase.CANCELLING}
            return endings.get(self._wanted_end, Phase.PAINTING)
        if self._broken:
            return Phase.BROKEN
        if self._client is None or not self._client.ready:
            return Phase.STARTING
        return Phase.PREVIEWING if self._work or self._quick else Phase.READY

    @property
    def is_painting(self) -> bool:
        """Whether real work is under way."""
        return self.phase in (Phase.PAINTING, Phase.KEEPING, Phase.CANCELLING)

    @property
    def progress(self) -> Progress | None:
        """How far the current job is; None before it tells."""
        return self._job.progress if self._job and not self._next else None

    @property
    def is_receiving(self) -> bool:
        """Whether the result is coming in."""
        return self._job is not None and self._job.state is State.RECEIVING

    @property
    def ready(self) -> dict[str, Any]:
        """What the engine said about itself; empty before it is ready."""
        return self._client.ready if self._client else {}

    @property
    def pid(self) -> int:
        """The engine's process id, 0 if there is none."""
        return self._client.process.pid if self._client else 0

    # --- what the user wants -------------------------------------------------------------------

    def warm_up(self) -> None:
        """Starts the engine, so that it is ready when it is needed."""
        self._broken = False
        if self._client is None and not self._closed:
            try:
                self._client = self._start_engine()
            except EngineError as problem:
                self._break(problem)
                return
            self._handshake = self._client.handshake(poll_s=0.0)
        self._listener.session_changed()

    def preview(self, work: Work) -> None:
        """Runs a quick preview soon; it replaces the one before. Not during real work."""
        if self.is_painting or self._closed:
            return
        now = self._clock()
        self._quick = (work, now if now - self._asked > DEBOUNCE_S else now + DEBOUNCE_S)
        self._asked = now
        self._drop_quick_job()
        self._listener.session_changed()

    def paint(self, work: Work) -> None:
        """Runs real work at once."""
        if self.is_painting or self._closed:
            return
        self._next, self._quick = work, None
        self._drop_quick_job()
        self._listener.session_changed()

    def keep(self) -> None:
        """Ends the real work with the picture so far."""
        self._end("keep")

    def cancel(self) -> None:
        """Ends whatever there is with nothing."""
        self._quick = None
        if self._next is not None:
            work, self._next = self._next, None
            self._listener.session_dropped(work)
            self._listener.session_changed()
        self._end("drop")

    def restart(self) -> None:
        """Ends the engine and starts another, which finds newly installed features."""
        self._forget_engine()
        self.warm_up()

    def close(self) -> None:
        """Ends the engine and everything else."""
        self._closed = True
        self._forget_engine()

    # --- the work ------------------------------------------------------------------------------

    def tick(self) -> None:
        """Does what there is to do now, for about `BUDGET_S` at most."""
        if self._closed:
            return
        if self._client is None and (self._next or self._quick):
            self.warm_up()
        if self._client is None:
            return
        end = self._clock() + BUDGET_S
        work = self._work
        try:
            while self._step() and self._clock() < end:
                pass
        except EngineError as problem:
            self._broke_down(problem, self._work or work)

    def _step(self) -> bool:
        """One small thing; False if there is nothing to do for the moment."""
        assert self._client is not None
        if self._next is not None and next(self._next.prepare, self) is not self:
            return True
        if self._handshake is not None:
            if next(self._handshake, None) is not None:
                return False
            self._handshake = None
            self._listener.session_changed()
        if self._job is None:
            return self._begin()
        job, work = self._job, self._work
        assert work is not None
        before = job.state, job.progress
        moved = job.advance()
        if (job.state, job.progress) != before:
            self._listener.session_changed()
        if not job.is_finished:
            return moved
        dropped = self._wanted_end == "drop" or job.state is State.CANCELLED
        self._job = self._work = None
        self._wanted_end = ""
        if dropped:
            self._listener.session_dropped(work)
        else:
            self._listener.session_done(work, job.result)
        self._listener.session_changed()
        return False

    def _begin(self) -> bool:
        assert self._client is not None
        if self._next is not None:
            self._work, self._next = self._next, None
        elif self._quick is not None and self._clock() >= self._quick[1]:
            self._work, self._quick = self._quick[0], None
        else:
            return False
        work = self._work

        def show(preview: Preview) -> None:
            if self._wanted_end != "drop":
                self._listener.session_preview(work, preview)

        self._wanted_end = ""
        self._job = Job(self._client, work.request(), work.canvas, show, poll_s=0.0)
        self._listener.session_changed()
        return True

    def _drop_quick_job(self) -> None:
        if self._job is not None and self._work is not None and self._work.quick:
            self._end("drop")

    def _end(self, how: str) -> None:
        if self._job is None or self._wanted_end == "drop":
            return
        # Once the result is on its way the engine has nothing left to stop.
        if self._job.state is not State.RECEIVING:
            self._job.stop(keep=how == "keep")
        self._wanted_end = how
        self._listener.session_changed()

    # --- trouble -------------------------------------------------------------------------------

    def _broke_down(self, problem: EngineError, work: Work | None) -> None:
        """A job has failed: the engine may well live on."""
        client = self._client
        self._job = self._work = None
        self._wanted_end = ""
        lives = client is not None and client.process.is_alive and self._handshake is None
        if lives and problem.code not in ("protocol", "engine-stalled"):
            client.stop(keep=False)  # it may still wait for the rest of a picture
            self._listener.session_failed(work, problem)
            self._listener.session_changed()
            return
        self._break(problem, work)

    def _break(self, problem: EngineError, work: Work | None = None) -> None:
        work = work or self._next
        self._broken = True
        self._forget_engine()
        self._listener.session_failed(work, problem)
        self._listener.session_changed()

    def _forget_engine(self) -> None:
        client, self._client = self._client, None
        self._handshake = self._job = self._work = self._next = self._quick = None
        self._wanted_end = ""
        if client is not None:
            client.close()
