"""``styleengine serve`` on a full disk, with little memory, held up, and for long."""

from __future__ import annotations

import os
import signal
import statistics
import sys

import pytest

from tests.helpers import Serving
from tests.test_server import engine, own, png, result_of, rgba, shared, start, works

if sys.platform == "linux":
    import resource

__all__ = ["engine", "own", "shared"]  # fixtures
pytestmark = [
    pytest.mark.usefixtures("plain_precision"),
    pytest.mark.skipif(sys.platform != "linux", reason="limits of another process, as on Linux"),
]
RUNS = 200


def status(serving: Serving, line: str) -> int:
    """A line of the process's status, in kB."""
    with open(f"/proc/{serving.process.pid}/status") as stream:
        return next(int(each.split()[1]) for each in stream if each.startswith(line))


@pytest.mark.parametrize("moment", ["greeting", "painting"])
def test_a_full_disk_does_not_stop_a_painting(env, tmp_path, moment):
    """Not a byte can be written anywhere: neither probes nor logs."""
    with Serving({**env, "STYLEENGINE_HOME": str(tmp_path)}) as serving:
        if moment == "greeting":
            resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE, (0, 0))
        serving.hello()
        resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE, (0, 0))
        for features in ("thin", "draft"):
            start(serving, features, rgba(40, 40), features=features)
            assert result_of(serving, features)[1].shape == (40, 40, 4)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]


@pytest.mark.parametrize("moment", ["weights", "pixels", "painting"])
def test_little_memory_is_said_and_the_next_painting_works(own, moment):
    own.hello()
    pid, lower = own.process.pid, own.process.pid
    if moment != "weights":
        assert works(own, "before")
    unlimited = resource.prlimit(pid, resource.RLIMIT_AS)
    least = status(own, "VmSize") * 1024 + (8 << 20)
    resource.prlimit(lower, resource.RLIMIT_AS, (least, unlimited[1]))
    side = 2400 if moment == "pixels" else 900
    settings = {"size": side, "features": "draft" if moment == "weights" else "thin"}
    start(own, "much", rgba(side, side), **settings)
    header, _ = own.until("result", "failed", id="much")
    assert header["type"] == "failed" and header["code"] == "out-of-memory", header
    assert header["message"].endswith(".") and header["hint"]
    resource.prlimit(pid, resource.RLIMIT_AS, unlimited)
    assert works(own, "after")


@pytest.mark.parametrize("moment", ["pixels", "painting", "idle"])
def test_an_engine_that_was_stopped_for_a_while_goes_on(own, moment):
    own.hello()
    if moment == "pixels":
        os.kill(own.process.pid, signal.SIGSTOP)
    start(own, "1", rgba(40, 40), iterations=30)
    if moment == "painting":
        own.until("progress", id="1")
        os.kill(own.process.pid, signal.SIGSTOP)
    os.kill(own.process.pid, signal.SIGCONT)
    assert result_of(own, "1")[1].shape == (40, 40, 4)
    if moment == "idle":
        os.kill(own.process.pid, signal.SIGSTOP)
        os.kill(own.process.pid, signal.SIGCONT)
    assert works(own, "2")


@pytest.mark.by_hand
def test_nothing_grows_in_many_runs(own):
    own.hello()
    styles = [png(60, 80, seed) for seed in range(5)]
    memory, files = [], []
    for run in range(RUNS):
        start(own, f"{run}", rgba(60 + run % 7, 80), [styles[run % 5]], features="draft", size=64)
        result_of(own, f"{run}")
        memory.append(status(own, "VmRSS") / 1000)
        files.append(len(os.listdir(f"/proc/{own.process.pid}/fd")))
    quarter = RUNS // 4
    parts = [statistics.mean(memory[k:][:quarter]) for k in (0, RUNS - quarter)]
    print(f"\n{RUNS} runs: {parts[0]:.0f} MB in the first quarter, {parts[1]:.0f} in the last, "
          f"at most {max(memory):.0f}; files {files[quarter]} and {files[-1]}, "
          f"threads {status(own, 'Threads')}")  # fmt: skip
    assert parts[1] < 1.1 * parts[0] and files[-1] <= files[quarter]
