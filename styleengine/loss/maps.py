"""Features and masks as maps that can be compared position by position."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def only(features: Tensor) -> Tensor:
    """(C, H, W) features of the only picture in a batch.

    Where the channels lie last, so do those of its gradient: by way of the last axes, as PyTorch
    takes (1, C, H, W) whose first stride is that of `squeeze` for neither order and copies it,
    which takes thirty times as long as to pass it on.
    """
    return features.permute(0, 2, 3, 1).squeeze(0).permute(2, 0, 1)


def batch(features: Tensor) -> Tensor:
    """(1, C, H, W) of (C, H, W), with strides that say channels-last where the memory is."""
    return features.permute(1, 2, 0)[None].permute(0, 3, 1, 2)


def exact(features: Tensor) -> Tensor:
    """``features`` in float32, if they are not that or wider already."""
    return features.to(torch.promote_types(features.dtype, torch.float32))


def single(features: Tensor) -> Tensor:
    """As `only`, and `exact`."""
    return exact(only(features))


def in_metric(features: Tensor, metric: Tensor | None) -> Tensor:
    """``metric`` (D, C), if there is one, times the features (C, h, w) of each position.

    Where the channels lie last, so do those of the result and of the gradient.
    """
    if metric is None:
        return features
    if features.stride(0) == 1:
        return F.linear(features.permute(1, 2, 0), metric.to(features)).permute(2, 0, 1)
    return torch.einsum("dc,chw->dhw", metric.to(features), features)


def mean_square(apart: Tensor) -> Tensor:
    """The mean over channels of the squares of (C, h, w), (h, w).

    The gradient lies in memory as ``apart`` does. PyTorch's own has the channels first wherever
    they were: passing it on to a network takes ten times as long.
    """
    values: Tensor = _MeanSquare.apply(apart)  # type: ignore[no-untyped-call]
    return values


class _MeanSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, apart: Tensor) -> Tensor:
        ctx.save_for_backward(apart)
        return apart.square().mean(0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        apart: Tensor = ctx.saved_tensors[0]
        return apart * (gradients[0] * (2 / apart.shape[0]))


def pooled(features: Tensor, pool: int) -> Tensor:
    """Means over ``pool`` × ``pool`` positions of (1, C, h, w) features; what is over is left."""
    return features if pool == 1 else F.avg_pool2d(features, pool)


def layer_weight(mask: Tensor, size: tuple[int, int], stride: int | None = None) -> Tensor:
    """``mask`` (H, W) brought to a layer's ``size`` by area averaging, (h, w).

    With ``stride`` each position gets the mean of the pixels it stands for, as in a tile; without,
    the mask is divided evenly.
    """
    if stride is None:
        return F.interpolate(mask[None, None], size=size, mode="area")[0, 0]
    return F.avg_pool2d(mask[None, None], stride)[0, 0]
