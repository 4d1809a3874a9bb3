"""One engine process: started, spoken to in messages, and ended. Knows nothing of GIMP.

All waiting for the engine happens in two threads, so that no call blocks for longer than asked: one
thread reads frames into a short queue, the other writes frames from a short queue.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import protocol
from engine.bound import start
from engine.installed import REINSTALL, Installed, open_log, write_log
from language.texts import N_, _
from protocol import EngineError

GOODBYE_S = 2.0
CRASH_S = 0.5
QUEUED = 8  # messages; a strip of pixels is about 4 MB
EXCEPTION = re.compile(r"[\w.]*(Error|Exception|Exit|Interrupt)(:|$)")
LESS_MEMORY = N_("Choose a smaller working size, or close other programs.")


@dataclass(frozen=True)
class _End:
    """The engine's stdout has ended; ``problem`` if that was not at the end of a message."""

    problem: EngineError | None = None


class EngineProcess:
    """A running engine. Every problem of it is an `EngineError` that names the log file.

    Make it in a thread that lives as long as it does: see `bound.start`.
    """

    def __init__(self, installed: Installed) -> None:
        self._installed = installed
        self._closing = threading.Event()
        self._incoming: queue.Queue[_End | tuple[dict[str, Any], bytes]] = queue.Queue(QUEUED)
        self._outgoing: queue.Queue[Any] = queue.Queue(QUEUED)
        self.is_ready = False
        self.log, stream = open_log(installed.log)
        with stream:
            self._log_start = stream.seek(0, 2)
            self._process = self._spawn(stream)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._read, self._write)
        ]
        for thread in self._threads:
            thread.start()

    def _spawn(self, stderr: Any) -> subprocess.Popen[bytes]:
        try:
            return start(
                list(self._installed.command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=dict(self._installed.environment),
                close_fds=True,
            )
        except OSError as problem:
            raise EngineError(
                "engine-missing",
                _("The painting engine could not be started ({reason}).").format(
                    reason=problem.strerror or problem
                ),
                _(REINSTALL),
            ) from None

    @property
    def pid(self) -> int:
        """The engine's process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    # --- the threads ---------------------------------------------------------------------------

    def _read(self) -> None:
        end = _End()
        try:
            while True:
                frame = protocol.read_frame(self._stdout)
                if frame is None:
                    break
                if not self._deliver(frame):
                    return
        except EngineError as problem:
            end = _End(problem)
        except (OSError, ValueError):
            pass  # closed by `close`
        self._deliver(end)

    def _deliver(self, item: Any) -> bool:
        while not self._closing.is_set():
            try:
                self._incoming.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def _write(self) -> None:
        try:
            while True:
                item = self._outgoing.get()
                if item is None:
                    break
                protocol.write_frame(self._stdin, *item)
        except OSError:
            pass  # the engine is gone; `poll` finds out how it ended
        finally:
            with contextlib.suppress(OSError):
                self._stdin.close()

    # --- messages ------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether `send` would return at once."""
        return not self._outgoing.full()

    def send(self, header: dict[str, Any], payload: Any = None) -> None:
        """Queues a message, waiting while the queue is full; lost if the engine is gone."""
        while True:
            try:
                self._outgoing.put((header, payload), timeout=0.1)
                return
            except queue.Full:
                if self._process.poll() is not None or self._closing.is_set():
                    return

    def poll(self, timeout: float) -> tuple[dict[str, Any], bytes] | None:
        """The next message, or None if none came within ``timeout`` seconds.

        Raises `EngineError` if the engine has ended or talks nonsense.
        """
        try:
            item = self._incoming.get(timeout=timeout) if timeout else self._incoming.get_nowait()
        except queue.Empty:
            return None
        if isinstance(item, _End):
            self._incoming.put(item)  # asked again, the answer stays the same
            if item.problem is not None and not self._has_crashed():
                raise self.nonsense(item.problem)
            raise self._ended()
        return item

    # --- the end -------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends the engine: politely by closing its stdin, by force if it does not react."""
        try:
            self._outgoing.put(None, timeout=0.1)
            self._process.wait(GOODBYE_S)
        except (queue.Full, subprocess.TimeoutExpired):
            pass
        self.kill()

    def kill(self) -> None:
        """Ends the engine at once."""
        self._closing.set()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        # A writer that was blocked has failed by now; one that waits for work needs the word.
        with contextlib.suppress(queue.Full):
            self._outgoing.put_nowait(None)
        for thread in self._threads:
            thread.join(GOODBYE_S)
        if not self._threads[0].is_alive():  # a grandchild may hold the pipe open
            self._stdout.close()

    def _has_crashed(self) -> bool:
        """Whether it is the end of the engine that has cut its last message short."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(CRASH_S) != 0
        return False

    def _ended(self) -> EngineError:
        try:
            status = self._process.wait(GOODBYE_S)
        except subprocess.TimeoutExpired:  # it has closed its stdout and lives on
            self._process.kill()
            status = 0
        if status in (-9, 137):  # SIGKILL; 137 is how a shell or ssh passes it on
            return EngineError(
                "engine-killed",
                _("The painting engine was killed, probably because memory ran out."),
                self.see_log(_(LESS_MEMORY)),
            )
        cause = self._last_words()
        if "MemoryError" in cause or "bad_alloc" in cause:
            return EngineError(
                "out-of-memory",
                _("The painting engine ran out of memory."),
                self.see_log(_(LESS_MEMORY)),
            )
        if status < 0:
            cause = cause or _signal_name(-status)
        if self.is_ready:
            text, step = _("The painting engine stopped while it was working"), _("Try again.")
        else:
            text, step = _("The painting engine stopped while it was starting"), _(REINSTALL)
        told = f": {cause}" if cause else ""
        return EngineError("engine-died", f"{text}{told}.", self.see_log(step))

    def nonsense(self, problem: EngineError) -> EngineError:
        """The error for a message that breaks the protocol; the log gets its details."""
        write_log(self.log, f"the engine sent nonsense. {problem.message}")
        return EngineError(
            "protocol",
            _("The painting engine sent something that the plug-in does not understand."),
            self.see_log(_(REINSTALL)),
        )

    def see_log(self, step: str) -> str:
        """The hint ``step``, and where the log is."""
        if self.log == Path(os.devnull):
            return step
        return _("{step} Details: {file}").format(step=step, file=self.log)

    def _last_words(self) -> str:
        """The exception that this engine wrote to the log last, else the last line."""
        try:
            with open(self.log, "rb") as stream:
                end = stream.seek(0, 2)
                stream.seek(max(self._log_start, end - 4096))
                lines = stream.read().decode("utf-8", "replace").split("\n")
        except OSError:
            return ""
        words = [line.strip() for line in lines if line.strip()]
        named = [line for line in words if EXCEPTION.match(line)]
        return (named or words or [""])[-1][:200].rstrip(".")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
