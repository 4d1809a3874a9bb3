"""Children of the plug-in that end with it, though they neither read nor write."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.patience import wait_until

PLUGIN = Path(__file__).resolve().parent.parent / "gimp_plugin" / "neural_style"
PARENT = """
import sys, time
sys.path.insert(0, sys.argv[1])
from engine import bound
child = bound.start([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="done by the kernel of Linux")
@pytest.mark.parametrize("stopped", [False, True])
def test_a_deaf_child_does_not_outlive_a_killed_parent(stopped):
    words = [sys.executable, "-c", PARENT, str(PLUGIN)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        if stopped:
            child.send_signal(signal.SIGSTOP)
        parent.kill()
    wait_until(
        lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child ended"
    )
