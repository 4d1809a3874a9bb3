"""Oil painting: a river village at nightfall under a turning sky, in thick strokes."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pictures.brush import Brush, Canvas
from pictures.field import Array, blur, fbm, grid, lattice, mix, smoothstep, to_image

_DEEP = np.array([0.045, 0.075, 0.27], np.float32)
_ULTRA = np.array([0.10, 0.20, 0.56], np.float32)
_COBALT = np.array([0.20, 0.42, 0.74], np.float32)
_TURQUOISE = np.array([0.36, 0.70, 0.72], np.float32)
_CREAM = np.array([0.97, 0.93, 0.70], np.float32)
_LEMON = np.array([0.98, 0.82, 0.25], np.float32)
_OCHRE = np.array([0.88, 0.58, 0.13], np.float32)
_VERMILION = np.array([0.86, 0.26, 0.11], np.float32)
_EMERALD = np.array([0.08, 0.40, 0.28], np.float32)
_FIR = np.array([0.03, 0.14, 0.13], np.float32)
# x, y, radius, spin, of the sky's whorls, in picture widths (heights share the unit).
_WHORLS = ((0.30, 0.24, 0.150, 1), (0.625, 0.135, 0.105, -1), (0.90, 0.31, 0.085, 1))
# x, y, radius of the lights in the sky; the first is the moon.
_LIGHTS = (
    (0.795, 0.135, 0.066),
    (0.075, 0.085, 0.034),
    (0.475, 0.065, 0.026),
    (0.49, 0.27, 0.034),
    (0.145, 0.345, 0.024),
    (0.955, 0.075, 0.022),
    (0.70, 0.315, 0.022),
    (0.24, 0.045, 0.020),
)
_WATER = 0.545
_SHORE = 0.475
_LAMPS = (0.10, 0.165, 0.225, 0.30, 0.36, 0.43, 0.50, 0.56, 0.62, 0.69)


def _sky(table: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Colours of the sky and the direction of its strokes."""
    vx = 1.0 + 0.2 * fbm(table, x * 3, y * 3, 2)
    vy = 0.55 * fbm(table, x * 2.6 + 7, y * 3.4, 2) - 0.28 * np.sin(x * 7 + 1)
    band = fbm(table, x * 2.2 + 0.4 * vy, y * 11 - 3 * vy * 0.5, 4, gain=0.55)
    tone = 0.44 + 0.50 * band + 0.35 * (y / _SHORE - 0.5)
    for cx, cy, radius, spin in _WHORLS:
        dx, dy = x - cx, (y - cy) * 1.12
        r = np.hypot(dx, dy) + 1e-4
        pull = np.exp(-((r / radius) ** 2) * 0.9)
        weight = np.clip(pull * 7, 0, 6)
        vx, vy = (
            vx * (1 - pull) + weight * (-dy * spin - 0.22 * dx) / r,
            (vy * (1 - pull) + weight * (dx * spin - 0.22 * dy) / r),
        )
        arms = np.sin(2 * np.arctan2(dy, dx) - spin * 15 * np.log(r / radius + 0.22) * 0.75)
        tone = tone * (1 - pull**0.7) + pull**0.7 * (0.55 + 0.42 * arms)
    sky = mix(_DEEP, _ULTRA, np.clip(tone * 2.6, 0, 1))
    sky = mix(sky, _COBALT, np.clip(tone * 2.6 - 1, 0, 1))
    sky = mix(sky, _TURQUOISE, np.clip(tone * 2.4 - 1.45, 0, 1) * 0.85)
    sky = mix(sky, _CREAM, np.clip(tone * 2.2 - 1.95, 0, 1) * 0.6)
    dusk = smoothstep(0.30, _SHORE, y + 0.045 * band)
    glow = mix(_OCHRE, _VERMILION, smoothstep(-0.25, 0.35, fbm(table, x * 5, y * 26 + 3, 3)))
    sky = mix(sky, glow, dusk * np.clip(0.62 + 0.9 * band, 0, 0.9))
    for number, (cx, cy, radius) in enumerate(_LIGHTS):
        dx, dy = x - cx, y - cy
        r = np.hypot(dx, dy) + 1e-4
        pull = np.exp(-((r / (radius * 2.0)) ** 2))
        vx, vy = vx * (1 - pull) - 5 * pull * dy / r, vy * (1 - pull) + 5 * pull * dx / r
        rings = 0.5 + 0.5 * np.cos(r / radius * 7.5)
        sky = mix(sky, mix(_COBALT, _LEMON, rings), 0.92 * smoothstep(2.5, 0.9, r / radius))
        core = _CREAM if number % 3 else _LEMON
        sky = mix(
            sky,
            mix(_OCHRE if number % 2 else _VERMILION, core, smoothstep(0.85, 0.45, r / radius)),
            smoothstep(1.05, 0.8, r / radius),
        )
    return sky, np.arctan2(vy, vx)


