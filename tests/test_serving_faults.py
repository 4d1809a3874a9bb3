"""What other programs and files may do to ``styleengine serve``, and what it does then."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest

from styleengine.machine.failures import broken_install, is_out_of_memory
from styleengine.pictures.picture import from_pixels
from styleengine.protocol import PROTOCOL, EngineError, PictureSpec, Settings
from styleengine.serving import limits
from styleengine.serving.canvas import Canvas
from tests.helpers import Serving, command
from tests.patience import wait_until
from tests.test_odd_pictures import bilevel
from tests.test_server import (
    CONTENT,
    QUICK,
    engine,
    failure_of,
    own,
    png,
    result_of,
    rgba,
    send_pixels,
    shared,
    start,
    works,
)

__all__ = ["engine", "own", "shared"]  # fixtures
pytestmark = pytest.mark.usefixtures("plain_precision")

HUGE = int("9" * 400)
BOMBS = {
    "width of 400 digits": {"content": {"width": HUGE, "height": 40}},
    "height of 400 digits": {"content": {"width": 40, "height": HUGE}},
    "width is true": {"content": {"width": True, "height": 40}},
    "40000 by 40000": {"content": {"width": 40_000, "height": 40_000}},
    "a row of a gigabyte": {"content": {"width": 200_000_000, "height": 1, "dtype": "f32"}},
    "style of 40000 by 40000": {"styles": [{"width": 40_000, "height": 40_000}]},
    "mask of 40000 by 40000": {
        "styles": [{"mask": {"width": 40_000, "height": 40_000, "channels": 1}}]
    },
    "channels is true": {"styles": [{"mask": {"width": 4, "height": 4, "channels": True}}]},
    "weight of 400 digits": {"styles": [{"weight": HUGE}]},
    "weight is true": {"styles": [{"weight": True}]},
    "size of 400 digits": {"settings": {**QUICK, "size": HUGE}},
    "strength of 400 digits": {"settings": {**QUICK, "strength": -HUGE}},
    "strength is nested": {"settings": {**QUICK, "strength": [[[[]]]]}},
    "preset is a list": {"settings": {**QUICK, "preset": ["fast"]}},
    "a thousand styles": {"styles": [{}] * 1000},
    "series is a megabyte": {"series": "s" * 500_000},
    "weights are a list": {"weights": [1]},
    "weights have a long name": {"weights": "w" * 100_000},
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_job_that_means_harm_is_refused(engine, kind):
    job = {"type": "run", "id": kind, "settings": QUICK, "content": CONTENT, "styles": [{}]}
    engine.send({**job, **BOMBS[kind]})
    assert failure_of(engine, kind)["code"] in {"protocol", "bad-setting", "picture-too-large"}


def test_after_all_of_them_it_paints(engine):
    assert works(engine, "after all of them")


@pytest.mark.parametrize("value", [HUGE, True, 1.5, "3", None, [], -HUGE], ids=lambda v: str(v)[:9])
def test_strips_of_odd_numbers_fail_their_job_only(engine, value):
    for field in ("y", "rows", "index"):
        job = f"{field}-{str(value)[:9]}"
        run = {"type": "run", "id": job, "settings": QUICK, "content": CONTENT, "styles": [CONTENT]}
        engine.send(run)
        part = {"of": "style", "index": 0, "y": 0, "rows": 40, field: value}
        engine.send({"type": "pixels", "id": job, **part}, rgba(40, 40).tobytes())
        assert failure_of(engine, job)["code"] == "protocol"


def test_odd_numbers_elsewhere_are_passed_over(engine):
    pixels = rgba(40, 40)
    for number, preview in enumerate((HUGE, True, -3, "8", None)):
        job = f"odd-{number}"
        engine.send(
            {"type": "run", "id": job, "settings": QUICK, "content": {**CONTENT, "name": HUGE},
             "styles": [{"name": ["x"] * 50}], "preview": preview}
        )  # fmt: skip
        engine.send({"type": "style", "id": job, "index": 0}, png())
        engine.send({"type": "stop", "id": HUGE, "keep": [HUGE]})
        engine.send({"type": "seen", "id": True})
        send_pixels(engine, job, pixels, of="content")
        assert result_of(engine, job)[1].shape == (40, 40, 4)


@pytest.mark.skipif(os.name == "nt", reason="needs FIFOs and /dev")
def test_weights_that_are_no_file_are_refused_at_once(engine, tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    for number, path in enumerate(
        ["/dev/zero", "/dev/tty", tmp_path / "pipe.h5", tmp_path, "a\0b"]
    ):
        job = f"weights-{number}"
        pixels = rgba(40, 40)
        settings = {**QUICK, "features": "vgg19"}
        engine.send(
            {"type": "run", "id": job, "settings": settings, "content": CONTENT, "styles": [{}],
             "weights": str(path)}
        )  # fmt: skip
        engine.send({"type": "style", "id": job, "index": 0}, png())
        send_pixels(engine, job, pixels, of="content")
        assert failure_of(engine, job)["code"] in {"cannot-read", "no-such-file"}


@pytest.mark.skipif(os.name == "nt", reason="needs FIFOs")
def test_pipes_in_the_engines_own_folder_do_not_stop_it(env, tmp_path):
    (tmp_path / "weights").mkdir()
    os.mkfifo(tmp_path / "weights" / "vgg19.safetensors")
    with Serving({**env, "STYLEENGINE_HOME": str(tmp_path)}) as serving:
        serving.hello()
        assert works(serving, "1")


def test_jobs_that_fail_on_arrival_leave_nothing_behind(engine):
    for number in range(2 * limits.JOBS):
        job = f"fails-{number}"
        engine.send(
            {"type": "run", "id": job, "settings": QUICK, "content": CONTENT, "styles": [{}]}
        )
        engine.send({"type": "pixels", "id": job, "of": "content", "y": 7, "rows": 1}, bytes(160))
        assert failure_of(engine, job)["code"] == "protocol"
    assert works(engine, "after the failed ones")


def test_there_may_be_so_many_jobs_and_each_has_its_own_name(own):
    own.hello()
    for number in range(limits.JOBS + 1):
        own.send(
            {"type": "run", "id": f"job-{number}", "settings": QUICK, "content": CONTENT,
             "styles": [{}]}
        )  # fmt: skip
    assert "More than" in failure_of(own, f"job-{limits.JOBS}")["message"]
    own.send({"type": "run", "id": "job-3", "settings": QUICK, "content": CONTENT, "styles": [{}]})
    assert failure_of(own, "job-3")["code"] in ("protocol",)
    for number in range(limits.JOBS):
        own.send({"type": "stop", "id": f"job-{number}", "keep": False})
    assert works(own, "next")


def test_too_many_bytes_of_styles_are_refused(own, monkeypatch):
    from styleengine.serving.arriving import Incoming

    monkeypatch.setattr(limits, "STYLE_BYTES", 1000)
    header = {"id": "1", "settings": {}, "content": CONTENT, "styles": [{}, {}]}
    job = Incoming.of(header)
    job.put({"type": "style", "index": 0}, bytes(600))
    job.put({"type": "style", "index": 0}, bytes(900))
    with pytest.raises(EngineError) as caught:
        job.put({"type": "style", "index": 1}, bytes(600))
    assert caught.value.code == "picture-too-large"


def test_a_style_bomb_is_painted_from_without_much_memory(own):
    own.hello()
    start(own, "bomb", rgba(40, 40), [bilevel(17_000)])
    _, pixels = result_of(own, "bomb")
    assert pixels.shape == (40, 40, 4)
    if sys.platform == "linux":
        with open(f"/proc/{own.process.pid}/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        assert peak < 1_500_000  # kB


# --- large styles that come as pixels -------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 7, 13, 20])
@pytest.mark.parametrize("dtype", ["u8", "u16", "f32"])
def test_a_large_style_is_made_smaller_as_it_comes(dtype, first):
    """As the mean of blocks of the whole, colours weighted by alpha, which begins at row 20."""
    pixels = rgba(41, 50, dtype)
    top = {"u8": 255, "u16": 65535, "f32": 1.0}[dtype]
    pixels[:20, :, 3] = top
    canvas = Canvas(PictureSpec(50, 41, dtype), most=41 * 50 // 9 + 9)
    steps = [n for n in (0, first, 21, 22, 35, 41) if n >= first or n == 0]
    for y, end in itertools.pairwise(steps):
        if end > y:
            canvas.put(y, end - y, pixels[y:end].tobytes())
    assert canvas.missing == 0
    found = canvas.picture("x")
    whole = from_pixels(pixels, 50, 41, dtype)
    by = 3
    blocks = (slice(0, 39), slice(0, 48))
    alpha = whole.alpha[blocks].astype(np.float64)

    def mean(values):
        return values.reshape(13, by, 16, by, -1).mean((1, 3))

    cover = mean(alpha)
    expected = mean(whole.rgb[blocks] * alpha[..., None])
    np.testing.assert_allclose(found.alpha, cover[..., 0], atol=1e-5)
    seen = cover[..., 0] > 0.05
    np.testing.assert_allclose(
        found.rgb[seen], (expected / np.maximum(cover, 1e-9))[seen], atol=1e-4
    )


def test_a_large_mask_and_an_opaque_style_are_made_smaller():
    values = np.random.default_rng(1).integers(0, 256, (40, 60), dtype=np.uint8)
    mask = Canvas(PictureSpec(60, 40, "u8", 1), most=600)
    for y in range(0, 40, 7):
        mask.put(y, len(values[y : y + 7]), values[y : y + 7].tobytes())
    expected = values.reshape(20, 2, 30, 2).mean((1, 3)) / 255
    np.testing.assert_allclose(mask.rgb, expected, atol=1e-5)
    opaque = rgba(40, 60)
    opaque[..., 3] = 255
    style = Canvas(PictureSpec(60, 40), most=600)
    style.put(0, 40, opaque.tobytes())
    found = style.picture("x")
    assert found.alpha is None
    expected = opaque[..., :3].reshape(20, 2, 30, 2, 3).mean((1, 3)) / 255
    np.testing.assert_allclose(found.rgb, expected, atol=1e-5)


# --- signs of life, and the end -------------------------------------------------------------------


def test_a_busy_engine_says_that_it_lives(own):
    own.hello()
    start(own, "slow", rgba(40, 40), features="slow", iterations=100_000)
    own.until("progress", step=1)
    before = own.alive
    wait_until(lambda: own.alive > before + 1, "it says that it lives, within a step")


STOPPED = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help, which others lack")
@pytest.mark.parametrize("when", ["at once", "when it serves"])
def test_a_stopped_engine_does_not_outlive_its_parent(env, when):
    parent = subprocess.Popen(
        [sys.executable, "-c", STOPPED, *command("serve")],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        child = psutil.Process(int(parent.stdout.readline()))
        if when == "when it serves":
            wait_until(lambda: child.num_threads() > 2, "it serves")
        else:
            wait_until(lambda: child.num_threads() > 1, "it is in its own code")
        child.send_signal(signal.SIGSTOP)
        wait_until(lambda: child.status() == psutil.STATUS_STOPPED, "it has stopped")
        parent.kill()
        parent.wait()

        def gone() -> bool:
            with contextlib.suppress(psutil.NoSuchProcess):
                return child.status() == psutil.STATUS_ZOMBIE
            return True

        wait_until(gone, "the engine ends")
    finally:
        parent.kill()
        parent.wait()
        for stream in (parent.stdout, parent.stderr):
            stream.close()


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_an_engine_whose_parent_died_before_it_began_ends(env):
    line = command("serve")
    done = subprocess.run(
        line, env={**env, "STYLEENGINE_PARENT": "1"}, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"")
    hello = b'{"type":"hello","protocol":%d}\n' % PROTOCOL
    with Serving({**env, "STYLEENGINE_PARENT": str(os.getpid())}) as serving:
        serving.send_raw(hello)
        assert serving.until("ready", "failed")[0]["type"] == "ready"


# --- sentences that name the cause ----------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("could not create a primitive"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("std::bad_alloc"),
        OSError(12, "Cannot allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
    ids=str,
)
def test_little_memory_is_called_so(error):
    assert is_out_of_memory(error)
    assert broken_install(error).code == "out-of-memory"


def test_other_errors_are_not_taken_for_little_memory():
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert broken_install(ImportError("libtorch_cpu.so: no such file")).code == "broken-install"


def test_settings_of_any_number():
    for value in (HUGE, -HUGE, float("nan"), float("inf"), True, [], {}, None):
        for name in ("strength", "size", "seed"):
            with pytest.raises(EngineError) as caught:
                Settings(**{name: value})
            assert caught.value.code == "bad-setting"
