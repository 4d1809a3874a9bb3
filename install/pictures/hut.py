"""A wooden hut with lit windows, a jetty and a red rowing boat, from textured quads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pictures.field import Array, fbm, lattice, mix, smoothstep
from pictures.valley import SUN, View

Texture = Callable[[Array, Array], Array]
_SUN_LIGHT = np.array([3.3, 1.95, 0.98], np.float32)
_SKY_LIGHT = np.array([0.34, 0.40, 0.52], np.float32)
_TABLE = lattice(np.random.default_rng(77))
_PLACE, _TURN = np.array([-29.5, 1.9, 90.0]), 0.62
_LAMP = np.array([3.4, 1.75, 0.55], np.float32)


def _quad(
    canvas: Array, view: View, corners: list[np.ndarray], texture: Texture, glow: bool = False
) -> None:
    """Paint a flat four-cornered face; ``texture`` gets metres along its two edges."""
    points = np.array(corners, float)
    column, row, _ = view.project(points[:, 0], points[:, 1], points[:, 2])
    x0, x1 = int(max(column.min(), 0)), int(min(column.max() + 2, view.width))
    y0, y1 = int(max(row.min(), 0)), int(min(row.max() + 2, view.height))
    if x0 >= x1 or y0 >= y1:
        return
    # Homography from the picture to the unit square.
    equations = []
    for (u, v), px, py in zip(((0, 0), (1, 0), (1, 1), (0, 1)), column, row, strict=True):
        equations.append([px, py, 1, 0, 0, 0, -u * px, -u * py, u])
        equations.append([0, 0, 0, px, py, 1, -v * px, -v * py, v])
    system = np.array(equations)
    h = np.append(np.linalg.lstsq(system[:, :8], system[:, 8], rcond=None)[0], 1.0)
    y, x = np.mgrid[y0:y1, x0:x1] + 0.5
    w = h[6] * x + h[7] * y + h[8]
    u, v = (h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w
    inside = (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)
    inside &= view.depth[y0:y1, x0:x1] > points[:, 2].min() * 0.99
    across, up = points[1] - points[0], points[3] - points[0]
    normal = np.cross(across, up)
    normal /= np.linalg.norm(normal)
    if normal @ (np.array([0, 8, 0]) - points[0]) < 0:
        normal = -normal
    colour = texture(
        (u * np.linalg.norm(across)).astype(np.float32), (v * np.linalg.norm(up)).astype(np.float32)
    )
    light = max(float(normal @ SUN), 0) * _SUN_LIGHT + (0.65 + 0.35 * normal[1]) * _SKY_LIGHT
    lit = colour[..., :3] * (1 if glow else light)
    if colour.shape[-1] == 4:
        lit = np.where(colour[..., 3:] > 0.5, colour[..., :3] * _LAMP, lit)
    canvas[y0:y1, x0:x1][inside] = lit[inside]


def _planks(base: tuple[float, float, float], board: float, along_u: bool) -> Texture:
    tone = np.array(base, np.float32)

    def texture(u: Array, v: Array) -> Array:
        across, run = (v, u) if along_u else (u, v)
        number = np.floor(across / board)
        seam = smoothstep(0.0, 0.10, np.abs(across / board - number - 0.5) * -1 + 0.5)
        grain = fbm(_TABLE, run * 0.9 + number * 7.7, across * 14, 4)
        shade = 0.75 + 0.5 * (np.sin(number * 12.9) * 0.5 + 0.25) + 0.55 * grain
        return tone * (shade * (0.25 + 0.75 * seam))[..., None]

    return texture


def _windows(
    wall: Texture, panes: list[tuple[float, float, float, float]], lamp: float = 1.0
) -> Texture:
    def texture(u: Array, v: Array) -> Array:
        colour = np.concatenate([wall(u, v), np.zeros((*u.shape, 1), np.float32)], axis=-1)
        for left, low, wide, tall in panes:
            frame = (np.abs(u - left) < wide / 2 + 0.16) & (np.abs(v - low) < tall / 2 + 0.16)
            glass = (np.abs(u - left) < wide / 2) & (np.abs(v - low) < tall / 2)
            bars = (np.abs(u - left) < 0.05) | (np.abs(v - low) < 0.05)
            colour[frame] = (0.42, 0.36, 0.28, 0)
            pane = glass & ~bars
            warm = lamp * (0.55 + 0.45 * (v - low) / tall)
            colour[pane] = np.stack([warm, warm, warm, np.ones_like(warm)], axis=-1)[pane]
        return colour

    return texture


def _shingles(u: Array, v: Array) -> Array:
    course = np.floor(v / 0.32)
    piece = np.floor(u / 0.27 + 0.5 * (course % 2))
    tone = 0.6 + 0.4 * np.sin(piece * 12.99 + course * 78.2)
    edge = smoothstep(0, 0.25, v / 0.32 - course)
    moss = smoothstep(0.05, 0.4, fbm(_TABLE, u * 0.9, v * 0.9 + 4, 4))
    colour = np.array([0.16, 0.12, 0.10], np.float32) * (0.6 + 0.6 * tone)[..., None]
    return (
        mix(colour, np.array([0.13, 0.15, 0.05], np.float32), 0.6 * moss)
        * (0.45 + 0.55 * edge)[..., None]
    )


def _stones(u: Array, v: Array) -> Array:
    lump = fbm(_TABLE, u * 2.6, v * 3.2, 3)
    return np.array([0.27, 0.25, 0.23], np.float32) * (0.75 + 0.9 * lump)[..., None]


def draw(canvas: Array, view: View) -> None:
    """Paint hut, jetty and boat into ``canvas`` (linear RGB), farther faces first."""
    right = np.array([np.cos(_TURN), 0, -np.sin(_TURN)])  # along the long, sunny side
    back = np.array([np.sin(_TURN), 0, np.cos(_TURN)])
    up = np.array([0, 1.0, 0])

    def at(a: float, b: float, c: float) -> np.ndarray:
        return _PLACE + right * a + up * b + back * c

    wood = _planks((0.30, 0.17, 0.085), 0.30, along_u=True)
    boards = _planks((0.27, 0.16, 0.09), 0.24, along_u=False)
    long, deep, wall, ridge = 4.6, 3.2, 3.0, 5.6
    for chimney in (
        [at(2.0, 4.0, 0.9), at(2.9, 4.0, 0.9), at(2.9, 6.6, 0.9), at(2.0, 6.6, 0.9)],
        [at(2.9, 4.0, 0.9), at(2.9, 4.0, 1.8), at(2.9, 6.6, 1.8), at(2.9, 6.6, 0.9)],
    ):
        _quad(canvas, view, chimney, _stones)
    gable = _windows(boards, [(3.2, 1.7, 1.2, 1.2)])
    _quad(
        canvas,
        view,
        [at(long, -0.2, -deep), at(long, -0.2, deep), at(long, wall, deep), at(long, wall, -deep)],
        gable,
    )
    tip = [at(long, ridge, 0.02), at(long, ridge, -0.02)]
    _quad(canvas, view, [at(long, wall, -deep), at(long, wall, deep), *tip], boards)
    front = _windows(wood, [(1.9, 1.75, 1.3, 1.15), (7.2, 1.75, 1.3, 1.15)], lamp=0.30)
    _quad(
        canvas,
        view,
        [
            at(-long, -0.2, -deep),
            at(long, -0.2, -deep),
            at(long, wall, -deep),
            at(-long, wall, -deep),
        ],
        front,
    )
    _quad(
        canvas,
        view,
        [
            at(-0.4, 0.1, -deep - 0.03),
            at(0.75, 0.1, -deep - 0.03),
            at(0.75, 2.2, -deep - 0.03),
            at(-0.4, 2.2, -deep - 0.03),
        ],
        _planks((0.30, 0.07, 0.045), 0.22, along_u=False),
    )
    _quad(
        canvas,
        view,
        [
            at(-long - 0.05, -1.6, -deep - 0.05),
            at(long + 0.05, -1.6, -deep - 0.05),
            at(long + 0.05, 0.15, -deep - 0.05),
            at(-long - 0.05, 0.15, -deep - 0.05),
        ],
        _stones,
    )
    _quad(
        canvas,
        view,
        [
            at(long + 0.05, -1.6, -deep),
            at(long + 0.05, -1.6, deep),
            at(long + 0.05, 0.15, deep),
            at(long + 0.05, 0.15, -deep),
        ],
        _stones,
    )
    eave, low = 0.6, wall - 0.5
    _quad(
        canvas,
        view,
        [
            at(-long - eave, low, -deep - eave),
            at(long + eave, low, -deep - eave),
            at(long + eave, ridge, 0),
            at(-long - eave, ridge, 0),
        ],
        _shingles,
    )
    _quad(
        canvas,
        view,
        [
            at(long + eave, low - 0.05, -deep - eave),
            at(long + eave, low + 0.22, -deep - eave),
            at(long + eave, ridge + 0.1, 0),
            at(long + eave, ridge - 0.2, 0),
        ],
        boards,
    )
    _quad(
        canvas,
        view,
        [
            at(long + eave, low - 0.05, deep + eave),
            at(long + eave, low + 0.22, deep + eave),
            at(long + eave, ridge + 0.1, 0),
            at(long + eave, ridge - 0.2, 0),
        ],
        boards,
    )
    _jetty(canvas, view)


def _jetty(canvas: Array, view: View) -> None:
    deck, post = (
        _planks((0.34, 0.27, 0.20), 0.35, along_u=False),
        _planks((0.20, 0.14, 0.10), 0.5, along_u=False),
    )
    start, end = np.array([-22.5, 0.95, 82.0]), np.array([-8.0, 0.95, 76.5])
    side = np.array([0.62, 0, 1.6])
    for t in np.linspace(0.12, 0.99, 6):
        for edge in (side, 0 * side):
            foot = start + (end - start) * t + edge
            wide, tall = np.array([0.26, 0, 0]), np.array([0, 1.75, 0])
            base = foot - np.array([0.13, 0.95, 0])
            _quad(canvas, view, [base, base + wide, base + wide + tall, base + tall], post)
    _quad(canvas, view, [start, end, end + side, start + side], deck)
    drop = np.array([0, 0.22, 0])
    _quad(canvas, view, [start - drop, end - drop, end, start], post)
    _quad(canvas, view, [end - drop, end + side - drop, end + side, end], post)
    _boat(canvas, view, np.array([-9.5, 0.0, 72.2]), 4.6)


def _boat(canvas: Array, view: View, middle: np.ndarray, length: float) -> None:
    red, inside = (
        _planks((0.46, 0.045, 0.025), 0.16, along_u=True),
        _planks((0.36, 0.24, 0.14), 0.16, along_u=True),
    )
    axis, beam = np.array([0.94, 0, -0.34]), np.array([0.34, 0, 0.94])
    t = np.linspace(-1, 1, 13)
    half = 0.78 * (1 - np.abs(t) ** 2.6)
    sheer = 0.52 + 0.30 * t**2

    def rim(i: int, hand: float) -> np.ndarray:
        return middle + axis * t[i] * length / 2 + beam * hand * half[i] + [0, sheer[i], 0]

    def keel(i: int, hand: float) -> np.ndarray:
        return middle + axis * t[i] * length / 2.2 + beam * hand * half[i] * 0.72 + [0, -0.05, 0]

    white = _planks((0.75, 0.72, 0.66), 9.0, along_u=True)
    for i in range(12):
        _quad(canvas, view, [keel(i, 1), keel(i + 1, 1), rim(i + 1, 1), rim(i, 1)], inside)
    for bench in (4, 7):
        low = np.array([0, -0.15, 0])
        _quad(
            canvas,
            view,
            [
                rim(bench, -1) + low,
                rim(bench + 1, -1) + low,
                rim(bench + 1, 1) + low,
                rim(bench, 1) + low,
            ],
            inside,
        )
    for i in range(12):
        _quad(canvas, view, [keel(i, -1), keel(i + 1, -1), rim(i + 1, -1), rim(i, -1)], red)
        lift = np.array([0, 0.09, 0])
        _quad(
            canvas,
            view,
            [
                rim(i, -1) - lift,
                rim(i + 1, -1) - lift,
                rim(i + 1, -1) + lift * 0.3,
                rim(i, -1) + lift * 0.3,
            ],
            white,
        )
