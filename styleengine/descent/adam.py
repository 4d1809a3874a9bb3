"""Adam for pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from styleengine.descent.minimizer import Diverged
from styleengine.descent.vectors import is_finite
from styleengine.together.group import ALONE, Group


class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1) with an averaged iterate.

    Two departures: the picture is clamped to 0–1 after each step, which Adam's step, independent of
    the gradient's size, would otherwise leave; and `average` returns an exponential mean of the
    iterates (Polyak & Juditsky 1992), which removes the grain of Adam's constant step.
    ``group`` as in `LBFGS`.
    """

    def __init__(
        self,
        rate: float = 0.02,
        betas: tuple[float, float] = (0.9, 0.99),
        averaging: float = 0.97,
        clamp: tuple[float, float] | None = (0.0, 1.0),
        group: Group = ALONE,
    ) -> None:
        self._group = group
        self._rate, self._betas, self._averaging, self._clamp = rate, betas, averaging, clamp
        self._steps = 0
        self._first: Tensor | None = None
        self._second: Tensor | None = None
        self._mean: Tensor | None = None

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> bool:
        """One step of size ``rate`` per pixel, at most; always True."""
        if not (self._group.all(is_finite(gradient)) and loss == loss):
            raise Diverged("The loss or its gradient is not finite.")
        if self._first is None or self._second is None or self._mean is None:
            self._first, self._second, self._mean = (torch.zeros_like(x) for _ in range(3))
        b1, b2 = self._betas
        self._steps += 1
        self._first.lerp_(gradient, 1 - b1)
        self._second.lerp_(gradient.square(), 1 - b2)
        # Adam's epsilon, relative to the gradient: the gradient of a mean shrinks with the pixels,
        # and a fixed epsilon would freeze large pictures in a grey haze.
        correction = 1 - b2**self._steps
        scale = (self._second / correction).sqrt_()
        scale += 1e-3 * self._mean_of(scale) + torch.finfo(x.dtype).tiny
        x.addcdiv_(self._first, scale, value=-self._rate / (1 - b1**self._steps))
        if self._clamp:
            x.clamp_(*self._clamp)
        self._mean.lerp_(x, 1 - self._averaging)
        return True

    def settle(self, x: Tensor, loss: float) -> bool:
        """The mean of the iterates is what it was."""
        return True

    def _mean_of(self, a: Tensor) -> Tensor | float:
        if self._group.size == 1:
            return a.mean()
        total, count = self._group.total(float(a.sum(dtype=torch.float64)), a.numel())
        return total / count

    def average(self, x: Tensor) -> Tensor:
        """The bias-corrected exponential mean of the iterates (``x`` before the first step)."""
        if self._mean is None:
            return x
        corrected: Tensor = self._mean / (1 - self._averaging**self._steps)
        return corrected

    def retract(self, x: Tensor) -> None:
        """Makes ``x`` that mean, in which no single move counts much."""
        x.copy_(self.average(x))
