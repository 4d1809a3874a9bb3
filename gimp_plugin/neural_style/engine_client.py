"""Runs of the engine: pictures and settings go in, events come out. Knows nothing of GIMP."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

import engine_install
import protocol
from engine_install import Installed
from engine_process import EngineProcess
from protocol import EngineError, PictureSpec, Progress, Settings

HANDSHAKE_S = 180.0  # importing torch from a cold, slow disk takes a minute

Strip = tuple[int, int, Any]  # first row, number of rows, bytes


@dataclass(frozen=True)
class StyleFile:
    """A style picture as the bytes of its file; the engine quotes ``name`` in its messages."""

    data: bytes = field(repr=False)
    name: str = ""


@dataclass(frozen=True)
class StylePixels:
    """A style picture as strips of pixels."""

    spec: PictureSpec
    strips: Iterable[Strip] = field(repr=False)
    name: str = ""


@dataclass(frozen=True)
class Request:
    """One run: the settings, the content as strips from top to bottom, and the style.

    ``preview`` is the longest side of the previews that the engine shall send, 0 for none.
    """

    settings: Settings
    content: PictureSpec
    strips: Iterable[Strip] = field(repr=False)
    style: StyleFile | StylePixels = field(repr=False)
    preview: int = 0


@dataclass(frozen=True)
class Idle:
    """Nothing has happened for a while."""


@dataclass(frozen=True)
class Preview:
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


Event = Union[Progress, Idle, Preview, ResultStart, ResultStrip, Done, Cancelled]


class EngineClient:
    """One engine and the runs it does. Use it as a context manager: leaving it ends the engine."""

    def __init__(self, installed: Installed, handshake_s: float = HANDSHAKE_S) -> None:
        self._handshake_s = handshake_s
        self._runs = 0
        self._current = ""
        self.ready: dict[str, Any] = {}
        self.process = EngineProcess(installed)

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def _next(self, timeout: float) -> tuple[dict[str, Any], bytes] | None:
        frame = self.process.poll(timeout)
        if frame and frame[0]["type"] == "failed":
            header = frame[0]
            if header.get("id") in (None, "", self._current):
                code, hint = str(header.get("code", "engine")), str(header.get("hint") or "")
                message = str(header.get("message") or "The painting engine failed.")
                raise EngineError(code, message, hint or self.process.see_log("").strip())
        return frame

    def handshake(self) -> Iterator[Idle]:
        """Waits for the engine to be ready, yielding `Idle` so that the caller can show life."""
        if self.ready:
            return
        self.process.send({"type": "hello", "protocol": protocol.PROTOCOL})
        deadline = time.monotonic() + self._handshake_s
        while not self.ready:
            frame = self._next(0.1)
            if frame and frame[0]["type"] == "ready":
                protocol.check_protocol(frame[0].get("protocol"), engine_is_asking=False)
                self.ready = frame[0]
                self.process.is_ready = True
            elif time.monotonic() > deadline:
                raise EngineError(
                    "engine-stalled",
                    f"The painting engine did not answer within {self._handshake_s:g} seconds.",
                    self.process.see_log("Try again, or restart the computer."),
                )
            else:
                yield Idle()

    def run(self, request: Request, poll_s: float = 0.1) -> Iterator[Event]:
        """Does one run, yielding every ``poll_s`` seconds or oftener, up to `Done` or `Cancelled`.

        A strip of the result is handed out once and not kept. Raises `EngineError`.
        """
        yield from self.handshake()
        self._runs += 1
        self._current = run = f"run-{self._runs}"
        yield from self._send_pictures(run, request)
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
                yield protocol.progress_from(header)
            elif kind == "preview":
                spec = self._spec(header)
                yield Preview(spec.width, spec.height, payload)
                self.process.send({"type": "seen", "id": run})
            elif kind == "cancelled":
                yield Cancelled()
                return
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

    def _send_pictures(self, run: str, request: Request) -> Iterator[Event]:
        def describe(spec: PictureSpec) -> dict[str, Any]:
            return {"width": spec.width, "height": spec.height, "dtype": spec.dtype}

        style = request.style
        shape = describe(style.spec) if isinstance(style, StylePixels) else {}
        self.process.send(
            {
                "type": "run",
                "id": run,
                "settings": request.settings.to_dict(),
                "content": describe(request.content),
                "styles": [{"name": style.name, **shape}],
                "preview": request.preview,
            }
        )
        if isinstance(style, StyleFile):
            self.process.send({"type": "style", "id": run, "index": 0}, style.data)
        pictures = [("style", style.strips)] if isinstance(style, StylePixels) else []
        for of, strips in [*pictures, ("content", request.strips)]:
            for y, rows, data in strips:
                header = {"type": "pixels", "id": run, "of": of, "index": 0, "y": y, "rows": rows}
                self.process.send(header, data)
                # An engine that is gone will never read the rest.
                if not self.process.is_alive:
                    return
                yield Idle()

    def _spec(self, header: dict[str, Any]) -> PictureSpec:
        try:
            return protocol.picture_spec(header)
        except EngineError as problem:
            raise self.process.nonsense(problem) from None

    def _strip(self, spec: PictureSpec, row: int, header: Any, data: bytes) -> ResultStrip:
        y, rows = header.get("y"), header.get("rows")
        whole = isinstance(rows, int) and 0 < rows <= spec.height - row
        if not whole or y != row or len(data) != rows * spec.row_bytes:
            problem = EngineError("protocol", f"Wrong strip: {header} at row {row}.")
            raise self.process.nonsense(problem)
        return ResultStrip(y, rows, data)

    def stop(self, keep: bool) -> None:
        """Asks for the end of the current run: with the picture so far, or with nothing."""
        self.process.send({"type": "stop", "id": self._current, "keep": keep})

    def close(self) -> None:
        """Ends the engine: politely by closing its stdin, by force if it does not react."""
        self.process.close()


def start(plugin_dir: Path, environment: Mapping[str, str]) -> EngineClient:
    """Finds and starts the engine that belongs to the plug-in in ``plugin_dir``."""
    return EngineClient(engine_install.find(plugin_dir, environment))
