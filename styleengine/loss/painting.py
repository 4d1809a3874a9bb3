"""The loss of the presets' recipes: style, content and total variation in units of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from styleengine.loss.moments import Moments, moments
from styleengine.loss.objective import Found, Key, LocalTerm, Objective, Statistics
from styleengine.loss.salience import focus
from styleengine.loss.terms import (
    CovarianceLoss,
    MomentsLoss,
    StyleLoss,
    relative,
    single,
    tv_values,
)
from styleengine.networks.extractor import TV, Extractor
from styleengine.networks.finest_band import BAND, Banded
from styleengine.planning.recipes import Recipe
from styleengine.planning.tiling import Mosaic, Tile, geometries
from styleengine.scene.scene import StyleTarget

FLAT = 0.1
"""Added to the content's variance, so that a flat picture does not make its own loss infinite."""
ALIKE = 0.02
"""Share of a layer's energy added to the distance of content and style, so that a photo in the
style already does not make its own loss infinite."""
TINY = 1e-12
BAND_LOSS: StyleLoss = CovarianceLoss()
"""Of the finest band, whatever compares the network's layers."""
SMALLEST = 1e-5
"""A region of a smaller share of the picture is left alone."""


@dataclass(frozen=True)
class Region:
    """A part of the picture and the styles that are painted there.

    ``mask`` (H, W) weighs the pixels, None where all count the same; ``area`` is the region's part
    of all that count. ``targets`` holds (statistics by layer, share of the blend) per style.
    """

    mask: Tensor | None
    area: float
    targets: list[tuple[Statistics, float]]


