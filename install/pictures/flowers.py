"""Oil painting: a jug of summer flowers laid on with the knife and a loaded brush."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from pictures.brush import Brush, Canvas
from pictures.field import Array, fbm, grid, lattice, mix, smoothstep, to_image

Dab = Callable[[Brush, Array, Array, Array], None]


def _c(r: int, g: int, b: int) -> Array:
    return np.array([r, g, b], np.float32) / 255


_PETALS = (
    (_c(226, 62, 38), _c(250, 132, 62), _c(150, 24, 32)),  # poppy
    (_c(246, 186, 36), _c(254, 226, 110), _c(206, 118, 20)),  # sunflower
    (_c(246, 238, 222), _c(255, 252, 240), _c(188, 196, 216)),  # daisy
    (_c(226, 110, 150), _c(250, 178, 196), _c(156, 48, 104)),  # peony
    (_c(92, 88, 190), _c(150, 150, 226), _c(52, 40, 124)),  # cornflower
)
_HEARTS = (_c(40, 20, 34), _c(96, 52, 20), _c(240, 180, 40), _c(250, 206, 90), _c(40, 28, 80))


def _behind(table: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Wall, table and jug: colours, stroke directions, where the jug is."""
    patch = fbm(table, x * 3.4, y * 3.4, 4)
    wall = mix(_c(60, 116, 128), _c(134, 176, 150), np.clip(0.5 + patch * 1.2, 0, 1))
    wall = mix(
        wall, _c(222, 172, 92), smoothstep(0.10, 0.55, fbm(table, x * 4 + 8, y * 4, 3)) * 0.8
    )
    wall = mix(wall, _c(70, 66, 122), smoothstep(0.55, 1.0, np.hypot(x - 0.1, y - 0.2)) * 0.45)
    angle = 0.7 + 1.5 * fbm(table, x * 2.4, y * 2.4 + 5, 2)
    edge = 1.02 + 0.01 * np.sin(x * 12)
    cloth = mix(
        _c(196, 84, 52), _c(236, 160, 84), np.clip(0.5 + 1.3 * fbm(table, x * 6, y * 18, 3), 0, 1)
    )
    shadow = np.exp(-(((x - 0.66) / 0.22) ** 2) - (((y - 1.19) / 0.045) ** 2))
    cloth = mix(cloth, _c(88, 36, 70), np.clip(shadow * 1.2, 0, 0.9))
    picture = np.where((y > edge)[..., None], cloth, wall)
    angle = np.where(y > edge, 0.12 * np.sin(x * 9 + y * 30), angle)
    t = np.clip((y - 0.80) / 0.40, 0, 1)
    half = (
        0.095
        + 0.09 * np.abs(np.sin(np.pi * np.clip(t * 1.02 + 0.08, 0, 1))) ** 1.3
        + 0.02 * (1 - t) ** 4
    )
    off = (x - 0.5) / half
    jug = (np.abs(off) < 1) & (y > 0.80) & (y < 1.20)
    glaze = mix(_c(38, 70, 140), _c(120, 170, 206), smoothstep(0.5, -0.75, off))
    glaze = mix(glaze, _c(20, 26, 72), smoothstep(0.25, 1.0, off))
    ring = np.abs(np.sin(t * 21 + 1.2 * np.sin(off * 9))) < 0.32
    glaze = np.where(
        (ring & (t > 0.25) & (t < 0.75))[..., None], mix(glaze, _c(244, 226, 180), 0.75), glaze
    )
    glaze = mix(
        glaze, _c(255, 252, 240), np.exp(-(((off + 0.5) / 0.13) ** 2) - (((t - 0.38) / 0.16) ** 2))
    )
    picture = np.where(jug[..., None], glaze, picture)
    angle = np.where(jug, np.pi / 2 + 0.5 * off * np.cos(np.pi * t), angle)
    return picture, angle, jug.astype(np.float32)


