"""``styleengine sheet``: one photo in many styles on a contact sheet."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from styleengine.command import cli
from styleengine.command.sheet import GAP, SIDE, laid_out
from styleengine.pictures.picture import Picture
from tests.helpers import ROOT, environment, install_package, picture

pytestmark = pytest.mark.usefixtures("plain_precision")


@pytest.fixture
def here(tmp_path, tmp_path_factory, monkeypatch):
    """A folder with a photo and a folder of styles, one of which is broken."""
    package = install_package(
        tmp_path_factory.mktemp("package"), "toy", ROOT / "tests/toy_plugin.py"
    )
    monkeypatch.syspath_prepend(environment(package)["PYTHONPATH"].split(os.pathsep)[0])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "styles").mkdir()
    for name, seed in (("photo", 1), ("styles/one", 2), ("styles/two", 3), ("styles/three", 4)):
        pixels = (picture(72, 96, seed).rgb * 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    return tmp_path


def pixels(path):
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"), int)


def run(*words):
    return cli.main(["sheet", "photo.png", "--features", "thin", "--side", "64", *words])


def test_every_style_has_its_place_on_the_sheet(here, capfd):
    assert run("--styles", "styles", "--columns", "2", "-o", "sheet.png") == 0
    assert "3 styles" in capfd.readouterr().err
    sheet = pixels(here / "sheet.png")
    assert sheet.shape[1] == 2 * (64 + GAP) + GAP
    step = (sheet.shape[0] - GAP) // 2
    cells = [
        sheet[top : top + 48, left : left + 64]
        for top in (GAP, GAP + step)
        for left in (GAP, GAP + 64 + GAP)
    ]
    with Image.open(here / "photo.png") as file:
        photo = np.asarray(file.resize((64, 48), Image.Resampling.BOX), int)
    assert np.abs(cells[0] - photo).mean() < 8, "the photo itself comes first"
    for k, cell in enumerate(cells):
        for other in cells[:k]:
            assert np.abs(cell - other).mean() > 3
        below = sheet[GAP + k // 2 * step + 48 :][: step - 48, : 64 + GAP]
        assert below.min() < 120, "a name in dark letters"


def test_a_broken_style_is_told_and_the_others_are_painted(here, capfd):
    (here / "styles" / "broken.png").write_text("no picture")
    (here / "photo-sheet.jpg").write_text("somebody's own")
    assert run("--styles", "styles/one.png", "styles/broken.png") == 1
    said = capfd.readouterr().err
    assert "broken.png" in said and "1 style," in said
    assert (here / "photo-sheet.jpg").read_text() == "somebody's own"
    with Image.open(here / "photo-sheet-2.jpg") as sheet:
        assert sheet.size[1] > 48
    assert run("--styles", "styles/broken.png", "-o", "x.png") == 1
    assert not (here / "x.png").exists()


@pytest.mark.parametrize(
    "words", [("--side", "8"), ("--columns", "-1"), ("--styles", "none/*.jpg")]
)
def test_what_cannot_be_is_said(here, words, capfd):
    assert run("--styles", "styles", *words) == 1
    assert "Error:" in capfd.readouterr().err and not (here / "photo-sheet.jpg").exists()


def test_long_names_and_clear_pictures_fit():
    clear = Picture(np.zeros((48, SIDE, 3), np.float32), np.zeros((48, SIDE), np.float32))
    plain, long = (laid_out([("a", clear), (name, clear)]) for name in ("b", "a long name " * 20))
    assert (plain.width, plain.height) == (long.width, long.height)
    for sheet in (plain, long):
        assert sheet.rgb[GAP : GAP + 48, GAP : GAP + SIDE].min() > 0.9, "paper shows through"
        assert sheet.rgb[:, -GAP:].min() > 0.9 and sheet.rgb[-2:].min() > 0.9
