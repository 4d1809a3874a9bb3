"""Scalar fields: smooth noise, fractal sums, blurs, resampling and nearest-seed maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]  # nearly always float32

# An irrational-looking rotation between octaves keeps the lattices from lining up.
_TURN = (np.float32(0.8), np.float32(0.6))
_TABLE = 256


def lattice(rng: np.random.Generator) -> Array:
    """Return a 256 x 256 table of random values in -1 to 1 for :func:`noise`."""
    return rng.uniform(-1.0, 1.0, (_TABLE, _TABLE)).astype(np.float32)


def _corners(table: Array, x: Array, y: Array) -> tuple[Array, ...]:
    xf, yf = np.floor(x), np.floor(y)
    i0 = xf.astype(np.int32) & (_TABLE - 1)
    j0 = (yf.astype(np.int32) & (_TABLE - 1)) * _TABLE
    i1 = (i0 + 1) & (_TABLE - 1)
    j1 = (j0 + _TABLE) & (_TABLE * _TABLE - 1)
    flat = table.ravel()
    a, b = flat.take(j0 + i0), flat.take(j0 + i1)
    c, d = flat.take(j1 + i0), flat.take(j1 + i1)
    return x - xf, y - yf, a, b - a, c - a, a - b - c + d


def value_noise(table: Array, x: Array, y: Array) -> Array:
    """Value noise with quintic easing at (x, y), -1 to 1."""
    u, v, a, ba, ca, k = _corners(table, x, y)
    u = u * u * u * (u * (u * 6 - 15) + 10)
    v = v * v * v * (v * (v * 6 - 15) + 10)
    return a + ba * u + v * (ca + k * u)


def noise(table: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """As :func:`value_noise`, with both exact derivatives: (value, d/dx, d/dy)."""
    u, v, a, ba, ca, k = _corners(table, x, y)
    su = u * u * u * (u * (u * 6 - 15) + 10)
    sv = v * v * v * (v * (v * 6 - 15) + 10)
    du = 30 * u * u * (u * (u - 2) + 1)
    dv = 30 * v * v * (v * (v - 2) + 1)
    return a + ba * su + ca * sv + k * su * sv, du * (ba + k * sv), dv * (ca + k * su)


def fbm(
    table: Array, x: Array, y: Array, octaves: int, gain: float = 0.5, ridged: bool = False
) -> Array:
    """Fractal sum of :func:`noise`, about -1 to 1; ``ridged`` folds it into sharp crests."""
    x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
    total = np.zeros(np.broadcast(x, y).shape, np.float32)
    amplitude, norm = 1.0, 0.0
    for octave in range(octaves):
        value = value_noise(table, x, y)
        if ridged:
            value = 1 - 2 * np.abs(value)
        total += np.float32(amplitude) * value
        norm += amplitude
        amplitude *= gain
        x, y = (
            2 * (_TURN[0] * x - _TURN[1] * y) + np.float32(17.3 + octave),
            2 * (_TURN[1] * x + _TURN[0] * y) - np.float32(9.1),
        )
    return total / np.float32(norm)


def eroded(table: Array, x: Array, y: Array, octaves: int) -> Array:
    """Fractal sum whose octaves fade on slopes, which looks like water-worn mountains.

    The damping by the accumulated gradient is Inigo Quilez' ("value noise derivatives", 2008).
    """
    total = np.zeros_like(x)
    gx, gy = np.zeros_like(x), np.zeros_like(x)
    amplitude = np.float32(1.0)
    c, s = np.float32(1.0), np.float32(0.0)  # rotation so far, to turn gradients back
    for _ in range(octaves):
        value, dx, dy = noise(table, x, y)
        gx += c * dx + s * dy
        gy += c * dy - s * dx
        total += amplitude * value / (1 + gx * gx + gy * gy)
        amplitude *= np.float32(0.5)
        x, y = 2 * (_TURN[0] * x - _TURN[1] * y), 2 * (_TURN[1] * x + _TURN[0] * y)
        c, s = c * _TURN[0] - s * _TURN[1], s * _TURN[0] + c * _TURN[1]
    return total


def grid(width: int, height: int) -> tuple[Array, Array]:
    """Pixel-centre coordinates (x, y) of a picture, each of shape (height, width)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return x + np.float32(0.5), y + np.float32(0.5)


