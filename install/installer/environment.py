"""Builds the engine's environment: a directory beside the one in use, never inside it."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .base import CHECKOUT, CONSTRAINTS, InstallError, pinned, say, version
from .manifest import Manifest
from .process import Runner
from .python import Python, venv_python

GB = 10**9
# What an environment takes, with some room to work in; measured with torch 2.13.
NEEDS_CPU, NEEDS_GPU = 3 * GB, 8 * GB
PATIENCE_S = 20.0
BACKENDS = re.compile(r"auto|cpu|cuda|cu\d{2,3}|rocm[\d.]+|xpu")
# For cards and drivers that are too old for what uv chooses.
OLD_CUDA = "cu126"


@dataclass(frozen=True)
class Builder:
    """What building needs. ``uv`` None: with venv and pip. ``backend``: one of `BACKENDS`."""

    manifest: Manifest
    runner: Runner
    uv: Path | None
    backend: str

    def create(self, python: Python) -> Path:
        """An empty environment under a new name; the one in use is not touched."""
        environment = self._new_folder()
        command: list[str | Path]
        if self.uv:
            command = [self.uv, "venv", "--quiet", "--no-project", "--python", python.path]
        else:
            command = [python.path, "-I", "-m", "venv"]
        self.runner.run([*command, environment], "Making the engine's environment")
        return environment

    def borrow(self, lender: Path) -> Path:
        """An environment that also sees the packages of the Python ``lender`` (which has torch)."""
        lent = self._lent(lender)
        environment = self.create(Python(lent.base, lent.version, whole=True))
        own = _site_packages(venv_python(environment))
        lines = [f"import site; site.addsitedir({folder!r})" for folder in lent.folders]
        (own / "_styleengine_borrowed.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return environment

    def _new_folder(self) -> Path:
        prefix = Path(self.manifest.prefix)
        number = 1
        while (prefix / f"engine-{version()}-{number}").exists():
            number += 1
        folder = prefix / f"engine-{version()}-{number}"
        self.manifest.own("trees", folder)
        return folder

    def _lent(self, lender: Path) -> _Lent:
        if not lender.is_file():
            raise InstallError(f"There is no Python at {lender}.", "Correct --use-python.")
        done = subprocess.run(
            [lender, "-I", "-c", _LENT], capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
            raise InstallError(
                f"{lender} cannot be used for the engine: {last[0]}.",
                "Give --use-python a Python 3.11 or newer that can import torch, or leave it out.",
            )
        base, found, folders = json.loads(done.stdout)
        return _Lent(Path(base), tuple(found), tuple(folders))

    # --- packages ------------------------------------------------------------------------------

    def install_torch(self, environment: Path, backend: str = "") -> None:
        """torch and torchvision: for this computer's hardware where PyTorch's own index answers,
        else whatever the general registry offers (for Linux that is the large CUDA build).
        """
        backend = backend or self.backend
        options = self._backend_options(environment, backend)
        large = sys.platform == "linux" and (not options or self._has_gpu(backend))
        check_disk(Path(self.manifest.prefix), NEEDS_GPU if large else NEEDS_CPU)
        say(f"Installing PyTorch (about {'5.5' if large else '1'} GB on the disk) …")
        packages = ["torch", "torchvision"]
        reinstall = ["--reinstall-package", "torch", "--reinstall-package", "torchvision"]
        extra = reinstall if backend != self.backend else []
        self._install(
            environment,
            [*extra, *options, *packages],
            "Installing PyTorch",
            watch="PyTorch",
        )

    def _has_gpu(self, backend: str) -> bool:
        if backend == "auto":
            return any(shutil.which(name) for name in ("nvidia-smi", "rocm-smi", "rocminfo"))
        return backend != "cpu"

    def _backend_options(self, environment: Path, backend: str) -> list[str]:
        """The option that makes uv use PyTorch's own index, if that index answers."""
        if not self.uv or sys.platform == "darwin":
            return []
        # uv's `auto` asks the driver what it can run.
        option = [f"--torch-backend={'cu130' if backend == 'cuda' else backend}"]
        hasty = self.runner.with_env(
            UV_HTTP_RETRIES="0", UV_HTTP_CONNECT_TIMEOUT="8", UV_HTTP_TIMEOUT="10"
        )
        command = [self.uv, "pip", "install", "--dry-run", "--no-deps", *option, pinned("torch")]
        printed = hasty.attempt(
            [*command, "--python", venv_python(environment)], timeout=PATIENCE_S
        )
        if printed is None:
            return option
        if backend not in ("auto", "cpu", "cuda"):
            raise self.runner.explain(printed, f"Looking for PyTorch for {backend}")
        say(
            "PyTorch's own download site does not answer; taking PyTorch from the general registry."
        )
        return []

    def install_engine(self, environment: Path, *, with_dependencies: bool) -> None:
        """This checkout's engine, as a copy, with what it needs beside torch."""
        say("Installing the engine …")
        extra = [] if with_dependencies else ["--no-deps"]
        self._install(environment, [*extra, CHECKOUT], "Installing the engine", wheels_only=False)

    def _install(
        self,
        environment: Path,
        arguments: list[str | Path] | list[str],
        what: str,
        *,
        wheels_only: bool = True,
        watch: str = "",
    ) -> None:
        python = venv_python(environment)
        # A source package would need a compiler, and its failure helps nobody.
        only = ["--only-binary", ":all:"] if wheels_only else []
        if self.uv:
            if not wheels_only:
                only = ["--only-binary", ":all:", "--no-binary", "styleengine"]
            start: list[str | Path] = [self.uv, "pip", "install", "--python", python]
        else:
            arguments = _for_pip(list(arguments))
            start = [python, "-I", "-m", "pip", "install", "--no-input"]
            start += ["--disable-pip-version-check"]
        self.runner.run([*start, "-c", CONSTRAINTS, *only, *arguments], what, watch=watch)


