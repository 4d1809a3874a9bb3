"""Draw the project's own sample pictures: ``python install/samples.py OUTDIR [--all|--styles]``.

Everything is computed from seeded noise with numpy and Pillow, so the pictures are free of other
people's rights and the same on every run.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from PIL import Image

PHOTOS = {"photo.jpg": "lake", "photo2.jpg": "still"}
STYLES = {
    "style.jpg": "night",
    "style-cutpaper.jpg": "cutpaper",
    "style-facets.jpg": "facets",
    "style-flowers.jpg": "flowers",
    "style-glass.jpg": "glass",
    "style-mosaic.jpg": "mosaic",
    "style-pastel.jpg": "pastel",
    "style-peacock.jpg": "peacock",
    "style-points.jpg": "points",
    "style-watercolor.jpg": "watercolor",
    "style-wave.jpg": "wave",
    "style-woodcut.jpg": "woodcut",
}
DEFAULT = ("photo.jpg", "style.jpg")
MOST_AT_ONCE = 2
"""Pictures that are drawn at the same time, at most: one of 1536 pixels may take two gigabytes."""


def draw(module: str, long_side: int) -> Image.Image:
    """Return the picture that ``pictures.<module>`` paints, ``long_side`` pixels long."""
    paint: Callable[[int], Image.Image] = importlib.import_module(f"pictures.{module}").paint
    return paint(long_side)


def write(module: str, long_side: int, path: Path) -> float:
    """Draw one picture into a file and return how many seconds it took."""
    start = time.monotonic()
    draw(module, long_side).save(path, quality=94, subsampling=0)
    return time.monotonic() - start


def main(arguments: list[str] | None = None) -> int:
    """Write the pictures asked for and say where they are."""
    parser = argparse.ArgumentParser(description="Draw the sample pictures.")
    parser.add_argument("folder", type=Path, metavar="OUTDIR", help="where the pictures go")
    parser.add_argument("--long-side", type=int, default=1024, metavar="PIXELS")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="draw every style, not only the first")
    what.add_argument("--styles", action="store_true", help="draw the styles only, as shipped")
    chosen = parser.parse_args(arguments)
    if not 64 <= chosen.long_side <= 4096:
        parser.error("--long-side must be between 64 and 4096 pixels")
    chosen.folder.mkdir(parents=True, exist_ok=True)
    wanted = PHOTOS | STYLES
    if chosen.styles:
        wanted = {f"style-{module}.jpg": module for module in STYLES.values()}
    if not (chosen.all or chosen.styles):
        wanted = {name: wanted[name] for name in DEFAULT}
    at_once = min(MOST_AT_ONCE, os.cpu_count() or 1)
    with ProcessPoolExecutor(at_once) as pool:
        paths = {
            pool.submit(write, module, chosen.long_side, chosen.folder / name): chosen.folder / name
            for name, module in wanted.items()
        }
        for done in as_completed(paths):
            print(f"{paths[done]}  ({done.result():.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
