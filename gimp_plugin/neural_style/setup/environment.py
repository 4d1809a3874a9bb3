"""Builds the engine's environment: a directory beside the one in use, never inside it."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from language.texts import _
from protocol import EngineError
from setup import torch_build
from setup.children import Runner, output
from setup.failures import explain
from setup.manifest import Manifest
from setup.package import Package
from setup.python import Python, venv_python
from setup.system import System
from setup.torch_build import GB, Card

PATIENCE_S = 20.0
RUNTIME_DLLS = "msvc-runtime"
"""Microsoft's C++ runtime, which torch's libraries need and its wheels lack."""


@dataclass(frozen=True)
class Builder:
    """What building needs. ``uv`` None: with venv and pip. ``backend``: `torch_build.BACKENDS`."""

    package: Package
    manifest: Manifest
    runner: Runner
    uv: Path | None
    backend: str
    card: Card
    system: System

    def create(self, python: Python) -> Path:
        """An empty environment under a new name; the one in use is not touched."""
        environment = self._new_folder()
        command: list[object] = [python.path, "-I", "-m", "venv"]
        if self.uv:
            command = [self.uv, "venv", "--quiet", "--no-project", "--python", python.path]
        self.runner.run([*command, environment], _("Making the engine's environment"))
        return environment

    def borrow(self, lender: Path) -> Path:
        """An environment that also sees the packages of the Python ``lender`` (which has torch)."""
        lent = self._lent(lender)
        environment = self.create(Python(lent.base, lent.version, whole=True))
        own = _site_packages(venv_python(environment), self.runner)
        lines = [f"import site; site.addsitedir({folder!r})" for folder in lent.folders]
        (own / "_styleengine_borrowed.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return environment

    def _new_folder(self) -> Path:
        prefix = Path(self.manifest.prefix)
        number = 1
        # Short, as Windows counts the letters of a whole path.
        while (prefix / f"e{number}").exists():
            number += 1
        folder = prefix / f"e{number}"
        self.manifest.own("trees", folder)
        return folder

    def _lent(self, lender: Path) -> _Lent:
        if not lender.is_file():
            raise EngineError(
                "setup-python",
                _("There is no Python at {place}.").format(place=lender),
                _("Correct --use-python."),
            )
        done = output([lender, "-I", "-c", _LENT], self.runner.env, 120)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
            raise EngineError(
                "setup-python",
                _("{place} cannot be used for the engine: {reason}.").format(
                    place=lender, reason=last[0]
                ),
                _(
                    "Give --use-python a Python 3.11 or newer that can import torch, or leave it "
                    "out."
                ),
            )
        base, found, folders = json.loads(done.stdout)
        return _Lent(Path(base), (found[0], found[1]), tuple(folders))

    # --- packages ------------------------------------------------------------------------------

    def install_torch(self, environment: Path, backend: str = "") -> None:
        """torch and torchvision: for this computer's hardware where PyTorch's own index answers,
        else whatever the general registry offers (for Linux that is the large CUDA build).
        """
        again = bool(backend)
        backend = backend or self.backend
        options = self._backend_options(environment, backend)
        size = torch_build.size_of(backend, self.card, self.system)
        if not options and self.system.platform == "linux" and self.system.arch == "x86_64":
            size = torch_build.CUDA
        check_disk(Path(self.manifest.prefix), size.needs)
        self.runner.talk.say(
            _("Installing PyTorch (about {size} GB on the disk) …").format(size=size.stays // GB)
        )
        extra = ["--reinstall-package", "torch", "--reinstall-package", "torchvision"]
        packages = ["torch", "torchvision"]
        self._install(
            environment, [*(extra if again else []), *options, *packages], _("Installing PyTorch")
        )

    def _backend_options(self, environment: Path, backend: str) -> list[str]:
        """The option that makes uv use PyTorch's own index, if that index answers."""
        told = torch_build.for_uv(backend, self.card, self.system)
        if not self.uv or not told:
            return []
        option = [f"--torch-backend={told}"]
        hasty = self.runner.with_env(
            UV_HTTP_RETRIES="0", UV_HTTP_CONNECT_TIMEOUT="8", UV_HTTP_TIMEOUT="10"
        )
        command = [self.uv, "pip", "install", "--dry-run", "--no-deps", *option]
        command += [self.package.pinned("torch"), "--python", venv_python(environment)]
        printed = hasty.attempt(command, timeout=PATIENCE_S)
        if printed is None:
            return option
        if backend not in ("auto", "cpu", "cuda"):
            what = _("Looking for PyTorch for {backend}").format(backend=backend)
            raise explain(printed, what, self.runner.log, self.runner.env)
        self.runner.talk.say(
            _(
                "PyTorch's own download site does not answer; taking PyTorch from the general "
                "registry."
            )
        )
        return []

    def install_engine(self, environment: Path, wheel: Path, *, with_dependencies: bool) -> None:
        """The engine from its wheel, with what it needs beside torch."""
        self.runner.talk.say(_("Installing the engine …"))
        extra = [] if with_dependencies else ["--no-deps"]
        dlls = [RUNTIME_DLLS] if with_dependencies and self.system.platform == "win32" else []
        self._install(environment, [*extra, wheel, *dlls], _("Installing the engine"))

    def wheel(self, environment: Path, folder: Path) -> Path:
        """The engine's wheel: as it came, or built from a checkout into ``folder``."""
        if self.package.is_built:
            return self.package.engine
        source = self.package.engine
        constraints = ["--build-constraint", self.package.constraints]
        python = venv_python(environment)
        command: list[object]
        if self.uv:
            command = [self.uv, "build", "--quiet", "--wheel", "--python", python]
            command += ["--out-dir", folder, *constraints, source]
        else:
            command = [python, "-I", "-m", "pip", "wheel", "--no-input", "--no-deps"]
            command += ["--disable-pip-version-check", "--wheel-dir", folder, source]
        self.runner.run(command, _("Building the engine"))
        return next(folder.glob("styleengine-*.whl"))

    def _install(self, environment: Path, arguments: list[object], what: str) -> None:
        python = venv_python(environment)
        start: list[object] = [self.uv, "pip", "install", "--python", python]
        if not self.uv:
            arguments = _for_pip(arguments)
            start = [python, "-I", "-m", "pip", "install", "--no-input"]
            start += ["--disable-pip-version-check"]
        # A source package would need a compiler, and its failure helps nobody.
        only = ["-c", self.package.constraints, "--only-binary", ":all:"]
        self.runner.run([*start, *only, *arguments], what)


