"""Where the engine keeps its files. ``STYLEENGINE_HOME`` overrides the user's data directory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

APP = "gimp-neural-style"


def data_dir() -> Path:
    """The engine's own directory (not created): weights and probe results live below it."""
    override = os.environ.get("STYLEENGINE_HOME")
    if override:
        return Path(override)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return (Path(base) if base else Path.home() / "AppData" / "Local") / APP
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / APP
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / APP


def weights_dir() -> Path:
    """Converted weight files."""
    return data_dir() / "weights"


def probe_dir() -> Path:
    """Cached results of the start-up probes, one small JSON file per device and torch version."""
    return data_dir() / "probes"