def _compose(table: Array, width: int, height: int) -> tuple[Array, Array, Array]:
    """The motif's colours, stroke directions, and where fine strokes are wanted."""
    px, py = grid(width, height)
    x, y = px / width, py / width
    picture, angle = _sky(table, x, y)
    fine = np.full_like(x, 0.25)
    # Far hills, then nearer ones: strokes run along their backs.
    for depth, (level, swing, low, high) in enumerate(
        (
            (0.425, 0.030, _COBALT * 0.75, np.array([0.36, 0.30, 0.55], np.float32)),
            (0.455, 0.026, _ULTRA * 0.8, _EMERALD * 1.2),
        )
    ):
        edge = level + swing * fbm(table, x * (3.5 + 2 * depth) + 20 * depth, 0 * x, 4)
        edge = edge - 0.05 * np.exp(-(((x - 0.12 - 0.8 * depth) / 0.22) ** 2))
        slope = np.gradient(edge, axis=1) * width
        inside = y > edge
        stripes = 0.5 + 0.5 * np.sin((y - edge) * 260 + 5 * fbm(table, x * 9, y * 9, 2))
        picture = np.where(inside[..., None], mix(low, high, stripes), picture)
        angle = np.where(inside, np.arctan(slope), angle)
    # The far bank: a row of houses with lit windows.
    rng = np.random.default_rng(8)
    for _ in range(46):
        cx, wide, tall = (
            rng.uniform(0.02, 0.80),
            rng.uniform(0.010, 0.022),
            rng.uniform(0.016, 0.03),
        )
        foot = _WATER - 0.004
        wall = (np.abs(x - cx) < wide) & (y < foot) & (y > foot - tall)
        roof = (
            (y <= foot - tall)
            & (y > foot - tall - 0.02)
            & (np.abs(x - cx) < wide * 1.15 * (1 - (foot - tall - y) / 0.02))
        )
        tint = mix(_ULTRA * 0.75, np.array([0.45, 0.40, 0.52], np.float32), rng.random())
        picture[wall], angle[wall] = tint, np.pi / 2
        picture[roof] = mix(_VERMILION * 0.75, _OCHRE * 0.8, rng.random())
        window = (
            wall
            & (np.abs(x - cx + wide * 0.3) < wide * 0.28)
            & (np.abs(y - foot + tall * 0.5) < tall * 0.22)
        )
        picture[window] = _LEMON
        fine[wall | roof] = 1
    # The river carries the lamps' light in broken columns.
    water = y > _WATER
    ripple = fbm(table, x * 5, y * 42, 4)
    river = mix(_DEEP * 1.1, _COBALT, np.clip(0.42 + 1.0 * ripple, 0, 1))
    river = mix(river, _TURQUOISE * 0.9, smoothstep(0.25, 0.6, ripple))
    for number, lamp in enumerate(_LAMPS):
        wander = x - lamp - 0.006 * np.sin(y * 130 + number * 2) - 0.012 * ripple
        fade = smoothstep(0.74, _WATER, y)
        column = np.exp(-((wander / (0.006 + 0.04 * (y - _WATER))) ** 2)) * fade
        broken = smoothstep(-0.35, 0.25, np.sin(y * 260 + 9 * ripple + number) + ripple)
        river = mix(river, (_LEMON, _OCHRE, _VERMILION)[number % 3], column * broken)
        spot = np.hypot(x - lamp, y - _WATER + 0.009)
        picture = mix(picture, _LEMON, smoothstep(0.012, 0.005, spot))
        fine = np.maximum(fine, smoothstep(0.03, 0.01, spot) + column)
    picture = np.where(water[..., None], river, picture)
    angle = np.where(water, 0.16 * np.sin(x * 16 + y * 60) + 0.25 * ripple, angle)
    # The near bank: rows of flowers and grass bending away.
    bank = 0.665 - 0.075 * x + 0.02 * fbm(table, x * 6 + 3, 0 * x, 3) - 0.06 * smoothstep(0.6, 1, x)
    near = y > bank
    rows = np.sin((y - bank) * 120 / (0.55 + 2.2 * (y - bank)) + x * 7)
    meadow = mix(_EMERALD * 0.7, np.array([0.42, 0.55, 0.16], np.float32), 0.5 + 0.5 * rows)
    spots = fbm(table, x * 46, y * 60, 2)
    meadow = mix(meadow, _VERMILION, smoothstep(0.22, 0.36, spots) * (rows > 0.1))
    meadow = mix(meadow, _LEMON * 0.95, smoothstep(0.26, 0.4, -spots) * (rows < 0.3))
    meadow = mix(meadow, _DEEP, smoothstep(0.015, 0.0, y - bank) * 0.7)
    picture = np.where(near[..., None], meadow, picture)
    angle = np.where(near, -0.35 + 0.7 * np.sin(x * 9 + rows), angle)
    fine = np.maximum(fine, near * 0.6)
    return _trees(table, x, y, picture, angle, fine)


