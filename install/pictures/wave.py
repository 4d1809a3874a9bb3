"""Colour woodblock: breaking waves with clawed foam, a boat's sail and a red evening sky."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from pictures.field import Array, blur, fbm, grid, lattice, mix, scaled, smoothstep, to_image

_PAPER = (240, 226, 196)
_NAVY, _PRUSSIAN, _MID, _PALE = (22, 42, 84), (38, 84, 138), (96, 152, 180), (182, 208, 204)
_FOAM, _RED, _OCHRE, _INK = (246, 238, 216), (204, 74, 46), (224, 164, 84), (24, 26, 44)


class _Block:
    """Shapes in picture widths drawn on a large Pillow sheet."""

    def __init__(self, width: int, height: int) -> None:
        self.scale = width
        self.image = Image.new("RGB", (width, height), _PAPER)
        self.pen = ImageDraw.Draw(self.image)

    def shape(self, points: Array, fill: tuple[int, int, int]) -> None:
        self.pen.polygon([tuple(p) for p in points * self.scale], fill=fill)

    def line(self, points: Array, width: float, fill: tuple[int, int, int] = _INK) -> None:
        flat = [tuple(p) for p in points * self.scale]
        self.pen.line(flat, fill=fill, width=max(1, round(width * self.scale)), joint="curve")

    def dot(self, x: float, y: float, r: float, fill: tuple[int, int, int]) -> None:
        box = [(v * self.scale) for v in (x - r, y - r, x + r, y + r)]
        self.pen.ellipse(box, fill=fill)


def _spline(knots: list[tuple[float, float]], count: int) -> Array:
    """Catmull-Rom curve through the knots."""
    p = np.array([knots[0], *knots, knots[-1]], float)
    t = np.linspace(0, len(knots) - 1 - 1e-9, count)
    i, u = t.astype(int), (t % 1)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return 0.5 * (
        2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3
    )


def _claws(block: _Block, path: Array, rng: np.random.Generator, size: float, side: float) -> None:
    """Foam along a crest: overlapping scalloped fingers that hook forward, then spray."""
    heading = np.gradient(path, axis=0)
    heading /= np.linalg.norm(heading, axis=1, keepdims=True)
    normal = np.stack([-heading[:, 1], heading[:, 0]], 1) * side
    for outline in (True, False):
        state = np.random.default_rng(len(path))
        for k in range(0, len(path), 3):
            grow = (
                size
                * (0.55 + 0.75 * np.sin(np.pi * (k + 1) / len(path)) ** 0.7)
                * state.uniform(0.75, 1.25)
            )
            turn = np.linspace(-0.3, 2.5, 6) * side
            centre = path[k] + normal[k] * grow * 0.15
            tip = centre.copy()
            for step, bend in enumerate(turn):
                c, s = np.cos(bend), np.sin(bend)
                d = np.array(
                    [c * normal[k, 0] - s * normal[k, 1], s * normal[k, 0] + c * normal[k, 1]]
                )
                tip = tip + d * grow * 0.34
                radius = grow * (0.46 - 0.065 * step)
                block.dot(
                    tip[0], tip[1], radius + (0.0022 if outline else 0), _INK if outline else _FOAM
                )
            block.dot(*centre, grow * 0.55 + (0.0022 if outline else 0), _INK if outline else _FOAM)
    for k in range(0, len(path), 2):
        for _ in range(3):
            away = rng.exponential(size * 1.9) + size
            spot = path[k] + normal[k] * away + rng.normal(0, size * 0.8, 2)
            block.dot(*spot, rng.uniform(0.0014, 0.0046), _FOAM)


def _wave(
    block: _Block,
    back: list[tuple[float, float]],
    face: list[tuple[float, float]],
    rng: np.random.Generator,
    size: float,
    stripes: int,
) -> None:
    """One breaker: ``back`` rises to the crest, ``face`` falls from it; stripes run between."""
    up, down = _spline(back, 90), _spline(face, 90)
    block.shape(np.concatenate([up, down]), _PRUSSIAN)
    tones = (_NAVY, _PRUSSIAN, _MID, _PALE, _PRUSSIAN, _NAVY, _MID)
    for n in range(stripes):
        t0, t1 = n / stripes, (n + 0.52 + 0.2 * np.sin(n * 2.1)) / stripes
        first = up[::-1] * (1 - t0) + down * t0
        second = up[::-1] * (1 - t1) + down * t1
        taper = np.linspace(0.15, 1, 90)[:, None] ** 0.7
        second = first + (second - first) * taper
        block.shape(np.concatenate([first, second[::-1]]), tones[n % 7])
        block.line(first, 0.0016)
    block.line(up, 0.0034)
    block.line(down, 0.0034)
    crest = np.concatenate([up[52:], down[:34]])
    _claws(block, crest, rng, size, -1)


def _scallops(block: _Block, top: float, bottom: float, rng: np.random.Generator) -> None:
    """The sea's ground: overlapping ring-scales, larger towards the front."""
    y = top
    row = 0
    while y < bottom:
        r = 0.016 + 0.060 * (y - top)
        for x in np.arange(-r, 1 + 2 * r, 2 * r) + (row % 2) * r:
            lift = 0.012 * np.sin(x * 9 + row * 0.4)
            for k, part in enumerate((1.0, 0.80, 0.60, 0.40, 0.20)):
                tone = (_NAVY, _PALE, _PRUSSIAN, _FOAM, _MID)[(k + (rng.random() < 0.15)) % 5]
                block.dot(x, y + lift + r * 0.5, r * part, tone)
        y += r * 0.52
        row += 1