def smoothstep(low: float, high: float, value: Array) -> Array:
    """Ease from 0 at ``low`` to 1 at ``high`` (which may be the smaller one)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def mix(a: Array, b: Array, t: Array | float) -> Array:
    """Blend colours ``a`` to ``b`` (channels last) by the channel-less ``t``, 0 to 1."""
    return a + (b - a) * np.asarray(t, np.float32)[..., None]


def blur(field: Array, sigma: float) -> Array:
    """Gaussian blur of a (H, W) or (H, W, C) field, mirrored at the borders."""
    if field.ndim == 3:
        return np.stack([blur(field[..., i], sigma) for i in range(field.shape[2])], axis=-1)
    out = field
    radius = max(1, int(3 * sigma + 0.5))
    for axis in (0, 1):
        size = out.shape[axis]
        pad = [(0, 0), (0, 0)]
        pad[axis] = (min(radius, size - 1),) * 2
        wide = np.pad(out, pad, mode="reflect")
        n = wide.shape[axis]
        freq = np.fft.rfftfreq(n)
        gain = np.exp(-2 * (np.pi * sigma * freq) ** 2)
        gain = gain[:, None] if axis == 0 else gain[None, :]
        soft = np.fft.irfft(np.fft.rfft(wide, axis=axis) * gain, n=n, axis=axis)
        start = pad[axis][0]
        out = soft[start : start + size] if axis == 0 else soft[:, start : start + size]
    return out.astype(np.float32)


def resample(field: Array, x: Array, y: Array) -> Array:
    """Bilinear look-up of ``field`` at pixel coordinates (x, y), clamped at the border."""
    height, width = field.shape[:2]
    x = np.clip(x - np.float32(0.5), 0, width - 1.001)
    y = np.clip(y - np.float32(0.5), 0, height - 1.001)
    i, j = x.astype(np.int32), y.astype(np.int32)
    u, v = x - i, y - j
    if field.ndim == 3:
        u, v = u[..., None], v[..., None]
    flat = field.reshape(height * width, *field.shape[2:])
    i1, j1 = np.minimum(i + 1, width - 1), np.minimum(j + 1, height - 1)
    top = flat[j * width + i] * (1 - u) + flat[j * width + i1] * u
    low = flat[j1 * width + i] * (1 - u) + flat[j1 * width + i1] * u
    return top * (1 - v) + low * v


def nearest(points: Array, width: int, height: int) -> NDArray[np.int32]:
    """Index of the nearest of ``points`` (N, 2) for each pixel, by jump flooding."""
    x, y = grid(width, height)
    owner = np.full((height, width), -1, np.int32)
    px = np.clip(points[:, 0].astype(int), 0, width - 1)
    py = np.clip(points[:, 1].astype(int), 0, height - 1)
    owner[py, px] = np.arange(len(points))
    best = _distance(points, owner, x, y)
    step = 1 << int(np.ceil(np.log2(max(width, height)))) - 1
    # JFA+1: one extra pass of step 1 first removes nearly all of the method's small errors.
    for jump in [1] + [step >> k for k in range(step.bit_length())]:
        source = np.pad(owner, jump, constant_values=-1)
        for dy in (0, jump, 2 * jump):
            for dx in (0, jump, 2 * jump):
                other = source[dy : dy + height, dx : dx + width]
                far = _distance(points, other, x, y)
                closer = far < best
                owner = np.where(closer, other, owner)
                best = np.where(closer, far, best)
    return owner


def _distance(points: Array, owner: NDArray[np.int32], x: Array, y: Array) -> Array:
    found = np.take(points, np.maximum(owner, 0), axis=0)
    far = (found[..., 0] - x) ** 2 + (found[..., 1] - y) ** 2
    return np.where(owner < 0, np.float32(1e12), far).astype(np.float32)


def from_image(image: Image.Image) -> Array:
    """Pillow image as float32 0-1."""
    return np.asarray(image, np.float32) / 255


def to_image(rgb: Array) -> Image.Image:
    """Float32 0-1 picture as a Pillow image (rounded)."""
    return Image.fromarray((np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8))


def scaled(field: Array, width: int, height: int) -> Array:
    """Resize a field of any range with Lanczos (down) or bicubic (up) filtering."""
    if field.ndim == 3:
        planes = [scaled(field[..., i], width, height) for i in range(field.shape[2])]
        return np.stack(planes, axis=-1)
    kind = Image.Resampling.LANCZOS if width < field.shape[1] else Image.Resampling.BICUBIC
    plane = Image.fromarray(np.ascontiguousarray(field, np.float32), mode="F")
    return np.asarray(plane.resize((width, height), kind), np.float32)
