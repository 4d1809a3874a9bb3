"""Into which GIMP profiles the installer puts the filter, and the GIMP of this system."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import plugin_path  # noqa: F401
from setup.places import found_profiles, profile_bases
from setup.system import System

# Used when no GIMP 3 can be found at all: the versions this release was tested with.
TESTED = ("3.0", "3.2")


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


def first_start(program: str) -> None:
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
        first_start(gimp[0])
        return [*profiles, base / gimp[1]], ""
    if profiles:
        return profiles, ""
    names = " and ".join(TESTED)
    return [base / v for v in TESTED], (
        f"No GIMP 3 was found; the filter is ready for GIMP {names} when you install it. "
        "For any other version, run this installer again after GIMP's first start."
    )


def snap(system: System) -> str:
    """A warning about a GIMP that cannot reach the engine, or nothing."""
    if (system.home / "snap" / "gimp").is_dir():
        return (
            "The snap of GIMP is shut off from your home folder and cannot start the engine; "
            "use GIMP's AppImage, its flatpak or your distribution's package."
        )
    return ""
