"""Steadiness: that a frame of a film is painted as the one before was, where it shows the same."""

from __future__ import annotations

from torch import Tensor

from styleengine.loss.term import Found, Local, Term
from styleengine.networks.extractor import Extractor
from styleengine.planning.tiling import Tile

UNIT = 0.1
"""The difference, in picture values, that counts as 1."""


class Steady(Term):
    """The mean squared difference from a ``target`` (1, 3, H, W), where ``seen`` (H, W), 0–1, is.

    The target is the painting of the frame before, moved as the photo has moved; the temporal
    consistency loss of Ruder, Dosovitskiy, Brox 2016, *Artistic style transfer for videos*, eq. 7.
    It is a mean over all ``size`` (h, w) positions, so that a place is held as firmly however much
    of the rest is seen. Both maps are what is seen of the picture by a process that shares it.
    """

    def __init__(
        self,
        extractor: Extractor,
        weight: float,
        target: Tensor,
        seen: Tensor,
        size: tuple[int, int],
    ) -> None:
        super().__init__(extractor, {})
        self._target, self._seen = target, seen
        self._factor = weight / UNIT**2 / (size[0] * size[1])

    def local(self, x: Tensor, found: Found, tile: Tile) -> list[Local]:
        """How far each pixel is from what it was."""
        apart = (x - tile.outer(self._target)).square().mean(1)[0]
        return [Local(self._factor, apart * tile.outer(self._seen))]