def _trees(
    table: Array, x: Array, y: Array, picture: Array, angle: Array, fine: Array
) -> tuple[Array, Array, Array]:
    """Poplars like green flames at the right."""
    for cx, foot, top, wide in (
        (0.865, 0.70, 0.20, 0.034),
        (0.93, 0.74, 0.055, 0.046),
        (0.815, 0.66, 0.37, 0.022),
    ):
        t = np.clip((y - top) / (foot - top), 0, 1)
        sway = 0.018 * np.sin(y * 17 + cx * 40) + 0.012 * fbm(table, y * 6, 0 * y + cx * 50, 3)
        body = wide * np.abs(np.sin(np.pi * t**0.62)) ** 0.8
        body = body * (1 + 0.45 * fbm(table, x * 14 + cx * 9, y * 24, 4))
        off = (x - cx - sway) / np.maximum(body, 1e-4)
        inside = (np.abs(off) < 1) & (y > top) & (y < foot)
        flames = 0.5 + 0.5 * np.sin(off * 6.0 + 6 * np.sin(y * 26 + off * 2))
        leaf = mix(_FIR, _EMERALD, flames)
        leaf = mix(leaf, _OCHRE, smoothstep(0.80, 1.0, flames) * smoothstep(0.3, -0.9, off) * 0.9)
        leaf = mix(leaf, _ULTRA, smoothstep(0.2, 0.95, off) * 0.45)
        picture = np.where(inside[..., None], leaf, picture)
        angle = np.where(inside, np.pi / 2 + 0.5 * np.sin(y * 26 + off * 2.4) - 0.35 * off, angle)
        fine = np.where(inside, 0.8, fine)
    return picture, angle, np.clip(fine, 0, 1)


def paint(long_side: int) -> Image.Image:
    """Paint it, 4:3, ``long_side`` pixels wide."""
    rng = np.random.default_rng(12)
    width, height = long_side, round(long_side * 0.75)
    picture, angle, fine = _compose(lattice(rng), width, height)
    unit = long_side / 1024
    canvas = Canvas(width, height, (92, 60, 36))
    soft = blur(picture, 4 * unit)
    canvas.cover(Brush(128 * unit, 32 * unit, 2.2 * unit), soft, angle, rng, 2.4)
    canvas.cover(Brush(88 * unit, 18 * unit, 1.9 * unit), picture, angle, rng, 2.6)
    canvas.cover(
        Brush(58 * unit, 11.5 * unit, 1.6 * unit, body=1.2),
        picture,
        angle,
        rng,
        1.7,
        0.40 + 0.60 * fine,
    )
    canvas.cover(
        Brush(26 * unit, 6 * unit, 1.3 * unit, body=1.3, ragged=0.15),
        picture,
        angle,
        rng,
        2.2,
        smoothstep(0.3, 0.7, fine),
    )
    # Whirling strokes leave the very middle of each light and whorl bare: dab it.
    centres = np.array([c[:2] for c in _LIGHTS + _WHORLS], np.float32)
    dabs = centres.repeat(7, axis=0) * width + rng.normal(0, 3.5 * unit, (77, 2))
    canvas.stroke(
        Brush(17 * unit, 9 * unit, 1.3 * unit, body=1.3),
        dabs.astype(np.float32),
        picture,
        np.full_like(angle, 0.7),
        rng,
    )
    return to_image(canvas.finish(relief=1.2))
