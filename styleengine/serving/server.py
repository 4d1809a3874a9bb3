"""``styleengine serve``: the engine behind a pair of pipes (see `protocol` for the language).

One thread reads: it takes jobs in, notes stop requests, and ends the process at once when stdin
ends, whatever the engine is doing. The main thread paints and writes.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from styleengine import __version__
from styleengine.machine import memory
from styleengine.machine.failures import broken_install, out_of_memory
from styleengine.pictures.files import to_pixels
from styleengine.protocol import (
    ACCEPTED,
    PROTOCOL,
    EngineError,
    PictureSpec,
    Progress,
    Settings,
    check_protocol,
    failed,
    message,
    read_frame,
    with_sentences,
    write_frame,
)
from styleengine.serving.arriving import Incoming

if TYPE_CHECKING:
    from styleengine.engine import Engine
    from styleengine.jobs import Before, Result

log = logging.getLogger(__name__)

PARENT_CHECK_S = 0.5
WARM = ("fast", "draft")
"""Presets whose networks are loaded as long as nobody asks for anything: first of all previews."""
NICENESS = 5
"""Politeness to the image editor on the same computer (POSIX)."""


class Server:
    """Serves jobs, one after another, from ``source`` to ``sink``."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Nothing is read before `serve`."""
        self._source, self._sink = source, sink
        self._write = threading.Lock()
        self._work: queue.Queue[tuple[str, Callable[[], None]]] = queue.Queue()
        self._arriving: dict[str, Incoming] = {}
        self._known: dict[str, Incoming] = {}
        self._unseen_preview = False
        self._greeted = False
        self._engine: Engine | None = None
        self._before: tuple[str, Before | None] = ("", None)  # a series and its last picture

    def serve(self) -> None:
        """Runs until the source ends, and then ends the process."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        while True:
            job_id, action = self._work.get()
            self._guarded(job_id, action)

    # --- the reading thread ---

    def _read(self) -> None:
        try:
            while (frame := read_frame(self._source)) is not None:
                header, payload = frame
                try:
                    self._take(header, payload)
                except EngineError as error:
                    job_id = str(header.get("id", ""))
                    self._arriving.pop(job_id, None)
                    self._fail(job_id, error)
        except EngineError as error:
            self._fail("", error)
        finally:
            # Not a clean exit on purpose: the other side is gone, and the main thread may be deep
            # inside a convolution.
            os._exit(0)

    def _take(self, header: dict[str, Any], payload: bytes) -> None:
        kind, job_id = header["type"], str(header.get("id", ""))
        if kind == "hello":
            check_protocol(header.get("protocol"), engine_is_asking=True)
            self._greeted = True
            self._work.put(("", self._ready))
            for preset in WARM:
                self._work.put(("", partial(self._warm_up, Settings(preset=preset))))
        elif kind == "run":
            if not self._greeted:
                raise EngineError("protocol", "A job came before the greeting.")
            incoming = Incoming.of(header)
            self._arriving[job_id] = self._known[job_id] = incoming
            # While its pictures come in, there is time to load the network.
            self._work.put(("", partial(self._prepare, incoming)))
            self._start_if_complete(incoming)
        elif kind in {"style", "pixels"} and job_id in self._arriving:
            incoming = self._arriving[job_id]
            incoming.put(header, payload)
            self._start_if_complete(incoming)
        elif kind == "stop" and job_id in self._known:
            self._known[job_id].stop = "keep" if header.get("keep", True) else "drop"
            if self._arriving.pop(job_id, None):
                del self._known[job_id]
                self._send({"type": "cancelled", "id": job_id})
        elif kind == "seen":
            self._unseen_preview = False

    def _start_if_complete(self, incoming: Incoming) -> None:
        if incoming.complete:
            del self._arriving[incoming.id]
            self._work.put((incoming.id, partial(self._paint, incoming)))

    # --- the main thread ---

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
        self._send(with_sentences(header, devices={n: devices.describe(n) for n in names}))

    def _warm_up(self, settings: Settings) -> None:
        """Loads what ``settings`` will need, unless somebody is waiting for something else."""
        if not self._known:
            self._load_network(settings, None)

    def _prepare(self, incoming: Incoming) -> None:
        if not incoming.stop:
            self._load_network(incoming.settings, incoming.weights)

    def _load_network(self, settings: Settings, weights: str | None) -> None:
        try:
            self._load().prepare(settings, weights)
        except EngineError as error:  # for the run to tell, if one comes
            log.info("not loaded ahead: %s", error)

    def _guarded(self, job_id: str, action: Callable[[], None]) -> None:
        """Runs ``action``; whatever goes wrong is told to the other side."""
        try:
            action()
        except EngineError as error:
            self._fail(job_id, error)
        except BrokenPipeError:
            os._exit(0)
        except MemoryError:
            self._fail(job_id, out_of_memory())
        except Exception as error:  # the edge of the process: report, log, live on
            log.exception("job %s failed", job_id)
            self._fail(
                job_id,
                EngineError(
                    "internal",
                    "The engine failed unexpectedly ({reason}).",
                    "This is a bug; the engine's log has the details.",
                    reason=f"{type(error).__name__}: {error}",
                ),
            )

    def _paint(self, incoming: Incoming) -> None:
        try:
            self._run(incoming)
        finally:
            self._known.pop(incoming.id, None)

    def _run(self, incoming: Incoming) -> None:
        engine = self._load()
        from styleengine.jobs import Preview
        from styleengine.scene.going_on import kept

        self._unseen_preview = False
        spec = incoming.content.spec
        if incoming.stop:
            self._send({"type": "cancelled", "id": incoming.id})
            return
        job = incoming.job()
        if incoming.series and incoming.series == self._before[0]:
            job = replace(job, before=self._before[1])
        self._before = ("", None)
        with closing(engine.run(job, lambda: incoming.asked() == "keep")) as events:
            for event in events:
                if incoming.asked() == "drop":
                    self._send({"type": "cancelled", "id": incoming.id})
                    return
                if isinstance(event, Progress):
                    self._send(message(event, id=incoming.id))
                elif isinstance(event, Preview):
                    self._preview(incoming.id, event)
                else:
                    self._result(incoming.id, event, spec.dtype)
                    if incoming.series:
                        before = kept(job.content, event.picture)
                        self._before = (incoming.series, before)

    def _preview(self, job_id: str, event: Any) -> None:
        if self._unseen_preview:
            return
        self._unseen_preview = True
        picture = event.picture
        self._send(
            {
                "type": "preview",
                "id": job_id,
                "width": picture.width,
                "height": picture.height,
                "step": event.step,
            },
            to_pixels(picture, "u8"),
        )

    def _result(self, job_id: str, result: Result, dtype: str) -> None:
        picture = result.picture
        spec = PictureSpec(picture.width, picture.height, dtype)
        header = {
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
        }
        self._send(with_sentences(header, notes=result.notes))
        for y, rows in spec.strips():
            strip = type(picture)(
                picture.rgb[y : y + rows],
                None if picture.alpha is None else picture.alpha[y : y + rows],
            )
            pixels = to_pixels(strip, dtype)
            self._send(
                {"type": "pixels", "id": job_id, "of": "result", "y": y, "rows": rows}, pixels
            )

    def _fail(self, job_id: str, error: EngineError) -> None:
        self._send(failed(error, job_id))

    def _send(self, header: dict[str, Any], payload: np.ndarray | None = None) -> None:
        with self._write:
            write_frame(self._sink, header, None if payload is None else payload.reshape(-1).data)


def _watch_parent(parent: int) -> None:
    """Ends the process when its parent dies, in case something else holds the pipe open."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(0)


def main() -> None:
    """Serves on stdin and stdout until stdin ends."""
    # The real stdout is kept for frames; whatever else prints to stdout goes to stderr.
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if hasattr(os, "nice"):
        os.nice(NICENESS)
        threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
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
