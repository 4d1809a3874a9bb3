"""Frames that follow each other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from styleengine.jobs import Job, Result, Style
from styleengine.pictures.picture import Picture
from styleengine.planning.plan import make_plan
from styleengine.protocol import PREVIEW_PX, Progress, Settings
from styleengine.scene.going_on import AROUND, CHANGE, fits, follow, kept, start
from styleengine.scene.resample import resize, to_array, to_tensor
from styleengine.scene.scene import Scene
from tests.helpers import events_of, job, paint, picture, tinted

DRAFT = {"preset": "draft", "features": "draft", "size": 96, "iterations": 16}


def frames() -> list:
    """The same picture twice, with other noise; a square in the second that is new."""
    base = picture(72, 96)
    rng = np.random.default_rng(4)
    noisy = [
        np.clip(base.rgb + 0.01 * rng.standard_normal(base.rgb.shape), 0, 1).astype(np.float32)
        for _ in range(2)
    ]
    return [dataclasses.replace(base, rgb=rgb) for rgb in noisy]


def test_only_what_has_not_changed_is_taken_over():
    usual, painted = torch.zeros(1, 3, 60, 80), torch.ones(1, 3, 60, 80)
    content = torch.full((1, 3, 60, 80), 0.5)
    now = content.clone()
    now[..., 20:40, 20:50] += 0.3
    found = follow(usual, now, content, painted)
    assert found[..., 25:35, 25:45].max() == 0  # no ghost of what was here
    far = torch.ones(60, 80, dtype=torch.bool)
    far[20 - AROUND : 40 + AROUND, 20 - AROUND : 50 + AROUND] = False
    assert (found[..., far] == 1).all()
    half = follow(usual, content + CHANGE / 2, content, painted)
    torch.testing.assert_close(half, torch.full_like(half, 0.5), atol=1e-4, rtol=0)


def test_noise_flickers_less_than_without(engine):
    first, second = frames()
    flicker = np.zeros(2)
    for color in ((0.7, 0.3, 0.2), (0.2, 0.4, 0.7), (0.5, 0.5, 0.2)):  # some flicker more
        style = tinted(color)
        alone = [paint(engine, job(frame, style, **DRAFT)).picture.rgb for frame in (first, second)]
        before = kept(first, dataclasses.replace(first, rgb=alone[0]))
        work = dataclasses.replace(job(second, style, **DRAFT), before=before)
        following = paint(engine, work).picture.rgb
        flicker += [float(np.abs(rgb - alone[0]).mean()) for rgb in (alone[1], following)]
        assert float(np.abs(following - second.rgb).mean()) > 0.02  # and it is painted
    assert flicker[1] < 0.8 * flicker[0], flicker


@pytest.mark.parametrize("filter", [Image.Resampling.BOX, Image.Resampling.BICUBIC])
@pytest.mark.parametrize("hole", [False, True])
def test_a_preview_becomes_what_it_showed_and_its_steps_are_saved(engine, filter, hole):
    photo, style = picture(720, 960, block=48), tinted((0.7, 0.3, 0.2))
    alpha = None
    if hole:
        photo.rgb[120:360, 240:480] = 0
        alpha = np.ones((720, 960), np.float32)
        alpha[120:360, 240:480] = 0
        photo = dataclasses.replace(photo, alpha=alpha)
    pixels = Image.fromarray((photo.rgb * 255).round().astype(np.uint8))
    shrunk = np.asarray(pixels.resize((512, 384), filter), np.float32) / 255
    seen = None
    if alpha is not None:
        seen = np.array(Image.fromarray(alpha).resize((512, 384), Image.Resampling.NEAREST))
    small = Picture(shrunk, seen)
    preview = paint(engine, job(small, style, size=0, iterations=12)).picture
    work = job(photo, style, size=0, iterations=8)
    events = events_of(engine, dataclasses.replace(work, before=kept(small, preview)))
    steps = [e for e in events if isinstance(e, Progress) and e.stage == "paint"]
    assert {e.scale for e in steps} == {3, 4} and steps[0].scales == 4
    assert steps[0].step > 1 and steps[-1].step == steps[-1].steps == 8
    assert steps[0].done > 1 / 8 and steps[-1].done == 1
    alone = paint(engine, work).picture.rgb
    shown = to_array(resize(to_tensor(preview.rgb), (720, 960)))
    apart = [np.abs(rgb - shown).mean() for rgb in (alone, events[-1].picture.rgb)]
    assert apart[1] < 0.5 * apart[0]


@pytest.mark.parametrize("other", [{}, {"strength": 40.0}, {"preset": "best"}, {"iterations": 20}])
def test_a_finished_preview_is_not_painted_again(engine, other):
    photo, preview = picture(720, 960, block=48), picture(384, 512, seed=2)
    small = Picture(to_array(resize(to_tensor(photo.rgb), (384, 512))))
    settings = Settings(preset="fast", features="draft")
    entry = engine.plugins.extractor("draft")
    asked = dataclasses.replace(settings, **other)
    plan = make_plan(asked, 960, 720, entry)
    work = Job(photo, (Style(tinted((0.7, 0.3, 0.2))),), asked)
    scene = Scene.of(work, plan, torch.device("cpu"))
    for finished in (None, dataclasses.replace(settings, size=PREVIEW_PX)):
        scale, found = start(scene, kept(small, preview, finished), asked)
        goes_on = finished is not None and not other
        assert plan.sizes[scale - goes_on] == (384, 512), other
        shown = resize(to_tensor(preview.rgb), plan.sizes[scale])
        assert found.shape == shown.shape and (found - shown).abs().mean() < 0.1
    assert not goes_on or max(plan.sizes[scale]) > PREVIEW_PX


def test_a_preview_that_was_stopped_goes_on_at_the_size_it_had_reached(engine):
    photo, style = picture(720, 960, block=48), tinted((0.7, 0.3, 0.2))
    small = Picture(photo.rgb[:384, :512].copy())
    work, seen = job(small, style, size=0, iterations=12), []
    result = None
    for event in engine.run(work, lambda: len(seen) >= 6):
        if isinstance(event, Progress) and event.stage == "paint":
            seen.append(event)
        result = event
    assert isinstance(result, Result) and result.stopped
    assert result.reached == (seen[-1].width, seen[-1].height) == (256, 192)
    before = kept(small, result.picture, long_side=max(result.reached))
    following = job(small, style, size=0, iterations=8)
    events = events_of(engine, dataclasses.replace(following, before=before))
    steps = [e for e in events if isinstance(e, Progress) and e.stage == "paint"]
    assert (steps[0].width, steps[0].height) == (256, 192) and steps[-1].width == 512
    assert events[-1].reached == (512, 384)


def test_the_notebooks_method_begins_with_the_photo_all_the_same(engine):
    photo, style = picture(40, 48), tinted((0.7, 0.3, 0.2))
    work = job(photo, style, preset="classic", size=48, iterations=2)
    other = dataclasses.replace(photo, rgb=1 - photo.rgb)
    found = [
        paint(engine, w).picture.rgb
        for w in (work, dataclasses.replace(work, before=kept(photo, other)))
    ]
    np.testing.assert_array_equal(*found)


def test_a_picture_of_another_shape_is_not_followed(engine):
    first = picture(72, 96)
    other, style = picture(64, 64, seed=3), tinted((0.2, 0.3, 0.7))
    before = kept(first, first)
    assert fits(before, picture(144, 192)) and not fits(before, other)
    assert max(before.content.width, before.content.height) == PREVIEW_PX
    work = job(other, style, **DRAFT)
    found = [paint(engine, w).picture.rgb for w in (work, dataclasses.replace(work, before=before))]
    np.testing.assert_array_equal(*found)


def test_colours_that_are_kept_stay_gray_for_the_network(engine):
    first, second = frames()
    style = tinted((0.7, 0.3, 0.2))
    before = kept(first, first)
    settings = {**DRAFT, "keep_colors": "luminance"}
    work = dataclasses.replace(job(second, style, **settings), before=before)
    painted = paint(engine, work).picture.rgb
    own, held = (rgb - rgb.mean(-1, keepdims=True) for rgb in (second.rgb, painted))
    inside = (painted > 0.02).all(-1) & (painted < 0.98).all(-1)
    assert np.abs(own - held)[inside].mean() < 0.05
