"""Faceted painting: a hill town broken into overlapping, shaded planes of ochre, slate and rose."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from pictures.field import Array, blur, fbm, grid, lattice, mix, scaled, smoothstep, to_image


def _c(r: int, g: int, b: int) -> Array:
    return np.array([r, g, b], np.float32) / 255


_SKY = (_c(92, 122, 140), _c(146, 166, 160), _c(60, 84, 112), _c(188, 180, 150), _c(112, 104, 132))
_WALL = (_c(206, 150, 78), _c(226, 190, 128), _c(176, 104, 58), _c(238, 220, 176), _c(150, 84, 60))
_ROOF = (_c(172, 62, 40), _c(206, 96, 54), _c(122, 44, 40), _c(216, 130, 86))
_TREE = (_c(52, 84, 62), _c(96, 120, 68), _c(34, 58, 60), _c(138, 146, 82))
_DARK = _c(28, 26, 32)


class _Sheet:
    """Planes laid one over another, each shaded from one edge to the other."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self.width, self.height, self.rng = width, height, rng
        self.table = lattice(rng)
        px, py = grid(width, height)
        self.x, self.y = px / width, py / width
        self.picture = np.ones((height, width, 3), np.float32) * _c(150, 130, 100)

    def plane(self, corners: list[tuple[float, float]], tone: Array, cover: float = 0.9) -> None:
        """One flat facet: gradient, hatching of brush dabs, a dark line on its shaded side."""
        points = np.array(corners, float) * self.width
        x0, y0 = np.maximum(np.floor(points.min(0)).astype(int) - 3, 0)
        x1, y1 = np.ceil(points.max(0)).astype(int) + 3
        x1, y1 = min(x1, self.width), min(y1, self.height)
        if x1 <= x0 or y1 <= y0:
            return
        mask = Image.new("L", (x1 - x0, y1 - y0), 0)
        flat = [(px - x0, py - y0) for px, py in points]
        ImageDraw.Draw(mask).polygon(flat, fill=255)
        inside = np.asarray(mask, np.float32) / 255
        line = Image.new("L", mask.size, 0)
        ImageDraw.Draw(line).line([*flat, flat[0]], fill=255, width=max(1, round(self.width / 620)))
        stroke = np.asarray(line, np.float32) / 255
        part = (slice(y0, y1), slice(x0, x1))
        x, y = self.x[part], self.y[part]
        turn = self.rng.uniform(0, 2 * np.pi)
        u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        here = inside > 0
        if not here.any():
            return
        low, high = u[here].min(), u[here].max()
        shade = (u - low) / (high - low + 1e-6)
        dabs = (
            fbm(self.table, u * 190, v * 52, 3) * 0.16 + fbm(self.table, u * 26, v * 26, 3) * 0.20
        )
        steps = np.sin(v * 520 + 3 * fbm(self.table, u * 30, v * 30, 2)) * 0.035
        colour = tone * (0.62 + 0.62 * shade + dabs + steps)[..., None]
        colour = mix(colour, _c(240, 226, 196), 0.28 * smoothstep(0.6, 1.0, shade))
        fade = inside * cover * (0.55 + 0.45 * smoothstep(0.0, 0.35, shade))
        painted = mix(self.picture[part], colour, fade)
        wire = stroke * smoothstep(0.75, 0.10, shade) * 0.85
        self.picture[part] = mix(painted, _DARK, wire)


def _shatter(
    sheet: _Sheet, count: int, tones: tuple[Array, ...], box: tuple[float, ...], size: float
) -> None:
    rng = sheet.rng
    for _ in range(count):
        cx, cy = rng.uniform(box[0], box[2]), rng.uniform(box[1], box[3])
        turn = rng.choice([0.35, -0.5, 1.2, 0.9, -1.05]) + rng.normal(0, 0.12)
        a, b = size * rng.uniform(0.5, 1.3), size * rng.uniform(0.25, 0.8)
        skew = rng.uniform(-0.5, 0.5) * b
        shape = [
            (-a, -b),
            (a + skew, -b * rng.uniform(0.4, 1)),
            (a, b),
            (-a + skew, b * rng.uniform(0.3, 1)),
        ]
        if rng.random() < 0.4:
            shape = shape[:3]
        c, s = np.cos(turn), np.sin(turn)
        sheet.plane(
            [(cx + c * p - s * q, cy + s * p + c * q) for p, q in shape],
            tones[rng.integers(len(tones))],
            rng.uniform(0.5, 0.95),
        )


