"""Runs the minimiser through the scales of a plan."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator

from torch import Tensor

from styleengine.objective import Objective
from styleengine.optim import LBFGS, Adam, Diverged, Minimizer
from styleengine.plan import Plan
from styleengine.protocol import EngineError, Progress
from styleengine.scene import Scene

log = logging.getLogger(__name__)

PREVIEW_INTERVAL_S = 0.4
RESCUE_RATE = 0.01
"""Adam's step when it has to take over from a minimiser that diverged."""


class Painter:
    """Runs the minimiser through the scales; holds the picture and the state of the run."""

    def __init__(self, plan: Plan, should_stop: Callable[[], bool], features: str = "") -> None:
        """Starts with no picture; `paint` takes the scene's initial one at the first scale."""
        self._plan, self._should_stop, self._features = plan, should_stop, features
        self._best: Tensor | None = None
        self._minimizer: Minimizer | None = None
        self._started = self._last_preview = time.monotonic()
        self._pixels_done = 0.0
        self.scale = self.step = 0
        self.loss: float | None = None
        self.stopped = False
        self.notes: list[str] = []

    @property
    def picture(self) -> Tensor:
        """The best estimate so far, (1, 3, h, w) at the scale reached.

        That is the evaluated iterate of the lowest loss, never the last, unproven move; with Adam,
        the mean of its iterates.
        """
        assert self._best is not None
        return self._best if self._minimizer is None else self._minimizer.average(self._best)

    def paint(self, scale: int, scene: Scene, objective: Objective) -> Iterator[Progress]:
        """All steps of one scale; yields a `Progress` after each."""
        x = scene.start(scale, None if self._best is None else self.picture)
        self._best, self.scale = x.clone(), scale
        optimizer = self._plan.optimizer
        lowest = float("inf")
        for count in self._plan.rounds(scale):
            self._minimizer = self._make(optimizer)
            for _ in range(count):
                loss, gradient = objective(x)
                if loss < lowest:
                    lowest = loss
                    self._best.copy_(x)
                try:
                    self._minimizer.step(x, loss, gradient)
                except Diverged as error:
                    if optimizer == "adam":
                        raise EngineError(
                            "diverged",
                            "The optimisation went astray: the loss is not a finite number.",
                            "Lower the strength, or choose other features.",
                        ) from error
                    log.warning("L-BFGS diverged at scale %d, going on with Adam", scale)
                    self.notes.append("L-BFGS diverged; Adam took over from the last good picture.")
                    x.copy_(self._best)
                    optimizer = "adam"
                    self._minimizer = Adam(RESCUE_RATE)
                    continue
                finally:
                    self.step += 1
                    self._pixels_done += x.shape[-1] * x.shape[-2]
                self.loss = loss if math.isfinite(loss) else None
                yield self.progress("paint")
                if self._should_stop():
                    self.stopped = True
                    return

    def progress(self, stage: str) -> Progress:
        """Where the run stands."""
        plan, elapsed = self._plan, time.monotonic() - self._started
        left = max(0.0, plan.work - self._pixels_done)
        eta = elapsed / self._pixels_done * left if self.step >= 3 else None
        height, width = plan.sizes[self.scale]
        return Progress(
            stage,
            self.scale + 1,
            len(plan.sizes),
            self.step,
            plan.total_steps,
            width,
            height,
            self.loss,
            eta,
            self._features,
        )

    def preview_due(self, steps: int | None) -> bool:
        """Whether it is time for a preview; remembers the answer yes."""
        now = time.monotonic()
        if steps is not None:
            return self.step % steps == 0
        due = self.step == 1 or now - self._last_preview >= PREVIEW_INTERVAL_S
        if due:
            self._last_preview = now
        return due

    def _make(self, optimizer: str) -> Minimizer:
        return Adam() if optimizer == "adam" else LBFGS(self._plan.history)
