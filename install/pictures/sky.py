"""Evening sky over the lake: clear-air gradient, cirrus and lit clouds."""

from __future__ import annotations

import numpy as np

from pictures.field import Array, fbm, mix, smoothstep
from pictures.valley import FOCAL, HORIZON


def clear_sky(right: Array, up: Array) -> Array:
    """Radiance (linear RGB) of the clear sky for directions given as slopes."""
    t = np.clip(up / 0.47, 0, 1)
    low = np.array([1.05, 0.70, 0.50], np.float32)
    mid = np.array([0.60, 0.62, 0.74], np.float32)
    high = np.array([0.07, 0.19, 0.50], np.float32)
    sky = mix(mix(low, mid, np.clip(t / 0.28, 0, 1) ** 0.8), high, np.clip((t - 0.1) / 0.9, 0, 1))
    glow = np.exp(-(((right + 0.75) / 0.55) ** 2) - (np.maximum(up, 0) / 0.33) ** 2)[..., None]
    return (sky + glow * np.array([0.95, 0.52, 0.20], np.float32)).astype(np.float32)


def paint_sky(table: Array, width: int, height: int) -> Array:
    """Linear RGB of the sky for the rows above the horizon and a margin below."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    right = (x + 0.5 - width / 2) / (FOCAL * width)
    up = (HORIZON * height - y - 0.5) / (FOCAL * width)
    sky = clear_sky(right, up)
    lift = np.maximum(up, 0) + 0.085
    u, v = right / lift, 1 / lift
    wisps = fbm(table, u * 0.55 + 0.16 * v + 11, v * 1.5 + 5, 6, gain=0.56)
    wisps = smoothstep(0.02, 0.62, wisps) * smoothstep(0.05, 0.2, up)
    sky = mix(sky, np.array([0.98, 0.72, 0.62], np.float32), wisps * 0.55)
    for seed, scale, cover, strength in ((3.3, 0.62, 0.10, 0.85), (27.1, 1.05, -0.02, 0.95)):

        def density(du: float, dv: float, s: float = seed, k: float = scale) -> Array:
            bend = 0.35 * fbm(table, (u + du) * k * 0.7 + s, (v + dv) * k + 2 * s, 3)
            return fbm(table, (u + du) * k + s + bend, (v + dv) * k * 1.5 + s, 8, gain=0.53)

        thick = density(0, 0)
        toward = density(-0.22, 0.0)
        body = smoothstep(cover, cover + 0.30, thick) * smoothstep(-0.01, 0.09, up)
        light = np.clip(0.50 + 2.3 * (thick - toward) - 0.55 * (thick - cover), 0, 1)
        shade = np.array([0.24, 0.26, 0.40], np.float32)
        warm = np.array([1.50, 0.86, 0.50], np.float32)
        rose = np.array([0.80, 0.46, 0.43], np.float32)
        colour = mix(mix(shade, rose, np.clip(light * 2, 0, 1)), warm, np.clip(light * 2 - 1, 0, 1))
        far = np.exp(-np.maximum(up, 0) / 0.07)
        colour = mix(colour, clear_sky(right, up), 0.75 * far)
        sky = mix(sky, colour, body * strength)
    return sky
