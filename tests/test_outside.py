"""What lies outside of every region comes back as it was."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from styleengine.engine import Engine
from styleengine.jobs import Preview, Style
from styleengine.pictures.files import from_pixels, to_pixels
from styleengine.scene import outside
from tests.helpers import events_of, job, paint, picture, tinted, toy_plugins

pytestmark = pytest.mark.usefixtures("plain_precision")


@pytest.fixture(scope="module")
def engine():
    return Engine(toy_plugins())


def left(width: int, height: int = 20) -> np.ndarray:
    """White on the left half, a soft border of a tenth, black on the right."""
    ramp = np.clip((0.5 - (np.arange(width) + 0.5) / width) * 10, 0, 1)
    return np.broadcast_to(ramp.astype(np.float32), (height, width)).copy()


@pytest.mark.parametrize("dtype", ["u8", "u16", "f32"])
@pytest.mark.parametrize("mask_width", [20, 90, 400])
@pytest.mark.parametrize("size", [48, 0])
def test_outside_of_every_mask_the_photo_comes_back_bit_for_bit(engine, dtype, mask_width, size):
    rng = np.random.default_rng(2)
    top = {"u8": 255, "u16": 65535, "f32": 1.0}[dtype]
    rgba = np.ones((60, 90, 4)) * top
    rgba[..., :3] = rng.random((60, 90, 3)) * top
    pixels = rgba.astype({"u8": "u1", "u16": "<u2", "f32": "<f4"}[dtype])
    content = from_pixels(pixels, 90, 60, dtype)
    style = Style(tinted((0.8, 0.2, 0.1)), mask=left(mask_width))
    settings = {"size": size, "postprocess": "sharpen", "keep_colors": "luminance"}
    result = to_pixels(paint(engine, job(content, style, **settings)).picture, dtype)
    np.testing.assert_array_equal(result[:, 55:], pixels[:, 55:])
    assert (result[:, :30] != pixels[:, :30]).mean() > 0.5


def test_a_soft_border_is_blended_and_the_preview_shows_it(engine):
    content = picture(60, 90)
    style = Style(tinted((0.8, 0.2, 0.1)), mask=left(90, 60))
    asked = dataclasses.replace(job(content, style, size=0), preview=90, preview_steps=2)
    events = events_of(engine, asked)
    change = np.abs(events[-1].picture.rgb - content.rgb).mean((0, 2))
    assert change[:35].mean() > 4 * change[43:45].mean() > 0
    assert not change[55:].any()
    shown = [event for event in events if isinstance(event, Preview)]
    assert shown
    np.testing.assert_array_equal(shown[-1].picture.rgb[:, 55:], content.rgb[:, 55:])
    assert np.abs(shown[-1].picture.rgb - content.rgb)[:, :30].mean() > 0.02


def test_two_masks_cover_together_and_a_style_without_one_covers_the_rest():
    a, b = torch.zeros(1, 1, 4, 8), torch.zeros(1, 1, 2, 4)
    a[..., :4] = 0.75
    b[..., :1] = 0.5
    covered = outside.coverage([a, b])
    assert covered.shape == (1, 1, 4, 8)
    assert covered[0, 0, 0, 0] == 1 and covered[0, 0, 0, 3] == 0.75
    assert not covered[..., 4:].any()
    assert outside.coverage([a, None]) is None and outside.coverage([None]) is None
    full, content = np.full((8, 16, 3), 0.25, "f4"), np.full((8, 16, 3), 0.5, "f4")
    outside.keep(full, content, None)
    assert (full == 0.25).all()
    outside.keep(full, content, covered)
    assert (full[:, 10:] == 0.5).all() and (full[:, 0] == 0.25).all()
    share = 0.75 * 0.75  # half-way of the step, at a quarter of a pixel
    assert full[0, 7, 0] == pytest.approx(share * 0.25 + (1 - share) * 0.5)
