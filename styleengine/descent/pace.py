"""Where a run stands: progress, the time left, and when a preview is due."""

from __future__ import annotations

import time
from collections.abc import Sequence

from styleengine.planning.layout import Layout
from styleengine.planning.plan import Plan
from styleengine.protocol import Progress

PREVIEW_INTERVAL_S = 0.4
STYLED_STEPS, STYLED_S = 8, 1.0
"""When the first preview comes: after so many steps, before which it would be hardly more than the
recoloured photo, or after so many seconds, if steps take long; then of the third step at least."""
SURE_STEPS = 3
"""Steps after which the time left is told from the time they took, if nothing else tells it."""
TELLING = 100_000
"""Pixels from which on the time of a step tells that of larger ones."""


class Pace:
    """Counts the steps and the work of a run by the clock."""

    def __init__(
        self,
        plan: Plan,
        layouts: Sequence[Layout],
        features: str = "",
        rates: Sequence[float | None] = (),
        memory: int | None = None,
    ) -> None:
        """``layouts`` says how each scale is computed, ``features`` by what network, for people.

        ``rates`` is how many seconds a pixel may take in a step of the whole network of each scale,
        to tell the time beforehand, ``memory`` how many bytes the run takes at most.
        """
        self._plan, self._features, self._memory = plan, features, memory
        known = [r for r in rates if r]
        self._rate = known[0] if known and len(known) == len(plan.sizes) else None
        relative = [r / known[0] for r in known] if self._rate else [1.0] * len(plan.sizes)
        self._work = [
            h * w * layouts[scale].cost * plan.share(scale) * relative[scale]
            for scale, (h, w) in enumerate(plan.sizes)
        ]
        self._done = self._done_before = 0.0
        self._started = self._scale_started = time.monotonic()
        self._last_preview: float | None = None
        self.scale = self.step = self._seen_step = 0
        self.loss: float | None = None

    def reach(self, scale: int) -> None:
        """All steps that lie before a scale count as done."""
        self.step = sum(self._plan.steps[:scale])
        self._done = sum(n * w for n, w in zip(self._plan.steps[:scale], self._work, strict=False))

    def begin(self, scale: int) -> None:
        """A scale begins."""
        self.scale, self._scale_started = scale, time.monotonic()
        self._done_before = self._done

    def stepped(self) -> None:
        """A step is done."""
        self.step += 1
        self._done += self._work[self.scale]

    def progress(self, stage: str, share: float = 0.0) -> Progress:
        """Where the run stands, with a ``share`` of the next step done."""
        plan = self._plan
        work = sum(n * w for n, w in zip(plan.steps, self._work, strict=True))
        done = self._done + share * self._work[self.scale]
        rate = self._seconds(done)
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
            None if rate is None else rate * max(0.0, work - done),
            self._features,
            self._memory,
            min(1.0, done / work) if work else 1.0,
        )

    def _seconds(self, done: float) -> float | None:
        """Seconds for a unit of the work ahead, of which so much is ``done``; None if unknown.

        Small scales take more time for a pixel than the large ones to come: until these are there,
        the probe of the device knows better.
        """
        now = time.monotonic()
        height, width = self._plan.sizes[self.scale]
        if self._rate is not None and height * width < TELLING:
            return self._rate
        here = done - self._done_before
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
