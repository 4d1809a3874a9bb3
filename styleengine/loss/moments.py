"""Sums over the positions of a layer that style statistics are made of.

They can be weighted by a mask, and added up over the tiles of a picture too large to be processed
at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from styleengine.loss.maps import batch
from styleengine.networks import onednn


@dataclass(frozen=True)
class Moments:
    """Raw sums over positions of one layer's features f (a vector of C channels per position).

    ``count`` (): Σ w; ``total`` (C,): Σ w f; ``outer`` (C, C): Σ w f fᵀ, with the weights w of the
    positions (1 without a mask). Moments of disjoint regions add up with ``+``.
    """

    count: Tensor
    total: Tensor
    outer: Tensor

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.outer + other.outer)

    def tensors(self) -> list[Tensor]:
        """Count, total and outer."""
        return [self.count, self.total, self.outer]

    def like(self, tensors: Sequence[Tensor]) -> Moments:
        """Moments of these tensors, in the order of `tensors`."""
        return Moments(*tensors)

    def mapped(self, matrix: Tensor) -> Moments:
        """The moments of ``matrix`` (D, C) times the features: sums are linear in them."""
        matrix = matrix.to(self.total)
        return Moments(self.count, matrix @ self.total, matrix @ self.outer @ matrix.T)

    def pull(self, features: Tensor, weight: Tensor | None, unit: float) -> Tensor:
        """The gradient with respect to ``features`` where this is that of their `moments`.

        With the arguments given to `moments`; ``total`` and ``outer`` hold the derivatives by these
        sums. The sums themselves are not needed, nor computed.
        """
        return _pull(features, weight, self.total / unit, self.outer / unit**2)

    @property
    def gram(self) -> Tensor:
        """The Gram matrix Σ w f fᵀ / Σ w, (C, C)."""
        return self.outer / self.count

    @property
    def mean(self) -> Tensor:
        """The mean Σ w f / Σ w, (C,)."""
        return self.total / self.count

    @property
    def covariance(self) -> Tensor:
        """The covariance matrix of the channels, (C, C)."""
        return self.gram - torch.outer(self.mean, self.mean)

    @property
    def std(self) -> Tensor:
        """Standard deviation of each channel, (C,); differentiable at zero."""
        variance = self.gram.diagonal() - self.mean.square()
        return (variance.clamp_min(0) + 1e-4).sqrt()


def moments(features: Tensor, weight: Tensor | None = None, unit: float = 1.0) -> Moments:
    """`Moments` of ``features / unit``, the features (C, H, W) of any dtype and memory layout.

    ``weight`` (H, W) ≥ 0 masks or weighs the positions. The sums are float32 (float64 for float64
    features), also where the features are bfloat16.
    """
    total, outer = _Sums.apply(features, weight)  # type: ignore[no-untyped-call]
    count = total.new_tensor(float(features[0].numel())) if weight is None else weight.sum()
    return Moments(count.to(total.dtype), total / unit, outer / unit**2)


class _Sums(torch.autograd.Function):
    """Σ w f and Σ w f fᵀ over positions, and their gradient, without a float32 copy of f.

    The features of shallow layers are the largest tensors of a step. Here they are read once each
    way, in the dtype and layout that the network left them in.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(features, weight)
        if features.dtype in HALF or features.stride(0) == 1:
            # The part that a tile covers is copied, but once for all three passes over it.
            features = features.permute(1, 2, 0).contiguous().permute(2, 0, 1)
        weighted = features if weight is None else features * weight.to(features.dtype)
        return _total(weighted), _outer(weighted, features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        features, weight = ctx.saved_tensors
        return _pull(features, weight, *gradients), None


def _pull(features: Tensor, weight: Tensor | None, g_total: Tensor, g_outer: Tensor) -> Tensor:
    g_total, g_outer = g_total.to(features.dtype), g_outer.to(features.dtype)
    matrix = g_outer + g_outer.T
    # The product of every position's features with one matrix, plus one vector: a 1×1
    # convolution, which keeps the layout and is faster than a matrix product on processors.
    seen, kernel = batch(features), matrix[..., None, None]
    if onednn.available(features.device.type, features.dtype):
        # Which PyTorch leaves aside with one thread.
        g = onednn.convolved(seen, kernel, g_total, 0)[0]
    else:
        g = F.conv2d(seen, kernel, g_total)[0]
    return g if weight is None else g.mul_(weight.to(g.dtype))


HALF = (torch.bfloat16, torch.float16)
PARTS, PART = 16, 1024
"""A sum over positions is taken in half precision in at most so many parts of at least so many
positions; their sums are added in float32, so that rounding does not grow with the picture."""


def _total(features: Tensor) -> Tensor:
    """Σ f over the positions of a (C, H, W) map, (C,)."""
    rows = _rows(features)
    if rows.dtype not in HALF:
        return rows.sum(0)
    # As a matrix product: a third less time than `sum`, which takes longer in half precision.
    ones = rows.new_ones(rows.shape[0])
    sums = [
        torch.bmm(ones[: n * length].view(n, 1, length), part).sum((0, 1), dtype=torch.float32)
        for part in _parts(rows)
        for n, length in [part.shape[:2]]
    ]
    return torch.stack(sums).sum(0)


def _outer(a: Tensor, b: Tensor) -> Tensor:
    """Σ a bᵀ over the positions of two (C, H, W) maps, (C, C)."""
    if a.dtype in HALF:
        pairs = zip(_parts(_rows(a)), _parts(_rows(b)), strict=True)
        sums = [torch.bmm(x.mT, y).sum(0, dtype=torch.float32) for x, y in pairs]
        return torch.stack(sums).sum(0)
    onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if onednn and a.device.type == "cpu" and a.dtype == torch.float32:
        # As the weight gradient of a 1×1 convolution: twice as fast as a matrix product there.
        weight = a.new_empty(a.shape[0], a.shape[0], 1, 1)
        found: Tensor = torch.ops.aten.convolution_backward(
            batch(a), batch(b), weight, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1,
            (False, True, False),
        )[1]  # fmt: skip
        return found[:, :, 0, 0].contiguous()
    return _rows(a).mT @ _rows(b)


def _rows(features: Tensor) -> Tensor:
    """(H·W, C), a view where the memory is channels-last."""
    return features.permute(1, 2, 0).reshape(-1, features.shape[0])


def _parts(rows: Tensor) -> tuple[Tensor, ...]:
    """``rows`` (N, C) as (parts, n, C) and what is left over as (1, m, C)."""
    length = min(rows.shape[0], max(PART, rows.shape[0] // PARTS))
    whole = rows.shape[0] // length * length
    parts = rows[:whole].view(-1, length, rows.shape[1]), rows[None, whole:]
    return parts if whole < rows.shape[0] else parts[:1]
