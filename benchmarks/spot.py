"""How well a spot shows what the finished painting will show there, and how long it takes.

    python -m benchmarks.spot                          # three pairs at 1 megapixel
    python -m benchmarks.spot --long-side 3000         # 6 megapixels
    python -m benchmarks.spot --long-side 6000 --unpainted    # the times alone

Of each pair the quick preview is painted, then the picture in full, and spots of the size of the
dialog's view, of which the engine is given what the plug-in gives it. Told are the structural
similarities (`metrics.ssim`) of a spot and of the enlarged preview with the finished painting, and
of each spot the seconds, by the clock and of the processor, to its first picture and in all. Before
the first one the engine is made ready, as the dialog has it done while nothing else is asked for;
told is what that takes, and the longest time in which it does not notice that it is to end.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import metrics, report
from benchmarks.large import SOURCE, enlarged
from benchmarks.pairs import add_options, load_pairs, machine, shrunk
from styleengine.engine import Engine
from styleengine.jobs import Before, Job, Part, Preview, Result, Spot, Style
from styleengine.machine import devices
from styleengine.pictures.files import Picture
from styleengine.planning.spots import Area
from styleengine.protocol import OVERVIEW_PX, PREVIEW_PX, Settings
from styleengine.scene import going_on
from styleengine.scene.resample import resize, to_array, to_tensor

PAIRS = 3
VIEW = (640, 448)
PLACES = ((0.3, 0.35), (0.7, 0.7))
"""Middles of the spots, across and down."""
MARGIN = 0.04
"""As the plug-in's ``view/parts.py`` has it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return report.ending(measure, parser().parse_args(arguments))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="benchmarks.spot", description="Compares spots with finished paintings."
    )
    add_options(top)
    top.set_defaults(size=SOURCE, features="auto")
    top.add_argument("--long-side", type=int, default=1225, help="of the picture (default: 1225)")
    top.add_argument("--pairs", type=int, default=PAIRS, help="how many (default: 3)")
    top.add_argument("--unpainted", action="store_true", help="no whole painting to compare with")
    return top


def measure(options: argparse.Namespace) -> None:
    """Runs everything asked for and prints it."""
    about = machine("draft", devices.pick(options.device))
    print(about.line())
    engine, rows = Engine(), []
    for pair in load_pairs(options, options.pairs):
        photo = in_bytes(enlarged(pair.content, options.long_side))
        settings = Settings(features=options.features, device=options.device)
        rows += spots(engine, pair.name, photo, pair.style, settings, not options.unpainted)
    titles = ("pair", "spot", "ssim", "preview", "first picture", "in all", "painting")
    print(report.table(titles, [tuple(row[t] for t in titles) for row in rows]))
    report.write_json(options.json, {"machine": dataclasses.asdict(about), "spots": rows})


def spots(
    engine: Engine, name: str, photo: Picture, style: Picture, settings: Settings, painted: bool
) -> list[dict[str, Any]]:
    """The records of a pair's spots."""
    work = Job(photo, (Style(style),), settings)
    small = in_bytes(shrunk(photo, PREVIEW_PX))
    quick = dataclasses.replace(settings, size=PREVIEW_PX)
    preview = last(engine, dataclasses.replace(work, content=small, settings=quick)).picture
    before = going_on.kept(small, preview, quick)
    report.say(f"{name}: previewed")
    whole = last(engine, dataclasses.replace(work, before=before)) if painted else None
    shown = to_array(resize(to_tensor(preview.rgb), (photo.height, photo.width)))
    rows = []
    took, longest = readied(engine, of_spot(work, before, PLACES[0]))
    report.say(f"{name}: ready after {took}, the longest piece {longest}")
    for number, place in enumerate(PLACES):
        job = of_spot(work, before, place)
        picture, first, in_all = timed(engine, job)
        row = {"pair": name, "spot": number + 1, "first picture": first, "in all": in_all}
        row |= {"ssim": None, "preview": None, "painting": None}
        if whole is not None and job.spot is not None:
            final = cut(whole.picture.rgb, job.spot)
            row["ssim"] = metrics.ssim(picture.rgb, final)
            row["preview"] = metrics.ssim(cut(shown, job.spot), final)
            row["painting"] = f"{whole.seconds:.0f}"
        rows.append(row)
        report.say(f"{name}: {row}")
    return rows


def of_spot(work: Job, before: Before, place: tuple[float, float]) -> Job:
    """The job of a spot around a place of the picture of ``work``."""
    photo = work.content
    whole = photo.width, photo.height
    width, height = (min(v, n) for v, n in zip(VIEW, whole, strict=True))
    left, top = (
        max(0, min(n - v, round(p * n - v / 2)))
        for p, n, v in zip(place, whole, (width, height), strict=True)
    )
    part: Part | None = None
    overview = photo
    if max(whole) > OVERVIEW_PX:
        overview = in_bytes(shrunk(photo, OVERVIEW_PX))
        margin = round(MARGIN * max(whole))
        a = Area(top, left, top + height, left + width).grown(margin, whole[::-1])
        part = Part(Picture(photo.rgb[a.top : a.bottom, a.left : a.right]), a.left, a.top)
    spot = Spot((left, top, width, height), whole, (width, height), part)
    return dataclasses.replace(work, content=overview, before=before, spot=spot, preview=width)


def readied(engine: Engine, job: Job) -> tuple[str, str]:
    """The seconds in which the engine gets ready for the spots of a picture, and the longest piece
    of that."""
    assert job.spot is not None
    spot = dataclasses.replace(job.spot, ready=True)
    started = last_one = time.monotonic()
    processor, longest = time.process_time(), 0.0
    for _ in engine.run(dataclasses.replace(job, spot=spot, preview=0)):
        longest = max(longest, time.monotonic() - last_one)
        last_one = time.monotonic()
    took = f"{last_one - started:.1f} ({time.process_time() - processor:.1f})"
    return took, f"{longest:.2f}"


def timed(engine: Engine, job: Job) -> tuple[Picture, str, str]:
    """The picture of a spot, and the seconds to its first picture and in all."""
    clock, processor = time.monotonic(), time.process_time()

    def told() -> str:
        return f"{time.monotonic() - clock:.1f} ({time.process_time() - processor:.1f})"

    first = ""
    for event in engine.run(job):
        if isinstance(event, Preview) and not first:
            first = told()
    assert isinstance(event, Result)
    return event.picture, first or told(), told()


def last(engine: Engine, job: Job) -> Result:
    """The result of a run."""
    *_, event = engine.run(job)
    assert isinstance(event, Result)
    return event


def in_bytes(picture: Picture) -> Picture:
    """``picture`` as it comes from GIMP, in steps of 1/255."""
    return Picture((np.round(picture.rgb * 255) / 255).astype(np.float32), name=picture.name)


def cut(rgb: np.ndarray, spot: Spot) -> np.ndarray:
    """A spot of a picture."""
    left, top, width, height = spot.area
    return rgb[top : top + height, left : left + width]


if __name__ == "__main__":
    sys.exit(main())
