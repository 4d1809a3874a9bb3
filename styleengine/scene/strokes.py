"""How wide the strokes of a style picture are, and how large it must be for strokes of a width."""

from __future__ import annotations

import numpy as np

from styleengine.pictures.picture import LUMA, Picture, fit
from styleengine.scene.pyramid import reduced

LOOKED_AT = 512
"""Long side of the picture that strokes are measured in."""
COARSE = 1 / 16
"""Share of the long side from which on a change of light is no stroke's."""
LEAST, MOST = 0.02, 4.0
"""How large a style picture may get relative to the photo."""
MM = 25.4


def stroke_width(picture: Picture) -> float:
    """About how wide the strokes are, as a share of the picture's long side.

    Twice the distance at which light and dark are half as alike as at none: for stripes and bricks
    of random light, whose likeness falls evenly to nothing over their width, that is their width.
    It is a mean over all directions, of the luma less its coarse changes (by the Wiener–Khinchin
    theorem from its spectrum).
    """
    long_side = max(picture.width, picture.height)
    size = fit(picture.width, picture.height, min(LOOKED_AT, long_side))
    light = reduced((picture.rgb @ np.array(LUMA, np.float32))[..., None], None, size)[..., 0]
    height, width = light.shape
    power = np.abs(np.fft.rfft2(light - light.mean())) ** 2
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    power *= 1 - np.exp(-(y**2 + x**2) * (2 * np.pi * COARSE * max(size) / 2) ** 2 / 2)
    likeness = np.fft.irfft2(power, s=size)
    reach = max(2, min(size) // 4)
    rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) for n in size)
    around = np.rint(np.hypot(rows[:, None], columns[None])).astype(int)
    near = around < reach
    counts = np.bincount(around[near], minlength=reach)
    mean = np.bincount(around[near], likeness[near], minlength=reach) / np.maximum(counts, 1)
    below = np.flatnonzero(mean < mean[0] / 2) if mean[0] > 0 else np.zeros(0, int)
    if not len(below):  # a picture of one colour, or one that changes all over
        return reach / max(size)
    at = int(below[0])
    inside = (mean[at - 1] - mean[0] / 2) / max(mean[at - 1] - mean[at], 1e-12)
    return float(2 * (at - 1 + inside) / max(size))


def size_on_print(style: Picture, photo: Picture, millimetres: float) -> float:
    """How long a ``style`` must be, relative to the long side of ``photo``, for its strokes to be
    that wide where the photo is printed at its resolution.
    """
    assert photo.about.dpi is not None
    printed = max(photo.width, photo.height) / photo.about.dpi[0] * MM
    wanted = millimetres / printed / stroke_width(style)
    return min(max(wanted, LEAST), MOST)
