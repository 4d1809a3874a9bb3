"""Hold: that what somebody wants kept, or an eye, stays what it is."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from styleengine.loss.content import FLAT_VARIANCE, TINY, weighted_sums
from styleengine.loss.maps import exact, in_metric, mean_square, single
from styleengine.loss.term import Found, Local, Term
from styleengine.networks.extractor import Extractor
from styleengine.planning.tiling import Mosaic, Tile
from styleengine.together.stripe import Stripe


class Hold(Term):
    """The squared distances of features from those of ``instead``, by layer, where ``masks`` are.

    ``instead`` (1, 3, H, W) is the photo in the style's colours. ``masks`` are (H, W) by layer, at
    least 0, and weigh the distances there, so that half a mask holds half as much. They are in
    units of the variance of the layer's features and a mean over all positions of the picture: a
    place is held as firmly in a large picture as in a small one.

    `Content` looks at the photo itself, at one deep layer, which leaves the brush free but does not
    tell an eye from a dark stroke. A shallower one sees lids and lips; of the photo as it is, it
    would keep the colours, too.

    ``alpha`` (H, W) weighs the pixels, if given. All these are what is seen of the picture by a
    process that holds a ``stripe`` of it.
    """

    def __init__(
        self,
        extractor: Extractor,
        masks: Mapping[str, Tensor],
        instead: Tensor,
        stripe: Stripe,
        alpha: Tensor | None = None,
    ) -> None:
        super().__init__(extractor, dict.fromkeys(masks, 1))
        self.instead, self._stripe = instead, stripe
        self._alpha = alpha
        self._masks = {n: m if alpha is None else m * alpha for n, m in masks.items()}
        # The features stay in the network's own dtype, as maps of the whole picture.
        self._seen = {n: Mosaic() for n in masks}
        self._sums = {n: torch.zeros(3, dtype=torch.float64) for n in masks}

    def see_content(self, found: Found, tile: Tile) -> None:
        """Keeps the features, and sums for their variances."""
        for name in self._masks:
            stride, ours, weight = self.stride(name), found[name], None
            if self._alpha is not None:
                weight = tile.covered(self.weight(self._alpha, name, ours, tile), stride)
            features = tile.covered(ours, stride)
            self._seen[name].put(tile, features.squeeze(0))
            self._sums[name].add_(weighted_sums(self._compared(name, single(features)), weight))

    def settle(self) -> None:
        """The features to hold, and the factor of each layer."""
        join = self._stripe.joined
        self._targets = {n: join(seen.whole(), self.stride(n)) for n, seen in self._seen.items()}
        self._factors = {}
        for name, sums in self._sums.items():
            (added,) = self._stripe.group.add_up([sums])
            count, first, second = added.tolist()
            count = max(count, TINY)
            variance = second / count - (first / count) ** 2 + FLAT_VARIANCE
            self._factors[name] = 1 / variance / count
        del self._seen, self._sums
        self.instead = None

    def local(self, x: Tensor, found: Found, tile: Tile) -> list[Local]:
        """How far each held position is from what it was."""
        terms = []
        for name, target in self._targets.items():
            stride, ours = self.stride(name), found[name]
            weight = self.weight(self._masks[name], name, ours, tile)
            apart = single(ours) - exact(tile.seen(target, stride))
            values = mean_square(self._compared(name, apart)) * weight
            terms.append(Local(self._factors[name], values, stride))
        return terms

    def _compared(self, name: str, features: Tensor) -> Tensor:
        """A layer's features (C, h, w) in units of a typical activation, as they are compared."""
        unit, metric = self.extractor.units[name], self.extractor.metrics.get(name)
        return in_metric(features / unit, metric)
