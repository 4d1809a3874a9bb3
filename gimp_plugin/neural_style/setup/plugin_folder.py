"""The plug-in's folder in a GIMP profile, and ``engine.json`` in it: which engine is used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from engine.installed import ENGINE_ARGUMENTS, RECORD
from language.texts import _
from protocol import PROTOCOL, EngineError
from setup.failures import of_system
from setup.files import old_name, put_in_place, remove_tree, write_atomically
from setup.manifest import Manifest
from setup.package import CONSTRAINTS, FACTS, NAME, PAYLOAD, Package, facts

# GIMP looks only for NAME/NAME.py, so it never takes these folders for a plug-in.
STAGING = f".{NAME}.new"


def record(python: Path, prefix: Path, version: str, base: str) -> str:
    """The text of ``engine.json``: how the plug-in starts the engine, and the engine's home.

    ``base`` says which Python the environment is made from: "managed", or the path of the host's,
    which a sandboxed GIMP cannot see.
    """
    values = {
        "command": [str(python), *ENGINE_ARGUMENTS],
        "protocol": PROTOCOL,
        "version": version,
        "home": str(prefix),
        "python": base,
    }
    return json.dumps(values, indent=1) + "\n"


def is_foreign(folder: Path, manifest: Manifest) -> bool:
    """Whether ``folder`` is somebody else's plug-in of the same name."""
    ours = str(folder) in manifest.trees or (folder / RECORD).is_file()
    return folder.exists() and not (ours or (folder / PAYLOAD / FACTS).is_file())


def put(profile: Path, package: Package, wheel: Path, text: str, manifest: Manifest) -> Path:
    """Puts the plug-in into ``profile``, with ``text`` as its ``engine.json``.

    All files are ready beside the old ones before the folder is exchanged as a whole. The changed
    times make GIMP look at the plug-in again. Raises `EngineError`.
    """
    plugins = profile / "plug-ins"
    folder, staging = plugins / NAME, plugins / STAGING
    try:
        manifest.make_dir(plugins)
        if is_foreign(folder, manifest):
            raise EngineError(
                "setup-permission",
                _("{folder} holds another plug-in of the same name.").format(folder=folder),
                _("Move that folder away, then set up again."),
            )
        for path in (staging, old_name(folder), folder):
            manifest.own("trees", path)
        remove_tree(staging)
        fill(staging, package, wheel)
        (staging / RECORD).write_text(text, encoding="utf-8")
        put_in_place(staging, folder)
    except OSError as error:
        raise of_system(error, _("Setting up"), folder) from None
    for path in (staging, old_name(folder)):
        manifest.disown(path)
    return folder


def fill(folder: Path, package: Package, wheel: Path, uv_name: str = "") -> None:
    """Makes ``folder`` a plug-in's folder as it is released, from ``package`` and its wheel."""
    files = package.files()
    payload = Path(PAYLOAD)
    files[payload / CONSTRAINTS] = package.constraints
    files[payload / wheel.name] = wheel
    uv_name = uv_name or (package.uv.name if package.uv else "")
    if package.uv:
        files[payload / uv_name] = package.uv
    if package.weights:
        files[payload / package.weights.name] = package.weights
    for relative, source in files.items():
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o644)
    # GIMP silently passes over a script that is not executable.
    (folder / f"{NAME}.py").chmod(0o755)
    weights = package.weights.name if package.weights else ""
    text = facts(package.version, wheel.name, package.system, uv_name, package.uv_sha256, weights)
    (folder / payload / FACTS).write_text(text, encoding="utf-8")


def switch(folder: Path, prefix: Path, text: str, manifest: Manifest) -> Path:
    """Writes ``engine.json`` into the plug-in's ``folder``, or into the engine's home where that
    folder may not be written to (an administrator has put it there). Returns the file.
    """
    own, home = folder / RECORD, prefix / RECORD
    try:
        if folder.parent.name == "plug-ins":
            manifest.own("trees", folder)
        manifest.own("files", own)
        write_atomically(own, text)
        return own
    except PermissionError:
        pass
    except OSError as error:
        if error.errno != 30:  # a read-only file system
            raise of_system(error, _("Setting up"), folder) from None
    manifest.disown(folder)
    manifest.disown(own)
    try:
        write_atomically(home, text)
    except OSError as error:
        raise of_system(error, _("Setting up"), home) from None
    return home


def engine_of(folder: Path) -> Path | None:
    """The Python that the ``engine.json`` in a folder names."""
    try:
        command = json.loads((folder / RECORD).read_text(encoding="utf-8"))["command"]
        return Path(command[0])
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
