"""Second photograph: fruit and a jug on a worn table beside a window, traced by rays."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pictures.field import Array, blur, fbm, lattice, mix, scaled, smoothstep, to_image
from pictures.fruit import Body, arrange, rgb
from pictures.lake import develop

# Centimetres; x right, y up from the table top, z away from the camera.
_EYE = np.array([0.5, 23.0, -74.0], np.float32)
_TILT, _FOCAL = 0.215, 1.42  # looking down a little; focal length in picture widths
_LAMP = np.array([-66.0, 58.0, -44.0], np.float32)  # the window's middle
_LAMP_SIZE = 0.42  # its half-width as an angle's tangent
_WINDOW = np.array([2.1, 1.83, 1.46], np.float32)
_ROOM = np.array([0.125, 0.130, 0.150], np.float32)
_WALL_Z = 34.0


def _dot(a: Array, b: Array) -> Array:
    return np.einsum("...i,...i->...", a, b)


def _rays(width: int, height: int) -> Array:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u = (x + 0.5 - width / 2) / (width * _FOCAL)
    v = (height / 2 - y - 0.5) / (width * _FOCAL)
    c, s = np.float32(np.cos(_TILT)), np.float32(np.sin(_TILT))
    ray = np.stack([u, v * c - s, c + v * s], axis=-1)
    return ray / np.linalg.norm(ray, axis=-1, keepdims=True)


def _occluders(bodies: list[Body]) -> Array:
    return np.array(
        [
            (b.place[0] + x, b.place[1] + y, b.place[2] + z, r)
            for b in bodies
            for x, y, z, r in b.balls
        ],
        np.float32,
    )


def _light(point: Array, normal: Array, balls: Array) -> tuple[Array, Array]:
    """Soft window light (0-1) and open room (0-1) at points (N, 3)."""
    to_lamp = _LAMP - point
    far = np.linalg.norm(to_lamp, axis=-1, keepdims=True)
    ray = to_lamp / far
    lit = np.clip((_dot(normal, ray) + 0.32) / 1.32, 0, 1) ** 1.7
    open_room = 0.5 + 0.5 * normal[:, 1]
    shade = np.ones(len(point), np.float32)
    for bx, by, bz, r in balls:
        gap = np.array([bx, by, bz], np.float32) - point
        along = _dot(gap, ray)
        d2 = _dot(gap, gap)
        miss = np.sqrt(np.maximum(d2 - along * along, 0))
        soft = smoothstep(-1.0, 1.0, (miss - r) / np.maximum(along * _LAMP_SIZE, 0.15))
        shade *= np.where(along > 0, soft, 1)
        d = np.sqrt(d2) + 1e-3
        # Analytic sphere occlusion (Quilez): cosine towards the ball times its solid angle.
        block = np.clip(_dot(normal, gap) / d, 0, 1) * np.minimum(r * r / d2, 1)
        open_room *= 1 - block
    return lit * shade, open_room


def _table_top(table: Array, x: Array, z: Array) -> tuple[Array, Array]:
    """Wood of the table: colour and polish."""
    plank = np.floor((z + 3 * np.sin(x * 0.005)) / 9.5)
    seam = np.abs((z / 9.5) - plank - 0.5) * 2
    rings = fbm(table, x * 0.018 + plank * 7.3, z * 0.55 + plank * 3.1, 4)
    grain = fbm(table, x * 0.10 + plank * 11, z * 4.5, 4)
    tone = mix(
        rgb(0.095, 0.048, 0.026),
        rgb(0.275, 0.158, 0.085),
        np.clip(0.5 + 0.9 * rings + 0.45 * grain, 0, 1),
    )
    knots = np.hypot((x / 26 + plank * 0.37) % 1 - 0.5, ((z / 9.5 - plank) - 0.5) * 0.7)
    tone = tone * (0.45 + 0.55 * smoothstep(0.02, 0.07, knots + 0.02 * grain))[..., None]
    scratch = smoothstep(0.5, 0.62, fbm(table, x * 0.30 + z * 0.5, z * 2.8 - x * 0.1, 3))
    tone = mix(tone, rgb(0.36, 0.25, 0.155), 0.45 * scratch)
    tone = tone * (0.18 + 0.82 * smoothstep(1.0, 0.95, seam))[..., None]
    return tone, 0.30 * (1 - scratch) * smoothstep(1.0, 0.93, seam) * (0.6 + 0.5 * grain)


def _wall(table: Array, x: Array, y: Array) -> Array:
    """Old lime plaster with the window's light fading across it."""
    age = fbm(table, x * 0.030, y * 0.030, 6)
    trowel = fbm(table, x * 0.16 + 2 * age, y * 0.42, 5)
    tone = mix(rgb(0.085, 0.125, 0.125), rgb(0.255, 0.245, 0.185), np.clip(0.5 + 1.1 * age, 0, 1))
    tone = mix(
        tone,
        rgb(0.30, 0.17, 0.09),
        smoothstep(0.0, 0.55, fbm(table, x * 0.05 + 9, y * 0.05, 6, gain=0.6)) * 0.7,
    )
    crack = smoothstep(0.012, 0.0, np.abs(fbm(table, x * 0.09 + 40, y * 0.09, 6))) * 0.22
    crack = crack * smoothstep(0.0, 0.3, age)
    beam = np.exp(-(((x + 26 - 0.55 * (y - 10)) / 34) ** 2))
    return tone * ((1 + 0.45 * trowel - crack) * (0.20 + 1.15 * beam))[..., None]