class PaintObjective(Objective):
    """Style, content and total variation in position-mean form, for the presets' recipes.

    Every term is measured in its own natural unit: content in the variance of the content's
    features, style at a layer in the distance of the content from the styles there, so that 1 is
    the untouched photo and 0 the style's own statistics. Unlike Gatys et al., whose style term
    grows with the fourth power of the style's contrast, so that a woodcut dissolved the photo at
    the same weights at which a dark painting hardly showed, and nearly all of whose gradient comes
    from relu4_1: in these units all layers arrive together, in few steps. Unlike there, too,
    content counts more where the photo stands out (`focus`).

    Several styles are blended as the weighted sum of their style losses: for Gram matrices that is
    the same minimum as matching the weighted mean of the matrices. Styles with regions of their own
    are each compared with what the picture holds there (guided Gram matrices, Gatys et al. 2017,
    arXiv 1611.07865, §4.1). Unlike there, a region weighs as much as its area, so that every pixel
    is pulled with the same strength.
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
        side: int | None = None,
    ) -> None:
        """``content`` is (1, 3, h, w); ``alpha`` (h, w), 0–1, weighs its pixels, if given.

        ``side`` is that of the tiles, see `Objective`.
        """
        self._recipe, self._style_loss = recipe, style_loss
        self._style_weights = dict(recipe.style_layers)
        if recipe.band_weight:
            self._style_weights[BAND] = recipe.band_weight
            extractor = Banded(extractor)
        self._content_weight = recipe.content_weight * content_factor
        self._tv_weight = recipe.tv_weight * tv_factor
        self._alpha = alpha
        size = (content.shape[-2], content.shape[-1])
        name, pool = recipe.content_layer, recipe.content_pool
        looked_at = geometries(extractor.geometry, recipe.style_layers, name, pool)
        super().__init__(extractor, looked_at, size, side, additive=style_loss.additive)
        self._regions = regions(
            [(style, self._style(style, side)) for style in styles], alpha, size
        )
        if alpha is not None and not bool((alpha > 0).all()):
            self.hidden = alpha <= 0
        own = self._look_at(content)
        nothing = self._nothing(content, own)
        self._style_units = {key: self._unit(key, own[key], nothing[key]) for key in own}

    def statistics(self, found: Found, tile: Tile, *, covered: bool) -> Statistics:
        """Statistics by style layer and region."""
        return {
            (name, number): self._measure(name, found[name], region.mask, tile, covered)
            for name in self._style_weights
            for number, region in enumerate(self._regions)
        }

    def of_statistics(self, statistics: Statistics) -> Tensor:
        """The style loss of all layers, regions and styles."""
        balance = self.extractor.balance
        loss = torch.zeros((), device=self._content.device)
        for key, ours in statistics.items():
            name, region = key[0], self._regions[key[1]]
            factor = self._style_weights[name] * balance.get(name, 1.0)
            factor *= region.area / self._style_units[key]
            for targets, share in region.targets:
                distance = self._distance(name, ours, targets[name, 0])
                loss = loss + factor * share * distance
        return loss

    def local(self, x: Tensor, found: Found, tile: Tile) -> list[LocalTerm]:
        """The content loss and the total variation."""
        name, balance = self._recipe.content_layer, self.extractor.balance
        pool, unit = self._recipe.content_pool, self.extractor.units[name]
        stride = self.stride(name) * pool
        ours = pooled(found[name], pool)
        apart = single(ours) - single(tile.seen(self._content, stride))
        values = self._in_metric(name, apart).square().mean(0) / unit**2
        if self._focus is not None:
            values = values * tile.seen(self._focus, stride)
        if self._alpha is not None:
            values = values * self.weight(self._alpha, name, ours, tile, pool)
        factor = self._content_weight * balance.get(name, 1.0) / self._content_unit
        terms = [LocalTerm(factor / self._content_count, values, stride)]
        tv_weight = self._tv_weight * balance.get(TV, 1.0)
        if tv_weight:
            terms.append(LocalTerm(tv_weight / (self.size[0] * self.size[1]), tv_values(x)))
        return terms

    def pull(self, key: Key, by: Any, features: Tensor, tile: Tile) -> Tensor:
        """The gradient by a layer's features, from that by its statistics in one region."""
        name, mask = key[0], self._regions[key[1]].mask
        if isinstance(by, Moments):
            weight = None if mask is None else self.weight(mask, name, features, tile)
            unit = self.extractor.units[name]
            return by.pull(features.detach().squeeze(0), weight, unit).unsqueeze(0)
        leaf = features.detach().requires_grad_()
        ours = self._measure(name, leaf, mask, tile, covered=False)
        (gradient,) = torch.autograd.grad(ours, leaf, by)
        return gradient

    def _measure(
        self, name: str, features: Tensor, mask: Tensor | None, tile: Tile, covered: bool
    ) -> Any:
        """The statistics of a layer's features, weighted by the ``mask`` of the whole picture."""
        weight = None if mask is None else self.weight(mask, name, features, tile)
        if covered:
            stride = self.stride(name)
            features = tile.covered(features, stride)
            weight = None if weight is None else tile.covered(weight, stride)
        unit = self.extractor.units[name]
        loss = self._loss_at(name)
        if isinstance(loss, MomentsLoss):
            return moments(features.squeeze(0), weight, unit)
        return loss.statistics(self._in_metric(name, relative(features, unit)), weight)

    def _loss_at(self, name: str) -> StyleLoss:
        """What compares a layer's statistics; the band, which is no network's, has its own."""
        return BAND_LOSS if name == BAND else self._style_loss

    def _in_metric(self, name: str, features: Tensor) -> Tensor:
        """A layer's (C, h, w) features as they are compared position by position."""
        metric = self.extractor.metrics.get(name)
        if metric is None:
            return features
        return torch.einsum("dc,chw->dhw", metric.to(features), features)

    def _distance(self, name: str, ours: Any, target: Any) -> Tensor:
        """The distance of a layer's statistics, in the network's metric if they are moments."""
        metric, loss = self.extractor.metrics.get(name), self._loss_at(name)
        if metric is not None and isinstance(loss, MomentsLoss):
            ours, target = ours.mapped(metric), target.mapped(metric)
        return loss.distance(ours, target)

    def _look_at(self, content: Tensor) -> Statistics:
        """The content's own statistics; keeps its features, their unit and `focus` on the way.

        The features stay in the network's own dtype, as a map of the whole picture.
        """
        name, pool = self._recipe.content_layer, self._recipe.content_pool
        unit, stride = self.extractor.units[name], self.stride(name) * pool
        mosaic, visible, sums = Mosaic(), Mosaic(), torch.zeros(3, dtype=torch.float64)

        def look(found: Found, tile: Tile) -> Statistics:
            ours, weight = pooled(found[name], pool), None
            features = tile.covered(ours, stride)
            if self._alpha is not None:
                weight = tile.covered(self.weight(self._alpha, name, ours, tile, pool), stride)
                visible.put(tile, weight)
            mosaic.put(tile, features.squeeze(0))
            seen = self._in_metric(name, relative(features, unit))
            sums.add_(weighted_sums(seen, weight))
            return self.statistics(found, tile, covered=True)

        own = self.accumulate(content, self.tiles, look)
        self._content, self._focus = mosaic.whole(), None
        if self._recipe.content_focus:
            shown = None if self._alpha is None else visible.whole()
            seen = self._in_metric(name, single(self._content))
            self._focus = focus(seen, self._recipe.content_focus, shown)
        count, first, second = sums.tolist()
        self._content_count = max(count, TINY)
        mean = first / self._content_count
        self._content_unit = second / self._content_count - mean**2 + FLAT
        return own

    def _nothing(self, content: Tensor, own: Statistics) -> Statistics:
        """The statistics of a picture in which the network sees nothing."""
        if isinstance(self._style_loss, MomentsLoss):
            zero = torch.zeros_like
            return {k: Moments(m.count, zero(m.total), zero(m.outer)) for k, m in own.items()}

        def dark(found: Found, tile: Tile) -> Statistics:
            nothing = {n: torch.zeros_like(f) for n, f in found.items()}
            return self.statistics(nothing, tile, covered=True)

        return self.accumulate(content, self.tiles, dark)

    def _unit(self, key: Key, own: Any, nothing: Any) -> float:
        """The unit of the style loss at a layer and region, where the content's are ``own``."""
        name = key[0]
        apart, energy = 0.0, float(self._distance(name, own, nothing)) / 2
        for targets, share in self._regions[key[1]].targets:
            apart += share * float(self._distance(name, own, targets[name, 0]))
            energy += share * float(self._distance(name, targets[name, 0], nothing)) / 2
        return max(apart + ALIKE * energy, TINY)

    def _style(self, style: StyleTarget, side: int | None) -> Statistics:
        """The statistics of a style picture, by (layer, 0)."""

        def measure(found: Found, tile: Tile) -> Statistics:
            return {
                (n, 0): self._measure(n, found[n], style.alpha, tile, covered=True)
                for n in self._style_weights
            }

        size = (style.image.shape[-2], style.image.shape[-1])
        return self.accumulate(style.image, self.cut(size, side), measure)