def paint(long_side: int) -> Image.Image:
    """Paint it, 4:5 upright, ``long_side`` pixels high."""
    rng = np.random.default_rng(61)
    table = lattice(rng)
    width, height = round(long_side * 0.8), long_side
    px, py = grid(width, height)
    x, y = px / width, py / width
    unit = long_side / 1024
    picture, angle, jug = _behind(table, x, y)
    canvas = Canvas(width, height, (118, 84, 58))
    canvas.cover(
        Brush(80 * unit, 26 * unit, 1.9 * unit, streak=0.07, hue_jitter=0.05),
        picture,
        angle,
        rng,
        3.0,
    )
    canvas.cover(
        Brush(44 * unit, 14 * unit, 1.5 * unit, hue_jitter=0.045), picture, angle, rng, 1.3
    )
    canvas.cover(Brush(30 * unit, 8 * unit, 1.3 * unit), picture, angle, rng, 3.0, jug)

    def dab(brush: Brush, points: Array, tone: Array, turn: Array) -> None:
        """One stroke of its own colour and direction at each point."""
        for low in range(0, len(points), 64):
            part = slice(low, low + 64)
            for p, c, a in zip(points[part], tone[part], turn[part], strict=True):
                canvas.stroke(brush, p[None], picture, np.full((2, 2), a, np.float32), rng, c[None])

    # Leaves and stems round the bouquet.
    count = 330
    turn = rng.uniform(0, 2 * np.pi, count)
    reach = np.sqrt(rng.random(count)) * (0.40 + 0.05 * np.sin(3 * turn))
    spots = np.stack([0.5 + reach * np.cos(turn), 0.50 + 0.95 * reach * np.sin(turn)], 1) * width
    greens = np.array(
        [_c(28, 70, 48), _c(62, 112, 52), _c(120, 150, 66), _c(22, 50, 62), _c(168, 178, 92)]
    )
    lean = np.arctan2(spots[:, 1] - 0.78 * width, spots[:, 0] - 0.5 * width) + rng.normal(
        0, 0.35, count
    )
    dab(
        Brush(74 * unit, 19 * unit, 1.6 * unit, taper=0.95, body=1.2),
        spots.astype(np.float32),
        greens[rng.integers(0, 5, count)],
        lean,
    )

    heads = _arrange(rng)
    for hx, hy, size, kind in heads:
        _bloom(dab, rng, np.array([hx, hy]) * width, size * width, kind, unit)
    return to_image(canvas.finish(relief=1.35, weave=0.015))


def _arrange(rng: np.random.Generator) -> list[tuple[float, float, float, int]]:
    """Flower heads, the outer ones first, none hiding another."""
    heads: list[tuple[float, float, float, int]] = []
    for _ in range(4000):
        turn, far = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random()) * 0.37
        size = rng.uniform(0.055, 0.115) * (1.15 - 0.5 * far)
        hx, hy = 0.5 + far * np.cos(turn), 0.49 + 0.95 * far * np.sin(turn)
        if all(np.hypot(hx - a, hy - b) > 0.80 * (size + s) for a, b, s, _ in heads):
            taken = [k for a, b, s, k in heads if np.hypot(hx - a, hy - b) < 0.27]
            kind = min(range(5), key=lambda k: (taken.count(k), rng.random()))
            heads.append((hx, hy, size, kind))
    return sorted(heads, key=lambda h: -np.hypot(h[0] - 0.5, h[1] - 0.45))


def _bloom(
    dab: Dab, rng: np.random.Generator, centre: Array, size: float, kind: int, unit: float
) -> None:
    main, light, dark = _PETALS[kind]
    rings = (
        (0.95, 13, 0.62, dark),
        (0.74, 13, 0.58, main),
        (0.52, 11, 0.5, main),
        (0.34, 8, 0.4, light),
    )
    spin = rng.uniform(0, 6)
    for reach, count, long, tone in rings:
        turn = spin + np.arange(count) / count * 2 * np.pi + rng.normal(0, 0.10, count)
        places = centre + size * reach * 0.80 * np.stack([np.cos(turn), 0.92 * np.sin(turn)], 1)
        # Light falls from the upper left: petals there take the lighter paint.
        lit = np.clip(0.5 - 0.6 * np.cos(turn - np.pi / 4), 0, 1)[:, None]
        tones = tone + (light - tone) * lit * rng.uniform(0.3, 1.0, (count, 1))
        tones = tones + (dark - tones) * (1 - lit) * 0.45
        wide = size * reach * (0.62 if kind in (0, 3) else 0.38)
        swirl = 0.9 if kind == 3 else 0.25
        dab(
            Brush(size * long, max(wide, 3 * unit), 1.4 * unit, taper=0.6, body=1.5, streak=0.08),
            places.astype(np.float32),
            tones,
            turn + rng.normal(swirl, 0.2, count),
        )
        spin += 0.25
    grains = 9 + int(size / unit / 9)
    heart = centre + rng.normal(0, size * (0.16 if kind != 1 else 0.21), (grains * 2, 2))
    tone = (
        _HEARTS[kind]
        + rng.normal(0, 0.07, (grains * 2, 1))
        + (light - _HEARTS[kind]) * (rng.random((grains * 2, 1)) < 0.2) * 0.6
    )
    dab(
        Brush(9 * unit, 6 * unit, 1.3 * unit, body=1.6),
        heart.astype(np.float32),
        tone,
        rng.uniform(0, 3, grains * 2),
    )
