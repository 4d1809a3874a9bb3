"""Pointillism: a sunlit harbour built from dots of divided, complementary colour."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from pictures.field import Array, fbm, grid, lattice, mix, resample, scaled, smoothstep, to_image


def _c(r: int, g: int, b: int) -> Array:
    return np.array([r, g, b], np.float32) / 255


def _compose(table: Array, x: Array, y: Array) -> Array:
    """The harbour's colours."""
    low_sun = np.hypot(x - 0.36, (y - 0.30) * 1.1)
    cloud = fbm(table, x * 4 + 3, y * 11, 4)
    sky = mix(_c(254, 226, 140), _c(244, 166, 128), smoothstep(0.05, 0.30, low_sun + 0.08 * cloud))
    sky = mix(sky, _c(126, 168, 214), smoothstep(0.24, 0.62, low_sun + 0.12 * cloud))
    sky = mix(sky, _c(252, 214, 196), smoothstep(0.05, 0.40, cloud) * 0.75)
    picture = mix(sky, _c(255, 246, 196), smoothstep(0.052, 0.044, low_sun))
    hills = 0.325 - 0.06 * np.sin(x * 3 + 0.6) ** 2 - 0.02 * fbm(table, x * 8, 0 * x, 3)
    slope = mix(_c(120, 122, 186), _c(186, 138, 160), smoothstep(0.0, 0.06, y - hills))
    picture = np.where((y > hills)[..., None], slope, picture)
    sea = y > 0.375
    swell = fbm(table, x * 6, y * 44, 4)
    path = np.exp(-(((x - 0.36 - 0.02 * swell) / (0.03 + 0.16 * (y - 0.375))) ** 2))
    water = mix(_c(38, 92, 150), _c(92, 164, 180), np.clip(0.5 + 1.2 * swell, 0, 1))
    water = mix(
        water, _c(150, 104, 170), smoothstep(0.1, 0.5, fbm(table, x * 3 + 9, y * 20, 3)) * 0.8
    )
    water = mix(water, _c(255, 206, 110), np.clip(path * (0.55 + swell), 0, 1))
    picture = np.where(sea[..., None], water, picture)
    for cx, foot, size, sail in (
        (0.70, 0.475, 0.150, _c(206, 74, 46)),
        (0.83, 0.445, 0.105, _c(244, 224, 176)),
        (0.57, 0.425, 0.070, _c(226, 132, 56)),
        (0.17, 0.430, 0.080, _c(240, 216, 170)),
        (0.93, 0.505, 0.135, _c(228, 150, 60)),
    ):
        t = (foot - y) / size
        lift = (x - cx) / size
        wide = 0.52 * (1 - t / 2.1) * (1 - 0.3 * t)
        canvas = (t > 0.12) & (t < 2.0) & (lift > -0.30 * wide) & (lift < wide)
        tone = mix(
            sail, _c(96, 62, 128), smoothstep(0.1, 0.9, lift / np.maximum(wide, 1e-3)) * 0.65
        )
        picture = np.where(canvas[..., None], tone, picture)
        hull = (np.abs(t) < 0.11) & (np.abs(lift) < 0.55 + t)
        picture = np.where(hull[..., None], _c(52, 36, 74), picture)
        below = (
            (t < -0.1)
            & (t > -1.7)
            & (np.abs(lift + 0.10 * np.sin(t * 19) - 0.1) < 0.30 * (1 + t / 2))
        )
        picture = np.where(
            below[..., None], mix(picture, sail * 0.8, 0.62 * np.ones_like(x)), picture
        )
    quay = 0.60 - 0.12 * x + 0.008 * np.sin(x * 40)
    stone = mix(
        _c(232, 176, 120), _c(150, 110, 158), smoothstep(-0.15, 0.3, fbm(table, x * 9, y * 30, 3))
    )
    stone = mix(stone, _c(70, 84, 140), smoothstep(0.02, 0.0, y - quay) * 0.8)
    picture = np.where((y > quay)[..., None], stone, picture)
    for cx, foot, tall in ((0.055, 0.70, 0.62), (0.155, 0.66, 0.40)):
        trunk = (
            (np.abs(x - cx - 0.02 * np.sin(y * 9)) < 0.010) & (y < foot) & (y > foot - 0.7 * tall)
        )
        picture = np.where(trunk[..., None], _c(86, 52, 78), picture)
        crown = np.hypot((x - cx) / (0.34 * tall), (y - foot + 0.72 * tall) / (0.36 * tall))
        crown = crown + 0.55 * fbm(table, x * 13 + cx * 40, y * 13, 4)
        leaf = mix(
            _c(40, 96, 84),
            _c(176, 190, 76),
            smoothstep(-0.4, 0.5, fbm(table, x * 22, y * 22, 3) + 2.2 * (x - cx)),
        )
        picture = np.where((crown < 0.95)[..., None], leaf, picture)
    for cx, tall, dress in (
        (0.44, 0.085, _c(190, 40, 62)),
        (0.475, 0.092, _c(40, 48, 104)),
        (0.66, 0.078, _c(240, 232, 214)),
        (0.80, 0.098, _c(64, 54, 110)),
        (0.27, 0.10, _c(120, 62, 130)),
        (0.845, 0.088, _c(222, 120, 60)),
    ):
        foot = 0.66 - 0.12 * cx
        t = (foot - y) / tall
        skirt = (t > 0) & (t < 0.8) & (np.abs(x - cx) < tall * (0.24 - 0.17 * t))
        head = np.hypot(x - cx, y - foot + 0.88 * tall) < tall * 0.085
        shade = (
            (y > foot - 0.004)
            & (np.abs(y - foot - 0.10 * (x - cx)) < 0.007)
            & (x > cx)
            & (x < cx + 1.1 * tall)
        )
        picture = np.where(
            skirt[..., None],
            mix(dress, _c(30, 26, 66), smoothstep(-0.02, 0.03, x - cx) * 0.6),
            picture,
        )
        picture = np.where(head[..., None], _c(236, 178, 132), picture)
        picture = np.where(shade[..., None], _c(92, 84, 160), picture)
        shelter = (np.hypot((x - cx) / 1.5, y - foot + 1.12 * tall) < tall * 0.21) & (
            y < foot - 1.10 * tall
        )
        picture = np.where((shelter & (dress[0] > 0.6))[..., None], _c(232, 96, 72), picture)
    return picture


