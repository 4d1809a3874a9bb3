"""Paints a tiny picture with the new engine, through the pipe that GIMP uses.

Runs the plug-in's own client on a record like the one it will get, so that what passes here is what
GIMP will do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import client, events, request
from engine.installed import RECORD
from language.texts import _
from protocol import EngineError, PictureSpec, Settings
from setup.talk import Talk

SIDE = 32
POLL_S = 0.2


@dataclass(frozen=True)
class Painted:
    """What the engine said about its test picture."""

    features: str
    device: str
    seconds: float


def run(text: str, prefix: Path, environment: Mapping[str, str], talk: Talk) -> Painted:
    """Has the engine of the ``engine.json`` ``text`` paint. Raises `EngineError` if no sound
    picture comes back, and `talk.Stopped`.
    """
    # A development engine named in the environment is not the one to be tested.
    kept = {k: v for k, v in environment.items() if k != "STYLEENGINE_COMMAND"}
    env = {**kept, "STYLEENGINE_HOME": str(prefix)}
    try:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / RECORD).write_text(text, encoding="utf-8")
            with client.start(Path(folder), env) as engine:
                return _paint(engine, talk)
    except EngineError as error:
        if error.code == "setup-failed":
            raise
        text = _("The engine failed its test: {reason}").format(reason=error.sentence.said(_))
        raise EngineError("setup-failed", text, error.next_step) from None


def _picture(shift: int) -> bytes:
    """A small RGBA picture with something in it: two gradients and a bright square."""
    rows = bytearray()
    for y in range(SIDE):
        for x in range(SIDE):
            inside = SIDE // 4 <= x < SIDE // 2 and SIDE // 4 <= y < SIDE // 2
            red, green = (7 * x + shift) % 256, (5 * y + 3 * shift) % 256
            rows += bytes((red, green, 230 if inside else 60, 255))
    return bytes(rows)


def _paint(engine: client.EngineClient, talk: Talk) -> Painted:
    spec = PictureSpec(SIDE, SIDE)
    asked = request.Request(
        settings=Settings(size=SIDE, iterations=4),
        content=spec,
        strips=[(0, SIDE, _picture(0))],
        styles=(request.StylePixels(spec, [(0, SIDE, _picture(90))]),),
    )
    info: dict[str, Any] = {}
    picture = bytearray()
    for event in engine.run(asked, POLL_S):
        talk.check()
        if isinstance(event, events.ResultStart):
            info = event.info
        elif isinstance(event, events.ResultStrip):
            picture += event.data
    colours = {bytes(picture[i : i + 3]) for i in range(0, len(picture), 4)}
    if len(picture) != spec.row_bytes * SIDE or len(colours) < 2:
        raise EngineError(
            "setup-failed",
            _("The engine failed its test: the picture it painted is empty."),
            _("Set up again with PyTorch for the processor only."),
        )
    return Painted(
        str(info.get("features", "")), str(info.get("device", "")), float(info.get("seconds", 0))
    )
