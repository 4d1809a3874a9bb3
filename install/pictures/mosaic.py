"""Mosaic: a fish among waves in glazed tesserae laid along the drawing's lines."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from pictures.field import (
    Array,
    blur,
    fbm,
    grid,
    lattice,
    mix,
    resample,
    scaled,
    smoothstep,
    to_image,
)


def _c(r: int, g: int, b: int) -> Array:
    return np.array([r, g, b], np.float32) / 255


def _fish(
    x: Array, y: Array, cx: float, cy: float, size: float, tilt: float
) -> tuple[Array, Array, Array]:
    """Signed distance-like field (negative inside) and body coordinates."""
    u = ((x - cx) * np.cos(tilt) + (y - cy) * np.sin(tilt)) / size
    v = ((y - cy) * np.cos(tilt) - (x - cx) * np.sin(tilt)) / size
    v = v - 0.10 * np.sin(u * 2.6)
    body = np.abs(v) - 0.40 * np.sqrt(np.clip(1 - u * u, 0, None)) * (0.80 - 0.28 * u) * (
        np.abs(u) < 1
    )
    body = body + 2 * np.clip(np.abs(u) - 1, 0, None)
    tail = np.maximum(np.abs(v) - 0.12 - 0.95 * (u - 0.80), np.abs(u - 1.05) - 0.27)
    tail = np.maximum(tail, -(np.abs(v) - 1.4 * (u - 1.12)))
    fin = np.maximum(np.abs(u + 0.05) - 0.42, np.abs(v + 0.36) - 0.20 + 0.25 * (u + 0.05))
    return np.minimum(np.minimum(body, tail), fin), u, v


def _motif(table: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Colours and the angle along which tesserae are laid."""
    wave = (
        y + 0.05 * np.sin(x * 9 + 2.5 * fbm(table, x * 2, y * 2, 2)) + 0.03 * np.sin(x * 21 + y * 6)
    )
    lines = wave * 15
    shade = lines - np.floor(lines)
    sea = mix(_c(10, 48, 96), _c(28, 120, 150), shade)
    sea = mix(sea, _c(120, 200, 190), smoothstep(0.80, 0.95, shade))
    level = np.floor(lines)
    sea = mix(sea, _c(52, 62, 140), 0.6 * (level % 3 == 0))
    gy, gx = np.gradient(wave)
    angle = np.arctan2(gx, -gy) * -1
    picture = sea
    sun = np.hypot(x - 0.83, y - 0.13)
    ring = np.floor(sun / 0.034)
    disc = np.where((ring % 2 == 0)[..., None], _c(236, 172, 46), _c(214, 84, 36))
    disc = np.where((sun < 0.05)[..., None], _c(250, 224, 130), disc)
    picture = np.where((sun < 0.17)[..., None], disc, picture)
    angle = np.where(sun < 0.22, np.arctan2(y - 0.13, x - 0.83) + np.pi / 2, angle)
    for cx, cy, size, tilt, main, second in (
        (0.40, 0.36, 0.27, -0.12, _c(222, 96, 36), _c(246, 196, 84)),
        (0.76, 0.60, 0.15, 0.16, _c(190, 46, 60), _c(240, 150, 110)),
        (0.16, 0.64, 0.12, -0.3, _c(236, 190, 60), _c(250, 236, 180)),
    ):
        d, u, v = _fish(x, y, cx, cy, size, tilt)
        scales = np.sin(u * 21 + 2.2 * np.cos(v * 16))
        skin = mix(main, second, smoothstep(-0.3, 0.6, scales) * (u > -0.55))
        skin = mix(skin, _c(250, 240, 214), smoothstep(0.08, 0.26, v) * (u < 0.8) * 0.85)
        skin = mix(skin, _c(120, 26, 40), np.abs(u + 0.56) < 0.05)
        eye = np.hypot(u + 0.74, v + 0.04)
        skin = np.where((eye < 0.10)[..., None], _c(250, 246, 230), skin)
        skin = np.where((eye < 0.055)[..., None], _c(16, 16, 24), skin)
        picture = np.where((d < 0)[..., None], skin, picture)
        rim = (d >= 0) & (d < 0.035 * 0.27 / size)
        picture = np.where(rim[..., None], _c(12, 20, 40), picture)
        gy, gx = np.gradient(blur(d, 3))
        near = np.exp(-np.clip(d, 0, None) / 0.10)
        along = np.arctan2(gx, -gy) * -1
        inside = np.arctan2(np.sin(tilt), np.cos(tilt))
        angle = np.where(
            d < 0, np.where(d > -0.10, along, inside), np.where(near > 0.35, along, angle)
        )
    border = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 0.75 - y))
    guilloche = np.sin((x + y) * 60) * np.sin((x - y) * 60)
    band = mix(_c(160, 40, 34), _c(238, 206, 120), smoothstep(-0.1, 0.1, guilloche))
    picture = np.where((border < 0.05)[..., None], band, picture)
    picture = np.where(((border > 0.036) & (border < 0.05))[..., None], _c(20, 24, 40), picture)
    flat = np.where(np.minimum(x, 1 - x) < np.minimum(y, 0.75 - y), np.pi / 2, 0)
    return picture, np.where(border < 0.05, flat, angle).astype(np.float32)


