"""A picture without the grain of its single pixels, for when it is to be enlarged."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from styleengine.scene.resample import STRIP_ROWS

GRAINY = 0.1
"""Variance of the grain, as a share of the picture's, from which on all of it is taken: that of a
painting's photo of web size, sharpened. Clean drawings have a tenth of that or less, and what is
taken there are corners, fine lines and dots."""


def without_grain(image: Tensor) -> Tensor:
    """``image`` (1, C, H, W) with less of its grain, the more grain there is.

    The grain is what the `medians` lack: what is one pixel wide, sharpened noise and the ringing of
    JPEG. They leave edges where they are, as a blur would not.
    """
    calm = medians(image)
    spread = float((image - image.mean((-2, -1), keepdim=True)).square().mean())
    grain = float((image - calm).square().mean())
    if not spread > 0:
        return image
    return torch.lerp(image, calm, min(1.0, grain / spread / GRAINY))


def medians(image: Tensor) -> Tensor:
    """The medians (Tukey 1977) of ``image`` (1, C, H, W) over 3 × 3 pixels, channel by channel.

    Beyond the border the outermost pixels go on.
    """
    height = image.shape[-2]
    found = torch.empty_like(image)
    for top in range(0, height, STRIP_ROWS):
        bottom = min(top + STRIP_ROWS, height)
        above, below = max(0, top - 1), min(height, bottom + 1)
        ends = (1, 1, int(above == top), int(below == bottom))
        strip = F.pad(image[..., above:below, :], ends, mode="replicate")
        found[..., top:bottom, :] = _medians(strip)
    return found


def _medians(padded: Tensor) -> Tensor:
    """The medians over 3 × 3 pixels (…, h, w) of what is one pixel larger on each side.

    Of nine numbers in three sorted columns the median is that of the largest of the smallest, the
    median of the medians and the smallest of the largest (Smith 1996, "Implementing median filters
    in XC4000E FPGAs").
    """
    a, b, c = padded[..., :-2, :], padded[..., 1:-1, :], padded[..., 2:, :]
    smallest, largest = a.minimum(b).minimum(c), a.maximum(b).maximum(c)
    middle = _middle(a, b, c)
    return _middle(
        _across(smallest, torch.maximum),
        _middle(middle[..., :-2], middle[..., 1:-1], middle[..., 2:]),
        _across(largest, torch.minimum),
    )


def _middle(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return a.minimum(b).maximum(a.maximum(b).minimum(c))


def _across(x: Tensor, pick: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    return pick(pick(x[..., :-2], x[..., 1:-1]), x[..., 2:])
