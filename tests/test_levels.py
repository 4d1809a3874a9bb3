"""The pictures of a run at its scales: the same ones whatever size it ends with."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from styleengine.engine import Engine, Preview
from styleengine.levels import SMALL, Source, reduced
from styleengine.picture import Picture
from styleengine.plan import make_plan
from styleengine.resample import resize, to_array, to_tensor
from styleengine.scene import Scene
from tests.helpers import events_of, job, picture, toy_plugins

CPU = torch.device("cpu")


def veiled(height: int, width: int) -> Picture:
    """A picture with all kinds of transparency."""
    alpha = np.linspace(-0.5, 1.5, width, dtype=np.float32).clip(0, 1)
    return dataclasses.replace(picture(height, width, 4, 8), alpha=np.tile(alpha, (height, 1)))


@pytest.mark.parametrize("keep", ["off", "luminance", "palette"])
@pytest.mark.parametrize(
    "content", [picture(500, 700), veiled(500, 700), picture(40, 2 * SMALL + 50)]
)
def test_a_small_run_sees_what_a_large_one_sees_at_the_same_scales(content, keep):
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


def test_a_preview_is_what_the_large_picture_is_on_its_way():
    """To the last bit: the descent makes other pictures of the least difference."""
    engine = Engine(toy_plugins())
    content, style = picture(490, 700, 3, 8), picture(300, 400, 9, 4)
    last = []
    for size in (512, 0):
        work = job(content, style, size=size, iterations=9)
        seen = events_of(engine, dataclasses.replace(work, preview=512, preview_steps=1))
        here = [e for e in seen if isinstance(e, Preview)]
        plan = make_plan(work.settings, 700, 490, engine.plugins.extractor("thin"))
        until = sum(n for n, s in zip(plan.steps, plan.sizes, strict=True) if max(s) <= 512)
        last.append(next(e.picture.rgb for e in here if e.step == until))
    assert np.array_equal(*last)


def test_a_small_copy_holds_means_over_areas():
    rng = np.random.default_rng(0)
    array, weight = rng.random((30, 42, 3), np.float32), rng.random((30, 42), np.float32)
    blocks = array.reshape(10, 3, 14, 3, 3).mean((1, 3))
    assert reduced(array, None, (10, 14)) == pytest.approx(blocks, abs=1e-6)
    weighed = (array * weight[..., None]).reshape(10, 3, 14, 3, 3).mean((1, 3))
    assert reduced(array, weight, (10, 14)) == pytest.approx(weighed, abs=1e-6)
    assert reduced(array, None, (7, 11)).mean((0, 1)) == pytest.approx(array.mean((0, 1)), abs=1e-5)


def test_levels_of_a_large_picture_look_as_if_made_of_all_of_it():
    large = picture(1700, 3100, 5, 10)
    size = (281, 512)
    ours = to_array(Source(large, CPU).at(size))
    assert np.abs(ours - to_array(resize(to_tensor(large.rgb), size))).mean() < 0.004
