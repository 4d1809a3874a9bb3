"""Sums and products of vectors as long as a picture.

They are kept in the dtype of the gradient. In float16 they take half the memory, and are worked on
in pieces, so that no float32 copy of a large picture comes to be.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

PIECE = 1 << 22
"""Numbers worked on at a time where the dtypes are not float32, or copies would be made."""


def _pieces(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Corresponding parts of contiguous tensors of equal size."""
    flat = [t.view(-1) for t in tensors]
    length = flat[0].numel()
    piece = length if all(t.dtype == flat[0].dtype != torch.float16 for t in flat) else PIECE
    for start in range(0, length, max(piece, 1)):
        yield tuple(t[start : start + piece] for t in flat)


def _wide(piece: Tensor) -> Tensor:
    return piece.float() if piece.dtype == torch.float16 else piece


def is_finite(a: Tensor) -> bool:
    """Whether all numbers of a contiguous tensor are; takes no more memory than a piece's."""
    return all(bool(torch.isfinite(part).all()) for part in torch.split(a.view(-1), PIECE))


def dot(a: Tensor, b: Tensor) -> float:
    """The inner product of two tensors of equal shape."""
    return sum(float(torch.dot(_wide(p), _wide(q))) for p, q in _pieces(a, b))


def add(a: Tensor, b: Tensor, factor: float = 1.0) -> None:
    """``a += factor · b`` in place; the sum is taken in float32 at least."""
    for p, q in _pieces(a, b):
        p.copy_(_wide(p).add_(_wide(q), alpha=factor))


def scale(a: Tensor, factor: float) -> Tensor:
    """``a *= factor`` in place, which it returns; not rounded in between."""
    for (p,) in _pieces(a):
        p.copy_(_wide(p).mul_(factor))
    return a
