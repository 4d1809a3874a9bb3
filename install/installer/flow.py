"""The order in which things happen: install (which is also repair and upgrade) and uninstall."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from . import environment, manifest, plugin, profiles, selftest
from .base import CONSTRAINTS, InstallError, default_prefix, say, version
from .environment import Builder, Probe
from .manifest import Manifest
from .process import Runner, clean_env
from .python import find_python, find_uv, refuse_unsupported, venv_python

WEIGHTS_FETCH = ("weights", "fetch")


@dataclass(frozen=True)
class Options:
    """What the user asked for on the command line."""

    prefix: Path | None = None
    backend: str = "auto"
    use_python: Path | None = None
    gimp_dirs: tuple[Path, ...] = ()
    weights: Path | None = None
    # None: ask on a terminal
    fetch_weights: bool | None = None
    yes: bool = False
    keep_weights: bool | None = None


def install(options: Options) -> None:
    """Installs, repairs or upgrades. Until the new engine has painted a picture, the old engine
    and the plug-ins that point to it are left alone. Raises `InstallError`.
    """
    prefix = (options.prefix or default_prefix()).expanduser().absolute()
    _refuse_sudo(options)
    refuse_unsupported()
    plugin.source_files()
    if options.weights and not options.weights.is_file():
        raise InstallError(f"There is no weights file {options.weights}.", "Correct --weights.")
    say(f"Neural Style Transfer {version()} for GIMP 3, into {prefix}")
    record = manifest.open_prefix(prefix)
    with manifest.lock(prefix):
        record.make_dir(prefix / "logs")
        cache = _cache(prefix)
        runner = Runner(prefix / "logs" / "install.log", _environment(cache))
        _sweep(record, cache)
        record.own("trees", cache)
        uv = find_uv(record, runner)
        folder = _build(options, record, runner, uv)
        python = venv_python(folder)
        try:
            probe = environment.probe(folder, runner)
            if not options.use_python:
                probe = _older_cuda(Builder(record, runner, uv, options.backend), folder, probe)
            _weights(options, prefix, python)
            say("Testing: painting a small picture …")
            painted = selftest.run(python, prefix)
        except InstallError:
            _sweep(record)  # in case a download was damaged
            raise
        folders = _plug_in(options, record, python)
        _launcher(record, prefix, python)
        record.engine = folder.name
        record.save()
        # pip keeps its downloads packed, which is of no use to anybody but pip.
        _sweep(record, *([cache] if uv else []))
    say()
    say(f"Done. The filter is in {len(folders)} GIMP profile{'s' * (len(folders) != 1)}:")
    for path in folders:
        say(f"  {path}")
    devices = ", ".join(name for name, problem in probe.devices.items() if not problem)
    say(f"Computes on: {painted.device or devices}{f' ({probe.gpu})' if probe.gpu else ''}")
    say(f"Features:    {painted.features}")
    say("In GIMP: Filters > Artistic > Neural Style Transfer. (Start GIMP again if it is running.)")
    say(f"On the command line: {_shown_launcher(prefix)} run photo.jpg --style painting.jpg")


def _refuse_sudo(options: Options) -> None:
    user = os.environ.get("SUDO_USER", "root")
    if user != "root" and not (options.prefix and options.gimp_dirs):
        raise InstallError(
            f"With sudo, the filter would be installed for root instead of {user}.",
            "Run the installer without sudo.",
        )


def _cache(prefix: Path) -> Path:
    """The downloads. On the same disk as the engine uv links its files, so that keeping them takes
    no space of its own; another set of versions begins another cache, and the old one goes.
    """
    return prefix / f"cache-{hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()[:8]}"


def _environment(cache: Path) -> dict[str, str]:
    extra = {
        "UV_NO_PROGRESS": "1",
        "UV_HTTP_TIMEOUT": "300",
        "UV_CACHE_DIR": str(cache),
        "PIP_CACHE_DIR": str(cache / "pip"),
    }
    return clean_env(**{k: os.environ.get(k, v) for k, v in extra.items()})


def _sweep(record: Manifest, *caches: Path) -> None:
    """Removes what earlier runs left behind: engines and staged plug-ins no longer referred to,
    and all caches but ``caches``.
    """
    for tree in map(Path, list(record.trees)):
        engine = tree.name.startswith("engine-") and tree.name != record.engine
        cache = tree.name.startswith("cache-") and tree not in caches
        leftover = engine or cache or tree.name == plugin.STAGING
        if not leftover or not manifest.is_ours(record, tree) or (engine and _in_use(tree)):
            continue
        try:
            manifest.remove_tree(tree)
        except OSError:
            continue  # in use (Windows); the next run tries again
        record.disown(tree)


def _in_use(tree: Path) -> bool:
    """Whether a process runs from ``tree`` (Linux; elsewhere such files resist removal)."""
    needle = os.fsencode(tree) + b"/"
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if needle in entry.read_bytes():
                return True
        except OSError:
            continue
    return False


def _build(options: Options, record: Manifest, runner: Runner, uv: Path | None) -> Path:
    """A complete new environment."""
    builder = Builder(record, runner, uv, options.backend)
    if options.use_python:
        say(f"Using the PyTorch of {options.use_python}.")
        folder = builder.borrow(options.use_python)
    else:
        python = find_python(record, uv, runner)
        kind = "own copy" if python.managed else str(python.path)
        say(f"Python {python.version[0]}.{python.version[1]} ({kind}){'' if uv else ', pip'}.")
        folder = builder.create(python)
        builder.install_torch(folder)
    builder.install_engine(folder, with_dependencies=not options.use_python)
    return folder


def _older_cuda(builder: Builder, folder: Path, probe: Probe) -> Probe:
    """Tries the PyTorch build for older cards where this one fails. Which devices remain unusable
    is no obstacle: the engine does without them.
    """
    if any(problem for name, problem in probe.devices.items() if name.startswith("cuda")):
        say(f"This PyTorch cannot use the {probe.gpu}; trying the build for older cards.")
        try:
            builder.install_torch(folder, environment.OLD_CUDA)
            probe = environment.probe(folder, builder.runner)
        except InstallError as error:
            say(error.message)
    for device, problem in probe.devices.items():
        if problem:
            say(f"The device {device} cannot be used ({problem}); the engine does without it.")
    return probe


def _engine(python: Path, prefix: Path, *arguments: str) -> int:
    """Runs the installed ``styleengine`` command in front of the user; returns its exit status."""
    command = [python, "-I", "-X", "utf8", "-m", "styleengine", *arguments]
    return subprocess.run(
        command, env=clean_env(STYLEENGINE_HOME=str(prefix)), check=False
    ).returncode


def _weights(options: Options, prefix: Path, python: Path) -> None:
    if options.weights:
        if _engine(python, prefix, "weights", "import", str(options.weights.absolute())):
            raise InstallError(
                f"{options.weights} could not be taken over as weights.",
                "Correct --weights, or leave it out.",
            )
        return
    if manifest.has_weights(prefix):
        return  # from an earlier installation
    command = "Later: styleengine weights fetch"
    wanted = options.fetch_weights
    if wanted is None:
        wanted = options.yes or _asked(
            "The filter paints best with the pretrained VGG19 network (80 MB download).\n"
            "Download it now? [Y/n] "
        )
    if not wanted:
        say(f"Going on without the pretrained network. {command}")
    elif _engine(python, prefix, *WEIGHTS_FETCH):
        say(f"The filter works without it. {command}")


def _asked(question: str, default: bool = True) -> bool:
    """The user's answer; no, where there is nobody to ask."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        answer = input(question).strip().lower()
    except EOFError:
        return False
    return answer.startswith("y") if answer else default


