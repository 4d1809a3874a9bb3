"""The 3×3 convolution of the trunks with the ReLU and the pooling behind it, borders included."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from styleengine.networks import winograd
from styleengine.networks.extractor import OPEN, Wrap
from styleengine.networks.onednn import Packing

Border = Literal["zeros", "replicate"]
PAIR = (2, 2)
"""Size and stride of the pooling."""
NEEDS_MAP = ("mps", "xpu")
"""Devices whose backward pass of a pooling may look at the map that was pooled, not only at where
its maxima were."""


def conv_relu(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    border: Border = "zeros",
    *,
    pool: bool = False,
    kernel: Tensor | None = None,
    packing: Packing | None = None,
    wrap: Wrap = OPEN,
) -> Tensor:
    """``relu(conv(x))`` of a map (N, C, h, w) with frozen weights, of the same size, as one node.

    ``border`` is what continues the map: zeros, or its outermost values. With ``pool`` the result
    is the maxima of its 2 × 2 squares, as of ``MaxPool2d(2)``. With ``kernel``, the weights as
    `winograd.transformed`, it is computed that way; with a ``packing`` of the weights by oneDNN.
    ``wrap`` tells along which axes the map closes, which only one continued by its outermost values
    does.
    """
    y: Tensor = _ConvReLU.apply(  # type: ignore[no-untyped-call]
        x, weight, bias, border, pool, kernel, packing, wrap
    )
    return y


def replicate(image: Tensor, wrap: Wrap = OPEN) -> Tensor:
    """``image`` with its outermost pixels repeated once on every side, or those of the other side
    along an axis that closes.

    Put together from slices, because the gradient of PyTorch's own replication padding is not
    deterministic on CUDA.
    """
    left, right = image[..., :1], image[..., -1:]
    wide = torch.cat([right, image, left] if wrap[1] else [left, image, right], -1)
    top, bottom = wide[..., :1, :], wide[..., -1:, :]
    return torch.cat([bottom, wide, top] if wrap[0] else [top, wide, bottom], -2)


class _ConvReLU(torch.autograd.Function):
    """Unlike the modules, it keeps one map instead of two and never asks for the gradient of the
    weights; maps are large, and passing over them is what a step spends its time on besides the
    convolutions. Of a map that was continued by its outermost values nothing is kept at all: the
    gradient by it depends on its shape only. Of one that is pooled no more than where its maxima
    were, and ReLU comes after the pooling, which changes nothing and leaves it a quarter to do.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        border: Border,
        pool: bool,
        kernel: Tensor | None,
        packing: Packing | None,
        wrap: Wrap,
    ) -> Tensor:
        padding = int(border == "zeros")
        if kernel is not None:
            y, seen = _fewer_products(x, kernel, bias, border, wrap), x
        else:
            seen = _continued(x, wrap) if border == "replicate" else x
            if packing is not None:
                y = packing.convolved(seen, bias, padding, relu=not pool)
            else:
                y = F.conv2d(seen, weight, bias, padding=padding)
        maxima: tuple[Tensor, ...] = ()
        if pool:
            ctx.pooled = y.shape
            pooled, where = torch.ops.aten.max_pool2d_with_indices(y, PAIR, PAIR)
            maxima = (where, y) if y.device.type in NEEDS_MAP else (where,)
            y = pooled
        if kernel is None and (pool or packing is None):  # which have done it by themselves
            y.relu_()
        ctx.save_for_backward(weight, y, *maxima)
        ctx.shape, ctx.padding, ctx.wrap = seen.shape, padding, wrap
        ctx.kernel, ctx.packing = kernel, packing
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, y, *maxima = ctx.saved_tensors
        (g,) = gradients
        if (g.stride(1) == 1) != (y.stride(1) == 1):  # a loss may leave it in another layout
            g = torch.empty_like(y).copy_(g)
        through = torch.ops.aten.threshold_backward(g, y, 0)
        if maxima:
            where, *kept = maxima
            pooled = kept[0] if kept else _like(y, ctx.pooled)
            through = torch.ops.aten.max_pool2d_with_indices_backward(
                through, pooled, PAIR, PAIR, (0, 0), (1, 1), False, where
            )
        padding = ctx.padding
        below: Tensor | None = None
        if ctx.kernel is not None:
            below = _fewer_products_backward(through, ctx.kernel, padding)
        elif ctx.packing is not None:
            below = ctx.packing.pulled(through, padding)
        if below is None:
            below, _, _ = torch.ops.aten.convolution_backward(
                through, _like(y, ctx.shape), weight, None, (1, 1), (padding, padding), (1, 1),
                False, (0, 0), 1, (True, False, False),
            )  # fmt: skip
        if not padding:
            rows, columns = ctx.wrap
            below = folded(folded(below, -1, columns), -2, rows)
        return below, None, None, None, None, None, None, None


