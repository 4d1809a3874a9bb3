"""What the terms add to a loss as sums over places."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from styleengine.loss.term import Found, Local, Term
from styleengine.planning.tiling import Tile


def parts_of(terms: Sequence[Term], x: Tensor, found: Found, tile: Tile) -> list[Local]:
    """Those of all ``terms``, for the outer part ``x`` of a tile, with the features ``found``."""
    return [part for term in terms for part in term.local(x, found, tile)]


def outer_loss(parts: Sequence[Local], like: Tensor) -> Tensor:
    """The differentiable sum () over all that a tile looks at."""
    loss = like.new_zeros(())
    for part in parts:
        loss = loss + part.factor * part.values.sum()
    return loss


def covered_loss(parts: Sequence[Local], tile: Tile, like: Tensor) -> Tensor:
    """The differentiable sum () over what a tile covers."""
    loss = like.new_zeros(())
    for part in parts:
        loss = loss + part.factor * tile.covered(part.values, part.stride).sum()
    return loss


def covered_sum(parts: Sequence[Local], tile: Tile) -> float:
    """The value of that sum."""
    return sum(
        part.factor * float(tile.covered(part.values.detach(), part.stride).sum()) for part in parts
    )
