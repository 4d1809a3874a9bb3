"""What is set up: the engine's wheel, the versions it needs, uv, and the plug-in's own files.

A plug-in's folder as released holds all of it, in ``payload/``; a checkout of the project builds
it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from engine.installed import RECORD
from language.texts import _
from protocol import EngineError

NAME = "neural_style"
PAYLOAD = "payload"
FACTS = "package.json"
CONSTRAINTS = "constraints.txt"


@dataclass(frozen=True)
class Package:
    """One version. ``engine``: its wheel, or a checkout to build it from. ``uv`` and ``weights``
    None where they are not part of it. ``system``: which release this is, "" for any system's.
    """

    version: str
    engine: Path
    constraints: Path
    plugin: Path
    protocol: Path
    uv: Path | None = None
    uv_sha256: str = ""
    weights: Path | None = None
    system: str = ""
    licence: Path | None = None

    @property
    def is_built(self) -> bool:
        """Whether there is a wheel."""
        return self.engine.is_file()

    def files(self) -> dict[Path, Path]:
        """The plug-in's own files: relative path to where it is."""
        found = {
            path.relative_to(self.plugin): path
            for path in sorted(self.plugin.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
        }
        found.pop(Path(RECORD), None)
        found[Path("protocol.py")] = self.protocol
        if self.licence:
            found[Path(self.licence.name)] = self.licence
        if Path(f"{NAME}.py") not in found:
            raise incomplete(self.plugin)
        return found

    def pinned(self, package: str) -> str:
        """``package==version`` as written in constraints.txt (for packages with one pin)."""
        text = self.constraints.read_text(encoding="utf-8")
        found = re.search(rf"^{re.escape(package)}==\S+", text, re.MULTILINE)
        assert found, package
        return found[0]


def incomplete(folder: Path) -> EngineError:
    """Something is missing in what was downloaded."""
    return EngineError(
        "setup-incomplete",
        _("The filter in {folder} is not complete.").format(folder=folder),
        _("Download it again, and put the whole folder neural_style there."),
    )


def facts(
    version: str, wheel: str, system: str = "", uv: str = "", uv_sha256: str = "", weights: str = ""
) -> str:
    """The text of ``package.json``; files by their names in ``payload/``."""
    values = {
        "version": version,
        "wheel": wheel,
        "system": system,
        "uv": uv,
        "uv_sha256": uv_sha256,
        "weights": weights,
    }
    return json.dumps(values, indent=1) + "\n"


def of_folder(plugin: Path) -> Package:
    """The package in a plug-in's folder. Raises `EngineError` ("setup-incomplete")."""
    payload = plugin / PAYLOAD
    try:
        told = json.loads((payload / FACTS).read_text(encoding="utf-8"))
        texts = {key: str(told[key]) for key in ("version", "wheel", "uv", "uv_sha256", "weights")}
        system = str(told["system"])
    except (OSError, ValueError, KeyError, TypeError):
        raise incomplete(plugin) from None

    def named(key: str) -> Path | None:
        name = texts[key]
        if not name:
            return None
        if Path(name).name != name or not (payload / name).is_file():
            raise incomplete(plugin)
        return payload / name

    wheel = named("wheel")
    constraints, protocol = payload / CONSTRAINTS, plugin / "protocol.py"
    if wheel is None or not constraints.is_file() or not protocol.is_file():
        raise incomplete(plugin)
    return Package(
        texts["version"],
        wheel,
        constraints,
        plugin,
        protocol,
        named("uv"),
        texts["uv_sha256"],
        named("weights"),
        system,
    )


def of_checkout(root: Path) -> Package:
    """The package of a checkout of the project, or of its source distribution."""
    try:
        text = (root / "styleengine" / "__init__.py").read_text(encoding="utf-8")
    except OSError:
        raise incomplete(root) from None
    found = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    if not found:
        raise incomplete(root)
    return Package(
        found[1],
        root,
        root / "install" / CONSTRAINTS,
        root / "gimp_plugin" / NAME,
        root / "styleengine" / "protocol.py",
        licence=root / "LICENSE" if (root / "LICENSE").is_file() else None,
    )


def version_of(plugin: Path) -> str:
    """The version of the engine that belongs to a plug-in's folder; "" if it brings none."""
    try:
        return of_folder(plugin).version
    except EngineError:
        return ""
