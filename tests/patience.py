"""How long tests wait for what must come."""

from __future__ import annotations

import time
from typing import Any

DEADLINE = 900.0
"""Seconds. Nothing that works waits for it: it only ends a test that hangs. The longest wait alone
is for an installer, 45 s, and beside other work all takes ten times as long, and more."""


def wait_until(condition: Any, what: str = "it happened", pause: float = 0.01) -> Any:
    """Waits until ``condition()`` is true, and returns it; fails after the deadline."""
    end = time.monotonic() + DEADLINE
    while not (found := condition()):
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(pause)
    return found
