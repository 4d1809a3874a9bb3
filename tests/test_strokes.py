"""Strokes in millimetres: measured in the style, and laid on paper by the photo's resolution."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from styleengine.command import cli
from styleengine.pictures.about import About
from styleengine.pictures.picture import Picture
from styleengine.planning.plan import make_plan
from styleengine.plugins.registry import load_plugins
from styleengine.protocol import EngineError, Settings
from styleengine.scene.scene import Scene
from styleengine.scene.strokes import LEAST, size_on_print, stroke_width
from styleengine.scene.style_pictures import style_ratio
from tests.helpers import job, paint, picture

pytestmark = pytest.mark.usefixtures("plain_precision")


def bricks(width: int, size: tuple[int, int] = (384, 512), seed: int = 0) -> Picture:
    """Bars of that width and five times that length, of random light, lying either way."""
    rng = np.random.default_rng(seed)
    h, w = size
    lying = rng.random((h // width + 1, w // (5 * width) + 1)).repeat(width, 0)
    standing = rng.random((h // (5 * width) + 1, w // width + 1)).repeat(width, 1)
    lying = lying.repeat(5 * width, 1)[:h, :w]
    standing = standing.repeat(5 * width, 0)[:h, :w]
    return Picture(np.repeat((0.5 * (lying + standing))[..., None], 3, -1).astype(np.float32))


def photo(width: int, height: int, dpi: float | None) -> Picture:
    about = About(dpi=None if dpi is None else (dpi, dpi))
    return Picture(np.zeros((height, width, 3), np.float32), about=about)


@pytest.mark.parametrize("width", [4, 8, 16])
def test_the_width_of_bricks_is_found(width):
    assert 0.6 * width < 512 * stroke_width(bricks(width)) < 1.7 * width


def test_a_larger_picture_of_the_same_has_the_same_strokes():
    small = bricks(8)
    large = Picture(small.rgb.repeat(3, 0).repeat(3, 1))
    assert stroke_width(large) == pytest.approx(stroke_width(small), rel=0.05)
    colored = Picture(small.rgb * np.float32([0.2, 0.5, 0.9]))
    assert stroke_width(colored) == pytest.approx(stroke_width(small), rel=1e-3)


def test_a_picture_without_strokes_has_a_width_all_the_same():
    flat = Picture(np.full((64, 80, 3), 0.4, np.float32))
    slope = Picture(np.linspace(0, 1, 80 * 64 * 3, dtype=np.float32).reshape(64, 80, 3))
    for each in (flat, slope, Picture(np.zeros((9, 9, 3), np.float32))):
        assert 0 < stroke_width(each) <= 0.5


def test_a_stroke_is_as_wide_on_a_poster_as_on_a_postcard():
    style = bricks(8)
    width = stroke_width(style)
    for across, dpi in ((1748, 300), (14043, 300), (874, 150)):
        print_mm = across / dpi * 25.4
        ratio = size_on_print(style, photo(across, 400, dpi), 4.0)
        assert ratio * width * print_mm == pytest.approx(4.0, rel=1e-6)
    assert size_on_print(style, photo(140_000, 400, 72), 0.5) == LEAST


def test_the_run_goes_by_it_and_says_what_is_missing(engine):
    content = dataclasses.replace(picture(48, 64), about=About(dpi=(30.0, 30.0)))
    style = bricks(8)
    wanted = style_ratio(Settings(brush_mm=3.0), style, style, content)
    per_cent = round(100 * wanted, 6)
    by_mm = paint(engine, job(content, style, brush_mm=3.0))
    by_size = paint(engine, job(content, style, style_scale=per_cent))
    assert np.abs(by_mm.picture.rgb - by_size.picture.rgb).max() < 0.05
    with pytest.raises(EngineError, match="how large it is printed"):
        paint(engine, job(picture(48, 64), style, brush_mm=3.0))


def test_a_style_that_is_enlarged_so_that_it_shows_is_told(monkeypatch):
    import torch

    entry = load_plugins(()).extractor("draft")
    told = {}
    for size in (512, 1000, 3600):
        content = Picture(np.zeros((60, size, 3), np.float32))
        plan = make_plan(Settings(features="draft"), size, 60, entry)
        style = dataclasses.replace(picture(40, 800), name="Kiss")
        scene = Scene.of(job(content, style), plan, torch.device("cpu"))
        told[size] = [str(sentence) for sentence in scene.enlarged()]
    assert told[512] == told[1000] == []
    (text,) = told[3600]
    assert "“Kiss” has 800 pixels" in text and "would need 3600" in text


def test_the_command_goes_by_the_files_resolution_or_the_one_said(
    tmp_path, monkeypatch, capfd, engine
):
    monkeypatch.chdir(tmp_path)
    for name, dpi in (("photo.png", {}), ("print.png", {"dpi": (40, 40)})):
        pixels = (picture(40, 56, 1).rgb * 255).astype(np.uint8)
        Image.fromarray(pixels).save(name, **dpi)
    Image.fromarray((bricks(8).rgb * 255).astype(np.uint8)).save("style.png")
    line = ["--style", "style.png", "--brush-mm", "3", "--features", "draft", "--size", "48",
            "--iterations", "3", "-q"]  # fmt: skip
    assert cli.main(["run", "photo.png", *line, "-o", "none.png"]) == 1
    assert "--dpi" in capfd.readouterr().err
    assert cli.main(["run", "photo.png", *line, "--dpi", "40", "-o", "said.png"]) == 0
    assert cli.main(["run", "print.png", *line, "-o", "own.png"]) == 0
    with Image.open("said.png") as said, Image.open("own.png") as own:
        assert np.array_equal(np.asarray(said), np.asarray(own))
        assert round(said.info["dpi"][0]) == 40
