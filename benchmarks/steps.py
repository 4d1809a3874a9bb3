"""What a painting takes in processor time, from a few steps of each of its scales.

    OMP_NUM_THREADS=1 python -m benchmarks.steps --pair PHOTO PAINTING
    OMP_NUM_THREADS=1 python -m benchmarks.steps --pair PHOTO PAINTING --size 6000 --preset fast \\
        --steps 3 --no-reference

The engine paints, but at each scale no more steps than ``--steps``. A scale's seconds are those of
the steps taken, and for each of the plan's other steps the median of those between the first, with
which a scale begins, and the last, which needs no gradient. Getting ready and finishing are added
as they were; what loads the network is not. Beside it stands the time of the neural-style recipe:
1,000 times the median of its steps in float32, after its first. A photo smaller than ``--size`` is
enlarged.

Processor time hangs less on what else the computer does than the clock's, one thread's the least.
With as many steps as the plan has, nothing is estimated. Tiles are those of the shorter plan, whose
minimiser remembers less: where memory is short, they may be larger than a painting's.

*Begins* is how many steps more the first step of a scale takes than those between.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmarks import report, runs, speed
from benchmarks.large import MEGA, enlarged
from benchmarks.pairs import Pair, add_options, load_pairs, machine
from styleengine.engine import Engine
from styleengine.jobs import Event, Job, Result, Style
from styleengine.machine import devices
from styleengine.networks.extractor import ExtractorEntry
from styleengine.networks.trunk import PLAIN
from styleengine.pictures.files import Picture
from styleengine.planning.plan import Plan
from styleengine.plugins.registry import Plugins
from styleengine.protocol import EngineError, Progress, Settings
from styleengine.together.group import Group
from styleengine.workshop import Workshop

PRESETS = ("draft", "fast", "best")
RECIPE = 1000
"""Steps of the neural-style recipe."""


@dataclass(frozen=True)
class Scale:
    """A scale of a painting: its height and width, the plan's steps, and seconds of those taken."""

    size: tuple[int, int]
    steps: int
    taken: tuple[float, ...]

    @property
    def each(self) -> float:
        """Seconds of a step that is neither the first nor the last."""
        return statistics.median(self.taken[1:-1] or self.taken[-1:])

    @property
    def begins(self) -> float:
        """What the first step takes longer, in steps."""
        return self.taken[0] / self.each - 1

    @property
    def seconds(self) -> float:
        """Seconds of all of the plan's steps."""
        return sum(self.taken) + (self.steps - len(self.taken)) * self.each


@dataclass(frozen=True)
class Painting:
    """What a painting takes, in seconds."""

    preset: str
    ready: float
    scales: tuple[Scale, ...]
    finish: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.ready + sum(scale.seconds for scale in self.scales) + self.finish


class Few(Workshop):
    """Plans no more than ``most`` steps at each scale; ``plan`` is the one with all."""

    def __init__(self, plugins: Plugins, group: Group, most: int) -> None:
        super().__init__(plugins, group)
        self._most = most
        self.plan: Plan | None = None

    def planned(
        self, settings: Settings, weights: str | None, width: int, height: int
    ) -> tuple[Settings, ExtractorEntry, Plan]:
        """With few steps."""
        chosen, entry, plan = super().planned(settings, weights, width, height)
        self.plan = plan
        few = tuple(min(n, self._most) for n in plan.steps)
        return chosen, entry, dataclasses.replace(plan, steps=few)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return report.ending(measure, parser().parse_args(arguments))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="benchmarks.steps", description="Measures processor time.")
    add_options(top)
    top.set_defaults(features="auto", device="cpu")
    top.add_argument(
        "--preset", action="append", choices=PRESETS, help="may be repeated (default: all three)"
    )
    top.add_argument("--strength", type=float, default=50.0)
    top.add_argument(
        "--steps", type=int, default=6, metavar="N", help="at most, at each scale (default: 6)"
    )
    top.add_argument("--no-reference", action="store_true", help="without the recipe's steps")
    return top


