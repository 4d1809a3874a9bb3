"""The world of the lake photograph: heights, light on the ground, and the camera's rays.

Metres throughout: x to the right, y up, z away from the camera; the lake's surface is y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pictures.field import Array, blur, eroded, fbm, lattice, resample, smoothstep, value_noise

SUN = np.array([-0.86, 0.30, -0.42]) / np.linalg.norm([-0.86, 0.30, -0.42])
CAMERA_HEIGHT = 8.0
HORIZON = 0.56  # of the picture's height
FOCAL = 0.95  # of the picture's width
FAR = 9500.0
_CELL = 10.0
_COLUMNS, _ROWS = 1120, 950

# The lake's banks as (z, x) tables; straight lines between, roughened by noise.
_LEFT_BANK = (
    (0, 60, 92, 112, 150, 220, 420, 520, 600, 640, 760, 950, 1400),
    (14, 19, 21, 30, 75, 130, 230, 150, 70, 90, 260, 430, 520),
)
_RIGHT_BANK = (
    (0, 38, 62, 84, 110, 170, 300, 420, 560, 800, 1000, 1400),
    (34, 23, 26, 36, 70, 110, 170, 150, 190, 270, 420, 560),
)
# Peaks placed by hand for the composition: x, z, height, radius.
_PEAKS = (
    (1050, 5600, 1780, 2500),
    (-900, 6600, 1620, 1900),
    (-2350, 4700, 1420, 2000),
    (3100, 4700, 1500, 2100),
    (-1350, 2500, 640, 1350),
    (1650, 2700, 620, 1400),
    (-260, 3700, 420, 900),
)


@dataclass(frozen=True)
class Valley:
    """Maps on a 10 m grid and the noise tables that refine them."""

    mountains: Array  # metres
    slope_x: Array
    slope_z: Array
    sunlit: Array  # 0 in cast shadow, 1 in the sun
    hollow: Array  # -1 ridge to 1 gully
    table: Array

    def look_up(self, field: Array, x: Array, z: Array) -> Array:
        """Value of one of the maps at world positions."""
        return resample(field, x / _CELL + _COLUMNS / 2, z / _CELL)

    def shore(self, x: Array, z: Array) -> Array:
        """Metres inland (negative: out on the lake)."""
        rough = fbm(self.table, x / 42, z / 42, 4) * np.clip(z / 18, 2.5, 26)
        near = 29 + 6 * fbm(self.table, x / 11 + 4, np.zeros_like(x), 3) + 0.40 * x - z
        near = near + 0.012 * x * x * (x < 0)
        left = -x - np.interp(z, *_LEFT_BANK).astype(np.float32)
        right = x - np.interp(z, *_RIGHT_BANK).astype(np.float32)
        land = np.maximum(np.maximum(left, right), z - 1230)
        return np.maximum(land + rough, near + 0.12 * rough)

    def height(self, x: Array, z: Array, boulders: bool = True) -> tuple[Array, Array, Array]:
        """Ground height, metres inland, and how much of it is boulder, at world positions."""
        inland = self.shore(x, z)
        bank = 1.7 * smoothstep(-1, 7, inland) + 0.055 * np.clip(inland, 0, 90)
        lumps = fbm(self.table, x / 7, z / 7, 3) * 0.45 * smoothstep(0.5, 5, inland)
        ground = self.look_up(self.mountains, x, z)
        crags = fbm(self.table, x / 70, z / 70, 4, ridged=True)
        ground = bank + lumps + np.maximum(ground + crags * 16 * smoothstep(120, 500, ground), 0)
        ground = np.where(inland > 0, ground, -2)
        if not boulders:
            return ground, inland, np.zeros_like(ground)
        near = (z < 420) & (np.abs(inland) < 9)
        rock = np.full_like(ground, -9)
        rock[near] = self._boulders(x[near], z[near], inland[near])
        stone = smoothstep(-0.06, 0.06, rock - ground)
        return np.maximum(ground, rock), inland, stone

    def _boulders(self, x: Array, z: Array, inland: Array) -> Array:
        """Tops of the boulders strewn along the shore: one per cell of a jittered grid."""
        best = np.full_like(x, -9)
        dent = 0.26 * fbm(self.table, x * 1.1, z * 1.1, 5, ridged=True)
        flat = self.table.ravel()
        for cell, likely in ((2.3, 0.44), (5.2, 0.30)):
            for dx in (-1, 0, 1):
                for dz in (-1, 0, 1):
                    cx, cz = np.floor(x / cell) + dx, np.floor(z / cell) + dz
                    code = (cx.astype(int) * 7919 + cz.astype(int) * 104729 + int(cell)) % 65521
                    r1, r2, r3 = flat[code], flat[code + 1], flat[code + 2]
                    far2 = (x - (cx + 0.5 + 0.3 * r1) * cell) ** 2
                    far2 = far2 + 0.8 * (z - (cz + 0.5 + 0.3 * r2) * cell) ** 2
                    radius = cell * (0.17 + 0.16 * np.abs(r3))
                    top = 0.62 * np.sqrt(np.maximum(radius**2 - far2, 0)) + dent * radius
                    base = np.clip(0.2 * inland, -0.25, 0.5) - 0.1
                    there = (far2 < radius**2) & (r1 * r2 + 0.4 * r3 > 0.35 - likely)
                    best = np.maximum(best, np.where(there, base + top, -9))
        return best.astype(np.float32)


def build(rng: np.random.Generator) -> Valley:
    """Raise the mountains and let the evening sun cast their shadows."""
    table = lattice(rng)
    iz, ix = np.mgrid[0:_ROWS, 0:_COLUMNS].astype(np.float32)
    x, z = (ix - _COLUMNS / 2) * np.float32(_CELL), iz * np.float32(_CELL)
    wx = x + 260 * value_noise(table, x / 1100, z / 1100)
    wz = z + 260 * value_noise(table, x / 1100 + 51, z / 1100 + 7)
    bulk = np.zeros_like(x)
    for px, pz, top, radius in _PEAKS:
        far = np.hypot(wx - px, wz - pz) / radius
        bulk = np.maximum(bulk, top * np.clip(1 - far, 0, None) ** 1.15) + 0.12 * top * np.exp(
            -2.5 * far * far
        )
    ridges = eroded(table, x / 1250 + 3.1, z / 1250 + 8.7, 11)
    rise = smoothstep(0, 900, bulk)
    crests = fbm(table, wx / 620 + 9, wz / 620 + 2, 6, gain=0.55, ridged=True)
    mountains = bulk * (0.80 + 0.20 * ridges) + (330 * ridges + 170 * crests) * rise
    shore = Valley(mountains, x, x, x, x, table).shore(x, z)
    mountains = mountains * smoothstep(5, 420, shore) + 0.10 * np.clip(shore, 0, 600)
    mountains = np.where(shore > 30, mountains, 0).astype(np.float32)
    mountains = np.maximum(mountains, 0)
    gz, gx = np.gradient(mountains, _CELL)
    soft = blur(mountains, 5)
    return Valley(
        mountains=mountains,
        slope_x=gx.astype(np.float32),
        slope_z=gz.astype(np.float32),
        sunlit=_shadows(mountains),
        hollow=np.clip((soft - mountains) / 30, -1, 1),
        table=table,
    )


def _shadows(ground: Array) -> Array:
    """March towards the sun over the grid; a soft edge stands for the sun's disc."""
    across = SUN[[0, 2]] / np.hypot(SUN[0], SUN[2])
    climb = SUN[1] / np.hypot(SUN[0], SUN[2])
    worst = np.full_like(ground, -1.0)
    wide = np.pad(ground, 420, mode="constant")
    for step in np.unique(np.geomspace(2, 400, 70).astype(int)):
        dx, dz = np.rint(across * step).astype(int) + 420
        there = wide[dz : dz + _ROWS, dx : dx + _COLUMNS]
        run = step * _CELL
        worst = np.maximum(worst, (there - ground - run * climb) / (run * 0.06 + 12))
    return blur(1 - smoothstep(-0.5, 0.5, worst), 0.8)


