"""Makes the plug-in's own modules importable from a checkout, where the protocol lies elsewhere."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PLUGIN = CHECKOUT / "gimp_plugin" / "neural_style"


def use() -> None:
    """Puts the plug-in's folder first on Python's path, and the protocol beside it."""
    if str(PLUGIN) not in sys.path:
        sys.path.insert(0, str(PLUGIN))
    if "protocol" not in sys.modules:
        # By its file: importing its package would need the engine's own libraries.
        path = CHECKOUT / "styleengine" / "protocol.py"
        spec = importlib.util.spec_from_file_location("protocol", path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules["protocol"] = module  # dataclasses look their module up by name
        spec.loader.exec_module(module)


use()
