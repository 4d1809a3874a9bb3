"""Where GIMP 3 looks for its user's plug-ins, on each system.

Every minor version of GIMP has a folder of its own (``GIMP/3.0``, ``GIMP/3.2``), its *profile*.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Used when no GIMP 3 can be found at all: the versions this release was tested with.
TESTED = ("3.0", "3.2")
FLATPAK_ID = "org.gimp.GIMP"


@dataclass(frozen=True)
class System:
    """What the search depends on; the tests pass other systems than the one they run on."""

    platform: str
    env: Mapping[str, str]
    home: Path

    @classmethod
    def current(cls) -> System:
        """The system this runs on."""
        return cls(sys.platform, os.environ, Path.home())


def profile_bases(system: System) -> list[Path]:
    """The folders that hold one profile per version; the first is where a new one is made."""
    env, home = system.env, system.home
    if system.platform == "win32":
        appdata = env.get("APPDATA")
        return [(Path(appdata) if appdata else home / "AppData" / "Roaming") / "GIMP"]
    if system.platform == "darwin":
        return [home / "Library" / "Application Support" / "GIMP"]
    xdg = env.get("XDG_CONFIG_HOME")
    bases = [Path(xdg) if xdg else home / ".config", home / ".config"]
    # GIMP's flatpak uses the real ~/.config today; older builds had their own.
    bases.append(home / ".var" / "app" / FLATPAK_ID / "config")
    return [base / "GIMP" for base in dict.fromkeys(bases)]


def found_profiles(system: System) -> list[Path]:
    """The GIMP 3 profiles there are. ``GIMP3_DIRECTORY`` replaces all others, as in GIMP."""
    override = system.env.get("GIMP3_DIRECTORY")
    if override:
        return [system.home / override]  # a relative one is relative to the home folder
    profiles = []
    for base in profile_bases(system):
        if base.is_dir():
            names = [p.name for p in base.iterdir() if re.fullmatch(r"3\.\d+", p.name)]
            profiles += [base / n for n in sorted(names, key=lambda n: int(n[2:]))]
    return profiles


def gimp_on_path() -> tuple[str, str] | None:
    """``(program, "3.x")`` of a GIMP 3 on the PATH, or None."""
    for name in ("gimp-console", "gimp", "gimp-console-3", "gimp-3", "gimp-3.2", "gimp-3.0"):
        program = shutil.which(name)
        if not program:
            continue
        try:
            done = subprocess.run(
                [program, "--version"], capture_output=True, text=True, timeout=60, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        found = re.search(r"\b(3\.\d+)\.\d+", done.stdout)
        if found:
            return program, found[1]
    return None


def first_start(program: str, profile: Path) -> None:
    """Lets a GIMP that was never started make its own profile.

    If we made the folder, GIMP would take it for a complete profile and not bring over the
    settings of an older version.
    """
    command = [program, "--no-interface", "--no-data", "--no-fonts", "--quit"]
    try:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=180,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return


def wanted_profiles(system: System) -> tuple[list[Path], str]:
    """The profiles to install into, which may have to be made, and a remark for the user."""
    profiles = found_profiles(system)
    base = profile_bases(system)[0]
    gimp = None if system.env.get("GIMP3_DIRECTORY") else gimp_on_path()
    if gimp and base / gimp[1] not in profiles:
        first_start(gimp[0], base / gimp[1])
        return [*profiles, base / gimp[1]], ""
    if profiles:
        return profiles, ""
    names = " and ".join(TESTED)
    return [base / v for v in TESTED], (
        f"No GIMP 3 was found; the filter is ready for GIMP {names} when you install it. "
        "For any other version, run this installer again after GIMP's first start."
    )


def unsupported(system: System) -> str:
    """A warning about a GIMP that cannot reach the engine, or nothing."""
    if (system.home / "snap" / "gimp").is_dir():
        return (
            "The snap of GIMP is shut off from your home folder and cannot start the engine; "
            "use GIMP's AppImage, its flatpak or your distribution's package."
        )
    return ""
