"""What a graphics card does: every preset at every size, beside plain single-scale L-BFGS.

    python -m benchmarks.gpu                       # under six minutes on one card
    python -m benchmarks.gpu --device cpu --sizes 128 --presets fast --steps 4     # tries the code

For each preset and size: seconds of a whole run with the networks in place, seconds until the first
preview and the most memory of the card. *Plain* is the neural-style recipe (`references`), 1,000
steps in float32 at 512 pixels, told from ``--steps`` of them; *ratio* is how many times as long it
takes. *Loss* is how far the loss of *Fast* at 256 pixels is from the processor's after the first
step of the first scale, in the card's own precision: nothing but rounding may tell them apart.

Runs that would end after ``--minutes`` are left out, and said so.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import torch

from benchmarks import references, report
from benchmarks.pairs import add_engine_options, drawn
from benchmarks.runs import reference_trunk, warm_up
from styleengine.engine import Engine
from styleengine.jobs import Job, Preview, Result, Style
from styleengine.machine import devices
from styleengine.networks import trunk
from styleengine.pictures.picture import Picture, fit
from styleengine.protocol import PREVIEW_PX, EngineError, Progress, Settings
from styleengine.scene.resample import resize, to_array, to_tensor

SIZES = (512, 1024, 2048, 8192)
STEPS, ALL_STEPS = 30, 1000
COMPARED = 256
STYLE = DRAWN = 1024


@dataclass(frozen=True)
class Row:
    """What one run took, in seconds and in bytes of the device."""

    preset: str
    size: int
    seconds: float
    preview: float | None
    memory: int
    device: str


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return report.ending(measure, parser().parse_args(arguments))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="benchmarks.gpu", description="Measures a graphics card.")
    add_engine_options(top)
    top.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), metavar="PIXELS")
    presets = ("draft", "fast", "best")
    top.add_argument("--presets", nargs="+", choices=presets, default=list(presets))
    top.add_argument("--steps", type=int, default=STEPS, help="of plain L-BFGS that are timed")
    top.add_argument("--minutes", type=float, default=6.0, help="for everything")
    return top


def measure(options: argparse.Namespace) -> None:
    """Measures what the options ask for, and prints it."""
    started = time.monotonic()
    end = started + 60 * options.minutes
    device = devices.pick(options.device)
    if device.type == "cpu" and options.device == "auto":
        raise EngineError(
            "no-device",
            "There is no graphics card here that PyTorch can use.",
            "Run it where there is one; --device cpu tries the code on the processor.",
        )
    print(f"{devices.describe(str(device))}, PyTorch {torch.__version__}", flush=True)
    engine, style = Engine(), drawn("wave", STYLE)
    apart = loss_apart(engine, options, device, style)
    print(f"Loss of the first step against the processor's: {apart:.1e}", flush=True)
    plain = plain_seconds(options, device, style)
    at = min(PREVIEW_PX, max(options.sizes))
    print(f"Plain L-BFGS, {ALL_STEPS} steps at {at} px: {plain:.1f} s", flush=True)
    rows = list(measured(engine, options, device, style, end))
    titles = ("preset", "size", "seconds", "preview s", "GB", "ratio", "precision")
    print(report.table(titles, [_cells(row, plain) for row in rows]))
    print(f"In all: {time.monotonic() - started:.0f} s")
    found = {"loss": apart, "plain": plain, "rows": [asdict(row) for row in rows]}
    report.write_json(options.json, {"card": str(devices.describe(str(device))), **found})


def _cells(row: Row, plain: float) -> tuple[object, ...]:
    same = row.size == PREVIEW_PX  # as what plain L-BFGS paints
    ratio = f"{plain / row.seconds:.0f}" if same else None
    preview = None if row.preview is None else round(row.preview, 2)
    gigabytes = f"{row.memory / 1e9:.2f}"
    return row.preset, row.size, round(row.seconds, 2), preview, gigabytes, ratio, row.device


def photo_of(long_side: int) -> Picture:
    """The photo at a size, drawn small and enlarged: only its number of pixels counts here."""
    small = drawn("lake", DRAWN)
    size = fit(small.width, small.height, long_side)
    return Picture(to_array(resize(to_tensor(small.rgb), size)), name=small.name)


def measured(
    engine: Engine, options: argparse.Namespace, device: torch.device, style: Picture, end: float
) -> Iterator[Row]:
    """All runs, the small ones first; those there is no time for are left out."""
    lasted: dict[str, tuple[float, int]] = {}
    for size in sorted(options.sizes):
        photo = photo_of(size)
        for preset in options.presets:
            settings = _settings(options, device, preset)
            seconds, at = lasted.get(preset, (0.0, size))
            if time.monotonic() + seconds * (size / at) ** 2 > end:
                report.say(f"{preset} at {size} px is left out: it would take too long")
                continue
            warm_up(engine, photo, style, settings)
            row = run(engine, Job(photo, (Style(style),), settings, preview=PREVIEW_PX), device)
            lasted[preset] = row.seconds, size
            yield row


def run(engine: Engine, job: Job, device: torch.device) -> Row:
    """One run with the clock on."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
    first: float | None = None
    started = time.monotonic()
    for event in engine.run(job):
        if isinstance(event, Preview) and first is None:
            first = time.monotonic() - started
        elif isinstance(event, Result):
            seconds = time.monotonic() - started
            peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
            long_side = max(job.content.width, job.content.height)
            return Row(job.settings.preset, long_side, seconds, first, peak, event.device)
    raise AssertionError("a run ends with a result")


def loss_apart(
    engine: Engine, options: argparse.Namespace, device: torch.device, style: Picture
) -> float:
    """How far the first loss on the device is from that on the processor, relative to it."""
    photo = photo_of(COMPARED)
    losses = []
    for where in (device, trunk.CPU):
        job = Job(photo, (Style(style),), _settings(options, where, "fast"))
        losses.append(_first_loss(engine, job))
    return abs(losses[0] - losses[1]) / losses[1]


def _first_loss(engine: Engine, job: Job) -> float:
    stop: list[bool] = []
    for event in engine.run(job, lambda: bool(stop)):
        if isinstance(event, Progress) and event.stage == "paint" and event.loss is not None:
            stop.append(True)
            return event.loss
    raise AssertionError("a run takes a step")


def plain_seconds(options: argparse.Namespace, device: torch.device, style: Picture) -> float:
    """What 1,000 steps of the neural-style recipe would take, from some after the first ones."""
    size = min(PREVIEW_PX, max(options.sizes))
    net = reference_trunk(device, trunk.PLAIN)
    pictures = [to_tensor(photo_of(size).rgb, device), to_tensor(style.rgb, device)]
    steps = max(2, options.steps)
    early = max(1, steps // 3)
    trace = references.neural_style(net, *pictures, steps=early + steps, every=1)
    moments = [seconds for seconds, _, _ in trace]
    return (moments[-1] - moments[early - 1]) / (len(moments) - early) * ALL_STEPS


def _settings(options: argparse.Namespace, device: torch.device, preset: str) -> Settings:
    features = "draft" if preset == "draft" or options.features == "draft" else "auto"
    return Settings(preset=preset, features=features, device=str(device))


if __name__ == "__main__":
    sys.exit(main())
