"""The loss of the Keras notebook (*Deep Learning with Python* §8.3), term for term."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from styleengine.loss.maps import batch, single
from styleengine.loss.moments import Moments, moments
from styleengine.loss.objective import Objective
from styleengine.loss.term import Found, Key, Local, Term, add
from styleengine.networks.extractor import Extractor
from styleengine.planning.recipes import Classic
from styleengine.planning.tiling import Mosaic, Tile
from styleengine.scene.style_pictures import StyleTarget


class ClassicObjective(Objective):
    """Gram matrices of five layers, sums of squares at block5_conv2, and total variation."""

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
        pixels = content.shape[-2] * content.shape[-1]
        held = classic.content_weight * content_factor
        terms = [
            ClassicStyle(extractor, classic.style_layers, classic.style_weight, pixels),
            ClassicContent(extractor, classic.content_layer, held),
            ClassicVariation(extractor, classic.tv_weight * tv_factor),
        ]
        super().__init__(extractor, terms, content, [StyleTarget(style)], side=side)


class ClassicStyle(Term):
    """The notebook's style loss for a picture of so many pixels."""

    shares_styles = False

    def __init__(
        self, extractor: Extractor, layers: tuple[str, ...], weight: float, pixels: int
    ) -> None:
        super().__init__(extractor, dict.fromkeys(layers, 1))
        self._share, self._pixels = weight / len(layers), pixels
        self._target: dict[Key, Moments] = {}

    def see_style(self, style: StyleTarget, found: Found, tile: Tile) -> None:
        """Adds up the style's Gram matrices."""
        for key, value in self.statistics(found, tile, covered=True).items():
            add(self._target, key, value)

    def statistics(self, found: Found, tile: Tile, *, covered: bool) -> dict[Key, Moments]:
        """`Moments` of the style layers."""

        def part(name: str) -> Tensor:
            return tile.covered(found[name], self.stride(name)) if covered else found[name]

        return {(n, 0): moments(single(part(n))) for n in self.layers}

    def of_statistics(self, statistics: Mapping[Key, Moments]) -> Tensor:
        """The mean over the layers."""
        parts = [
            self._share * classic_gram_loss(ours.outer, self._target[key].outer, self._pixels)
            for key, ours in statistics.items()
        ]
        return torch.stack(parts).sum()

    def pull(self, key: Key, by: Moments, features: Tensor, tile: Tile) -> Tensor:
        """The gradient by a layer's features, from that by its moments."""
        g = by.pull(single(features.detach()), None, 1.0)
        return batch(g).to(features.dtype)


class ClassicContent(Term):
    """The notebook's content loss."""

    def __init__(self, extractor: Extractor, layer: str, weight: float) -> None:
        super().__init__(extractor, {layer: 1})
        self._layer, self._weight, self._seen = layer, weight, Mosaic()

    def see_content(self, found: Found, tile: Tile) -> None:
        """Keeps the features."""
        self._seen.put(tile, tile.covered(single(found[self._layer]), self.stride(self._layer)))

    def settle(self) -> None:
        """The features of the whole photo."""
        self._target = self._seen.whole()
        del self._seen

    def local(self, x: Tensor, found: Found, tile: Tile) -> list[Local]:
        """The squares of the differences."""
        stride = self.stride(self._layer)
        apart = single(found[self._layer]) - tile.seen(self._target, stride)
        return [Local(self._weight, apart.square().sum(0), stride)]


class ClassicVariation(Term):
    """The notebook's total variation."""

    def __init__(self, extractor: Extractor, weight: float) -> None:
        super().__init__(extractor, {})
        self._weight = weight

    def local(self, x: Tensor, found: Found, tile: Tile) -> list[Local]:
        """`classic_tv_values`."""
        return [Local(self._weight, classic_tv_values(x * 255))]


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
