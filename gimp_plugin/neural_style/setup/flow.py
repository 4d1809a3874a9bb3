"""The order in which things happen: set-up (which is also repair and update) and removal."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from language.texts import _
from protocol import EngineError
from setup import (
    environment,
    launcher,
    manifest,
    places,
    plugin_folder,
    probe,
    selftest,
    sweeping,
    torch_build,
    weights,
)
from setup.children import Runner, child_environment
from setup.environment import Builder
from setup.failures import of_system
from setup.manifest import Manifest
from setup.package import NAME, Package
from setup.progress import MB, Course
from setup.python import ARCHIVE, find_python, managed, venv_python
from setup.system import System, refusal, release_name
from setup.talk import Talk
from setup.uv import find_uv
from setup.wish import Outcome, Wish

UV_BYTES, PYTHON_BYTES, REST_BYTES, TEST_BYTES = 60 * MB, 110 * MB, 350 * MB, 20 * MB
WEIGHTS_BYTES = 80 * MB


def set_up(package: Package, wish: Wish, talk: Talk, system: System) -> Outcome:
    """Installs, repairs or updates. Until the new engine has painted a picture, the old engine and
    the plug-ins that point to it are left alone. Raises `EngineError` and `talk.Stopped`.
    """
    problem = refusal(system) or wrong_download(package, system)
    if problem:
        raise problem
    package.files()  # said before anything is made
    prefix = wish.prefix.expanduser().absolute()
    if wish.weights and not wish.weights.is_file():
        text = _("There is no weights file {file}.").format(file=wish.weights)
        raise EngineError("setup-failed", text, _("Correct --weights."))
    record = manifest.open_prefix(prefix)
    try:
        with manifest.lock(prefix):
            return _Work(package, replace(wish, prefix=prefix), talk, system, record).run()
    except OSError as error:
        raise of_system(error, _("Setting up"), prefix) from None


def wrong_download(package: Package, system: System) -> EngineError | None:
    """Why this download, made for one system, is of no use on this one, or None."""
    here = release_name(system)
    if not package.system or package.system == here:
        return None
    return EngineError(
        "setup-unsupported",
        _("This filter was downloaded for {there}, but this computer is {here}.").format(
            there=package.system, here=here
        ),
        _("Download the zip whose name ends in {here}.").format(here=here),
    )


class _Work:
    """One set-up, within the lock."""

    def __init__(
        self, package: Package, wish: Wish, talk: Talk, system: System, record: Manifest
    ) -> None:
        self.package, self.wish, self.talk, self.system = package, wish, talk, system
        self.record, self.prefix = record, wish.prefix
        record.make_dir(self.prefix / "logs")
        self.cache = places.cache_folder(self.prefix, package.constraints.read_bytes(), system)
        self.card = torch_build.find_card(system)
        self.course = Course(talk, self.prefix, self._stages())
        self.runner = Runner(
            self.prefix / "logs" / "install.log", self._environment(), talk, self.course.look
        )

    def _stages(self) -> dict[str, int]:
        torch = torch_build.size_of(self.wish.backend, self.card, self.system).stays
        borrowed = self.wish.use_python is not None
        return {
            _("Getting Python"): UV_BYTES + PYTHON_BYTES,
            _("Installing PyTorch"): 0 if borrowed else torch,
            _("Installing the engine"): 0 if borrowed else REST_BYTES,
            _("Getting the pretrained network"): WEIGHTS_BYTES,
            _("Testing the engine"): TEST_BYTES,
        }

    def _environment(self) -> dict[str, str]:
        extra = {
            "UV_NO_PROGRESS": "1",
            "UV_HTTP_TIMEOUT": "300",
            "UV_CACHE_DIR": str(self.cache),
            "PIP_CACHE_DIR": str(self.cache / "pip"),
            "STYLEENGINE_HOME": str(self.prefix),
        }
        given = self.system.env
        kept: Mapping[str, str] = {name: given.get(name, value) for name, value in extra.items()}
        return child_environment(given, **{**kept, "STYLEENGINE_HOME": str(self.prefix)})

    def run(self) -> Outcome:
        """All of it."""
        sweeping.sweep(self.record, self.cache)
        if not self.wish.again:
            outcome = self._adopted()
            if outcome:
                return outcome
        if not self.wish.use_python:
            size = torch_build.size_of(self.wish.backend, self.card, self.system)
            environment.check_disk(self.prefix, size.needs)
        self.course.enter(_("Getting Python"))
        self.record.own("trees", self.cache)
        pythons = self.wish.pythons or self._own_pythons()
        uv = find_uv(self.package, self.record, self.runner, self.system, pythons)
        backend = self.wish.backend
        builder = Builder(
            self.package, self.record, self.runner, uv, backend, self.card, self.system
        )
        with tempfile.TemporaryDirectory() as scratch:
            folder, base, wheel = self._build(builder, Path(scratch))
            python = venv_python(folder)
            text = plugin_folder.record(python, self.prefix, self.package.version, base)
            try:
                found = probe.probe(folder, self.runner, self.system)
                if not self.wish.use_python:
                    found = self._older_cuda(builder, folder, found)
                self.course.enter(_("Getting the pretrained network"))
                weights.provide(self.wish, self.package, python, self.runner, self.course)
                self.course.enter(_("Testing the engine"))
                self.talk.say(_("Testing: painting a small picture …"))
                painted = selftest.run(text, self.prefix, self.system.env, self.talk)
            except EngineError:
                sweeping.sweep(self.record)  # in case a download was damaged
                raise
            folders, left_out = self._switch(text, wheel)
        launcher.install(self.record, self.prefix, python, self.system)
        self.record.engine, self.record.python = folder.name, base
        self.record.version = self.package.version
        self.record.save()
        # pip keeps its downloads packed, which is of no use to anybody but pip.
        sweeping.sweep(self.record, *([self.cache] if uv else []))
        works = ", ".join(name for name, problem in found.devices.items() if not problem)
        return Outcome(
            tuple(folders), painted.device or works, found.gpu, painted.features, tuple(left_out)
        )

    def _own_pythons(self) -> tuple[Path, ...]:
        found = managed(self.prefix, self.runner)
        return (found.path,) if found else ()

    def _adopted(self) -> Outcome | None:
        """The engine that another GIMP of this user has set up, if it is sound and fits."""
        record = self.record
        folder = self.prefix / record.engine
        if not record.engine or record.version != self.package.version or not folder.is_dir():
            return None
        if self.system.sandbox and record.python != "managed":
            return None
        python = venv_python(folder)
        text = plugin_folder.record(python, self.prefix, record.version, record.python)
        self.talk.say(_("An engine of this version is there already; testing it …"))
        self.course.enter(_("Testing the engine"))
        try:
            painted = selftest.run(text, self.prefix, self.system.env, self.talk)
        except EngineError as problem:
            self.talk.say(problem.message)
            return None
        weights.provide(self.wish, self.package, python, self.runner, self.course)
        folders, left_out = self._switch(text, None)
        return Outcome(tuple(folders), painted.device, "", painted.features, tuple(left_out))

    def _build(self, builder: Builder, scratch: Path) -> tuple[Path, str, Path]:
        """A complete new environment, which Python it is made from, and the engine's wheel."""
        lender = self.wish.use_python
        if lender:
            self.talk.say(_("Using the PyTorch of {place}.").format(place=lender))
            folder, base = builder.borrow(lender), str(lender)
            self.course.enter(_("Installing PyTorch"))
        else:
            named = self.system.env.get(ARCHIVE)
            archive = Path(named).expanduser() if named else None
            python = find_python(self.record, builder.uv, self.runner, self.system, archive)
            where = _("own copy") if python.managed else str(python.path)
            version = f"{python.version[0]}.{python.version[1]}"
            self.talk.say(f"Python {version} ({where}){'' if builder.uv else ', pip'}.")
            folder, base = builder.create(python), python.label
            self.course.enter(_("Installing PyTorch"))
            builder.install_torch(folder)
        self.course.enter(_("Installing the engine"))
        wheel = builder.wheel(folder, scratch)
        builder.install_engine(folder, wheel, with_dependencies=not lender)
        return folder, base, wheel

    def _older_cuda(self, builder: Builder, folder: Path, found: probe.Probe) -> probe.Probe:
        """Tries the PyTorch build for older cards where this one fails. Which devices remain
        unusable is no obstacle: the engine does without them.
        """
        if any(problem for name, problem in found.devices.items() if name.startswith("cuda")):
            self.talk.say(
                _("This PyTorch cannot use the {card}; trying the build for older cards.").format(
                    card=found.gpu
                )
            )
            try:
                builder.install_torch(folder, torch_build.OLD_CUDA)
                found = probe.probe(folder, self.runner, self.system)
            except EngineError as error:
                self.talk.say(error.message)
        for device, problem in found.devices.items():
            if problem:
                text = _("{device} cannot be used ({reason}); the engine does without it.")
                self.talk.say(text.format(device=device, reason=problem))
        return found

    def _switch(self, text: str, wheel: Path | None) -> tuple[list[Path], list[EngineError]]:
        """Points every plug-in at the new engine: those of other profiles get this version whole,
        as what is named in an earlier run must not be left pointing at an engine that goes.
        """
        own = self.wish.folder
        known = [Path(t) for t in self.record.trees if Path(t).name == NAME]
        others = [f.parent.parent for f in known if f.is_dir() and f != own] if wheel else []
        done: list[Path] = []
        problems: list[EngineError] = []
        for profile in dict.fromkeys([*self.wish.profiles, *others]):
            try:
                source = wheel or self.package.engine
                done.append(plugin_folder.put(profile, self.package, source, text, self.record))
            except EngineError as error:
                problems.append(error)
        if own:
            plugin_folder.switch(own, self.prefix, text, self.record)
            done.append(own)
        if not done:
            raise problems[0]
        return done, problems


def remove(prefix: Path, talk: Talk, *, keep_weights: bool) -> None:
    """Removes everything that was set up, plug-in and user's settings included. Raises
    `EngineError`.
    """
    prefix = prefix.expanduser().absolute()
    record = manifest.read(prefix)
    if not record:
        raise EngineError(
            "setup-failed",
            _("Nothing is installed in {folder}.").format(folder=prefix),
            _("If it was installed elsewhere, say where with --prefix DIR."),
        )
    keep = keep_weights and manifest.has_weights(prefix)
    talk.say(_("Removing …"))
    with manifest.lock(prefix):
        problems = manifest.remove_all(record, keep_weights=keep)
    if problems:
        raise EngineError("setup-permission", " ".join(problems), _("Close GIMP, then try again."))
    manifest.forget(record)


def existing(path: Path) -> Path:
    """``path``, or the nearest folder above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
