"""Finds uv, the program that fetches Python and packages: bundled, found, or got with pip."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from language.texts import _
from protocol import EngineError
from setup.children import Runner, output
from setup.files import sha256
from setup.manifest import Manifest
from setup.package import Package
from setup.python import venv_python
from setup.system import System

OLDEST = (0, 6)  # knows --torch-backend
NAME = "uv.exe" if sys.platform == "win32" else "uv"
DIGITS = r"uv (\d+)\.(\d+)"


def find_uv(
    package: Package,
    record: Manifest,
    runner: Runner,
    system: System,
    pythons: Sequence[Path] = (),
) -> Path | None:
    """uv: this release's own, an earlier run's, one on the PATH, or one that pip gets with one of
    ``pythons``; None if there is no way. Raises `EngineError` if the release's own is damaged.
    """
    if package.uv:
        return _bundled(package, record)
    own = Path(record.prefix) / "uv"
    folders: list[str | None] = [str(own), str(own / "bin"), str(own / "Scripts"), None]
    folders += [str(system.home / each) for each in (".local/bin", ".cargo/bin")]
    for folder in folders:
        found = shutil.which("uv", path=folder)
        if found and _works(Path(found), runner):
            return Path(found)
    if not pythons:
        return None
    runner.talk.say(_("Getting uv, a small program that installs Python packages …"))
    record.own("trees", own)
    # A tree of its own, so that neither the system's Python nor a user's is touched.
    for python in pythons:
        with tempfile.TemporaryDirectory() as folder:
            _with_pip(python, Path(folder), own, runner)
        found = shutil.which("uv", path=str(own / "bin"))
        if found and _works(Path(found), runner):
            return Path(found)
    return None


def _with_pip(python: Path, scratch: Path, target: Path, runner: Runner) -> None:
    words = ["-I", "-m", "pip", "install", "--quiet", "--target", target, "--upgrade", "uv"]
    if runner.attempt([python, *words], timeout=300) is None:
        return
    # A Python without pip may be able to make one that has it.
    if runner.attempt([python, "-I", "-m", "venv", scratch], timeout=120) is None:
        runner.attempt([venv_python(scratch), *words], timeout=300)


def _bundled(package: Package, record: Manifest) -> Path:
    """This release's own uv, copied to where it can be started: a zip may not keep the run bit,
    and GIMP's folder need not be writable.
    """
    assert package.uv
    if sha256(package.uv) != package.uv_sha256:
        raise EngineError(
            "setup-incomplete",
            _("The program uv that came with this filter is damaged."),
            _("Download the filter again."),
        )
    own = Path(record.prefix) / "uv"
    target = own / NAME
    if not target.is_file() or sha256(target) != package.uv_sha256:
        record.own("trees", own)
        own.mkdir(exist_ok=True)
        new = own / f"new-{NAME}"
        shutil.copyfile(package.uv, new)
        os.chmod(new, 0o755)
        os.replace(new, target)
    return target


def _works(uv: Path, runner: Runner) -> bool:
    # A pyenv shim or a broken link is found on the PATH, too.
    try:
        done = output([uv, "--version"], runner.env, 30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = re.match(DIGITS, done.stdout)
    return bool(found) and (int(found[1]), int(found[2])) >= OLDEST  # type: ignore[index]
