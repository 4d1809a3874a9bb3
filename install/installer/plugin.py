"""Puts the plug-in into a GIMP profile, and tells it where the engine is."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from .base import CHECKOUT, PLUGIN_SOURCE, InstallError, protocol, version
from .manifest import Manifest, remove_tree

NAME = "neural_style"
RECORD = "engine.json"
# GIMP looks only for NAME/NAME.py, so it never takes this folder for a plug-in.
STAGING = f".{NAME}.new"


def source_files() -> dict[Path, Path]:
    """Everything that belongs into the plug-in's folder: relative path to file of the checkout."""
    files = {
        path.relative_to(PLUGIN_SOURCE): path
        for path in sorted(PLUGIN_SOURCE.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    files[Path("protocol.py")] = CHECKOUT / "styleengine" / "protocol.py"
    if Path(f"{NAME}.py") not in files:
        raise InstallError(
            f"{CHECKOUT} is not complete: the plug-in is missing.", "Download it again."
        )
    return files


def record(python: Path, prefix: Path) -> str:
    """The text of ``engine.json``: how the plug-in starts the engine, and the engine's home."""
    command = [str(python), "-I", "-u", "-X", "utf8", "-m", "styleengine", "serve"]
    values = {
        "command": command,
        "protocol": protocol().PROTOCOL,
        "version": version(),
        "home": str(prefix),
    }
    return json.dumps(values, indent=1) + "\n"


def is_foreign(folder: Path, manifest: Manifest) -> bool:
    """Whether ``folder`` is somebody else's plug-in of the same name."""
    ours = str(folder) in manifest.trees or (folder / RECORD).is_file()
    return folder.exists() and not ours


def install(profile: Path, python: Path, manifest: Manifest) -> Path:
    """Copies the plug-in into ``profile`` and points it at the engine of ``python``.

    All files are ready beside the old ones before the first is replaced, so that an installer
    killed here leaves the old plug-in or the new one; ``engine.json`` is switched last. The changed
    times make GIMP look at the plug-in again. Raises `InstallError`.
    """
    plugins = profile / "plug-ins"
    folder, staging = plugins / NAME, plugins / STAGING
    try:
        manifest.make_dir(plugins)
        if is_foreign(folder, manifest):
            raise InstallError(
                f"{folder} holds another plug-in of the same name.",
                "Move that folder away and run the installer again.",
            )
        manifest.own("trees", staging)
        manifest.own("trees", folder)
        _stage(staging, record(python, Path(manifest.prefix)))
        _replace(staging, folder)
    except OSError as error:
        raise InstallError(
            f"{folder} cannot be written to ({error.strerror}).",
            "Give your user the right to write there, or name another profile with --gimp-dir.",
        ) from None
    manifest.disown(staging)
    return folder


def _stage(staging: Path, engine: str) -> None:
    remove_tree(staging)
    for relative, source in source_files().items():
        target = staging / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o644)
    # GIMP silently passes over a script that is not executable.
    (staging / f"{NAME}.py").chmod(0o755)
    (staging / RECORD).write_text(engine, encoding="utf-8")


def _replace(staging: Path, folder: Path) -> None:
    if not folder.exists():
        os.rename(staging, folder)
        return
    staged = [p.relative_to(staging) for p in sorted(staging.rglob("*")) if p.is_file()]
    for relative in sorted(staged, key=lambda p: p.name == RECORD):
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staging / relative, folder / relative)
    for old in sorted(folder.rglob("*")):
        if old.is_file() and old.relative_to(folder) not in staged:
            old.unlink()
    remove_tree(staging)
