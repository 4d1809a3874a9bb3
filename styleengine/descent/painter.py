"""Runs the minimiser through the scales of a plan."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence

import torch
from torch import Tensor

from styleengine.descent.band_scaling import BandScaling, first_guess
from styleengine.descent.minimizers import LBFGS, Adam, Diverged, Minimizer
from styleengine.descent.pace import PREVIEW_INTERVAL_S, STYLED_S, STYLED_STEPS, SURE_STEPS, TELLING
from styleengine.loss.objective import Objective
from styleengine.machine import allocator
from styleengine.machine.failures import is_out_of_memory
from styleengine.planning.layout import SMALLEST_SIDE, Layout
from styleengine.planning.plan import Plan
from styleengine.planning.recipes import FINE, Classic
from styleengine.protocol import EngineError, Progress, Sentence
from styleengine.scene import going_on, resample
from styleengine.scene.going_on import KEPT_PX, Before
from styleengine.scene.scene import Scene

log = logging.getLogger(__name__)

RESCUE_RATE = 0.01
"""Adam's step when it has to take over from a minimiser that diverged."""


class Painter:
    """Runs the minimiser through the scales; holds the picture and the state of the run."""

    def __init__(
        self,
        plan: Plan,
        layouts: Sequence[Layout],
        should_stop: Callable[[], bool],
        features: str = "",
        rates: Sequence[float | None] = (),
        memory: int | None = None,
    ) -> None:
        """Starts with no picture; `paint` takes the scene's initial one at the first scale.

        ``layouts`` says how each scale is computed; ``rates`` is how many seconds a pixel may take
        in a step of the whole network of each scale, to tell the time beforehand, ``memory`` how
        many bytes the run takes at most.
        """
        self._plan, self._should_stop, self._features = plan, should_stop, features
        self._layouts, self._memory = layouts, memory
        known = [r for r in rates if r]
        self._rate = known[0] if known and len(known) == len(plan.sizes) else None
        relative = [r / known[0] for r in known] if self._rate else [1.0] * len(plan.sizes)
        self._work = [
            h * w * layouts[scale].cost * plan.share(scale) * relative[scale]
            for scale, (h, w) in enumerate(plan.sizes)
        ]
        self._x: Tensor | None = None
        self._best: Tensor | None = None
        self._minimizer: Minimizer | None = None
        self._factors: Tensor | None = None  # of the minimiser's first guess, from scale to scale
        self._started = self._scale_started = time.monotonic()
        self._last_preview: float | None = None
        self._work_done = self._work_before = 0.0
        self.scale = self.step = self._seen_step = 0
        self.loss: float | None = None
        self.stopped = False
        self.notes: list[Sentence] = []

    @property
    def picture(self) -> Tensor:
        """The picture as it is now, (1, 3, h, w) at the scale reached."""
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
        self._begun(scale, scene.start(scale, before))
        if scale:
            scene.levels.forget(scale - 1)

    def _begun(self, scale: int, x: Tensor) -> None:
        self._x, self.scale = x, scale
        self._scale_started, self._work_before = time.monotonic(), self._work_done

    def follow(self, scene: Scene, before: Before) -> int:
        """Begins with the painting before; returns the scale that was begun.

        Of the same photo the painting is taken as it is, at the scale whose size it has, so that a
        preview becomes what it showed. Of another one, as the next frame of an animation is, it is
        taken at the smallest scale, where the photo has not changed.
        """
        sizes, steps = self._plan.sizes, self._plan.steps
        scale = max((k for k, size in enumerate(sizes) if max(size) <= KEPT_PX), default=0)
        content, then, painted = self._as_before(scene, before, scale)
        if not going_on.unchanged(content, then):
            scale = 0
            content, then, painted = self._as_before(scene, before, scale)
            painted = going_on.follow(scene.start(scale, None), content, then, painted)
        self.step = sum(steps[:scale])
        self._work_done = sum(n * w for n, w in zip(steps[:scale], self._work, strict=False))
        self._begun(scale, painted.contiguous())
        return scale

    def _as_before(self, scene: Scene, before: Before, scale: int) -> tuple[Tensor, Tensor, Tensor]:
        """The content at a scale, and that of the painting before, and this painting."""
        content = scene.content(scale)
        size = (content.shape[-2], content.shape[-1])
        then, painted = (
            resample.resize(scene.shown(each.rgb), size).clamp_(0, 1).to(content.device)
            for each in (before.content, before.painted)
        )
        return content, then, painted

    def paint(self, objective: Objective) -> Iterator[Progress]:
        """All steps of the scale that was begun; yields a `Progress` after each, or more."""
        assert self._x is not None
        x, scale = self._x, self.scale
        self._scale_started = time.monotonic()
        self._best = None if self._layouts[scale].narrow else x.clone()
        optimizer = self._plan.optimizer
        lowest = float("inf")
        for count in self._plan.rounds(scale):
            self._minimizer = self._make(optimizer)
            for _ in range(count):
                found = yield from self._evaluate(objective, x)
                if found is None:
                    return
                loss, gradient = found
                if loss < lowest and self._best is not None:
                    lowest = loss
                    self._best.copy_(x)
                try:
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
                    self._minimizer = Adam(RESCUE_RATE)
                    continue
                finally:
                    self.step += 1
                    self._work_done += self._work[scale]
                self.loss = loss if math.isfinite(loss) else None
                if not more:  # the steps left would change nothing
                    self._work_done += (self._end(scale) - self.step) * self._work[scale]
                    self.step = self._end(scale)
                yield self.progress("paint")
                if self._stop_now() or not more:
                    return

    def _end(self, scale: int) -> int:
        """The steps of the scales up to this one."""
        return sum(self._plan.steps[: scale + 1])

    def _stop_now(self) -> bool:
        self.stopped = self.stopped or self._should_stop()
        return self.stopped

    def _evaluate(
        self, objective: Objective, x: Tensor
    ) -> Generator[Progress, None, tuple[float, Tensor] | None]:
        """Loss and gradient, or None if the run is to stop; a `Progress` after each tile.

        If memory runs out, all goes on in smaller tiles.
        """
        dtype = torch.float16 if self._layouts[self.scale].narrow else x.dtype
        while True:
            work = objective.evaluate(x, dtype)
            try:
                while True:
                    share = next(work)
                    yield self.progress("paint", share)
                    if self._stop_now():
                        return None
            except StopIteration as done:
                found: tuple[float, Tensor] = done.value
                return found
            except (MemoryError, RuntimeError) as error:
                side = min(objective.side or max(objective.size), max(objective.size))
                if not is_out_of_memory(error) or side <= SMALLEST_SIDE:
                    raise
            # Outside the handler, which holds on to the memory of the failed attempt.
            del work
            objective.side = max(SMALLEST_SIDE, side // 2)
            log.warning("out of memory, going on with tiles of %d pixels", objective.side)
            self.notes.append(
                Sentence.of(
                    "Memory ran out; from step {n} on the picture was worked on in tiles of {side} "
                    "pixels.",
                    n=self.step + 1,
                    side=objective.side,
                )
            )

    def progress(self, stage: str, share: float = 0.0) -> Progress:
        """Where the run stands, with a ``share`` of the next step done."""
        plan = self._plan
        work = sum(n * w for n, w in zip(plan.steps, self._work, strict=True))
        done = self._work_done + share * self._work[self.scale]
        rate = self._pace(done)
        eta = None if rate is None else rate * max(0.0, work - done)
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
            self._memory,
            min(1.0, done / work) if work else 1.0,
        )

    def _pace(self, done: float) -> float | None:
        """Seconds for a unit of the work ahead, of which so much is ``done``; None if unknown.

        Small scales take more time for a pixel than the large ones to come: until these are there,
        the probe of the device knows better.
        """
        now = time.monotonic()
        height, width = self._plan.sizes[self.scale]
        if self._rate is not None and height * width < TELLING:
            return self._rate
        here = done - self._work_before
        # Not from the first tile on, which takes longer than those to come.
        if here >= self._work[self.scale] and (self._rate or self.step >= SURE_STEPS):
            return (now - self._scale_started) / here
        return self._rate if self.step < SURE_STEPS or not done else (now - self._started) / done

    def preview_due(self, steps: int | None) -> bool:
        """Whether it is time for a preview; remembers the answer yes."""
        if self.step == self._seen_step:
            return False
        self._seen_step = self.step
        now = time.monotonic()
        if steps is not None:
            return self.step % steps == 0
        if self._last_preview is None:
            late = self.step > 2 and now - self._started >= STYLED_S
            due = late or self.step >= min(STYLED_STEPS, self._plan.total_steps)
        else:
            due = now - self._last_preview >= PREVIEW_INTERVAL_S
        if due:
            self._last_preview = now
        return due

    def _make(self, optimizer: str) -> Minimizer:
        if optimizer == "adam":
            return Adam()
        history = self._layouts[self.scale].history
        return LBFGS(history, scaling=self._make_scaling(history))

    def _make_scaling(self, history: int) -> BandScaling | None:
        """The minimiser's first guess, which begins as it was at the scale before.

        None for the notebook's method, for vectors in half precision, and for the scales of a large
        picture that come last, whose Fourier transforms would take long for their few steps.
        """
        x, method = self._x, self._plan.methods[self.scale]
        assert x is not None
        narrow = self._layouts[self.scale].narrow
        if narrow or isinstance(method, Classic) or max(x.shape) > FINE:
            return None
        return first_guess(x, history, self._factors)
