"""Patches of a picture beside each other on one sheet, which the network looks at as at a picture.

Each has a margin of its own that is not painted, so that none is seen from another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from styleengine.planning.spots import STEP, Area, Patch, Size


@dataclass(frozen=True)
class Sheet:
    """``patches`` of a picture of ``whole`` (h, w), the spot first, and where each one is."""

    whole: Size
    patches: tuple[Patch, ...]
    places: tuple[tuple[int, int], ...]
    size: Size

    @classmethod
    def of(cls, whole: Size, patches: Sequence[Patch]) -> Sheet:
        """The patches in rows, none wider than the widest."""
        width = max(_steps(p.seen.size[1]) for p in patches)
        places, top, left, tall = [], 0, 0, 0
        for patch in patches:
            height, across = (_steps(n) for n in patch.seen.size)
            if left + across > width:
                top, left, tall = top + tall, 0, 0
            places.append((top, left))
            left, tall = left + across, max(tall, height)
        size = top + tall, width
        if len(patches) == 1:
            size = patches[0].seen.size  # as in the whole, where it ends
        return cls(whole, tuple(patches), tuple(places), size)

    def filled(self, part: Callable[[int, Area], Tensor]) -> Tensor:
        """The sheet (1, C, h, w) with a ``part`` (1, C, h, w) for each patch, given its number and
        the area that it sees."""
        parts = [part(number, patch.seen) for number, patch in enumerate(self.patches)]
        sheet = parts[0].new_zeros(1, parts[0].shape[1], *self.size)
        for (top, left), each in zip(self.places, parts, strict=True):
            height, width = each.shape[-2:]
            sheet[..., top : top + height, left : left + width] = each
        return sheet

    def seen(self, sheet: Tensor, number: int) -> Tensor:
        """What a patch sees, of a ``sheet`` (…, h, w)."""
        (top, left), (height, width) = self.places[number], self.patches[number].seen.size
        return sheet[..., top : top + height, left : left + width]

    def weights(self, device: torch.device) -> Tensor:
        """How many pixels of the picture each of the sheet's stands for, (h, w); 0 in margins.

        Those of the spot stand for themselves, and the others for all the rest.
        """
        found = torch.zeros(self.size, device=device)
        spot, *others = (patch.painted.pixels for patch in self.patches)
        rest = max(1.0, (self.whole[0] * self.whole[1] - spot) / max(1, sum(others)))
        for number, patch in enumerate(self.patches):
            inner = patch.painted.within(patch.seen)
            part = self.seen(found, number)[inner.top : inner.bottom, inner.left : inner.right]
            part.fill_(rest if number else 1.0)
        return found


def _steps(length: int) -> int:
    return -(-length // STEP) * STEP
