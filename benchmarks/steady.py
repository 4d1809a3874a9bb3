"""Whether the frames of a film are steady, and what they cost.

    python -m benchmarks.steady                          # three scenes of the project's drawings
    python -m benchmarks.steady --pair PHOTO STYLE --pair PHOTO STYLE --frames 60 -o DIR

In each scene a camera pans, zooms and turns over a photo, before which a cut-out of the next pair's
photo moves by itself (`moving`), with a camera's noise. Its frames are painted one by one, then
steadily. Told are the *flicker*, the mean difference (0–1) of a painting from the one before, moved
as the scene is known to move, where both show the same, and that of the photos themselves, which is
noise and resampling; the ratio of the two ways; what becomes of the colours and of the fine texture
of the last frame, against the same frame painted by itself; and the processor's seconds per frame
but the first. ``-o`` writes frames: photo, by itself, steady, and the last two's differences from
the frame before.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks import report
from benchmarks.moving import Frame, Scene, as_picture, scene_of
from benchmarks.pairs import add_options, load_pairs, machine
from styleengine.engine import Engine
from styleengine.jobs import Job, Result, Style
from styleengine.machine import devices
from styleengine.pictures.files import Picture, save
from styleengine.protocol import Settings
from styleengine.scene.flow import warped
from styleengine.scene.resample import to_array, to_tensor

SOURCE = 2
"""How much larger than the frames the photos are."""
NOISE = 0.004
"""Standard deviation of a frame's noise (0–1)."""
TITLES = (
    "scene", "alone", "steady", "ratio", "photo", "colours", "texture", "s alone", "s steady",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return report.ending(measure, parser().parse_args(arguments))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="benchmarks.steady", description="Paints moving scenes, and measures their flicker."
    )
    add_options(top)
    top.set_defaults(size=256)
    top.add_argument("--preset", default="fast", choices=("draft", "fast", "best"))
    top.add_argument("--pairs", type=int, default=3, help="how many scenes (default: 3)")
    top.add_argument("--frames", type=int, default=6, help="of each scene (default: 6)")
    top.add_argument(
        "--alone", type=int, default=6, help="frames painted by themselves, too (default: 6)"
    )
    top.add_argument("-o", "--output", type=Path, help="a folder for the frames")
    return top


def measure(options: argparse.Namespace) -> None:
    """Runs everything asked for and prints it."""
    about = machine("draft", devices.pick(options.device))
    print(about.line())
    side = options.size
    pairs = load_pairs(argparse.Namespace(**{**vars(options), "size": SOURCE * side}))
    engine, rows = Engine(), []
    for number, pair in enumerate(pairs[: options.pairs]):
        cutout = pairs[(number + 1) % len(pairs)].content
        scene = scene_of(pair.content, cutout, side, NOISE)
        settings = Settings(preset=options.preset, features=options.features, device=options.device)
        rows.append(filmed(engine, pair.name, scene, pair.style, settings, options))
        print(report.table(TITLES, [[rows[-1][t] for t in TITLES]]), flush=True)
    print(report.table(TITLES, [[row[t] for t in TITLES] for row in rows]))
    report.write_json(options.json, {"machine": dataclasses.asdict(about), "scenes": rows})


def filmed(
    engine: Engine,
    name: str,
    scene: Scene,
    style: Picture,
    settings: Settings,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """The record of a scene."""
    before: Result | None = None
    last: tuple[Picture, Picture | None, Picture] | None = None
    flickers: dict[str, list[float]] = {"photo": [], "alone": [], "steady": []}
    seconds: dict[str, list[float]] = {"alone": [], "steady": []}
    apart: dict[str, float] = {}
    for number in range(options.frames):
        found = scene.frame(number)
        photo = as_picture(found.image)
        job = Job(photo, (Style(style),), settings, steady=True)
        ends = number in (0, options.frames - 1)
        alone = None
        if number < options.alone or ends:
            result, took = painted(engine, job)
            alone = result.picture
            if number:
                seconds["alone"].append(took)
        if before is None:
            before = result
        else:
            before, took = painted(engine, dataclasses.replace(job, frame=before.frame))
            seconds["steady"].append(took)
        now = (photo, alone, before.picture)
        if last is not None:
            for kind, a, b in zip(("photo", "alone", "steady"), last, now, strict=True):
                if a is not None and b is not None:
                    flickers[kind].append(flicker(found, a, b))
        if alone is not None:
            apart = {
                "colours": float(np.abs((now[2].rgb - alone.rgb).mean((0, 1))).max()),
                "texture": texture(now[2]) / texture(alone),
            }
        if options.output is not None:
            write(options.output / f"{name}-{number:03d}.png", found, last, now)
        last = now
    means = {kind: float(np.mean(values)) for kind, values in flickers.items()}
    times = {f"s {kind}": float(np.mean(values)) for kind, values in seconds.items()}
    ratio = means["steady"] / means["alone"]
    return {"scene": name, **means, "ratio": ratio, **apart, **times, "all": flickers}


def painted(engine: Engine, job: Job) -> tuple[Result, float]:
    """The result of a job, and the processor's seconds."""
    started = time.process_time()
    (result,) = (event for event in engine.run(job) if isinstance(event, Result))
    return result, time.process_time() - started


def moved(found: Frame, before: Picture) -> torch.Tensor:
    """A picture of the frame before as it would be in this one, (1, 3, h, w)."""
    return warped(to_tensor(before.rgb), found.flow, sharp=True)


def flicker(found: Frame, before: Picture, now: Picture) -> float:
    """The mean difference from the frame before, moved, of what both show."""
    seen = -F.max_pool2d(-found.seen, 3, 1, 1)
    apart = (to_tensor(now.rgb) - moved(found, before)).abs().mean(1, keepdim=True)
    return float((apart * seen).sum() / seen.sum())


def texture(picture: Picture) -> float:
    """The mean square of the differences of neighbours."""
    return float(sum((np.diff(picture.rgb, axis=axis) ** 2).mean() for axis in (0, 1)))


def write(
    path: Path,
    found: Frame,
    last: tuple[Picture, Picture | None, Picture] | None,
    now: tuple[Picture, Picture | None, Picture],
) -> None:
    """A frame to be looked at: the pictures, and four times their differences from before."""
    cells = [each.rgb for each in now if each is not None]
    for a, b in zip(last or (), now, strict=False):
        if a is not None and b is not None and b is not now[0]:
            cells.append(4 * np.abs(b.rgb - to_array(moved(found, a))))
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, Picture(np.concatenate(cells, 1).clip(0, 1).astype(np.float32)))


if __name__ == "__main__":
    sys.exit(main())
