"""Pictures at the sizes of the scales: the same ones whatever size a run ends with."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from styleengine.engine import Engine
from styleengine.jobs import Preview
from styleengine.pictures.picture import Picture
from styleengine.planning.plan import make_plan
from styleengine.scene import pyramid, resample
from styleengine.scene.pyramid import Levels, Source, reduced
from styleengine.scene.resample import to_array, to_tensor
from styleengine.scene.scene import Scene
from tests.helpers import events_of, job, picture, toy_plugins

CPU = torch.device("cpu")


def smooth(height, width, seed=0):
    """A picture (H, W, 3) with detail of a few pixels and larger."""
    noise = torch.rand(1, 3, height // 4, width // 4, generator=torch.manual_seed(seed))
    return to_array(F.interpolate(noise, size=(height, width), mode="bicubic"))


def leveled(given, sizes):
    return Levels(Source(given, CPU), sizes)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A small copy is made of pictures from 240 pixels on."""
    monkeypatch.setattr(pyramid, "SMALL", 120)


@pytest.mark.parametrize("size", [(40, 60), (37, 53), (1, 1), (90, 131)])
def test_reducing_means_over_areas_with_their_parts_of_pixels(size):
    array = np.random.default_rng(0).random((91, 131, 3), np.float32)
    fine = np.repeat(np.repeat(array.astype(np.float64), size[0], 0), size[1], 1)
    expected = fine.reshape(size[0], 91, size[1], 131, 3).mean((1, 3))
    np.testing.assert_allclose(reduced(array, None, size), expected, atol=1e-5)


def test_reducing_weighs_pixels_before_it_takes_the_mean():
    array = np.random.default_rng(1).random((64, 96, 3), np.float32)
    weight = np.random.default_rng(2).random((64, 96), np.float32)
    found = reduced(array, weight, (16, 24))
    expected = (array * weight[..., None]).reshape(16, 4, 24, 4, 3).mean((1, 3))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_levels_look_as_if_each_were_made_of_the_whole_picture():
    rgb = smooth(300, 480)
    sizes = (20, 32), (38, 60), (94, 150), (300, 480)
    found = leveled(Picture(rgb), sizes)
    for scale, size in enumerate(sizes):
        direct = resample.resize(to_tensor(rgb), size).clamp(0, 1)
        assert found[scale].shape == direct.shape
        assert float((found[scale] - direct).abs().mean()) < 0.01
    assert found[-1].data_ptr() == torch.from_numpy(rgb).data_ptr()


def test_the_first_levels_of_a_large_picture_need_no_look_at_it_in_full(monkeypatch):
    alpha = np.ones((300, 480), np.float32)
    alpha[:100, :100] = 0
    found = leveled(Picture(smooth(300, 480), alpha), ((20, 32), (38, 60), (300, 480)))
    looked = []
    replace = resample.replace_hidden
    monkeypatch.setattr(
        resample, "replace_hidden", lambda rgb, alpha: looked.append(1) or replace(rgb, alpha)
    )
    assert found[0].shape == (1, 3, 20, 32) and found[1].shape == (1, 3, 38, 60)
    assert found.source.alpha((20, 32)).shape == (1, 1, 20, 32)
    found.source.sample()
    assert looked == []
    assert found[2].shape == (1, 3, 300, 480)
    assert looked == [1]


