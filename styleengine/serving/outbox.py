"""The way out: frames to the other side, whole, whichever thread sends them."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any, BinaryIO

import numpy as np

from styleengine.machine.failures import is_out_of_memory, out_of_memory
from styleengine.protocol import EngineError, failed, write_frame

log = logging.getLogger(__name__)

ALIVE_S = 1.0


class Outbox:
    """Sends frames to ``sink``. When nobody reads them any more, the process ends."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._whole = threading.Lock()

    def send(self, header: dict[str, Any], payload: np.ndarray | None = None) -> None:
        """Sends one frame."""
        try:
            with self._whole:
                data = None if payload is None else payload.reshape(-1).data
                write_frame(self._sink, header, data)
        except OSError as error:  # a closed pipe; there is nobody left to tell
            log.info("nobody listens any more: %s", error)
            os._exit(0)

    def fail(self, job_id: str, error: Exception) -> None:
        """Tells what went wrong; what was not expected goes to the log, too."""
        if not isinstance(error, EngineError):
            if is_out_of_memory(error):
                error = out_of_memory()
            else:
                log.error("job %r failed", job_id, exc_info=error)
                error = EngineError(
                    "internal",
                    "The engine failed unexpectedly ({reason}).",
                    "This is a bug; the engine's log has the details.",
                    reason=f"{type(error).__name__}: {error}"[:500],
                )
        self.send(failed(error, job_id))


class Pulse:
    """Says ``alive`` every second of work, so that the other side can tell work from silence.

    A step of a large picture, or loading a library from a slow disk, may take a minute.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._busy = threading.Event()
        threading.Thread(target=self._beat, name="pulse", daemon=True).start()

    def __enter__(self) -> None:
        self._busy.set()

    def __exit__(self, *_: object) -> None:
        self._busy.clear()

    def _beat(self) -> None:
        while self._busy.wait():
            time.sleep(ALIVE_S)
            if self._busy.is_set():
                self._outbox.send({"type": "alive"})