def measure(options: argparse.Namespace) -> None:
    """Measures everything asked for and prints it pair by pair."""
    if options.steps < 3:
        raise EngineError("bad-setting", "There must be at least 3 steps at each scale.")
    network = "vgg19" if options.features == "auto" else options.features
    about = machine(network, devices.pick(options.device))
    print(about.line())
    engine, records = Engine(), []
    engine.workshop = few = Few(engine.plugins, engine.group, options.steps)
    for pair in load_pairs(options):
        photo = enlarged(pair.content, options.size)
        megapixels = photo.width * photo.height / MEGA
        print(f"\n{pair.name}, {photo.width}×{photo.height}, {megapixels:.2g} megapixels")
        recipe = None if options.no_reference else reference(options, pair, photo)
        found = [
            painted(options, engine, few, preset, photo, pair.style)
            for preset in dict.fromkeys(options.preset or PRESETS)
        ]
        print(scales(found) + "\n\n" + summary(found, recipe))
        records.append(
            {"name": pair.name, "width": photo.width, "height": photo.height, "reference": recipe}
            | {"paintings": [record(one) for one in found]}
        )
    report.write_json(options.json, {"machine": dataclasses.asdict(about), "pairs": records})


def painted(
    options: argparse.Namespace,
    engine: Engine,
    few: Few,
    preset: str,
    photo: Picture,
    style: Picture,
) -> Painting:
    """What a painting of ``photo`` takes, the network being there."""
    report.say(f"{photo.name} in {style.name}, {preset}, {photo.width} px")
    settings = Settings(
        preset=preset, strength=options.strength, features=options.features, device=options.device
    )
    engine.estimate(settings, photo.width, photo.height)  # which loads the networks
    job = Job(photo, (Style(style),), settings)
    started = time.process_time()
    events = ((event, time.process_time()) for event in engine.run(job))
    assert few.plan is not None
    return counted(preset, few.plan, started, events)


def counted(
    preset: str, plan: Plan, started: float, events: Iterable[tuple[Event, float]]
) -> Painting:
    """What a run took by the times of its ``events``, which are some of the plan's steps."""
    taken: list[list[float]] = [[] for _ in plan.sizes]
    ready = before = started
    done, ended = 0, started
    for event, now in events:
        if isinstance(event, Result):
            ended = now
        elif isinstance(event, Progress) and event.stage == "prepare":
            ready = before = now
        elif isinstance(event, Progress) and event.step > done:  # else a tile is done, or all
            taken[event.scale - 1].append(now - before)
            done, before = event.step, now
    each = zip(plan.sizes, plan.steps, taken, strict=True)
    found = tuple(Scale(size, steps, tuple(seconds)) for size, steps, seconds in each)
    return Painting(preset, ready - started, found, ended - before)


def reference(options: argparse.Namespace, pair: Pair, photo: Picture) -> float:
    """Seconds that the neural-style recipe's 1,000 steps take, in float32."""
    report.say(f"{pair.name}: neural_style, {options.steps} steps")
    device = devices.pick(options.device)
    shown = dataclasses.replace(pair, content=photo)
    net = runs.reference_trunk(device, PLAIN)
    trace = speed.neural_style(net, device, shown, options.steps, 1)
    moments = [time.process_time(), *(time.process_time() for _ in trace)]
    return recipe_seconds(moments)


def recipe_seconds(moments: Sequence[float]) -> float:
    """The recipe's seconds by the moments at which its steps ended, and before the first."""
    steps = [b - a for a, b in pairwise(moments)]
    return RECIPE * statistics.median(steps[1:])


def scales(found: Sequence[Painting]) -> str:
    """The table of all scales."""
    rows = [
        (
            one.preset, f"{scale.size[1]}×{scale.size[0]}", scale.steps, len(scale.taken),
            scale.taken[0], scale.each, scale.taken[-1], f"{scale.begins:.1f}", scale.seconds,
        )
        for one in found
        for scale in one.scales
    ]  # fmt: skip
    titles = (
        "preset", "scale", "steps", "taken", "first s", "each s", "last s", "begins", "in all s",
    )  # fmt: skip
    return report.table(titles, rows)


def summary(found: Sequence[Painting], recipe: float | None) -> str:
    """The table of the paintings beside the recipe's seconds."""
    rows: list[Sequence[object]] = []
    if recipe is not None:
        name = f"neural-style recipe, {RECIPE} float32 steps"
        rows.append((name, None, None, f"{recipe:.0f}", None))
    for one in found:
        times = None if recipe is None else f"1/{recipe / one.seconds:.0f}"
        rows.append((one.preset, one.ready, one.finish, f"{one.seconds:.1f}", times))
    titles = ("", "getting ready s", "finishing s", "in all s", "of the recipe's")
    return report.table(titles, rows)


def record(one: Painting) -> dict[str, Any]:
    """A painting for the JSON file."""
    each = [
        dataclasses.asdict(scale)
        | {"each": scale.each, "begins": scale.begins, "seconds": scale.seconds}
        for scale in one.scales
    ]
    return {
        "preset": one.preset, "ready": one.ready, "scales": each, "finish": one.finish,
        "seconds": one.seconds,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