def _plug_in(options: Options, record: Manifest, python: Path) -> list[Path]:
    system = profiles.System.current()
    remark = ""
    if options.gimp_dirs:
        wanted = [d.expanduser().absolute() for d in options.gimp_dirs]
    else:
        wanted, remark = profiles.wanted_profiles(system)
        # Profiles named in an earlier run must not be left pointing at an engine that goes.
        known = [Path(t).parent.parent for t in record.trees if Path(t).name == plugin.NAME]
        wanted += [p for p in known if p not in wanted and (p / "plug-ins" / plugin.NAME).is_dir()]
    done, problems = [], []
    for profile in wanted:
        try:
            done.append(plugin.install(profile, python, record))
        except InstallError as error:
            problems.append(error)
    if not done:
        raise problems[0]
    for error in problems:
        say(f"Left out: {error.message} {error.hint}")
    for text in filter(None, (remark, profiles.unsupported(system))):
        say(text)
    return done


def _launcher(record: Manifest, prefix: Path, python: Path) -> None:
    """A ``styleengine`` command at a place that stays the same from version to version."""
    folder = prefix / "bin"
    record.own("trees", folder)
    folder.mkdir(exist_ok=True)
    if sys.platform == "win32":
        path = folder / "styleengine.cmd"
        lines = [
            "@echo off",
            f'if not defined STYLEENGINE_HOME set "STYLEENGINE_HOME={prefix}"',
            f'"{python}" -I -X utf8 -m styleengine %*',
        ]
        manifest.write_atomically(path, "\r\n".join(lines) + "\r\n")
        return
    path = folder / "styleengine"
    lines = [
        "#!/bin/sh",
        f'export STYLEENGINE_HOME="${{STYLEENGINE_HOME:-{prefix}}}"',
        f'exec "{python}" -I -X utf8 -m styleengine "$@"',
    ]
    manifest.write_atomically(path, "\n".join(lines) + "\n")
    path.chmod(0o755)
    public = Path.home() / ".local" / "bin" / "styleengine"
    on_path = str(public.parent) in os.environ.get("PATH", "").split(os.pathsep)
    wanted = on_path and public.parent.is_dir() and prefix == default_prefix().absolute()
    if wanted and not os.path.lexists(public):
        record.own("files", public)
        public.symlink_to(path)


