"""``styleengine serve``: the engine behind a pair of pipes (see `protocol` for the language).

One thread reads (`inbox`), this one paints and sends (`outbox`).
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

from styleengine import __version__
from styleengine.machine import memory, parent
from styleengine.machine.failures import broken_install
from styleengine.pictures.files import to_pixels
from styleengine.protocol import (
    ACCEPTED,
    PROTOCOL,
    EngineError,
    PictureSpec,
    Progress,
    Settings,
    message,
    with_sentences,
)
from styleengine.serving.arriving import Incoming
from styleengine.serving.inbox import Inbox, Work
from styleengine.serving.outbox import Outbox, Pulse
from styleengine.together import launch

if TYPE_CHECKING:
    from styleengine.engine import Engine
    from styleengine.jobs import Before, Frame, Preview, Result

log = logging.getLogger(__name__)

WARM = ("fast", "draft")
"""Presets whose networks are loaded as long as nobody asks for anything: first of all previews."""
MOST_SLOWER = 20.0
NICENESS = 5
"""Politeness to the image editor on the same computer (POSIX)."""


class Expected:
    """How long a run takes, against what it was expected to when it began."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._seconds = 0.0

    def note(self, left: float | None) -> None:
        """Takes note of the first ``left`` seconds that are told."""
        if self._at is None and left:
            self._at, self._seconds = time.monotonic(), left

    @property
    def ratio(self) -> float:
        """The time since then over what was told; 1 if nothing was."""
        if self._at is None:
            return 1.0
        return min(MOST_SLOWER, max(0.2, (time.monotonic() - self._at) / self._seconds))


