"""The lake photograph: an evening view, ray-cast, planted, mirrored and developed like a raw."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pictures import foreground, hut, sky, valley
from pictures.conifer import Nursery
from pictures.field import Array, fbm, lattice, mix, noise, scaled, smoothstep, to_image

_SUN_LIGHT = np.array([3.3, 1.95, 0.98], np.float32)
_SKY_LIGHT = np.array([0.27, 0.36, 0.56], np.float32)
_SPRUCE = np.array([0.075, 0.115, 0.040], np.float32)
_LARCH = np.array([0.46, 0.25, 0.03], np.float32)
_TALL_TREE = 560


def haze(rgb: Array, depth: Array, right: Array, y: Array) -> Array:
    """Aerial perspective, thicker near the water, warmer towards the sun."""
    thickness = depth / 9500 * (0.42 + 1.2 * np.exp(-np.maximum(y, 0) / 150))
    amount = 1 - np.exp(-(thickness**1.15) * 1.25)
    warm = np.clip(0.5 - right * 0.9, 0, 1)
    air = mix(
        np.array([0.36, 0.44, 0.62], np.float32), np.array([0.86, 0.60, 0.46], np.float32), warm
    )
    return mix(rgb, air, amount)


def _ground(world: valley.Valley, view: valley.View) -> Array:
    """Sunlit rock, snow, meadow, forest floor and beach (linear RGB) where the view hits ground."""
    hit = np.isfinite(view.depth)
    z, x, inland = view.depth[hit], view.x[hit], view.inland[hit]
    y, _, stone = world.height(x, z)
    sx, sz = world.look_up(world.slope_x, x, z), world.look_up(world.slope_z, x, z)
    steep = np.hypot(sx, sz)
    near = z < 420
    step = 0.02 + z[near] * np.float32(0.0015)
    sx[near] = (world.height(x[near] + step, z[near])[0] - y[near]) / step
    sz[near] = (world.height(x[near], z[near] + step)[0] - y[near]) / step
    rough = smoothstep(0.2, 0.9, steep) * 0.75 + 0.06
    nx, nz = -sx, -sz
    for length in (90, 37, 15, 6):
        seen = rough * smoothstep(600, 200, z / length) * ~near
        _, bx, bz = noise(world.table, x / length, z / length + length)
        nx, nz = nx - seen * bx, nz - seen * bz
    norm = 1 / np.sqrt(nx * nx + nz * nz + 1)
    facing = np.clip((nx * valley.SUN[0] + valley.SUN[1] + nz * valley.SUN[2]) * norm, 0, 1)
    lit = facing * world.look_up(world.sunlit, x, z)
    hollow = world.look_up(world.hollow, x, z)
    grain = fbm(world.table, x / 90, z / 90 + y / 60, 5)
    strata = fbm(world.table, x / 400, y / 22 + x / 300, 4)

    rock = mix(
        np.array([0.085, 0.080, 0.085], np.float32),
        np.array([0.27, 0.225, 0.19], np.float32),
        np.clip(0.5 + 0.7 * grain + 0.5 * strata, 0, 1),
    )
    meadow = mix(
        np.array([0.060, 0.075, 0.020], np.float32),
        np.array([0.20, 0.13, 0.035], np.float32),
        np.clip(0.5 + 1.2 * grain + 0.001 * (y - 300), 0, 1),
    )
    snow = np.array([0.86, 0.90, 0.97], np.float32)
    green = smoothstep(0.95, 0.5, steep + 0.25 * grain) * smoothstep(1050, 500, y + 300 * grain)
    white = smoothstep(640, 1000, y + 260 * grain + 120 * hollow) * smoothstep(
        1.25, 0.75, steep - 0.35 * hollow + 0.2 * strata
    )
    colour = mix(mix(rock, meadow, green), snow, white)
    pebbles = fbm(world.table, x * 2.2, z * 0.9, 4)
    beach = np.array([0.26, 0.23, 0.20], np.float32) * (0.75 + 0.8 * pebbles[:, None])
    wet = 0.40 + 0.60 * smoothstep(0.1, 0.9, inland)
    beach_here = smoothstep(4.0, 1.2, inland + 1.4 * pebbles) * smoothstep(900, 500, z)
    colour = mix(colour, beach * wet[:, None], beach_here)
    boulder = np.array([0.20, 0.185, 0.18], np.float32) * (0.9 + 0.9 * pebbles[:, None])
    colour = mix(colour, boulder * (0.35 + 0.65 * smoothstep(0.02, 0.22, y))[:, None], stone)
    turf = fbm(world.table, x * 1.1, z * 0.8 + 3, 5)
    grassy = smoothstep(300, 60, z) * (1 - beach_here) * (1 - stone)
    colour = colour * (1 + grassy * 1.1 * turf)[:, None]
    open_sky = np.clip(0.82 - 0.45 * hollow, 0.2, 1.2)
    light = lit[:, None] * _SUN_LIGHT + open_sky[:, None] * _SKY_LIGHT
    out = np.zeros((*view.depth.shape, 3), np.float32)
    out[hit] = haze(colour * light, z, x / z, y)
    return out


def _plant(world: valley.Valley, rng: np.random.Generator) -> tuple[Array, ...]:
    """Places of the forest's trees, far to near: x, ground y, z, height, larch share."""
    count = 60_000
    z = np.exp(rng.uniform(np.log(62), np.log(4300), count)).astype(np.float32)
    x = (rng.uniform(-0.58, 0.58, count) * z).astype(np.float32)
    y, inland, _ = world.height(x, z)
    clumps = fbm(world.table, x / 130, z / 130, 4)
    clumps = clumps + 0.5 * fbm(world.table, x / 500 + 5, z / 500, 3)
    steep = np.hypot(world.look_up(world.slope_x, x, z), world.look_up(world.slope_z, x, z))
    line = smoothstep(640, 300, y + 260 * clumps)
    chance = smoothstep(-0.32, 0.22, clumps + 0.14) * line * smoothstep(1.2, 0.75, steep)
    chance *= np.clip(z / 900, 0.05, 1) ** 0.8
    meadow_of_the_hut = (np.hypot(x + 27, (z - 100) / 1.6) < 12.5) | ((z < 125) & (x > -24))
    keep = (rng.random(count) < chance) & (inland > 3.5) & ~meadow_of_the_hut
    tall = np.clip(rng.normal(17, 5, count), 6, 30) * smoothstep(900, 150, y)
    tall *= np.clip(0.55 + inland / 30, 0.55, 1)
    keep &= tall > 3
    gold = smoothstep(-0.05, 0.45, fbm(world.table, x / 90 + 40, z / 90, 3) + 0.0003 * y)
    x[:14] = (-37, -41, -44, -33.5, -39, -46, -49, -35, 31.5, 33, 35, 32.5, 39, -42.5)
    z[:14] = (104, 84, 96, 112, 76, 74, 110, 97, 58, 66, 62, 72, 78, 66)
    tall[:14] = (24, 27, 22, 19, 21, 25, 26, 15, 9, 15, 18, 11, 17, 14)
    keep[:14], gold[:14] = True, 0.3
    y[:14] = world.height(x[:14], z[:14])[0]
    order = np.argsort(-z[keep])
    return tuple(a[keep][order].astype(np.float32) for a in (x, y, z, tall, gold))


