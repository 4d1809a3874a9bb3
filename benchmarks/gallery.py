"""A gallery to be looked at: pairs of photo and painting, of the kinds at which painting fails.

    python -m benchmarks.gallery FOLDER --pictures PHOTOS --pictures PAINTINGS
    python -m benchmarks.gallery FOLDER --pictures … --before FOLDER_OF_AN_EARLIER_RUN

Paints every pair of `PAIRS` whose pictures are found by their names, without their endings, in the
folders of pictures, or are the project's own; saves each as ``photo-style.png`` and all of them in
one contact sheet, ``gallery.jpg``: photo, style, the result before if a folder of earlier results
is named, and the result. What is in the folder already is not painted again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.pairs import drawn, shrunk
from benchmarks.quality import Titled, save_sheet
from styleengine.engine import Engine
from styleengine.jobs import Job, Result, Style
from styleengine.pictures.files import Picture, load, save
from styleengine.protocol import EngineError, Settings

PAIRS = {
    "portraits and animals": (
        ("astronaut", "seated-nude"),
        ("astronaut", "woman-with-hat-matisse"),
        ("astronaut", "woodcut"),
        ("grace_hopper", "woman-with-hat-matisse"),
        ("grace_hopper", "starry_night_google"),
        ("grace_hopper", "watercolor"),
        ("chelsea", "escher_sphere"),
        ("chelsea", "starry_night_google"),
        ("chelsea", "points"),
    ),
    "subjects before plain grounds": (
        ("coffee", "watercolor"),
        ("coffee", "seated-nude"),
        ("coffee", "woman-with-hat-matisse"),
        ("coffee", "facets"),
        ("still", "watercolor"),
        ("still", "seated-nude"),
        ("still", "woodcut"),
        ("still", "points"),
    ),
    "landscapes with a sky": (
        ("rocket", "starry_night_google"),
        ("rocket", "watercolor"),
        ("rocket", "escher_sphere"),
        ("tubingen", "woodcut"),
        ("tubingen", "starry_night_google"),
        ("tubingen", "seated-nude"),
        ("hoovertowernight", "woman-with-hat-matisse"),
        ("hoovertowernight", "glass"),
        ("lake", "night"),
        ("lake", "wave"),
    ),
}
OWN = (
    "lake", "still", "night", "cutpaper", "facets", "flowers", "glass", "mosaic", "pastel",
    "peacock", "points", "watercolor", "wave", "woodcut",
)  # fmt: skip
"""The project's own pictures that are drawn where no file has their name."""
SHEET = "gallery.jpg"
LARGEST = 2
"""Styles are kept at up to this many times the working size."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return report.ending(paint, parser().parse_args(arguments))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="benchmarks.gallery", description="Paints the gallery.")
    top.add_argument("folder", type=Path, help="where the results go")
    top.add_argument(
        "--pictures", type=Path, action="append", default=[], metavar="FOLDER", help="may repeat"
    )
    top.add_argument("--before", type=Path, metavar="FOLDER", help="results of an earlier run")
    top.add_argument("--size", type=int, default=448, metavar="PIXELS", help="(default: 448)")
    top.add_argument("--preset", default="fast", choices=("draft", "fast", "best"))
    top.add_argument("--strength", type=float, default=50.0)
    return top


def paint(options: argparse.Namespace) -> None:
    """Paints what is missing, and makes the sheet."""
    options.folder.mkdir(parents=True, exist_ok=True)
    engine, rows = Engine(), []
    for photo, style in (pair for pairs in PAIRS.values() for pair in pairs):
        content = found(photo, options.pictures, options.size)
        painting = found(style, options.pictures, LARGEST * options.size)
        if content is None or painting is None:
            report.say(f"{photo}-{style} left out: a picture is in none of the folders")
            continue
        path = options.folder / f"{photo}-{style}.png"
        if not path.exists():
            report.say(path.stem)
            save(path, painted(engine, content, painting, options))
        row = [(photo, content), (style, painting)]
        rows.append([*row, *earlier(options.before, path.name), ("now", load(path))])
    if not rows:
        raise EngineError("no-pictures", "None of the pairs' pictures were found.")
    save_sheet(list(two_by_two(rows)), options.folder / SHEET)


def found(name: str, folders: Sequence[Path], long_side: int) -> Picture | None:
    """The picture of that name in one of the folders, or one of ours; None if there is none."""
    for folder in folders:
        for path in sorted(folder.glob(f"{name}.*")):
            return shrunk(load(path), long_side)
    return shrunk(drawn(name, max(64, long_side)), long_side) if name in OWN else None


def painted(
    engine: Engine, content: Picture, style: Picture, options: argparse.Namespace
) -> Picture:
    """The result of one run."""
    settings = Settings(preset=options.preset, strength=options.strength, size=options.size)
    for event in engine.run(Job(content, (Style(style),), settings)):
        if isinstance(event, Result):
            return event.picture
    raise AssertionError("a run ends with a result")


def earlier(folder: Path | None, name: str) -> list[Titled]:
    """The result before, if there is one."""
    path = None if folder is None else folder / name
    return [("before", load(path))] if path is not None and path.exists() else []


def two_by_two(rows: Sequence[list[Titled]]) -> Iterator[list[Titled]]:
    """Two pairs in a row, so that the sheet is not so long."""
    for at in range(0, len(rows), 2):
        yield [cell for row in rows[at : at + 2] for cell in row]


if __name__ == "__main__":
    sys.exit(main())