def _for_pip(arguments: list[object]) -> list[object]:
    """uv's arguments as pip understands them."""
    if "--reinstall-package" not in arguments:
        return arguments
    kept = [a for a in arguments if a != "--reinstall-package"]
    return ["--force-reinstall", *dict.fromkeys(kept)]


@dataclass(frozen=True)
class _Lent:
    base: Path
    version: tuple[int, int]
    folders: tuple[str, ...]


_LENT = """
import json, os, site, sys, sysconfig
if sys.version_info < (3, 11):
    sys.exit("Python %d.%d is too old" % sys.version_info[:2])
import torch
base = getattr(sys, "_base_executable", "") or sys.executable
folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
folders = sorted(f for f in folders if os.path.isdir(f))
print(json.dumps([os.path.realpath(base), sys.version_info[:2], folders]))
"""


def _site_packages(python: Path, runner: Runner) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    try:
        return Path(output([python, "-I", "-c", code], runner.env).stdout.strip())
    except (OSError, subprocess.TimeoutExpired) as error:
        raise explain(
            str(error), _("Making the engine's environment"), runner.log, runner.env
        ) from None


def check_disk(prefix: Path, needed: int) -> None:
    """Raises `EngineError` if the disk of ``prefix`` has less than ``needed`` bytes free."""
    free = shutil.disk_usage(prefix).free
    if free < needed:
        raise EngineError(
            "setup-disk",
            _(
                "The engine needs {needed} GB of disk space while it is set up, but {folder} has "
                "only {free} GB free."
            ).format(needed=f"{needed / GB:.0f}", folder=prefix, free=f"{free / GB:.1f}"),
            _("Free some space, then set up again."),
        )
