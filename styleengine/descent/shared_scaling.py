"""The minimiser's first guess for a picture that several processes share."""

from __future__ import annotations

import torch
from torch import Tensor

from styleengine.descent.band_scaling import DEVICES, BandScaling
from styleengine.together.stripe import Stripe


class SharedScaling(BandScaling):
    """The same for vectors of which each process holds a stripe: Fourier transforms want the whole.

    Each process has it for the time of the transform; so large pictures do without, as with one.
    """

    def __init__(
        self, stripe: Stripe, device: torch.device, history: int, factors: Tensor | None
    ) -> None:
        super().__init__(stripe.size, device, history, factors)
        self._stripe = stripe

    def learn(self, s: Tensor, y: Tensor) -> None:
        """Takes note of a step and the change of the gradient along it."""
        super().learn(self._stripe.gathered(s), self._stripe.gathered(y))

    def apply(self, direction: Tensor) -> Tensor:
        """``H · direction``, contiguous."""
        whole = super().apply(self._stripe.gathered(direction))
        return self._stripe.cut(whole).contiguous()


def shared_guess(
    stripe: Stripe, device: torch.device, history: int, factors: Tensor | None
) -> SharedScaling | None:
    """A `SharedScaling`; None on a device without Fourier transforms."""
    if device.type not in DEVICES:
        return None
    return SharedScaling(stripe, device, history, factors)
