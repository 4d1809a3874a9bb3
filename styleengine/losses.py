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

    def mapped(self, matrix: Tensor) -> Moments:
        """The moments of ``matrix`` (D, C) times the features: sums are linear in them."""
        matrix = matrix.to(self.total)
        return Moments(self.count, matrix @ self.total, matrix @ self.outer @ matrix.T)

    def pull(self, features: Tensor, weight: Tensor | None, unit: float) -> Tensor:
        """The gradient with respect to ``features`` where this is that of their `moments`.

        With the arguments given to `moments`; ``total`` and ``outer`` hold the derivatives by these
        sums. The sums themselves are not needed, nor computed.
        """
        return _pull(features, weight, self.total / unit, self.outer / unit**2)

    @property
    def gram(self) -> Tensor:
        """The Gram matrix Σ w f fᵀ / Σ w, (C, C)."""
        return self.outer / self.count

    @property
    def mean(self) -> Tensor:
        """The mean Σ w f / Σ w, (C,)."""
        return self.total / self.count

    @property
    def covariance(self) -> Tensor:
        """The covariance matrix of the channels, (C, C)."""
        return self.gram - torch.outer(self.mean, self.mean)

    @property
    def std(self) -> Tensor:
        """Standard deviation of each channel, (C,); differentiable at zero."""
        variance = self.gram.diagonal() - self.mean.square()
        return (variance.clamp_min(0) + 1e-4).sqrt()


def moments(features: Tensor, weight: Tensor | None = None, unit: float = 1.0) -> Moments:
    """`Moments` of ``features / unit``, the features (C, H, W) of any dtype and memory layout.

    ``weight`` (H, W) ≥ 0 masks or weighs the positions. The sums are float32 (float64 for float64
    features), also where the features are bfloat16.
    """
    total, outer = _Sums.apply(features, weight)  # type: ignore[no-untyped-call]
    count = total.new_tensor(float(features[0].numel())) if weight is None else weight.sum()
    return Moments(count.to(total.dtype), total / unit, outer / unit**2)


class _Sums(torch.autograd.Function):
    """Σ w f and Σ w f fᵀ over positions, and their gradient, without a float32 copy of f.

    The features of shallow layers are the largest tensors of a step. Here they are read once each
    way, in the dtype and layout that the network left them in.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(features, weight)
        weighted = features if weight is None else features * weight.to(features.dtype)
        return _total(weighted), _outer(weighted, features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        features, weight = ctx.saved_tensors
        return _pull(features, weight, *gradients), None


def _pull(features: Tensor, weight: Tensor | None, g_total: Tensor, g_outer: Tensor) -> Tensor:
    g_total, g_outer = g_total.to(features.dtype), g_outer.to(features.dtype)
    matrix = g_outer + g_outer.T
    # The product of every position's features with one matrix, plus one vector: a 1×1
    # convolution, which keeps the layout and is faster than a matrix product on processors.
    g = F.conv2d(_batch(features), matrix[..., None, None], g_total)[0]
    return g if weight is None else g.mul_(weight.to(g.dtype))


HALF = (torch.bfloat16, torch.float16)
PARTS, PART = 16, 1024
"""A sum over positions is taken in half precision in at most so many parts of at least so many
positions; their sums are added in float32, so that rounding does not grow with the picture."""


def _total(features: Tensor) -> Tensor:
    """Σ f over the positions of a (C, H, W) map, (C,)."""
    rows = _rows(features)
    if rows.dtype not in HALF:
        return rows.sum(0)
    sums = [part.sum(1).sum(0, dtype=torch.float32) for part in _parts(rows)]
    return torch.stack(sums).sum(0)


def _outer(a: Tensor, b: Tensor) -> Tensor:
    """Σ a bᵀ over the positions of two (C, H, W) maps, (C, C)."""
    if a.dtype in HALF:
        pairs = zip(_parts(_rows(a)), _parts(_rows(b)), strict=True)
        sums = [torch.bmm(x.mT, y).sum(0, dtype=torch.float32) for x, y in pairs]
        return torch.stack(sums).sum(0)
    onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if onednn and a.device.type == "cpu" and a.dtype == torch.float32:
        # As the weight gradient of a 1×1 convolution: twice as fast as a matrix product there.
        weight = a.new_empty(a.shape[0], a.shape[0], 1, 1)
        found: Tensor = torch.ops.aten.convolution_backward(
            _batch(a), _batch(b), weight, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1,
            (False, True, False),
        )[1]  # fmt: skip
        return found[:, :, 0, 0].contiguous()
    return _rows(a).mT @ _rows(b)


def _batch(features: Tensor) -> Tensor:
    """(1, C, H, W), with strides that say channels-last where the memory is."""
    return features.permute(1, 2, 0)[None].permute(0, 3, 1, 2)


def _rows(features: Tensor) -> Tensor:
    """(H·W, C), a view where the memory is channels-last."""
    return features.permute(1, 2, 0).reshape(-1, features.shape[0])


def _parts(rows: Tensor) -> tuple[Tensor, ...]:
    """``rows`` (N, C) as (parts, n, C) and what is left over as (1, m, C)."""
    length = min(rows.shape[0], max(PART, rows.shape[0] // PARTS))
    whole = rows.shape[0] // length * length
    parts = rows[:whole].view(-1, length, rows.shape[1]), rows[None, whole:]
    return parts if whole < rows.shape[0] else parts[:1]


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


def content_loss(features: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean squared difference of (C, H, W) features (Gatys et al. 2016, eq. 1, as a mean).

    ``weight`` (H, W) weighs the positions; the result is the weighted mean over them.
    """
    squared = squared_difference(features, target)
    if weight is None:
        return squared.mean()
    return (squared * weight).sum() / weight.sum().clamp_min(1e-12)


def squared_difference(features: Tensor, target: Tensor) -> Tensor:
    """Mean over the channels of the squared difference of (C, H, W) features, (H, W)."""
    return (features - target).square().mean(0)


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


# --- the notebook's forms -----------------------------------------------------------------------


def classic_content_loss(features: Tensor, target: Tensor) -> Tensor:
    """``sum((F - P)²)`` of block5_conv2's (C, H, W) features in the notebook's own units."""
    return (features - target).square().sum()


def classic_gram_loss(gram: Tensor, target: Tensor, size: int) -> Tensor:
    """``sum((F Fᵀ - S Sᵀ)²) / (4 · 3² · size²)`` of (C, C) Gram matrices, sums over positions.

    ``size`` is the picture's pixel count. Unlike the paper, whose N and M are the layer's own, 3
    channels and the picture's size stand for every layer: that is what the notebook does, and it
    gives deep layers a smaller weight.
    """
    return (gram - target).square().sum() / (4.0 * 3**2 * float(size) ** 2)


def classic_tv_loss(image: Tensor) -> Tensor:
    """``sum((dy² + dx²)^1.25)`` of ``image`` (1, 3, H, W) in the notebook's 0–255 units.

    The differences are those of the inner pixels, without the last row and column. The power's
    gradient is finite at zero because its exponent is above one.
    """
    return classic_tv_values(image).sum()


def classic_tv_values(image: Tensor) -> Tensor:
    """What each inner pixel adds to `classic_tv_loss`, (H - 1, W - 1)."""
    inner = image[..., :-1, :-1]
    dy = (inner - image[..., 1:, :-1]).square()
    dx = (inner - image[..., :-1, 1:]).square()
    return (dy + dx).pow(1.25)[0].sum(0)


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
