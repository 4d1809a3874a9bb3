"""Finds what an engine environment is made with: uv, and a Python that is new enough."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from .base import InstallError, say
from .manifest import Manifest
from .process import Runner

MANAGED = "3.12"
# The Pythons for which all the packages of constraints.txt have wheels.
OLDEST, NEWEST = (3, 11), (3, 14)
UV_OLDEST = (0, 6)  # knows --torch-backend
UV_SCRIPT = "https://astral.sh/uv/install.sh"


@dataclass(frozen=True)
class Python:
    """An interpreter to make the environment from. ``whole``: it can do so without uv."""

    path: Path
    version: tuple[int, int]
    whole: bool
    managed: bool = False


def find_uv(manifest: Manifest, runner: Runner, *, fetch: bool = True) -> Path | None:
    """uv from the PATH, an earlier run, or fetched into the prefix; None if there is no way."""
    own = Path(manifest.prefix) / "uv"
    for folder in (None, own, own / "bin", own / "Scripts"):
        found = shutil.which("uv", path=str(folder) if folder else None)
        if found and _uv_works(Path(found)):
            return Path(found)
    if not fetch:
        return None
    say("Getting uv, a small program that installs Python packages …")
    manifest.own("trees", own)
    # A tree of its own, so that neither the system's Python nor a user's is touched.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", own, "--upgrade", "uv"]
    if runner.attempt(pip, timeout=300) is not None:
        with tempfile.TemporaryDirectory() as folder:
            make = [sys.executable, "-m", "venv", folder]
            if runner.attempt(make, timeout=120) is None:
                pip[0] = venv_python(Path(folder))
                runner.attempt(pip, timeout=300)
    if not shutil.which("uv", path=str(own / "bin")) and os.name == "posix":
        _uv_from_its_makers(own, runner)
    return find_uv(manifest, runner, fetch=False)


def _uv_works(uv: Path) -> bool:
    # A pyenv shim or a broken link is found on the PATH, too.
    try:
        done = subprocess.run([uv, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = re.match(r"uv (\d+)\.(\d+)", done.stdout)
    return bool(found) and (int(found[1]), int(found[2])) >= UV_OLDEST  # type: ignore[index]


def _uv_from_its_makers(own: Path, runner: Runner) -> None:
    try:
        with urllib.request.urlopen(UV_SCRIPT, timeout=15) as answer:
            script = answer.read()
    except (OSError, urllib.error.URLError):
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "install.sh"
        path.write_bytes(script)
        runner.with_env(UV_UNMANAGED_INSTALL=str(own)).attempt(["sh", path], timeout=300)


def venv_python(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    if sys.platform == "win32":
        return environment / "Scripts" / "python.exe"
    return environment / "bin" / "python"


def find_python(manifest: Manifest, uv: Path | None, runner: Runner) -> Python:
    """A Python of our own if uv can fetch one, else the best of the system's.

    A Python of our own survives upgrades of the system, and works inside GIMP's flatpak, where the
    system's does not exist. Raises `InstallError` if there is none.
    """
    if uv:
        managed = _managed(manifest, uv, runner)
        if managed:
            return managed
    seen = []
    for name in ("python3.13", "python3.12", "python3.14", "python3.11", "python3", "python"):
        path = shutil.which(name)
        python = inspect(Path(path)) if path else None
        if python:
            seen.append(python)
    for python in (p for p in seen if OLDEST <= p.version <= NEWEST and (uv or p.whole)):
        return python
    for python in (p for p in seen if OLDEST <= p.version <= NEWEST):
        return _completed(python, runner)
    newest = max(seen, key=lambda p: p.version, default=None)
    told = f"this system has {newest.version[0]}.{newest.version[1]}" if newest else "there is none"
    raise InstallError(
        f"Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} is needed, but {told}, "
        "and none could be downloaded.",
        f"Check the internet connection, or install Python {MANAGED} yourself; then run the "
        "installer again.",
    )


def _managed(manifest: Manifest, uv: Path, runner: Runner) -> Python | None:
    folder = Path(manifest.prefix) / "python"
    # Short of patience: where this site cannot be reached the system's Python does as well.
    hasty = runner.with_env(
        UV_PYTHON_INSTALL_DIR=str(folder),
        UV_PYTHON_INSTALL_BIN="0",
        UV_PYTHON_INSTALL_REGISTRY="0",
        UV_HTTP_RETRIES="0",
        UV_HTTP_CONNECT_TIMEOUT="8",
    )
    had = folder.is_dir()
    manifest.own("trees", folder)
    if hasty.attempt([uv, "python", "install", MANAGED], timeout=600) is not None and not had:
        shutil.rmtree(folder, ignore_errors=True)
        manifest.disown(folder)
        return None
    name = "python.exe" if sys.platform == "win32" else f"bin/python{MANAGED}"
    for path in sorted(folder.glob(f"cpython-{MANAGED}.*/{name}"), reverse=True):
        python = inspect(path)
        if python:
            return Python(path, python.version, python.whole, managed=True)
    return None


_INSPECT = """
import importlib.util as u, json, os, sys
whole = all(u.find_spec(m) for m in ("venv", "ensurepip", "ctypes", "ssl"))
base = getattr(sys, "_base_executable", "") or sys.executable
print(json.dumps([os.path.realpath(base), sys.version_info[:2], whole, sys.maxsize > 2**32]))
"""


def inspect(path: Path) -> Python | None:
    """The interpreter behind ``path`` (a link, a shim, an environment's), if it is usable."""
    try:
        done = subprocess.run([path, "-I", "-c", _INSPECT], capture_output=True, timeout=30)
        base, version, whole, is_64_bit = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    return Python(Path(base), tuple(version), whole) if is_64_bit else None


def _completed(python: Python, runner: Runner) -> Python:
    """``python`` with the parts that Debian leaves out, which only root can add."""
    name = f"python{python.version[0]}.{python.version[1]}-venv"
    apt = shutil.which("apt-get")
    if apt and os.name == "posix" and os.geteuid() == 0:
        say(f"Installing the system package {name} …")
        quiet = runner.with_env(DEBIAN_FRONTEND="noninteractive")
        quiet.attempt([apt, "update"], timeout=300)
        quiet.attempt([apt, "install", "-y", "--no-install-recommends", name], timeout=600)
        again = inspect(python.path)
        if again and again.whole:
            return again
    raise InstallError(
        "This system's Python cannot make environments (its venv part is missing).",
        f"Install it (Debian, Ubuntu: sudo apt install {name}), then run the installer again.",
    )


def refuse_unsupported() -> None:
    """Raises `InstallError` where no current PyTorch exists."""
    machine = platform.machine().lower()
    if sys.platform == "darwin" and machine == "x86_64":
        raise InstallError(
            "PyTorch is no longer made for Macs with an Intel processor.",
            "Use a Mac with an Apple processor, or run the engine on another computer.",
        )
    if sys.maxsize <= 2**32 or machine not in ("x86_64", "amd64", "aarch64", "arm64"):
        raise InstallError(
            f"PyTorch is not made for this computer ({platform.machine()}).",
            "A 64-bit Intel, AMD or ARM processor and a 64-bit system are needed.",
        )
