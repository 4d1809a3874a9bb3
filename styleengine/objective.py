"""The loss of one picture at one scale, and its gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from styleengine.features import TV, Extractor
from styleengine.losses import (
    MomentsLoss,
    StyleLoss,
    classic_content_loss,
    classic_style_loss,
    classic_tv_loss,
    content_loss,
    layer_weight,
    moments,
    relative,
    tv_loss,
    variance,
)
from styleengine.presets import Classic, Recipe


class Objective(ABC):
    """A function of a picture (1, 3, h, w)."""

    def __call__(self, image: Tensor) -> tuple[float, Tensor]:
        """``(loss, gradient)`` at ``image``, the gradient of its shape and float32."""
        x = image.detach().requires_grad_()
        loss = self.loss(x)
        (gradient,) = torch.autograd.grad(loss, x)
        return float(loss.detach()), gradient.float().contiguous()

    @abstractmethod
    def loss(self, x: Tensor) -> Tensor:
        """The differentiable loss of ``x``."""


FLAT = 0.1
"""Added to the content's variance, so that a flat picture does not make its own loss infinite."""
ALIKE = 0.02
"""Share of a layer's energy added to the distance of content and style, so that a photo in the
style already does not make its own loss infinite."""
TINY = 1e-12


@dataclass(frozen=True)
class StyleTarget:
    """A style at the size of a scale.

    ``image`` is (1, 3, h, w); the ``share`` of all styles adds up to one; ``alpha`` (h, w), if any,
    weighs the pixels.
    """

    image: Tensor
    share: float = 1.0
    alpha: Tensor | None = None


class PaintObjective(Objective):
    """Style, content and total variation in position-mean form, for the presets' recipes.

    Every term is measured in its own natural unit: content in the variance of the content's
    features, style at a layer in the distance of the content from the styles there, so that 1 is
    the untouched photo and 0 the style's own statistics. Unlike Gatys et al., whose style term
    grows with the fourth power of the style's contrast, so that a woodcut dissolved the photo at
    the same weights at which a dark painting hardly showed, and nearly all of whose gradient comes
    from relu4_1: in these units all layers arrive together, in few steps.

    Several styles are blended as the weighted sum of their style losses: for Gram matrices that is
    the same minimum as matching the weighted mean of the matrices.
    """

    def __init__(
        self,
        extractor: Extractor,
        recipe: Recipe,
        style_loss: StyleLoss,
        content: Tensor,
        styles: Sequence[StyleTarget],
        alpha: Tensor | None = None,
        content_factor: float = 1.0,
        tv_factor: float = 1.0,
    ) -> None:
        """``content`` is (1, 3, h, w); ``alpha`` (h, w), 0–1, weighs its pixels, if given."""
        self._extractor, self._recipe, self._style_loss = extractor, recipe, style_loss
        self._content_weight = recipe.content_weight * content_factor
        self._tv_weight = recipe.tv_weight * tv_factor
        self._alpha = alpha
        with torch.no_grad():
            found = extractor(content)
            self._content = self._relative(recipe.content_layer, found)
            self._weights = {
                n: None if alpha is None else layer_weight(alpha, f) for n, f in found.items()
            }
            self._targets = [(self._style(style), style.share) for style in styles]
            mask = self._weights[recipe.content_layer]
            self._content_unit = float(variance(self._content, mask)) + FLAT
            self._style_units = {n: self._unit(n, found) for n in recipe.style_layers}

    def loss(self, x: Tensor) -> Tensor:
        """The differentiable loss of ``x``."""
        recipe = self._recipe
        found = self._extractor(x)
        content = self._relative(recipe.content_layer, found)
        balance = self._extractor.balance
        factor = self._content_weight * balance.get(recipe.content_layer, 1.0)
        loss = (factor / self._content_unit) * content_loss(
            content, self._content, self._weights[recipe.content_layer]
        )
        for name, weight in recipe.style_layers.items():
            layer_factor = weight * balance.get(name, 1.0) / self._style_units[name]
            ours = self._statistics(name, found, self._weights[name])
            for targets, share in self._targets:
                loss = loss + layer_factor * share * self._style_loss.distance(ours, targets[name])
        tv_weight = self._tv_weight * balance.get(TV, 1.0)
        return loss + tv_weight * tv_loss(x) if tv_weight else loss

    def _unit(self, name: str, content: Mapping[str, Tensor]) -> float:
        """The unit of the style loss at a layer, where the content's features are ``content``."""
        weight, distance = self._weights[name], self._style_loss.distance
        dark = {name: torch.zeros_like(content[name])}
        nothing = self._statistics(name, dark, weight)
        own = self._statistics(name, content, weight)
        apart, energy = 0.0, float(distance(own, nothing)) / 2
        for targets, share in self._targets:
            apart += share * float(distance(own, targets[name]))
            energy += share * float(distance(targets[name], nothing)) / 2
        return max(apart + ALIKE * energy, TINY)

    def _style(self, style: StyleTarget) -> dict[str, Any]:
        found = self._extractor(style.image)
        return {
            n: self._statistics(
                n, found, None if style.alpha is None else layer_weight(style.alpha, found[n])
            )
            for n in self._recipe.style_layers
        }

    def _statistics(self, name: str, found: Mapping[str, Tensor], weight: Tensor | None) -> Any:
        metric = self._extractor.metrics.get(name)
        if isinstance(self._style_loss, MomentsLoss):
            sums = moments(found[name].squeeze(0), weight, self._extractor.units[name])
            return sums if metric is None else sums.mapped(metric)
        features = self._relative(name, found)
        if metric is not None:
            features = torch.einsum("dc,chw->dhw", metric.to(features), features)
        return self._style_loss.statistics(features, weight)

    def _relative(self, name: str, found: Mapping[str, Tensor]) -> Tensor:
        return relative(found[name], self._extractor.units[name])


class ClassicObjective(Objective):
    """The notebook's loss, term for term (*Deep Learning with Python* §8.3); see `losses`."""

    def __init__(
        self,
        extractor: Extractor,
        classic: Classic,
        content: Tensor,
        style: Tensor,
        content_factor: float = 1.0,
        tv_factor: float = 1.0,
    ) -> None:
        """``content`` and ``style`` (1, 3, h, w) of the same size, as in the notebook."""
        self._extractor, self._classic = extractor, classic
        self._content_factor, self._tv_factor = content_factor, tv_factor
        with torch.no_grad():
            found = self._features(content)
            self._content = found[classic.content_layer]
            found = self._features(style)
            self._style = {n: found[n] for n in classic.style_layers}

    def loss(self, x: Tensor) -> Tensor:
        """The differentiable loss of ``x``."""
        c = self._classic
        found = self._features(x)
        loss = (c.content_weight * self._content_factor) * classic_content_loss(
            found[c.content_layer], self._content
        )
        size = x.shape[-2] * x.shape[-1]
        for name, target in self._style.items():
            term = classic_style_loss(found[name], target, size)
            loss = loss + c.style_weight / len(self._style) * term
        return loss + c.tv_weight * self._tv_factor * classic_tv_loss(x * 255)

    def _features(self, image: Tensor) -> dict[str, Tensor]:
        return {n: f.squeeze(0).float() for n, f in self._extractor(image).items()}
