"""What OpenMP, as torch loads it, is told of waiting: read from its own report of its settings."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.helpers import environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="GNU OpenMP is Linux's")

PROGRAM = """
from styleengine.machine.openmp import wait_briefly
wait_briefly()
import torch
torch.ones(1) + 1
"""


def settings(**extra: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment(OMP_DISPLAY_ENV="verbose", **extra),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stderr


def test_threads_wait_for_a_moment_only():
    shown = settings()
    if "GOMP_SPINCOUNT" not in shown:
        pytest.skip("this torch is not built with GNU OpenMP")
    assert "GOMP_SPINCOUNT = '1000'" in shown
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in shown


def test_what_the_user_has_set_stays():
    shown = settings(GOMP_SPINCOUNT="7", OMP_WAIT_POLICY="ACTIVE")
    if "GOMP_SPINCOUNT" not in shown:
        pytest.skip("this torch is not built with GNU OpenMP")
    assert "GOMP_SPINCOUNT = '7'" in shown
    assert "OMP_WAIT_POLICY = 'ACTIVE'" in shown
