"""Bare canvas and frames around a painting are cut off, and nothing else is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from styleengine.jobs import Style
from styleengine.pictures.bare_edges import without_bare_edges
from styleengine.pictures.picture import Picture
from styleengine.planning.plan import make_plan
from styleengine.plugins.registry import load_plugins
from styleengine.scene.scene import Scene
from tests.helpers import job, paint, picture

CANVAS = np.float32([0.9, 0.85, 0.75])


def painting(height: int = 300, width: int = 400, seed: int = 0) -> np.ndarray:
    """Colours that change over short and long distances, as those of paintings do."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    fall = 1 / np.maximum(np.hypot(fy, fx), 1 / max(height, width))
    bands = [
        np.fft.irfft2(np.fft.rfft2(rng.standard_normal((height, width))) * fall, s=(height, width))
        for _ in range(3)
    ]
    rgb = np.stack([0.35 + 0.12 * b / b.std() for b in bands], -1)
    return np.clip(rgb, 0, 1).astype(np.float32)


def cut(rgb: np.ndarray) -> tuple[int, int, int, int]:
    """Rows and columns that are missing at the top, the bottom, the left and the right."""
    inner = without_bare_edges(Picture(rgb)).rgb
    height, width = inner.shape[:2]
    for top in range(rgb.shape[0] - height + 1):
        for left in range(rgb.shape[1] - width + 1):
            if np.array_equal(rgb[top : top + height, left : left + width], inner):
                return top, rgb.shape[0] - height - top, left, rgb.shape[1] - width - left
    raise AssertionError("not a part of the picture")


@pytest.mark.parametrize("seed", range(8))
def test_a_painting_up_to_its_edges_is_left_as_it_is(seed):
    whole = Picture(painting(seed=seed))
    assert without_bare_edges(whole) is whole


@pytest.mark.parametrize("wide", [2, 4, 8, 12])
def test_a_frame_is_cut_off_and_little_else(wide):
    rgb = painting()
    rgb[:wide] = rgb[-wide:] = CANVAS
    rgb[:, :wide] = rgb[:, -wide:] = CANVAS
    assert all(wide <= n <= wide + 7 for n in cut(rgb))


def test_canvas_along_a_part_of_a_side_is_found_and_the_other_sides_stay():
    rgb = painting()
    rgb[60:140, -4:] = CANVAS
    top, bottom, left, right = cut(rgb)
    assert (top, bottom, left) == (0, 0, 0)
    assert 4 <= right <= 10


def test_no_more_than_a_twentieth_of_a_side_is_ever_cut_off():
    rgb = painting()
    rgb[:12] = CANVAS
    assert 12 <= cut(rgb)[0] <= 15
    rgb[:60] = CANVAS
    assert cut(rgb)[0] <= 15


def test_flat_pictures_and_transparent_and_tiny_ones_are_left_alone():
    framed = painting()
    framed[:4] = CANVAS
    alpha = np.ones(framed.shape[:2], np.float32)
    alpha[:9] = 0
    for whole in (
        Picture(np.full((200, 200, 3), 0.5, np.float32)),
        Picture(framed, alpha),
        Picture(framed[:90, :90]),
    ):
        assert without_bare_edges(whole) is whole


def scene(style: Picture, **settings: object) -> Scene:
    work = job(picture(120, 160), style, size=160, **settings)
    entry = load_plugins(()).extractor("draft")
    return Scene.of(work, make_plan(work.settings, 160, 120, entry), torch.device("cpu"))


def test_strokes_stay_as_large_as_in_the_whole_picture():
    rgb = painting(600, 800)
    rgb[:, -16:] = CANVAS
    (whole,), (inner,) = (
        s.styles for s in (scene(Picture(rgb), preset="classic"), scene(Picture(rgb)))
    )
    assert (whole.source.width, inner.source.width) == (800, 800 - 16 - 4)
    shrunk = inner.at(160).image.shape[-1] / inner.source.width
    assert shrunk == pytest.approx(160 / 800, rel=0.005)


def test_the_canvas_is_in_no_statistics(engine):
    """A run with it and one with the painting cut out by hand give the same picture."""
    rgb = painting(200, 200)
    rgb[:, :4] = CANVAS
    by_hand = rgb[:, 5:]  # strips have two columns here, and half a strip more is taken
    framed = job(picture(72, 96), Picture(rgb), iterations=4, size=96)
    cropped = dataclasses.replace(framed, styles=(Style(Picture(np.ascontiguousarray(by_hand))),))
    ours, theirs = (paint(engine, w).picture.rgb for w in (framed, cropped))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
