"""Paints a tiny picture with the installed engine, through the pipe that GIMP uses.

Runs the plug-in's own client on the plug-in's own copy of the record of the engine, so that what
passes here is what GIMP will do.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .base import InstallError, protocol
from .plugin import RECORD, record

SIDE = 32


@dataclass(frozen=True)
class Painted:
    """What the engine said about its test picture."""

    features: str
    device: str
    seconds: float


def run(python: Path, prefix: Path) -> Painted:
    """Has the engine of ``python`` paint; raises `InstallError` if no sound picture comes back."""
    client, request = _plugins_own()
    error_type: Any = sys.modules["protocol"].EngineError
    try:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / RECORD).write_text(record(python, prefix), encoding="utf-8")
            with client.start(Path(folder), _environment(prefix)) as engine:
                return _paint(client, request, engine)
    except error_type as error:
        raise InstallError(f"The engine failed its test: {error.message}", error.hint) from None


def _plugins_own() -> tuple[Any, Any]:
    """The plug-in's client and its requests; the protocol is found by its bare name."""
    from .base import PLUGIN_SOURCE

    sys.modules.setdefault("protocol", protocol())
    if str(PLUGIN_SOURCE) not in sys.path:
        sys.path.append(str(PLUGIN_SOURCE))
    from engine import client, request  # type: ignore[import-not-found]

    return client, request


def _environment(prefix: Path) -> dict[str, str]:
    import os

    # A development engine named in the environment is not the one to be tested.
    kept = {k: v for k, v in os.environ.items() if k != "STYLEENGINE_COMMAND"}
    return {**kept, "STYLEENGINE_HOME": str(prefix)}


def _picture(shift: int) -> bytes:
    """A small RGBA picture with something in it: two gradients and a bright square."""
    rows = bytearray()
    for y in range(SIDE):
        for x in range(SIDE):
            inside = SIDE // 4 <= x < SIDE // 2 and SIDE // 4 <= y < SIDE // 2
            red, green = (7 * x + shift) % 256, (5 * y + 3 * shift) % 256
            rows += bytes((red, green, 230 if inside else 60, 255))
    return bytes(rows)


def _paint(client: Any, asked: Any, engine: Any) -> Painted:
    names = sys.modules["protocol"]
    spec = names.PictureSpec(SIDE, SIDE)
    request = asked.Request(
        settings=names.Settings(size=SIDE, iterations=4),
        content=spec,
        strips=[(0, SIDE, _picture(0))],
        styles=(asked.StylePixels(spec, [(0, SIDE, _picture(90))]),),
    )
    info: dict[str, Any] = {}
    picture = bytearray()
    for event in engine.run(request):
        if isinstance(event, client.ResultStart):
            info = event.info
        elif isinstance(event, client.ResultStrip):
            picture += event.data
    colours = {bytes(picture[i : i + 3]) for i in range(0, len(picture), 4)}
    if len(picture) != spec.row_bytes * SIDE or len(colours) < 2:
        raise InstallError(
            "The engine failed its test: the picture it painted is empty.",
            "Run the installer again with --backend cpu.",
        )
    return Painted(
        str(info.get("features", "")), str(info.get("device", "")), float(info.get("seconds", 0))
    )
