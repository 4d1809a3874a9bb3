"""Freed memory stays with the process on request, and goes back on request."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.helpers import environment

PROGRAM = """
import numpy as np, psutil, sys
from styleengine.machine import allocator

def resident():
    return psutil.Process().memory_info().rss >> 20

wanted = sys.argv[1] == "keep"
assert not wanted or allocator.keep_freed_memory()
before = resident()
block = np.ones(200 << 20, np.uint8)
small = bytearray(1 << 20)  # on top of the block, so that the heap cannot shrink by itself
held = resident() - before
del block
freed = resident() - before
allocator.give_back()
print(held, freed, resident() - before)
"""


def memory(way: str) -> list[int]:
    """MiB above the start: with a block of 200 MiB, after freeing it, after giving back."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, way],
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [int(n) for n in done.stdout.split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only the GNU C library can")
def test_freed_memory_is_kept_until_it_is_given_back():
    held, freed, given_back = memory("keep")
    assert held >= 190 and freed >= 190
    assert given_back < 50


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only the GNU C library can")
def test_a_process_that_does_not_ask_keeps_nothing():
    held, freed, _ = memory("leave")
    assert held >= 190 and freed < 50


def test_elsewhere_nothing_happens(monkeypatch):
    from styleengine.machine import allocator

    monkeypatch.setattr(sys, "platform", "darwin")
    assert allocator.keep_freed_memory() is False
    allocator.give_back()
