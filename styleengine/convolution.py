"""The 3×3 convolution of the trunks with the ReLU behind it, at the picture's border as well."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Border = Literal["zeros", "replicate"]


def conv_relu(x: Tensor, weight: Tensor, bias: Tensor, border: Border = "zeros") -> Tensor:
    """``relu(conv(x))`` of a map (N, C, h, w) with frozen weights, of the same size, as one node.

    ``border`` is what continues the map: zeros, or its outermost values.
    """
    y: Tensor = _ConvReLU.apply(x, weight, bias, border)  # type: ignore[no-untyped-call]
    return y


def replicate(image: Tensor) -> Tensor:
    """``image`` with its outermost pixels repeated once on every side.

    Put together from slices, because the gradient of PyTorch's own replication padding is not
    deterministic on CUDA.
    """
    wide = torch.cat([image[..., :1], image, image[..., -1:]], -1)
    return torch.cat([wide[..., :1, :], wide, wide[..., -1:, :]], -2)


class _ConvReLU(torch.autograd.Function):
    """Unlike the two modules, it keeps one map instead of two and never asks for the gradient of
    the weights; maps are large, and passing over them is what a step spends its time on besides
    the convolutions. Of a map that was continued by its outermost values nothing is kept at all:
    the gradient by it depends on its shape only.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, border: Border) -> Tensor:
        seen = _continued(x) if border == "replicate" else x
        y = F.conv2d(seen, weight, bias, padding=int(border == "zeros")).relu_()
        ctx.save_for_backward(weight, y)
        ctx.shape, ctx.border = seen.shape, border
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, y = ctx.saved_tensors
        (g,) = gradients
        if g.stride() != y.stride():  # a loss may leave its gradient in another memory layout
            g = torch.empty_like(y).copy_(g)
        through = torch.ops.aten.threshold_backward(g, y, 0)
        layout = torch.channels_last if _is_channels_last(y) else torch.contiguous_format
        seen = torch.empty(ctx.shape, dtype=y.dtype, device=y.device, memory_format=layout)
        padding = int(ctx.border == "zeros")
        below, _, _ = torch.ops.aten.convolution_backward(
            through, seen, weight, None, (1, 1), (padding, padding), (1, 1), False, (0, 0), 1,
            (True, False, False),
        )  # fmt: skip
        if ctx.border == "replicate":
            below = _folded(_folded(below, -1), -2)
        return below, None, None, None


def _continued(x: Tensor) -> Tensor:
    """The values of `replicate`, with one pass over the map."""
    n, c, h, w = x.shape
    layout = torch.channels_last if _is_channels_last(x) else torch.contiguous_format
    wide = torch.empty((n, c, h + 2, w + 2), dtype=x.dtype, device=x.device, memory_format=layout)
    wide[..., 1:-1, 1:-1] = x
    for axis in (-2, -1):
        wide.narrow(axis, 0, 1).copy_(wide.narrow(axis, 1, 1))
        wide.narrow(axis, -1, 1).copy_(wide.narrow(axis, -2, 1))
    return wide


def _folded(g: Tensor, axis: int) -> Tensor:
    """The gradient by a map, from that by the map with its ends along ``axis`` repeated."""
    inner = g.narrow(axis, 1, g.shape[axis] - 2)
    for end in (0, -1):
        inner.narrow(axis, end, 1).add_(g.narrow(axis, end, 1))
    return inner


def _is_channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last)
