"""Paint in brush strokes: curved, bristle by bristle, with the relief of thick paint.

The canvas is a Pillow RGBA image drawn at twice the size whose alpha channel is not opacity but
the height of the paint, so that one line of a bristle lays colour and relief at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pictures.field import Array, blur, fbm, grid, lattice, resample, scaled

OVER = 2  # canvas pixels per picture pixel
_KNOTS = 13


@dataclass(frozen=True)
class Brush:
    """One kind of stroke; lengths in picture pixels."""

    length: float
    width: float
    bristle: float = 1.3  # distance between bristles
    hue_jitter: float = 0.035  # per stroke and channel, 0-1
    streak: float = 0.05  # lightness spread between bristles
    ragged: float = 0.22  # share of the length over which the bristles' ends scatter
    body: float = 1.0  # thickness of the paint
    taper: float = 0.5  # 0: blunt ribbon, 1: pointed


class Canvas:
    """A picture in the making."""

    def __init__(self, width: int, height: int, ground: tuple[int, int, int]) -> None:
        """Start from a canvas primed with one colour."""
        self.width, self.height = width, height
        self.image = Image.new("RGBA", (width * OVER, height * OVER), (*ground, 70))
        self._pen = ImageDraw.Draw(self.image)

    def cover(
        self,
        brush: Brush,
        picture: Array,
        angle: Array,
        rng: np.random.Generator,
        density: float = 1.5,
        where: Array | None = None,
    ) -> None:
        """Spread strokes over the picture: about ``density`` layers where ``where`` is 1."""
        area = brush.length * brush.width
        count = max(1, int(density * self.width * self.height / area))
        side = max(1, int(np.sqrt(count * self.width / self.height)))
        rows = max(1, count // side)
        gx, gy = np.meshgrid(np.arange(side), np.arange(rows))
        cell = np.stack([gx.ravel(), gy.ravel()], 1) + rng.random((side * rows, 2))
        points = (cell / (side, rows) * (self.width, self.height)).astype(np.float32)
        points = points[rng.permutation(len(points))]
        if where is not None:
            chance = resample(where, points[:, 0], points[:, 1])
            points = points[rng.random(len(points)) < chance]
        self.stroke(brush, points, picture, angle, rng)

    def stroke(
        self,
        brush: Brush,
        points: Array,
        picture: Array,
        angle: Array,
        rng: np.random.Generator,
        colours: Array | None = None,
    ) -> None:
        """Paint one stroke through each of ``points`` along the direction field ``angle``.

        ``picture`` gives the colours unless ``colours`` (N, 3) are named.
        """
        count = len(points)
        if not count:
            return
        scale = rng.uniform(0.7, 1.25, count).astype(np.float32)
        path = _trace(points, angle, brush.length * scale)
        heading = np.gradient(path, axis=1)
        heading /= np.linalg.norm(heading, axis=2, keepdims=True) + 1e-6
        normal = np.stack([-heading[..., 1], heading[..., 0]], axis=-1)
        bristles = max(3, round(brush.width / brush.bristle))
        offset = np.linspace(-1, 1, bristles, dtype=np.float32)
        t = np.linspace(-1, 1, _KNOTS, dtype=np.float32)
        swell = (1 - brush.taper * np.abs(t) ** 2.5) * (1 - 0.15 * t)
        half = brush.width / 2 * rng.uniform(0.75, 1.2, (count, 1, 1))
        wobble = 1 + rng.normal(0, 0.10, (count, bristles, 1))
        reach = offset[None, :, None] * half * swell[None, None, :] * wobble
        lines = path[:, None] + normal[:, None] * reach[..., None].astype(np.float32)
        base = resample(picture, points[:, 0], points[:, 1]) if colours is None else colours
        tone = base + rng.normal(0, brush.hue_jitter, (count, 3))
        streak = rng.normal(0, brush.streak, (count, bristles, 1))
        fill = tone[:, None] + streak * (0.45 + tone[:, None])
        ridge = 0.55 * np.exp(-(((np.abs(offset) - 0.85) / 0.16) ** 2)) + 0.5 * (1 - offset**2)
        level = rng.uniform(70, 120, (count, 1)) + brush.body * (
            70 * ridge + rng.normal(0, 22, (count, bristles))
        )
        ink = np.concatenate([np.clip(fill, 0, 1) * 255, level[..., None]], axis=-1)
        self._lay(lines, np.clip(ink, 0, 255).astype(int), brush, rng)

    def _lay(
        self, lines: Array, ink: NDArray[np.int_], brush: Brush, rng: np.random.Generator
    ) -> None:
        count, bristles = lines.shape[:2]
        rim = np.abs(np.linspace(-1, 1, bristles)) ** 3 * 0.14  # a round brush lands middle first
        start = (rng.random((count, bristles)) * brush.ragged * 0.5 + rim) * _KNOTS
        end = _KNOTS - (rng.random((count, bristles)) ** 2 * brush.ragged * 1.6 + rim) * _KNOTS
        start, end = start.astype(int), np.ceil(end).astype(int)
        end = np.maximum(end, start + 2)
        flat = (lines * OVER).reshape(count, bristles, 2 * _KNOTS)
        width = max(1, round(brush.bristle * OVER * 1.35))
        order = rng.permuted(np.tile(np.arange(bristles), (count, 1)), axis=1)
        pen = self._pen.line
        for one, inks, begins, ends, turn in zip(
            flat.tolist(), ink.tolist(), start.tolist(), end.tolist(), order.tolist(), strict=True
        ):
            for b in turn:
                pen(one[b][2 * begins[b] : 2 * ends[b]], fill=tuple(inks[b]), width=width)

    def finish(self, relief: float = 1.0, weave: float = 0.0, seed: int = 0) -> Array:
        """Light the relief from the upper left and return the picture, float32 0-1."""
        paint = np.asarray(self.image, np.float32) / 255
        level = blur(paint[..., 3], 0.9)
        if weave:
            x, y = grid(self.width * OVER, self.height * OVER)
            level = level + weave * (np.sin(x * 0.9) * np.sin(y * 0.9)).astype(np.float32)
        lumps = fbm(
            lattice(np.random.default_rng(seed)),
            *(a / 90 for a in grid(self.width * OVER, self.height * OVER)),
            3,
        )
        level = level + 0.02 * lumps
        dy, dx = np.gradient(level)
        slope = (-(dx * 0.62 + dy * 0.78)) * -1
        shade = 1 - relief * np.clip(slope * 3.2, -0.5, 0.5)
        gloss = relief * np.clip(-slope * 3.2 - 0.22, 0, 0.5) * 0.55
        lit = paint[..., :3] * shade[..., None] + gloss[..., None]
        return np.clip(scaled(np.clip(lit, 0, 1), self.width, self.height), 0, 1)


def _trace(points: Array, angle: Array, length: Array) -> Array:
    """Follow the direction field both ways from each point: (N, knots, 2)."""
    step = (length / (_KNOTS - 1))[:, None]
    vx, vy = np.cos(angle), np.sin(angle)
    flow = np.stack([vx, vy], axis=-1).astype(np.float32)
    path = np.empty((len(points), _KNOTS, 2), np.float32)
    middle = _KNOTS // 2
    first = resample(flow, points[:, 0], points[:, 1])
    for sign in (1, -1):
        here, heading = points.astype(np.float32).copy(), first * sign
        path[:, middle] = here
        for k in range(1, middle + 1):
            turn = resample(flow, here[:, 0], here[:, 1])
            turn *= np.where((turn * heading).sum(1, keepdims=True) < 0, -1, 1)
            heading = turn / (np.linalg.norm(turn, axis=1, keepdims=True) + 1e-6)
            here = here + heading * step
            path[:, middle + sign * k] = here
    return path
