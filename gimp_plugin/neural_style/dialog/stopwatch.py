"""How long the callbacks of the dialog take: GIMP and the dialog stand still meanwhile."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable

SLOW_S = 0.05


@dataclass
class Lap:
    """The longest that one kind of callback took, in seconds, and how often it took too long.

    ``wall`` is what the user waits for; ``cpu`` is what this thread computed in its longest call,
    which other programs on the computer do not make longer.
    """

    wall: float = 0.0
    cpu: float = 0.0
    calls: int = 0
    slow: int = 0


class Stopwatch:
    """Remembers the longest time that each kind of callback took."""

    def __init__(self) -> None:
        self.laps: dict[str, Lap] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, with its time taken."""

        def call(*arguments: Any) -> Any:
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return function(*arguments)
            finally:
                wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
                lap = self.laps.setdefault(name, Lap())
                lap.wall, lap.cpu = max(lap.wall, wall), max(lap.cpu, cpu)
                lap.calls += 1
                lap.slow += wall > SLOW_S

        return call

    def __str__(self) -> str:
        slowest = sorted(self.laps.items(), key=lambda entry: -entry[1].wall)
        return ", ".join(
            f"{name} {1000 * lap.wall:.0f} ms (cpu {1000 * lap.cpu:.0f} ms, "
            f"{lap.slow} of {lap.calls} over {1000 * SLOW_S:.0f})"
            for name, lap in slowest
        )
