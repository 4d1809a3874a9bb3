"""The bar: stages that take disk space, and the time that is left."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from setup.talk import Step, Talk

MB = 10**6


class Course:
    """Stages in their order, each with the bytes that it will put on the disk.

    The bar is the bytes that are there of all that will be: downloads and files count alike, as
    nearly all the time goes into them.
    """

    def __init__(
        self,
        talk: Talk,
        folder: Path,
        stages: dict[str, int],
        clock: Callable[[], float] = time.monotonic,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._talk, self._folder, self._stages = talk, folder, stages
        self._clock, self._free = clock, free
        self._started = clock()
        self._before, self._stage = 0, ""
        self._free_at_start = free(folder)
        self._furthest = 0.0

    def enter(self, stage: str) -> None:
        """The next stage begins; its name is one of ``stages``."""
        if self._stage:
            self._before += self._stages[self._stage]
        self._stage, self._free_at_start = stage, self._free(self._folder)
        self.look()

    def look(self) -> None:
        """Tells how far it is, by the disk; raises `Stopped` if the user wants it to end."""
        self._talk.check()
        try:
            used = max(0, self._free_at_start - self._free(self._folder))
        except OSError:
            used = 0
        self.tell(used)

    def tell(self, done: int, total: int = 0) -> None:
        """Tells how far it is: ``done`` bytes of this stage's ``total`` (its plan, if 0)."""
        self._talk.check()
        total = total or self._stages[self._stage]
        share = min(done / total, 1.0) * self._stages[self._stage] if total else 0
        whole = sum(self._stages.values()) or 1
        # Never back: other programs use the disk, too.
        self._furthest = max(self._furthest, min((self._before + share) / whole, 0.99))
        spent = self._clock() - self._started
        left = None
        if spent > 3 and self._furthest > 0.02:
            left = spent * (1 / self._furthest - 1)
        self._talk.step(Step(self._stage, min(done, total), total, self._furthest, left))
