"""The 3×3 convolution of the trunks with the ReLU behind it, at the picture's border as well."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

NARROW, FEW = 4, 4
"""Maps with a shorter side, or with fewer numbers than so many times those of the weights, are
continued as a whole: in a convolution of so little, most of the time goes to the weights."""


Border = Literal["none", "zeros", "replicate"]


def conv_relu(x: Tensor, weight: Tensor, bias: Tensor, border: Border = "zeros") -> Tensor:
    """``relu(conv(x))`` of a map (N, C, h, w) with frozen weights, as one node.

    ``border`` is what continues the map: nothing, so that it loses a position on every side, zeros,
    or its outermost values.
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
    the convolutions.

    For the same reason replication does not copy a large map into a wider one: the outermost rows
    and columns are convolved once more, and take the place of those of a map continued by zeros.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, border: Border) -> Tensor:
        ctx.wide = border == "replicate" and (
            min(x.shape[-2:]) < NARROW or x.numel() < FEW * weight.numel()
        )
        if ctx.wide:
            x, border = replicate(x), "none"
        y = F.conv2d(x, weight, bias, padding=int(border != "none"))
        if border == "replicate":
            for axis in (-2, -1):
                ends = F.conv2d(_ends(x, axis), weight, bias)
                y.narrow(axis, 0, 1).copy_(ends[: len(x)])
                y.narrow(axis, -1, 1).copy_(ends[len(x) :])
        y.relu_()
        ctx.save_for_backward(x, weight, y)
        ctx.border = border
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y = ctx.saved_tensors
        (g,) = gradients
        if g.stride() != y.stride():  # a loss may leave its gradient in another memory layout
            g = torch.empty_like(y).copy_(g)
        through = torch.ops.aten.threshold_backward(g, y, 0)
        if ctx.border != "replicate":
            below = _backward(through, x, weight, int(ctx.border != "none"))
            return _folded(_folded(below, -1), -2) if ctx.wide else below, None, None, None
        borders = []
        for axis in (-2, -1):
            ends = [through.narrow(axis, end, 1) for end in (0, -1)]
            borders.append((axis, torch.cat(ends)))
            for end in ends:  # corners are the first axis's, and all are done with
                end.zero_()
        below = _backward(through, x, weight, 1)
        for axis, g_ends in borders:
            _add_ends(below, _backward(g_ends, _ends(x, axis), weight, 0), axis)
        return below, None, None, None


def _backward(g: Tensor, x: Tensor, weight: Tensor, padding: int) -> Tensor:
    """The gradient by the input ``x`` of a convolution, from that by its output."""
    below, _, _ = torch.ops.aten.convolution_backward(
        g, x, weight, None, (1, 1), (padding, padding), (1, 1), False, (0, 0), 1,
        (True, False, False),
    )  # fmt: skip
    found: Tensor = below
    return found


def _ends(x: Tensor, axis: int) -> Tensor:
    """What the first and the last row (or column) of a replicated map's convolution see.

    (2N, C, 3, w + 2) along axis -2, (2N, C, h + 2, 3) along axis -1: the first ends of all N, then
    the last ones.
    """
    first, last = x.narrow(axis, 0, 1), x.narrow(axis, -1, 1)
    second, before = x.narrow(axis, 1, 1), x.narrow(axis, -2, 1)
    both = torch.cat(
        [torch.cat([first, first, second], axis), torch.cat([before, last, last], axis)]
    )
    across = -3 - axis
    sides = [both.narrow(across, end, 1) for end in (0, -1)]
    return torch.cat([sides[0], both, sides[1]], across)


def _add_ends(below: Tensor, g: Tensor, axis: int) -> None:
    """Adds the gradient ``g`` by `_ends` to that by the map, ``below``."""
    inner = _folded(g, -3 - axis)
    first, last = inner[: len(below)], inner[len(below) :]
    below.narrow(axis, 0, 1).add_(first.narrow(axis, 0, 1)).add_(first.narrow(axis, 1, 1))
    below.narrow(axis, 1, 1).add_(first.narrow(axis, 2, 1))
    below.narrow(axis, -2, 1).add_(last.narrow(axis, 0, 1))
    below.narrow(axis, -1, 1).add_(last.narrow(axis, 1, 1)).add_(last.narrow(axis, 2, 1))


def _folded(g: Tensor, axis: int) -> Tensor:
    """The gradient by a map, from that by the map with its ends along ``axis`` repeated."""
    inner = g.narrow(axis, 1, g.shape[axis] - 2).clone(memory_format=torch.preserve_format)
    for end in (0, -1):
        inner.narrow(axis, end, 1).add_(g.narrow(axis, end, 1))
    return inner
