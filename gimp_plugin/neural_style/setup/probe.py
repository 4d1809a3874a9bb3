"""Does the new PyTorch compute, and on what?"""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from language.texts import _
from protocol import EngineError
from setup.children import Runner, output
from setup.python import venv_python
from setup.system import System

PATIENCE_S = 300.0  # a cold, slow disk, and a virus scanner that reads all of torch

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


def probe(environment: Path, runner: Runner, system: System) -> Probe:
    """One convolution forwards and backwards on every device, in a process of its own: a driver
    that does not fit can crash the process. Raises `EngineError` if not even the CPU works.
    """
    words = [venv_python(environment), "-I", "-c", _PROBE]
    try:
        done = output(words, runner.env, PATIENCE_S)
        printed, errors, status = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired:
        printed, errors, status = "", "no answer", 1
    except OSError as error:
        printed, errors, status = "", str(error.strerror), 1
    with open(runner.log, "ab") as log:
        log.write(("$ probe\n" + printed + errors).encode("utf-8", "replace"))
    try:
        found = Probe(**json.loads(printed.splitlines()[-1]))
        on_cpu = found.devices["cpu"]
    except (IndexError, ValueError, TypeError, KeyError):
        lines = errors.strip().splitlines()
        last = lines[-1][:200].rstrip(".") if lines else f"exit status {status}"
        raise does_not_start(last, runner.log, system) from None
    if on_cpu:
        raise EngineError(
            "setup-failed",
            _("PyTorch does not compute on this processor: {reason}.").format(reason=on_cpu),
            _("Please report this with the file {file} and your processor's name ({name}).").format(
                file=runner.log, name=platform.processor() or platform.machine()
            ),
        )
    return found


def does_not_start(reason: str, log: Path, system: System) -> EngineError:
    """PyTorch is there and cannot be imported: what helps differs from system to system."""
    step = _("Set up again with PyTorch for the processor only. Details: {file}")
    if system.platform == "win32" and "DLL" in reason:
        step = _(
            "Install Microsoft's “Visual C++ Redistributable” (x64), then set up again. Details: "
            "{file}"
        )
    return EngineError(
        "setup-failed",
        _("PyTorch was installed but does not start: {reason}.").format(reason=reason),
        step.format(file=log),
    )
