"""What there is: an engine that fits, none, a dead one, or one of another version."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from disk.private import MOST_BYTES, plain_json
from disk.regular import read_regular
from engine import installed
from language.texts import _
from protocol import EngineError
from setup import manifest
from setup.package import Package, of_folder, version_of
from setup.system import System

MISSING, DEAD, OTHER, READY = "missing", "dead", "other-version", "ready"


@dataclass(frozen=True)
class State:
    """``kind`` is one of the above; ``text`` says it in one sentence. ``home`` is where the engine
    is or will be, ``version`` the installed one's ("" if unknown), ``wanted`` the plug-in's.
    """

    kind: str
    text: str
    home: Path
    version: str = ""
    wanted: str = ""
    has_weights: bool = False

    @property
    def exists(self) -> bool:
        """Whether anything is there that could be removed."""
        return manifest_there(self.home)


def manifest_there(home: Path) -> bool:
    """Whether a set-up has left its record in ``home``."""
    return (home / manifest.NAME).is_file()


def look(plugin: Path, environment: Mapping[str, str], system: System) -> State:
    """What a plug-in in the folder ``plugin`` has to work with. Starts nothing."""
    record = _record(plugin, environment)
    home = installed.home_of(plugin, environment)
    wanted, version = version_of(plugin), record.get("version", "")

    def state(kind: str, text: str) -> State:
        return State(kind, text, home, version, wanted, manifest.has_weights(home))

    try:
        found = installed.find(plugin, environment)
    except EngineError as problem:
        if not record:
            return state(MISSING, _("The painting engine is not set up yet."))
        base = record.get("python", "")
        if system.sandbox and base not in ("", "managed"):
            text = _("The engine was set up with a Python that this GIMP, a Flatpak, cannot see.")
            return state(DEAD, text)
        return state(OTHER if problem.code == "protocol-version" else DEAD, problem.message)
    if wanted and version and version != wanted:
        text = _("The engine is of version {there}, the filter of version {wanted}.")
        return state(OTHER, text.format(there=version, wanted=wanted))
    if shutil.which(found.command[0], path=found.environment.get("PATH")) is None:
        return state(DEAD, _("The painting engine is not there any more."))
    return state(READY, _("The engine is set up (version {there}).").format(there=version))


def is_ours_to_set_up(plugin: Path, environment: Mapping[str, str]) -> bool:
    """Whether the set-up can help: not where the user has named an engine of their own, and not
    where this plug-in's folder came without what is needed.
    """
    if environment.get("STYLEENGINE_COMMAND"):
        return False
    return package_of(plugin) is not None


def package_of(plugin: Path) -> Package | None:
    """What this plug-in's folder brings, or None."""
    try:
        return of_folder(plugin)
    except EngineError:
        return None


def _record(plugin: Path, environment: Mapping[str, str]) -> dict[str, str]:
    for folder in (plugin, installed.data_dir(environment)):
        try:
            found = plain_json(read_regular(folder / installed.RECORD, MOST_BYTES))
        except (OSError, ValueError):
            continue
        if isinstance(found, dict):
            return {k: v for k, v in found.items() if isinstance(v, str)}
    return {}