@dataclass(frozen=True)
class View:
    """What the camera sees of the ground, per pixel."""

    width: int
    height: int
    camera: float  # height of the eye; negative: the mirror image under the lake
    depth: Array  # z of the ground hit, inf for sky and water
    x: Array
    inland: Array

    def project(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """World to pixels: column, row, and pixels per metre."""
        per_metre = FOCAL * self.width / z
        column = self.width / 2 + x * per_metre
        return column, HORIZON * self.height - (y - self.camera) * per_metre, per_metre


def cast(valley: Valley, width: int, height: int, mirrored: bool) -> View:
    """Meet every pixel's ray with the ground (first crossing along each column's profile).

    The mirrored view is the one of a camera as far below the lake as the real one is above it,
    which is exactly what a flat lake shows.
    """
    camera = -CAMERA_HEIGHT if mirrored else CAMERA_HEIGHT
    focal, horizon = FOCAL * width, HORIZON * height
    z = np.geomspace(5, FAR, 1500).astype(np.float32)[:, None]
    slope = ((np.arange(width, dtype=np.float32) + 0.5 - width / 2) / focal)[None, :]
    x = slope * z
    ground, inland, _ = valley.height(x, np.broadcast_to(z, x.shape), boulders=not mirrored)
    row = horizon - focal * (ground - camera) / z
    wet = ground <= 0.02
    if mirrored:
        # Rays start where they leave the water; the low near bank would wrongly hide it all.
        wet = wet | (z < 130) | ~np.logical_or.accumulate(wet, axis=0)
    row[wet] = height + 9
    top = np.minimum.accumulate(row, axis=0)
    rows = np.arange(height, dtype=np.float32) + 0.5
    hit = np.empty((height, width), np.int32)
    for column in range(width):
        hit[:, column] = np.searchsorted(-top[:, column], -rows, side="left")
    missed = hit >= len(z)
    hit = np.minimum(hit, len(z) - 1)
    columns = np.broadcast_to(np.arange(width), hit.shape)
    before = np.maximum(hit - 1, 0)
    low, high = row[before, columns], row[hit, columns]
    part = np.clip((low - rows[:, None]) / np.maximum(low - high, 1e-3), 0, 1)
    part = np.where(low > height, 1, part)
    flat = z[:, 0]
    depth = flat[before] + (flat[hit] - flat[before]) * part
    with np.errstate(divide="ignore"):
        water = np.where(rows > horizon, CAMERA_HEIGHT * focal / (rows - horizon), np.inf)
    if not mirrored:
        missed |= depth > water[:, None]
    along = inland[hit, columns]
    depth = np.where(missed, np.inf, depth).astype(np.float32)
    return View(width, height, camera, depth, slope * np.where(missed, 0, depth), along)
