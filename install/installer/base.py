"""What the other parts share: where things are, and how the user is spoken to."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

CHECKOUT = Path(__file__).resolve().parents[2]
CONSTRAINTS = CHECKOUT / "install" / "constraints.txt"
PLUGIN_SOURCE = CHECKOUT / "gimp_plugin" / "neural_style"


class InstallError(Exception):
    """A failure the user can do something about: one sentence, and the next step."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def say(text: str = "") -> None:
    """One line for the user."""
    print(text, flush=True)


def load(path: Path) -> ModuleType:
    """The module in the file ``path``, without importing the package it belongs to."""
    name = f"_installer_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        # dataclasses look their module up by name
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def protocol() -> ModuleType:
    """``styleengine/protocol.py`` of this checkout."""
    return load(CHECKOUT / "styleengine" / "protocol.py")


def default_prefix() -> Path:
    """The engine's own data directory, by the engine's own rule."""
    prefix: Path = load(CHECKOUT / "styleengine" / "machine" / "folders.py").data_dir()
    return prefix


def version() -> str:
    """The version of the engine in this checkout."""
    text = (CHECKOUT / "styleengine" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    if not found:
        raise InstallError(
            f"{CHECKOUT} is not complete: it does not say which version it is.",
            "Download it again.",
        )
    return found[1]


def pinned(package: str) -> str:
    """``package==version`` as written in constraints.txt (for packages with a single pin)."""
    text = CONSTRAINTS.read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(package)}==\S+", text, re.MULTILINE)
    assert found, package
    return found[0]
