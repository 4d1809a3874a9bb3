"""3×3 convolutions with a quarter of the multiplications: the minimal filtering of Winograd.

Lavin & Gray 2015, *Fast Algorithms for Convolutional Neural Networks* (arXiv 1509.09308), §4.3,
F(4×4, 3×3): a tile of 4 × 4 results comes from 6 × 6 values by ``Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A``,
which takes 36 multiplications for each pair of channels in place of 144. All that is linear here,
so one matrix product serves each of the four steps. A strip of tiles is worked on at a time, small
enough to stay in the processor's cache between the steps.

Worth it where multiplying is what a convolution waits for: float32, many channels. In bfloat16 the
sums of the transforms lose too much (3 % of a map's norm, against 0.2 %).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

TILE = 4
"""Side of a tile of results; it comes from values on a square of two more."""
WORTHWHILE = 64 * 128
"""Pairs of channels from which on it saves time."""
STRIP_BYTES = 4 << 20
"""What one of the two buffers of a strip may take."""

_B = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
"""Bᵀ of the paper."""
_G = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_A = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
"""Aᵀ of the paper."""
_ONES = 7
"""The one of the 36 products that counts once in each result: what is added to it, is to all."""


def transformed(weight: Tensor) -> Tensor:
    """``G g Gᵀ`` of the weights (O, I, 3, 3) of a convolution: (36, I, O), computed in float64."""
    outputs, inputs = weight.shape[:2]
    g = weight.permute(2, 3, 1, 0).reshape(9, -1).double()
    return (_square(_G, g.dtype, g.device) @ g).to(weight.dtype).view(36, inputs, outputs)


def padded_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the padded map for a result of this size: whole tiles, a border of 1."""
    return -(-height // TILE) * TILE + 2, -(-width // TILE) * TILE + 2


def conv_relu(padded: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """``relu(conv(padded) + bias)``: (4 a, 4 b, O) from (4 a + 2, 4 b + 2, I).

    ``kernel`` is `transformed`; maps are contiguous with the channels last.
    """
    down, across = ((n - 2) // TILE for n in padded.shape[:2])
    result = padded.new_empty(down * TILE, across * TILE, kernel.shape[2])
    before, after = (_square(m, padded.dtype, padded.device) for m in (_B, _A))
    for strip, found in _strips(padded, down, across, before, kernel, after, bias):
        place = _squares(result, strip, across, range(4), range(4))
        torch.clamp_min(found, 0, out=place)
    return result


def conv_backward(gradient: Tensor, kernel: Tensor) -> Tensor:
    """The gradient by the padded map of a convolution: (4 a + 2, 4 b + 2, I) from (4 a, 4 b, O).

    The transpose of each step in reverse order, so that it takes the same ``kernel``; where the
    squares of 6 × 6 overlap, it adds up.
    """
    down, across = (n // TILE for n in gradient.shape[:2])
    result = gradient.new_zeros(down * TILE + 2, across * TILE + 2, kernel.shape[1])
    before, after = (_square(m, gradient.dtype, gradient.device).T for m in (_A, _B))
    backward = kernel.transpose(1, 2)
    for strip, found in _strips(gradient, down, across, before, backward, after):
        for rows in (range(4), range(4, 6)):
            for columns in (range(4), range(4, 6)):
                part = found[rows.start : rows.stop, columns.start : columns.stop]
                _squares(result, strip, across, rows, columns).add_(part)
    return result


@cache
def _square(
    matrix: tuple[tuple[float, ...], ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """What a matrix for rows and for columns does to a square laid out as a vector."""
    m = torch.tensor(matrix, dtype=dtype, device=device)
    return torch.kron(m, m)


def _strips(
    x: Tensor,
    down: int,
    across: int,
    before: Tensor,
    kernel: Tensor,
    after: Tensor,
    bias: Tensor | None = None,
) -> Iterator[tuple[range, Tensor]]:
    """Some rows of tiles after the other, and what becomes of their squares of ``x``.

    That is ``after [kernel (before x) + bias]``, (rows, columns, tiles down, across, C), which lies
    in a buffer that the next strip uses again.
    """
    _, inputs, outputs = kernel.shape
    side, wanted = math.isqrt(before.shape[1]), math.isqrt(after.shape[0])
    row = 36 * across * max(inputs, outputs)
    rows = min(down, max(1, STRIP_BYTES // (row * x.element_size())))
    one, other = x.new_empty(2, rows * row)
    for start in range(0, down, rows):
        strip = range(start, min(start + rows, down))
        tiles = len(strip) * across
        squares = _squares(x, strip, across, range(side), range(side))
        seen = one[: squares.numel()].view(squares.shape).copy_(squares)
        values = other[: 36 * tiles * inputs].view(36, -1)
        torch.mm(before, seen.view(side * side, -1), out=values)
        products = one[: 36 * tiles * outputs].view(36, tiles, outputs)
        torch.bmm(values.view(36, tiles, inputs), kernel, out=products)
        if bias is not None:
            products[_ONES] += bias
        found = other[: wanted * wanted * tiles * outputs].view(wanted * wanted, -1)
        torch.mm(after, products.view(36, -1), out=found)
        yield strip, found.view(wanted, wanted, len(strip), across, outputs)


def _squares(x: Tensor, strip: range, across: int, rows: range, columns: range) -> Tensor:
    """Those rows and columns of each tile's square: (rows, columns, tiles down, across, C)."""
    line, pixel, channel = x.stride()
    return x.as_strided(
        (len(rows), len(columns), len(strip), across, x.shape[2]),
        (line, pixel, TILE * line, TILE * pixel, channel),
        (TILE * strip.start + rows.start) * line + columns.start * pixel + x.storage_offset(),
    )
