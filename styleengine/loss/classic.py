"""The loss of the Keras notebook (*Deep Learning with Python* §8.3), term for term."""

from __future__ import annotations

import torch
from torch import Tensor

from styleengine.loss.moments import Moments, moments
from styleengine.loss.objective import Found, Key, LocalTerm, Objective, Statistics
from styleengine.loss.terms import single
from styleengine.networks.extractor import Extractor
from styleengine.planning.recipes import Classic
from styleengine.planning.tiling import Mosaic, Tile, geometries


class ClassicObjective(Objective):
    """Sums of squares at block5_conv2, Gram matrices of five layers and total variation."""

    def __init__(
        self,
        extractor: Extractor,
        classic: Classic,
        content: Tensor,
        style: Tensor,
        content_factor: float = 1.0,
        tv_factor: float = 1.0,
        side: int | None = None,
    ) -> None:
        """``content`` and ``style`` (1, 3, h, w) of the same size, as in the notebook."""
        self._classic = classic
        self._content_weight = classic.content_weight * content_factor
        self._tv_weight = classic.tv_weight * tv_factor
        looked_at = geometries(extractor.geometry, classic.style_layers, classic.content_layer)
        super().__init__(extractor, looked_at, (content.shape[-2], content.shape[-1]), side)
        self._style = self.summed(style)
        mosaic = Mosaic()

        def keep(found: Found, tile: Tile) -> Statistics:
            stride = self.stride(classic.content_layer)
            mosaic.put(tile, tile.covered(single(found[classic.content_layer]), stride))
            return {}

        self.accumulate(content, self.tiles, keep)
        self._content = mosaic.whole()

    def statistics(self, found: Found, tile: Tile, *, covered: bool) -> Statistics:
        """`Moments` of the style layers."""

        def part(name: str) -> Tensor:
            return tile.covered(found[name], self.stride(name)) if covered else found[name]

        return {(n, 0): moments(single(part(n))) for n in self._classic.style_layers}

    def of_statistics(self, statistics: Statistics) -> Tensor:
        """The notebook's style loss."""
        height, width = self.size
        share = self._classic.style_weight / len(self._style)
        terms = [
            share * classic_gram_loss(ours.outer, self._style[key].outer, height * width)
            for key, ours in statistics.items()
        ]
        return torch.stack(terms).sum()

    def local(self, x: Tensor, found: Found, tile: Tile) -> list[LocalTerm]:
        """The notebook's content loss and total variation."""
        layer = self._classic.content_layer
        stride = self.stride(layer)
        target = tile.seen(self._content, stride)
        values = (single(found[layer]) - target).square().sum(0)
        return [
            LocalTerm(self._content_weight, values, stride),
            LocalTerm(self._tv_weight, classic_tv_values(x * 255)),
        ]

    def pull(self, key: Key, by: Moments, features: Tensor, tile: Tile) -> Tensor:
        """The gradient by a layer's features, from that by its moments."""
        g = by.pull(single(features.detach()), None, 1.0)
        return g.unsqueeze(0).to(features.dtype)


def classic_gram_loss(gram: Tensor, target: Tensor, size: int) -> Tensor:
    """``sum((F Fᵀ - S Sᵀ)²) / (4 · 3² · size²)`` of (C, C) Gram matrices, sums over positions.

    ``size`` is the picture's pixel count. Unlike the paper, whose N and M are the layer's own, 3
    channels and the picture's size stand for every layer: that is what the notebook does, and it
    gives deep layers a smaller weight.
    """
    return (gram - target).square().sum() / (4.0 * 3**2 * float(size) ** 2)


def classic_tv_values(image: Tensor) -> Tensor:
    """What each inner pixel adds to ``sum((dy² + dx²)^1.25)``, (H - 1, W - 1).

    Of ``image`` (1, 3, H, W) in the notebook's 0–255 units. The differences are those of the inner
    pixels, without the last row and column. The power's gradient is finite at zero because its
    exponent is above one.
    """
    inner = image[..., :-1, :-1]
    dy = (inner - image[..., 1:, :-1]).square()
    dx = (inner - image[..., :-1, 1:]).square()
    return (dy + dx).pow(1.25)[0].sum(0)
