"""How near a step of the `fast` recipe comes to what its convolutions alone cost.

    python -m benchmarks.roofline

A step is the objective with its gradient and the move of L-BFGS, in the precision that the engine
chooses, or the one that ``--precision`` names. It is set against the bare convolutions of the
network: each of them forward and backward to its input, by PyTorch's own convolution at the same
shapes, number format and memory layout, timed alone; medians summed. So Winograd's can take less
than them. Each size has its own process, so that each peak of memory is its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from benchmarks import report
from benchmarks.pairs import ROOT, add_engine_options, chosen_precision, machine
from styleengine.descent.band_scaling import first_guess
from styleengine.descent.lbfgs import LBFGS
from styleengine.jobs import Job, Style
from styleengine.loss.making import objective_of
from styleengine.machine import devices
from styleengine.networks.extractor import ExtractorRequest
from styleengine.networks.precision import CANDIDATES
from styleengine.networks.shelf import build
from styleengine.networks.trunk import PLAIN, Precision, Trunk
from styleengine.pictures.files import Picture
from styleengine.planning.plan import make_plan
from styleengine.plugins.registry import load_plugins
from styleengine.protocol import EngineError, Settings
from styleengine.scene.scene import Scene
from styleengine.weights.vgg_layout import BLOCKS

WARM_UP = 2
PRECISIONS = {p.name: p for p in (PLAIN, *CANDIDATES["cpu"])}


@dataclass(frozen=True)
class Convolution:
    """A 3×3 convolution of the network and the height and width of its output."""

    name: str
    inputs: int
    outputs: int
    height: int
    width: int

    @property
    def padding(self) -> int:
        """What it pads by itself; the picture comes padded, by replication."""
        return 0 if self.name == "conv1_1" else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return report.ending(measure, parser().parse_args(arguments))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="benchmarks.roofline", description="Measures one step.")
    add_engine_options(top)
    top.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[256, 512, 1024],
        metavar="PIXELS",
        help="long sides of pictures of 4:3 (default: 256 512 1024)",
    )
    top.add_argument("--steps", type=int, default=7, help="steps timed, after a warm-up")
    top.add_argument("--precision", choices=PRECISIONS, help="default: what the engine chooses")
    top.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return top


def measure(options: argparse.Namespace) -> None:
    """Measures every size in a process of its own and prints the table."""
    if options.alone:
        print(json.dumps(measure_size(options, options.sizes[0])))
        return
    about = machine(options.features, devices.pick(options.device))
    print(about.line())
    results = [in_child(options, size) for size in options.sizes]
    rows = [
        [
            f"{r['width']}×{r['height']}", r["objective"], r["minimiser"], r["step"],
            r["convolutions"], r["ratio"], f"{r['peak'] / 2**20:.0f}",
        ]
        for r in results
    ]  # fmt: skip
    titles = ("size", "objective s", "L-BFGS s", "step s", "convolutions s", "ratio", "peak MiB")
    print("\n" + report.table(titles, rows))
    report.write_json(options.json, {"machine": dataclasses.asdict(about), "sizes": results})


def in_child(options: argparse.Namespace, size: int) -> dict[str, Any]:
    """What `measure_size` found in a process of its own."""
    report.say(f"{size} px")
    command = [
        sys.executable, "-m", "benchmarks.roofline", "--alone", "--sizes", str(size),
        "--steps", str(options.steps), "--features", options.features, "--device", options.device,
        *(["--precision", options.precision] if options.precision else []),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise EngineError("benchmark-failed", f"The measurement at {size} px failed.")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure_size(options: argparse.Namespace, size: int) -> dict[str, Any]:
    """Seconds of a step and of its parts, and the process's peak of memory in bytes."""
    device = devices.pick(options.device)
    height, width = size * 3 // 4, size
    rng = np.random.default_rng(0)
    content, style = (Picture(rng.random((height, width, 3), dtype=np.float32)) for _ in range(2))
    settings = Settings(preset="fast", size=size, features=options.features)
    entry = load_plugins(()).extractor(settings.features)
    plan = make_plan(settings, width, height, entry)
    request = ExtractorRequest(plan.layers, settings.pooling, None, settings.features)
    precision = PRECISIONS.get(options.precision) or chosen_precision(options.features, device)
    trunk = Trunk(build(entry, request), device, precision)
    scene = Scene.of(Job(content, (Style(style),), settings), plan, device)
    style_loss = load_plugins(()).style_loss(plan.style_loss)
    objective = objective_of(scene, len(plan.sizes) - 1, trunk, style_loss)
    x = scene.start(len(plan.sizes) - 1, None)

    minimizer = LBFGS(plan.history, scaling=first_guess(x, plan.history))
    looking, moving = [], []
    for _ in range(WARM_UP + options.steps):
        settle(device)
        started = time.perf_counter()
        loss, gradient = objective(x)
        settle(device)
        between = time.perf_counter()
        minimizer.step(x, loss, gradient)
        settle(device)
        looking.append(between - started)
        moving.append(time.perf_counter() - between)
    peak = peak_memory()
    whole = [a + b for a, b in zip(looking, moving, strict=True)]
    bare = sum(
        bare_seconds(convolution, precision, device, options.steps)
        for convolution in convolutions(plan.layers, height, width)
    )
    step = statistics.median(whole[WARM_UP:])
    return {
        "width": width,
        "height": height,
        "objective": statistics.median(looking[WARM_UP:]),
        "minimiser": statistics.median(moving[WARM_UP:]),
        "step": step,
        "convolutions": bare,
        "ratio": step / bare,
        "peak": peak,
    }


