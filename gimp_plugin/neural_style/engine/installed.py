"""Where the engine is, the environment it gets, and where its log goes. Knows nothing of GIMP."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import protocol
from disk.private import MODE, MOST_BYTES, make_folder, plain_json
from disk.regular import read_regular
from language.texts import N_, _
from protocol import EngineError

APP = "gimp-neural-style"
LOG_BYTES = 512 << 10
LOG_FILES = 3
RECORD = "engine.json"
ENGINE_ARGUMENTS = ("-I", "-u", "-X", "utf8", "-m", "styleengine", "serve")
"""What the engine's Python is started with."""
_spare_log: Path | None = None
REINSTALL = N_("Choose “Neural Style: Set Up, Repair, Remove…” under Filters › Artistic.")

# What the engine may inherit. GIMP's own variables (PYTHONHOME, LD_PRELOAD, LD_LIBRARY_PATH, PATH)
# make another Python load GIMP's libraries, so everything that is not named here is dropped.
KEPT = re.compile(
    "(HOME|USER|LOGNAME|LANG|LANGUAGE|TZ|TMPDIR|TEMP|TMP|SHELL|SSH_AUTH_SOCK"
    "|XDG_(DATA|CACHE|CONFIG)_HOME|XDG_RUNTIME_DIR|(HTTP|HTTPS|ALL|NO)_PROXY"
    "|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|USERPROFILE|USERNAME|HOMEDRIVE|HOMEPATH"
    "|APPDATA|LOCALAPPDATA|PROGRAMDATA|PROGRAMFILES|NUMBER_OF_PROCESSORS"
    "|(LC|STYLEENGINE|CUDA|NVIDIA|HIP|HSA|ROCR|ZE|ONEAPI|OMP|MKL|KMP|PYTORCH)_.+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Installed:
    """The engine as the installer left it: how to start it, and what to tell it."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path


def data_dir(environment: Mapping[str, str]) -> Path:
    """The engine's home: engine, network, and all that the user has chosen and made."""
    flatpak = os.path.exists("/.flatpak-info") or environment.get("container") == "flatpak"
    return home_rule(environment, sys.platform, Path.home(), flatpak)


def home_rule(environment: Mapping[str, str], platform: str, home: Path, flatpak: bool) -> Path:
    """The rule of ``styleengine.machine.folders``. Unlike there, in a Flatpak the user's own data
    folder, as the sandbox's would be found by no other GIMP.
    """
    override = environment.get("STYLEENGINE_HOME")
    if override:
        return Path(override)
    if platform == "win32":
        base = environment.get("LOCALAPPDATA")
        return (Path(base) if base else home / "AppData" / "Local") / APP
    if platform == "darwin":
        return home / "Library" / "Application Support" / APP
    base = "" if flatpak else environment.get("XDG_DATA_HOME")
    return (Path(base) if base else home / ".local" / "share") / APP


def home_of(plugin_dir: Path, environment: Mapping[str, str]) -> Path:
    """The home that ``engine.json`` names, as a set-up may have chosen another one, else
    `data_dir`.
    """
    if not environment.get("STYLEENGINE_HOME"):
        with contextlib.suppress(EngineError):
            home = _read_record(record_file(plugin_dir, environment)).get("home")
            if home:
                return Path(home)
    return data_dir(environment)


def record_file(plugin_dir: Path, environment: Mapping[str, str]) -> Path:
    """The ``engine.json`` in use: the plug-in's own, else that in the engine's home, where it is if
    the plug-in's folder may not be written to.
    """
    own = plugin_dir / RECORD
    return own if own.exists() else data_dir(environment) / RECORD


def log_file(environment: Mapping[str, str]) -> Path:
    """The file that receives the engine's stderr and the plug-in's own tracebacks."""
    return data_dir(environment) / "logs" / "engine.log"


def find(plugin_dir: Path, environment: Mapping[str, str]) -> Installed:
    """The engine to start: ``$STYLEENGINE_COMMAND``, else what ``engine.json`` names.

    Raises `EngineError` ("engine-missing", "protocol-version") with the next step.
    """
    override = environment.get("STYLEENGINE_COMMAND")
    if override:
        command = _split(override)
        child = clean_environment(environment)
    else:
        record = _read_record(record_file(plugin_dir, environment))
        command = record["command"]
        # A sandboxed GIMP has an XDG_DATA_HOME of its own; "home" says where the weights are.
        home = {"STYLEENGINE_HOME": record["home"]} if "home" in record else {}
        child = clean_environment({**home, **environment})
        _require_trusted(command[0], child["PATH"])
    program = command[0]
    if shutil.which(program, path=child["PATH"]) is None:
        raise EngineError(
            "engine-missing",
            _("The painting engine is not at {place} any more.").format(place=program),
            _(REINSTALL),
        )
    return Installed(tuple(command), child, log_file(child))


def _require_trusted(program: str, search: str) -> None:
    """Raises `EngineError` if somebody else on this computer could have put the program there."""
    found = shutil.which(program, path=search)
    if found is None or os.name != "posix":
        return
    for each in (Path(found), Path(found).parent):
        about = each.stat()
        others = about.st_mode & stat.S_IWOTH
        if others and not (stat.S_ISDIR(about.st_mode) and about.st_mode & stat.S_ISVTX):
            raise EngineError(
                "engine-missing",
                _("Anybody on this computer may change {place}: it is not started.").format(
                    place=each
                ),
                _(REINSTALL),
            )


def _split(command: str) -> Any:
    try:
        words = shlex.split(command, posix=sys.platform != "win32")
    except ValueError as problem:
        words, reason = [], str(problem)
    else:
        reason = _("it is empty")
    if not words:
        raise EngineError(
            "engine-missing",
            _("STYLEENGINE_COMMAND is not a command ({reason}).").format(reason=reason),
            _("Correct that environment variable, or remove it."),
        )
    return [word.strip('"') for word in words] if sys.platform == "win32" else words


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = plain_json(read_regular(path, MOST_BYTES))
    except FileNotFoundError:
        raise EngineError(
            "engine-missing",
            _("The painting engine is not installed."),
            _(REINSTALL),
        ) from None
    except (OSError, ValueError) as problem:
        raise EngineError(
            "engine-missing",
            _("{file} cannot be read: {reason}.").format(file=path, reason=problem),
            _(REINSTALL),
        ) from None
    command = record.get("command") if isinstance(record, dict) else None
    words = isinstance(command, list) and all(isinstance(word, str) for word in command)
    if not words or not command or not isinstance(record.get("home", ""), str):
        text = _("{file} names no engine to start.").format(file=path)
        raise EngineError("engine-missing", text, _(REINSTALL))
    protocol.check_protocol(record.get("protocol", protocol.PROTOCOL), engine_is_asking=False)
    return dict(record)


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of ``environment`` that another Python can take, and a plain PATH."""
    child = {name: value for name, value in environment.items() if KEPT.fullmatch(name)}
    if sys.platform == "win32":
        system = environment.get("SYSTEMROOT", r"C:\Windows")
        child["PATH"] = os.pathsep.join([system + r"\System32", system, system + r"\System32\Wbem"])
    else:
        child["PATH"] = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/usr/sbin:/sbin"
        # In a Flatpak the graphics driver is found only through these entries.
        libraries = environment.get("LD_LIBRARY_PATH", "").split(":")
        driver = [entry for entry in libraries if re.match(r"/usr/lib/[^/]+/GL(/|$)", entry)]
        if driver:
            child["LD_LIBRARY_PATH"] = ":".join(driver)
    return child


def open_log(path: Path) -> tuple[Path, BinaryIO]:
    """Opens the log for appending, rotated if it has grown; returns its path, too.

    That is another path, in the temporary folder, if nothing can be written at ``path``, and a file
    that keeps nothing if nothing can be written at all: no log is no reason to stop.
    """
    global _spare_log
    try:
        make_folder(path.parent)
        _rotate(path)
        return path, _opened(path)
    except OSError:
        pass
    with contextlib.suppress(OSError):
        if _spare_log is None:
            # A name that nobody can know before, and a file that nobody else can read.
            number, name = tempfile.mkstemp(prefix=f"{APP}-", suffix=".log")
            os.close(number)
            _spare_log = Path(name)
        return _spare_log, _opened(_spare_log)
    return Path(os.devnull), open(os.devnull, "ab")


def _opened(path: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    # A pipe in its place would hold us up for ever.
    number = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), MODE)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(number, "ab")


def _rotate(path: Path) -> None:
    if not path.exists() or path.stat().st_size < LOG_BYTES:
        return
    for number in range(LOG_FILES - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
        if newer.exists():
            try:
                os.replace(newer, older)
            except OSError:
                return  # another engine has it open (Windows): rotate next time


def write_log(path: Path, text: str) -> Path:
    """Appends ``text`` with the time to the log; returns the file it went to."""
    path, stream = open_log(path)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    with contextlib.suppress(OSError), stream:  # the disk may be full
        stream.write(f"--- {stamp} plug-in: {text.rstrip()}\n".encode("utf-8", "replace"))
    return path
