"""What a large picture takes: time, memory, seams, and how well a small preview predicts it.

    python -m benchmarks.large                        # 24 megapixels against one
    python -m benchmarks.large --long-side 9488 --iterations 12      # 60: memory only
    python -m benchmarks.large --predict              # a preview of 512 px against 12 megapixels

Every run is a process of its own, whose peak of resident memory is reported. The photo is enlarged
to the size asked for; the style is taken as it is.

*Seam* is the mean difference of neighbouring pixels across the tiles' borders, over that at places
beside them: 1 where there is no seam, give or take what it is at lines that are no borders, whose
least and most are told as *elsewhere*. *Untiled* is what the same job would take in one piece.
*Predicts* is the structural similarity of a run at 512 px with the large result, shrunk.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks import metrics, report
from benchmarks.pairs import add_options, chosen_precision, load_pairs
from benchmarks.roofline import peak_memory
from styleengine.engine import Engine
from styleengine.jobs import Job, Result, Style
from styleengine.networks import draft
from styleengine.networks.base import NETWORK_VALUES
from styleengine.networks.trunk import CPU
from styleengine.networks.vgg import VGG19
from styleengine.pictures.files import Picture, load, save
from styleengine.pictures.picture import fit
from styleengine.planning import layout as planning_layout
from styleengine.planning import tiling
from styleengine.planning.fitting import fit_to_memory
from styleengine.planning.layout import ACCELERATOR, GIB, Layout
from styleengine.planning.plan import Plan, features_for, fine_features_for, make_plan
from styleengine.plugins.registry import load_plugins
from styleengine.protocol import PREVIEW_PX, Progress, Settings
from styleengine.scene.resample import STRIP_ROWS, enlarge, resize, to_array, to_tensor

SOURCE = 1536
"""Long side of the pictures that are enlarged."""
BESIDE = (-64, -48, -32, -16, 16, 32, 48, 64)
"""Where, in pixels from a tile's border, its neighbours are looked at: at multiples of the largest
stride, because the network's poolings leave a grain of their own, in tiles or not."""
MEGA = 1e6
PREDICTED = 3
"""Pairs of which the preview is compared."""
MARGIN, ALIGN = 32, 16
"""Of the tiles of fine scales."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    options = parser().parse_args(arguments)
    if options.one:
        return report.ending(run_one, options)
    return report.ending(predict if options.predict else compare, options)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="benchmarks.large", description="Measures large pictures.")
    add_options(top)
    top.set_defaults(size=SOURCE)
    top.add_argument("--long-side", type=int, default=6000, help="of the picture (default: 6000)")
    top.add_argument("--against", type=int, default=1225, help="of the small one (default: 1 MP)")
    top.add_argument("--preset", default="fast", choices=("draft", "fast", "best"))
    top.add_argument("--iterations", type=int, default=0, help="in all (default: the preset's)")
    top.add_argument("--predict", action="store_true", help="compare with a preview, per pair")
    top.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the results there")
    top.add_argument("--one", nargs=3, metavar=("PHOTO", "STYLE", "OUT"), help=argparse.SUPPRESS)
    return top


def compare(options: argparse.Namespace) -> None:
    """The first pair at the size asked for, and at one megapixel."""
    (pair,) = load_pairs(options, 1)
    rows = [
        measured(options, pair.content, pair.style, side)
        for side in (options.long_side, options.against)
    ]
    print(table(rows))
    if options.iterations == 0:
        large, small = (row["seconds"] / row["megapixels"] for row in rows)
        print(f"Time per megapixel: {small / large:.2f} times less than at one.")
    report.write_json(options.json, {"runs": rows})


def predict(options: argparse.Namespace) -> None:
    """Some pairs: how like the preview the large result is."""
    found = []
    for pair in load_pairs(options, PREDICTED):
        with tempfile.TemporaryDirectory() as folder:
            small, large = (Path(folder) / f"{name}.png" for name in ("small", "large"))
            given = options, pair.content, pair.style, options.long_side
            measured(*given, size=PREVIEW_PX, out=small)
            measured(*given, out=large)
            a, b = (shrunk(load(path)) for path in (small, large))
        found.append({"pair": pair.name, "predicts": metrics.ssim(a, b)})
        report.say(f"{pair.name}: {found[-1]['predicts']:.3f}")
    print(report.table(("pair", "predicts"), [(r["pair"], r["predicts"]) for r in found]))
    report.write_json(options.json, {"pairs": found})


def measured(
    options: argparse.Namespace,
    photo: Picture,
    style: Picture,
    long_side: int,
    size: int = 0,
    out: Path | None = None,
) -> dict[str, Any]:
    """One run in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("photo.png", "style.png", "out.png")]
        save(files[0], enlarged(photo, long_side))
        save(files[1], style)
        if options.keep is not None and out is None:
            options.keep.mkdir(parents=True, exist_ok=True)
            out = options.keep / f"{photo.name}-{style.name}-{long_side}-{size}.png"
        command = [
            sys.executable, "-m", "benchmarks.large", "--preset", options.preset, "--one",
            *map(str, files[:2]), str(out or files[2]), "--iterations", str(options.iterations),
            "--long-side", str(size),
        ]  # fmt: skip
        report.say(f"{photo.name} in {style.name}, {long_side} px")
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        row: dict[str, Any] = json.loads(done.stdout)
        return row