def regions(
    styles: Sequence[tuple[StyleTarget, Statistics]], alpha: Tensor | None, size: tuple[int, int]
) -> list[Region]:
    """The regions that the styles ask for, those of no area left out.

    ``alpha`` (h, w), if any, weighs the pixels of the picture of ``size``.
    """
    by_mask: dict[int, list[tuple[StyleTarget, Statistics]]] = {}
    for style, found in styles:
        by_mask.setdefault(id(style.region), []).append((style, found))
    pixels = float(size[0] * size[1]) if alpha is None else float(alpha.sum())
    made = []
    for members in by_mask.values():
        mask, area = members[0][0].region, 1.0
        if mask is None:
            mask = alpha
        else:
            mask = mask if alpha is None else mask * alpha
            area = float(mask.sum()) / max(pixels, TINY)
        total = sum(style.share for style, _ in members)
        if area > SMALLEST:
            made.append(Region(mask, area, [(f, s.share / total) for s, f in members]))
    return made


def pooled(features: Tensor, pool: int) -> Tensor:
    """Means over ``pool`` × ``pool`` positions of (1, C, h, w) features; what is over is left."""
    return features if pool == 1 else F.avg_pool2d(features, pool)


def weighted_sums(features: Tensor, weight: Tensor | None) -> Tensor:
    """Σ w, Σ w f and Σ w f² over the positions, of the mean over channels of (C, h, w) features."""
    first, second = features.mean(0), features.square().mean(0)
    w = torch.ones_like(first) if weight is None else weight
    return torch.stack([w.sum(), (w * first).sum(), (w * second).sum()]).double().cpu()
