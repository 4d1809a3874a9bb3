"""Cutting a picture into tiles so that their gradients make up that of the whole, exactly.

The statistics of a style loss are sums over positions, so those of the tiles add up to those of the
picture; from them follows what each position's features are pulled by. The pull reaches a pixel
through the positions that see it, which lie around its tile: so a tile is looked at with a margin,
and the inner part of its gradient is kept (Galerne et al. 2022, SPST, arXiv 2212.13459, §4).

That holds as long as the network does the same in a tile as in the whole picture: tiles and margins
begin at multiples of the deepest layer's stride, and at the picture's own border there is no
margin, but the network's padding. Where the picture closes, what lies beyond the border is what
lies at the other side, and its length is such a multiple.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from styleengine.networks.extractor import OPEN, Geometry, Wrap

LEEWAY = 1.05
"""How much more spans may look at for all to look at as much."""
DEEP = 38
"""Radius from which a layer's outermost positions hardly pull at a tile any more: relu4_2's."""


@dataclass(frozen=True)
class Span:
    """A tile along one axis: it covers ``start`` to ``stop`` and looks at ``before`` to ``after``.

    All are pixels of the picture; ``stop`` and ``after`` are exclusive. Of a picture that closes
    (``around``) it may look beyond the ends.
    """

    before: int
    start: int
    stop: int
    after: int
    around: bool = False

    @property
    def inner(self) -> slice:
        """What the tile covers, in the picture."""
        return slice(self.start, self.stop)

    def within(self, stride: int = 1) -> slice:
        """What the tile covers, in a map of the outer part at ``stride``."""
        return slice((self.start - self.before) // stride, (self.stop - self.before) // stride)

    def seen(self, values: Tensor, axis: int, stride: int = 1) -> Tensor:
        """What the tile looks at, of a map of the whole picture at ``stride`` along an axis."""
        start, stop, length = self.before // stride, self.after // stride, values.shape[axis]
        if not self.around or (start >= 0 and stop <= length):
            return values.narrow(axis, start, min(stop, length) - start)
        around = torch.arange(start, stop, device=values.device) % length
        return values.index_select(axis, around)


@dataclass(frozen=True)
class Tile:
    """A rectangle of a picture and the margin around it."""

    rows: Span
    columns: Span

    @property
    def looked_at(self) -> int:
        """Pixels that the tile looks at."""
        return math.prod(span.after - span.before for span in (self.rows, self.columns))

    def outer(self, image: Tensor) -> Tensor:
        """The part of ``image`` (…, H, W) that the tile looks at."""
        return self.seen(image, 1)

    def inner(self, image: Tensor) -> Tensor:
        """The part of ``image`` (…, H, W) that the tile covers."""
        return image[..., self.rows.inner, self.columns.inner]

    def covered(self, values: Tensor, stride: int = 1) -> Tensor:
        """The covered part of ``values`` (…, h, w), a map of the outer part at ``stride``."""
        return values[..., self.rows.within(stride), self.columns.within(stride)]

    def seen(self, values: Tensor, stride: int) -> Tensor:
        """The outer part of ``values`` (…, h, w), a map of the whole picture at ``stride``."""
        return self.columns.seen(self.rows.seen(values, -2, stride), -1, stride)

    def closes(self, wrap: Wrap) -> Wrap:
        """Along which axes what the tile looks at closes itself, in a picture that does: those
        where it has no margin."""
        rows, columns = (
            s.before == s.start and s.after == s.stop for s in (self.rows, self.columns)
        )
        return wrap[0] and rows, wrap[1] and columns


def grid(
    size: tuple[int, int], side: int, margin: int, align: int, wrap: Wrap = OPEN
) -> list[Tile]:
    """Tiles of about ``side`` × ``side`` pixels that cover a picture of ``size`` (height, width).

    ``margin`` must be a multiple of ``align``, the deepest layer's stride, as must be the size
    along the axes on which the picture closes.
    """
    rows, columns = (
        spans(n, side, margin, align, closes) for n, closes in zip(size, wrap, strict=True)
    )
    return [Tile(r, c) for r in rows for c in columns]


def spans(length: int, side: int, margin: int, align: int, closes: bool = False) -> list[Span]:
    """Spans of nearly equal size, none longer than ``side`` rounded to ``align``, and a margin.

    Where it costs little they all look at as much, those at the ends at more than their margin:
    then what one tile frees is just what the next one needs.
    """
    count = -(-length // max(side, align))
    ends = [round(i * length / count / align) * align for i in range(count)] + [length]
    inner = [(a, b) for a, b in pairwise(ends) if b > a]
    if closes:
        return [Span(a - margin, a, b, b + margin, True) for a, b in inner]
    least = [Span(max(0, a - margin), a, b, min(length, b + margin)) for a, b in inner]
    reach = max(b - a for a, b in inner) + 2 * margin
    if len(inner) * reach > LEEWAY * sum(s.after - s.before for s in least):
        return least
    last = (length - reach) // align * align
    return [
        Span(last, s.start, s.stop, length)
        if s.before > last
        else Span(s.before, s.start, s.stop, s.before + reach)
        for s in least
    ]


def geometries(
    known: Mapping[str, Geometry], looked_at: Iterable[tuple[str, int]]
) -> list[Geometry] | None:
    """The geometries of what is ``looked_at``: layers, and the side of the means taken there.

    None if one of the layers is not known.
    """
    looked_at = list(looked_at)
    if any(n not in known for n, _ in looked_at):
        return None
    return [Geometry(known[n].stride * pool, known[n].radius) for n, pool in looked_at]


def alignment(layers: Iterable[Geometry]) -> int:
    """What tiles must begin at multiples of: the largest stride; strides are powers of two."""
    return max(g.stride for g in layers)


def margin(layers: Iterable[Geometry], *, exact: bool = False) -> int:
    """Pixels of margin for these layers, a multiple of their alignment.

    Unless ``exact``, layers of a radius from `DEEP` on get a little less than they can reach: with
    real weights the relative error stays below 1e-5, that of float32 itself.
    """
    layers = list(layers)
    align = alignment(layers)
    needed = 1
    for g in layers:
        tight = g.radius >= DEEP and not exact
        needed = max(needed, 2 * g.radius // align * align if tight else g.margin)
    return -(-needed // align) * align


def is_exact(layers: Sequence[Geometry]) -> bool:
    """Whether nothing that the border of a tile's margin does reaches what the tile covers."""
    return margin(layers) >= margin(layers, exact=True)


class Mosaic:
    """A map of the whole picture, put together from what the tiles of a `grid` cover."""

    def __init__(self) -> None:
        self._rows: list[list[Tensor]] = []

    def put(self, tile: Tile, part: Tensor) -> None:
        """Adds the (…, h, w) part of the next tile, in the grid's order."""
        if tile.columns.start == 0:
            self._rows.append([])
        self._rows[-1].append(part)

    def whole(self) -> Tensor:
        """The map (…, H, W)."""
        if len(self._rows) == len(self._rows[0]) == 1:
            return self._rows[0][0]
        return torch.cat([torch.cat(row, -1) for row in self._rows], -2)
