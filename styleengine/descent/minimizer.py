"""What moves a picture downhill: `LBFGS` or `Adam`, as small state machines over one tensor.

Both take the loss and its gradient at the current picture and move the picture in place: one
evaluation per step, so that a step costs the same whatever the method. They are written for
pictures: the first move is set in units of the picture's values, not of the gradient, which makes
them indifferent to the scale of the loss and to the number of pixels.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Diverged(ArithmeticError):
    """The minimiser cannot go on from here: the loss or the gradient stopped making sense."""


class Minimizer(Protocol):
    """Moves a picture downhill."""

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> bool:
        """Moves ``x`` in place, given the loss and its gradient there; may raise `Diverged`.

        False once it has converged: no step leads lower, and ``x`` stays as it is.
        """
        ...

    def settle(self, x: Tensor, loss: float) -> bool:
        """The same where no gradient is known and no other step follows; always True."""
        ...

    def average(self, x: Tensor) -> Tensor:
        """The best estimate of the minimum so far, at least as good to look at as ``x``."""
        ...

    def retract(self, x: Tensor) -> None:
        """Makes ``x`` the best estimate: without the last move, whose loss is not known yet."""
        ...
