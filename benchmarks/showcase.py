"""Makes the README's pictures: the project's own photo in several of its own styles.

    python -m benchmarks.showcase            # with the features installed here
    python -m benchmarks.showcase OUTDIR

Draws the samples, paints them with the preset ``best`` at 1024 px, and saves one strip per style:
photo, style, result.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from styleengine import Engine, Job, Result, Settings, Style
from styleengine.images import Picture, load, save
from styleengine.resample import resize, to_array, to_tensor

ROOT = Path(__file__).resolve().parents[1]
STYLES = ("style", "style-wave", "style-glass", "style-woodcut")
SETTINGS = Settings(preset="best", size=1024)
STRIP_HEIGHT, GAP = 300, 6


def main(arguments: list[str]) -> None:
    out = Path(arguments[0]) if arguments else ROOT / "benchmarks" / "showcase"
    out.mkdir(parents=True, exist_ok=True)
    engine = Engine()
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder)
        drawing = [sys.executable, str(ROOT / "install" / "samples.py"), folder, "--all"]
        subprocess.run(drawing, check=True)
        photo = load(samples / "photo.jpg")
        for name in STYLES:
            style = load(samples / f"{name}.jpg")
            result = paint(engine, photo, style)
            print(f"{name}: {result.seconds:.0f} s, {result.features}, {result.device}")
            save(out / f"{name}.jpg", strip(photo, style, result.picture))
            if name == STYLES[0]:
                save(out / "result.jpg", result.picture)


def paint(engine: Engine, photo: Picture, style: Picture) -> Result:
    """The result of one run."""
    for event in engine.run(Job(photo, (Style(style),), SETTINGS)):
        if isinstance(event, Result):
            return event
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