def _for_pip(arguments: list[str | Path]) -> list[str | Path]:
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


def _site_packages(python: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def check_disk(prefix: Path, needed: int) -> None:
    """Raises `InstallError` if the disk of ``prefix`` has less than ``needed`` bytes free."""
    free = shutil.disk_usage(prefix).free
    if free < needed:
        raise InstallError(
            f"The engine needs {needed / GB:.0f} GB of disk space while it is installed, but "
            f"{prefix} has only {free / GB:.1f} GB free.",
            "Free some space, or choose another disk with --prefix DIR.",
        )


# --- does it compute? ---------------------------------------------------------------------------

_PROBE = """
import json, sys
import torch
import torch.nn.functional as F

def works(device):
    image = torch.linspace(0, 1, 3 * 32 * 32).reshape(1, 3, 32, 32).to(device).requires_grad_()
    kernel = torch.linspace(-1, 1, 8 * 3 * 9).reshape(8, 3, 3, 3).to(device)
    F.conv2d(image, kernel, padding=1).relu().square().sum().backward()
    gradient = image.grad.cpu()
    return bool(gradient.isfinite().all()) and float(gradient.abs().sum()) > 0

names = ["cpu"]
names += [f"cuda:{n}" for n in range(torch.cuda.device_count())]
names += ["mps"] if torch.backends.mps.is_available() else []
names += ["xpu"] if hasattr(torch, "xpu") and torch.xpu.is_available() else []
devices = {}
for name in names:
    try:
        devices[name] = "" if works(name) else "wrong numbers"
    except Exception as error:
        devices[name] = str(error).splitlines()[0] if str(error) else type(error).__name__
gpu = torch.cuda.get_device_name(0) if torch.cuda.device_count() else ""
print(json.dumps({"torch": torch.__version__, "devices": devices, "gpu": gpu}))
"""


@dataclass(frozen=True)
class Probe:
    """What torch computes on. ``devices`` maps a device to its problem ("" if it works)."""

    torch: str
    devices: dict[str, str]
    gpu: str


def probe(environment: Path, runner: Runner) -> Probe:
    """One convolution forwards and backwards on every device, in a process of its own: a driver
    that does not fit can crash the process. Raises `InstallError` if not even the CPU works.
    """
    command = [venv_python(environment), "-I", "-c", _PROBE]
    done = subprocess.run(command, capture_output=True, env=dict(runner.env), check=False)
    with open(runner.log, "ab") as log:
        log.write(b"$ probe\n" + done.stdout + done.stderr)
    try:
        found = Probe(**json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        last = lines[-1][:200].rstrip(".") if lines else f"exit status {done.returncode}"
        raise InstallError(
            f"PyTorch was installed but does not start: {last}.",
            f"Run the installer again with --backend cpu. Details: {runner.log}",
        ) from None
    if found.devices["cpu"]:
        raise InstallError(
            f"PyTorch does not compute on this processor: {found.devices['cpu']}.",
            f"Please report this with the file {runner.log} and your processor's name "
            f"({platform.processor() or platform.machine()}).",
        )
    return found
