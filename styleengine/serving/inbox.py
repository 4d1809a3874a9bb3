"""The way in: one thread reads frames, and makes work of them for the thread that paints."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, BinaryIO

from styleengine.protocol import EngineError, check_protocol, read_frame
from styleengine.serving import limits
from styleengine.serving.arriving import Incoming, Stop
from styleengine.serving.outbox import Outbox

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """One thing to do: ``kind`` is "greet", "prepare" or "paint", the latter two of a ``job``."""

    kind: str
    job: Incoming | None = None


class Inbox:
    """Jobs, from their announcement to their end. One lock guards all that two threads share."""

    def __init__(self, source: BinaryIO, outbox: Outbox) -> None:
        """Nothing is read before `start`."""
        self._source, self._outbox = source, outbox
        self._changed = threading.Condition()
        self._work: deque[Work] = deque()
        self._jobs: dict[str, Incoming] = {}  # by id, until `done`
        self._arriving: set[str] = set()  # those of which something is missing
        self._greeted = False
        self._unseen = False

    def start(self) -> None:
        """Begins to read. The process ends when the other side has gone, whatever it is doing."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()

    # --- for the painting thread ---

    def next(self) -> Work:
        """Waits for something to do."""
        with self._changed:
            while not self._work:
                self._changed.wait()
            return self._work.popleft()

    @property
    def idle(self) -> bool:
        """Whether nobody waits for anything."""
        with self._changed:
            return not self._jobs and not self._work

    def asked(self, job: Incoming) -> Stop:
        """What the other side wants of a job by now."""
        with self._changed:
            return job.stop

    def may_preview(self, *, first: bool = False) -> bool:
        """Whether the last preview has been seen; the next one is then on its way."""
        with self._changed:
            if first:
                self._unseen = False
                return True
            free, self._unseen = not self._unseen, True
            return free

    def done(self, job: Incoming) -> None:
        """Forgets a job."""
        with self._changed:
            if self._jobs.get(job.id) is job:
                del self._jobs[job.id]

    # --- the reading thread ---

    def _read(self) -> None:
        try:
            while (frame := read_frame(self._source)) is not None:
                header, payload = frame
                try:
                    self._take(header, payload)
                except Exception as error:  # told, logged, and lived with: see `Outbox.fail`
                    job_id = _id(header)
                    self._drop(job_id)
                    self._outbox.fail(job_id, error)
        except EngineError as error:
            log.error("the engine ends: %s", error)
            self._outbox.fail("", error)
        except Exception:
            log.exception("the engine ends, as it cannot read any more")
        finally:
            # Not a clean exit on purpose: the other side is gone, and the main thread may be deep
            # inside a convolution.
            os._exit(0)

    def _take(self, header: dict[str, Any], payload: bytes) -> None:
        kind, job_id = header["type"], _id(header)
        if kind == "hello":
            check_protocol(header.get("protocol"), engine_is_asking=True)
            with self._changed:
                self._greeted = True
                if not any(work.kind == "greet" for work in self._work):
                    self._put(Work("greet"))
        elif kind == "run":
            self._begin(header)
        elif kind in ("style", "pixels"):
            job = self._arriving_job(job_id)
            if job is not None:
                job.put(header, payload)
                self._paint_if_complete(job)
        elif kind == "stop":
            self._stop(job_id, keep=bool(header.get("keep", True)))
        elif kind == "seen":
            with self._changed:
                self._unseen = False

    def _begin(self, header: dict[str, Any]) -> None:
        with self._changed:
            if not self._greeted:
                raise EngineError("protocol", "A job came before the greeting.")
            if len(self._jobs) >= limits.JOBS:
                raise EngineError("protocol", "More than {n} jobs at a time.", n=limits.JOBS)
        job = Incoming.of(header)
        with self._changed:
            if job.id in self._jobs:
                raise EngineError("protocol", "Two jobs of one name.")
            self._jobs[job.id] = job
            self._arriving.add(job.id)
            # While its pictures come in, there is time to load the network.
            self._put(Work("prepare", job))
        self._paint_if_complete(job)

    def _arriving_job(self, job_id: str) -> Incoming | None:
        with self._changed:
            return self._jobs.get(job_id) if job_id in self._arriving else None

    def _paint_if_complete(self, job: Incoming) -> None:
        if job.complete:
            with self._changed:
                self._arriving.discard(job.id)
                self._put(Work("paint", job))

    def _stop(self, job_id: str, *, keep: bool) -> None:
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None:
                return
            job.stop = "keep" if keep else "drop"
            arrives = job_id in self._arriving
        if arrives:
            self._drop(job_id)
            self._outbox.send({"type": "cancelled", "id": job_id})

    def _drop(self, job_id: str) -> None:
        """Forgets a job that still arrives, with what has come of it."""
        with self._changed:
            if job_id in self._arriving:
                self._arriving.discard(job_id)
                job = self._jobs.pop(job_id)
                job.stop = "drop"
                self._work = deque(work for work in self._work if work.job is not job)

    def _put(self, work: Work) -> None:
        self._work.append(work)
        self._changed.notify()


def _id(header: dict[str, Any]) -> str:
    """A job's name as it was given, if it is one."""
    given = header.get("id", "")
    if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 1 << 63:
        return str(given)
    return given if isinstance(given, str) and len(given) <= limits.ID_LENGTH else ""