def _fewer_products(x: Tensor, kernel: Tensor, bias: Tensor, border: Border, wrap: Wrap) -> Tensor:
    """The map of `conv_relu` by `winograd`."""
    height, width = x.shape[-2:]
    size = winograd.padded_size(height, width)
    padded = _on_zeros(x, size, 1)
    if border == "replicate":
        continue_ends(padded[..., : height + 2, : width + 2], wrap)
    found = [winograd.conv_relu(p, kernel, bias) for p in padded.permute(0, 2, 3, 1)]
    return _stacked(found)[..., :height, :width]


def _fewer_products_backward(gradient: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """The gradient by the map that was seen, which lies ``padding`` inside the padded one."""
    height, width = gradient.shape[-2:]
    size = winograd.padded_size(height, width)
    whole = _on_zeros(gradient, (size[0] - 2, size[1] - 2), 0)
    found = [winograd.conv_backward(g, kernel) for g in whole.permute(0, 2, 3, 1)]
    rows, columns = (slice(padding, n + 2 - padding) for n in (height, width))
    return _stacked(found)[..., rows, columns]


def _stacked(maps: list[Tensor]) -> Tensor:
    """Maps (h, w, C) as one (N, C, h, w)."""
    one = maps[0][None] if len(maps) == 1 else torch.stack(maps)
    return one.permute(0, 3, 1, 2)


def _on_zeros(x: Tensor, size: tuple[int, int], border: int) -> Tensor:
    """``x`` with that many zeros above and on its left, and as many as it takes on the others."""
    height, width = x.shape[-2:]
    if size == (height, width):
        return x.contiguous(memory_format=torch.channels_last)
    shape = (*x.shape[:2], *size)
    out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    for axis, length in ((-2, height), (-1, width)):
        out.narrow(axis, 0, border).zero_()
        out.narrow(axis, border + length, out.shape[axis] - border - length).zero_()
    out[..., border : border + height, border : border + width] = x
    return out


def _like(y: Tensor, shape: torch.Size) -> Tensor:
    """An empty map of another shape, in the dtype and layout of ``y``."""
    layout = torch.channels_last if _is_channels_last(y) else torch.contiguous_format
    return torch.empty(shape, dtype=y.dtype, device=y.device, memory_format=layout)


def _continued(x: Tensor, wrap: Wrap) -> Tensor:
    """The values of `replicate`, with one pass over the map."""
    n, c, h, w = x.shape
    wide = _like(x, torch.Size((n, c, h + 2, w + 2)))
    wide[..., 1:-1, 1:-1] = x
    continue_ends(wide, wrap)
    return wide


def continue_ends(wide: Tensor, wrap: Wrap) -> None:
    """Repeats what lies one position inside in the outermost positions, on the same side or, where
    the map closes, on the other."""
    for axis, closes in zip((-2, -1), wrap, strict=True):
        first, last = (-2, 1) if closes else (1, -2)
        wide.narrow(axis, 0, 1).copy_(wide.narrow(axis, first, 1))
        wide.narrow(axis, -1, 1).copy_(wide.narrow(axis, last, 1))


def folded(g: Tensor, axis: int, closes: bool) -> Tensor:
    """The gradient by a map, from that by the map with its ends along ``axis`` repeated."""
    inner = g.narrow(axis, 1, g.shape[axis] - 2)
    for end, other in ((0, -1), (-1, 0)):
        inner.narrow(axis, other if closes else end, 1).add_(g.narrow(axis, end, 1))
    return inner


def _is_channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last)
