"""Watercolour: irises in washes with wet edges, blooms and granulation on rough paper."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pictures.field import Array, blur, fbm, grid, lattice, scaled, smoothstep, to_image

# Absorbance of each pigment per unit of density (linear-ish RGB): what it takes from the light.
_PIGMENTS = {
    "ultramarine": (1.75, 1.20, 0.22),
    "violet": (0.95, 1.60, 0.35),
    "rose": (0.12, 1.35, 0.75),
    "gamboge": (0.03, 0.30, 1.70),
    "sienna": (0.25, 0.85, 1.50),
    "sap": (1.10, 0.42, 1.55),
    "viridian": (1.60, 0.35, 0.75),
    "cerulean": (1.35, 0.42, 0.16),
    "indigo": (1.9, 1.45, 0.85),
}


class _Sheet:
    """Rough paper that takes washes one over the other."""

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        self.rng, self.width, self.height = rng, width, height
        self.table = lattice(rng)
        px, py = grid(width, height)
        self.x, self.y = px / width, py / width
        tooth = fbm(self.table, self.x * 130, self.y * 130, 4, gain=0.65)
        self.tooth = tooth + 0.5 * fbm(self.table, self.x * 300, self.y * 300, 2)
        self.light = np.zeros((height, width, 3), np.float32)

    def wash(
        self,
        shape: Array,
        pigment: str,
        strength: float,
        wet: float = 0.5,
        second: str | None = None,
        rows: slice = slice(None),
        columns: slice = slice(None),
    ) -> None:
        """Lay pigment where ``shape`` (picture widths, negative inside) is; dark at dry edges."""
        x, y, tooth = (a[rows, columns] for a in (self.x, self.y, self.tooth))
        ox, oy = self.rng.uniform(0, 90, 2)
        ragged = 0.004 * fbm(self.table, x * 22 + ox, y * 22 + oy, 4) + 0.0012 * tooth
        d = shape + ragged
        inside = smoothstep(0.0016, -0.0016, d)
        edge = np.exp(-(((d + 0.0022) / 0.0026) ** 2)) + 0.4 * np.exp(np.minimum(d, 0) / 0.010)
        pool = fbm(self.table, x * 7 + oy, y * 7 + ox, 5, gain=0.6)
        bloom = smoothstep(0.02, 0.0, np.abs(fbm(self.table, x * 4 + ox, y * 4, 4) - 0.12)) * 0.25
        density = inside * (0.62 + wet * pool + 0.62 * edge + bloom + 0.16 * tooth)
        density = strength * np.clip(density, 0, None)
        blend = smoothstep(-0.25, 0.35, fbm(self.table, x * 5 + 3 + ox, y * 5 + oy, 3))[..., None]
        ink = np.array(_PIGMENTS[pigment], np.float32)
        other = np.array(_PIGMENTS[second or pigment], np.float32)
        self.light[rows, columns] += density[..., None] * (ink + (other - ink) * blend)

    def span(self, low: float, high: float) -> slice:
        """Pixels between two positions in picture widths."""
        return slice(max(int(low * self.width), 0), max(int(high * self.width) + 1, 0))

    def petal(
        self,
        cx: float,
        cy: float,
        long: float,
        wide: float,
        turn: float,
        pigment: str,
        strength: float,
        second: str | None = None,
        curl: float = 0.0,
        lift: float = 0.0,
    ) -> None:
        """One leaf-shaped wash starting at (cx, cy)."""
        pad = 1.3 * wide + abs(curl) * long + 0.02
        ex, ey = cx + long * np.cos(turn), cy + long * np.sin(turn)
        columns = self.span(min(cx, ex) - pad, max(cx, ex) + pad)
        rows = self.span(min(cy, ey) - pad, max(cy, ey) + pad)
        x, y = self.x[rows, columns] - cx, self.y[rows, columns] - cy
        if not x.size:
            return
        u = (x * np.cos(turn) + y * np.sin(turn)) / long
        v = (y * np.cos(turn) - x * np.sin(turn)) / long - curl * u * u
        t = np.clip(u, 0, 1)
        half = wide / long * np.sqrt(np.clip(np.sin(np.pi * t**0.85), 0, 1)) * (0.7 + 0.4 * t)
        shape = (np.abs(v) - half) * long + 0.6 * long * (
            np.clip(-u, 0, None) + np.clip(u - 1, 0, None)
        )
        if lift:  # a damp brush takes up what was there, so that the petal stays clear
            self.light[rows, columns] *= 1 - lift * smoothstep(0.002, -0.002, shape)[..., None]
        self.wash(shape, pigment, strength, 0.55, second, rows, columns)

    def finish(self) -> Array:
        """Light through the washes off the paper's lit relief."""
        dy, dx = np.gradient(blur(self.tooth, 0.7))
        relief = 1 + 0.10 * np.clip(dx + dy, -1, 1) + 0.012 * self.tooth
        paper = np.array([0.945, 0.925, 0.880], np.float32) * relief[..., None]
        granules = 1 + 0.28 * np.clip(-self.tooth, -0.7, 0.8)[..., None]
        return np.clip(paper * np.exp(-self.light * granules), 0, 1)