@pytest.mark.parametrize("height, width", [(300, 480), (90, 144)])
def test_nothing_hidden_shows_in_any_level(height, width):
    rgb, alpha = smooth(height, width), np.ones((height, width), np.float32)
    alpha[height // 3 : height // 2, : width // 2] = 0
    sizes = (24, 38), (45, 72), (height, width)
    dark, bright = rgb.copy(), rgb.copy()
    dark[alpha == 0], bright[alpha == 0] = 0, 1
    one, two = (leveled(Picture(p, alpha), sizes) for p in (dark, bright))
    for scale, size in enumerate(sizes):
        torch.testing.assert_close(one[scale], two[scale], atol=1e-5, rtol=0)
        hidden = one.source.alpha(size) <= 0
        assert 0.05 < float(one[scale][hidden.expand(1, 3, -1, -1)].mean()) < 0.95
    torch.testing.assert_close(one.source.sample()[0], two.source.sample()[0], atol=1e-5, rtol=0)


def test_an_opaque_alpha_is_none():
    opaque = Picture(smooth(60, 80), np.ones((60, 80), np.float32))
    assert Source(opaque, CPU).alpha((30, 40)) is None


def test_a_large_level_that_is_forgotten_can_be_had_again(monkeypatch):
    monkeypatch.setattr(pyramid, "KEPT", 50 * 80)
    found = leveled(Picture(smooth(300, 480)), ((38, 60), (94, 150), (300, 480)))
    before = [found[scale].clone() for scale in range(3)]
    for scale in range(3):
        found.forget(scale)
    assert found.at_least((38, 60)).shape[-1] == 60
    assert found.at_least((38, 61)).shape[-1] == 480  # the one of 150 is gone
    for scale in range(3):
        torch.testing.assert_close(found[scale], before[scale])


# --- agreement of small and large runs ---------------------------------------------


def veiled(height: int, width: int) -> Picture:
    """A picture with all kinds of transparency."""
    alpha = np.linspace(-0.5, 1.5, width, dtype=np.float32).clip(0, 1)
    return dataclasses.replace(picture(height, width, 4, 8), alpha=np.tile(alpha, (height, 1)))


@pytest.mark.parametrize("keep", ["off", "luminance", "palette"])
@pytest.mark.parametrize("content", [picture(500, 700), veiled(80, 700)])
@pytest.mark.parametrize("small_copy", [320, 3200])
def test_a_small_run_sees_what_a_large_one_sees_at_the_same_scales(
    content, keep, small_copy, monkeypatch
):
    monkeypatch.setattr(pyramid, "SMALL", small_copy)
    entry = toy_plugins().extractor("thin")
    scenes = []
    for size in (512, 0):
        work = job(content, veiled(640, 560), keep_colors=keep, size=size)
        plan = make_plan(work.settings, content.width, content.height, entry)
        scenes.append(Scene.of(work, plan, CPU))
    small, large = scenes
    shared = len(small.plan.sizes)
    assert small.plan.sizes == large.plan.sizes[:shared]
    assert len(large.plan.sizes) > shared
    for scale in range(shared):
        assert torch.equal(small.content(scale), large.content(scale))
        alphas = [s.alpha_at(scale) for s in scenes]
        assert (content.alpha is None) == (alphas[0] is None)
        assert alphas[0] is None or torch.equal(*alphas)
        (ours,), (theirs,) = (s.targets(scale) for s in scenes)
        assert torch.equal(ours.image, theirs.image)
        assert torch.equal(ours.alpha, theirs.alpha)


def test_a_preview_is_what_the_large_picture_is_on_its_way(monkeypatch):
    """To the last bit: the descent makes other pictures of the least difference."""
    monkeypatch.setattr(
        "styleengine.planning.plan.scale_steps", lambda recipe, sizes, total: (2,) * len(sizes)
    )
    engine = Engine(toy_plugins())
    content, style = picture(490, 700, 3, 8), picture(300, 400, 9, 4)
    last = []
    for size in (512, 0):
        work = job(content, style, size=size)
        seen = events_of(engine, dataclasses.replace(work, preview=512, preview_steps=1))
        here = [e for e in seen if isinstance(e, Preview)]
        plan = make_plan(work.settings, 700, 490, engine.plugins.extractor("thin"))
        until = sum(n for n, s in zip(plan.steps, plan.sizes, strict=True) if max(s) <= 512)
        last.append(next(e.picture.rgb for e in here if e.step == until))
    assert np.array_equal(*last)
