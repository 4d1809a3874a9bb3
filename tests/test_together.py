"""Real processes, started by torchrun, that share a picture, or many."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from styleengine.pictures.files import load, save
from styleengine.pictures.picture import to_pixels
from styleengine.protocol import EngineError
from styleengine.together import ranks, watch
from tests import sharing
from tests.helpers import ROOT, Serving, environment, picture
from tests.patience import DEADLINE, wait_until
from tests.sharing import JOBS
from tests.test_server import result_of, start

pytestmark = pytest.mark.slow

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
COMMAND = [*TORCHRUN, str(ROOT / "tests" / "shared_command.py")]
LOST = "Error: A process of this run was lost"
LOOK = ["--features", "thin", "--faces", "paint", "--size", "236", "--iterations", "8"]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    save(folder / "photo.png", picture(sharing.HEIGHT, sharing.WIDTH, block=23))
    save(folder / "style.png", picture(96, 120, 9, block=8))
    return folder


@pytest.fixture(scope="module")
def shared(tmp_path_factory, plain_precision) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    program = [*TORCHRUN, str(ROOT / "tests" / "sharing.py"), str(folder)]
    done = subprocess.run(
        program, env=environment(), capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


FIRST = {"draft": 2, "beside, draft": 2}
"""The first step of the scale that is shared: there rounding has not grown yet."""
CLOSE = {
    "narrow": (1e-3, 1e-2),
    "draft": (2e-2, 0.1),
    "beside, draft": (2e-2, 0.1),
    "bits": (1e-4, 5e-3),
    "beside, bits": (1e-4, 5e-3),
}
"""How close the losses of all steps (relative) and the pictures are, where not to 1e-4 and 1e-3: of
two places that are nearly as near the draft network may take another one."""
FEW = 1e-3
"""The share of samples that may be further apart, where a place took the other of two that are as
near: less than a row at the border of two stripes."""


def alike(mine: np.ndarray, theirs: np.ndarray, most: float) -> bool:
    apart = np.abs(mine - theirs)
    return bool(apart.mean() < most / 10 and (apart > most).mean() < FEW)


@pytest.mark.parametrize("name", [n for n in JOBS if not n.endswith("stopped")])
def test_two_processes_paint_what_one_does(shared, engine, name):
    ours = np.load(shared / f"{name}.npz")
    assert ours["runs"] == 1 + list(JOBS).index(name)  # it was shared
    alone = sharing.painted(engine, name)
    loss, most = CLOSE.get(name, (1e-4, 1e-3))
    assert len(ours["losses"]) == len(alone.losses)
    first = FIRST.get(name, 5)
    assert ours["losses"][:first] == pytest.approx(alone.losses[:first], rel=1e-5)
    assert ours["losses"] == pytest.approx(alone.losses, rel=loss)
    assert alike(ours["rgb"], alone.rgb, most)
    assert len(ours["previews"]) == len(alone.previews) == (4 if JOBS[name].preview else 0)
    for mine, theirs in zip(ours["previews"], alone.previews, strict=True):
        assert alike(mine, theirs, most)


@pytest.mark.parametrize("name", ["again", "beside", "bits"])
def test_a_shared_run_that_is_stopped_keeps_what_there_is(shared, name):
    stopped = "stopped" if name == "again" else f"{name}, stopped"
    found, whole = (np.load(shared / f"{each}.npz") for each in (stopped, name))
    assert found["stopped"] and not whole["stopped"]
    steps = len(found["losses"])
    assert sharing.STOPPED_AFTER <= steps < len(whole["losses"])
    assert found["losses"] == pytest.approx(whole["losses"][:steps], rel=1e-6)
    assert found["rgb"].shape == (sharing.HEIGHT, sharing.WIDTH, 3)


def test_the_command_paints_with_several_and_says_nothing_beside(env, files, tmp_path):
    target, trace = tmp_path / "painted.png", tmp_path / "trace.json"
    arguments = ["run", str(files / "photo.png"), "--style", str(files / "style.png"), *LOOK, "-q"]
    done = subprocess.run(
        [*COMMAND, *arguments, "-o", str(target), "--trace", str(trace)],
        env=env,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert load(target).rgb.shape == load(files / "photo.png").rgb.shape
    steps = [s["step"] for s in json.loads(trace.read_text())["steps"] if s["stage"] == "paint"]
    assert steps == list(range(1, 9))


CASES = [
    pytest.param(1, "dies", id="dies"),
    pytest.param(0, "dies", id="the first dies", marks=pytest.mark.by_hand),
    pytest.param(1, "stands still", id="stands still", marks=pytest.mark.by_hand),
]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of POSIX")
@pytest.mark.parametrize("rank, how", CASES)
def test_a_lost_process_ends_all_with_one_sentence(env, files, tmp_path, rank, how):
    target = tmp_path / "painted.png"
    arguments = ["run", str(files / "photo.png"), "--style", str(files / "style.png"), *LOOK]
    done = subprocess.run(
        [*COMMAND, *arguments, "-o", str(target)],
        env={**env, "SHARED_DIES": str(rank), "SHARED_HOW": how},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr.count(LOST) == 1
    assert list(tmp_path.iterdir()) == []


def loading(parent: int) -> int:
    """How many processes that ``parent`` has started have opened PyTorch's library."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return sum("libtorch" in Path(f"/proc/{child}/maps").read_text() for child in children)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_ctrl_c_while_the_processes_come_ends_all(env, files, tmp_path):
    """Those that ignored it until they had met would be killed by torchrun, half a minute later."""
    arguments = ["run", str(files / "photo.png"), "--style", str(files / "style.png"), *LOOK]
    program = [*COMMAND, *arguments, "-o", str(tmp_path / "painted.png")]
    # A test that runs in the background may ignore it, and what it starts would, too.
    heard = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", heard, *program],
        env=env,
        text=True,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as started:
        wait_until(lambda: loading(started.pid) == 2, "both load PyTorch")
        os.killpg(started.pid, signal.SIGINT)
        said, _ = started.communicate(timeout=DEADLINE)
    assert started.returncode != 0
    assert "forcefully" not in said and LOST not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of POSIX")
