"""How far each place of a picture is from the nearest place of the style, seen by VGG19.

Means and covariances are met by painting the quiet places over and over, while what stands out
stays a photo. This is the judge of that: it looks at every place by itself.

nn        mean over the places of 1 - cosine of a layer's features with the nearest of the style's,
          both less the mean of the style's; mean of relu3_1 and relu4_1
worst     the same in the seven worst of 8 × 8 blocks of the picture

The style's are drawn from the style at 0.5, 0.71, 1 and 1.41 times the size, and all of these
mirrored, by a seed: as many as `BANK` for a layer. Absolute; lower is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

LAYERS = ("relu3_1", "relu4_1")
RATIOS = (0.5, 0.5**0.5, 1.0, 2**0.5)
BANK = 12_000
BLOCKS, WORST = 8, 7
AT_ONCE = 2048
"""Positions whose products with the bank are held at once."""


class Nearest:
    """The judge of one style."""

    def __init__(self, looks: Sequence[Mapping[str, Tensor]]) -> None:
        """``looks`` holds the features (C, positions) by layer of each picture of the style."""
        generator = torch.Generator().manual_seed(0)
        self._means, self._bank = {}, {}
        for name in LAYERS:
            found = torch.cat([look[name] for look in looks], 1)
            self._means[name] = found.mean(1, keepdim=True)
            chosen = torch.randperm(found.shape[1], generator=generator)[:BANK]
            self._bank[name] = F.normalize(found[:, chosen] - self._means[name], dim=0)

    def judge(self, maps: Mapping[str, Tensor]) -> tuple[float, float]:
        """(nn, worst) of a picture's features (C, h, w) by layer."""
        places = [self.distances(name, maps[name]) for name in LAYERS]
        blocks = torch.stack([F.adaptive_avg_pool2d(p[None], BLOCKS)[0] for p in places]).mean(0)
        worst = blocks.flatten().topk(WORST).values.mean()
        return float(sum(p.mean() for p in places) / len(places)), float(worst)

    def distances(self, name: str, features: Tensor) -> Tensor:
        """Those of a layer's (C, h, w) features from the nearest, (h, w)."""
        flat = F.normalize(features.flatten(1) - self._means[name], dim=0)
        likeness = [(part.T @ self._bank[name]).amax(1) for part in flat.split(AT_ONCE, 1)]
        return 1 - torch.cat(likeness).view(features.shape[1:])
