"""Measures of finished pictures that need no network, as plain functions.

Pictures are (H, W, 3) arrays, sRGB-encoded, 0–1; all sums are float64.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from styleengine.scene.color import LUMA

Array = NDArray[np.floating]
FRAME = 16
"""Width, in pixels, of the frame and of the ring that it is compared with."""
WINDOW, SIGMA = 7, 1.5

_LINEAR_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def luma(rgb: Array) -> Array:
    """Y' of ITU-R BT.601, (H, W)."""
    return np.asarray(rgb, np.float64) @ np.array(LUMA)


def oklab(rgb: Array) -> Array:
    """The colours in OKLab (Ottosson 2020): L, a, b in the last axis."""
    encoded = np.asarray(rgb, np.float64)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _LINEAR_TO_LMS.T) @ _LMS_TO_OKLAB.T


def color_distance(rgb: Array, other: Array) -> tuple[float, float, float]:
    """Wasserstein-1 distance of the two pictures' values, for each channel of OKLab."""
    a, b = oklab(rgb).reshape(-1, 3), oklab(other).reshape(-1, 3)
    first, second, third = (_wasserstein(a[:, k], b[:, k]) for k in range(3))
    return first, second, third


def _wasserstein(a: Array, b: Array) -> float:
    """The area between the two cumulative distributions."""
    a, b = np.sort(a), np.sort(b)
    steps = np.sort(np.concatenate([a, b]))
    below = [np.searchsorted(x, steps[:-1], "right") / len(x) for x in (a, b)]
    return float(np.sum(np.abs(below[0] - below[1]) * np.diff(steps)))


def gradient_correlation(rgb: Array, content: Array) -> float:
    """Correlation of the luma's differences between neighbours, both directions taken together.

    1 where every edge of the content is in its place with its own sign, 0 without any relation.
    """
    a, b = (
        np.concatenate([np.diff(luma(x), axis=k).ravel() for k in (0, 1)]) for x in (rgb, content)
    )
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / max(math.sqrt((a @ a) * (b @ b)), 1e-12))


def psnr(rgb: Array, other: Array) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal pictures."""
    error = float(np.mean((np.asarray(rgb, np.float64) - other) ** 2))
    return -10 * math.log10(error) if error else math.inf


def ssim(rgb: Array, other: Array) -> float:
    """Structural similarity of the lumas (Wang et al. 2004, eq. 13), a mean over whole windows.

    Unlike the paper's, the Gaussian window has 7 pixels a side instead of 11.
    """
    a, b = luma(rgb), luma(other)
    mean_a, mean_b = _blur(a), _blur(b)
    var_a, var_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return float(np.mean(light * (2 * covariance + c2) / (var_a + var_b + c2)))


def _blur(image: Array) -> Array:
    at = np.arange(WINDOW) - WINDOW // 2
    window = np.exp(-(at**2) / (2 * SIGMA**2))
    window /= window.sum()
    rows = np.lib.stride_tricks.sliding_window_view(image, WINDOW, axis=0) @ window
    return np.lib.stride_tricks.sliding_window_view(rows, WINDOW, axis=1) @ window


def frame(rgb: Array, content: Array) -> tuple[float, float]:
    """How much mean and deviation of the luma change towards the border, besides the content's.

    Each is that of the outermost 16 pixels over that of the 16 next to them, divided by the same of
    the content: 1 without a frame, below it for a dark or flat one, above for a bright or busy one.
    """
    ours, base = _border(luma(rgb)), _border(luma(content))
    return ours[0] / base[0], ours[1] / base[1]


def _border(image: Array) -> tuple[float, float]:
    width = min(FRAME, min(image.shape) // 4)
    inside = np.minimum.outer(*(np.minimum(np.arange(n), np.arange(n)[::-1]) for n in image.shape))
    outer, ring = image[inside < width], image[(inside >= width) & (inside < 2 * width)]
    tiny = 1e-6
    return (
        float((outer.mean() + tiny) / (ring.mean() + tiny)),
        float((outer.std() + tiny) / (ring.std() + tiny)),
    )