def _forest(
    canvas: Array,
    world: valley.Valley,
    view: valley.View,
    nursery: Nursery,
    trees: tuple[Array, ...],
    rng: np.random.Generator,
) -> None:
    """Stamp the trees onto the view, hidden by whatever ground stands before them."""
    x, y, z, tall, gold = trees
    column, row, per_metre = view.project(x, y, z)
    sunlit = world.look_up(world.sunlit, x, z)
    tint = rng.normal(1, 0.16, (len(x), 1)).astype(np.float32)
    veil = haze(np.zeros((len(x), 3), np.float32), z, x / z, y)
    clear = haze(np.ones((len(x), 3), np.float32), z, x / z, y) - veil
    for i in range(len(x)):
        kind = nursery.pick(rng, float(gold[i]) * 0.75)
        size = tall[i] * per_metre[i]
        if size < 3 or not -size < column[i] < view.width + size:
            continue
        stamp = nursery.stamp(kind, float(size))
        h, w = stamp.shape[:2]
        top, left = round(row[i] + 0.03 * size) - h, round(column[i]) - w // 2
        y0, x0 = max(top, 0), max(left, 0)
        y1, x1 = min(top + h, view.height), min(left + w, view.width)
        if y1 <= y0 or x1 <= x0:
            continue
        part = stamp[y0 - top : y1 - top, x0 - left : x1 - left]
        shown = part[..., 3:] * (view.depth[y0:y1, x0:x1, None] > z[i] * 0.985)
        leaf = _LARCH if nursery.golden(kind) else _SPRUCE
        light = part[..., :1] * _SUN_LIGHT * (0.2 + 1.3 * sunlit[i])
        leaf = leaf * tint[i] * (light + part[..., 1:2] * _SKY_LIGHT * 1.25)
        coat = leaf * clear[i] + veil[i] * part[..., 3:]
        canvas[y0:y1, x0:x1] += (shown > 0) * coat - shown * canvas[y0:y1, x0:x1]


