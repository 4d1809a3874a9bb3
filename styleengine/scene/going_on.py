"""Pictures that follow each other: a preview and its painting, or the frames of an animation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from styleengine.pictures.picture import Picture, fit
from styleengine.scene import resample
from styleengine.scene.pyramid import Source

KEPT_PX = 512
"""Long side of what is kept: that of a preview, and more than a run's smallest scale ever has."""
SAME, SAME_AT_MOST = 0.015, 0.08
"""Differences of two copies of one photo, in the mean and at any spot: those of box, linear, cubic
and Lanczos filters, by which they may have been made small, stay below 0.010 and 0.061 on photos.
"""
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
        size = fit(content.width, content.height, KEPT_PX)
        return size == (self.content.height, self.content.width)


def unchanged(content: Tensor, content_before: Tensor) -> bool:
    """Whether two pictures (1, 3, h, w) are copies of the same photo."""
    change = _change(content, content_before)
    return float(change.mean()) < SAME and float(change.max()) < SAME_AT_MOST


def follow(usual: Tensor, content: Tensor, content_before: Tensor, painted: Tensor) -> Tensor:
    """A picture (1, 3, h, w) to start from: ``painted``, the painting before, where the content has
    not changed, and the ``usual`` start where it has, so that nothing leaves a ghost behind.
    """
    same = (1 - _change(content, content_before) / CHANGE).clamp(0, 1)
    return same * painted + (1 - same) * usual


def _change(content: Tensor, other: Tensor) -> Tensor:
    """The mean difference of two pictures (1, 3, h, w) around each place, (1, 1, h, w)."""
    change = (content - other).abs().mean(1, keepdim=True)
    edge = AROUND // 2
    return F.avg_pool2d(F.pad(change, (edge,) * 4, mode="replicate"), AROUND, 1)


def _small(picture: Picture) -> Picture:
    """The picture as a scale of that size has it, with nothing of what is hidden in it."""
    size = fit(picture.width, picture.height, KEPT_PX)
    return Picture(resample.to_array(Source(picture, torch.device("cpu")).at(size)))