def run_one(options: argparse.Namespace) -> None:
    """What the process of a run does; prints the record of it."""
    photo, style, out = options.one
    content = load(photo)
    settings = Settings(
        preset=options.preset, iterations=options.iterations, size=options.long_side
    )
    job = Job(content, (Style(load(style)),), settings)
    needs = 0
    for event in Engine().run(job):
        if isinstance(event, Progress):
            needs = event.memory or needs
        elif isinstance(event, Result):
            print(json.dumps(record(event, peak_memory(), needs, *laid_out(content, settings))))
            save(out, event.picture)


def laid_out(content: Picture, settings: Settings) -> tuple[Plan, list[Layout]]:
    """The plan of a run, and how the engine computes it on this machine."""
    chosen = dataclasses.replace(settings, features=features_for(settings))
    entry = load_plugins().extractor(chosen.features)
    fine = fine_features_for(settings)
    plan = make_plan(chosen, content.width, content.height, entry, fine=fine)
    trunks: Any = {
        name: SimpleNamespace(
            geometry=VGG19(plan.layers).geometry,
            precision=chosen_precision(name, CPU),
            values=draft.VALUES if name == "draft" else NETWORK_VALUES,
        )
        for name in {plan.features, plan.fine}
    }
    return fit_to_memory(plan, content.width, content.height, chosen, entry, trunks, True, CPU)


def record(
    result: Result, peak: int, needs: int, plan: Plan, layouts: list[Layout]
) -> dict[str, Any]:
    """What is told of a run, from within its process; ``peak`` is in bytes."""
    picture = result.picture
    size, layout = plan.sizes[-1], layouts[-1]
    whole = planning_layout.layout(size, plan.steps[-1], plan.history, None, 4, 1e15, ACCELERATOR)
    side = layout.side if size == (picture.height, picture.width) else None
    return {
        "width": picture.width,
        "height": picture.height,
        "megapixels": picture.width * picture.height / MEGA,
        "steps": plan.total_steps,
        "seconds": result.seconds,
        "peak_gib": peak / GIB,
        "needs_gib": needs / GIB,
        "untiled_gib": whole.bytes / GIB,
        "side": side,
        "seam": None if side is None else seam(picture.rgb, side, MARGIN),
        "elsewhere": None if side is None else elsewhere(picture.rgb, side, MARGIN),
    }


def seam(rgb: np.ndarray, side: int, margin: int, off: int = 0) -> float:
    """Mean difference across the borders of tiles, over that beside them; see the module's text.

    ``off`` moves all the lines looked at by so many pixels.
    """
    at, beside = [], []
    for axis in (0, 1):
        length = rgb.shape[axis]
        for span in tiling.spans(length, side, margin, ALIGN)[:-1]:
            line = span.stop + off
            if 0 < line < length:
                at.append(_step(rgb, axis, line))
                places = [line + d for d in BESIDE if 0 < line + d < length]
                beside += [_step(rgb, axis, place) for place in places]
    return float(np.mean(at) / np.mean(beside))


def elsewhere(rgb: np.ndarray, side: int, margin: int) -> tuple[float, float]:
    """The least and the most that `seam` would be if the borders were where they are not."""
    offs = range(max(BESIDE) + ALIGN, side // 2 + 1, ALIGN)  # too far for a border to be beside
    found = [seam(rgb, side, margin, sign * off) for off in offs for sign in (1, -1)]
    return min(found), max(found)


def _step(rgb: np.ndarray, axis: int, place: int) -> float:
    """Mean absolute difference of the lines before and at ``place``."""
    before, after = (np.take(rgb, [p], axis=axis) for p in (place - 1, place))
    return float(np.abs(after - before).mean())


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The records as a table."""
    titles = (
        "picture", "MP", "steps", "s", "s/MP", "peak GiB", "told", "untiled", "tiles", "seam",
        "elsewhere",
    )  # fmt: skip
    cells = [
        (
            f"{r['width']}×{r['height']}", r["megapixels"], r["steps"], r["seconds"],
            r["seconds"] / r["megapixels"], r["peak_gib"], r["needs_gib"], r["untiled_gib"],
            r["side"], r["seam"],
            r["elsewhere"] and "–".join(f"{value:.3f}" for value in r["elsewhere"]),
        )
        for r in rows
    ]  # fmt: skip
    return report.table(titles, cells)


def enlarged(picture: Picture, long_side: int) -> Picture:
    """``picture`` with that long side, made in strips."""
    size = fit(picture.width, picture.height, long_side)
    small = to_tensor(picture.rgb)
    if long_side <= max(picture.width, picture.height):
        return Picture(to_array(resize(small, size)), name=picture.name)
    rgb = np.empty((*size, 3), np.float32)
    for y in range(0, size[0], STRIP_ROWS):
        rows = min(STRIP_ROWS, size[0] - y)
        rgb[y : y + rows] = to_array(enlarge(small, size, y, rows))
    return Picture(rgb, name=picture.name)


def shrunk(picture: Picture) -> np.ndarray:
    """``picture`` at the preview's size."""
    size = fit(picture.width, picture.height, PREVIEW_PX)
    return to_array(resize(to_tensor(picture.rgb), size))


if __name__ == "__main__":
    sys.exit(main())
