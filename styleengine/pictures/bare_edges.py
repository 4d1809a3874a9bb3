"""What a picture of a painting shows around it: bare canvas, paper, the edge of a frame.

Style statistics take it for a part of the style and put it where it belongs, along the border of
the result. So it is cut off: up to a few hundredths of a side, where the picture changes along the
side as it does nowhere further in.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from styleengine.pictures.picture import Floats, Picture

STRIP = 0.01
"""Width of the strips along a side that are compared, as a share of the picture."""
MOST = 4
"""Strips that may be cut off, and half a one more."""
BEYOND = 3
"""Changes from strip to strip further in that a change is measured by."""
PARTS = 24
"""Strips are compared in so many parts, because canvas often shows along some of a side only."""
JUMP = 4.0
"""How many times as large a change must be. Scans with an edge have 5 to 36 there, and of the sides
of 70 photographs 3 % have more than this."""
FAINT = 2e-5
"""Square of a change that nobody sees."""
LEAST = 100
"""Pixels a side below which nothing is cut off."""


def without_bare_edges(picture: Picture) -> Picture:
    """The picture without what surrounds the painting; itself where nothing does.

    One with transparency has been cut out already, and is left as it is.
    """
    if picture.alpha is not None or min(picture.width, picture.height) < LEAST:
        return picture
    rows, columns = picture.rgb, picture.rgb.transpose(1, 0, 2)
    top, bottom, left, right = (bare(x) for x in (rows, rows[::-1], columns, columns[::-1]))
    if not (top or bottom or left or right):
        return picture
    inner = picture.rgb[top : picture.height - bottom, left : picture.width - right]
    return dataclasses.replace(picture, rgb=inner)


def bare(rows: Floats) -> int:
    """How many of the first rows of (H, W, 3) are not of the painting.

    Half a strip more than where the last jump is, whose edge may be soft or slanting.
    """
    count = max(1, round(STRIP * len(rows)))
    found = changes(rows, count)
    jumps = [
        i for i in range(MOST) if found[i] > JUMP * (found[i + 1 : i + 1 + BEYOND].mean() + FAINT)
    ]
    return (jumps[-1] + 1) * count + (count + 1) // 2 if jumps else 0


def changes(rows: Floats, count: int) -> NDArray[np.floating]:
    """Mean squared differences of the colours of neighbouring strips of ``count`` rows."""
    strips = MOST + BEYOND + 1
    means = rows[: strips * count].reshape(strips, count, *rows.shape[1:]).mean(1)
    parts = [part.mean(1) for part in np.array_split(means, PARTS, axis=1)]
    found: NDArray[np.floating] = np.square(np.diff(np.stack(parts), axis=1)).mean((0, 2))
    return found
