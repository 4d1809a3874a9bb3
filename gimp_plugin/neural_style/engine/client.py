"""Runs of the engine: pictures and settings go in, events come out. Knows nothing of GIMP."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import protocol
from engine.events import (
    Cancelled,
    Done,
    Event,
    Idle,
    PictureSoFar,
    ResultStart,
    ResultStrip,
    Sent,
    picture_so_far,
    progress_of,
    result_start,
    result_strip,
)
from engine.installed import Installed, find
from engine.process import EngineProcess
from engine.request import (
    Mask,
    Request,
    Strip,
    StyleFile,
    announced,
    mask_shape,
    painting_shape,
    shape,
    spot_shape,
)
from language.texts import _
from protocol import HOLD, SPOT, EngineError, PictureSpec

HANDSHAKE_S = 180.0  # importing torch from a cold, slow disk takes a minute
SILENCE_S = 60.0
CANCEL_SILENCE_S = 5.0
FULL_S = 0.01
BLINK_S = 1.0  # the most that counts between two looks: this process may have slept itself


Frame = tuple[dict[str, Any], bytes]


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
        done that (an older one) may be as silent as it likes, until it has been told to drop the
        run: after a long silence nobody will miss what it does.
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
        most = self._silence_s
        if self._dropping and self._has_pulse:
            most = min(most, CANCEL_SILENCE_S)
        if (self._has_pulse or self._dropping) and self._silent > most:
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
                # Engines that say what they accept say that they live, too.
                self._has_pulse = self._has_pulse or bool(self.ready.get("accepts"))
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
        coming: tuple[PictureSpec, int] | None = None  # the result and its next row
        while True:
            frame = self._next(poll_s)
            if frame is None:
                yield Idle()
                continue
            if frame[0].get("id") != run:
                continue
            try:
                event = _event(*frame, request.result_size, coming)
            except EngineError as problem:
                raise self.process.nonsense(problem) from None
            if event is None:
                continue
            yield event
            if isinstance(event, PictureSoFar):
                self._tell({"type": "seen", "id": run})
            elif isinstance(event, ResultStart):
                coming = (event.spec, 0)
            elif isinstance(event, ResultStrip) and coming:
                coming = (coming[0], event.y + event.rows)
                if coming[1] == coming[0].height:
                    yield Done()
                    return
            elif isinstance(event, Cancelled):
                return

    def _send_pictures(self, run: str, request: Request, poll_s: float) -> Iterator[Event]:
        styles = request.styles
        hold = {} if request.hold is None else {HOLD: self._hold(request.hold)}
        self.process.send(
            {
                "type": "run",
                "id": run,
                "settings": request.settings.to_dict(),
                "content": {**shape(request.content), "dpi": request.dpi},
                "styles": [announced(style) for style in styles],
                "preview": request.shown_px,
                "series": request.series,
                "steady": request.steady,
                **hold,
                **spot_shape(request.spot),
                **painting_shape(request.painting),
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
        for index, part in enumerate(request.spot.parts if request.spot else ()):
            yield from pixels(SPOT, index, part.strips)
        yield from pixels("content", 0, request.strips)

    def _hold(self, mask: Mask) -> dict[str, Any]:
        if HOLD not in (self.ready.get("accepts") or ()):
            raise EngineError(
                "old-engine",
                _("The engine is older than the plug-in and cannot hold parts of the photo."),
                _("Run the installer again; it updates both."),
            )
        return mask_shape(mask)

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


def _event(
    header: dict[str, Any],
    payload: bytes,
    size: tuple[int, int],
    coming: tuple[PictureSpec, int] | None,
) -> Event | None:
    """What a frame says while the result, of this ``size``, is ``coming``; None for what a newer
    engine may say.

    Raises `EngineError` ("protocol").
    """
    kind = header["type"]
    if kind == "progress":
        return progress_of(header)
    if kind == "preview":
        return picture_so_far(header, payload)
    if kind == "cancelled":
        return Cancelled()
    if kind == "result" and coming:
        raise EngineError("protocol", "A second result came.")
    if kind == "result":
        return result_start(size, header)
    return result_strip(*coming, header, payload) if kind == "pixels" and coming else None


def start(plugin_dir: Path, environment: Mapping[str, str]) -> EngineClient:
    """Finds and starts the engine that belongs to the plug-in in ``plugin_dir``."""
    return EngineClient(find(plugin_dir, environment))