def _trace(ray: Array, bodies: list[Body]) -> tuple[Array, Array]:
    """Distance to the first body and its number (-1: none), each body in its own window."""
    height, width = ray.shape[:2]
    depth = np.full((height, width), np.inf, np.float32)
    owner = np.full((height, width), -1, np.int32)
    for number, body in enumerate(bodies):
        middle = np.array(body.place, np.float32) + ((0, 12, 0) if number == 0 else (0, 0, 0))
        gap = middle - _EYE
        along = _dot(ray, gap)
        near = (gap @ gap) - along * along < body.radius**2
        if not near.any():
            continue
        r = ray[near]
        reach = np.sqrt(body.radius**2 - ((gap @ gap) - along[near] ** 2))
        t, last = along[near] - reach, along[near] + reach
        start = _EYE - np.array(body.place, np.float32)
        for _ in range(22):
            p = start + r * t[:, None]
            t = t + 0.85 * body.shape(p[:, 0], p[:, 1], p[:, 2])
            t = np.minimum(t, last + 1)
        p = start + r * t[:, None]
        found = (
            (body.shape(p[:, 0], p[:, 1], p[:, 2]) < 0.05)
            & (t < depth[near])
            & (p[:, 1] > -body.place[1])
        )
        spot = np.flatnonzero(near.ravel())[found]
        depth.ravel()[spot], owner.ravel()[spot] = t[found], number
    return depth, owner


def _shade_body(
    body: Body, number: int, point: Array, ray: Array, balls: Array, ids: Array
) -> Array:
    local = (point - np.array(body.place, np.float32)).T
    e = 0.03
    base = body.shape(*local)
    normal = np.stack(
        [
            body.shape(local[0] + e, local[1], local[2]) - base,
            body.shape(local[0], local[1] + e, local[2]) - base,
            body.shape(local[0], local[1], local[2] + e) - base,
        ],
        axis=-1,
    )
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
    albedo = body.skin(*local)
    lit, room = _light(point, normal, balls[ids != number])
    view = -ray
    lamp = _LAMP - point
    lamp /= np.linalg.norm(lamp, axis=-1, keepdims=True)
    half = lamp + view
    half /= np.linalg.norm(half, axis=-1, keepdims=True)
    # A window's reflection is a patch with a cross bar, not a point.
    shine = np.clip(_dot(normal, half), 0, 1) ** body.sharp * lit
    rim = (1 - np.clip(_dot(normal, view), 0, 1)) ** 4
    bounce = np.clip(-normal[:, 1], 0, 1)[:, None] * rgb(0.16, 0.085, 0.04)
    colour = albedo * (lit[:, None] * _WINDOW + room[:, None] * _ROOM * 2.2 + bounce)
    return colour + (body.gloss * (shine * 1.5 + 0.16 * rim * room))[:, None] * _WINDOW * 0.62


