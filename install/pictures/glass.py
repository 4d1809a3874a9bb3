"""Stained glass: a sunrise over hills and water in leaded panes, lit from behind."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pictures.field import (
    Array,
    blur,
    fbm,
    grid,
    lattice,
    mix,
    nearest,
    scaled,
    smoothstep,
    to_image,
)

_GLASS = {
    "sun": ((1.0, 0.80, 0.18), (1.0, 0.66, 0.10), (1.0, 0.90, 0.42)),
    "ray": ((0.98, 0.55, 0.10), (0.93, 0.35, 0.08), (0.99, 0.72, 0.26), (0.84, 0.18, 0.10)),
    "sky": (
        (0.07, 0.20, 0.62),
        (0.12, 0.36, 0.78),
        (0.30, 0.56, 0.86),
        (0.36, 0.16, 0.55),
        (0.05, 0.12, 0.42),
    ),
    "hill": ((0.04, 0.38, 0.20), (0.20, 0.54, 0.16), (0.02, 0.27, 0.24), (0.46, 0.60, 0.14)),
    "water": ((0.03, 0.32, 0.50), (0.06, 0.50, 0.58), (0.40, 0.74, 0.74), (0.02, 0.18, 0.38)),
    "flower": ((0.80, 0.05, 0.13), (0.90, 0.30, 0.45), (0.95, 0.75, 0.20), (0.55, 0.08, 0.42)),
}


def _region(x: Array, y: Array) -> tuple[Array, list[str]]:
    """Number of the motif's part at positions in picture widths."""
    names = list(_GLASS)
    r, turn = np.hypot(x - 0.38, y - 0.66), np.arctan2(y - 0.66, x - 0.38)
    part = np.full(x.shape, names.index("sky"))
    part[(np.sin(turn * 14) > 0.05) & (r < 0.62 + 0.06 * np.sin(turn * 28))] = names.index("ray")
    part[r < 0.20] = names.index("sun")
    part[y > 0.70 + 0.07 * np.sin(x * 5.2 + 2.4)] = names.index("hill")
    part[y > 0.83 + 0.035 * np.sin(x * 7 + 0.6) + 0.10 * (x - 0.5)] = names.index("water")
    for cx, cy, size in (
        (0.16, 1.10, 0.115),
        (0.80, 1.14, 0.125),
        (0.47, 1.19, 0.10),
        (0.90, 0.90, 0.07),
    ):
        a = np.arctan2(y - cy, x - cx)
        bloom = np.hypot(x - cx, y - cy) < size * (0.75 + 0.25 * np.cos(a * 5 + cx * 9))
        part[bloom] = names.index("flower")
    return part, names


def paint(long_side: int) -> Image.Image:
    """Lead it, 3:4 upright, ``long_side`` pixels high."""
    rng = np.random.default_rng(41)
    table = lattice(rng)
    width, height = round(long_side * 0.75), long_side
    big, tall = 2 * width, 2 * height
    px, py = grid(big, tall)
    x, y = px / big, py / big
    seeds = _seeds(rng)
    bend = 0.012
    wx = px + bend * big * fbm(table, x * 3, y * 3, 2)
    wy = py + bend * big * fbm(table, x * 3 + 9, y * 3, 2)
    owner = nearest((seeds * big).astype(np.float32), big, tall)
    owner = owner[np.clip(wy.astype(int), 0, tall - 1), np.clip(wx.astype(int), 0, big - 1)]
    part, names = _region(x, y)
    # A pane is one cell's share of one part of the motif, so that leads follow the drawing.
    pane = owner.astype(np.int64) * 8 + part
    code = (pane * 2654435761 % 4294967296 / 4294967296).astype(np.float32)
    colour = np.zeros((tall, big, 3), np.float32)
    for index, name in enumerate(names):
        tones = np.array(_GLASS[name], np.float32)
        pick = (code * 7919 % 1 * len(tones)).astype(int).clip(0, len(tones) - 1)
        here = part == index
        colour[here] = tones[pick[here]]
    # Hand-made glass: streaks turned differently in each pane, seeds (bubbles), thickness.
    turn = code * 2 * np.pi
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    streak = fbm(table, u * 7 + code * 90, v * 46, 4)
    cloud = fbm(table, x * 12 + code * 50, y * 12, 4)
    specks = fbm(table, x * 95 + y * 40, y * 95 - x * 40, 2, gain=0.8)
    bubble = smoothstep(0.50, 0.62, specks) * (code > 0.4)
    glow = 1.0 + 0.42 * streak + 0.40 * cloud + 0.5 * bubble
    sun = np.exp(-(((x - 0.38) / 0.55) ** 2) - (((y - 0.62) / 0.6) ** 2))
    glass = colour * (glow * (0.72 + 0.5 * sun) * (0.78 + 0.44 * (code * 331 % 1)))[..., None]
    glass = mix(glass, np.ones(3, np.float32), 0.16 * np.clip(glow - 1.0, 0, 1) + 0.08 * sun)
    lead = np.zeros((tall, big), bool)
    lead[:, 1:] |= pane[:, 1:] != pane[:, :-1]
    lead[1:] |= pane[1:] != pane[:-1]
    half = 5.2 * long_side / 1024
    soft = blur(lead.astype(np.float32), half) * half * 2.5
    came = smoothstep(0.55, 0.72, soft)
    border = np.minimum(np.minimum(x, 1 - x), np.minimum(y, tall / big - y))
    came = np.maximum(came, smoothstep(0.014, 0.011, border))
    shade = blur(came, half * 2.2)
    glass = glass * (1 - 0.45 * np.clip(shade, 0, 1))[..., None]
    dy, dx = np.gradient(blur(np.maximum(came, 0), 2.2))
    metal = 0.15 + 0.06 * fbm(table, x * 90, y * 90, 3) - 1.9 * (dx + dy) * 512 / long_side * 2
    lead_rgb = np.clip(metal, 0.02, 0.62)[..., None] * np.array([0.92, 0.96, 1.06], np.float32)
    picture = mix(glass, lead_rgb, came)
    picture = picture + blur(np.clip(picture - 0.55, 0, 1), 9 * long_side / 1024) * 0.45
    return to_image(scaled(np.clip(picture, 0, 1), width, height))


def _seeds(rng: np.random.Generator) -> Array:
    """Cell centres: rings round the sun, wide cells in the sky, small ones in flowers."""
    seeds = []
    for ring, count in (
        (0.0, 1),
        (0.075, 6),
        (0.16, 11),
        (0.27, 18),
        (0.40, 20),
        (0.54, 22),
        (0.70, 26),
        (0.88, 28),
    ):
        turn = np.arange(count) / count * 2 * np.pi + ring * 9 + rng.normal(0, 0.05, count)
        reach = ring * (1 + rng.normal(0, 0.03, count))
        seeds.append(np.stack([0.38 + reach * np.cos(turn), 0.66 + reach * np.sin(turn)], 1))
    for cx, cy, size in (
        (0.16, 1.10, 0.115),
        (0.80, 1.14, 0.125),
        (0.47, 1.19, 0.10),
        (0.90, 0.90, 0.07),
    ):
        turn = np.arange(5) / 5 * 2 * np.pi - cx * 9 / 5
        seeds.append(np.stack([cx + 0.6 * size * np.cos(turn), cy + 0.6 * size * np.sin(turn)], 1))
        seeds.append(np.array([[cx, cy]]))
    rows = rng.uniform((0, 0.86), (1, 1.33), (34, 2))
    seeds.append(rows)
    return np.concatenate(seeds)
