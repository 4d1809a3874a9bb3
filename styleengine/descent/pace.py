"""Where a run stands: progress, the time left, and when a preview is due."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from styleengine.loss import foreseen
from styleengine.planning.layout import Layout
from styleengine.planning.plan import Plan
from styleengine.planning.recipes import Classic, Recipe
from styleengine.protocol import Progress

PREVIEW_INTERVAL_S = 0.4
STYLED_STEPS, STYLED_S = 8, 1.0
"""When the first preview comes: after so many steps, before which it would be hardly more than the
recoloured photo, or after so many seconds, if steps take long; then of the third step at least."""
SURE_STEPS = 3
"""Steps after which the time left is told from the time they took, if nothing else tells it."""
RECENT_S = 12.0
"""How long ago the steps may be whose pace tells the time left: others begin and end on a computer
meanwhile."""
EACH_STEP, EACH_STYLE = 12_000, 6_000
"""What a step takes that does not depend on its size, in pixels that take as long: for each thread,
as more threads only make the pixels faster; and for each further style. Measured with VGG19: 2.2
times the time per pixel at 128 × 85 by one thread, 1.2 times at 256 × 171; by two as long as 25,000
to 40,000 pixels; with four styles 13,000 to 15,000 more, with the draft network 30,000 to 50,000.
"""
EACH_SCALE, COMPARING = 0.8, 2.0
"""What the beginning of a scale takes, in steps: photo and style are looked at; and what it takes
more where places are compared, for which the style is looked at several times. Measured with one
style, 0.8 at 2048 pixels and 2.6 to 3.1 at 512 and 1024."""
SEEING = 0.3
"""What it takes more for each further style, as a share of that: with four styles 4.6 to 6.4 steps
at 512 and 1024 pixels, where with one they were 2.5 to 3.5."""
LAST, SAMPLED = 0.4, 0.05
"""What the last step of a scale takes, in steps, where its gradient is not asked for: 0.3 to 0.6 as
measured, and next to nothing where a sample of the picture tells the loss."""
BELIEVED = 6
"""Steps after which the probe of the device, made in quieter or busier times, counts no more."""


def compares(method: Recipe | Classic) -> bool:
    """Whether places are compared at a scale that is painted by ``method``."""
    return isinstance(method, Recipe) and bool(method.near_layers)


def last_step(plan: Plan, layouts: Sequence[Layout], scale: int) -> float:
    """What the last step of a scale takes, in steps."""
    if plan.optimizer != "lbfgs" or not plan.ends_unmoved(scale):
        return 1.0
    return SAMPLED if layouts[scale].side and foreseen.tells(plan.sizes[scale]) else LAST


class Pace:
    """Counts the steps and the work of a run by the clock."""

    def __init__(
        self,
        plan: Plan,
        layouts: Sequence[Layout],
        features: str = "",
        rates: Sequence[float | None] = (),
        memory: int | None = None,
        styles: int = 1,
        threads: int = 1,
    ) -> None:
        """``layouts`` says how each scale is computed, ``features`` by what network, for people.

        ``rates`` is how many seconds a pixel may take in a step of the whole network of each scale,
        to tell the time beforehand, ``memory`` how many bytes the run takes at most, ``styles`` how
        many there are, ``threads`` how many of the processor paint.
        """
        self._plan, self._features, self._memory = plan, features, memory
        known = [r for r in rates if r]
        self._rate = known[0] if known and len(known) == len(plan.sizes) else None
        relative = [r / known[0] for r in known] if self._rate else [1.0] * len(plan.sizes)
        self._work = [
            h * w * layouts[scale].cost * plan.share(scale) * relative[scale]
            for scale, (h, w) in enumerate(plan.sizes)
        ]
        fixed = EACH_STEP * threads + EACH_STYLE * (styles - 1)
        self._costs = [
            work * (1 + fixed / (h * w))
            for work, (h, w) in zip(self._work, plan.sizes, strict=True)
        ]
        more = 1 + SEEING * (styles - 1)
        self._begins = [more * (EACH_SCALE + COMPARING * compares(m)) for m in plan.methods]
        self._lasts = [last_step(plan, layouts, scale) for scale in range(len(plan.sizes))]
        self._done = 0.0
        self._started = time.monotonic()
        self._recent: deque[tuple[float, float]] = deque()  # when, and the cost behind it
        self._behind = 0.0  # the cost of what is done
        self._measured = 0  # steps
        self._last_preview: float | None = None
        self.scale = self.step = self._seen_step = 0
        self.loss: float | None = None

    def reach(self, scale: int) -> None:
        """All steps that lie before a scale count as done."""
        self.step = sum(self._plan.steps[:scale])
        self._done = sum(n * w for n, w in zip(self._plan.steps[:scale], self._work, strict=False))
        self._behind = self._cost_before(scale)
        self._recent.clear()

    def begin(self, scale: int) -> None:
        """A scale begins."""
        self.scale = scale
        self._behind = max(self._behind, self._cost_before(scale))
        if not self._recent:
            self._recent.append((time.monotonic(), self._behind))

    def _cost_before(self, scale: int) -> float:
        """What lies before a scale, with its beginning, which its first step tells the time of."""
        each = zip(self._plan.steps[:scale], self._begins, self._lasts, self._costs, strict=False)
        return sum((n + begins - (1 - last) * (n > 1)) * cost for n, begins, last, cost in each)

    def _cost(self, scale: int, step: int) -> float:
        """What a scale's step takes, the first with the beginning."""
        share = self._lasts[scale] if 0 < step == self._plan.steps[scale] - 1 else 1.0
        return (share + self._begins[scale] * (step == 0)) * self._costs[scale]

    def stepped(self) -> None:
        """A step is done."""
        self._behind += self._cost(self.scale, self._next)
        self.step += 1
        self._done += self._work[self.scale]
        now = time.monotonic()
        self._measured += 1
        self._recent.append((now, self._behind))
        while len(self._recent) > SURE_STEPS and now - self._recent[1][0] > RECENT_S:
            self._recent.popleft()

    @property
    def _next(self) -> int:
        """The number of the next step at this scale."""
        return self.step - sum(self._plan.steps[: self.scale])

    def progress(self, stage: str, share: float = 0.0) -> Progress:
        """Where the run stands, with a ``share`` of the next step done."""
        plan = self._plan
        work = sum(n * w for n, w in zip(plan.steps, self._work, strict=True))
        done = self._done + share * self._work[self.scale]
        left = self._cost_before(len(plan.sizes)) - self._behind
        left -= share * self._cost(self.scale, self._next)
        rate = self._seconds()
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
            None if rate is None else rate * max(0.0, left),
            self._features,
            self._memory,
            min(1.0, done / work) if work else 1.0,
        )

    def _seconds(self) -> float | None:
        """Seconds for a unit of the cost ahead; None if unknown.

        That of the latest steps; of the first ones with what the probe of the device says.
        """
        if self._rate is None and self._measured < SURE_STEPS:
            return None
        if len(self._recent) < 2:
            return self._rate
        (begun, before), (now, behind) = self._recent[0], self._recent[-1]
        took, cost = now - begun, behind - before
        if self._rate is not None:
            believed = max(0, BELIEVED - self._measured) * self._costs[self.scale]
            took, cost = took + self._rate * believed, cost + believed
        return took / cost

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
