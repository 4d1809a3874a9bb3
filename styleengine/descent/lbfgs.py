"""L-BFGS for pictures."""

from __future__ import annotations

import math
from collections import deque

import torch
from torch import Tensor

from styleengine.descent.band_scaling import BandScaling
from styleengine.descent.minimizer import Diverged
from styleengine.descent.vectors import add, dot, is_finite, scale
from styleengine.together.group import ALONE, Group

FIRST_MOVE = 0.02
"""Root mean square change of the first L-BFGS step, in picture values (0–1)."""
SETTLED_MOVE = 0.003
"""The same for a picture that begins near its end, as that of a film's next frame does."""

CURVATURE = 1e-10
"""Smallest ``s·y / (|s| |y|)`` of a pair of L-BFGS' history: below it the pair says nothing."""


class LBFGS:
    """L-BFGS (Liu & Nocedal 1989; Nocedal & Wright 2006, algorithm 7.4) with unit steps.

    ``scaling``, if given, is the matrix that takes the place of the identity in the initial inverse
    Hessian (eq. 7.20).

    Unlike the book, there is no line search, because an extra evaluation costs as much as a step
    and unit steps are nearly always accepted here. Instead a step that raises the loss out of all
    proportion is taken back and shortened, and the history, which led there, is dropped.

    It has converged where a step would be too short for the numbers of the picture to hold, or had
    to be shortened until it is: along a gradient that is more than rounding, a loss that is more
    than rounding stops rising to four times itself long before. It has diverged where the loss is
    not finite whatever the step, or does not come back down when the picture does.

    The processes of a ``group`` each hold a part of every vector, and move alike.
    """

    def __init__(
        self,
        history: int = 10,
        tolerated_rise: float = 4.0,
        retries: int = 6,
        scaling: BandScaling | None = None,
        group: Group = ALONE,
        first_move: float = FIRST_MOVE,
    ) -> None:
        self.scaling, self._group = scaling, group
        self._pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=history)
        self._curved: float | None = None  # the inverse curvature along the last pair
        self._tolerated_rise = tolerated_rise
        self._retries = retries
        self._failures = 0
        self._first_move = first_move
        self._highest = -math.inf  # of the finite losses so far
        self._last: tuple[float, Tensor, Tensor] | None = None
        self._converged = False

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> bool:
        """One step; takes back the previous one where it led uphill. Keeps ``gradient``."""
        if self._converged:
            return False
        finite = math.isfinite(loss) and self._group.all(is_finite(gradient))
        if finite:
            self._highest = max(self._highest, loss)
        if self._last is not None:
            _, last_gradient, move = self._last
            if not (finite and self._is_tolerable(loss)):
                return self._retreat(x, loss if finite else None)
            self._failures = 0
            add(last_gradient, gradient, -1.0)
            self._remember(move, last_gradient.neg_())
        elif not finite:
            raise Diverged("The loss or its gradient is not finite.")
        direction = self._direction(gradient)
        if len(self._pairs) == self._pairs.maxlen:
            self._pairs.popleft()  # which the next one would, after an evaluation that wants room
        return self._move(x, loss, gradient, direction)

    def settle(self, x: Tensor, loss: float) -> bool:
        """The last step: ends at ``x``, whose loss is that, or takes the last move back if it led
        far uphill."""
        if not self._is_tolerable(loss):
            self.retract(x)
        self._last = None
        return True

    def _is_tolerable(self, loss: float) -> bool:
        """Whether the last move, if there was one, led to a loss that is not far uphill."""
        if self._last is None:
            return True
        return math.isfinite(loss) and loss <= self._tolerated_rise * self._last[0]

    def average(self, x: Tensor) -> Tensor:
        """The picture itself: L-BFGS does not jitter."""
        return x

    def retract(self, x: Tensor) -> None:
        """Takes the last move back."""
        if self._last is not None:
            add(x, self._last[2], -1.0)

    def _move(self, x: Tensor, loss: float, gradient: Tensor, move: Tensor) -> bool:
        """Adds a ``move`` from where the loss and the gradient are those given."""
        size = self._rms(move)
        self._last, self._converged = None, size <= torch.finfo(x.dtype).eps
        if self._converged:
            return False
        if not math.isfinite(size):
            raise Diverged("The step is not finite.")
        self._take(x, loss, gradient, move)
        return True

    def _take(self, x: Tensor, loss: float, gradient: Tensor, move: Tensor) -> None:
        add(x, move)
        self._last = (loss, gradient, move)

    def _retreat(self, x: Tensor, loss: float | None) -> bool:
        """Takes back the last move, which led to such a loss (None: not finite), for a shorter."""
        assert self._last is not None
        last_loss, last_gradient, move = self._last
        add(x, move, -1.0)
        self._last = None
        self._pairs.clear()
        self._curved = None
        if self.scaling is not None:
            self.scaling.forget()
        size = self._rms(move)
        shorter = scale(move, 0.1 if size <= 10 * FIRST_MOVE else FIRST_MOVE / size)
        if loss is None:
            self._failures += 1
            if self._failures > self._retries:
                raise Diverged("The loss is not finite, however short the step.")
            self._take(x, last_loss, last_gradient, shorter)
            return True
        self._first_move = self._rms(shorter)
        if self._move(x, last_loss, last_gradient, shorter):
            return True
        # A tenth of the step raises a convex loss by a tenth at most.
        if loss > 0.1 * self._highest:
            raise Diverged("The loss rises, however short the step.")
        return False

    def _remember(self, s: Tensor, y: Tensor) -> None:
        sy, ss, yy = self._group.total(dot(s, y), dot(s, s), dot(y, y))
        if sy > CURVATURE * (ss * yy) ** 0.5:
            self._pairs.append((s, y, 1.0 / sy))
            if self.scaling is not None:
                self.scaling.learn(s, y)

    def _direction(self, gradient: Tensor) -> Tensor:
        direction = gradient.neg()
        if not self._pairs and self._curved is not None:
            return scale(self._scaled(direction), self._curved)
        if not self._pairs:
            direction = self._scaled(direction)
            size = self._rms(direction)
            if not 0 < size < math.inf:
                return direction
            move = scale(direction, self._first_move / size)
            self._first_move = min(10 * self._first_move, FIRST_MOVE)
            return move
        if self._pairs.maxlen == 1 and self.scaling is None:
            return self._direction_of_pair(gradient)
        alphas = []
        for s, y, rho in reversed(self._pairs):
            alpha = rho * self._dot(s, direction)
            add(direction, y, -alpha)
            alphas.append(alpha)
        _, y, rho = self._pairs[-1]
        shrink = 1.0 if self.scaling is None else self.scaling.shrink()
        self._curved = 1.0 / (rho * self._dot(y, y) * shrink)
        direction = scale(self._scaled(direction), self._curved)
        for (s, y, rho), alpha in zip(self._pairs, reversed(alphas), strict=True):
            add(direction, s, alpha - rho * self._dot(y, direction))
        return direction

    def _direction_of_pair(self, gradient: Tensor) -> Tensor:
        """The same of the only pair, which is gone then: the move takes the place of it."""
        s, y, rho = self._pairs.pop()
        sg, yg, yy = self._group.total(dot(s, gradient), dot(y, gradient), dot(y, y))
        alpha, self._curved = -rho * sg, 1.0 / (rho * yy)
        beta = -rho * self._curved * (yg + alpha * yy)
        direction = scale(s, alpha - beta)
        add(direction, gradient, -self._curved)
        add(direction, y, -self._curved * alpha)
        return direction

    def _scaled(self, direction: Tensor) -> Tensor:
        return direction if self.scaling is None else self.scaling.apply(direction)

    def _dot(self, a: Tensor, b: Tensor) -> float:
        return self._group.total(dot(a, b))[0]

    def _rms(self, a: Tensor) -> float:
        square, count = self._group.total(dot(a, a), a.numel())
        return math.sqrt(square / count)
