"""Colour statistics and colour preservation. All colours are sRGB-encoded RGB, 0–1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from styleengine.pictures.picture import LUMA, STRIP_PIXELS
from styleengine.together.stripe import Stripe


@dataclass(frozen=True)
class ColorStatistics:
    """Mean (3,) and covariance (3, 3) of a picture's colours, in float64."""

    mean: np.ndarray
    covariance: np.ndarray


def color_statistics(
    image: Tensor, weight: Tensor | None = None, stripe: Stripe | None = None
) -> ColorStatistics:
    """Statistics of ``image`` (1, 3, H, W), each pixel weighted by ``weight`` (H, W).

    They are those of the whole picture where both are what is seen with a ``stripe`` of it.
    """
    if stripe is not None:
        image, weight = stripe.held(image), None if weight is None else stripe.held(weight)
    count, total, outer = 0.0, np.zeros(3), np.zeros((3, 3))
    rows = max(1, STRIP_PIXELS // image.shape[-1])
    for y in range(0, image.shape[-2], rows):
        colors = image[0, :, y : y + rows].flatten(1).cpu().double().numpy()
        w = np.ones(colors.shape[1])
        if weight is not None:
            w = weight[y : y + rows].flatten().cpu().double().numpy()
        count += w.sum()
        total += colors @ w
        outer += (colors * w) @ colors.T
    if stripe is not None:
        sums = stripe.group.total(count, *total, *outer.flatten())
        count, total, outer = sums[0], np.array(sums[1:4]), np.array(sums[4:]).reshape(3, 3)
    mean = total / count
    return ColorStatistics(mean, outer / count - np.outer(mean, mean))


def blend(statistics: list[ColorStatistics], weights: list[float]) -> ColorStatistics:
    """Statistics of the mixture of several pictures' colours, with ``weights`` that sum to one."""
    mean = sum(w * s.mean for w, s in zip(weights, statistics, strict=True))
    second = sum(
        w * (s.covariance + np.outer(s.mean, s.mean))
        for w, s in zip(weights, statistics, strict=True)
    )
    return ColorStatistics(np.asarray(mean), np.asarray(second - np.outer(mean, mean)))


def recolor(image: Tensor, source: ColorStatistics, target: ColorStatistics) -> Tensor:
    """``image`` with the colour statistics ``source`` moved to ``target``, clamped to 0–1.

    The map is the optimal transport between the two Gaussians (Monge–Kantorovich, Pitié & Kokaram
    2007, eq. 8): ``x ↦ m' + A (x - m)``, ``A = S^-½ (S^½ S' S^½)^½ S^-½``, which changes colours no
    more than it has to.
    """
    # A little variance in every direction keeps gray and one-colour pictures invertible.
    s = source.covariance + 1e-5 * np.eye(3)
    t = target.covariance + 1e-5 * np.eye(3)
    root = _power(s, 0.5)
    inverse = _power(s, -0.5)
    a = inverse @ _power(root @ t @ root, 0.5) @ inverse
    offset = target.mean - a @ source.mean
    matrix = torch.from_numpy(a).to(image)
    shift = torch.from_numpy(offset).to(image)[:, None]
    return ((matrix @ image[0].flatten(1)) + shift).clamp_(0, 1).view_as(image)


def luma(image: Tensor) -> Tensor:
    """Y' of ``image`` (1, 3, H, W), as (1, 1, H, W)."""
    weights = image.new_tensor(LUMA).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True)


def with_luma(colors: Tensor, light: Tensor) -> Tensor:
    """``colors`` (1, 3, H, W) with their luma replaced by ``light`` (1, 1, H, W).

    The chroma (R'-Y', B'-Y') stays as it is (Gatys et al. 2016, "Preserving Color in Neural
    Artistic Style Transfer", §3.2); where it does not fit beside the new luma it is reduced just
    enough, so that no channel is clipped and the hue stays.
    """
    light = light.clamp(0, 1)
    chroma = colors - luma(colors)
    room = torch.where(chroma > 0, 1 - light, light) / chroma.abs().clamp_min(1e-6)
    return light + chroma * room.amin(1, keepdim=True).clamp_max(1)


def match_luma(style: Tensor, content: Tensor, weight: Tensor | None = None) -> Tensor:
    """``style`` as a gray picture with the mean and contrast of ``content``'s luma.

    This is the luminance matching of Gatys et al. 2016, eq. 3; all pictures (1, 3, H, W).
    """
    y = luma(style)
    target = color_statistics(luma(content).expand(-1, 3, -1, -1), weight)
    deviation = float(np.sqrt(max(target.covariance[0, 0], 0.0)))
    matched = (y - y.mean()) * (deviation / float(y.std().clamp_min(1e-4))) + float(target.mean[0])
    return matched.clamp(0, 1).expand(-1, 3, -1, -1)


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T)
