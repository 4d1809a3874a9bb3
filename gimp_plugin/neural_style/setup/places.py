"""Where things go: the engine's home, the downloads, GIMP's profiles."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePath

from engine.installed import home_rule
from setup.system import System

FLATPAK_ID = "org.gimp.GIMP"


def default_home(system: System) -> Path:
    """The folder of engine, network and all of the user's data, by the engine's own rule."""
    return home_rule(system.env, system.platform, system.home, system.sandbox == "flatpak")


def cache_folder(prefix: Path, constraints: bytes, system: System) -> Path:
    """The downloads. On the same disk as the engine uv links its files, so that keeping them takes
    no space of its own; another set of versions begins another cache, and the old one goes.

    On Windows beside the default home instead of in it: with the longest name that a user may have
    (20 characters), every file of torch then stays below the 259 that many programs stop at.
    """
    digest = hashlib.sha256(constraints).hexdigest()[:4]
    if system.platform == "win32" and prefix == default_home(system):
        return prefix.with_name(f"gns-{digest}")
    return prefix / f"cache-{digest}"


def is_cache(path: PurePath, prefix: PurePath) -> bool:
    """Whether ``path`` is a name that `cache_folder` gives."""
    inside = path.parent == prefix and re.fullmatch(r"cache-[0-9a-f]{4,8}", path.name)
    beside = path.parent == prefix.parent and re.fullmatch(r"gns-[0-9a-f]{4}", path.name)
    return bool(inside or beside)


def profile_bases(system: System) -> list[Path]:
    """The folders that hold one GIMP profile per version; the first is where one is made."""
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