def _shown_launcher(prefix: Path) -> str:
    own = prefix / "bin" / "styleengine"
    found = shutil.which("styleengine")
    return "styleengine" if found and Path(found).resolve() == own.resolve() else str(own)


def engine_python(options: Options) -> Path:
    """The interpreter of the installed engine. Raises `InstallError` if there is none."""
    prefix = (options.prefix or default_prefix()).expanduser().absolute()
    record = manifest.read(prefix)
    if not record or not record.engine:
        raise InstallError(f"Nothing is installed in {prefix}.", "Run install/install.sh first.")
    return venv_python(prefix / record.engine)


def uninstall(options: Options) -> None:
    """Removes everything that was installed; asks about the weights. Raises `InstallError`."""
    prefix = (options.prefix or default_prefix()).expanduser().absolute()
    record = manifest.read(prefix)
    if not record:
        raise InstallError(
            f"Nothing is installed in {prefix}.",
            "If it was installed elsewhere, say where with --prefix DIR.",
        )
    keep = options.keep_weights
    has_weights = manifest.has_weights(prefix)
    if not has_weights:
        keep = False
    elif keep is None:
        keep = not _asked("Remove the downloaded network as well? [y/N] ", False)
    with manifest.lock(prefix):
        problems = manifest.remove_all(record, keep_weights=keep)
    if problems:
        raise InstallError(" ".join(problems), "Close GIMP and run the uninstaller again.")
    manifest.forget(record)
    say(f"Neural Style Transfer is removed from {prefix} and from GIMP.")
    if keep:
        say(f"The network stays in {prefix / manifest.WEIGHTS}; --uninstall --all removes it too.")
