"""Runs of the engine: pictures and settings go in, events come out. Knows nothing of GIMP."""

from __future__ import annotations

import math
import time
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

import protocol
from engine.installed import Installed, find
from engine.process import EngineProcess
from engine.request import Mask, Request, Strip, StyleFile, StylePixels
from language.texts import _
from protocol import HOLD, EngineError, PictureSpec, Progress

HANDSHAKE_S = 180.0  # importing torch from a cold, slow disk takes a minute
SILENCE_S = 60.0
LARGE = 1e15
NUMBERS = ("scale", "scales", "step", "steps", "width", "height", "eta_s", "memory", "done")
CANCEL_SILENCE_S = 5.0
FULL_S = 0.01
BLINK_S = 1.0  # the most that counts between two looks: this process may have slept itself


@dataclass(frozen=True)
class Idle:
    """Nothing has happened for a while."""


@dataclass(frozen=True)
class Sent:
    """Another part of the pictures is on its way to the engine, or has been read."""


@dataclass(frozen=True)
class PictureSoFar:
    """The picture so far, RGBA u8."""

    width: int
    height: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class ResultStart:
    """The result is coming: its shape, and what the engine tells about it."""

    spec: PictureSpec
    info: dict[str, Any]


@dataclass(frozen=True)
class ResultStrip:
    """Rows of the result, from ``y`` on."""

    y: int
    rows: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Done:
    """The whole result has been handed over."""


@dataclass(frozen=True)
class Cancelled:
    """The engine has dropped the run, as asked."""


Frame = tuple[dict[str, Any], bytes]
Event = Union[Progress, Idle, Sent, PictureSoFar, ResultStart, ResultStrip, Done, Cancelled]


