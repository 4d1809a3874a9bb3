"""Cut paper: leaves, birds and suns scissored from painted sheets and pasted in a grid."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from pictures.field import Array, blur, fbm, grid, lattice, mix, scaled, to_image

_SHEETS = (
    (226, 72, 44),
    (246, 178, 42),
    (20, 92, 166),
    (16, 132, 108),
    (242, 232, 208),
    (34, 36, 64),
    (232, 126, 148),
    (120, 178, 74),
    (104, 66, 142),
    (64, 164, 196),
    (196, 40, 76),
    (240, 146, 60),
)


class _Table:
    """Papers pasted one over another, each with its own gouache streaks and a soft shadow."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self.width, self.height, self.rng = width, height, rng
        self.table = lattice(rng)
        px, py = grid(width, height)
        self.x, self.y = px / width, py / width
        self.art = np.ones((height, width, 3), np.float32) * 0.9

    def paste(self, shape: Array, ink: tuple[int, int, int]) -> None:
        """Paste a polygon (N, 2) given in picture widths."""
        shape = shape + self.rng.normal(0, 0.0006, shape.shape)
        points = shape * self.width
        pad = max(4, self.width // 80)
        x0, y0 = np.maximum(np.floor(points.min(0)).astype(int) - pad, 0)
        x1, y1 = np.ceil(points.max(0)).astype(int) + pad
        x1, y1 = min(x1, self.width), min(y1, self.height)
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        mask = Image.new("L", (x1 - x0, y1 - y0), 0)
        ImageDraw.Draw(mask).polygon([(a - x0, b - y0) for a, b in points], fill=255)
        inside = blur(np.asarray(mask, np.float32) / 255, 0.6)
        part = (slice(y0, y1), slice(x0, x1))
        lift = self.width / 320
        shift = max(1, round(lift))
        fall = np.pad(inside, ((shift, 0), (shift, 0)))[: inside.shape[0], : inside.shape[1]]
        shadow = blur(fall, lift)
        under = self.art[part] * (1 - 0.45 * shadow * (1 - inside))[..., None]
        turn, seed = self.rng.uniform(0, np.pi), self.rng.uniform(0, 90)
        x, y = self.x[part], self.y[part]
        u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        streaks = fbm(self.table, u * 9 + seed, v * 120, 4) * 0.17
        wash = fbm(self.table, u * 7 + seed, v * 14, 3) * 0.15
        fibre = fbm(self.table, x * 260, y * 260, 2) * 0.05
        tone = np.array(ink, np.float32) / 255
        paper = (
            tone * (1 + streaks + wash + fibre)[..., None]
            + (0.09 * np.clip(streaks + wash, 0, 1))[..., None]
        )
        dy, dx = np.gradient(inside)
        rim = 0.5 * np.clip(dx + dy, -0.3, 0.4)
        self.art[part] = mix(under, np.clip(paper + rim[..., None], 0, 1), inside)


def _frond(rng: np.random.Generator, lobes: int) -> Array:
    """A seaweed-like leaf in a unit box: rounded fingers on both sides of a stem."""
    right = []
    for k in range(lobes):
        base = 0.92 - 1.75 * k / lobes
        reach = (0.35 + 0.5 * np.sin(np.pi * (k + 0.8) / (lobes + 0.6))) * rng.uniform(0.8, 1.15)
        t = np.linspace(0, np.pi, 12)
        rise = 0.42 * reach
        wide = 0.72 / lobes
        fx = 0.07 + (reach - 0.07) * np.sin(t) ** 0.75
        fy = base - wide * (1 - np.cos(t)) * 0.78 - rise * np.sin(t) * 0.8
        right.append(np.stack([fx, fy], 1))
    side = np.concatenate([[(0.05, 1.0)], *right, [(0.0, right[-1][-1, 1] - 0.16)]])
    left = side[::-1] * (-rng.uniform(0.85, 1.1), 1) + (0, rng.normal(0, 0.015))
    return np.concatenate([side, left])


def _bird(rng: np.random.Generator) -> Array:
    """A gliding bird in a unit box."""
    t = np.linspace(0, 1, 20)
    wing = np.stack([t, -0.42 * np.sin(np.pi * t**0.8) + 0.25 * t], 1)
    back = np.stack([1 - t, 0.25 * (1 - t) + 0.16 * np.sin(np.pi * t) * (1 - t) - 0.02], 1)[1:]
    fork = np.array([(0.10, 0.18), (0.22, 0.62), (0.0, 0.48), (-0.20, 0.62), (-0.10, 0.18)])
    left = np.stack([-t, 0.25 * t + 0.16 * np.sin(np.pi * (1 - t)) * t - 0.02], 1)[1:]
    top = np.stack([-(1 - t), -0.42 * np.sin(np.pi * (1 - t) ** 0.8) + 0.25 * (1 - t)], 1)
    head = np.array([(-0.09, -0.16), (0.0, -0.34), (0.09, -0.16)])
    return np.concatenate([wing, back, fork, left, top, head])


def _blob(rng: np.random.Generator, spikes: int, depth: float) -> Array:
    """A sun, star or pebble in a unit box."""
    t = np.linspace(0, 2 * np.pi, 16 * max(spikes, 5), endpoint=False)
    r = 1 - depth * (0.5 + 0.5 * np.cos(spikes * t + rng.normal(0, 0.12, 1))) ** 0.8
    r = r * (1 + 0.05 * np.sin(2 * t + rng.uniform(0, 6)) + 0.03 * np.sin(3 * t + 1))
    return np.stack([r * np.cos(t), r * np.sin(t)], 1) * 0.95


def paint(long_side: int) -> Image.Image:
    """Paste it up, 4:3, ``long_side`` pixels wide."""
    rng = np.random.default_rng(151)
    width, height = long_side, round(long_side * 0.75)
    table = _Table(2 * width, 2 * height, rng)
    columns, rows = 6, 5
    tall = 0.75 / rows
    edges = np.cumsum(np.concatenate([[0], rng.uniform(0.8, 1.25, columns)]))
    edges = edges / edges[-1]
    last: list[int] = [-1] * columns
    for row in range(rows):
        for column in range(columns):
            banned = {last[column], last[column - 1] if column else -1}
            ground = int(rng.choice([k for k in range(len(_SHEETS)) if k not in banned]))
            last[column] = ground
            x0, x1 = edges[column] - 0.006, edges[column + 1] + 0.006
            y0, y1 = row * tall - 0.006, (row + 1) * tall + 0.006
            table.paste(
                np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) + rng.normal(0, 0.004, (4, 2)),
                _SHEETS[ground],
            )
            dark = sum(_SHEETS[ground]) < 360
            others = [
                k for k in range(len(_SHEETS)) if k != ground and (sum(_SHEETS[k]) > 330) == dark
            ]
            first, second = rng.choice(others, 2, replace=False)
            middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
            size = np.array([(x1 - x0) * 0.44, tall * 0.46])
            kind = (row * 2 + column * 3 + int(rng.integers(2))) % 5
            turn = rng.normal(0, 0.35) + (np.pi / 2 if kind == 1 and rng.random() < 0.3 else 0)
            c, s = np.cos(turn), np.sin(turn)
            spin = np.array([[c, s], [-s, c]])
            if kind in (0, 3):
                table.paste(
                    _frond(rng, int(rng.integers(4, 7))) @ spin * size + middle, _SHEETS[first]
                )
                for _ in range(5):
                    spot = middle + rng.uniform(-1, 1, 2) * size * 0.9
                    table.paste(_blob(rng, 3, 0.1) * 0.010 + spot, _SHEETS[second])
            elif kind == 1:
                spots = [middle + size * (-0.35, -0.35), middle + size * (0.4, 0.4)]
                for k, spot in enumerate(spots):
                    table.paste(
                        _bird(rng) @ spin * size.min() * 0.85 + spot, _SHEETS[(first, second)[k]]
                    )
            elif kind == 2:
                spikes = int(rng.integers(8, 15))
                table.paste(_blob(rng, spikes, 0.42) * size.min() * 1.02 + middle, _SHEETS[first])
                table.paste(_blob(rng, 3, 0.06) * size.min() * 0.46 + middle, _SHEETS[second])
                table.paste(_blob(rng, 7, 0.35) * size.min() * 0.26 + middle, _SHEETS[ground])
            else:
                for k in range(4):
                    t = np.linspace(-1, 1, 40)
                    y = 0.20 * np.sin(t * 5 + row) - 0.75 + 0.5 * k
                    band = np.concatenate([np.stack([t, y], 1), np.stack([t, y + 0.24], 1)[::-1]])
                    table.paste(band * size * 0.95 + middle, _SHEETS[(first, second)[k % 2]])
    for _ in range(5):  # a few large leaves tie the sheets together
        middle = rng.uniform((0.1, 0.1), (0.9, 0.65))
        turn = rng.uniform(0, 2 * np.pi)
        spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        table.paste(
            _frond(rng, 6) @ spin * rng.uniform(0.10, 0.15) + middle,
            _SHEETS[int(rng.choice([4, 5, 2, 0, 1]))],
        )
    return to_image(scaled(np.clip(table.art, 0, 1), width, height))
