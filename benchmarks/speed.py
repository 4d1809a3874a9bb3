"""How fast ours is, against the two engines of `references`, at equal quality.

    python -m benchmarks.speed                # presets against Gatys et al. (`neural_style`)
    python -m benchmarks.speed --curve        # against Gaussian Wasserstein-2 (`wasserstein`)

The same pictures, weights and threads in one process. Style and content trade against each other,
so each preset is run at the strength at which its content score is the reference's, found by up to
three more runs; ``--no-match`` leaves it at ``--strength``. Where the reference's is known from an
earlier run, ``--no-reference --content SCORE`` does without it. The judge works outside of what is
timed. Ours is timed from the pictures to the result; the references' pictures are prepared and
their network is in place before, which favours them.

The reference computes in plain float32, as those engines do; ``--levers`` gives it the precision
and memory layout that ours has chosen.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import references, report, runs
from benchmarks.judge import Judge, Scores, load_judge
from benchmarks.pairs import Pair, add_options, chosen_precision, load_pairs, machine
from benchmarks.runs import Run
from styleengine.engine import Engine
from styleengine.machine import devices
from styleengine.networks import trunk
from styleengine.pictures.files import save
from styleengine.pictures.picture import fit
from styleengine.protocol import Settings
from styleengine.scene.resample import resize, to_tensor

COMPARED = ("style", "held_out", "sliced", "content")
WITHIN = 1.05
"""Ours counts as good as the reference if no score is above this times the reference's."""
SCORES = tuple(f.name for f in dataclasses.fields(Scores))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return report.ending(measure, parser().parse_args(arguments))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="benchmarks.speed", description="Measures the speed.")
    add_options(top)
    top.add_argument(
        "--preset",
        action="append",
        choices=("draft", "fast", "best"),
        help="of ours; may be repeated (default: fast and best)",
    )
    top.add_argument("--classic", action="store_true", help="run the classic preset as well")
    top.add_argument("--iterations", type=int, default=0, help="of ours (default: the preset's)")
    top.add_argument("--strength", type=float, default=50.0, help="where the search begins")
    top.add_argument(
        "--match",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run ours at the strength of the reference's content (default)",
    )
    top.add_argument("--points", type=int, default=20, help="moments of each run that are judged")
    top.add_argument("--no-reference", action="store_true", help="run ours alone")
    top.add_argument(
        "--content",
        type=float,
        metavar="SCORE",
        help="with --no-reference: run ours at the strength of that content, as known before",
    )
    top.add_argument(
        "--reference-steps",
        type=int,
        default=1000,
        metavar="N",
        help="of the reference (with --curve: at its first scale, and half as many at the others)",
    )
    top.add_argument("--levers", action="store_true", help="give the reference our precision")
    top.add_argument("--curve", action="store_true", help="compare with the Wasserstein recipe")
    top.add_argument(
        "--margin",
        type=int,
        default=0,
        metavar="PX",
        help="judge pictures as if they went on by so many reflected pixels (see judge.py)",
    )
    top.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the results there")
    top.add_argument(
        "--content-weights",
        type=float,
        nargs="+",
        default=[0.015],
        metavar="W",
        help="of the reference, with --curve (default: 0.015)",
    )
    return top


def measure(options: argparse.Namespace) -> None:
    """Runs everything asked for and prints it pair by pair."""
    net = load_judge()
    device = devices.pick(options.device)
    about = machine(options.features, device)
    print(about.line())
    engine, records = Engine(), []
    for pair in load_pairs(options):
        judge = Judge(net, pair.content, pair.style, pair.size, options.margin)
        records.append(measure_pair(options, engine, judge, pair))
    print(summary(records))
    report.write_json(
        options.json,
        {
            "machine": dataclasses.asdict(about),
            "options": {k: v for k, v in vars(options).items() if k not in ("json", "keep")},
            "pairs": records,
        },
    )