class EngineClient:
    """One engine and the runs it does. Use it as a context manager: leaving it ends the engine."""

    def __init__(
        self,
        installed: Installed,
        handshake_s: float = HANDSHAKE_S,
        silence_s: float = SILENCE_S,
    ) -> None:
        self.installed = installed
        self._handshake_s, self._silence_s = handshake_s, silence_s
        self._silent, self._looked = 0.0, time.monotonic()
        self._has_pulse = self._dropping = False
        self._early: deque[Frame] = deque()  # came while the pictures were still being sent
        self._waiting: deque[dict[str, Any]] = deque()  # what there was no room for yet
        self._runs = 0
        self._current = ""
        self._stopped = False
        self.ready: dict[str, Any] = {}
        self.process = EngineProcess(installed)
        # At once: the engine loads its libraries while others draw windows.
        self.process.send({"type": "hello", "protocol": protocol.PROTOCOL})

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def _tell(self, header: dict[str, Any]) -> None:
        """Sends a short message as soon as there is room, without waiting for that."""
        self._waiting.append(header)
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and self.process.has_room:
            self.process.send(self._waiting.popleft())

    def _look(self, timeout: float) -> Frame | None:
        """The next frame. Raises `EngineError` ("engine-stalled") after a long silence.

        An engine that works says so every second, however long a step takes; one that has never
        done that (an older one) may be as silent as it likes.
        """
        self._send_waiting()
        frame = self.process.poll(timeout)
        now = time.monotonic()
        waited, self._looked = min(now - self._looked, BLINK_S), now
        if frame is not None:
            self._silent = 0.0
            self._has_pulse = self._has_pulse or frame[0]["type"] == "alive"
            return frame
        self._silent += waited
        most = min(self._silence_s, CANCEL_SILENCE_S) if self._dropping else self._silence_s
        if self._has_pulse and self._silent > most:
            raise EngineError(
                "engine-stalled",
                _("The painting engine has stopped answering."),
                self.process.see_log(_("Try again, or restart the computer.")),
            )
        return None

    def _next(self, timeout: float) -> Frame | None:
        frame = self._early.popleft() if self._early else self._look(timeout)
        if frame and frame[0]["type"] == "failed":
            header = frame[0]
            if header.get("id") in (None, "", self._current):
                problem = protocol.error_from(header)
                raise EngineError(
                    problem.code,
                    problem.sentence if problem.message else _("The painting engine failed."),
                    problem.next_step if problem.hint else self.process.see_log("").strip(),
                )
        return frame

    def handshake(self, poll_s: float = 0.1) -> Iterator[Idle]:
        """Waits for the engine to be ready, yielding `Idle` every ``poll_s`` seconds."""
        if self.ready:
            return
        deadline = time.monotonic() + self._handshake_s
        while not self.ready:
            frame = self._next(poll_s)
            if frame and frame[0]["type"] == "ready":
                protocol.check_protocol(frame[0].get("protocol"), engine_is_asking=False)
                self.ready = frame[0]
                self.process.is_ready = True
            elif time.monotonic() > deadline:
                raise EngineError(
                    "engine-stalled",
                    _("The painting engine did not answer within {n} seconds.").format(
                        n=f"{self._handshake_s:g}"
                    ),
                    self.process.see_log(_("Try again, or restart the computer.")),
                )
            else:
                yield Idle()

    def run(self, request: Request, poll_s: float = 0.1) -> Iterator[Event]:
        """Does one run, yielding every ``poll_s`` seconds or oftener, up to `Done` or `Cancelled`.

        A strip of the result is handed out once and not kept. Raises `EngineError`.
        """
        yield from self.handshake(poll_s)
        self._runs += 1
        self._current = run = f"run-{self._runs}"
        self._stopped = self._dropping = False
        self._silent, self._looked = 0.0, time.monotonic()
        self._early.clear()
        yield from self._send_pictures(run, request, poll_s)
        missing: tuple[PictureSpec, int] | None = None  # the result and its next row
        while True:
            frame = self._next(poll_s)
            if frame is None:
                yield Idle()
                continue
            header, payload = frame
            kind = header["type"]
            if header.get("id") != run:
                continue
            if kind == "progress":
                yield self._progress(header)
            elif kind == "preview":
                spec = self._spec(header, payload)
                yield PictureSoFar(spec.width, spec.height, payload)
                self._tell({"type": "seen", "id": run})
            elif kind == "cancelled":
                yield Cancelled()
                return
            elif kind == "result" and missing:
                raise self.process.nonsense(EngineError("protocol", "A second result came."))
            elif kind == "result":
                missing = (self._spec(header), 0)
                yield ResultStart(missing[0], header)
            elif kind == "pixels" and missing:
                spec, row = missing
                strip = self._strip(spec, row, header, payload)
                missing = (spec, row + strip.rows)
                yield strip
                if missing[1] == spec.height:
                    yield Done()
                    return

    def _send_pictures(self, run: str, request: Request, poll_s: float) -> Iterator[Event]:
        styles = request.styles
        hold = {} if request.hold is None else {HOLD: self._hold(request.hold)}
        self.process.send(
            {
                "type": "run",
                "id": run,
                "settings": request.settings.to_dict(),
                "content": _shape(request.content),
                "styles": [_announced(style) for style in styles],
                "preview": request.shown_px,
                "series": request.series,
                **hold,
            }
        )
        for header, payload in self._parts(run, request):
            # An engine that is gone, or does not want the picture any more, never reads the rest.
            while not self.process.has_room and self.process.is_alive and not self._stopped:
                frame = self._look(min(poll_s, FULL_S))
                if frame is not None:
                    self._early.append(frame)
                    if frame[0]["type"] == "failed":
                        return
                yield Idle()
            if not self.process.is_alive or self._stopped:
                return
            if header:
                self._silent = 0.0
                self.process.send(header, payload)
            yield Sent()

    def _parts(self, run: str, request: Request) -> Iterator[tuple[dict[str, Any], Any]]:
        def pixels(of: str, index: int, strips: Iterable[Strip]) -> Iterator[Any]:
            for y, rows, data in strips:
                part = {"of": of, "index": index, "y": y, "rows": rows}
                yield {"type": "pixels", "id": run, **part} if rows else {}, data

        for index, style in enumerate(request.styles):
            if isinstance(style, StyleFile):
                yield {"type": "style", "id": run, "index": index}, style.data
            else:
                yield from pixels("style", index, style.strips)
            if style.mask is not None:
                yield from pixels("mask", index, style.mask.strips)
        if request.hold is not None:
            yield from pixels(HOLD, 0, request.hold.strips)
        yield from pixels("content", 0, request.strips)

    def _hold(self, mask: Mask) -> dict[str, Any]:
        if HOLD not in (self.ready.get("accepts") or ()):
            raise EngineError(
                "old-engine",
                _("The engine is older than the plug-in and cannot hold parts of the photo."),
                _("Run the installer again; it updates both."),
            )
        return _mask_shape(mask)

    def _progress(self, header: dict[str, Any]) -> Progress:
        found = protocol.progress_from({"stage": None, **header})
        numbers = [getattr(found, name) for name in NUMBERS]
        if not isinstance(found.stage, str) or not isinstance(found.features, str):
            raise self.process.nonsense(EngineError("protocol", "A progress without a stage."))
        if not all(number is None or _is_number(number) for number in numbers):
            raise self.process.nonsense(EngineError("protocol", "A progress that is no number."))
        return found

    def _spec(self, header: dict[str, Any], payload: bytes | None = None) -> PictureSpec:
        """What a picture is said to be; its pixels must go with that if they come at once."""
        try:
            spec = protocol.picture_spec(header)
            if spec.channels != protocol.CHANNELS:
                raise EngineError("protocol", "The result is no RGBA picture.")
            if payload is not None and (len(payload), spec.dtype) != (
                spec.height * spec.row_bytes,
                "u8",
            ):
                raise EngineError("protocol", "A picture so far that is none.")
        except EngineError as problem:
            raise self.process.nonsense(problem) from None
        return spec

    def _strip(self, spec: PictureSpec, row: int, header: Any, data: bytes) -> ResultStrip:
        y, rows = header.get("y"), header.get("rows")
        whole = isinstance(rows, int) and 0 < rows <= spec.height - row
        if not whole or y != row or len(data) != rows * spec.row_bytes:
            problem = EngineError("protocol", f"Wrong strip: {header} at row {row}.")
            raise self.process.nonsense(problem)
        if spec.dtype == "f32" and not math.isfinite(sum(array("f", data))):
            problem = EngineError("protocol", f"Not a number in the strip at row {y}.")
            raise self.process.nonsense(problem)
        return ResultStrip(y, rows, data)

    def stop(self, keep: bool) -> None:
        """Asks for the end of the current run: with the picture so far, or with nothing."""
        self._stopped, self._dropping = True, not keep
        self._silent = 0.0
        self._tell({"type": "stop", "id": self._current, "keep": keep})

    def close(self) -> None:
        """Ends the engine: politely by closing its stdin, by force if it does not react."""
        self.process.close()

    def kill(self) -> None:
        """Ends the engine at once."""
        self.process.kill()


def _is_number(value: Any) -> bool:
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return known and -LARGE < value < LARGE  # false for NaN, too


def _shape(spec: PictureSpec) -> dict[str, Any]:
    return {"width": spec.width, "height": spec.height, "dtype": spec.dtype}


def _announced(style: StyleFile | StylePixels) -> dict[str, Any]:
    """The entry of a style in the ``run`` message."""
    entry: dict[str, Any] = {"name": style.name}
    if isinstance(style, StylePixels):
        entry.update(_shape(style.spec))
    if style.weight != 1.0:
        entry["weight"] = style.weight
    if style.mask is not None:
        entry["mask"] = _mask_shape(style.mask)
    return entry


def _mask_shape(mask: Mask) -> dict[str, Any]:
    return {"width": mask.width, "height": mask.height, "dtype": "u8", "channels": 1}


def start(plugin_dir: Path, environment: Mapping[str, str]) -> EngineClient:
    """Finds and starts the engine that belongs to the plug-in in ``plugin_dir``."""
    return EngineClient(find(plugin_dir, environment))