def convolutions(layers: Sequence[str], height: int, width: int) -> list[Convolution]:
    """The convolutions of the network up to the last of ``layers``, in order."""
    found, channels, last = [], 3, max(name[-3:] for name in layers)
    for block, (count, outputs) in enumerate(BLOCKS, start=1):
        for number in range(1, count + 1):
            at = f"{block}_{number}"
            found.append(Convolution(f"conv{at}", channels, outputs, height, width))
            if at == last:
                return found
            channels = outputs
        height, width = height // 2, width // 2
    raise AssertionError(f"the network has no layer {last}")


def bare_seconds(
    convolution: Convolution, precision: Precision, device: torch.device, repeats: int
) -> float:
    """Median seconds of the convolution forward plus those of its backward to the input."""
    c, pad = convolution, (convolution.padding,) * 2
    layout = torch.channels_last if precision.channels_last else torch.contiguous_format
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        values = torch.randn(shape, generator=generator)
        return values.to(device, precision.dtype).contiguous(memory_format=layout)

    border = 2 - 2 * convolution.padding
    x = drawn(1, c.inputs, c.height + border, c.width + border)
    weight, bias = drawn(c.outputs, c.inputs, 3, 3), torch.zeros(c.outputs).to(x)
    gradient = drawn(1, c.outputs, c.height, c.width)

    def forward() -> object:
        return torch.conv2d(x, weight, bias, padding=pad)

    def backward() -> object:
        return torch.ops.aten.convolution_backward(
            gradient, x, weight, None, (1, 1), pad, (1, 1), False, (0, 0), 1, (True, False, False)
        )

    return _median(forward, device, repeats) + _median(backward, device, repeats)


def _median(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    seconds = []
    for _ in range(WARM_UP + repeats):
        settle(device)
        started = time.perf_counter()
        work()
        settle(device)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[WARM_UP:])


def settle(device: torch.device) -> None:
    """Waits until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    elif device.type == "xpu":
        torch.xpu.synchronize(device)


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes.

    On Linux read from the process itself: what `getrusage` tells there is never less than what the
    parent had.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    info = psutil.Process().memory_info()
    if sys.platform == "win32":
        return int(info.peak_wset)
    import resource

    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # bytes on macOS


if __name__ == "__main__":
    sys.exit(main())