class Ours:
    """Our runs of one preset on one pair, none of them made twice."""

    def __init__(
        self, options: argparse.Namespace, engine: Engine, judge: Judge, pair: Pair, preset: str
    ) -> None:
        self.preset = preset
        self._engine, self._judge, self._pair, self._points = engine, judge, pair, options.points
        self._settings = Settings(
            preset=preset,
            size=pair.size,
            iterations=options.iterations,
            features=options.features,
            device=options.device,
        )
        self._known: dict[float, tuple[Run, float]] = {}

    def at(self, strength: float) -> tuple[Run, float]:
        """The run at that strength and the content score of its result."""
        if strength not in self._known:
            pair, settings = self._pair, dataclasses.replace(self._settings, strength=strength)
            report.say(f"{pair.name}: {self.preset} at strength {strength:g}")
            runs.warm_up(self._engine, pair.content, pair.style, settings)
            run = runs.paint(self._engine, pair.content, pair.style, settings, self._points)
            self._known[strength] = run, self._judge.scores(run.picture).content
        return self._known[strength]

    def matched(self, content: float, start: float) -> tuple[Run, list[list[float]]]:
        """The run whose content score is nearest to ``content``, and all strengths tried."""

        def error(strength: float) -> float:
            return math.log(max(self.at(strength)[1], 1e-12) / max(content, 1e-12))

        tried = runs.find_strength(error, start)
        best, _ = min(tried, key=lambda t: abs(t[1]))
        return self.at(best)[0], [[s, self.at(s)[1]] for s, _ in tried]


def measure_pair(
    options: argparse.Namespace, engine: Engine, judge: Judge, pair: Pair
) -> dict[str, Any]:
    """All runs on one pair: printed, and as a record."""
    print(f"\n{pair.name}, {pair.content.width}×{pair.content.height}")
    presets = list(dict.fromkeys(options.preset or ("fast", "best")))
    ours = [Ours(options, engine, judge, pair, preset) for preset in presets]
    textbook = [Ours(options, engine, judge, pair, "classic")] if options.classic else []
    record: dict[str, Any] = {"name": pair.name, "width": pair.content.width}
    record |= {"height": pair.content.height, "comparisons": []}
    if options.no_reference:
        finished = [alone(options, one) for one in ours]
        finished += [one.at(options.strength)[0] for one in textbook]
        keep(options.keep, pair, finished)
        found = [traced(judge, run) for run in finished]
        print(traces(found))
        return record | {"runs": found}
    for run in reference_runs(options, pair):
        base = traced(judge, run)
        chosen, tried = [], {}
        for one in ours:
            if options.match:
                best, tried[one.preset] = one.matched(final(base)["content"], options.strength)
            else:
                best = one.at(options.strength)[0]
            chosen.append(best)
        chosen += [one.at(options.strength)[0] for one in textbook]
        keep(options.keep, pair, [run, *chosen])
        found = [traced(judge, one) for one in chosen]
        compared = [compare(one, base) for one in found]
        print(traces([base, *found]))
        print("\n" + comparison(base, compared))
        record["comparisons"].append(
            {"reference": base, "runs": found, "tried": tried, "results": compared}
        )
    return record


def alone(options: argparse.Namespace, one: Ours) -> Run:
    """The run of a preset without a reference to be compared with."""
    if options.content is None:
        return one.at(options.strength)[0]
    return one.matched(options.content, options.strength)[0]


def keep(folder: Path | None, pair: Pair, finished: Sequence[Run]) -> None:
    """Writes the results of some runs on ``pair`` into ``folder``, if there is one."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for run in finished:
        save(folder / f"{pair.name}-{run.engine.replace(' ', '-')}.png", run.picture)


def reference_runs(options: argparse.Namespace, pair: Pair) -> Iterator[Run]:
    """The runs of the reference on ``pair``, one after the other."""
    device = devices.pick(options.device)
    precision = chosen_precision("vgg19", device) if options.levers else trunk.PLAIN
    net = runs.reference_trunk(device, precision)
    steps = options.reference_steps
    total = 3 * steps if options.curve else steps  # about; it depends on the number of scales
    every = max(1, total // max(1, options.points))
    if not options.curve:
        report.say(f"{pair.name}: neural_style, {steps} steps")
        yield runs.reference("neural_style", neural_style(net, device, pair, steps, every))
        return
    content, style = (to_tensor(p.rgb, device) for p in (pair.content, pair.style))
    for weight in options.content_weights:
        report.say(f"{pair.name}: wasserstein, content weight {weight:g}")
        trace = references.wasserstein(
            net, content, style, weight, steps, max(1, steps // 2), every
        )
        yield runs.reference(f"wasserstein {weight:g}", trace)


def neural_style(
    net: trunk.Trunk, device: torch.device, pair: Pair, steps: int, every: int
) -> references.Trace:
    """The neural-style recipe on ``pair``, whose style is never enlarged."""
    content, style = (to_tensor(p.rgb, device) for p in (pair.content, pair.style))
    small = resize(style, style_size(style, pair.size)).clamp(0, 1)
    return references.neural_style(net, content, small, steps, every)


def style_size(style: torch.Tensor, long_side: int) -> tuple[int, int]:
    """(height, width) of the style at ``long_side``, which never enlarges it."""
    height, width = style.shape[-2:]
    return fit(width, height, min(long_side, max(width, height)))


def traced(judge: Judge, run: Run) -> dict[str, Any]:
    """The record of a run: its scores at all of its moments."""
    trace = [
        {"seconds": m.seconds, "steps": m.steps} | dataclasses.asdict(judge.scores(m.picture))
        for m in run.moments
    ]
    return {"engine": run.engine, "strength": run.strength, "seconds": run.seconds, "trace": trace}


def final(run: dict[str, Any]) -> dict[str, float]:
    """The last moment of a run's record."""
    last: dict[str, float] = run["trace"][-1]
    return last