def _house(sheet: _Sheet, x: float, y: float, wide: float, tall: float) -> None:
    rng = sheet.rng
    tone, roof = _WALL[rng.integers(5)], _ROOF[rng.integers(4)]
    lean, deep = rng.normal(0, 0.10) * wide, wide * rng.uniform(0.35, 0.7)
    side = 1 if rng.random() < 0.5 else -1
    left, right = x - wide / 2, x + wide / 2
    sheet.plane(
        [(left, y), (right, y), (right + lean, y - tall), (left + lean, y - tall)], tone, 0.97
    )
    edge = right if side > 0 else left
    sheet.plane(
        [
            (edge, y),
            (edge + side * deep, y - 0.22 * deep),
            (edge + side * deep + lean, y - tall - 0.1 * deep),
            (edge + lean, y - tall),
        ],
        tone * 0.62,
        0.97,
    )
    peak = (x + lean + 0.1 * side * wide, y - tall - wide * rng.uniform(0.35, 0.6))
    sheet.plane(
        [(left + lean - 0.04 * wide, y - tall), (right + lean + 0.04 * wide, y - tall), peak],
        roof,
        0.98,
    )
    sheet.plane(
        [
            (edge + lean, y - tall),
            (edge + side * deep + lean, y - tall - 0.1 * deep),
            (peak[0] + side * deep * 0.9, peak[1] - 0.05 * wide),
            peak,
        ],
        roof * 0.72,
        0.98,
    )
    for _ in range(rng.integers(1, 4)):
        wx, wy = (
            rng.uniform(left + 0.12 * wide, right - 0.3 * wide),
            y - tall * rng.uniform(0.25, 0.8),
        )
        w, h = wide * 0.16, tall * 0.17
        sheet.plane(
            [(wx, wy), (wx + w, wy), (wx + w + 0.2 * lean, wy - h), (wx + 0.2 * lean, wy - h)],
            _c(36, 44, 62) if rng.random() < 0.7 else _c(240, 206, 120),
            0.95,
        )


def paint(long_side: int) -> Image.Image:
    """Paint it, 4:5 upright, ``long_side`` pixels high."""
    rng = np.random.default_rng(121)
    width, height = round(long_side * 0.8), long_side
    sheet = _Sheet(round(width * 1.6), round(height * 1.6), rng)
    _shatter(sheet, 150, _SKY, (-0.05, -0.05, 1.05, 0.55), 0.17)
    _shatter(sheet, 60, _SKY + _WALL[:2], (-0.05, 0.0, 1.05, 0.5), 0.09)
    _shatter(sheet, 90, _TREE + _WALL, (-0.05, 0.45, 1.05, 1.30), 0.15)
    for row in range(9):
        y = 0.38 + 0.105 * row
        spread = 0.17 + 0.085 * row
        count = 3 + row
        for k in rng.permutation(count):
            x = 0.52 + spread * ((k + 0.5) / count - 0.5) * 2 + rng.normal(0, 0.02)
            rise = 0.10 * np.abs(x - 0.52)
            size = 0.085 + 0.007 * row
            if rng.random() < 0.16:
                for _ in range(4):
                    _shatter(sheet, 2, _TREE, (x - 0.04, y - 0.08, x + 0.04, y), 0.05)
            else:
                _house(
                    sheet,
                    x,
                    y + rise + rng.normal(0, 0.012),
                    size * rng.uniform(0.75, 1.25),
                    size * rng.uniform(0.9, 1.5),
                )
        _shatter(sheet, 7, _WALL + _TREE, (0.5 - spread, y - 0.04, 0.5 + spread, y + 0.06), 0.05)
    _house(sheet, 0.50, 0.34, 0.075, 0.22)  # the tower on top
    _shatter(sheet, 34, _WALL + _SKY + _ROOF, (0, 0.05, 1, 1.25), 0.12)
    over, x, y = sheet.picture, sheet.x, sheet.y
    weave = np.sin(x * 1700) * np.sin(y * 1700) * 0.018
    level = blur(over.mean(-1), 0.8)
    dy, dx = np.gradient(level)
    over = over * (1 + weave - 0.8 * np.clip(dx + dy, -0.12, 0.12))[..., None]
    over = over * (1 + 0.05 * fbm(sheet.table, x * 150, y * 150, 3))[..., None]
    return to_image(scaled(np.clip(over, 0, 1), width, height))
