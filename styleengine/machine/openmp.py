"""How long torch's threads wait for the next piece of work before they sleep."""

from __future__ import annotations

import os

SPINS = 1000
"""Rounds of GNU OpenMP's waiting loop, some ten to fifty microseconds of it."""


def wait_briefly() -> None:
    """Sets how OpenMP's threads wait; to be called before torch is first imported, which reads it.

    Idle threads would otherwise spin for milliseconds, which starves them and the image editor
    whenever anything else computes: beside two busy processes a run took twice as long. Threads
    that sleep at once, though, are woken some hundred times a step: a sixth more time for a run at
    512 px. So they wait for as long as it takes to hand out the next piece, and no longer; beside
    two busy processes that costs nothing measurable. What the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))  # only GNU's, on Linux, knows this