def paint(long_side: int) -> Image.Image:
    """Print it, 3:2, ``long_side`` pixels wide."""
    rng = np.random.default_rng(101)
    table = lattice(rng)
    width, height = long_side, round(long_side / 1.5)
    over = 2
    block = _Block(width * over, height * over)
    for n in range(17):  # sky in cut bands, sun behind
        y = 0.034 * n
        tone = (_RED, _OCHRE, _PAPER, (236, 190, 138), (222, 118, 74))[(n * 2 + n // 4) % 5]
        x = np.linspace(0, 1, 120)
        edge = y + 0.012 * np.sin(x * 7 + n) + 0.010 * np.sin(x * 17 + n * 2.3)
        band = np.stack([np.r_[x, 1, 0], np.r_[edge, 0.8, 0.8]], 1)
        block.shape(band, tone)
        block.line(band[:120], 0.0012, (150, 70, 50))
    for k in range(9):
        block.dot(0.73, 0.20, 0.125 - 0.012 * k, (_RED, (232, 110, 60))[k % 2] if k else _INK)
    for number, (cx, cy, wide) in enumerate(
        ((0.30, 0.075, 0.20), (0.90, 0.105, 0.17), (0.56, 0.31, 0.15), (0.06, 0.20, 0.13))
    ):
        for k in range(7):  # clouds as stacked lozenges
            dx, dy = (k - 3) * wide * 0.16 + 0.02 * np.sin(number + k * 2), (k % 3 - 1) * 0.018
            r = wide * (0.11 + 0.035 * ((k * 5 + number) % 3))
            block.dot(cx + dx, cy + dy, r + 0.002, _INK)
        for k in range(7):
            dx, dy = (k - 3) * wide * 0.16 + 0.02 * np.sin(number + k * 2), (k % 3 - 1) * 0.018
            r = wide * (0.11 + 0.035 * ((k * 5 + number) % 3))
            for part, tone in ((1.0, _FOAM), (0.72, _PALE), (0.48, _FOAM), (0.26, _OCHRE)):
                block.dot(cx + dx, cy + dy, r * part, tone)
    _scallops(block, 0.395, 0.80, rng)
    _wave(
        block,
        [(0.62, 0.56), (0.74, 0.47), (0.84, 0.385), (0.93, 0.335), (1.02, 0.30)],
        [(1.02, 0.30), (1.00, 0.40), (1.03, 0.52), (1.1, 0.62)],
        rng,
        0.016,
        9,
    )
    # A boat under a ribbed sail between the breakers.
    hull = _spline([(0.535, 0.475), (0.58, 0.502), (0.66, 0.502), (0.715, 0.462)], 40)
    block.shape(np.concatenate([hull, [(0.70, 0.478), (0.56, 0.484)]]), (110, 60, 40))
    block.line(hull, 0.003)
    sail = np.concatenate(
        [
            _spline([(0.575, 0.47), (0.582, 0.38), (0.60, 0.285)], 20),
            _spline([(0.60, 0.285), (0.675, 0.33), (0.69, 0.455)], 24),
        ]
    )
    block.shape(sail, _FOAM)
    for t in np.linspace(0.1, 0.9, 7):
        a, b = sail[int(19 * (1 - t))], sail[int(20 + 23 * t)]
        block.line(np.array([a, b]), 0.0018, _RED if int(t * 9) % 2 else _INK)
    block.line(np.concatenate([sail, sail[:1]]), 0.0028)
    _wave(
        block,
        [(-0.1, 0.72), (0.06, 0.54), (0.13, 0.36), (0.22, 0.20), (0.36, 0.135), (0.49, 0.20)],
        [(0.49, 0.20), (0.42, 0.215), (0.365, 0.28), (0.36, 0.40), (0.43, 0.53), (0.58, 0.66)],
        rng,
        0.026,
        15,
    )
    _wave(
        block,
        [(0.50, 0.76), (0.64, 0.635), (0.75, 0.56), (0.87, 0.535), (0.95, 0.575)],
        [(0.95, 0.575), (0.89, 0.585), (0.86, 0.63), (0.90, 0.70), (1.0, 0.78)],
        rng,
        0.017,
        9,
    )
    _wave(
        block,
        [(-0.05, 0.70), (0.05, 0.60), (0.15, 0.555), (0.24, 0.565)],
        [(0.24, 0.565), (0.20, 0.59), (0.20, 0.64), (0.28, 0.72)],
        rng,
        0.013,
        7,
    )
    art = np.asarray(block.image, np.float32) / 255
    px, py = grid(width * over, height * over)
    x, y = px / (width * over), py / (width * over)
    wood = fbm(table, x * 5 + 0.3 * fbm(table, x * 3, y * 3, 2), y * 110, 4)
    patch = fbm(table, x * 150, y * 150, 3)
    shade = smoothstep(0.0, 0.9, fbm(table, x * 3.5, y * 5, 4))
    art = art * (1 - 0.10 * shade)[..., None]
    ink_lost = np.clip(0.10 + 0.24 * wood + 0.16 * patch, 0, 0.5)
    art = mix(art, np.array(_PAPER, np.float32) / 255, ink_lost * (art.mean(-1) < 0.8))
    washi = 1 + 0.03 * fbm(table, x * 70, y * 260, 3) + 0.02 * patch
    return to_image(scaled(np.clip(blur(art, 0.7) * washi[..., None], 0, 1), width, height))
