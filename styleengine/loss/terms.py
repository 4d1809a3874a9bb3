"""The terms of the style transfer loss, as plain functions of features and pictures.

All are averages over positions and channels (the *position-mean* forms), so that one set of weights
serves every picture size. Those of the notebook are in `classic`.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

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


def tv_loss(image: Tensor) -> Tensor:
    """Nine-point total variation of ``image`` (1, 3, H, W), a mean over pixels and channels.

    The mean square of horizontal and vertical differences (1/3 each) and of both diagonals (1/12
    each), times two: a nearly isotropic form, unlike the five-point one, which prefers edges along
    the axes.
    """
    return tv_values(image).mean()


def tv_values(image: Tensor) -> Tensor:
    """What each pixel adds to `tv_loss`, before the mean over pixels, (H, W)."""
    x = F.pad(image, (1, 1, 1, 1), mode="replicate")
    mid = x[..., 1:-1, 1:-1]
    across = (x[..., 1:-1, 2:] - mid).square() + (x[..., 2:, 1:-1] - mid).square()
    diagonal = (x[..., 2:, 2:] - mid).square() + (x[..., 2:, :-2] - mid).square()
    return torch.add(across, diagonal, alpha=0.25)[0].mean(0) * (2 / 3)


def layer_weight(mask: Tensor, size: tuple[int, int], stride: int | None = None) -> Tensor:
    """``mask`` (H, W) brought to a layer's ``size`` by area averaging, (h, w).

    With ``stride`` each position gets the mean of the pixels it stands for, as in a tile; without,
    the mask is divided evenly.
    """
    if stride is None:
        return F.interpolate(mask[None, None], size=size, mode="area")[0, 0]
    return F.avg_pool2d(mask[None, None], stride)[0, 0]


def relative(features: Tensor, unit: float) -> Tensor:
    """(C, H, W) features of the only picture in a batch, in units of ``unit``, at least float32."""
    return single(features) / unit


def single(features: Tensor) -> Tensor:
    """(C, H, W) features of the only picture in a batch, at least float32."""
    return features.squeeze(0).to(torch.promote_types(features.dtype, torch.float32))
