"""Smoothness: total variation, which takes grain off the picture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from styleengine.loss.term import Found, Local, Term
from styleengine.networks.convolution import folded, replicate
from styleengine.networks.extractor import OPEN, Extractor, Wrap
from styleengine.planning.tiling import Tile


class Smoothness(Term):
    """The mean of `tv_values` over a picture of ``size`` (h, w); a flat one is its target.

    ``wrap`` tells along which axes it closes; ``weights`` (h, w), if given, weigh its pixels.
    """

    def __init__(
        self,
        extractor: Extractor,
        weight: float,
        size: tuple[int, int],
        wrap: Wrap = OPEN,
        weights: Tensor | None = None,
    ) -> None:
        super().__init__(extractor, {})
        self._wrap, self._weights = wrap, weights
        self._factor = weight / (size[0] * size[1] if weights is None else float(weights.sum()))

    def local(self, x: Tensor, found: Found, tile: Tile) -> list[Local]:
        """What each pixel differs from its neighbours."""
        if not self._factor:
            return []
        values = tv_values(x, tile.closes(self._wrap))
        if self._weights is not None:
            values = values * tile.outer(self._weights)
        return [Local(self._factor, values)]


def tv_values(image: Tensor, wrap: Wrap = OPEN) -> Tensor:
    """Nine-point total variation of ``image`` (1, 3, H, W) at each pixel, (H, W).

    The mean over channels of the squared horizontal and vertical differences (1/3 each) and of both
    diagonals (1/12 each), times two: a nearly isotropic form, unlike the five-point one, which
    prefers edges along the axes.
    """
    values: Tensor = _Variation.apply(image, wrap)  # type: ignore[no-untyped-call]
    return values


NEIGHBOURS = ((0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.25), (1, -1, 0.25))
"""Rows down, columns right, and what the difference to the pixel there counts."""
SHARE = 2 / 3


class _Variation(torch.autograd.Function):
    """`tv_values` with its gradient: autograd's takes four times as long, and half of that to put
    the gradients of slices on zeros."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, wrap: Wrap) -> Tensor:
        wide = replicate(image, wrap)
        ctx.save_for_backward(wide)
        ctx.wrap = wrap
        total = torch.zeros_like(image)
        for down, right, weight in NEIGHBOURS:
            apart = _inner(wide, down, right) - _inner(wide)
            total.addcmul_(apart, apart, value=weight)
        return total[0].mean(0) * SHARE

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (wide,) = ctx.saved_tensors
        by = gradients[0] * (2 * SHARE / wide.shape[1])
        found = torch.zeros_like(wide)
        for down, right, weight in NEIGHBOURS:
            pull = (_inner(wide, down, right) - _inner(wide)).mul_(by)
            _inner(found, down, right).add_(pull, alpha=weight)
            _inner(found).sub_(pull, alpha=weight)
        rows, columns = ctx.wrap
        return folded(folded(found, -1, columns), -2, rows), None


def _inner(wide: Tensor, down: int = 0, right: int = 0) -> Tensor:
    """What lies inside the outermost pixels of a picture, moved by so many."""
    height, width = wide.shape[-2:]
    return wide[..., 1 + down : height - 1 + down, 1 + right : width - 1 + right]
