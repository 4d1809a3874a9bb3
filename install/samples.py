"""Draw the project's own sample pictures: ``python install/samples.py OUTDIR [--all]``.

Everything is computed from seeded noise with numpy and Pillow, so the pictures are free of other
people's rights and the same on every run. Whoever changes a drawing then runs ``python
install/samples.py --ship``: it draws the styles and the photo that come with the filter to where
they lie in the project, and no user's computer ever has to draw anything.
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
INSTALL = Path(__file__).resolve().parent
SHIPPED_STYLES = INSTALL.parent / "gimp_plugin" / "neural_style" / "styles"
"""The folder of the styles that come with the filter, ``style-NAME.jpg`` each."""
SHIPPED_PHOTO = INSTALL / "pictures" / "photo.jpg"
SHIPPED_SIDE, SHIPPED_QUALITY = 1536, 82
"""Large enough for the brushwork on a large photo, and all of them together below 6 MB."""
MOST_AT_ONCE = 2
"""Pictures that are drawn at the same time, at most: one of 1536 pixels may take two gigabytes."""


def draw(module: str, long_side: int) -> Image.Image:
    """Return the picture that ``pictures.<module>`` paints, ``long_side`` pixels long."""
    paint: Callable[[int], Image.Image] = importlib.import_module(f"pictures.{module}").paint
    return paint(long_side)


def write(module: str, long_side: int, path: Path, ship: bool = False) -> float:
    """Draw one picture into a file and return how many seconds it took."""
    start = time.monotonic()
    save(draw(module, long_side), path, ship)
    return time.monotonic() - start


def save(picture: Image.Image, path: Path, ship: bool) -> None:
    """Write a drawing as JPEG: as small as it ships, or with every detail."""
    quality, subsampling = (SHIPPED_QUALITY, "4:2:0") if ship else (94, "4:4:4")
    # To optimise, or to write progressively, Pillow wants all of the file in a buffer of a byte for
    # each pixel, which the points at this quality do not fit.
    picture.save(path, quality=quality, subsampling=subsampling, optimize=ship, progressive=ship)


def shipped() -> dict[Path, str]:
    """The files that come with the filter, and which script draws each."""
    styles = {SHIPPED_STYLES / f"style-{module}.jpg": module for module in STYLES.values()}
    return {SHIPPED_PHOTO: PHOTOS[DEFAULT[0]], **styles}


def main(arguments: list[str] | None = None) -> int:
    """Write the pictures asked for and say where they are."""
    parser = argparse.ArgumentParser(description="Draw the sample pictures.")
    parser.add_argument("folder", type=Path, nargs="?", metavar="OUTDIR", help="where they go")
    parser.add_argument("--long-side", type=int, default=1024, metavar="PIXELS")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="draw every style, not only the first")
    what.add_argument("--ship", action="store_true", help="renew those that come with the filter")
    chosen = parser.parse_args(arguments)
    if not 64 <= chosen.long_side <= 4096:
        parser.error("--long-side must be between 64 and 4096 pixels")
    if bool(chosen.folder) == chosen.ship:
        parser.error("give a folder, or --ship")
    long_side = chosen.long_side
    if chosen.ship:
        long_side, wanted = SHIPPED_SIDE, shipped()
    else:
        names = PHOTOS | STYLES
        wanted = {chosen.folder / n: names[n] for n in (names if chosen.all else DEFAULT)}
    for path in wanted:
        path.parent.mkdir(parents=True, exist_ok=True)
    at_once = min(MOST_AT_ONCE, os.cpu_count() or 1)
    with ProcessPoolExecutor(at_once) as pool:
        paths = {
            pool.submit(write, module, long_side, path, chosen.ship): path
            for path, module in wanted.items()
        }
        for done in as_completed(paths):
            print(f"{paths[done]}  ({done.result():.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
