"""Meadow at the photographer's feet: grass blade by blade, reeds and flowers."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from pictures.field import Array, fbm
from pictures.valley import Valley, View

_GRASS = np.array([(54, 66, 22), (78, 86, 28), (112, 104, 38), (150, 122, 52), (92, 70, 30)], float)
_FLOWERS = ((232, 226, 214), (236, 190, 60), (146, 96, 190), (190, 70, 110), (120, 90, 200))


def draw(canvas: Array, world: Valley, view: View, rng: np.random.Generator) -> None:
    """Grow grass and flowers over the near bank of ``canvas`` (linear RGB)."""
    first = int(view.height * 0.58)
    layer = Image.new("RGBA", (view.width, view.height - first), (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    count = max(9_000, 90_000 * min(view.width, 2048) // 2048)
    z = (10 + 26 * rng.random(count) ** 0.8).astype(np.float32)
    x = (rng.uniform(-0.6, 0.6, count) * z).astype(np.float32)
    far = slice(count * 3 // 4, count)  # thinner, out to the meadow round the hut
    z[far] = np.exp(rng.uniform(np.log(34), np.log(125), count - far.start))
    x[far] = rng.uniform(-0.55, 0.55, count - far.start) * z[far]
    y, inland, stone = world.height(x, z)
    patch = fbm(world.table, x / 2.4, z / 2.4, 4)
    house = (x < -22) & (z > 84) | (np.hypot(x + 29.5, z - 90) < 7)
    keep = ~house & (inland > 1.2 + 0.9 * patch) & (stone < 0.3)
    order = np.flatnonzero(keep)[np.argsort(-z[keep])]
    columns, rows, scale = view.project(x, y, z)
    light = 0.80 + 0.55 * fbm(world.table, x / 1.1 + 8, z / 1.1, 3)
    gold = np.clip(0.42 + 0.9 * fbm(world.table, x / 5 + 30, z / 5, 3), 0, 1)
    tall = np.clip(rng.normal(0.42, 0.16, count), 0.12, 1.1) * (0.8 + 0.8 * np.clip(patch, -0.4, 1))
    bend = rng.normal(0.10, 0.20, count)
    hue = rng.random(count)
    flower = rng.random(count) < 0.018 + 0.05 * (patch > 0.2)
    bloom = rng.integers(0, len(_FLOWERS), count)
    behind = view.depth[
        np.clip(rows.astype(int), 0, view.height - 1),
        np.clip(columns.astype(int), 0, view.width - 1),
    ]
    for i in order:
        if z[i] > 34 and not behind[i] > z[i] * 0.93:
            continue
        if z[i] > 34:  # far off, blades melt into turf: a soft short stroke each
            reach = 0.7 * tall[i] * scale[i]
            turf = _GRASS[min(int((0.4 * hue[i] + 0.6 * gold[i]) * 4), 3)] * 0.95 * light[i]
            base = (columns[i], rows[i] - first)
            pen.line(
                [base, (base[0] + bend[i] * reach, base[1] - reach)],
                fill=(*turf.astype(int), 165),
                width=2,
            )
            continue
        length = tall[i] * scale[i]
        cx, cy = columns[i], rows[i] - first + 0.1 * length
        kind = min(int((0.55 * hue[i] + 0.6 * gold[i]) * 4), 4)
        dark, tone = _GRASS[kind] * 0.42 * light[i], _GRASS[kind] * light[i]
        bright = np.minimum(tone * 1.35 + (26, 18, 2), 255)
        sway = bend[i] * length
        mid, high = (cx + 0.25 * sway, cy - 0.5 * length), (cx + 0.62 * sway, cy - 0.8 * length)
        tip = (cx + sway, cy - length)
        width = max(1, int(scale[i] * 0.016 * (2.2 if hue[i] > 0.93 else 1)))
        pen.line([(cx, cy), mid], fill=(*dark.astype(int), 255), width=width + 1)
        pen.line([mid, high], fill=(*tone.astype(int), 255), width=width)
        pen.line([high, tip], fill=(*bright.astype(int), 255), width=max(1, width - 1))
        if flower[i] and z[i] < 36:
            r = max(1.5, scale[i] * 0.022)
            petal = np.array(_FLOWERS[bloom[i]]) * min(1.0, 0.75 + 0.3 * light[i])
            for k in range(5 if bloom[i] < 2 else 8):
                if bloom[i] < 2:
                    dx, dy = r * np.cos(k * 1.26), 0.6 * r * np.sin(k * 1.26)
                else:  # a spike of small bells, like lupins
                    dx, dy = r * 0.5 * np.cos(k * 2.4), (k - 2) * r * 0.75
                spot = (
                    tip[0] + dx - r * 0.6,
                    tip[1] + dy - r * 0.6,
                    tip[0] + dx + r * 0.6,
                    tip[1] + dy + r * 0.6,
                )
                shade = petal * (0.7 + 0.3 * ((k * 7) % 5) / 4)
                pen.ellipse(spot, fill=(*shade.astype(int), 255))
    drawn = np.asarray(layer, np.float32) / 255
    alpha = drawn[..., 3:]
    canvas[first:] = canvas[first:] * (1 - alpha) + drawn[..., :3] ** 2.2 * alpha * 1.15
