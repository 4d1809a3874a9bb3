"""Which rows of a picture a process holds, and what it needs of the others'.

Pictures of a run are cut into stripes of rows, one for each process, which begin at multiples of
the deepest layer's stride. A process keeps the picture, its gradient and the minimiser's vectors
for its own rows; of what never changes, masks and the photo, it *sees* a margin beside them too, so
that its tiles, whose coordinates begin with what it sees, find all that they look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from styleengine.networks.extractor import OPEN, Wrap
from styleengine.networks.trunk import Trunk
from styleengine.planning import tiling
from styleengine.planning.plan import Plan
from styleengine.planning.tiling import Span, Tile
from styleengine.together.group import ALONE, Group, Rows


class Seen(Protocol):
    """A picture that tiles can be taken from."""

    def outer(self, tile: Tile) -> Tensor:
        """What a tile looks at, (…, h, w)."""
        ...


@dataclass(frozen=True)
class _Widened:
    """A stripe between the rows above and below it, which are put together tile by tile only."""

    parts: tuple[Tensor, ...]

    def outer(self, tile: Tile) -> Tensor:
        before, wanted = 0, []
        for part in self.parts:
            rows = Rows(before, before + part.shape[-2]) & Rows(tile.rows.before, tile.rows.after)
            if rows:
                here = part[..., rows.start - before : rows.stop - before, :]
                wanted.append(tile.columns.seen(here, -1))
            before += part.shape[-2]
        return wanted[0] if len(wanted) == 1 else torch.cat(wanted, -2)


@dataclass(frozen=True)
class _Whole:
    picture: Tensor

    def outer(self, tile: Tile) -> Tensor:
        return tile.outer(self.picture)


DEEPEST = 16
"""Stride of VGG19's deepest layer: no term looks at a picture more coarsely."""


