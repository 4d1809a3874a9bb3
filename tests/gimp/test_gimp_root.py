"""install/gimp_root.sh: what runs in a root leaves nothing behind, and half a root is no root."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from real_gimp import GIMP_ROOT

pytestmark = pytest.mark.gimp


def run_root(gimp, *words, **options):
    command = [str(GIMP_ROOT), "run", str(gimp.root), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def sleepers(marker: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in entry.read_bytes().split(b"\0"):
                found.append(entry.parent.name)
        except OSError:
            continue
    return found


def wait_until_gone(marker: str) -> None:
    deadline = time.monotonic() + 30
    while sleepers(marker):
        assert time.monotonic() < deadline, sleepers(marker)
        time.sleep(0.05)


def test_status_environment_and_bound_folders(gimp, tmp_path):
    (tmp_path / "in").write_text("hello")
    script = f'cat {tmp_path}/in > {tmp_path}/out; echo "$A:$HOME:$PYTHONPATH"; exit 7'
    environment = {**os.environ, "PYTHONPATH": "/poison"}
    words = ["--bind", tmp_path, "--env", "A=b c", "--", "sh", "-c", script]
    done = run_root(gimp, *words, env=environment)
    assert (done.returncode, done.stdout) == (7, "b c:/root:\n"), done
    assert (tmp_path / "out").read_text() == "hello"


def test_nothing_survives_the_command(gimp):
    before = Path("/proc/self/mountinfo").read_text()
    marker = f"9{os.getpid()}11"
    script = f"setsid sleep {marker} >/dev/null 2>&1 & until pgrep sleep >/dev/null; do :; done"
    assert run_root(gimp, "--", "sh", "-c", script).returncode == 0
    wait_until_gone(marker)
    assert Path("/proc/self/mountinfo").read_text() == before
    assert not list((gimp.root / "proc").iterdir())


def test_killing_the_script_kills_all(gimp):
    marker = f"9{os.getpid()}22"
    process = subprocess.Popen(
        [str(GIMP_ROOT), "run", str(gimp.root), "--", "sleep", marker], stdin=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    # The command line of unshare and bash holds the marker too: wait for sleep itself.
    while not any(Path(f"/proc/{p}/comm").read_text() == "sleep\n" for p in sleepers(marker)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    wait_until_gone(marker)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["run", "/nowhere", "--", "true"], "no root at /nowhere"),
        (["make", "trixie"], "usage"),
        (["make", "trixie", "/etc"], "holds no GIMP"),
        (["frobnicate"], "usage"),
    ],
)
def test_wrong_use_is_explained(gimp, words, text):
    done = subprocess.run([str(GIMP_ROOT), *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and text in done.stderr


def test_a_finished_root_is_used_again(gimp):
    words = [str(GIMP_ROOT), "make", "anything", str(gimp.root)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
