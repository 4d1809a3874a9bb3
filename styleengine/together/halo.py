"""Maps of a picture in stripes: every process computes its own rows, and gets those beside them as
its neighbours have computed them.

A stripe that is looked at by itself needs a margin twice as wide as the deepest layer sees. One
whose margin is brought up to date after every pooling needs no more than the convolutions up to the
next one see (halo exchange, as in Dryden et al. 2019, arXiv 1903.06681). The gradient by a row goes
the other way: who has looked at it sends what was found to the process whose row it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from styleengine.planning.tiling import Span, Tile
from styleengine.together.group import Rows
from styleengine.together.stripe import Stripe


@dataclass(frozen=True)
class Halo:
    """The rows of a ``stripe``, and those of its margin, which others hold.

    The margin is a multiple of every map's stride, and no wider than any stripe.
    """

    stripe: Stripe

    def tile(self, first: int = 0) -> Tile:
        """The stripe and its margin, in the coordinates of a picture that begins at row ``first``
        of the whole one."""
        own, seen, width = self.stripe.own, self.stripe.seen, self.stripe.size[1]
        before, start, stop, after = (
            row - first for row in (seen.start, own.start, own.stop, seen.stop)
        )
        return Tile(Span(before, start, stop, after), Span(0, 0, width, width))

    def widened(self, held: Tensor, stride: int = 1) -> Tensor:
        """Rows held of a map (1, C, h, w) at ``stride`` with the margin; differentiable."""
        wide: Tensor = _Widened.apply(held, self, stride)  # type: ignore[no-untyped-call]
        return wide

    def renewed(self, seen: Tensor, stride: int) -> Tensor:
        """A map (1, C, h, w) of what is seen, with the margin as its owners have it."""
        own = self.stripe.own.at(stride).within(self.stripe.seen.at(stride))
        return self.widened(seen[..., own, :], stride)

    def moved(self, held: Tensor, stride: int) -> Tensor:
        """As `widened`."""
        rows, back = _in_rows(held)
        return back(self.stripe.joined(rows, stride))

    def moved_back(self, gradient: Tensor, stride: int) -> Tensor:
        """The gradient by the rows held, from that by them and the margin."""
        stripe, rank = self.stripe, self.stripe.group.rank
        parts, ends = stripe.parts, stripe.all_seen
        nothing = Rows(0, 0)
        above = [Rows(seen.start, own.start) for own, seen in zip(parts, ends, strict=True)]
        below = [Rows(own.stop, seen.stop) for own, seen in zip(parts, ends, strict=True)]
        rows, back = _in_rows(gradient)
        seen, mine = stripe.seen.at(stride), stripe.own.at(stride)
        found = rows[..., mine.within(seen), :].clone()
        for sent, due in ((above, [*above[1:], nothing]), (below, [nothing, *below[:-1]])):
            have, want = ([r.at(stride) for r in each] for each in (sent, due))
            held = rows[..., have[rank].within(seen), :]
            got = stripe.group.rows(held, have, want)
            if place := want[rank]:
                found[..., place.within(mine), :] += got
        return back(found)


class _Widened(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, held: Tensor, halo: Halo, stride: int) -> Tensor:
        ctx.halo, ctx.stride = halo, stride
        return halo.moved(held, stride)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.halo.moved_back(gradients[0], ctx.stride), None, None


def _in_rows(x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """A map (1, C, h, w) as (…, h, n), as it lies in memory, and the way back from some rows."""
    _, channels, _, width = x.shape
    if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
        return x.contiguous(), lambda rows: rows

    def back(rows: Tensor) -> Tensor:
        return rows.view(1, -1, width, channels).permute(0, 3, 1, 2)

    return x.permute(0, 2, 3, 1).flatten(2), back
