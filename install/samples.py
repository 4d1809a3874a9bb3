"""Draw the project's own sample pictures: ``python install/samples.py OUTDIR [--all]``.

Everything is computed from seeded noise with numpy and Pillow, so the pictures are free of other
people's rights and the same on every run.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

from PIL import Image

PHOTOS = {"photo.jpg": "lake"}
STYLES = {
    "style.jpg": "night",
    "style-flowers.jpg": "flowers",
    "style-glass.jpg": "glass",
    "style-mosaic.jpg": "mosaic",
    "style-watercolor.jpg": "watercolor",
    "style-woodcut.jpg": "woodcut",
}
DEFAULT = ("photo.jpg", "style.jpg")
JPEG = {"quality": 94, "subsampling": 0}


def draw(module: str, long_side: int) -> Image.Image:
    """Return the picture that ``pictures.<module>`` paints, as a Pillow image."""
    return importlib.import_module(f"pictures.{module}").paint(long_side)


def main(arguments: list[str] | None = None) -> int:
    """Write the pictures asked for and say where they are."""
    parser = argparse.ArgumentParser(description="Draw the sample pictures.")
    parser.add_argument("folder", type=Path, metavar="OUTDIR", help="where the pictures go")
    parser.add_argument("--long-side", type=int, default=1024, metavar="PIXELS")
    parser.add_argument("--all", action="store_true", help="draw every style, not only the first")
    chosen = parser.parse_args(arguments)
    if not 64 <= chosen.long_side <= 4096:
        parser.error("--long-side must be between 64 and 4096 pixels")
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for name, module in (PHOTOS | STYLES).items():
        if name not in DEFAULT and not chosen.all:
            continue
        start = time.monotonic()
        draw(module, chosen.long_side).save(chosen.folder / name, **JPEG)
        print(f"{chosen.folder / name}  ({time.monotonic() - start:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
