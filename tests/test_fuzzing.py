"""``styleengine serve`` under frames that mean harm: it answers, stays small, writes at home."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest

from styleengine.protocol import PROTOCOL
from tests.fuzzing import Fuzzer, line_of
from tests.helpers import ROOT, Serving, environment, install_package
from tests.test_server import result_of, rgba, start

pytestmark = pytest.mark.usefixtures("plain_precision")

FRAMES = int(os.environ.get("NEURAL_STYLE_FUZZ_FRAMES", "600"))
"""Frames in all; as many as seconds allow in the usual run, 200,000 once by hand."""
ROUND = 150
"""After so many a sound job has to come back."""
SESSIONS = min(8 + FRAMES // 500, 200)
"""Processes that are sent no frames at all."""
MOST_MEMORY = 1_500_000  # kB

_WATCH = """
import os, sys
home = os.path.realpath(os.environ["STYLEENGINE_HOME"])
def outside(path):
    if isinstance(path, int) or path is None:
        return False
    real = os.path.realpath(os.fsdecode(path))
    return not real.startswith(home + os.sep) and not real.startswith("/dev/") and real != home
def watch(event, arguments):
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            if outside(path):
                os.write(2, f"WROTE OUTSIDE {path!r}\\n".encode())
    elif event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink",
                   "os.truncate", "os.chmod", "os.chown", "os.utime", "shutil.rmtree",
                   "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        if event.startswith(("subprocess", "os.system", "os.exec", "os.posix")):
            if arguments[0] != "uname":  # by which Python's platform finds out the processor
                os.write(2, f"STARTED {arguments[:2]!r}\\n".encode())
        elif any(outside(each) for each in arguments[:2] if isinstance(each, (str, bytes))):
            os.write(2, f"CHANGED OUTSIDE {event} {arguments[:2]!r}\\n".encode())
sys.addaudithook(watch)
"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory, plain_precision) -> dict[str, str]:
    """An environment in which every file that is written outside of the home is told of."""
    package = install_package(
        tmp_path_factory.mktemp("package"), "toy", ROOT / "tests" / "toy_plugin.py"
    )
    (package / "sitecustomize.py").write_text(_WATCH)
    home = tmp_path_factory.mktemp("home")
    elsewhere = {name: str(tmp_path_factory.mktemp(name)) for name in ("HOME", "TMPDIR")}
    return environment(
        package, STYLEENGINE_HOME=str(home), PYTHONDONTWRITEBYTECODE="1", **elsewhere
    )


def check(serving: Serving, environ: dict[str, str]) -> None:
    """Nothing was written or started, and nothing unexpected happened."""
    log = b"".join(serving.log).decode(errors="replace")
    for bad in ("WROTE OUTSIDE", "CHANGED OUTSIDE", "STARTED", "Traceback"):
        assert bad not in log, log[-3000:]
    for name in ("HOME", "TMPDIR"):
        assert not list(Path(environ[name]).iterdir())


def peak(serving: Serving) -> int:
    """The most memory that the process has had, in kB; 0 where that cannot be asked."""
    if sys.platform != "linux":
        return 0
    lines = Path(f"/proc/{serving.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def sent(serving: Serving, data: bytes) -> None:
    try:
        serving.send_raw(data)
    except BrokenPipeError:
        serving.process.wait()
        log = b"".join(serving.log).decode(errors="replace")
        raise AssertionError(f"it ended at {data[:300]!r}: {log[-3000:]}") from None


@pytest.mark.timeout(0 if FRAMES > 1000 else 300)
def test_odd_frames_are_answered_and_the_engine_goes_on(watched):
    fuzzer = Fuzzer(int(os.environ.get("NEURAL_STYLE_FUZZ_SEED", "1")))
    frames = fuzzer.frames()
    with Serving(watched) as serving:
        serving.hello()
        for done in range(0, FRAMES, ROUND):
            for _ in range(ROUND):
                header, payload = next(frames)
                sent(serving, line_of(header, payload))
            for job in set(fuzzer.ids[-ROUND:]):
                serving.send({"type": "stop", "id": job, "keep": False})
            start(serving, f"sound-{done}", rgba(40, 40))
            while (frame := serving.next()) and frame[0].get("id") != f"sound-{done}":
                assert frame[0].get("code") != "internal", (done, frame[0])
                if frame[0]["type"] == "failed":
                    assert frame[0]["message"].endswith(".") and len(frame[0]["message"]) < 10_000
            assert frame, b"".join(serving.log).decode()[-3000:]
            result_of(serving, f"sound-{done}")
            assert peak(serving) < MOST_MEMORY
        serving.close_stdin()
        assert serving.ended() == 0
    check(serving, watched)


@pytest.mark.timeout(0 if FRAMES > 1000 else 300)
def test_what_is_no_frame_ends_the_engine_with_a_sentence(watched):
    fuzzer = Fuzzer(2)
    for number in range(SESSIONS):
        with Serving(watched) as serving:
            if number % 4 == 0:
                serving.send({"type": "hello", "protocol": PROTOCOL})
            with contextlib.suppress(BrokenPipeError):  # it has ended before the end of it
                serving.send_raw(fuzzer.garbage())
            with contextlib.suppress(BrokenPipeError):
                serving.close_stdin()
            assert serving.ended() == 0
        check(serving, watched)