def paint(long_side: int) -> Image.Image:
    """Paint it, 3:4 upright, ``long_side`` pixels high."""
    rng = np.random.default_rng(71)
    width, height = round(long_side * 0.75), long_side
    over = 1.25
    sheet = _Sheet(rng, round(width * over), round(height * over))
    x, y = sheet.x, sheet.y
    # Wet-in-wet ground: several large, soft pools of colour.
    for cx, cy, size, one, two, strength in (
        (0.25, 0.30, 0.42, "cerulean", "viridian", 0.34),
        (0.80, 0.22, 0.38, "rose", "gamboge", 0.26),
        (0.70, 0.80, 0.48, "gamboge", "sap", 0.30),
        (0.18, 0.92, 0.46, "viridian", "cerulean", 0.36),
        (0.55, 1.25, 0.60, "sap", "ultramarine", 0.40),
        (0.93, 0.60, 0.30, "violet", "rose", 0.24),
        (0.48, 0.05, 0.40, "ultramarine", "cerulean", 0.34),
    ):
        far = np.hypot(x - cx, (y - cy) * 0.9) - size * (
            1 + 0.5 * fbm(sheet.table, x * 3 + cx * 50, y * 3, 4)
        )
        sheet.wash(far * 0.5, one, strength, 0.8, two)
    for _ in range(26):
        cx, base = rng.uniform(-0.05, 1.05), rng.uniform(1.25, 1.40)
        sheet.petal(
            cx,
            base,
            rng.uniform(0.45, 0.95),
            rng.uniform(0.012, 0.030),
            -np.pi / 2 + rng.normal(0, 0.22),
            ("sap", "viridian", "sap", "indigo")[rng.integers(4)],
            rng.uniform(0.35, 0.65),
            ("gamboge", "ultramarine", None)[rng.integers(3)],
            rng.normal(0, 0.14),
        )
    flowers = (
        (0.34, 0.44, 0.185),
        (0.72, 0.36, 0.165),
        (0.52, 0.72, 0.20),
        (0.17, 0.80, 0.14),
        (0.86, 0.74, 0.145),
        (0.54, 0.17, 0.115),
        (0.12, 0.20, 0.10),
        (0.90, 0.12, 0.085),
    )
    for number, (cx, cy, size) in enumerate(flowers):
        sheet.petal(
            cx,
            cy + 0.02,
            1.0,
            0.0085,
            np.pi / 2 + 0.15 * np.sin(number * 3),
            "sap",
            0.75,
            "viridian",
            0.05,
        )
        main, second = (
            ("ultramarine", "violet"),
            ("violet", "rose"),
            ("ultramarine", "violet"),
            ("rose", "violet"),
            ("violet", "ultramarine"),
            ("violet", "rose"),
            ("rose", "gamboge"),
            ("ultramarine", "violet"),
        )[number]
        turns = (-1.57, -2.35, -0.80, 1.57, 2.65, 0.50, -1.95, -1.15)
        for k, turn in enumerate(turns):
            long = size * (1.0 if k < 6 else 0.7) * rng.uniform(0.85, 1.1)
            sheet.petal(
                cx,
                cy,
                long,
                long * rng.uniform(0.30, 0.42),
                turn + rng.normal(0, 0.12),
                main if k % 2 else second,
                rng.uniform(0.38, 0.62),
                second if k % 2 else main,
                rng.normal(0, 0.25),
                lift=0.5,
            )
        for turn in (1.57, 2.65, 0.50):  # veins and the yellow signal on the falls
            sheet.petal(cx, cy, size * 0.48, size * 0.075, turn, "gamboge", 1.15, "sienna")
            for vein in np.linspace(-0.32, 0.32, 7):
                sheet.petal(
                    cx, cy, size * 0.78, size * 0.012, turn + vein, "indigo", 0.42, "violet"
                )
        for turn in (-1.57, -2.35, -0.80):
            for vein in np.linspace(-0.25, 0.25, 5):
                sheet.petal(
                    cx, cy, size * 0.85, size * 0.009, turn + vein, "indigo", 0.26, "ultramarine"
                )
    for _ in range(70):  # spatter
        cx, cy, size = rng.uniform(0, 1), rng.uniform(0, 1.33), 0.002 + 0.007 * rng.random() ** 3
        columns, rows = sheet.span(cx - 0.02, cx + 0.02), sheet.span(cy - 0.02, cy + 0.02)
        if x[rows, columns].size:
            sheet.wash(
                np.hypot(x[rows, columns] - cx, y[rows, columns] - cy) - size,
                list(_PIGMENTS)[rng.integers(9)],
                0.7,
                0.3,
                None,
                rows,
                columns,
            )
    return to_image(scaled(sheet.finish(), width, height))
