"""Smoothness: total variation, which takes grain off the picture."""

from __future__ import annotations

import torch
from torch import Tensor

from styleengine.loss.term import Found, Local, Term
from styleengine.networks.convolution import replicate
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
    x = replicate(image, wrap)
    mid = x[..., 1:-1, 1:-1]
    across = (x[..., 1:-1, 2:] - mid).square() + (x[..., 2:, 1:-1] - mid).square()
    diagonal = (x[..., 2:, 2:] - mid).square() + (x[..., 2:, :-2] - mid).square()
    return torch.add(across, diagonal, alpha=0.25)[0].mean(0) * (2 / 3)
