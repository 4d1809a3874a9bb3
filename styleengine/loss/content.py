"""Content: that the photo can still be recognised."""

from __future__ import annotations

import torch
from torch import Tensor

from styleengine.loss.maps import exact, in_metric, mean_square, pooled, single
from styleengine.loss.salience import focus
from styleengine.loss.term import Found, Local, Term
from styleengine.networks.extractor import OPEN, Extractor, Wrap
from styleengine.planning.tiling import Mosaic, Tile
from styleengine.together.stripe import Stripe

FLAT_VARIANCE = 0.1
"""Added to the content's variance, so that a flat picture does not make its own loss infinite."""
TINY = 1e-12


class Content(Term):
    """The squared distance of the features of a layer from the photo's, position by position.

    It is a mean over positions in units of the variance of the photo's features. Unlike in Gatys et
    al., where all positions count alike, they count more where the photo stands out: by the power
    ``exponent`` of `focus`. Means over ``pool`` × ``pool`` positions are compared. ``alpha`` (H, W)
    weighs the pixels seen, if given; ``wrap`` tells along which axes the photo closes; ``stripe``
    is what this process holds of the picture, None for the whole.
    """

    def __init__(
        self,
        extractor: Extractor,
        layer: str,
        weight: float,
        pool: int = 1,
        exponent: float = 0.0,
        alpha: Tensor | None = None,
        wrap: Wrap = OPEN,
        stripe: Stripe | None = None,
    ) -> None:
        super().__init__(extractor, {layer: pool})
        self._stripe = stripe
        self._layer, self._pool, self._weight = layer, pool, weight
        self._exponent, self._alpha, self._wrap = exponent, alpha, wrap
        self._unit, self._metric = extractor.units[layer], extractor.metrics.get(layer)
        # The features stay in the network's own dtype, as a map of the whole picture.
        self._seen, self._visible = Mosaic(), Mosaic()
        self._sums = torch.zeros(3, dtype=torch.float64)
        self.focus: Tensor | None = None
        """How much each position seen counts, (h, w), 1 in the mean; None if alike, or not
        settled."""
        self.whole_focus: Tensor | None = None
        """The same for the whole picture."""

    def see_content(self, found: Found, tile: Tile) -> None:
        """Keeps the features, and sums for their variance."""
        stride, ours, weight = (
            self.stride(self._layer),
            pooled(found[self._layer], self._pool),
            None,
        )
        features = tile.covered(ours, stride)
        if self._alpha is not None:
            weight = tile.covered(self.weight(self._alpha, self._layer, ours, tile), stride)
            self._visible.put(tile, weight)
        self._seen.put(tile, features.squeeze(0))
        seen = in_metric(single(features) / self._unit, self._metric)
        self._sums.add_(weighted_sums(seen, weight))

    def settle(self) -> None:
        """The photo's features, how much each position counts, and the unit."""
        stride, stripe = self.stride(self._layer), self._stripe or Stripe.whole((0, 0))
        held = self._seen.whole()
        if self._exponent:
            shown = None
            if self._alpha is not None:
                shown = stripe.gathered(self._visible.whole(), stride)
            features = in_metric(exact(stripe.gathered(held, stride)), self._metric)
            self.whole_focus = focus(features, self._exponent, shown, self._wrap)
            self.focus = stripe.view_of(self.whole_focus, stride)
            del features
        self._target = stripe.joined(held, stride)
        del self._seen, self._visible
        (sums,) = stripe.group.add_up([self._sums])
        count, first, second = sums.tolist()
        self._count = max(count, TINY)
        mean = first / self._count
        self.variance = second / self._count - mean**2 + FLAT_VARIANCE

    def local(self, x: Tensor, found: Found, tile: Tile) -> list[Local]:
        """How far each position is from the photo's."""
        stride, ours = self.stride(self._layer), pooled(found[self._layer], self._pool)
        apart = single(ours) - exact(tile.seen(self._target, stride))
        values = mean_square(in_metric(apart, self._metric)) / self._unit**2
        if self.focus is not None:
            values = values * tile.seen(self.focus, stride)
        if self._alpha is not None:
            values = values * self.weight(self._alpha, self._layer, ours, tile)
        return [Local(self._weight / self.variance / self._count, values, stride)]


def weighted_sums(features: Tensor, weight: Tensor | None) -> Tensor:
    """Σ w, Σ w f and Σ w f² over the positions, of the mean over channels of (C, h, w) features."""
    first, second = features.mean(0), features.square().mean(0)
    w = torch.ones_like(first) if weight is None else weight
    return torch.stack([w.sum(), (w * first).sum(), (w * second).sum()]).double().cpu()