@dataclass(frozen=True)
class Stripe:
    """The part of a picture of ``size`` (h, w) that this process holds.

    ``parts`` are the rows held by each process of the ``group``; ``margin`` is how many rows beside
    its own a process sees; they begin at multiples of ``align``.
    """

    size: tuple[int, int]
    group: Group
    parts: tuple[Rows, ...]
    margin: int = 0
    align: int = DEEPEST

    @classmethod
    def whole(cls, size: tuple[int, int]) -> Stripe:
        """All of a picture, for a process by itself."""
        return cls(size, ALONE, (Rows(0, size[0]),))

    @classmethod
    def of(cls, group: Group, size: tuple[int, int], margin: int, align: int) -> Stripe:
        """The stripe of this process; all are of about the same height, a multiple of ``align``."""
        height, count = size[0], group.size
        ends = [round(k * height / count / align) * align for k in range(count)] + [height]
        parts = tuple(Rows(a, b) for a, b in pairwise(ends))
        return cls(size, group, parts, margin, align)

    @classmethod
    def at_scale(cls, group: Group, plan: Plan, scale: int, trunk: Trunk) -> Stripe:
        """The stripe of this process at a scale of a plan."""
        looked_at = tiling.geometries(trunk.geometry, plan.methods[scale].looked_at) or []
        align = max(tiling.alignment(looked_at), DEEPEST)
        # A term may have a coarser stride than the layers it looks at, and with it a wider margin.
        margin = -(-tiling.margin(looked_at) // align) * align + align
        return cls.of(group, plan.sizes[scale], margin, align)

    @classmethod
    def of_first(cls, group: Group, size: tuple[int, int]) -> Stripe:
        """A picture that the first process holds alone."""
        parts = (Rows(0, size[0]), *[Rows(size[0], size[0])] * (group.size - 1))
        return cls(size, group, parts)

    @property
    def own(self) -> Rows:
        """The rows that this process holds."""
        return self.parts[self.group.rank]

    @cached_property
    def all_seen(self) -> tuple[Rows, ...]:
        """The rows that each process sees."""
        height = self.size[0]
        return tuple(
            Rows(max(0, r.start - self.margin), min(height, r.stop + self.margin))
            for r in self.parts
        )

    @property
    def seen(self) -> Rows:
        """The rows that this process sees."""
        return self.all_seen[self.group.rank]

    def cut(self, picture: Tensor) -> Tensor:
        """The rows held, of a whole picture (…, H, W)."""
        return picture[..., self.own.start : self.own.stop, :]

    def view(self, picture: Tensor) -> Tensor:
        """The rows seen, of a whole picture (…, H, W); the picture itself for one process."""
        if self.group.size == 1:
            return picture
        return picture[..., self.seen.start : self.seen.stop, :]

    def held(self, view: Tensor) -> Tensor:
        """The rows held, of the rows seen (…, h, W)."""
        return view if self.group.size == 1 else view[..., self.own.within(self.seen), :]

    def tiles(self, side: int | None, margin: int, align: int, wrap: Wrap = OPEN) -> list[Tile]:
        """Tiles of ``side`` that cover the rows held, in coordinates of the rows seen.

        ``wrap`` tells along which axes the picture closes, which only a whole one may.
        """
        height, width = self.size
        if self.group.size == 1:
            return tiling.grid(self.size, side or max(self.size), margin, align, wrap)
        if any(wrap) or margin > self.margin:
            raise ValueError(f"tiles of margin {margin} in stripes of margin {self.margin}")
        first, own = self.seen.start, self.own
        rows = [
            Span(
                max(0, own.start + s.start - margin) - first,
                own.start + s.start - first,
                own.start + s.stop - first,
                min(height, own.start + s.stop + margin) - first,
            )
            for s in tiling.spans(len(own), side or max(self.size), margin, align)
        ]
        columns = tiling.spans(width, side or max(self.size), margin, align)
        return [Tile(r, c) for r in rows for c in columns]

    def is_inside(self, tile: Tile) -> bool:
        """Whether what a tile looks at does not reach the border of the picture."""
        height, width = self.size
        first, rows, columns = self.seen.start, tile.rows, tile.columns
        high = first + rows.before > 0 and first + rows.after < height
        return high and columns.before > 0 and columns.after < width

    def place(self, gradient: Tensor, tile: Tile) -> Tensor:
        """Where a tile's part belongs in the rows held, (…, h, W)."""
        if self.group.size == 1:
            return tile.inner(gradient)
        above = self.own.start - self.seen.start
        rows = slice(tile.rows.start - above, tile.rows.stop - above)
        return gradient[..., rows, tile.columns.inner]

    # --- all together -----------------------------------------------------------------------------

    def widened(self, held: Tensor) -> Seen:
        """The rows held (…, h, W) with those of the others that are seen."""
        if self.group.size == 1:
            return _Whole(held)
        sides = (
            tuple(Rows(s.start, r.start) for s, r in zip(self.all_seen, self.parts, strict=True)),
            tuple(Rows(r.stop, s.stop) for s, r in zip(self.all_seen, self.parts, strict=True)),
        )
        above, below = (self.group.rows(held, self.parts, side) for side in sides)
        return _Widened((above, held, below))

    def joined(self, held: Tensor, stride: int = 1) -> Tensor:
        """The rows seen, of a map at ``stride`` of which the rows held are given."""
        if self.group.size == 1:
            return held
        have, want = ([r.at(stride) for r in rows] for rows in (self.parts, self.all_seen))
        return self.group.rows(held, have, want)

    def gathered(self, held: Tensor, stride: int = 1) -> Tensor:
        """The whole map at ``stride``, of which the rows held are given."""
        if self.group.size == 1:
            return held
        have = [r.at(stride) for r in self.parts]
        return self.group.rows(held, have, [Rows(0, self.size[0]).at(stride)] * len(have))

    def gathered_by_first(self, held: Tensor) -> Tensor | None:
        """The whole map, for the first process; None for the others."""
        wanted = [Rows(0, self.size[0]), *[Rows(0, 0)] * (self.group.size - 1)]
        found = self.group.rows(held, self.parts, wanted)
        return None if self.group.rank else found

    def moved(self, held: Tensor, wanted: Sequence[Rows]) -> Tensor:
        """Rows ``wanted`` by each process, of which the rows held are given."""
        return self.group.rows(held, self.parts, wanted)

    def sum(self, view: Tensor) -> float:
        """The sum over the whole of a map (h, W) of which the rows seen are given."""
        return self.group.total(float(self.held(view).sum()))[0]

    def view_of(self, whole: Tensor, stride: int) -> Tensor:
        """The rows seen, of a whole map at ``stride``."""
        if self.group.size == 1:
            return whole
        rows = self.seen.at(stride)
        return whole[..., rows.start : rows.stop, :]
