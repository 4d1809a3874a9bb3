"""Tensors of a small network in eight bits, which halves its file.

Only the weights, and only in the file (Krishnamoorthi 2018, arXiv 1806.08342, §3.1.1): what is
computed with is floating point. Every row of a weight, those of one channel, has its own scale.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".scale"
"""Ends the name of the scales of the tensor that is called as the rest of it."""
MOST = 127


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``tensors`` for a file: those of two or more dimensions as int8 with a scale (float32) for
    each row, the others in half precision.

    A number is off by at most half a scale, which is the largest of its row / `MOST`.
    """
    found = {}
    for name, t in tensors.items():
        if t.dim() < 2:
            found[name] = t.half().contiguous()
            continue
        largest = t.float().flatten(1).abs().amax(1)
        scale = (largest / MOST).clamp_min(torch.finfo(torch.float32).tiny)
        found[name] = (t / _rows(scale, t)).round().to(torch.int8).contiguous()
        found[name + SCALE] = scale
    return found


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `packed` was given, in float32; a tensor without scales as it is."""
    return {
        name: t.float() * _rows(tensors[name + SCALE], t) if name + SCALE in tensors else t.float()
        for name, t in tensors.items()
        if not name.endswith(SCALE)
    }


def _rows(scale: Tensor, t: Tensor) -> Tensor:
    """``scale``, one number per row of ``t``, in a shape that multiplies it."""
    return scale.reshape(-1, *(1,) * (t.dim() - 1))