class Server:
    """Serves jobs, one after another, from ``source`` to ``sink``."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Nothing is read before `serve`."""
        self._outbox = Outbox(sink)
        self._inbox = Inbox(source, self._outbox)
        self._pulse = Pulse(self._outbox)
        self._engine: Engine | None = None
        self._before: tuple[str, Before | None] = ("", None)  # a series and its last picture
        self._frame: Frame | None = None  # the same, if that was painted to be steady with

    def serve(self) -> None:
        """Runs until the source ends, and then ends the process."""
        self._inbox.start()
        while True:
            self._done(self._inbox.next())  # which is forgotten before the next one is waited for

    def _done(self, work: Work) -> None:
        try:
            with self._pulse:
                self._do(work)
        except Exception as error:  # the edge of the process: report, log, live on
            self._outbox.fail(work.job.id if work.job else "", error)
            if launch.group().busy:  # nothing more can be done without the other processes
                os._exit(1)

    def _do(self, work: Work) -> None:
        if work.kind == "greet":
            self._ready()
            self._warm_up()
        elif work.kind == "prepare" and work.job is not None:
            if not self._inbox.asked(work.job):
                self._load_network(work.job.settings, work.job.weights)
        elif work.job is not None:
            try:
                self._paint(work.job)
            finally:
                self._inbox.done(work.job)

    def _load(self) -> Engine:
        try:
            from styleengine.engine import Engine
        except (ImportError, OSError) as error:
            raise broken_install(error) from error
        self._engine = self._engine or Engine()
        return self._engine

    def _ready(self) -> None:
        engine = self._load()
        from styleengine.machine import devices
        from styleengine.weights.store import status

        names = devices.available()
        header = {
            "type": "ready",
            "protocol": PROTOCOL,
            "version": __version__,
            "capabilities": engine.plugins.capabilities(),
            "features": status().source,
            "memory": memory.free(devices.pick(names[0])),
            "broken_plugins": engine.plugins.broken,
            "accepts": list(ACCEPTED),
        }
        self._outbox.send(with_sentences(header, devices={n: devices.describe(n) for n in names}))

    def _warm_up(self) -> None:
        """Loads what most jobs need, unless somebody is waiting for something else."""
        for preset in WARM:
            if self._inbox.idle:
                self._load_network(Settings(preset=preset), None)

    def _load_network(self, settings: Settings, weights: str | None) -> None:
        try:
            self._load().prepare(settings, weights)
        except EngineError as error:  # for the run to tell, if one comes
            log.info("not loaded ahead: %s", error)
        except Exception:
            log.exception("not loaded ahead")

    def _paint(self, incoming: Incoming) -> None:
        engine, inbox = self._load(), self._inbox
        from styleengine.jobs import Preview
        from styleengine.scene.going_on import kept

        inbox.may_preview(first=True)
        dtype = incoming.content.spec.dtype
        if inbox.asked(incoming):
            self._cancelled(incoming.id)
            return
        job = incoming.job()
        if incoming.series and incoming.series == self._before[0]:
            job = replace(
                job, before=self._before[1], frame=self._frame if incoming.steady else None
            )
        # What stands for itself leaves what is to be gone on with.
        if incoming.series and job.spot is None:
            job = replace(job, steady=incoming.steady)
            self._before, self._frame = ("", None), None
        expected = Expected()
        with closing(engine.run(job, lambda: inbox.asked(incoming) == "keep")) as events:
            for event in events:
                if inbox.asked(incoming) == "drop":
                    self._cancelled(incoming.id)
                    return
                if isinstance(event, Progress):
                    expected.note(event.eta_s)
                    self._outbox.send(message(event, id=incoming.id))
                elif isinstance(event, Preview):
                    self._preview(incoming.id, event)
                else:
                    about = {} if event.stopped else self._estimate(incoming, expected.ratio)
                    self._result(incoming.id, event, dtype, about)
                    if incoming.series and job.spot is None:
                        finished = None if event.stopped else job.settings
                        side = max(event.reached)
                        made = kept(job.content, event.picture, finished, side)
                        self._before, self._frame = (incoming.series, made), event.frame

    def _cancelled(self, job_id: str) -> None:
        self._outbox.send({"type": "cancelled", "id": job_id})

    def _preview(self, job_id: str, event: Preview) -> None:
        if not self._inbox.may_preview():
            return
        picture = event.picture
        size = {"width": picture.width, "height": picture.height}
        header = {"type": "preview", "id": job_id, **size, "step": event.step}
        self._outbox.send(header, to_pixels(picture, "u8"))

    def _estimate(self, preview: Incoming, ratio: float) -> dict[str, Any]:
        """What the painting will take that a quick preview is for; ``ratio`` is how much longer
        than expected the preview took."""
        if preview.painting is None:
            return {}
        try:
            seconds, memory = self._load().estimate(*preview.painting, preview.weights)
        except EngineError as error:  # for the run to tell, if one comes
            log.info("not estimated: %s", error)
            return {}
        told = None if seconds is None else round(seconds * ratio, 1)
        return {"estimate": {"seconds": told, "memory": memory}}

    def _result(self, job_id: str, result: Result, dtype: str, about: dict[str, Any]) -> None:
        picture = result.picture
        spec = PictureSpec(picture.width, picture.height, dtype)
        header: dict[str, Any] = {
            "type": "result",
            "id": job_id,
            "width": spec.width,
            "height": spec.height,
            "dtype": dtype,
            "seconds": round(result.seconds, 3),
            "settings": result.settings.to_dict(),
            "features": result.features,
            "device": result.device,
            "stopped": result.stopped,
            **about,
            "reached": list(result.reached),
        }
        self._outbox.send(with_sentences(header, notes=result.notes))
        for y, rows in spec.strips():
            strip = type(picture)(
                picture.rgb[y : y + rows],
                None if picture.alpha is None else picture.alpha[y : y + rows],
            )
            part = {"type": "pixels", "id": job_id, "of": "result", "y": y, "rows": rows}
            self._outbox.send(part, to_pixels(strip, dtype))


def main() -> None:
    """Serves on stdin and stdout until stdin ends, or the parent process does."""
    parent.die_with_it()
    # The real stdout is kept for frames; whatever else prints to stdout goes to stderr.
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        Server(sys.stdin.buffer, sink).serve()
    except Exception:
        # Ends at once: an orderly exit would wait for the reading thread, which holds stdin.
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