def paint(long_side: int) -> Image.Image:
    """Take the photograph, 3:2, ``long_side`` pixels wide."""
    rng = np.random.default_rng(90)
    table = lattice(rng)
    width, height = long_side, round(long_side / 1.5)
    ray = _rays(round(width * 1.5), round(height * 1.5))
    bodies = arrange(table)
    balls = _occluders(bodies)
    ids = np.array([i for i, b in enumerate(bodies) for _ in b.balls])
    depth, owner = _trace(ray, bodies)
    picture = np.zeros((*depth.shape, 3), np.float32)
    down = -_EYE[1] / np.minimum(ray[..., 1], -1e-4)
    back = (_WALL_Z - _EYE[2]) / ray[..., 2]
    on_table = (owner < 0) & (ray[..., 1] < 0) & (down < back)
    on_wall = (owner < 0) & ~on_table
    p = _EYE + ray[on_wall] * back[on_wall][:, None]
    plaster = _wall(table, p[:, 0], p[:, 1])
    _, room = _light(p, np.broadcast_to(rgb(0, 0, -1), p.shape), balls[:6])
    picture[on_wall] = plaster * (0.35 + 1.0 * np.clip(room * 2, 0, 1))[:, None] * 1.35
    p = _EYE + ray[on_table] * down[on_table][:, None]
    wood, polish = _table_top(table, p[:, 0], p[:, 2])
    up = np.broadcast_to(rgb(0, 1, 0), p.shape)
    lit, room = _light(p, up, balls)
    picture[on_table] = wood * (lit[:, None] * _WINDOW * 1.45 + room[:, None] * _ROOM * 2)
    for number, body in enumerate(bodies):
        mine = owner == number
        if mine.any():
            point = _EYE + ray[mine] * depth[mine][:, None]
            picture[mine] = _shade_body(body, number, point, ray[mine], balls, ids)
    # Polished wood mirrors what stands on it, blurred by its grain.
    mirror = ray[on_table] * rgb(1, -1, 1)
    seen = _mirror(p, mirror, bodies, balls, ids, picture, depth, owner)
    fresnel = 0.04 + 0.5 * (1 - np.clip(mirror[:, 1], 0, 1)) ** 5
    picture[on_table] += seen * (fresnel * np.clip(polish, 0, 1) * 3.0)[:, None]
    glow = blur(np.clip(scaled(picture, width, height) - 0.9, 0, 4), 6 * long_side / 1024)
    return to_image(develop(scaled(picture, width, height) * 1.0 + 0.10 * glow, rng))


def _mirror(
    point: Array,
    ray: Array,
    bodies: list[Body],
    balls: Array,
    ids: Array,
    picture: Array,
    depth: Array,
    owner: Array,
) -> Array:
    """Rough reflections: the nearest stand-in ball's mean colour, else the wall's."""
    best = np.full(len(point), 1e9, np.float32)
    out = np.broadcast_to(rgb(0.22, 0.21, 0.17), point.shape).copy()
    means = [
        picture[owner == i].mean(0) if (owner == i).any() else rgb(0, 0, 0)
        for i in range(len(bodies))
    ]
    for (bx, by, bz, r), number in zip(balls, ids, strict=True):
        gap = np.array([bx, by, bz], np.float32) - point
        along = _dot(gap, ray)
        miss2 = _dot(gap, gap) - along * along
        hit = (miss2 < r * r) & (along > 0)
        t = along - np.sqrt(np.maximum(r * r - miss2, 0))
        closer = hit & (t < best)
        best = np.where(closer, t, best)
        out[closer] = means[number]
    return out
