"""The terms of the style transfer loss, as plain functions of features and pictures.

Two families stand side by side. The *position-mean* forms (`content_loss`, `gram_loss`,
`tv_loss`) are averages over positions and channels, so that one set of weights serves every picture
size. The *notebook* forms (``classic_*``) are the sums of the Keras notebook in *Deep Learning with
Python* §8.3, kept term for term as a reference.

Style statistics are sums over positions (`Moments`): they can be weighted by a mask, and added up
over the tiles of a picture too large to be processed at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Moments:
    """Raw sums over positions of one layer's features f (a vector of C channels per position).

    ``count`` (): Σ w; ``total`` (C,): Σ w f; ``outer`` (C, C): Σ w f fᵀ, with the weights w of the
    positions (1 without a mask). Moments of disjoint regions add up with ``+``.
    """

    count: Tensor
    total: Tensor
    outer: Tensor

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.outer + other.outer)

    @property
    def gram(self) -> Tensor:
        """The Gram matrix Σ w f fᵀ / Σ w, (C, C)."""
        return self.outer / self.count

    @property
    def mean(self) -> Tensor:
        """The mean Σ w f / Σ w, (C,)."""
        return self.total / self.count

    @property
    def std(self) -> Tensor:
        """Standard deviation of each channel, (C,); differentiable at zero."""
        variance = self.gram.diagonal() - self.mean.square()
        return (variance.clamp_min(0) + 1e-4).sqrt()


def moments(features: Tensor, weight: Tensor | None = None) -> Moments:
    """`Moments` of ``features`` (C, H, W); ``weight`` (H, W) ≥ 0 masks or weighs the positions."""
    flat = features.flatten(1)
    if weight is None:
        return Moments(flat.new_tensor(float(flat.shape[1])), flat.sum(1), flat @ flat.T)
    w = weight.flatten()
    weighted = flat * w
    return Moments(w.sum(), weighted.sum(1), weighted @ flat.T)


class StyleLoss(Protocol):
    """A loss between the style statistics of two pictures at one layer.

    ``additive`` tells whether ``statistics`` of disjoint regions add up with ``+`` to those of
    their union; only then can a picture be processed in tiles.
    """

    additive: bool

    def statistics(self, features: Tensor, weight: Tensor | None = None) -> Any:
        """Statistics of ``features`` (C, H, W), in units of a typical activation."""
        ...

    def distance(self, ours: Any, target: Any) -> Tensor:
        """A scalar ≥ 0, zero where the statistics agree."""
        ...


class GramLoss:
    """Mean squared difference of Gram matrices (Gatys et al. 2016, eq. 4 and 5).

    Unlike the paper, the Gram matrix is a mean over positions and the difference a mean over its
    entries, because then neither picture size nor channel count enters the weights.
    """

    additive = True

    def statistics(self, features: Tensor, weight: Tensor | None = None) -> Moments:
        """`moments` of the features."""
        return moments(features, weight)

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


def content_loss(features: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean squared difference of (C, H, W) features (Gatys et al. 2016, eq. 1, as a mean).

    ``weight`` (H, W) weighs the positions; the result is the weighted mean over them.
    """
    squared = (features - target).square()
    if weight is None:
        return squared.mean()
    return (squared.mean(0) * weight).sum() / weight.sum().clamp_min(1e-12)


def variance(features: Tensor, weight: Tensor | None = None) -> Tensor:
    """Variance of all activations of (C, H, W) features; ``weight`` (H, W) weighs the positions."""
    if weight is None:
        return features.var(correction=0)
    share = weight / weight.sum().clamp_min(1e-12)
    mean = (features.mean(0) * share).sum()
    return ((features - mean).square().mean(0) * share).sum()


def tv_loss(image: Tensor) -> Tensor:
    """Nine-point total variation of ``image`` (1, 3, H, W), a mean over pixels and channels.

    The mean square of horizontal and vertical differences (1/3 each) and of both diagonals (1/12
    each), times two: a nearly isotropic form, unlike the five-point one, which prefers edges along
    the axes.
    """
    x = F.pad(image, (1, 1, 1, 1), mode="replicate")
    mid = x[..., 1:-1, 1:-1]
    across = (x[..., 1:-1, 2:] - mid).square().mean() + (x[..., 2:, 1:-1] - mid).square().mean()
    diagonal = (x[..., 2:, 2:] - mid).square().mean() + (x[..., 2:, :-2] - mid).square().mean()
    return 2 * (across / 3 + diagonal / 12)


# --- the notebook's forms -----------------------------------------------------------------------


def classic_content_loss(features: Tensor, target: Tensor) -> Tensor:
    """``sum((F - P)²)`` of block5_conv2's (C, H, W) features in the notebook's own units."""
    return (features - target).square().sum()


def classic_style_loss(features: Tensor, target: Tensor, size: int) -> Tensor:
    """``sum((F Fᵀ - S Sᵀ)²) / (4 · 3² · size²)`` with ``size`` = the picture's pixel count.

    Unlike the paper, whose N and M are the layer's own, 3 channels and the picture's size stand for
    every layer: that is what the notebook does, and it gives deep layers a smaller weight.
    """
    f, s = features.flatten(1), target.flatten(1)
    return (f @ f.T - s @ s.T).square().sum() / (4.0 * 3**2 * float(size) ** 2)


def classic_tv_loss(image: Tensor) -> Tensor:
    """``sum((dy² + dx²)^1.25)`` of ``image`` (1, 3, H, W) in the notebook's 0–255 units.

    The differences are those of the inner pixels, without the last row and column. The power's
    gradient is finite at zero because its exponent is above one.
    """
    inner = image[..., :-1, :-1]
    dy = (inner - image[..., 1:, :-1]).square()
    dx = (inner - image[..., :-1, 1:]).square()
    return (dy + dx).pow(1.25).sum()


def layer_weight(mask: Tensor, features: Tensor) -> Tensor:
    """``mask`` (H, W) brought to the (h, w) of ``features`` by area averaging."""
    size = features.shape[-2:]
    return F.interpolate(mask[None, None], size=size, mode="area")[0, 0]


def relative(features: Tensor, unit: float) -> Tensor:
    """(C, H, W) float32 features of the first picture in a batch, in units of ``unit``."""
    return features[0].to(torch.float32) / unit
