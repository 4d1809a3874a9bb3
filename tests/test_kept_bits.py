"""A photo that stays in the bits of its file: the same picture, in less memory."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
import torch

from styleengine.jobs import Style
from styleengine.pictures.files import decode, load, save
from styleengine.pictures.picture import Picture, require_usable, to_pixels
from styleengine.pictures.samples import integers_of, kept
from styleengine.protocol import EngineError
from styleengine.scene import pyramid
from styleengine.scene.pyramid import Levels, Source
from styleengine.together.group import Rows
from tests.helpers import job, paint, picture
from tests.test_pictures import RGB8, RGB16, png, tiff

CPU = torch.device("cpu")


def in_bits(given: Picture, dtype=np.uint8) -> Picture:
    """A picture as it is kept of a file."""
    most = np.iinfo(dtype).max
    return dataclasses.replace(given, rgb=kept(np.rint(given.rgb * most).astype(dtype)))


FILES = {
    "8 bits": png(RGB8),
    "16 bits": tiff(RGB16),
    "gray": png(RGB8[..., 0]),
    "alpha": png(np.dstack([RGB8, np.full(RGB8.shape[:2], 7, np.uint8)])),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_kept_is_what_would_be_read(name):
    plain, bits = decode(FILES[name]), decode(FILES[name], keep=True)
    assert integers_of(plain.rgb) is None and integers_of(bits.rgb) is not None
    assert np.array_equal(np.asarray(bits.rgb), plain.rgb) and bits.rgb.dtype == np.float32
    assert np.array_equal(bits.rgb[1:4, ::2, 1], plain.rgb[1:4, ::2, 1])
    assert (bits.alpha is None) == (plain.alpha is None)
    if plain.alpha is not None:
        assert np.array_equal(np.asarray(bits.alpha), plain.alpha)
        assert bits.alpha.min() == pytest.approx(float(plain.alpha.min()))
    for depth in ("u8", "u16", "f32"):
        assert np.array_equal(to_pixels(bits, depth), to_pixels(plain, depth))
    again = pickle.loads(pickle.dumps(bits, protocol=5))
    assert np.array_equal(np.asarray(again.rgb), plain.rgb)


def test_one_that_is_hidden_all_over_is_refused_as_ever():
    hidden = Picture(kept(np.zeros((20, 20, 3), np.uint8)), kept(np.zeros((20, 20), np.uint8)))
    with pytest.raises(EngineError, match="transparent"):
        require_usable(hidden, "content")


@pytest.mark.parametrize("size", [(30, 47), (57, 91), (119, 190), (120, 191), (190, 300)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_level_is_made_by_rows_as_it_is_made_of_the_whole(monkeypatch, size, dtype):
    monkeypatch.setattr(pyramid, "STRIP_PIXELS", 191 * 20)
    bits = in_bits(picture(120, 191), dtype)
    plain = dataclasses.replace(bits, rgb=np.asarray(bits.rgb))
    expected = Source(plain, CPU).at(size)
    source = Source(bits, CPU)
    torch.testing.assert_close(source.at(size), expected, rtol=0, atol=1e-5)
    found = source.rows(size, Rows(7, 29))
    torch.testing.assert_close(found, expected[..., 7:29, :], rtol=0, atol=1e-5)


def test_a_level_asked_for_by_rows_is_made_once_and_let_go(monkeypatch):
    monkeypatch.setattr(pyramid, "LARGE", 100)
    levels = Levels(Source(in_bits(picture(120, 191)), CPU), ((60, 96), (120, 191)))
    first = levels.rows(0, Rows(10, 40))
    assert levels.rows(0, Rows(20, 30)).data_ptr() == first[..., 10:, :].data_ptr()
    assert torch.equal(levels.rows(0, Rows(0, 60))[..., 10:40, :], first)
    assert levels[1] is levels[1]
    made = levels[1]
    levels.rest(1)
    assert levels[1] is not made and torch.equal(levels[1], made)


@pytest.mark.parametrize("settings", [{}, {"keep_colors": "luminance"}, {"size": 64}])
def test_it_is_painted_as_the_same_photo_in_full_and_comes_back_in_its_bits(engine, settings):
    bits = dataclasses.replace(in_bits(picture(96, 128, block=9)), name="photo")
    plain = dataclasses.replace(bits, rgb=np.asarray(bits.rgb))
    mask = np.zeros((96, 128), np.float32)
    mask[20:70, :90], mask[10:20] = 1, 0.4
    style = Style(picture(48, 56, 9, block=4), 1.0, mask)
    ours, theirs = (
        paint(engine, job(each, style, iterations=4, **settings)).picture for each in (bits, plain)
    )
    assert integers_of(theirs.rgb) is None
    found = integers_of(ours.rgb)
    assert found.dtype == np.uint8 and (ours.name, ours.depth) == ("photo", 8)
    assert np.abs(found.astype(int) - to_pixels(theirs, "u8")[..., :3]).max() <= 1
    assert np.array_equal(found[75:], integers_of(bits.rgb)[75:])  # outside of all regions


@pytest.mark.parametrize("settings", [{}, {"wrap": "both"}, {"postprocess": "contrast"}])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_one_with_transparency_is_painted_exactly_as_the_same_photo_in_full(
    engine, settings, dtype
):
    shown = picture(72, 80, block=9)
    alpha = np.clip(np.random.default_rng(3).random((72, 80)) * 1.5, 0, 1).astype(np.float32)
    alpha[:20, :30] = 0
    bits = in_bits(shown, dtype)
    bits = dataclasses.replace(bits, alpha=kept(np.rint(alpha * np.iinfo(dtype).max).astype(dtype)))
    plain = dataclasses.replace(bits, rgb=np.asarray(bits.rgb), alpha=np.asarray(bits.alpha))
    style = Style(picture(48, 56, 9, block=4))
    ours, theirs = (
        paint(engine, job(each, style, iterations=3, **settings)).picture for each in (bits, plain)
    )
    np.testing.assert_array_equal(ours.rgb, theirs.rgb)
    np.testing.assert_array_equal(ours.alpha, theirs.alpha)


def test_more_bits_that_are_asked_for_come_from_the_painting(engine):
    bits = dataclasses.replace(in_bits(picture(64, 64)), depth=16)
    found = integers_of(paint(engine, job(bits, iterations=3)).picture.rgb)
    assert found.dtype == np.uint16 and (found % 257 != 0).mean() > 0.9


def test_it_is_saved_as_it_is(tmp_path):
    bits = in_bits(picture(20, 30))
    for name in ("a.png", "a.tif"):
        save(tmp_path / name, bits)
        found = load(tmp_path / name, keep=True)
        assert np.array_equal(integers_of(found.rgb), integers_of(bits.rgb))


def test_rows_that_are_kept_of_a_photo_make_what_they_made_before(monkeypatch):
    monkeypatch.setattr(pyramid, "SMALL", 60)
    monkeypatch.setattr(pyramid, "BESIDE", 4)
    bits, other = in_bits(picture(240, 120)), in_bits(picture(240, 120))
    sizes = (30, 15), (120, 60), (240, 120)
    whole, levels = (Levels(Source(each, CPU), sizes) for each in (other, bits))
    seen = {1: Rows(40, 90), 2: Rows(90, 170)}
    levels.keep(seen)
    assert len(integers_of(bits.rgb)) < 150  # for all who have it
    for scale, rows in {0: Rows(0, 30), **seen, 2: Rows(80, 180)}.items():
        assert torch.equal(levels.rows(scale, rows), whole.rows(scale, rows))
    levels.keep({2: Rows(100, 170)})
    assert torch.equal(levels.rows(2, Rows(100, 170)), whole.rows(2, Rows(100, 170)))
    with pytest.raises(IndexError):
        levels.source.rows(sizes[2], Rows(80, 180))
    with pytest.raises(ValueError, match="all of them"):
        np.asarray(bits.rgb)
