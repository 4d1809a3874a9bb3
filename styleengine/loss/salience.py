"""Where the photo must stay what it is: weights for the content loss, position by position.

In a content loss that counts all positions alike, a face of a few positions weighs nothing against
the wall around it, and takes the style's pattern as the wall does. What people look at is what
stands out, and the network's features tell that: there they are far from their mean over the
photo. So such positions weigh more, and quiet ones, where strokes can run free, less.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from styleengine.networks.convolution import replicate
from styleengine.networks.extractor import OPEN, Wrap

RANGE = 25.0
"""Most that the squared distance from the mean may be above or below the usual one."""
ROUNDING = 1e-5
"""Share of the features' energy that is taken for rounding."""
TINY = 1e-12


def focus(
    features: Tensor, exponent: float, visible: Tensor | None = None, wrap: Wrap = OPEN
) -> Tensor:
    """Weights (h, w), 1 in the mean, for the positions of a photo's ``features`` (C, h, w).

    A position's weight is that power of the squared distance of the features around it from their
    mean over the photo; 0 weighs all alike. ``visible`` (h, w), 0–1, says how much a position
    counts for all means, ``wrap`` along which axes the photo closes.
    """
    shown = torch.ones_like(features[0]) if visible is None else visible.to(features)
    shown = shown / shown.sum().clamp_min(TINY)
    mean = (features * shown).sum((1, 2), keepdim=True)
    apart = (features - mean).square().mean(0)
    apart = _around(apart * shown, wrap) / _around(shown, wrap).clamp_min(TINY)
    usual = (apart * shown).sum()
    rounding = ROUNDING * mean.square().mean() + TINY
    ratio = (apart + rounding) / (usual + rounding)
    weights = ratio.clamp(1 / RANGE, RANGE) ** exponent
    return weights / (weights * shown).sum().clamp_min(TINY)


def _around(values: Tensor, wrap: Wrap) -> Tensor:
    """Means of (h, w) values over 3 × 3 positions, continued by the outermost ones."""
    return F.avg_pool2d(replicate(values[None, None], wrap), 3, 1)[0, 0]
