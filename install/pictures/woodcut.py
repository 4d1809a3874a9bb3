"""Woodcut in two inks: sun, mountains, pines and a river, hatched along their forms."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pictures.field import Array, blur, fbm, grid, lattice, mix, scaled, smoothstep, to_image

_PAPER = np.array([0.93, 0.88, 0.76], np.float32)
_INK = np.array([0.085, 0.075, 0.085], np.float32)
_RED = np.array([0.78, 0.24, 0.12], np.float32)
_BLUE = np.array([0.23, 0.40, 0.46], np.float32)


def _hatch(phase: Array, tone: Array) -> Array:
    """Ink (1) or paper (0): lines at whole numbers of ``phase``, wider where ``tone`` is dark."""
    wave = np.abs(phase - np.round(phase)) * 2
    return smoothstep(0.10, -0.10, wave - (1 - np.clip(tone, 0.05, 0.97)))


def _pine(
    x: Array, y: Array, cx: float, foot: float, tall: float, table: Array
) -> tuple[Array, Array]:
    """Inside-mask and hatch phase of one stylised pine."""
    t = (foot - y) / tall
    tier = t * 7 - np.floor(t * 7)
    wide = tall * 0.27 * (1.04 - t) * (0.60 + 0.62 * (1 - tier))
    wide = wide * (1 + 0.25 * fbm(table, x * 40, y * 40 + cx * 9, 2))
    inside = (np.abs(x - cx) < wide) & (t > 0.07) & (t < 1)
    trunk = (np.abs(x - cx) < tall * 0.025) & (t > -0.02) & (t <= 0.1)
    return inside | trunk, (t * 7 + np.abs(x - cx) / tall * 9) * 3.0


def paint(long_side: int) -> Image.Image:
    """Print it, 4:3, ``long_side`` pixels wide."""
    rng = np.random.default_rng(31)
    table = lattice(rng)
    width, height = long_side, round(long_side * 0.75)
    px, py = grid(2 * width, 2 * height)
    x, y = px / (2 * width), py / (2 * width)
    shake = 0.0035 * fbm(table, x * 16, y * 16, 3)
    sx, sy = 0.64, 0.215
    r, turn = np.hypot(x - sx, y - sy) + 1e-4, np.arctan2(y - sy, x - sx)

    # Sky: clouds cut with flowing lines, rays around the sun.
    flow = fbm(table, x * 3.2, y * 7.5, 3)
    ray = turn * 62 / np.pi + 0.6 * fbm(table, r * 9, turn * 2, 2)
    tone = (
        0.60 + 0.4 * np.sin(turn * 15) * smoothstep(0.55, 0.12, r) - 0.30 * smoothstep(0.2, 0.75, r)
    )
    ink = _hatch(ray * (1 + np.floor(r * 3.2)) + 0.5, tone)
    cloud = smoothstep(-0.03, 0.03, flow - 0.13 - 0.1 * smoothstep(0.16, 0.1, r))
    cloud_ink = _hatch(
        (y + 0.035 * flow) * 105 + 2.5 * fbm(table, x * 5, y * 5, 2), 0.92 - 2.3 * (flow - 0.13)
    )
    rim = smoothstep(0.028, 0.0, np.abs(flow - 0.13))
    ink = ink * (1 - cloud) + cloud * cloud_ink * 0.98
    ink = np.maximum(ink, rim * cloud)
    red, blue = smoothstep(0.088, 0.084, r + shake), (1 - cloud) * smoothstep(0.17, 0.36, r) * 0.9
    ink = np.where(r < 0.092, smoothstep(0.0045, 0.0025, np.abs(r - 0.088)), ink)

    # Mountains, far to near; each slope is hatched down its fall line.
    for number, (level, swing, grain, spread) in enumerate(
        (
            (0.330, 0.115, 2.6, 62),
            (0.395, 0.075, 3.4, 74),
            (0.455, 0.05, 4.4, 88),
        )
    ):
        seed = 13.0 * number + 2
        edge = level - swing * fbm(table, x * grain + seed, 0 * x + seed, 5, ridged=number == 0)
        inside = y > edge + shake
        depth = y - edge
        face = fbm(table, x * 7 + seed, y * 3 - depth * 9, 4)
        slope = np.gradient(edge, axis=1) * 2 * width
        lit = 0.52 + 0.30 * np.tanh(2.4 * slope) + 0.55 * face + 0.8 * depth - 0.08 * number
        lines = (x * 0.9 + depth * np.where(face > 0, 0.55, -0.5)) * spread * 1.6
        cut = _hatch(lines + 1.3 * face, lit)
        cut = np.maximum(cut, smoothstep(0.0055, 0.003, depth))
        snow = smoothstep(0.050, 0.046, depth + 0.07 * face) if number == 0 else 0 * x
        cut = cut * (1 - snow * (depth > 0.006) * np.where(face < -0.16, 0.0, 1.0))
        ink = np.where(inside, cut, ink)
        red = np.where(inside, smoothstep(0.0, 0.3, lit - 0.62) * (number == 1) * 0.85, red)
        blue = np.where(inside, (0.85, 0.0, 0.6)[number] * (1 - snow), blue)

    # River winding to the front, banks hatched with grass.
    t = np.clip((y - 0.47) / 0.28, 0, 1)
    middle = 0.52 + 0.10 * np.sin(t * 5.2 + 0.4) * (0.35 + t)
    half = 0.02 + 0.19 * t**1.5
    field = y > 0.475 + 0.012 * fbm(table, x * 5, 0 * x, 3)
    turf = fbm(table, x * 9, y * 26, 4)
    grass = _hatch(
        (x + 0.05 * np.sin(y * 60)) * 70 / (0.35 + t) + 3.5 * turf + y * 60, 0.50 + 0.75 * turf
    )
    ink = np.where(field, grass, ink)
    red = np.where(field, smoothstep(0.05, 0.25, -turf) * 0.75, red)
    blue = np.where(field, 0.0, blue)
    river = field & (np.abs(x - middle) < half + shake)
    ripple = fbm(table, x * 4, y * 30, 3)
    glitter = np.exp(-(((x - middle - 0.03) / (0.35 * half)) ** 2))
    waves = _hatch(
        (y + 0.008 * np.sin(x * 40 + y * 90)) * 130 / (0.5 + t) + ripple,
        0.55 + 0.5 * ripple + 0.35 * glitter,
    )
    ink = np.where(river, waves, ink)
    ink = np.maximum(
        ink, field * smoothstep(0.005, 0.003, np.abs(np.abs(x - middle) - half - shake))
    )
    red, blue = np.where(river, 0, red), np.where(river, 0.9 - 0.7 * glitter, blue)

    # Pines, small ones far, tall ones framing the picture.
    spots = [(rng.uniform(0, 1), rng.uniform(0.475, 0.56), 0.0) for _ in range(60)]
    spots = [(a, b, 0.035 + 0.9 * (b - 0.47)) for a, b, _ in spots]
    spots += [
        (0.05, 0.70, 0.46),
        (0.145, 0.735, 0.34),
        (0.235, 0.70, 0.22),
        (0.955, 0.73, 0.40),
        (0.865, 0.70, 0.25),
        (0.80, 0.665, 0.15),
    ]
    for cx, foot, tall in sorted(spots, key=lambda s: s[1]):
        bend = 0.52 + 0.10 * np.sin(max(foot - 0.47, 0) / 0.28 * 5.2 + 0.4)
        if abs(cx - bend) < 0.09 and tall < 0.14:
            continue
        y0, y1 = (
            int(max(foot - tall * 1.05, 0) * 2 * width),
            int((foot + 0.02 * tall + 0.004) * 2 * width),
        )
        x0 = int(max(cx - tall * 0.45, 0) * 2 * width)
        part = (slice(y0, max(y1, y0 + 1)), slice(x0, int((cx + tall * 0.45) * 2 * width) + 1))
        inside, phase = _pine(x[part], y[part], cx, foot, tall, table)
        lean = np.sign(sx - cx)
        light = 0.34 + 1.1 * lean * (x[part] - cx) / tall
        cut = _hatch(phase * (0.55 if tall < 0.1 else 1.0), light)
        ink[part] = np.where(
            inside, cut, np.where(blur(inside.astype(np.float32), 2.0) > 0.12, 0.0, ink[part])
        )
        red[part], blue[part] = np.where(inside, 0, red[part]), np.where(inside, 0, blue[part])

    # The block: chatter of the gouge, uneven inking, a carved border, misregistered colours.
    chatter = fbm(table, x * 170, y * 170, 2)
    ink = smoothstep(0.30, 0.62, blur(ink, 0.9) + 0.16 * chatter)
    wear = smoothstep(
        0.32, 0.55, fbm(table, x * 210 + 5, y * 210, 3) + 0.25 * fbm(table, x * 9, y * 9, 3)
    )
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, height / width - y)) + 0.6 * shake
    frame = smoothstep(0.012, 0.013, edge)
    ink = np.maximum(ink * frame, smoothstep(0.0035, 0.003, np.abs(edge - 0.0135)))
    shift = max(1, round(long_side / 512))
    red, blue = np.roll(red, shift, 1) * frame, np.roll(blue, -shift, 0) * frame
    fibre = fbm(table, x * 60, y * 240, 3)
    sheet = _PAPER * (1 + 0.045 * fibre + 0.03 * fbm(table, x * 4, y * 4, 3))[..., None]
    roller = 0.84 + 0.16 * fbm(table, x * 120, y * 120 + 9, 3)
    print_ = sheet * (1 - (1 - _BLUE) * (0.78 * np.clip(blue, 0, 1) * roller)[..., None])
    print_ = print_ * (1 - (1 - _RED) * (0.92 * np.clip(red, 0, 1) * roller)[..., None])
    print_ = mix(print_, _INK * np.ones_like(print_), ink * (0.96 - 0.5 * wear))
    return to_image(scaled(print_, width, height))
