"""What can be wrong with an installation, checked by using it."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from styleengine import __version__
from styleengine.machine import folders
from styleengine.protocol import EngineError

MIN_FREE_DISK = 500 << 20


@dataclass(frozen=True)
class Finding:
    """One thing checked."""

    name: str
    ok: bool
    text: str


def examine() -> list[Finding]:
    """All checks, in order."""
    findings = [
        Finding("engine", True, f"{__version__}, Python {platform.python_version()}"),
        Finding("python", True, sys.executable),
        Finding("memory", True, f"{psutil.virtual_memory().available / 2**30:.1f} GB free"),
        _disk(),
        _writable(),
    ]
    findings += [
        _checked("torch", _torch),
        _checked("plug-ins", _plugins),
        _checked("weights", _weights),
        _checked("painting", _painting),
    ]
    return findings


def _checked(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except EngineError as error:
        return Finding(name, False, str(error))
    except Exception as error:  # a doctor reports what it meets
        return Finding(name, False, f"{type(error).__name__}: {error}")


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _disk() -> Finding:
    free = shutil.disk_usage(_existing(folders.data_dir())).free
    return Finding("disk", free >= MIN_FREE_DISK, f"{free / 2**30:.1f} GB free")


def _writable() -> Finding:
    folder = _existing(folders.data_dir())
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding("data folder", True, str(folders.data_dir()))
    except OSError as error:
        return Finding("data folder", False, f"{folder}: {error.strerror}")


def _torch() -> Finding:
    import torch

    from styleengine.machine import devices

    names = ", ".join(f"{n} ({devices.describe(n)})" for n in devices.available())
    return Finding("torch", True, f"{torch.__version__}; {names}")


def _plugins() -> Finding:
    from styleengine.plugins.registry import load_plugins

    plugins = load_plugins()
    if plugins.broken:
        return Finding(
            "plug-ins", False, "; ".join(f"{n}: {why}" for n, why in plugins.broken.items())
        )
    return Finding("plug-ins", True, ", ".join(plugins.loaded))


def _weights() -> Finding:
    from styleengine.weights import store

    status = store.status()
    return Finding("weights", not status.problem, status.problem or status.source)


def _painting() -> Finding:
    import numpy as np

    from styleengine.engine import Engine
    from styleengine.jobs import Job, Result, Style
    from styleengine.pictures.files import Picture
    from styleengine.protocol import Settings

    rng = np.random.default_rng(0)
    photo, style = (Picture(rng.random((48, 64, 3), dtype=np.float32)) for _ in range(2))
    settings = Settings(size=64, iterations=3)
    start = time.monotonic()
    for event in Engine().run(Job(photo, (Style(style),), settings)):
        if isinstance(event, Result):
            seconds = time.monotonic() - start
            return Finding("painting", True, f"works ({event.device}, {seconds:.1f} s)")
    return Finding("painting", False, "no result came back")
