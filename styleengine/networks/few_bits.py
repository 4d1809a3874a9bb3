"""Tensors of a small network in six and eight bits, for a small file.

Only the weights, and only in the file (Krishnamoorthi 2018, arXiv 1806.08342, §3.1.1): what is
computed with is floating point. Every row of a weight, those of one channel, has its own scale.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".scale"
"""Ends the name of the scales of the tensor that is called as the rest of it."""
MOST, MOST_OF_SIX = 127, 31
"""Largest numbers of a row, in units of its scale."""
LARGE = 100_000
"""Convolutions of more numbers than that are in six bits."""
CUTS = 11
"""How many scales from half of the largest number's upwards are tried for a row in six bits."""


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``tensors`` for a file: large convolutions in six bits, other weights in eight, both with a
    scale (float32) for each row; those of one dimension in half precision.

    Eight bits are int8, and a number is off by at most half a scale, which is the largest of its
    row / `MOST`. Six bits are uint8, where four rows lie in three, see `_pressed`; the scale is the
    one with the least squared error, and the largest numbers may be cut off.
    """
    found = {}
    for name, t in tensors.items():
        if t.dim() < 2:
            found[name] = t.half().contiguous()
            continue
        rows = t.float().flatten(1)
        scale = (rows.abs().amax(1) / MOST).clamp_min(torch.finfo(torch.float32).tiny)
        if t.dim() == 4 and t.numel() > LARGE and t.shape[0] % 4 == 0:
            scale = _best_scale(rows, scale * MOST / MOST_OF_SIX)
            found[name] = _pressed(_steps(rows, scale, MOST_OF_SIX).reshape(t.shape))
        else:
            found[name] = _steps(rows, scale, MOST).reshape(t.shape).contiguous()
        found[name + SCALE] = scale
    return found


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `packed` was given, in float32; a tensor without scales as it is."""
    found = {}
    for name, t in tensors.items():
        if name.endswith(SCALE):
            continue
        scale = tensors.get(name + SCALE)
        if scale is not None:
            t = _freed(t) if t.dtype == torch.uint8 else t
            t = t * scale.reshape(-1, *(1,) * (t.dim() - 1))
        found[name] = t.float()
    return found


def _steps(rows: Tensor, scale: Tensor, most: int) -> Tensor:
    """``rows`` (R, n) in whole units of their ``scale`` (R), int8."""
    return (rows / scale[:, None]).round().clamp(-most, most).to(torch.int8)


def _best_scale(rows: Tensor, largest: Tensor) -> Tensor:
    """The scale of each of ``rows``, up to ``largest``, with the least squared error."""
    factors = torch.linspace(1.0, 0.5, CUTS)
    errors = torch.stack(
        [
            (_steps(rows, f * largest, MOST_OF_SIX) * (f * largest)[:, None] - rows).square().sum(1)
            for f in factors
        ]
    )
    return largest * factors[errors.argmin(0)]


def _pressed(steps: Tensor) -> Tensor:
    """Steps of -31 to 31, (4 R, …) int8, as (3 R, …) uint8."""
    values = steps.short() + MOST_OF_SIX + 1
    a, b, c, d = values.reshape(-1, 4, *values.shape[1:]).unbind(1)
    three = (a | (b & 3) << 6, b >> 2 | (c & 15) << 4, c >> 4 | d << 2)
    return torch.stack(three, 1).flatten(0, 1).to(torch.uint8).contiguous()


def _freed(pressed: Tensor) -> Tensor:
    """What `_pressed` was given."""
    x, y, z = pressed.short().reshape(-1, 3, *pressed.shape[1:]).unbind(1)
    four = (x & 63, x >> 6 | (y & 15) << 2, y >> 4 | (z & 3) << 4, z >> 2)
    return (torch.stack(four, 1).flatten(0, 1) - MOST_OF_SIX - 1).to(torch.int8)
