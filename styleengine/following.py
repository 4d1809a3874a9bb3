"""Consecutive pictures, such as an animation's frames, that shall flicker little."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from styleengine import resample
from styleengine.picture import Picture

KEPT_PX = 512
"""Long side of what is kept: more than a run's smallest scale ever has."""
CHANGE = 0.06
"""Mean difference (0–1) from which on a spot of the photo counts as another one."""
AROUND = 9
"""Side, in pixels of the smallest scale, of the square over which the difference is averaged."""


@dataclass(frozen=True)
class Before:
    """The picture before: the photo and what was made of it, small and of the same shape."""

    content: Picture
    painted: Picture

    @classmethod
    def of(cls, content: Picture, painted: Picture) -> Before:
        """What is to be kept of a run for the next."""
        return cls(_small(content), _small(painted))

    def fits(self, content: Picture) -> bool:
        """Whether ``content`` has the same shape."""
        size = resample.fit(content.width, content.height, KEPT_PX)
        return size == (self.content.height, self.content.width)


def follow(usual: Tensor, content: Tensor, content_before: Tensor, painted: Tensor) -> Tensor:
    """A picture (1, 3, h, w) to start from: ``painted``, the painting before, where the content has
    not changed, and the ``usual`` start where it has, so that nothing leaves a ghost behind.
    """
    change = (content - content_before).abs().mean(1, keepdim=True)
    edge = AROUND // 2
    around = F.avg_pool2d(F.pad(change, (edge,) * 4, mode="replicate"), AROUND, 1)
    same = (1 - around / CHANGE).clamp(0, 1)
    return same * painted + (1 - same) * usual


def _small(picture: Picture) -> Picture:
    size = resample.fit(picture.width, picture.height, KEPT_PX)
    rgb = resample.to_tensor(picture.rgb)
    return Picture(resample.to_array(resample.resize(rgb, size).clamp_(0, 1)))
