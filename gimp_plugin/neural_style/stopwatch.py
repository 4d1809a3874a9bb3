"""How long the callbacks of the dialog take: GIMP and the dialog stand still meanwhile."""

from __future__ import annotations

import time
from typing import Any, Callable


class Stopwatch:
    """Remembers the longest time that each kind of callback took."""

    def __init__(self) -> None:
        self.longest: dict[str, float] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, with its time taken."""

        def call(*arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                taken = time.perf_counter() - start
                self.longest[name] = max(taken, self.longest.get(name, 0.0))

        return call

    def __str__(self) -> str:
        slowest = sorted(self.longest.items(), key=lambda entry: -entry[1])
        return ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in slowest)
