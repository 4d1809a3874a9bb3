"""Runs the minimiser through the scales of a plan."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterator, Sequence

import torch
from torch import Tensor

from styleengine.descent.adam import Adam
from styleengine.descent.band_scaling import BandScaling, first_guess
from styleengine.descent.lbfgs import FIRST_MOVE, LBFGS, SETTLED_MOVE
from styleengine.descent.minimizer import Diverged, Minimizer
from styleengine.descent.pace import Pace
from styleengine.descent.shared_scaling import shared_guess
from styleengine.loss.objective import Objective
from styleengine.machine import allocator
from styleengine.machine.failures import is_out_of_memory
from styleengine.planning.layout import SMALLEST_SIDE, Layout
from styleengine.planning.plan import Plan
from styleengine.planning.recipes import FINE, Classic
from styleengine.protocol import EngineError, Progress, Sentence
from styleengine.scene.scene import Scene
from styleengine.together.group import ALONE, Group, Stopped
from styleengine.together.stripe import Stripe

log = logging.getLogger(__name__)

RESCUE_RATE = 0.01
"""Adam's step when it has to take over from a minimiser that diverged."""


class Painter:
    """Runs the minimiser through the scales; holds the picture and the state of the run."""

    def __init__(
        self, plan: Plan, layouts: Sequence[Layout], pace: Pace, should_stop: Callable[[], bool]
    ) -> None:
        """Starts with no picture. ``layouts`` says how each scale is computed."""
        self._stripe: Stripe | None = None  # what is held of the picture, where it is shared
        self._plan, self.layouts, self._should_stop = plan, layouts, should_stop
        self.pace = pace
        self._x: Tensor | None = None
        self._best: Tensor | None = None
        self._minimizer: Minimizer | None = None
        self._factors: Tensor | None = None  # of the minimiser's first guess, from scale to scale
        self.scale = 0
        self.stopped = False
        self.met = False  # whether the last progress told of a whole step, the same for all
        self.notes: list[Sentence] = []

    @property
    def picture(self) -> Tensor:
        """The picture as it is now, (1, 3, h, w) at the scale reached, or what is held of it."""
        assert self._x is not None
        best = self._x if self._best is None else self._best
        return best if self._minimizer is None else self._minimizer.average(best)

    def release(self) -> Tensor:
        """The best picture there is; gives up all else that takes a picture's memory.

        That is the evaluated iterate of the lowest loss, or where memory is short the last one
        evaluated, never the last, unproven move; with Adam, the mean of its iterates.
        """
        assert self._x is not None
        if self._best is None and self._minimizer is not None:
            self._minimizer.retract(self._x)
            picture = self._x
        else:
            picture = self.picture
        if isinstance(self._minimizer, LBFGS) and self._minimizer.scaling is not None:
            self._factors = self._minimizer.scaling.factors
        self._x, self._best, self._minimizer = picture, None, None
        return picture

    def begin(self, scale: int, scene: Scene) -> None:
        """Takes the picture to a scale; of the scale before nothing else is kept."""
        before = None if self._x is None else self.release()
        allocator.give_back()
        self._x, self.scale = scene.start(scale, before), scale
        self.pace.begin(scale)
        if scale:
            scene.levels.forget(scale - 1)

    def begin_shared(self, scale: int, scene: Scene, stripe: Stripe) -> None:
        """The same where several processes share the scale, and ``stripe`` is this one's part.

        The first of them has painted the scales before that are not shared.
        """
        before, held = self._hand_over(scene, scale - 1, stripe.group)
        self._x = None
        allocator.give_back()
        self._x = scene.start_part(scale, before, held, stripe)
        self.scale, self._stripe = scale, stripe
        self.pace.begin(scale)
        scene.levels.forget(scale - 1)

    def _hand_over(self, scene: Scene, scale: int, group: Group) -> tuple[Tensor, Stripe]:
        """What is held of the picture of the scale before; all know the minimiser's guess then."""
        if self._stripe is not None:
            return self.release(), self._stripe
        height, width = self._plan.sizes[scale]
        device = scene.levels.source.device
        before = torch.empty(1, 3, 0, width, device=device) if group.rank else self.release()
        factors = group.first(None if self._factors is None else self._factors.cpu())
        self._factors = None if factors is None else factors.to(device)
        return before, Stripe.of_first(group, (height, width))

    def go_on(self, scale: int, picture: Tensor) -> None:
        """Begins at a scale with a ``picture``, which it may change; see `going_on.start`."""
        self._x, self.scale = picture, scale
        self.pace.reach(scale)
        self.pace.begin(scale)

    def paint(self, objective: Objective) -> Iterator[Progress]:
        """All steps of the scale that was begun; yields a `Progress` after each, or more."""
        assert self._x is not None
        x, scale = self._x, self.scale
        self.pace.begin(scale)
        self._best = None if self.layouts[scale].narrow else x.clone()
        optimizer = self._plan.optimizer
        lowest = float("inf")
        left = self._plan.steps[scale]
        for count in self._plan.rounds(scale):
            self._minimizer = self._make(optimizer)
            for step in range(count):
                left -= 1
                # Of the last step the move is never taken, only the loss counts.
                slope = left > 0 or step == 0 or not self._ends_unmoved(scale)
                found = yield from self._evaluate(objective, x, slope)
                if found is None:
                    return
                loss, gradient = found
                if loss < lowest and self._best is not None:
                    lowest = loss
                    self._best.copy_(x)
                try:
                    if gradient is None:
                        more = self._minimizer.settle(x, loss)
                    else:
                        more = self._minimizer.step(x, loss, gradient)
                except Diverged as error:
                    if optimizer == "adam":
                        raise EngineError(
                            "diverged",
                            "The optimisation went astray: the loss is not a finite number.",
                            "Lower the strength, or choose other features.",
                        ) from error
                    log.warning("L-BFGS diverged at scale %d, going on with Adam", scale)
                    self.notes.append(
                        Sentence("L-BFGS diverged; Adam took over from the last good picture.")
                    )
                    if self._best is None:
                        self._minimizer.retract(x)
                    else:
                        x.copy_(self._best)
                    optimizer = "adam"
                    self._minimizer = Adam(RESCUE_RATE, group=self._group)
                    continue
                finally:
                    self.pace.stepped()
                self.pace.loss = loss if math.isfinite(loss) else None
                if not more:  # the steps left would change nothing
                    self.pace.reach(scale + 1)
                self.met = True
                yield self.pace.progress("paint")
                self.met = False
                if self._stop_now() or not more:
                    return

    def _ends_unmoved(self, scale: int) -> bool:
        """Whether nothing but the next move would be made of the gradient."""
        if not isinstance(self._minimizer, LBFGS):
            return False
        return self._minimizer.scaling is None or self._plan.ends_unmoved(scale)

    def _stop_now(self) -> bool:
        self.stopped = self.stopped or self._should_stop()
        if self._group.size > 1:  # at the end of a step, where all meet
            self.stopped = not self._group.all(not self.stopped)
        return self.stopped

    @property
    def _group(self) -> Group:
        return ALONE if self._stripe is None else self._stripe.group

    def _evaluate(
        self, objective: Objective, x: Tensor, slope: bool
    ) -> Generator[Progress, None, tuple[float, Tensor | None] | None]:
        """Loss and gradient, or None if the run is to stop; a `Progress` after each tile.

        The gradient may be None without ``slope``.

        If memory runs out, all goes on in smaller tiles.
        """
        dtype = torch.float16 if self.layouts[self.scale].narrow else x.dtype
        while True:
            work = objective.evaluate(x, dtype, slope=slope)
            try:
                while True:
                    share = next(work)
                    yield self.pace.progress("paint", share)
                    if self._group.size > 1:
                        self._group.stopping = self._group.stopping or self._should_stop()
                    elif self._stop_now():
                        return None
            except Stopped:
                self.stopped = True
                return None
            except StopIteration as done:
                found: tuple[float, Tensor | None] = done.value
                return found
            except (MemoryError, RuntimeError) as error:
                side = min(objective.side or max(objective.size), max(objective.size))
                if not is_out_of_memory(error) or side <= SMALLEST_SIDE or self._group.size > 1:
                    raise
            # Outside the handler, which holds on to the memory of the failed attempt.
            del work
            objective.side = max(SMALLEST_SIDE, side // 2)
            log.warning("out of memory, going on with tiles of %d pixels", objective.side)
            self.notes.append(
                Sentence.of(
                    "Memory ran out; from step {n} on the picture was worked on in tiles of {side} "
                    "pixels.",
                    n=self.pace.step + 1,
                    side=objective.side,
                )
            )

    def _make(self, optimizer: str) -> Minimizer:
        if optimizer == "adam":
            return Adam(group=self._group)
        history = self.layouts[self.scale].history
        first = SETTLED_MOVE if self._plan.settled else FIRST_MOVE
        scaling = self._make_scaling(history)
        return LBFGS(history, scaling=scaling, group=self._group, first_move=first)

    def _make_scaling(self, history: int) -> BandScaling | None:
        """The minimiser's first guess, which begins as it was at the scale before.

        None for the notebook's method, for vectors in half precision, and for the scales of a large
        picture that come last, whose Fourier transforms would take long for their few steps.
        """
        x, method = self._x, self._plan.methods[self.scale]
        assert x is not None
        narrow = self.layouts[self.scale].narrow
        if narrow or isinstance(method, Classic) or max(self._plan.sizes[self.scale]) > FINE:
            return None
        if self._stripe is not None:
            return shared_guess(self._stripe, x.device, history, self._factors)
        return first_guess(x, history, self._factors)
