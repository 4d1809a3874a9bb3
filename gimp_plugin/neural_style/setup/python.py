"""Finds the Python that the engine runs on: one of our own, else one of the system's."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from language.texts import _
from protocol import EngineError
from setup.children import Runner, output
from setup.failures import disk_full
from setup.files import remove_tree
from setup.manifest import Manifest
from setup.system import System, is_store_python

MANAGED = "3.12"
# The Pythons for which all the packages of constraints.txt have wheels.
OLDEST, NEWEST = (3, 11), (3, 14)
ARCHIVE = "STYLEENGINE_PYTHON_ARCHIVE"
"""Names a python-build-standalone archive (…install_only….tar.gz) to take instead of a download."""


@dataclass(frozen=True)
class Python:
    """An interpreter to make the environment from. ``whole``: it can do so without uv.
    ``managed``: it lies in the prefix and belongs to us.
    """

    path: Path
    version: tuple[int, int]
    whole: bool
    managed: bool = False

    @property
    def label(self) -> str:
        """How it is recorded: "managed", or where the host's is."""
        return "managed" if self.managed else str(self.path)


def venv_python(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    if sys.platform == "win32":
        return environment / "Scripts" / "python.exe"
    return environment / "bin" / "python"


def find_python(
    record: Manifest, uv: Path | None, runner: Runner, system: System, archive: Path | None
) -> Python:
    """A Python of our own, from ``archive`` or by uv; else the best of the system's.

    One of our own survives upgrades of the system, and works in GIMP's Flatpak, where the system's
    cannot be seen: there is no other way there. Raises `EngineError`.
    """
    folder = Path(record.prefix) / "python"
    printed: str | None = _("there is no uv")
    if archive:
        return _unpacked(archive, record, folder, runner)
    if uv:
        printed = _fetch(uv, record, folder, runner)
        python = None if printed else _newest(folder, runner)
        if python:
            return python
    if may_use_host(system):
        return _host(uv, runner)
    raise EngineError(
        "setup-python",
        _("The engine needs a Python of its own here, and none could be downloaded."),
        _(
            "Check the connection; or name a mirror with UV_PYTHON_INSTALL_MIRROR, or an archive "
            "from python-build-standalone with STYLEENGINE_PYTHON_ARCHIVE. Details: {file}"
        ).format(file=runner.log),
    )


def may_use_host(system: System) -> bool:
    """Whether a Python of the system's would be found again by every GIMP of this user."""
    return not system.sandbox


def managed(prefix: Path, runner: Runner) -> Python | None:
    """The Python of our own that an earlier run has left, if it works."""
    return _newest(prefix / "python", runner)


def _fetch(uv: Path, record: Manifest, folder: Path, runner: Runner) -> str | None:
    """uv's own download; None if it worked, else what uv printed."""
    # Short of patience: where this site cannot be reached the system's Python may do as well.
    hasty = runner.with_env(
        UV_PYTHON_INSTALL_DIR=str(folder),
        UV_PYTHON_INSTALL_BIN="0",
        UV_PYTHON_INSTALL_REGISTRY="0",
        UV_HTTP_RETRIES="1",
        UV_HTTP_CONNECT_TIMEOUT="8",
    )
    had = folder.is_dir()
    record.own("trees", folder)
    printed = hasty.attempt([uv, "python", "install", MANAGED], timeout=900)
    if printed is not None and not had:
        remove_tree(folder)
        record.disown(folder)
    return printed


def _newest(folder: Path, runner: Runner) -> Python | None:
    names = ("python.exe",) if sys.platform == "win32" else (f"bin/python{MANAGED}", "bin/python3")
    for name in names:
        for path in sorted(folder.glob(f"cpython-*/{name}"), reverse=True):
            python = inspect(path, runner)
            if python and OLDEST <= python.version <= NEWEST:
                return Python(path, python.version, python.whole, managed=True)
    return None


def _unpacked(archive: Path, record: Manifest, folder: Path, runner: Runner) -> Python:
    """The Python in an archive as python-build-standalone makes them: one folder, ``python/``."""
    staging, target = folder / "unpacking", folder / "cpython-archive"
    record.own("trees", folder)
    folder.mkdir(exist_ok=True)
    for old in (staging, target):
        remove_tree(old)
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                runner.look()
                if not is_safe(member):
                    raise tarfile.TarError(f"it names {member.name}")
                tar.extract(member, staging, **_filter())
        os.rename(staging / "python", target)
    except (OSError, tarfile.TarError, EOFError, ValueError) as problem:
        if isinstance(problem, OSError) and problem.errno == errno.ENOSPC:
            raise disk_full(_("Getting Python")) from None
        reason = problem.strerror if isinstance(problem, OSError) else str(problem)
        raise EngineError(
            "setup-python",
            _("The Python archive {file} cannot be used: {reason}.").format(
                file=archive, reason=reason or problem
            ),
            _("Take an “install_only” archive of python-build-standalone for this system."),
        ) from None
    finally:
        remove_tree(staging)
    found = _newest(folder, runner)
    if found:
        return found
    raise EngineError(
        "setup-python",
        _("The Python archive {file} holds no Python {oldest} to {newest} for this system.").format(
            file=archive, oldest=_dotted(OLDEST), newest=_dotted(NEWEST)
        ),
        _("Take an “install_only” archive of python-build-standalone for this system."),
    )


def is_safe(member: tarfile.TarInfo) -> bool:
    """Whether a member of an archive stays within ``python/``, links included."""

    def inside(name: str) -> bool:
        parts: list[str] = []
        for part in PurePosixPath(name).parts:
            if part == "..":
                if not parts:
                    return False
                parts.pop()
            else:
                parts.append(part)
        return bool(parts) and parts[0] == "python"

    plain = not name_is_absolute(member.name) and inside(member.name)
    if member.issym():
        target = str(PurePosixPath(member.name).parent / member.linkname)
        return plain and not name_is_absolute(member.linkname) and inside(target)
    return plain and (
        member.isfile() or member.isdir() or (member.islnk() and inside(member.linkname))
    )


def name_is_absolute(name: str) -> bool:
    """Whether a name of an archive begins at a root, a drive or a share."""
    return name.startswith(("/", "\\")) or ":" in name or "\\" in name


def _filter() -> dict[str, Any]:
    return {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}


def _host(uv: Path | None, runner: Runner) -> Python:
    seen = []
    names = ("python3.13", "python3.12", "python3.14", "python3.11", "python3", "python")
    for name in names:
        path = shutil.which(name)
        python = inspect(Path(path), runner) if path else None
        if python and not is_store_python(str(python.path)):
            seen.append(python)
    fitting = [p for p in seen if OLDEST <= p.version <= NEWEST]
    for python in fitting:
        if uv or python.whole:
            return python
    if fitting:
        package = f"python{_dotted(fitting[0].version)}-venv"
        raise EngineError(
            "setup-python",
            _("This system's Python cannot make environments (its venv part is missing)."),
            _("Install it (Debian, Ubuntu: sudo apt install {package}), then set up again.").format(
                package=package
            ),
        )
    newest = max(seen, key=lambda p: p.version, default=None)
    text = _("Python {oldest} to {newest} is needed, and none could be downloaded.")
    if newest:
        text = _("Python {oldest} to {newest} is needed, but this system has {found}.")
    raise EngineError(
        "setup-python",
        text.format(
            oldest=_dotted(OLDEST), newest=_dotted(NEWEST), found=newest and _dotted(newest.version)
        ),
        _(
            "Check the internet connection, or install Python {version} yourself; then set up "
            "again."
        ).format(version=MANAGED),
    )


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


_INSPECT = """
import importlib.util as u, json, os, sys
whole = all(u.find_spec(m) for m in ("venv", "ensurepip", "ctypes", "ssl"))
base = getattr(sys, "_base_executable", "") or sys.executable
print(json.dumps([os.path.realpath(base), sys.version_info[:2], whole, sys.maxsize > 2**32]))
"""


def inspect(path: Path, runner: Runner) -> Python | None:
    """The interpreter behind ``path`` (a link, a shim, an environment's), if it is usable."""
    try:
        done = output([path, "-I", "-c", _INSPECT], runner.env, 30)
        base, version, whole, is_64_bit = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    return Python(Path(base), (version[0], version[1]), whole) if is_64_bit else None
