"""One engine and what the dialog asks of it, one job at a time. Knows nothing of GIMP or GTK.

The dialog calls `Session.tick` many times a second from its event loop. Nothing in here waits.
"""

from __future__ import annotations

import time
from typing import Any, Callable

from engine.client import EngineClient
from engine.events import PictureSoFar
from engine.job import Job, State
from engine.mishap import unexpected
from engine.phase import Listener, Phase
from engine.work import Idle, Painting, QuickPreview, Sample, Spot, Work
from protocol import EngineError, Progress

DEBOUNCE_S, CALM_S = 0.35, 0.4
BUDGET_S = 0.02


class Session:
    """Starts the engine, keeps it warm, and runs quick previews and paintings on it.

    A quick preview starts at once if none was asked for a moment ago, else it waits for a moment of
    calm; it is replaced by the next one, and gives way to a painting. A painting is ended by `keep`
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
        self._next: Painting | None = None
        self._preview: tuple[QuickPreview, float] | None = None  # and when it may start
        self._spot: tuple[Spot, float] | None = None  # likewise
        self._wanted_end = ""
        self._broken = self._closed = False
        self.idle: Callable[[], Idle | None] = lambda: None
        """Asked for something to do when there is nothing else."""

    @property
    def phase(self) -> Phase:
        """What is going on."""
        if self._closed:
            return Phase.CLOSED
        if self._next is not None:
            return Phase.PAINTING
        if isinstance(self._work, Painting):
            endings = {"keep": Phase.KEEPING, "drop": Phase.CANCELLING}
            return endings.get(self._wanted_end, Phase.PAINTING)
        if self._broken:
            return Phase.BROKEN
        if self._client is None or not self._client.ready:
            return Phase.STARTING
        busy = self._preview or (self._work and not isinstance(self._work, Idle))
        return Phase.PREVIEWING if busy else Phase.READY

    @property
    def is_painting(self) -> bool:
        """Whether a painting is under way."""
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

    def preview(self, work: QuickPreview) -> None:
        """Runs a quick preview soon; it replaces the one before. Not during a painting."""
        if self.is_painting or self._closed:
            work.given_up(None)
            return
        self._end_previews("drop")
        now = self._clock()
        self._preview = (work, now if now - self._asked > DEBOUNCE_S else now + DEBOUNCE_S)
        self._asked = now
        self._listener.session_changed()

    def look(self, work: Spot) -> None:
        """Paints a spot after a moment of calm, when the quick preview is done; it replaces the
        one before. Not during a painting."""
        if self.is_painting or self._closed:
            work.given_up(None)
            return
        self.look_away()
        if isinstance(self._work, Idle):
            self._end("drop")
        self._spot = (work, self._clock() + CALM_S)

    def look_away(self) -> None:
        """No spot is wanted any more."""
        self._drop_waiting_spot()
        if isinstance(self._work, Spot):
            self._end("drop")

    @property
    def is_looking(self) -> bool:
        """Whether a spot is being painted."""
        return isinstance(self._work, Spot)

    def paint(self, work: Painting) -> None:
        """Begins a painting at once, unless one is under way."""
        if self.is_painting or self._closed:
            work.given_up(None)
            return
        # Neither what is done in idle time nor a spot, which are quick previews, too.
        previews = type(self._work) is QuickPreview
        self._end_previews("keep" if work.goes_on and previews else "drop")
        self._next = work
        self._listener.session_changed()

    def keep(self) -> None:
        """Ends the painting with the picture so far."""
        self._end("keep")

    def cancel(self) -> None:
        """Ends whatever there is with nothing; asked a second time, with force."""
        if self._wanted_end == "drop" and isinstance(self._work, Painting):
            self._force()
            return
        self._drop_waiting_preview()
        if self._next is not None:
            work, self._next = self._next, None
            work.given_up(None)
            self._listener.session_changed()
        self._end("drop")

    def drop_sample(self) -> None:
        """Ends a sample: something else may soon be asked for."""
        if isinstance(self._work, Sample):
            self._end("drop")

    def restart(self) -> None:
        """Ends the engine and starts another, which finds newly installed features."""
        self._forget_engine()
        self.warm_up()

    def close(self) -> None:
        """Ends the engine and everything else."""
        self._closed = True
        self._forget_engine()

    def abandon(self) -> None:
        """Ends the engine at once; nobody is left who could be told anything."""
        if self._client is not None:
            self._client.kill()

    # --- the work ------------------------------------------------------------------------------

    def tick(self) -> None:
        """Does what there is to do now, for about `BUDGET_S` at most."""
        if self._closed:
            return
        if self._next or self._preview or self._spot:
            self._have_engine()
        if self._client is None:
            return
        end = self._clock() + BUDGET_S
        try:
            while self._step() and self._clock() < end:
                pass
        except EngineError as problem:
            self._broke_down(problem)
        except Exception as error:  # of the canvas, the pictures or whoever listens
            self._broke_down(unexpected(error))

    def _step(self) -> bool:
        """One small thing; False if there is nothing to do for the moment."""
        assert self._client is not None
        if self._next is not None and self._prepare(self._next):
            return True
        if self._handshake is not None:
            if next(self._handshake, None) is not None:
                return False
            self._handshake = None
            self._listener.session_changed()
        if self._job is None:
            return self._begin()
        job = self._job
        before = job.state, job.progress
        moved = job.advance()
        if (job.state, job.progress) != before:
            self._listener.session_changed()
        if not job.is_finished:
            return moved
        work, dropped = self._release(), self._wanted_end == "drop"
        self._wanted_end = ""
        if work is not None and (dropped or job.state is State.CANCELLED):
            work.given_up(None)
        elif work is not None:
            work.done(job.result)
        self._listener.session_changed()
        return False

    def _prepare(self, work: Painting) -> bool:
        try:
            return next(work.prepare, self) is not self
        except EngineError as problem:
            self._next = None
            work.given_up(problem)
            self._listener.session_failed(problem)
            self._listener.session_changed()
            return False

    def _begin(self) -> bool:
        assert self._client is not None
        work: Work | None = None
        if self._next is not None:
            work, self._next = self._next, None
        elif self._preview is not None and self._clock() >= self._preview[1]:
            work, self._preview = self._preview[0], None
        elif self._spot is not None and self._preview is None and self._clock() >= self._spot[1]:
            work, self._spot = self._spot[0], None
        elif self._preview is None and self._spot is None and self._client.process.is_alive:
            work = self.idle()
        if work is None:
            return False

        def show(picture: PictureSoFar) -> None:
            if self._wanted_end != "drop":
                work.so_far(picture)

        self._work, self._wanted_end = work, ""
        self._job = Job(self._client, work.request(), work.canvas, show, poll_s=0.0)
        self._listener.session_changed()
        return True

    def _release(self) -> Work | None:
        """Ends the job; returns what it did, for somebody to tell it how that has ended."""
        work, self._work, self._job = self._work, None, None
        return work

    def _end_previews(self, how: str) -> None:
        self._drop_waiting_preview()
        if isinstance(self._work, QuickPreview):
            self._end(how)

    def _drop_waiting_preview(self) -> None:
        if self._preview is not None:
            (work, _), self._preview = self._preview, None
            work.given_up(None)
        self._drop_waiting_spot()

    def _drop_waiting_spot(self) -> None:
        if self._spot is not None:
            (work, _), self._spot = self._spot, None
            work.given_up(None)

    def _end(self, how: str) -> None:
        if self._job is None or self._wanted_end == "drop":
            return
        self._job.stop(keep=how == "keep")
        self._wanted_end = how
        self._listener.session_changed()

    def _have_engine(self) -> None:
        """Starts an engine if there is none. Nobody misses one that has ended while it was idle."""
        idle = self._job is None and self._handshake is None
        if self._client is not None and idle and not self._client.process.is_alive:
            self._client.close()
            self._client = None
        if self._client is None:
            self.warm_up()

    # --- trouble -------------------------------------------------------------------------------

    def _broke_down(self, problem: EngineError) -> None:
        """A job has failed: the engine may well live on."""
        client = self._client
        lives = client is not None and client.process.is_alive and self._handshake is None
        if client and lives and problem.code not in ("protocol", "engine-stalled"):
            client.stop(keep=False)  # it may still wait for the rest of a picture
            work, self._wanted_end = self._release(), ""
            if work is not None:
                work.given_up(problem)
            if not isinstance(work, Idle):
                self._listener.session_failed(problem)
            self._listener.session_changed()
        elif problem.code == "engine-stalled" and self._wanted_end == "drop":
            self._force()
        else:
            self._break(problem)

    def _break(self, problem: EngineError) -> None:
        self._broken = True
        self._forget_engine(problem)
        self._listener.session_failed(problem)
        self._listener.session_changed()

    def _force(self) -> None:
        """Ends an engine that does not listen; another one takes its place."""
        self.abandon()
        self.restart()

    def _forget_engine(self, problem: EngineError | None = None) -> None:
        client, self._client = self._client, None
        waiting = [each[0] for each in (self._preview, self._spot) if each]
        left = [work for work in (self._release(), self._next, *waiting) if work is not None]
        self._handshake = self._next = self._preview = self._spot = None
        self._wanted_end = ""
        if client is not None:
            client.close()
        for work in left:
            work.given_up(problem)