def paint(long_side: int) -> Image.Image:
    """Dot it, 3:2, ``long_side`` pixels wide."""
    rng = np.random.default_rng(141)
    table = lattice(rng)
    width, height = long_side, round(long_side / 1.5)
    px, py = grid(width, height)
    picture = _compose(table, px / width, py / width)
    unit = long_side / 1024
    over = 2
    sheet = Image.new("RGB", (width * over, height * over), (236, 222, 196))
    pen = ImageDraw.Draw(sheet)
    for spacing, radius, divide in (
        (8.0, 5.6, 0.07),
        (6.4, 4.0, 0.10),
        (6.0, 3.3, 0.14),
        (6.6, 2.5, 0.20),
    ):
        step = spacing * unit
        columns, rows = int(width / step) + 1, int(height / step) + 1
        gx, gy = np.meshgrid(np.arange(columns), np.arange(rows))
        spots = np.stack([gx.ravel() + 0.5 * (gy.ravel() % 2), gy.ravel()], 1).astype(np.float32)
        spots = (spots + rng.uniform(-0.42, 0.42, spots.shape)) * step
        spots = spots[rng.permutation(len(spots))]
        tone = resample(picture, spots[:, 0], spots[:, 1])
        # Divide each colour: turn its hue about the gray axis, some dots to the complement.
        gray = tone.mean(1, keepdims=True)
        spread = rng.normal(0, divide, tone.shape)
        vivid = gray + (tone - gray) * 1.35 + spread - spread.mean(1, keepdims=True)
        opposite = rng.random((len(tone), 1)) < 0.45 * divide
        vivid = np.where(opposite, gray * 1.05 - (tone - gray) * 0.9, vivid) + rng.normal(
            0, 0.035, (len(tone), 1)
        )
        inks = (np.clip(vivid, 0.03, 0.97) * 255).astype(int).tolist()
        sizes = radius * unit * rng.uniform(0.78, 1.15, len(tone)) * over
        squash = rng.uniform(0.82, 1.0, len(tone))
        for (cx, cy), ink, r, flat in zip(
            (spots * over).tolist(), inks, sizes.tolist(), squash.tolist(), strict=True
        ):
            pen.ellipse((cx - r, cy - r * flat, cx + r, cy + r * flat), fill=tuple(ink))
    art = np.asarray(sheet, np.float32) / 255
    level = art @ np.array([0.3, 0.6, 0.1], np.float32)
    dy, dx = np.gradient(level)
    relief = 1 - 0.35 * np.clip(dx + dy, -0.3, 0.3)
    x, y = grid(width * over, height * over)
    cloth = 1 + 0.020 * np.sin(x * 1.6 / unit) * np.sin(y * 1.6 / unit)
    return to_image(scaled(np.clip(art * (relief * cloth)[..., None], 0, 1), width, height))
