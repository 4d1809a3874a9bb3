"""Soft pastel on dark paper: birches and a path in autumn, chalk catching the paper's tooth."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pictures.brush import Brush, Canvas
from pictures.field import Array, blur, fbm, grid, lattice, mix, scaled, smoothstep, to_image


def _c(r: int, g: int, b: int) -> Array:
    return np.array([r, g, b], np.float32) / 255


_SHEET = _c(44, 38, 52)


def _compose(table: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Colours and stroke directions of the wood."""
    glow = np.exp(-(((x - 0.57) / 0.30) ** 2) - (((y - 0.36) / 0.26) ** 2))
    leaves = fbm(table, x * 9, y * 9, 5, gain=0.6)
    deep = mix(_c(58, 62, 104), _c(112, 88, 140), np.clip(0.5 + leaves, 0, 1))
    crown = mix(
        _c(196, 84, 44),
        _c(246, 176, 62),
        np.clip(0.5 + 1.3 * fbm(table, x * 14 + 5, y * 14, 4), 0, 1),
    )
    picture = mix(deep, crown, smoothstep(-0.25, 0.22, leaves + 0.35 * glow))
    picture = mix(
        picture, _c(86, 128, 104), smoothstep(0.1, 0.4, fbm(table, x * 6 + 20, y * 7, 4)) * 0.8
    )
    picture = mix(
        picture, _c(254, 232, 176), np.clip(glow * 1.1 - 0.25 + 0.5 * leaves * glow, 0, 1)
    )
    angle = 0.9 + 1.1 * fbm(table, x * 4, y * 4, 3)
    floor_at = 0.52 + 0.02 * fbm(table, x * 5, 0 * x, 3)
    floor = y > floor_at
    depth = np.clip((y - floor_at) / 0.25, 0, 1)
    litter = fbm(table, x * 12 / (0.4 + depth), y * 40, 4)
    ground = mix(_c(124, 52, 54), _c(232, 140, 64), np.clip(0.5 + 1.2 * litter, 0, 1))
    ground = mix(
        ground, _c(70, 72, 126), smoothstep(0.0, 0.5, fbm(table, x * 4 + 9, y * 16, 3)) * 0.75
    )
    middle = 0.56 - 0.10 * np.sin(depth * 2.4) + 0.06 * depth
    path = np.abs(x - middle) < 0.02 + 0.17 * depth
    way = mix(_c(214, 160, 150), _c(250, 224, 188), np.clip(0.5 + litter, 0, 1))
    way = mix(way, _c(140, 118, 176), smoothstep(0.0, 0.3, fbm(table, x * 3, y * 34 + 4, 3)))
    ground = np.where(path[..., None], way, ground)
    picture = np.where(floor[..., None], ground, picture)
    angle = np.where(floor, 0.10 * np.sin(x * 20) + 0.25 * (x - 0.56), angle)
    rng = np.random.default_rng(6)
    trunks = [
        (rng.uniform(0, 1), rng.uniform(0.535, 0.56), rng.uniform(0.005, 0.009)) for _ in range(26)
    ]
    trunks += [
        (0.07, 0.70, 0.030),
        (0.20, 0.62, 0.019),
        (0.315, 0.585, 0.012),
        (0.83, 0.66, 0.026),
        (0.945, 0.72, 0.034),
        (0.735, 0.595, 0.013),
        (0.14, 0.585, 0.012),
    ]
    for cx, foot, half in sorted(trunks, key=lambda t: t[1]):
        lean = cx + 0.012 * np.sin(y * 5 + cx * 30) + 0.03 * (foot - y) * np.sin(cx * 50)
        wide = half * (0.8 + 0.5 * np.clip(y / foot, 0, 1) ** 4)
        off = (x - lean) / wide
        inside = (np.abs(off) < 1) & (y < foot)
        bark = mix(
            _c(250, 240, 220), _c(128, 116, 168), smoothstep(-0.7, 0.8, off * np.sign(cx - 0.57))
        )
        marks = fbm(table, x * 30 + cx * 90, y * 95, 3) + 0.25 * np.abs(off)
        bark = mix(bark, _c(40, 34, 48), smoothstep(0.24, 0.40, marks))
        if half < 0.010:
            bark = mix(bark, picture, 0.35 * np.ones_like(x))
        picture = np.where(inside[..., None], bark, picture)
        angle = np.where(inside, np.pi / 2, angle)
    return picture, angle


def paint(long_side: int) -> Image.Image:
    """Draw it, 4:3, ``long_side`` pixels wide."""
    rng = np.random.default_rng(131)
    table = lattice(rng)
    width, height = long_side, round(long_side * 0.75)
    px, py = grid(width, height)
    picture, angle = _compose(table, px / width, py / width)
    unit = long_side / 1024
    x, y = grid(2 * width, 2 * height)
    tooth = fbm(table, x / (5.2 * unit), y / (5.2 * unit), 3, gain=0.7)
    laid = 0.10 * np.sin(y * 1.05 / unit) + 0.06 * np.sin(x * 0.21 / unit)
    sheet = _SHEET * (1 + 0.22 * tooth + 0.4 * laid)[..., None]
    for brush, density, press, soft in (
        (Brush(90 * unit, 24 * unit, 1.6 * unit, streak=0.04, hue_jitter=0.05), 2.0, 0.22, 5.0),
        (Brush(52 * unit, 13 * unit, 1.4 * unit, streak=0.05, hue_jitter=0.055), 1.4, 0.14, 1.5),
        (Brush(34 * unit, 7 * unit, 1.2 * unit, streak=0.05, hue_jitter=0.06), 1.2, 0.12, 0.0),
        (Brush(20 * unit, 4 * unit, 1.1 * unit, streak=0.04, hue_jitter=0.07), 0.5, 0.20, 0.0),
    ):
        # A key colour that no chalk has marks where this layer left the sheet bare.
        canvas = Canvas(width, height, (0, 0, 0))
        canvas.image.putalpha(0)
        tint = np.clip(picture * 1.05 + 0.03, 0.02, 1)
        canvas.cover(
            brush,
            blur(tint, soft * unit) if soft else tint,
            angle + rng.normal(0, 0.2),
            rng,
            density,
        )
        chalk = np.asarray(canvas.image, np.float32) / 255
        worn = 0.55 * (chalk[..., 3] - 0.45) + 0.5 * tooth + 0.7 * laid + press
        grip = smoothstep(-0.16, 0.24, worn) * (chalk[..., 3] > 0)
        sheet = mix(sheet, chalk[..., :3], 0.90 * grip)
    dust = 1 + 0.05 * fbm(table, x / (2.1 * unit), y / (2.1 * unit), 2)
    return to_image(scaled(np.clip(sheet * dust[..., None], 0, 1), width, height))
