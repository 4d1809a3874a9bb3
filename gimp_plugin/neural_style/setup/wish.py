"""What a set-up is asked for, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from protocol import EngineError


@dataclass(frozen=True)
class Wish:
    """What is asked for. ``prefix`` is the engine's home, ``folder`` the plug-in's folder that asks
    (its files stay, only its ``engine.json`` changes), ``profiles`` GIMP profiles that get the
    plug-in. ``again``: build a new engine even if a sound one is there. ``pythons`` are Pythons
    whose pip may fetch uv. ``fetch_weights`` None: ask.
    """

    prefix: Path
    backend: str = "auto"
    folder: Path | None = None
    profiles: tuple[Path, ...] = ()
    use_python: Path | None = None
    pythons: tuple[Path, ...] = ()
    weights: Path | None = None
    fetch_weights: bool | None = None
    again: bool = True


@dataclass(frozen=True)
class Outcome:
    """What came of it: the plug-in's folders, what the engine computes on, and with what."""

    folders: tuple[Path, ...]
    device: str
    gpu: str
    features: str
    left_out: tuple[EngineError, ...] = ()
