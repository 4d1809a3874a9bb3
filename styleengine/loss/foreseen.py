"""The statistics of a picture foretold from a small sample of it, so that one pass over its tiles
does: as each tile gives its own, it is already pulled by what all will have given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from styleengine.loss.moments import Moments
from styleengine.loss.totals import Totals
from styleengine.networks.extractor import Geometry
from styleengine.planning import tiling
from styleengine.planning.tiling import Span, Tile
from styleengine.together.group import Rows
from styleengine.together.stripe import DEEPEST, Stripe

BLOCK, PERIOD = 64, 320
"""Side of the squares looked at and their distance, in pixels: they lie at the same places of a
picture however that is cut into tiles and stripes."""
TOP, STEP = 128, 112
"""Rows above the first squares, and how far each row of them is moved along, against what repeats
on photos."""
FEWEST = 64
"""Squares below which a picture is gone over twice."""
MOST_WORK = 0.35
"""Pixels that the sample may look at, as a share of the picture's."""
RARE = 0.5
"""How far the sample's share of a region may be from its share of the picture."""
TINY = 1e-12


@dataclass(frozen=True)
class Known:
    """Statistics at the picture evaluated last: of the whole, and of the sample."""

    whole: Totals
    sample: Totals


def sample(stripe: Stripe, geometries: Sequence[Geometry]) -> list[Tile]:
    """The parts of the sample within the rows held, as tiles; none where it does not pay."""
    align, margin = tiling.alignment(geometries), tiling.margin(geometries)
    height, width = stripe.size
    places = _places(stripe.size)
    work = len(places) * (BLOCK + 2 * margin) ** 2
    of_each = [any(Rows(y, y + BLOCK) & part for y, _ in places) for part in stripe.parts]
    if not tells(stripe.size) or work > MOST_WORK * height * width or DEEPEST % align:
        return []
    if not all(of_each):
        return []
    first, found = stripe.seen.start, []
    for y, x in places:
        rows = Rows(y, y + BLOCK) & stripe.own
        if rows:
            above, below = max(0, rows.start - margin), min(height, rows.stop + margin)
            left, right = max(0, x - margin), min(width, x + BLOCK + margin)
            span = Span(above - first, rows.start - first, rows.stop - first, below - first)
            found.append(Tile(span, Span(left, x, x + BLOCK, right)))
    return found


def _places(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Top and left of each square in a picture of ``size`` (h, w)."""
    height, width = size
    return [
        (y, x)
        for row, y in enumerate(range(TOP, height - BLOCK + 1, PERIOD))
        for x in range(row * STEP % PERIOD, width - BLOCK + 1, PERIOD)
    ]


def tells(size: tuple[int, int]) -> bool:
    """Whether a picture of ``size`` (h, w) is large enough for its sample to tell of it."""
    return len(_places(size)) >= FEWEST


def share_of(size: tuple[int, int]) -> float:
    """The sample's part of a picture of ``size`` (h, w)."""
    return len(_places(size)) * BLOCK**2 / (size[0] * size[1])


def foreseen(known: Known | None, now: Totals | None, size: tuple[int, int]) -> Totals | None:
    """The statistics of the whole picture of ``size`` (h, w), from those of the sample ``now``.

    They are the last ones of the whole, and what those of the sample have changed by since. None
    where that cannot be said: at first, of statistics that are no `Moments`, and of regions of
    which the sample shows too little or too much.
    """
    if known is None or now is None:
        return None
    share = share_of(size)
    found: Totals = {}
    for term, whole in known.whole.items():
        found[term] = {}
        for key, last in whole.items():
            before, after = known.sample[term][key], now[term][key]
            if not (isinstance(last, Moments) and isinstance(before, Moments)):
                return None
            seen = float(before.count) / max(float(last.count), TINY)
            if not RARE * share < seen < share / RARE:
                return None
            changes = zip(last.tensors(), before.tensors(), after.tensors(), strict=True)
            found[term][key] = last.like([w + (b - a) / seen for w, a, b in changes])
    return found
