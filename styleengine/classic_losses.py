"""The loss terms of the Keras notebook in *Deep Learning with Python* §8.3, term for term.

Sums over positions, as there; plain functions of features and pictures.
"""

from __future__ import annotations

from torch import Tensor


def classic_gram_loss(gram: Tensor, target: Tensor, size: int) -> Tensor:
    """``sum((F Fᵀ - S Sᵀ)²) / (4 · 3² · size²)`` of (C, C) Gram matrices, sums over positions.

    ``size`` is the picture's pixel count. Unlike the paper, whose N and M are the layer's own, 3
    channels and the picture's size stand for every layer: that is what the notebook does, and it
    gives deep layers a smaller weight.
    """
    return (gram - target).square().sum() / (4.0 * 3**2 * float(size) ** 2)


def classic_tv_values(image: Tensor) -> Tensor:
    """What each inner pixel adds to ``sum((dy² + dx²)^1.25)``, (H - 1, W - 1).

    Of ``image`` (1, 3, H, W) in the notebook's 0–255 units. The differences are those of the inner
    pixels, without the last row and column. The power's gradient is finite at zero because its
    exponent is above one.
    """
    inner = image[..., :-1, :-1]
    dy = (inner - image[..., 1:, :-1]).square()
    dx = (inner - image[..., :-1, 1:]).square()
    return (dy + dx).pow(1.25)[0].sum(0)