def _water(
    world: valley.Valley, view: valley.View, mirror: Array, rng: np.random.Generator
) -> Array:
    """Linear RGB of the lake for all rows under the horizon: Fresnel mix of mirror and depth."""
    focal, horizon = valley.FOCAL * view.width, valley.HORIZON * view.height
    first = int(np.ceil(horizon + 0.5))
    y, x = np.mgrid[first : view.height, 0 : view.width].astype(np.float32)
    below = y + 0.5 - horizon
    z = valley.CAMERA_HEIGHT * focal / below
    wx = (x + 0.5 - view.width / 2) / focal * z
    footprint = z * z / (focal * valley.CAMERA_HEIGHT)
    wind = smoothstep(-0.25, 0.45, fbm(world.table, wx / 60, z / 25 + 5, 4))
    tilt_x, tilt_z = np.zeros_like(z), np.zeros_like(z)
    left_over = np.zeros_like(z)
    for length, height in ((7.0, 0.006), (2.9, 0.009), (1.3, 0.013), (0.6, 0.013), (0.29, 0.010)):
        a = noise(world.table, wx / length + length, z / (0.62 * length))
        seen = smoothstep(0.9, 0.25, footprint / length)
        power = height * (0.35 + 0.9 * wind)
        tilt_x += seen * power * a[1]
        tilt_z += seen * power * a[2]
        left_over += (1 - seen) * power**2
    spread = np.sqrt(left_over)
    total = np.zeros((*z.shape, 3), np.float32)
    ratio = mirror.shape[0] / view.height
    passes = 5
    for _ in range(passes):
        jx = rng.standard_normal(z.shape, np.float32) * spread
        jz = rng.standard_normal(z.shape, np.float32) * spread
        # Facets turned towards the camera show more of themselves: a bias to higher sky.
        jz = 0.75 * jz + 0.25 * np.abs(jz)
        up = np.maximum(below + 2 * focal * (0.25 * np.abs(tilt_z) + 0.75 * tilt_z + jz), 0)
        side = x + 0.5 + focal * (tilt_x + 0.4 * jx) * np.clip(below / view.height * 4, 0.15, 1)
        row, col = ((horizon - up) * ratio).astype(np.int32), (side * ratio).astype(np.int32)
        total += mirror[np.clip(row, 0, mirror.shape[0] - 1), np.clip(col, 0, mirror.shape[1] - 1)]
    total /= passes
    grazing = below / np.sqrt(focal**2 + below**2)
    fresnel = 0.02 + 0.98 * (1 - np.clip(grazing - 0.8 * tilt_z, 0, 1)) ** 5
    deep = np.array([0.012, 0.045, 0.055], np.float32)
    out = np.zeros((view.height, view.width, 3), np.float32)
    out[first:] = mix(deep, total * np.array([0.93, 0.95, 0.96], np.float32), fresnel)
    return out


def develop(linear: Array, rng: np.random.Generator) -> Array:
    """Linear light to a finished sRGB picture 0-1: filmic curve, vignette, a little grain."""
    height, width = linear.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    light = linear * (1 - 0.16 * (x * x + y * y))[..., None] * 0.92
    # Narkowicz' fit of the ACES film curve.
    film = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    film = np.clip(film, 0, 1)
    gray = film @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    film = np.clip(gray[..., None] + (film - gray[..., None]) * 1.22, 0, 1)
    srgb = np.where(film <= 0.0031308, film * 12.92, 1.055 * film ** (1 / 2.4) - 0.055)
    grain = rng.standard_normal((height, width, 1)).astype(np.float32)
    return np.clip(srgb + grain * 0.006, 0, 1).astype(np.float32)


def paint(long_side: int) -> Image.Image:
    """Render the photograph, 3:2, ``long_side`` pixels wide."""
    rng = np.random.default_rng(20)
    width, height = long_side, round(long_side / 1.5)
    world = valley.build(rng)
    big, tall = 2 * width, 2 * height
    heaven = sky.paint_sky(lattice(rng), width, height)
    nursery = Nursery(rng, round(_TALL_TREE * long_side / 1024))
    trees = _plant(world, rng)
    upside = valley.cast(world, width, height, mirrored=True)
    mirror = np.where(np.isfinite(upside.depth)[..., None], _ground(world, upside), heaven)
    _forest(mirror, world, upside, nursery, trees, np.random.default_rng(5))
    hut.draw(mirror, upside)
    view = valley.cast(world, big, tall, mirrored=False)
    canvas = np.where(
        np.isfinite(view.depth)[..., None], _ground(world, view), scaled(heaven, big, tall)
    )
    lake = _water(world, view, mirror, rng)
    below = (np.arange(tall) > valley.HORIZON * tall)[:, None] & ~np.isfinite(view.depth)
    canvas[below] = lake[below]
    _forest(canvas, world, view, nursery, trees, np.random.default_rng(5))
    hut.draw(canvas, view)
    foreground.draw(canvas, world, view, rng)
    return to_image(develop(scaled(canvas, width, height), rng))
