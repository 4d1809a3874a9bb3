"""The computer as the set-up sees it, and where it has to say no: plain functions of facts."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from language.texts import _
from protocol import EngineError

MACOS_OLDEST = (14, 0)
"""The oldest macOS that torch and imagecodecs of constraints.txt have wheels for."""


@dataclass(frozen=True)
class System:
    """What decisions depend on. ``release``: of macOS, (0, 0) where unknown. ``sandbox``:
    "flatpak", "snap", or "". ``python``: the Python that runs this, as the system knows it.
    """

    platform: str
    machine: str
    env: Mapping[str, str]
    home: Path
    release: tuple[int, int] = (0, 0)
    is_musl: bool = False
    sandbox: str = ""
    python: str = ""
    bits: int = 64

    @classmethod
    def current(cls) -> System:
        """The system this runs on."""
        soabi = str(sysconfig.get_config_var("SOABI") or "")
        return cls(
            sys.platform,
            _machine(),
            os.environ,
            Path.home(),
            _macos_release(platform.mac_ver()[0]),
            "musl" in soabi,
            sandbox_of(os.environ, Path("/.flatpak-info").exists()),
            os.path.realpath(sys.executable or ""),
            64 if sys.maxsize > 2**32 else 32,
        )

    @property
    def arch(self) -> str:
        """ "x86_64", "arm64", or what the system calls it."""
        name = self.machine.lower()
        return {"amd64": "x86_64", "aarch64": "arm64"}.get(name, name)


def sandbox_of(env: Mapping[str, str], has_flatpak_info: bool) -> str:
    """ "flatpak", "snap", or "": what this process is shut in."""
    if has_flatpak_info or env.get("container") == "flatpak":
        return "flatpak"
    return "snap" if env.get("SNAP") and env.get("SNAP_NAME") else ""


def _macos_release(text: str) -> tuple[int, int]:
    numbers = re.match(r"(\d+)\.(\d+)", text + ".0")
    found = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    # What a new macOS tells to programs that were built for an old one.
    return (0, 0) if found == (10, 16) else found


def _machine() -> str:
    machine = platform.machine()
    if sys.platform == "darwin" and machine == "x86_64" and _is_translated():
        return "arm64"
    # Windows on ARM tells programs made for Intel that it were one.
    if sys.platform == "win32" and os.environ.get("PROCESSOR_IDENTIFIER", "").startswith("ARM"):
        return "arm64"
    return machine


def _is_translated() -> bool:
    """Whether macOS translates this program from Intel's language to Apple's processor."""
    value, size = ctypes.c_int(0), ctypes.c_size_t(4)
    try:
        libc = ctypes.CDLL(None)
        name = b"sysctl.proc_translated"
        status = libc.sysctlbyname(name, ctypes.byref(value), ctypes.byref(size), None, 0)
    except (AttributeError, OSError):
        return False
    return status == 0 and value.value == 1


def is_store_python(path: str) -> bool:
    """Whether a Python is the Microsoft Store's, which writes into a folder only it can see."""
    return bool(re.search(r"WindowsApps|PythonSoftwareFoundation\.", path, re.IGNORECASE))


def refusal(system: System) -> EngineError | None:
    """Why the engine cannot be set up on this system, or None."""

    def no(text: str, step: str) -> EngineError:
        return EngineError("setup-unsupported", text, step)

    elsewhere = _("Run the engine on another computer (README, “On another machine”).")
    if system.sandbox == "snap":
        return no(
            _("The Snap of GIMP is shut off and cannot start a painting engine."),
            _("Use GIMP's Flatpak, its AppImage, or your distribution's package."),
        )
    if system.platform == "darwin" and system.arch != "arm64":
        return no(_("PyTorch is no longer made for Macs with an Intel processor."), elsewhere)
    if system.platform == "darwin" and (0, 0) < system.release < MACOS_OLDEST:
        return no(
            _("PyTorch needs macOS 14 or newer, and this is macOS {version}.").format(
                version=f"{system.release[0]}.{system.release[1]}"
            ),
            _("Update macOS (Apple menu › System Settings › General › Software Update)."),
        )
    if system.platform == "win32" and system.arch == "arm64":
        return no(_("PyTorch is not made for Windows on ARM."), elsewhere)
    if system.platform == "win32" and is_store_python(system.python):
        return no(
            _("The Python of the Microsoft Store keeps its files where GIMP cannot find them."),
            _("Install Python from python.org, then try again."),
        )
    if system.is_musl:
        return no(
            _("PyTorch is not made for systems with the C library musl, like Alpine."),
            _("Use GIMP's Flatpak, which brings its own system, or another distribution."),
        )
    if system.bits != 64 or system.arch not in ("x86_64", "arm64"):
        return no(
            _("PyTorch is not made for this computer ({machine}).").format(machine=system.machine),
            _("A 64-bit Intel, AMD or ARM processor and a 64-bit system are needed."),
        )
    return None


def release_name(system: System) -> str:
    """Which of the release's downloads is for this system, "linux-x86_64" and so on."""
    kind = {"win32": "windows", "darwin": "macos"}.get(system.platform, "linux")
    arch = system.arch
    return f"{kind}-{'aarch64' if (kind, arch) == ('linux', 'arm64') else arch}"
