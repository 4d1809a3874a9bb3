"""Fruit and a painted jug for the still life: implicit shapes and their skins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pictures.field import Array, fbm, mix, smoothstep

Shape = Callable[[Array, Array, Array], Array]


@dataclass(frozen=True)
class Body:
    """A fruit or vessel: where it stands, an implicit shape around it, and its skin."""

    place: tuple[float, float, float]
    radius: float  # of a ball around all of it
    shape: Shape  # negative inside, about centimetres
    skin: Shape  # linear RGB
    balls: tuple[tuple[float, float, float, float], ...]  # stand-ins for its shadow
    gloss: float = 0.35
    sharp: float = 60.0


def rgb(*values: float) -> Array:
    """Linear colour."""
    return np.array(values, np.float32)


def _round(radius: float, squash: float, dimple: float, lobes: float = 0.0) -> Shape:
    def shape(x: Array, y: Array, z: Array) -> Array:
        rho = np.hypot(x, z) + 1e-4
        r = np.sqrt(rho * rho + (y / squash) ** 2)
        top = np.exp(-((rho / (0.30 * radius)) ** 2)) * np.sign(y)
        wave = 1 + lobes * np.cos(5 * np.arctan2(z, x)) * np.clip(-y / radius, 0, 1)
        return r - radius * wave * (1 - dimple * np.abs(top))

    return shape


def _pear(x: Array, y: Array, z: Array) -> Array:
    belly = np.sqrt(x * x + z * z + (y + 1.0) ** 2) - 3.7
    neck = np.sqrt((x - 0.4) ** 2 + z * z + (y - 3.6) ** 2) - 1.75
    h = np.clip(0.5 + 0.5 * (neck - belly) / 3.4, 0, 1)
    return neck + (belly - neck) * h - 3.4 * h * (1 - h)


def _jug(x: Array, y: Array, z: Array) -> Array:
    rho = np.hypot(x, z)
    t = np.clip(y / 24, 0, 1)
    profile = 4.3 + 3.6 * np.abs(np.sin(np.pi * np.clip(t * 1.18, 0, 1))) ** 1.2 * (1 - 0.3 * t)
    profile = profile - 1.5 * smoothstep(0.62, 0.84, t) + 1.1 * smoothstep(0.90, 1.0, t)
    body = np.maximum((rho - profile) * 0.8, np.maximum(y - 24, -y))
    mouth = np.maximum(rho - profile + 0.55, 19.0 - y)
    body = np.maximum(body, -mouth)
    reach, lift = (x - 6.6) / 5.0, (y - 14.2) / 5.6
    ring = np.hypot(np.hypot(reach, lift) * 5.2 - 5.0, z * 0.9) - 0.75
    return np.minimum(body, np.where(x > 3.5, ring, 9.0) * 0.9)


def arrange(table: Array) -> list[Body]:
    """The arrangement."""

    def speckle(x: Array, y: Array, z: Array, size: float, octaves: int = 4) -> Array:
        turn = np.arctan2(z, x) * 3.0
        return fbm(table, turn * size, y * size, octaves)

    def apple(red: Array, green: Array, seed: float) -> Shape:
        def skin(x: Array, y: Array, z: Array) -> Array:
            turn = np.arctan2(z, x)
            blush = smoothstep(
                -0.5,
                0.5,
                fbm(table, np.cos(turn) * 1.3 + seed, np.sin(turn) * 1.3 + y * 0.12, 3)
                + 0.45 * np.cos(turn - seed)
                + 0.3,
            )
            stripe = fbm(table, turn * 9 + seed, y * 0.35, 4)
            tone = mix(green, red, np.clip(blush + 0.55 * stripe, 0, 1))
            dots = smoothstep(0.52, 0.66, fbm(table, turn * 13 + seed * 3, y * 4.2, 2, gain=0.9))
            stem = np.exp(-((np.hypot(x, z) / 1.0) ** 2)) * (y > 0)
            return mix(
                mix(tone, rgb(0.72, 0.55, 0.25), 0.55 * dots), rgb(0.16, 0.14, 0.04), 0.8 * stem
            )

        return skin

    def orange(x: Array, y: Array, z: Array) -> Array:
        return rgb(0.83, 0.30, 0.03) * (1 + 0.22 * speckle(x, y, z, 0.9)[..., None])

    def lemon(x: Array, y: Array, z: Array) -> Array:
        tint = mix(rgb(0.84, 0.62, 0.06), rgb(0.55, 0.55, 0.09), smoothstep(2.2, 4.2, np.abs(x)))
        return tint * (1 + 0.16 * fbm(table, x * 1.2, y * 1.2 + z, 4)[..., None])

    def pear(x: Array, y: Array, z: Array) -> Array:
        russet = smoothstep(
            0.05, 0.5, speckle(x, y, z, 0.7) + 0.25 * np.cos(np.arctan2(z, x) + 2.6)
        )
        dots = smoothstep(0.45, 0.6, speckle(x, y, z, 4.5, 2))
        tone = mix(rgb(0.52, 0.50, 0.10), rgb(0.52, 0.22, 0.06), russet * 0.85)
        return mix(tone, rgb(0.22, 0.15, 0.05), 0.6 * dots)

    def glaze(x: Array, y: Array, z: Array) -> Array:
        turn = np.arctan2(z, x)
        cream = rgb(0.74, 0.68, 0.56) * (1 + 0.10 * fbm(table, turn * 4, y * 0.5, 4)[..., None])
        vine = np.abs(y - 11.5 - 1.5 * np.sin(turn * 4)) < 0.28
        petals = np.hypot(((turn * 4 / np.pi * 2) % 2 - 1) * 2.1, y - 11.5)
        bloom = petals < 1.25 + 0.45 * np.cos(
            7 * np.arctan2(y - 11.5, ((turn * 8 / np.pi) % 2 - 1))
        )
        bands = (np.abs(y - 6.4) < 0.30) | (np.abs(y - 17.0) < 0.30) | (np.abs(y - 5.5) < 0.10)
        blue = rgb(0.035, 0.075, 0.30) * (1 + 0.5 * fbm(table, turn * 14, y * 2, 3)[..., None])
        out = np.where((vine | bloom | bands)[..., None], blue, cream)
        return np.where((petals < 0.5)[..., None], rgb(0.66, 0.42, 0.07), out)

    def grape(x: Array, y: Array, z: Array) -> Array:
        haze = smoothstep(
            -0.3, 0.5, fbm(table, x * 1.1 + 0.6 * z, y * 1.1 - 0.5 * z, 4) + 0.3 * y / 1.3
        )
        return mix(rgb(0.085, 0.022, 0.085), rgb(0.20, 0.19, 0.34), 0.75 * haze)

    def lemon_shape(x: Array, y: Array, z: Array) -> Array:
        tip = 1.15 * np.exp(-(((np.abs(x) - 4.1) / 0.8) ** 2))
        rho = np.hypot(y, z)
        return np.sqrt((x / 1.28) ** 2 + rho**2) - 3.1 - tip * np.exp(-((rho / 0.9) ** 2)) * 0.6

    def tilted(shape: Shape, turn: float, roll: float) -> Shape:
        c, s, e, f = np.cos(turn), np.sin(turn), np.cos(roll), np.sin(roll)

        def moved(x: Array, y: Array, z: Array) -> Array:
            a, b = c * x + s * z, c * z - s * x
            return shape(e * a + f * y, e * y - f * a, b)

        return moved

    red, wine = rgb(0.58, 0.030, 0.022), rgb(0.42, 0.018, 0.030)
    straw, lime = rgb(0.66, 0.46, 0.08), rgb(0.38, 0.46, 0.07)
    ball = lambda r: ((0.0, 0.0, 0.0, r),)  # noqa: E731
    bodies = [
        Body(
            (-12.5, 0, 11),
            15.5,
            _jug,
            glaze,
            ((0, 5, 0, 6.0), (0, 11, 0, 7.3), (0, 17, 0, 5.4), (0, 22, 0, 4.4)),
            0.7,
            160,
        ),
        Body(
            (3.2, 4.0, 3.0),
            4.9,
            tilted(_round(4.3, 0.93, 0.22), 0.4, 0.25),
            tilted(apple(red, straw, 1.0), 0.4, 0.25),
            ball(4.1),
        ),
        Body(
            (-4.4, 3.8, -3.4),
            4.7,
            tilted(_round(4.1, 0.92, 0.22), 2.1, -0.35),
            tilted(apple(wine, lime, 4.0), 2.1, -0.35),
            ball(3.9),
        ),
        Body((11.3, 4.1, 6.2), 4.4, _round(4.2, 0.97, 0.06), orange, ball(4.1), 0.26, 26),
        Body((18.4, 3.8, 1.0), 4.2, _round(3.9, 0.97, 0.06), orange, ball(3.8), 0.26, 26),
        Body(
            (8.2, 4.5, -2.6),
            6.9,
            tilted(_pear, 0.3, 0.16),
            tilted(pear, 0.3, 0.16),
            ((0, -1, 0, 3.6), (0.3, 3.4, 0, 1.9)),
            0.3,
            34,
        ),
        Body(
            (-0.6, 3.05, -10.8),
            4.9,
            tilted(lemon_shape, 0.5, 0.0),
            tilted(lemon, 0.5, 0.0),
            ((0.8, 0, 0.4, 2.9), (-0.8, 0, -0.4, 2.9)),
            0.32,
            30,
        ),
        Body((-18.6, 3.6, -1.6), 4.5, _round(3.85, 0.92, 0.22), apple(lime, straw, 2.4), ball(3.7)),
    ]
    rng = np.random.default_rng(4)
    grapes: list[tuple[float, float, float]] = []
    for layer, count in ((0, 15), (1, 9), (2, 4)):
        for _ in range(count * 40):
            t = rng.random()
            gx = 11.5 + 10.0 * t - layer * 0.3
            gz = -9.5 + 1.5 * t + rng.normal(0, 2.0) * (1 - 0.35 * layer)
            gy = 1.3 + 2.0 * layer
            if sum(1 for g in grapes if g[1] == gy) >= count:
                break
            if all((gx - a) ** 2 + (gy - b) ** 2 + (gz - c) ** 2 > 5.2 for a, b, c in grapes):
                grapes.append((gx, gy, gz))
    grapes += [(-11.8, 1.25, -11.6), (6.3, 1.25, -13.6)]
    for gx, gy, gz in grapes:
        size = rng.uniform(1.2, 1.42)
        bodies.append(Body((gx, gy, gz), 1.6, _round(size, 1.06, 0.0), grape, ball(size), 0.5, 90))
    return bodies