def _settle(points: Array, angle: Array, width: int, height: int, rounds: int) -> Array:
    """Relax the tesserae's places with square-shaped Voronoi cells (Hausner, SIGGRAPH 2001)."""
    x, y = grid(width, height)
    fx, fy = x.ravel(), y.ravel()
    size = np.sqrt(width * height / len(points))
    for _ in range(rounds):
        a = resample(angle, points[:, 0], points[:, 1])
        c, s = np.cos(a), np.sin(a)
        best = np.full((height, width), 1e9, np.float32)
        owner = np.zeros((height, width), np.int32)
        reach = int(size * 1.7)
        for i, (qx, qy) in enumerate(points):
            x0, y0 = max(int(qx) - reach, 0), max(int(qy) - reach, 0)
            part = (slice(y0, int(qy) + reach + 1), slice(x0, int(qx) + reach + 1))
            dx, dy = x[part] - qx, y[part] - qy
            far = np.maximum(np.abs(dx * c[i] + dy * s[i]), np.abs(dy * c[i] - dx * s[i]))
            closer = far < best[part]
            best[part] = np.where(closer, far, best[part])
            owner[part] = np.where(closer, i, owner[part])
        index = owner.ravel()
        mass = np.bincount(index, minlength=len(points))
        mx = np.bincount(index, fx, len(points)) / np.maximum(mass, 1)
        my = np.bincount(index, fy, len(points)) / np.maximum(mass, 1)
        moved = np.stack([mx, my], 1).astype(np.float32)
        points = np.where((mass > 0)[:, None], moved, points)
    return points


def paint(long_side: int) -> Image.Image:
    """Lay it, 4:3, ``long_side`` pixels wide."""
    rng = np.random.default_rng(51)
    table = lattice(rng)
    width, height = long_side, round(long_side * 0.75)
    px, py = grid(width, height)
    picture, angle = _motif(table, px / width, py / width)
    size = 10.5 * long_side / 1024
    columns, rows = int(width / size), int(height / size)
    gx, gy = np.meshgrid(np.arange(columns), np.arange(rows))
    cells = (
        np.stack([gx.ravel(), gy.ravel()], 1) + 0.5 + rng.uniform(-0.3, 0.3, (columns * rows, 2))
    )
    shrink = 0.5
    coarse = scaled(np.stack([np.cos(2 * angle), np.sin(2 * angle)], -1), width // 2, height // 2)
    half_angle = np.arctan2(coarse[..., 1], coarse[..., 0]) / 2
    points = (cells / (columns, rows) * (width * shrink, height * shrink)).astype(np.float32)
    points = _settle(points, half_angle, width // 2, height // 2, 7) / np.float32(shrink)
    a = resample(half_angle, points[:, 0] * shrink, points[:, 1] * shrink)
    tone = resample(picture, points[:, 0], points[:, 1])
    over = 3
    stone = Image.new("RGBA", (width * over, height * over), (0, 0, 0, 0))
    tilt = Image.new("RGB", stone.size, (128, 128, 0))
    pen, slope = ImageDraw.Draw(stone), ImageDraw.Draw(tilt)
    for i in range(len(points)):
        shade = np.clip(tone[i] * rng.normal(1, 0.13) + rng.normal(0, 0.03, 3), 0, 1)
        if rng.random() < 0.02:
            shade = np.array([0.86, 0.68, 0.26])  # a gilded one
        corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * size * 0.455
        corners = corners * rng.uniform(0.90, 1.05, 2) + rng.normal(0, size * 0.045, (4, 2))
        c, s = np.cos(a[i]), np.sin(a[i])
        shape = (corners @ np.array([[c, s], [-s, c]]) + points[i]) * over
        flat = [tuple(p) for p in shape]
        pen.polygon(flat, fill=(*(shade * 255).astype(int), 255))
        lean = np.clip(rng.normal(128, 26, 2), 0, 255).astype(int)
        slope.polygon(flat, fill=(*lean, 255))
    art, lean = np.asarray(stone, np.float32) / 255, np.asarray(tilt, np.float32) / 255 - 0.5
    mask = art[..., 3]
    dy, dx = np.gradient(blur(mask, 2.0))
    x, y = grid(width * over, height * over)
    x, y = x / (width * over), y / (width * over)
    grain = fbm(table, x * 300, y * 300, 3)
    light = 1 + 1.4 * (dx + dy) + 0.55 * (lean[..., 0] + lean[..., 1]) + 0.13 * grain
    gloss = np.clip(lean[..., 0] * 1.2 + lean[..., 1] * 0.8 + 0.8 * (dx + dy) - 0.22, 0, 0.5)
    tile = art[..., :3] * light[..., None] + gloss[..., None]
    grout = (0.40 + 0.10 * fbm(table, x * 200, y * 200, 3))[..., None] * np.array(
        [1, 0.95, 0.86], np.float32
    )
    grout = grout * (1 - 0.55 * np.roll(blur(mask, 3.0), (3, 3), (0, 1)))[..., None]
    return to_image(scaled(np.clip(mix(grout, tile, mask), 0, 1), width, height))
