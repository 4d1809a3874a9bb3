"""Style: that statistics of the features are those of the style pictures, in each region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from torch import Tensor

from styleengine.loss.statistics import Statistics, measure_of
from styleengine.loss.style_losses import CovarianceLoss, StyleLoss
from styleengine.loss.term import Found, Key, Term, add, add_up
from styleengine.networks.extractor import Extractor
from styleengine.networks.finest_band import BAND
from styleengine.planning.tiling import Tile
from styleengine.scene.style_pictures import StyleTarget
from styleengine.together.group import Group
from styleengine.together.stripe import Stripe

ALIKE = 0.02
"""Share of a layer's energy added to the distance of content and style, so that a photo in the
style already does not make its own loss infinite."""
TINY = 1e-12
BAND_LOSS = CovarianceLoss()
"""Of the finest band, whatever compares the network's layers."""
SMALLEST = 1e-5
"""A region of a smaller share of the picture is left alone."""


T = TypeVar("T")


@dataclass(frozen=True)
class Region(Generic[T]):
    """A part of the picture and the styles that are painted there.

    ``mask`` (H, W) weighs the pixels, None where all count the same; ``area`` is the region's part
    of all that count. ``targets`` holds (what is known of it, share of the blend) per style.
    """

    mask: Tensor | None
    area: float
    targets: list[tuple[T, float]]


class StyleStatistics(Term):
    """The distances of statistics of layers from those of the styles, by ``weights``.

    At each layer the unit is the distance of the content from the styles there, so that 1 is the
    untouched photo and 0 the style's own statistics. Unlike Gatys et al., whose style term grows
    with the fourth power of the style's contrast, so that a woodcut dissolved the photo at the same
    weights at which a dark painting hardly showed, and nearly all of whose gradient comes from
    relu4_1: in these units all layers arrive together, in few steps.

    Several styles are blended as the weighted sum of their style losses: for Gram matrices that is
    the same minimum as matching the weighted mean of the matrices. Styles with regions of their own
    are each compared with what the picture holds there (guided Gram matrices, Gatys et al. 2017,
    arXiv 1611.07865, §4.1). Unlike there, a region weighs as much as its area, so that every pixel
    is pulled with the same strength.

    ``stripe`` is what this process holds of the picture; ``alpha`` (h, w) weighs the pixels seen,
    if given.
    """

    def __init__(
        self,
        extractor: Extractor,
        weights: Mapping[str, float],
        loss: StyleLoss,
        stripe: Stripe,
        alpha: Tensor | None = None,
    ) -> None:
        super().__init__(extractor, dict.fromkeys(weights, 1))
        self.additive = loss.additive
        self._weights, self._stripe, self._alpha = weights, stripe, alpha
        self._measures = {
            n: measure_of(
                BAND_LOSS if n == BAND else loss, extractor.units[n], extractor.metrics.get(n)
            )
            for n in weights
        }
        self._styles: list[tuple[StyleTarget, dict[Key, Statistics]]] = []
        self._own: dict[Key, Statistics] = {}
        self._nothing: dict[Key, Statistics] = {}

    @cached_property
    def _regions(self) -> list[Region[dict[Key, Statistics]]]:
        return regions(self._styles, self._alpha, self._stripe)

    def see_style(self, style: StyleTarget, found: Found, tile: Tile) -> None:
        """Adds the tile's statistics to those of the style."""
        if not (self._styles and self._styles[-1][0] is style):
            self._styles.append((style, {}))
        for name in self._weights:
            features, weight = self._part(name, found[name], style.alpha, tile, covered=True)
            add(self._styles[-1][1], (name, 0), self._measures[name].of(features, weight))

    def share_style(self, group: Group) -> None:
        """Adds up the statistics of the last style."""
        add_up(self._styles[-1][1], group)

    def see_content(self, found: Found, tile: Tile) -> None:
        """Adds the tile's statistics to the content's own and to those of a picture of nothing."""
        for name, measure in self._measures.items():
            for number, region in enumerate(self._regions):
                features, weight = self._part(name, found[name], region.mask, tile, covered=True)
                own = measure.of(features, weight)
                add(self._own, (name, number), own)
                nothing = measure.of_nothing(features, weight, own)
                add(self._nothing, (name, number), nothing)

    def settle(self) -> None:
        """The unit of each layer and region; lets go of the pictures."""
        add_up(self._own, self._stripe.group)
        add_up(self._nothing, self._stripe.group)
        self.units = {key: self._unit(key) for key in self._own}
        del self._own, self._nothing, self._styles

    def statistics(self, found: Found, tile: Tile, *, covered: bool) -> dict[Key, Statistics]:
        """Statistics by layer and region."""
        return {
            (name, number): measure.of(*self._part(name, found[name], region.mask, tile, covered))
            for name, measure in self._measures.items()
            for number, region in enumerate(self._regions)
        }

    def of_statistics(self, statistics: Mapping[Key, Statistics]) -> Tensor:
        """The sum over layers, regions and styles."""
        parts = []
        for key, ours in statistics.items():
            name, region = key[0], self._regions[key[1]]
            factor = self._weights[name] * (region.area / self.units[key])
            for targets, share in region.targets:
                distance = self._measures[name].distance(ours, targets[name, 0])
                parts.append(factor * share * distance)
        return sum(parts, parts[0].new_zeros(()))

    def pull(self, key: Key, by: Any, features: Tensor, tile: Tile) -> Tensor:
        """The gradient by a layer's features, from that by its statistics in one region."""
        _, weight = self._part(key[0], features, self._regions[key[1]].mask, tile, covered=False)
        return self._measures[key[0]].pull(by, features, weight)

    def _part(
        self, name: str, features: Tensor, mask: Tensor | None, tile: Tile, covered: bool
    ) -> tuple[Tensor, Tensor | None]:
        """A layer's features in a tile, or where ``covered``, and their weight by ``mask``."""
        weight = None if mask is None else self.weight(mask, name, features, tile)
        if not covered:
            return features, weight
        stride = self.stride(name)
        weight = None if weight is None else tile.covered(weight, stride)
        return tile.covered(features, stride), weight

    def _unit(self, key: Key) -> float:
        """The unit at a layer and region."""
        own, nothing, distance = self._own[key], self._nothing[key], self._measures[key[0]].distance
        apart, energy = 0.0, float(distance(own, nothing)) / 2
        for targets, share in self._regions[key[1]].targets:
            apart += share * float(distance(own, targets[key[0], 0]))
            energy += share * float(distance(targets[key[0], 0], nothing)) / 2
        return max(apart + ALIKE * energy, TINY)


def regions(
    styles: Sequence[tuple[StyleTarget, T]], alpha: Tensor | None, stripe: Stripe
) -> list[Region[T]]:
    """The regions that the styles, each with what is known of it, ask for; none of no area.

    ``alpha`` (h, w), if any, weighs the pixels of the picture, of which a ``stripe`` is held.
    """
    by_mask: dict[int, list[tuple[StyleTarget, T]]] = {}
    for style, found in styles:
        by_mask.setdefault(id(style.region), []).append((style, found))
    pixels = float(stripe.size[0] * stripe.size[1]) if alpha is None else stripe.sum(alpha)
    made = []
    for members in by_mask.values():
        mask, area = members[0][0].region, 1.0
        if mask is None:
            mask = alpha
        else:
            mask = mask if alpha is None else mask * alpha
            area = stripe.sum(mask) / max(pixels, TINY)
        total = sum(style.share for style, _ in members)
        if area > SMALLEST:
            made.append(Region(mask, area, [(f, s.share / total) for s, f in members]))
    return made
