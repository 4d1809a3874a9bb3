"""Conifers: branch-by-branch drawings, kept as light maps, planted by the thousand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pictures.field import Array


@dataclass(frozen=True)
class Tree:
    """A drawn tree: red = sunlight caught, green = skylight, blue = hue shift, alpha."""

    picture: Image.Image  # RGBa (premultiplied)
    golden: bool  # an autumn larch


def draw_tree(rng: np.random.Generator, height: int, golden: bool) -> Tree:
    """Draw one tree, whorl by whorl, farther branches first."""
    width = int(height * 0.46)
    image = Image.new("RGBA", (width, height), (60, 70, 128, 0))
    draw = ImageDraw.Draw(image)
    middle = width / 2
    lean = rng.normal(0, 0.012) * height
    draw.line(
        [(middle, height), (middle + lean, height * 0.02)],
        fill=(70, 60, 230, 255),
        width=max(1, height // 60),
    )
    spread = rng.uniform(0.15, 0.20) * height * (1.12 if golden else 1)
    whorls = int(rng.integers(30, 40))
    branches = []
    for whorl in range(whorls):
        t = (whorl + rng.uniform(0, 0.7)) / whorls
        level = height * (0.015 + 0.93 * t**0.92)
        reach = spread * (0.04 + t**0.8) * (1 - 0.25 * max(0.0, t - 0.85) / 0.15)
        for _ in range(5 + int(9 * t)):
            branches.append((t, level, reach * rng.uniform(0.45, 1.12), rng.uniform(0, 2 * np.pi)))
    branches.sort(key=lambda b: np.sin(b[3]) - 0.6 * b[0])
    for t, level, reach, turn in branches:
        if rng.random() < (0.30 if golden else 0.10):
            continue
        _branch(draw, rng, middle + lean * (1 - t), level, reach, turn, height, golden)
    return Tree(image.convert("RGBa"), golden)


def _branch(
    draw: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    x: float,
    y: float,
    reach: float,
    turn: float,
    height: int,
    golden: bool,
) -> None:
    side, front = np.cos(turn), np.sin(turn)
    droop = 0.20 + 0.25 * rng.random()
    pieces = max(3, int(reach / (height * 0.011)))
    along = np.linspace(0.1, 1, pieces)
    xs = x + side * reach * along
    ys = y + reach * (droop * along - 0.28 * along**3) + front * reach * 0.16 * along
    sun = np.clip(0.35 - 0.75 * side, 0.02, 1) * (0.55 + 0.45 * max(front, -0.4))
    sky = np.clip(0.40 + 0.35 * front, 0.1, 1)
    hue = int(np.clip(rng.normal(128, 26), 0, 255))
    needle = height * (0.020 if golden else 0.026)
    for px, py, a in zip(xs, ys, along, strict=True):
        gain = (0.35 + 0.65 * a) * rng.uniform(0.65, 1.2)
        fill = (
            int(np.clip(255 * sun * gain, 0, 255)),
            int(np.clip(255 * sky * gain, 0, 255)),
            hue,
            255,
        )
        for _ in range(3):
            dx = rng.normal(0.25 * side, 0.45) * needle
            dy = rng.uniform(0.1, 1.0) * needle * (1.15 - 0.5 * a)
            draw.line([(px, py), (px + dx, py + dy)], fill=fill, width=max(1, height // 300))


class Nursery:
    """A few drawn trees and their scaled copies."""

    def __init__(self, rng: np.random.Generator, tallest: int) -> None:
        """Draw the trees at ``tallest`` pixels high."""
        self._trees = [draw_tree(rng, tallest, kind >= 6) for kind in range(9)]
        self._tallest = tallest
        self._cache: dict[tuple[int, int], Array] = {}

    def pick(self, rng: np.random.Generator, gold_share: float) -> int:
        """Choose a tree; ``gold_share`` of them are larches."""
        return int(rng.integers(6, 9) if rng.random() < gold_share else rng.integers(0, 6))

    def golden(self, kind: int) -> bool:
        """Whether the tree is an autumn larch."""
        return self._trees[kind].golden

    def stamp(self, kind: int, tall: float) -> Array:
        """Premultiplied light map (h, w, 4) of about ``tall`` pixels' height."""
        size = int(
            np.clip(
                round(tall if tall < 24 else 1.06 ** round(np.log(tall) / 0.0583)), 3, self._tallest
            )
        )
        key = (kind, size)
        if key not in self._cache:
            picture = self._trees[kind].picture
            width = max(2, round(picture.width * size / picture.height))
            small = picture.resize((width, size), Image.Resampling.BOX, reducing_gap=None)
            self._cache[key] = np.asarray(small, np.float32) / 255
        return self._cache[key]
