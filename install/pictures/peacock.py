"""Art-nouveau ornament: overlapping peacock feathers, inked and gilded."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pictures.field import Array, fbm, grid, lattice, mix, scaled, smoothstep, to_image


def _c(r: int, g: int, b: int) -> Array:
    return np.array([r, g, b], np.float32) / 255


_GOLD, _INK = _c(206, 162, 72), _c(18, 26, 34)


def _feather(u: Array, v: Array, seed: float, table: Array) -> tuple[Array, Array]:
    """Colour and coverage of one feather; the eye is at (0, 0), the tip at v = -1."""
    wide = 0.72 * np.sqrt(np.clip(1 - np.clip(-v, 0, 1) ** 2.2, 0, 1)) * smoothstep(2.3, 0.3, v)
    barb = v * 0.9 - np.abs(u) * 1.15
    strands = np.sin(barb * 46 + 5 * fbm(table, u * 3 + seed, v * 3, 2))
    fringe = wide * (1 + 0.035 * np.sin(barb * 23 + seed) + 0.035 * strands)
    inside = smoothstep(0.012, -0.012, np.abs(u) - fringe)
    tone = mix(_c(20, 84, 74), _c(96, 136, 60), np.clip(0.5 + 0.5 * strands, 0, 1))
    tone = mix(tone, _c(176, 132, 52), smoothstep(0.35, 0.9, np.abs(u) / (wide + 1e-3)) * 0.75)
    tone = mix(tone, _c(24, 60, 92), smoothstep(0.3, 1.7, v) * 0.8)
    r = np.hypot(u * 1.12, (v + 0.06) * (0.92 + 0.12 * np.sign(v)))
    shimmer = 0.5 + 0.5 * np.sin(np.arctan2(u, v) * 34 + r * 9)
    for size, colour in (
        (0.62, _c(132, 150, 52)),
        (0.545, _GOLD),
        (0.50, _c(150, 72, 40)),
        (0.40, _c(214, 146, 56)),
        (0.335, _c(22, 138, 142)),
        (0.265, _c(40, 180, 176)),
    ):
        ring = smoothstep(0.012, -0.012, r - size)
        tone = mix(tone, colour * (0.72 + 0.42 * shimmer)[..., None], ring)
        tone = mix(tone, _INK, 0.75 * smoothstep(0.014, 0.004, np.abs(r - size)))
    heart = (
        np.hypot(u, v + 0.01)
        - 0.165 * (1 + 0.28 * np.clip(v / 0.2, -1, 1))
        + 0.06 * np.exp(-((u / 0.05) ** 2)) * (v > 0)
    )
    tone = mix(
        tone, _c(26, 24, 92) * (0.7 + 0.6 * shimmer)[..., None], smoothstep(0.012, -0.012, heart)
    )
    quill = smoothstep(0.030, 0.014, np.abs(u)) * (v > 0.40)
    tone = mix(tone, _c(238, 220, 170), quill)
    lines = smoothstep(0.72, 0.96, np.sin(barb * 23 + seed)) * (r > 0.62)
    tone = mix(tone, _INK, 0.55 * lines)
    edge = smoothstep(0.035, 0.012, np.abs(np.abs(u) - fringe)) * (v < 1.6)
    return mix(tone, _GOLD * 1.05, edge), inside


def paint(long_side: int) -> Image.Image:
    """Draw it, 3:4 upright, ``long_side`` pixels high."""
    rng = np.random.default_rng(111)
    table = lattice(rng)
    width, height = round(long_side * 0.75), long_side
    big, tall = round(width * 1.5), round(height * 1.5)
    px, py = grid(big, tall)
    x, y = px / big, py / big
    swirl = fbm(table, x * 3, y * 3, 3)
    stripes = np.sin((y + 0.05 * np.sin(x * 9) + 0.06 * swirl) * 120)
    picture = mix(_c(16, 40, 62), _c(30, 84, 96), np.clip(0.5 + 0.6 * stripes, 0, 1))
    shadow = np.zeros_like(x)
    places = []
    row, level = 0, -0.10
    while level < 1.62:
        size = 0.088 + 0.046 * (level / 1.4)
        for cx in np.arange(-0.2, 1.3, size * 1.72) + (row % 2) * size * 0.86:
            away = cx - 0.5
            places.append(
                (
                    cx + rng.normal(0, 0.008),
                    level + 0.20 * away**2 + rng.normal(0, 0.008),
                    size,
                    -0.85 * away + rng.normal(0, 0.06),
                )
            )
        level += size * 1.12
        row += 1
    for number, (cx, cy, size, turn) in enumerate(places):
        rows = slice(max(int((cy - 1.3 * size) * big), 0), max(int((cy + 2.1 * size) * big), 0))
        columns = slice(max(int((cx - 1.7 * size) * big), 0), max(int((cx + 1.7 * size) * big), 0))
        if not x[rows, columns].size:
            continue
        dx, dy = (x[rows, columns] - cx) / size, (y[rows, columns] - cy) / size
        u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        u = u + 0.06 * np.sin(v * 2 + number)
        tone, inside = _feather(u, v, number * 7.3, table)
        wide = np.hypot(u / 1.0, (v - 0.25) / 1.35)
        dark = 0.55 * smoothstep(1.08, 0.55, wide)
        shadow = mix(picture[rows, columns], _INK, dark * 0.6)
        tone = (
            tone
            * (1 + 0.10 * np.sin(number * 2.4) + 0.12 * fbm(table, u * 4 + number, v * 4, 3))[
                ..., None
            ]
        )
        picture[rows, columns] = mix(shadow, tone, inside)
    gilt = np.clip(1 - np.abs(picture - _GOLD).sum(-1) * 2.2, 0, 1)
    glint = fbm(table, x * 160, y * 160, 3)
    picture = (
        picture * (1 + 0.05 * fbm(table, x * 240, y * 240, 2))[..., None]
        + (0.30 * gilt * np.clip(glint, 0, 1))[..., None]
    )
    return to_image(scaled(np.clip(picture, 0, 1), width, height))
