"""Many photos in one go, by ``styleengine run``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from styleengine.command import cli
from styleengine.command.photos import named, places
from styleengine.protocol import EngineError
from tests.helpers import command, picture
from tests.patience import DEADLINE, wait_until

pytestmark = pytest.mark.usefixtures("plain_precision")

QUICK = ("--features", "thin", "--size", "48", "--iterations", "4")


@pytest.fixture
def here(env, tmp_path, monkeypatch) -> Path:
    """The working folder: photos in ``in``, one of them damaged, and a painting."""
    monkeypatch.syspath_prepend(env["PYTHONPATH"].split(os.pathsep)[0])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for number, name in enumerate(("a.jpg", "b.tif", "c.gif")):
        drawn(tmp_path / "in" / name, number)
    (tmp_path / "in" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    drawn(tmp_path / "painting.png", 9)
    return tmp_path


def drawn(path: Path, seed: int) -> None:
    Image.fromarray((picture(40, 56, seed).rgb * 255).astype(np.uint8)).save(path)


def run(*words: object) -> int:
    return cli.main(["run", *map(str, words), "--style", "painting.png", *QUICK])


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_folder_is_painted_but_for_what_is_damaged(here, capfd):
    assert run("in", "-o", "out") == 1
    error = capfd.readouterr().err
    assert names(here / "out") == ["a.jpg", "b.tif", "c.png"]
    assert "3 of 4 painted." in error
    account = error[error.index("One was not painted:") :]
    assert f"in{os.sep}damaged.png:" in account and "is damaged" in account
    for name, form in (("a.jpg", "JPEG"), ("b.tif", "TIFF"), ("c.png", "PNG")):
        with Image.open(here / "out" / name) as painted:
            assert (painted.format, painted.size) == (form, (56, 40))


def test_what_is_there_is_left_until_it_shall_be_overwritten(here, capfd):
    (here / "in" / "damaged.png").unlink()
    (here / "out").mkdir()
    (here / "out" / "a.jpg").write_text("my own")
    assert run("in/*.jpg", "in/b.tif", "-o", "out") == 0
    assert "1 of 2 painted, 1 there already." in capfd.readouterr().err
    assert (here / "out" / "a.jpg").read_text() == "my own"
    before = (here / "out" / "b.tif").stat().st_mtime_ns
    assert run("in", "-o", "out", "-q") == 0
    assert capfd.readouterr().err == ""
    assert (here / "out" / "b.tif").stat().st_mtime_ns == before
    assert names(here / "out") == ["a.jpg", "b.tif", "c.png"]
    assert run("in", "-o", "out", "--overwrite") == 0
    with Image.open(here / "out" / "a.jpg") as painted:
        assert painted.size == (56, 40)


def test_the_paintings_are_those_of_single_runs(here):
    assert run("in/b.tif", "in/c.gif", "-o", "out", "-q") == 0
    assert run("in/c.gif", "-o", "alone.png", "-q") == 0
    assert (here / "out" / "c.png").read_bytes() == (here / "alone.png").read_bytes()


def test_one_photo_goes_into_a_folder_that_is_there_or_named_as_one(here):
    (here / "out").mkdir()
    assert run("in/a.jpg", "-o", "out", "-q") == 0
    assert run("in/a.jpg", "-o", "new/sub/", "-q") == 0
    assert names(here / "out") == names(here / "new" / "sub") == ["a.jpg"]


def test_several_photos_want_a_folder_of_their_own(here, capfd):
    assert run("in") == 1
    assert "Name one with -o." in capfd.readouterr().err
    assert run("in", "-o", "in") == 1
    assert "would be written over a photo" in capfd.readouterr().err
    assert run("none/*.png", "-o", "out") == 1
    assert "none/*.png" in capfd.readouterr().err
    assert not (here / "out").exists()


def test_what_every_photo_would_fail_by_ends_the_run_at_once(here, capfd):
    assert run("in", "-o", "out", "--device", "cuda:9") == 1
    error = capfd.readouterr().err
    assert error.count("cuda:9") == 1 and "0 of 4 painted" in error


def test_names_of_several_folders_do_not_meet(tmp_path):
    photos = [tmp_path / "x" / "P.JPG", tmp_path / "y" / "p.jpg", tmp_path / "z" / "p.heic"]
    found = places(photos, tmp_path / "out")
    assert [p.name for p in found] == ["P.JPG", "p-2.jpg", "p.png"]
    assert places(photos, tmp_path / "out") == found
    with pytest.raises(EngineError, match="written over a photo"):
        places(photos[1:], tmp_path / "y")


def test_a_name_with_signs_of_patterns_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a[1].png", "a1.png", "b.png"):
        drawn(tmp_path / name, 1)
    assert not named(["a[1].png"]).several
    assert [f.name for f in named(["a[1].png"]).files] == ["a[1].png"]
    with pytest.raises(EngineError, match="no folder “none/”"):
        named(["none/"])
    assert [f.name for f in named(["[ab]1.png", "a1.png", "."]).files] == [
        "a1.png", "a[1].png", "b.png",
    ]  # fmt: skip


def test_a_film_is_steady_and_goes_on_where_it_stopped(here):
    (here / "film").mkdir()
    photo = (picture(64, 100, 3, block=11).rgb * 255).astype(np.uint8)
    for number in (8, 9, 10):  # in this order
        frame = photo[:, 2 * number - 16 : 2 * number + 64]
        Image.fromarray(np.ascontiguousarray(frame)).save(here / "film" / f"{number}.png")
    noise = ("--init", "noise", "--size", "80")
    assert run("film", "-o", "steady", "-q", "--steady", *noise) == 0
    assert run("film", "-o", "alone", "-q", *noise) == 0

    def painted(folder: str, number: int) -> np.ndarray:
        with Image.open(here / folder / f"{number}.png") as image:
            return np.asarray(image, float)[8:-8]

    def apart(folder: str) -> float:
        before, now = painted(folder, 9), painted(folder, 10)
        return float(np.abs(before[:, 12:-8] - now[:, 10:-10]).mean())

    assert painted("steady", 8).tolist() == painted("alone", 8).tolist()
    assert apart("steady") < 0.5 * apart("alone")
    whole = painted("steady", 10)
    (here / "steady" / "10.png").unlink()
    assert run("film", "-o", "steady", "-q", "--steady", *noise) == 0
    assert np.abs(painted("steady", 10) - whole).mean() < 0.3 * apart("alone")


def test_several_processes_refuse_a_film_before_anything_is_made(here, capfd, monkeypatch):
    for name, value in (("TORCHELASTIC_RUN_ID", "1"), ("WORLD_SIZE", "2"), ("RANK", "0")):
        monkeypatch.setenv(name, value)  # as torchrun says it
    assert run("in", "-o", "out", "--steady") == 1
    assert "several processes cannot share them" in capfd.readouterr().err
    assert not (here / "out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent Ctrl-C there")
def test_ctrl_c_leaves_whole_paintings_and_the_next_run_goes_on(env, here):
    line = ("run", "in/b.tif", "in/c.gif", "--style", "painting.png", "-o", "out", "--size", "48")
    endless = ("--features", "thin", "--iterations", "100000", "--optimizer", "adam")
    assert run("in/b.tif", "in/gone.png", "-o", "out", "-q") == 1
    process = subprocess.Popen(
        command(*line, *endless, "--save-every", "1"), env=env, stderr=subprocess.PIPE
    )
    try:
        sign = here / "out" / "c-00001.png"
        wait_until(lambda: sign.exists() or process.poll() is not None, "it paints")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert process.returncode == 130, error.decode()
    assert b"Traceback" not in error and b"goes on where this one ended" in error
    assert not (here / "out" / "c.png").exists()
    assert run("in/b.tif", "in/c.gif", "-o", "out") == 0
    assert (here / "out" / "c.png").exists()