def reached(run: dict[str, Any], style: float) -> float | None:
    """Seconds until the run's style score was within 5 % of ``style``; None if it never was."""
    times = (m["seconds"] for m in run["trace"] if m["style"] <= WITHIN * style)
    return next(times, None)


def compare(ours: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """Ours against the reference: times and scores."""
    mine, theirs = final(ours), final(base)
    ratios = {name: mine[name] / max(theirs[name], 1e-12) for name in COMPARED}
    return {
        "preset": ours["engine"],
        "strength": ours["strength"],
        "seconds": ours["seconds"],
        "times": base["seconds"] / ours["seconds"],
        "scores": {name: mine[name] for name in SCORES},
        "ratios": ratios,
        "within": all(ratio <= WITHIN for ratio in ratios.values()),
        "reached": reached(ours, theirs["style"]),
        "reference_reached": reached(base, theirs["style"]),
    }


def traces(records: list[dict[str, Any]]) -> str:
    """The table of all moments of some runs."""
    rows = [
        [
            run["engine"],
            _points(run["strength"]),
            f"{m['seconds']:.1f}",
            m["steps"],
            *(m[s] for s in SCORES),
        ]
        for run in records
        for m in run["trace"]
    ]
    return report.table(("engine", "strength", "seconds", "steps", *SCORES), rows)


def comparison(base: dict[str, Any], compared: list[dict[str, Any]]) -> str:
    """The table of the results: the reference, and each of ours against it."""
    first = next((c["reference_reached"] for c in compared), None)
    rows: list[list[object]] = [
        [
            base["engine"], None, f"{base['seconds']:.1f}", None, _seconds(first), None,
            *(final(base)[name] for name in SCORES), None,
        ]
    ]  # fmt: skip
    for one in compared:
        worse = [
            f"{name} +{100 * (r - 1):.0f} %" for name, r in one["ratios"].items() if r > WITHIN
        ]
        soon, late = one["reached"], one["reference_reached"]
        rows.append(
            [
                one["preset"], _points(one["strength"]),
                f"{one['seconds']:.1f}", f"{one['times']:.1f}×", _seconds(soon),
                f"{late / soon:.1f}×" if soon and late else None,
                *one["scores"].values(), ", ".join(worse) or "yes",
            ]
        )  # fmt: skip
    titles = ("engine", "strength", "seconds", "faster", "reached", "sooner", *SCORES, "within 5 %")
    about = "reached: seconds until the style score was within 5 % of the reference's last."
    return f"{report.table(titles, rows)}\n{about}"


def _points(strength: float | None) -> str | None:
    return None if strength is None else f"{strength:g}"


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f}"


def summary(records: list[dict[str, Any]]) -> str:
    """One line per reference and preset over all pairs."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records:
        for one in record["comparisons"]:
            for result in one["results"]:
                key = one["reference"]["engine"], result["preset"]
                found.setdefault(key, []).append(result)
    lines = []
    for (base, preset), results in found.items():
        times = [r["times"] for r in results]
        mean = math.exp(sum(map(math.log, times)) / len(times))
        good = sum(r["within"] for r in results)
        lines.append(
            f"\n{preset} against {base}: {mean:.1f}× faster (geometric mean; {min(times):.1f} to "
            f"{max(times):.1f}), within 5 % on all four scores in {good} of {len(results)}"
        )
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