@pytest.mark.parametrize("how", ["full", "dies", "stands still"])
def test_what_ends_one_of_those_that_share_out_photos_is_told_once(env, files, tmp_path, how):
    photos, painted = tmp_path / "photos", tmp_path / "painted"
    photos.mkdir()
    for number in range(5):
        save(photos / f"{number}.png", picture(40, 60, number))
    look = ["--features", "thin", "--size", "48", "--iterations", "4", "--faces", "paint"]
    program = [*COMMAND, "run", str(photos), "--style", str(files / "style.png"), *look]
    done = subprocess.run(
        [*program, "-o", str(painted)],
        env={**env, "SHARED_MARK": str(tmp_path / "mark"), "SHARED_HOW": how},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(told) == 1, done.stderr
    assert ("the disk is full" if how == "full" else LOST) in told[0]
    assert "styleengine/" not in done.stderr, "no trace of ours"
    assert {p.suffix for p in painted.iterdir()} <= {".png"}
    if how != "dies":  # what the first had begun is painted
        count = len(list(painted.iterdir()))
        assert count == 4 if how == "stands still" else 1 <= count <= 4
    if how == "full":
        assert f"{count} of 5 painted." in done.stderr


def test_being_told_to_end_does_not_cut_off_the_sentence(monkeypatch):
    """torchrun ends all others as soon as one has gone, often just while they tell that."""
    monkeypatch.setattr(ranks, "ENDING", threading.Event())
    monkeypatch.setattr(watch, "ENDING", ranks.ENDING)
    before = signal.signal(signal.SIGTERM, watch._ended)
    try:
        with pytest.raises(EngineError, match="was lost"), ranks.losses():
            raise RuntimeError("Connection closed by peer")
        signal.raise_signal(signal.SIGTERM)
        ranks.ENDING.clear()
        with pytest.raises(EngineError, match="was lost"):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_image_editor_is_served_by_several(env, files):
    """As with their command in ``engine.json``: a run is dropped, one stopped, one done."""
    photo = to_pixels(load(files / "photo.png"), "u8")
    look = {"features": "thin", "faces": "paint", "size": 236}
    long = {**look, "iterations": 200, "optimizer": "adam"}
    with Serving({**env, "STYLEENGINE_PARENT": str(os.getpid())}, [*COMMAND, "serve"]) as serving:
        serving.hello()
        start(serving, "dropped", photo, **long)
        shared_steps(serving, "dropped")
        serving.send({"type": "stop", "id": "dropped", "keep": False})
        serving.until("cancelled", id="dropped")
        start(serving, "stopped", photo, **long)
        shared_steps(serving, "stopped")
        serving.send({"type": "stop", "id": "stopped", "keep": True})
        assert result_of(serving, "stopped")[0]["stopped"]
        start(serving, "bad", photo, style_loss="none such")
        assert serving.until("failed", "result", id="bad")[0]["type"] == "failed"
        start(serving, "done", photo, **look, iterations=6)
        header, pixels = result_of(serving, "done")
        assert pixels.shape == photo.shape and not header["stopped"]
        serving.close_stdin()
        serving.ended()


def shared_steps(serving: Serving, name: str) -> None:
    """Waits until the second scale has begun, which all share."""
    serving.until("progress", id=name, stage="paint", scale=2)


def test_many_photos_are_shared_out(env, tmp_path):
    photos, painted = tmp_path / "photos", tmp_path / "painted"
    photos.mkdir()
    for number in range(5):
        save(photos / f"{number}.png", picture(40, 60, number))
    (photos / "bad.png").write_bytes(b"no picture")
    save(tmp_path / "style.png", picture(48, 56, 9, block=4))
    painted.mkdir()
    there = picture(40, 60, 7)
    save(painted / "3.png", there)
    look = ["--features", "thin", "--size", "48", "--iterations", "4", "--faces", "paint"]
    program = [*COMMAND, "run", str(photos), "--style", str(tmp_path / "style.png"), *look]
    done = subprocess.run(
        [*program, "-o", str(painted)],
        env=env,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 1  # one could not be painted; the others were, by whichever process
    assert sorted(p.name for p in painted.iterdir()) == [f"{k}.png" for k in range(5)]
    assert all(load(painted / f"{k}.png").rgb.shape == (40, 60, 3) for k in range(5))
    assert done.stderr.count("bad.png") >= 1
    told = [line for line in done.stderr.splitlines() if " px in " in line]
    assert len(told) == 4
