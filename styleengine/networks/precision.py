"""The probe: which number format and memory layout is the fastest right one here."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from styleengine.machine import folders
from styleengine.machine.devices import describe
from styleengine.machine.files import open_file
from styleengine.networks import integers
from styleengine.networks.base import Network
from styleengine.networks.trunk import CPU, PLAIN, Precision, Trunk
from styleengine.protocol import EngineError

MOST = 1 << 20
"""Bytes of a remembered probe; it has a thousand."""
WORTHWHILE = 0.9
"""A candidate must take at most this share of the best time so far, so that near ties, which
noise could decide either way, always go to the more exact one."""
PROBE_SIZE = 128
PROBE_ROUNDS, PROBE_S = 8, 0.8
"""Candidates are tried in turns, so often or for so long; a lone trial says little where other
programs run."""
HOPELESS = 3.0
"""How many times as slow as the best a candidate may be to be tried again."""
WRONG_DEVICE = "wrong-device"
"""The code of the error for a device that fails the probe."""
WHOLE_WORTHWHILE = 0.7
"""The same for whole numbers. They win less over a painting than in the probe, as the losses are
computed in floating point, and are less exact: a network in three quarters of bfloat16's time makes
none that is done earlier."""
CANDIDATES = {
    "cpu": (
        Precision(channels_last=True),
        Precision(channels_last=True, winograd=True),
        Precision(torch.bfloat16, True),
        Precision(channels_last=True, integers=True),
        Precision(torch.bfloat16, True, integers=True),
    ),
    "cuda": (Precision(channels_last=True), Precision(torch.bfloat16, True)),
    "xpu": (Precision(channels_last=True), Precision(torch.bfloat16, True)),
    "mps": (),  # channels-last pooling has wrong gradients there (pytorch#175190)
}


def choose_precision(make: Callable[[], Network], device: torch.device, kind: str) -> Precision:
    """The fastest precision whose gradient is right, found by a probe and remembered on disk.

    ``make`` builds a fresh network. bfloat16 doubles the speed where the processor multiplies it in
    hardware and is hundreds of times slower elsewhere, so nothing but a trial can tell. The answer
    is remembered for its ``kind``: a small network, say, loses more to bfloat16 than a large one,
    and may say with an attribute ``tolerance`` that it bears more.
    Raises `EngineError` (`WRONG_DEVICE`) for an accelerator that agrees with the processor in none.
    """
    record = folders.probe_dir() / f"{_fingerprint(device, kind)}.json"
    candidates = _candidates(device)
    try:
        remembered = _read(record)["precision"]
        return next(c for c in candidates if c.name == remembered)
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        pass
    chosen, report = _probe(make, device, candidates)
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        temporary = record.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps({"precision": chosen.name, "probe": report}, indent=1))
        temporary.replace(record)
    except OSError:
        pass  # a read-only home costs a probe per start, nothing else
    return chosen


def _candidates(device: torch.device) -> list[Precision]:
    """The precisions worth a trial on ``device``, the most exact first."""
    found = [PLAIN, *CANDIDATES.get(device.type, ())]
    if device.type == "cpu" and not _has_bfloat16():
        found = [c for c in found if c.dtype != torch.bfloat16]
    return [c for c in found if not c.integers or integers.available()]


def _has_bfloat16() -> bool:
    """Whether oneDNN, which PyTorch's convolutions are computed by, has code for bfloat16 here.

    True where it cannot be asked. Where it has none, another takes its place that would need some
    seconds to lose the trial: before the first picture on most laptops.
    """
    ask = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return ask is None or bool(ask())


def seconds_per_pixel(device: torch.device, kind: str, precision: Precision) -> float | None:
    """How long the probe took per pixel of a step, in that precision; None if it is not known."""
    record = folders.probe_dir() / f"{_fingerprint(device, kind)}.json"
    try:
        seconds = _read(record)["probe"][precision.name]["seconds"]
        return float(seconds) / PROBE_SIZE**2
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(record: Path) -> Any:
    with open_file(record) as file:
        return json.loads(file.read(MOST))


def _fingerprint(device: torch.device, kind: str) -> str:
    about = (
        kind,
        torch.__version__,
        str(describe(str(device))),
        platform.processor() or platform.machine(),
        platform.node(),
        *(c.name for c in _candidates(device)),  # a choice among fewer is none among more
    )
    return f"{device.type}-{hashlib.sha256('|'.join(about).encode()).hexdigest()[:16]}"


def _probe(
    make: Callable[[], Network], device: torch.device, candidates: list[Precision]
) -> tuple[Precision, dict[str, dict[str, float]]]:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, PROBE_SIZE, PROBE_SIZE, generator=generator)
    reference: Tensor | None = None
    if device.type != "cpu":
        # An accelerator may be wrong in every precision (Apple's was, with some versions).
        reference, _ = _timed_gradient(Trunk(make(), CPU, PLAIN), image)
    image = image.to(device)
    nets = ((candidate, make()) for candidate in candidates)
    trunks = [
        Trunk(n, device, c)
        for c, n in nets
        if (n.has_winograd or not c.winograd) and (n.has_integers or not c.integers)
    ]
    times, errors = _in_turns(trunks, image, reference)
    chosen, best = PLAIN, float("inf")
    for trunk, seconds, error in zip(trunks, times, errors, strict=True):
        first_whole = trunk.precision.integers and not chosen.integers
        enough = WHOLE_WORTHWHILE if first_whole else WORTHWHILE
        if error <= trunk.tolerance and seconds < enough * best:
            chosen, best = trunk.precision, seconds
    report = {
        trunk.precision.name: {"seconds": seconds, "gradient_error": error}
        for trunk, seconds, error in zip(trunks, times, errors, strict=True)
    }
    right = reference is not None and bool(torch.isfinite(reference).all())
    if best == float("inf") and device.type != "cpu" and right:
        raise EngineError(
            WRONG_DEVICE,
            "The device {name} computes wrong gradients with this version of PyTorch.",
            "Choose the device cpu, or auto.",
            name=repr(str(device)),
        )
    return chosen, report


def _in_turns(
    trunks: Sequence[Trunk], image: Tensor, reference: Tensor | None
) -> tuple[list[float], list[float]]:
    """The least seconds each trunk took, and its gradient's relative error.

    ``reference`` is the right gradient; None for that of the first trunk.
    """
    times, errors = [float("inf")] * len(trunks), [0.0] * len(trunks)
    started = time.perf_counter()
    for turn in range(PROBE_ROUNDS):
        for k, trunk in enumerate(trunks):
            if turn and times[k] > HOPELESS * min(times):
                continue
            gradient, seconds = _timed_gradient(trunk, image)
            times[k] = min(times[k], seconds)
            if not turn:
                reference = gradient if reference is None else reference
                apart = (gradient - reference).norm() / reference.norm().clamp_min(1e-30)
                errors[k] = float(apart)
        if turn and time.perf_counter() - started > PROBE_S:
            break
    return times, errors


def _timed_gradient(trunk: Trunk, image: Tensor) -> tuple[Tensor, float]:
    """A gradient through all layers, and how long it takes once everything is in place.

    On the processor that is the time it worked for us, shared out to the threads: with other
    programs at work, the clock on the wall once made bfloat16 look slower than it is by four.
    """
    on_cpu = image.device.type == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    for _ in range(2):
        start = clock()
        x = image.detach().requires_grad_()
        loss = image.new_zeros(())
        for name, f in trunk(x).items():
            loss = loss + (f.float() / trunk.units[name]).square().mean()
        (gradient,) = torch.autograd.grad(loss, x)
        result = gradient.float().cpu()  # waits for the device
        seconds = clock() - start
    return result, seconds / (torch.get_num_threads() if on_cpu else 1)
