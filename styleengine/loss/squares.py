"""What squares of a picture tell of all of it: statistics, and places to be near.

A spot is painted in seconds, and may not wait for the network to see a whole picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from styleengine.loss.maps import in_metric, layer_weight, only, pooled
from styleengine.loss.moments import Moments
from styleengine.loss.nearest import BANK, pools_of
from styleengine.loss.painting import style_layers
from styleengine.loss.statistics import measure_of
from styleengine.loss.style import BAND_LOSS
from styleengine.loss.style_losses import StyleLoss
from styleengine.loss.term import Key, add
from styleengine.networks.extractor import Extractor
from styleengine.networks.finest_band import BAND
from styleengine.planning.recipes import Recipe
from styleengine.planning.spots import Area, Size

TILE, TILES = 160, 12
"""Side of the squares, and about how many."""
LITTLE = 1e-3
"""How much what lies outside of a mask counts, so that something is known where no square has
anything of it."""


@dataclass(frozen=True)
class Seen:
    """What is known of a picture: moments per position by layer, and features (C, n) of some places
    of the layers at which places are compared. A `Look` finds it out."""

    moments: Mapping[Key, Moments]
    places: Mapping[str, Tensor]


class Look:
    """Looks at a picture in pieces, each in a moment."""

    def __init__(self, extractor: Extractor, recipe: Recipe, loss: StyleLoss) -> None:
        self._extractor, self._layers = style_layers(recipe, extractor)
        self._loss = loss
        self._pools = pools_of(self._extractor, recipe.near_layers)
        self._sums: dict[Key, Moments] = {}
        self._drawn: dict[str, list[Tensor]] = {name: [] for name in self._pools}

    @torch.no_grad()
    def see(self, image: Tensor, mask: Tensor | None = None) -> None:
        """Looks at a piece (1, 3, h, w), of which each pixel counts as ``mask`` (h, w) says."""
        found = self._extractor(image)
        weights = mask if mask is None else mask.clamp_min(LITTLE)
        for name in self._layers:
            features, unit = found[name], self._extractor.units[name]
            loss = BAND_LOSS if name == BAND else self._loss
            measure = measure_of(loss, unit, self._extractor.metrics.get(name))
            weight = None if weights is None else _weight(weights, features)
            add(self._sums, (name, 0), measure.of(features, weight))
        for name, kept in self._drawn.items():
            features = only(pooled(found[name], self._pools[name]))
            features = in_metric(features, self._extractor.metrics.get(name))
            places = features.flatten(1)
            if weights is not None:
                places = places[:, _weight(weights, features).flatten() > 0.5]
            kept.append(places)

    @property
    def seen(self) -> Seen:
        """What is known of all that was looked at."""
        return Seen(
            {key: per_position(value) for key, value in self._sums.items()},
            {name: _some(torch.cat(kept, 1), BANK) for name, kept in self._drawn.items()},
        )


def squares(size: Size, wanted: int = TILES) -> list[Area]:
    """About ``wanted`` squares evenly over a picture of ``size``; all of it, if that is not much
    larger."""
    height, width = size
    if height * width <= 1.3 * wanted * TILE**2:
        return [Area(0, 0, height, width)]
    columns = max(1, round((wanted * width / height) ** 0.5))
    rows = max(1, round(wanted / columns))
    down, across = min(TILE, height), min(TILE, width)
    tops = [round((row + 0.5) / rows * height - down / 2) for row in range(rows)]
    lefts = [round((column + 0.5) / columns * width - across / 2) for column in range(columns)]
    tops = [max(0, min(height - down, top)) for top in tops]
    lefts = [max(0, min(width - across, left)) for left in lefts]
    return [Area(top, left, top + down, left + across) for top in tops for left in lefts]


def per_position(sums: Moments) -> Moments:
    """Moments as means over the positions."""
    return sums.like([part / sums.count for part in sums.tensors()])


def _weight(mask: Tensor, features: Tensor) -> Tensor:
    return layer_weight(mask, (features.shape[-2], features.shape[-1]))


def _some(places: Tensor, count: int) -> Tensor:
    """At most ``count`` of the columns of (C, n), the same each time."""
    if places.shape[1] <= count:
        return places
    generator = torch.Generator().manual_seed(1)
    chosen = torch.randperm(places.shape[1], generator=generator)[:count]
    return places[:, chosen.to(places.device)]
