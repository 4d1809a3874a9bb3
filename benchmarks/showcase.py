"""Makes the README's pictures: the project's own photo in several of its own styles.

    python -m benchmarks.showcase            # with the features installed here
    python -m benchmarks.showcase OUTDIR

Paints the photo with every setting as it comes, and saves one strip per style (photo, style,
result), one with the photo's colours kept, and one with the draft network.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.pairs import shrunk
from styleengine import Engine, Job, Result, Settings, Style
from styleengine.pictures.files import Picture, load, save
from styleengine.scene.resample import resize, to_array, to_tensor

ROOT = Path(__file__).resolve().parents[1]
PHOTO = ROOT / "install" / "pictures" / "photo.jpg"
PHOTO_SIDE = 1024
STYLES = ROOT / "gimp_plugin" / "neural_style" / "styles"
SHOWN = {
    "style": "night",
    "style-wave": "wave",
    "style-glass": "glass",
    "style-woodcut": "woodcut",
    "style-watercolor": "watercolor",
    "style-points": "points",
    "style-peacock": "peacock",
}
"""The strips' names, and the styles they show."""
KEPT = ("luminance", "palette")
STRIP_HEIGHT, GAP = 300, 6


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.showcase", description="Paints the pictures.")
    kept = ROOT / "benchmarks" / "showcase"
    parser.add_argument("out", type=Path, nargs="?", default=kept, help=f"a folder ({kept})")
    out: Path = parser.parse_args(arguments).out
    out.mkdir(parents=True, exist_ok=True)
    engine = Engine()
    photo = shrunk(load(PHOTO), PHOTO_SIDE)
    for name, style_name in SHOWN.items():
        style = load(STYLES / f"style-{style_name}.jpg")
        painted = paint(engine, photo, style, Settings())
        save(out / f"{name}.jpg", strip(photo, style, painted))
    style = load(STYLES / "style-night.jpg")
    colors = [paint(engine, photo, style, Settings(keep_colors=k)) for k in KEPT]
    save(out / "colors.jpg", strip(photo, *colors))
    painted = paint(engine, photo, style, Settings(features="draft"))
    save(out / "draft.jpg", strip(photo, style, painted))


def paint(engine: Engine, photo: Picture, style: Picture, settings: Settings) -> Picture:
    """The result of one run, which is also told."""
    for event in engine.run(Job(photo, (Style(style),), settings)):
        if isinstance(event, Result):
            print(f"{style.name}: {event.seconds:.0f} s, {event.features}, {event.device}")
            return event.picture
    raise AssertionError("a run ends with a result")


def strip(*pictures: Picture) -> Picture:
    """The pictures side by side at one height, white between them."""
    parts = []
    for picture in pictures:
        width = round(picture.width * STRIP_HEIGHT / picture.height)
        part = to_array(resize(to_tensor(picture.rgb), (STRIP_HEIGHT, width)).clamp(0, 1))
        parts += [part, np.ones((STRIP_HEIGHT, GAP, 3), np.float32)]
    return Picture(np.concatenate(parts[:-1], axis=1))


if __name__ == "__main__":
    main(sys.argv[1:])
