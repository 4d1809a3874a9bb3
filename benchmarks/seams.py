"""Whether edges meet: ``python -m benchmarks.seams PHOTO STYLE [--side N] [--wrap both] [-o DIR]``.

Paints the photo, made small, and prints for each pair of edges the mean difference of neighbours
across them over that of the dozen lines of neighbours on either side; writes the painting laid
3 × 3, to be looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from styleengine import Engine, Job, Picture, Settings, Style, load
from styleengine.jobs import Result

NEAR = 12
"""Lines on either side of the edge that it is compared with."""


def seam(rgb: np.ndarray, axis: int) -> float:
    """How much more two edges of (H, W, 3) differ, laid side by side, than the lines near them."""
    lines = np.roll(np.moveaxis(rgb, axis, 0), NEAR + 1, 0)[: 2 * NEAR + 2]
    steps = np.abs(np.diff(lines, axis=0)).mean((1, 2))
    return float(steps[NEAR] / np.delete(steps, NEAR).mean())


def main() -> None:
    """Paints and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--side", type=int, default=256, help="long side of the photo")
    parser.add_argument("--wrap", default="both", choices=("none", "sideways", "both"))
    parser.add_argument("-o", "--output", type=Path, default=Path())
    args = parser.parse_args()
    with Image.open(args.photo) as image:
        small = image.convert("RGB")
    small.thumbnail((args.side, args.side), Image.Resampling.LANCZOS)
    photo = Picture(np.asarray(small, np.float32) / 255)
    job = Job(photo, (Style(load(args.style)),), Settings(wrap=args.wrap))
    (result,) = (e for e in Engine().run(job) if isinstance(e, Result))
    for name, rgb in (("photo", photo.rgb), ("painting", result.picture.rgb)):
        print(f"{name}: top and bottom {seam(rgb, 0):.2f}, left and right {seam(rgb, 1):.2f}")
    laid = np.tile((result.picture.rgb * 255).round().astype(np.uint8), (3, 3, 1))
    place = args.output / f"{args.photo.stem}-{args.style.stem}-{args.wrap}.png"
    Image.fromarray(laid).save(place)
    print(place)


if __name__ == "__main__":
    main()
