"""The command ``styleengine`` for the terminal, at a place that stays from version to version."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from setup.files import write_atomically
from setup.manifest import Manifest
from setup.places import default_home
from setup.system import System


def install(record: Manifest, prefix: Path, python: Path, system: System) -> None:
    """Writes it, and links it into ``~/.local/bin`` where that is on the PATH."""
    folder = prefix / "bin"
    record.own("trees", folder)
    folder.mkdir(exist_ok=True)
    if system.platform == "win32":
        write_atomically(folder / "styleengine.cmd", for_windows(prefix, python))
        return
    path = folder / "styleengine"
    write_atomically(path, for_posix(prefix, python))
    path.chmod(0o755)
    public = system.home / ".local" / "bin" / "styleengine"
    on_path = str(public.parent) in system.env.get("PATH", "").split(os.pathsep)
    wanted = on_path and public.parent.is_dir() and prefix == default_home(system).absolute()
    if wanted and not os.path.lexists(public):
        record.own("files", public)
        public.symlink_to(path)


def for_posix(prefix: Path, python: Path) -> str:
    """The text of the shell script."""
    home, program = shlex.quote(str(prefix)), shlex.quote(str(python))
    lines = [
        "#!/bin/sh",
        f'[ -n "$STYLEENGINE_HOME" ] || STYLEENGINE_HOME={home}',
        "export STYLEENGINE_HOME",
        f'exec {program} -I -X utf8 -m styleengine "$@"',
    ]
    return "\n".join(lines) + "\n"


def for_windows(prefix: Path, python: Path) -> bytes:
    """The text of the batch file. The command interpreter reads it in the console's code page, so
    names with other letters than ASCII need UTF-8, and the console its own page back afterwards.
    """

    def quoted(path: Path) -> str:
        return str(path).replace("%", "%%")

    start = f'"{quoted(python)}" -I -X utf8 -m styleengine %*'
    lines = ["@echo off", "setlocal"]
    home = f'if not defined STYLEENGINE_HOME set "STYLEENGINE_HOME={quoted(prefix)}"'
    if (str(prefix) + str(python)).isascii():
        lines += [home, start]
    else:
        lines += [
            "for /f \"tokens=2 delims=:.\" %%p in ('chcp') do set /a styleengine_page=%%p",
            "chcp 65001 >nul",
            home,
            start,
            "set styleengine_status=%errorlevel%",
            "chcp %styleengine_page% >nul",
            "exit /b %styleengine_status%",
        ]
    return ("\r\n".join(lines) + "\r\n").encode("utf-8")


def shown(prefix: Path) -> str:
    """What a user types to start it."""
    own = prefix / "bin" / "styleengine"
    found = shutil.which("styleengine")
    return "styleengine" if found and Path(found).resolve() == own.resolve() else str(own)
