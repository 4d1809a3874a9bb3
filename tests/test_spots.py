"""A spot is painted as it will be in the whole picture."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from styleengine.jobs import Part, Preview, Spot, Style
from styleengine.loss.painting import PaintObjective
from styleengine.loss.spot import SpotObjective
from styleengine.loss.style_losses import CovarianceLoss
from styleengine.networks.extractor import ExtractorRequest
from styleengine.networks.shelf import load
from styleengine.pictures.picture import Picture
from styleengine.planning.plan import make_plan
from styleengine.planning.spots import STEP, Area, sample_middles, sample_patches, spot_patches
from styleengine.plugins.registry import load_plugins
from styleengine.protocol import EngineError, Progress, Settings
from styleengine.scene.scene import StyleTarget
from styleengine.scene.sheet import Sheet
from tests.helpers import events_of, job, paint, picture, tinted

SIZES = ((512, 341), (947, 631), (1753, 1168), (3243, 2161), (6000, 4000))
MARGINS = {1: 64, 2: 32, 3: 32, 4: 32}


@pytest.mark.parametrize("spot", [Area(3000, 1700, 3480, 2340), Area(0, 0, 100, 4000)])
def test_each_scale_is_painted_as_far_as_the_next_one_sees(spot):
    patches = spot_patches(SIZES, 1, spot, MARGINS)
    assert sorted(patches) == [1, 2, 3, 4]
    assert patches[4].painted.top <= spot.top and patches[4].painted.right >= spot.right
    for scale, patch in patches.items():
        height, width = SIZES[scale]
        for area in (patch.seen, patch.painted):
            assert area.top % STEP == area.left % STEP == 0
            assert 0 <= area.top < area.bottom <= height and 0 <= area.left < area.right <= width
        if scale < 4:
            needed = patches[scale + 1].seen.scaled(SIZES[scale + 1], SIZES[scale])
            assert patch.painted.top <= needed.top and patch.painted.bottom >= needed.bottom
            assert patch.painted.left <= needed.left and patch.painted.right >= needed.right


def test_samples_lie_all_over_the_picture():
    samples = sample_patches(SIZES[2], sample_middles(SIZES[2]), 32)
    assert 6 <= len(samples) <= 10 and len({s.painted for s in samples}) == len(samples)
    tops, lefts = ([getattr(s.painted, n) for s in samples] for n in ("top", "left"))
    assert max(tops) > 1200 > 500 > min(tops) and max(lefts) > 700 > 400 > min(lefts)


def test_the_sheets_pixels_stand_for_all_of_the_picture():
    spot = spot_patches(SIZES[:2], 1, Area(100, 100, 300, 420), MARGINS)[1]
    samples = sample_patches(SIZES[1], sample_middles(SIZES[1]), 32)
    sheet = Sheet.of(SIZES[1], [spot, *samples])
    weights = sheet.weights(torch.device("cpu"))
    assert float(weights.sum()) == pytest.approx(SIZES[1][0] * SIZES[1][1])
    inner = spot.painted.within(spot.seen)
    part = sheet.seen(weights, 0)[inner.top : inner.bottom, inner.left : inner.right]
    assert (part == 1).all() and sheet.seen(weights, 0).sum() == part.numel()
    whole = torch.rand(1, 3, *SIZES[1])
    filled = sheet.filled(lambda _, a: whole[..., a.top : a.bottom, a.left : a.right])
    for number, patch in enumerate(sheet.patches):
        a = patch.seen
        there = whole[..., a.top : a.bottom, a.left : a.right]
        assert torch.equal(sheet.seen(filled, number), there)


@pytest.fixture(scope="module")
def network(plain_precision):
    entry = load_plugins(()).extractor("draft")
    plan = make_plan(Settings(features="draft"), 96, 96, entry)
    request = ExtractorRequest(plan.layers, "max", None, "draft")
    method = dataclasses.replace(plan.methods[-1], hold={}, faces={})
    return load(entry, request, torch.device("cpu")).trunk, method


def test_of_a_sheet_that_is_the_picture_the_gradient_is_that_of_the_picture(network):
    trunk, method = network
    generator = torch.Generator().manual_seed(3)
    content, style, image = (torch.rand(1, 3, 96, 96, generator=generator) for _ in range(3))
    given = (trunk, method, CovarianceLoss(), content, [StyleTarget(style)])
    usual = PaintObjective(*given, None, 1.0, 1.0)(image)
    for weight in (1.0, 7.0):
        objective = SpotObjective(*given, torch.full((96, 96), weight), (1.0, 1.0))
        loss, gradient = objective(image * objective.root)
        assert loss == pytest.approx(usual[0], rel=1e-3)
        apart = (gradient * objective.root - usual[1]).norm() / usual[1].norm()
        assert apart < 1e-3, weight


def test_margins_stay_and_samples_do_not_count_more_for_standing_for_many(network):
    trunk, method = network
    half = torch.rand(1, 3, 96, 96)
    content, style = torch.cat([half, half], 3), torch.rand(1, 3, 96, 96)
    image = torch.rand(1, 3, 96, 96)
    image = torch.cat([image, image], 3)
    weights = torch.zeros(96, 192)
    weights[24:72, 24:72], weights[24:72, 120:168] = 1.0, 9.0
    given = (trunk, method, CovarianceLoss(), content, [StyleTarget(style)])
    objective = SpotObjective(*given, weights, (1.0, 1.0))
    _, gradient = objective(image * objective.root)
    gradient = gradient / objective.root  # by a move of the sheet itself
    assert (gradient[..., weights == 0] == 0).all()
    one, other = gradient[..., 32:64, 32:64], gradient[..., 32:64, 128:160]
    assert (one - other).norm() < 0.2 * one.norm()  # two copies of one place


SPOT = Spot((300, 160, 200, 160), (640, 480), (200, 160))
QUICK = {"size": 0, "iterations": 8}


def spotted(spot=SPOT, photo=None, style=None, **settings):
    photo = photo or picture(480, 640, block=40)
    work = job(photo, style or tinted((0.7, 0.3, 0.2)), **{**QUICK, **settings})
    return dataclasses.replace(work, spot=spot)


def cut(rgb, spot=SPOT):
    left, top, width, height = spot.area
    return rgb[top : top + height, left : left + width]


def test_the_spot_is_what_the_whole_painting_shows_there(engine):
    work = dataclasses.replace(spotted(), preview=100, preview_steps=1)
    events = events_of(engine, work)
    whole = paint(engine, dataclasses.replace(work, spot=None, preview=0)).picture.rgb
    found, expected = events[-1].picture.rgb, cut(whole)
    assert found.shape == expected.shape
    photo = cut(work.content.rgb)
    assert np.abs(found - expected).mean() < 0.4 * np.abs(photo - expected).mean()
    shown = [e.picture for e in events if isinstance(e, Preview)]
    assert shown and all((p.width, p.height) == (200, 160) for p in shown)
    assert any(isinstance(e, Progress) and e.stage == "paint" for e in events)


def test_parts_of_a_picture_are_as_good_as_all_of_it(engine):
    photo = picture(480, 640, block=40)
    whole = paint(engine, spotted(photo=photo)).picture.rgb
    areas = [(220, 80, 360, 320), (0, 0, 200, 200), (440, 280, 200, 200), (20, 250, 200, 200)]
    parts = tuple(Part(Picture(photo.rgb[y : y + h, x : x + w]), x, y) for x, y, w, h in areas)
    small = picture(480, 640, block=40).rgb.reshape(240, 2, 320, 2, 3).mean((1, 3))
    spot = dataclasses.replace(SPOT, parts=parts)
    found = paint(engine, spotted(spot, Picture(np.ascontiguousarray(small)))).picture.rgb
    assert np.abs(found - whole).mean() < 0.03


def test_outside_of_the_mask_and_under_transparency_the_photo_stays(engine):
    photo = picture(480, 640, block=40)
    alpha = np.ones((480, 640), np.float32)
    alpha[200:260, 320:400] = 0.25
    photo = dataclasses.replace(photo, alpha=alpha)
    mask = np.zeros((48, 64), np.float32)
    mask[:, 40:] = 1
    style = Style(tinted((0.7, 0.3, 0.2)), mask=mask)
    found = paint(engine, spotted(photo=photo, style=style, iterations=4)).picture
    np.testing.assert_allclose(found.alpha, cut(alpha), atol=1e-5)
    there = cut(photo.rgb)
    np.testing.assert_array_equal(found.rgb[:, :80], there[:, :80])
    assert np.abs(found.rgb[:, 120:] - there[:, 120:]).mean() > 0.02


def test_a_spot_can_be_stopped_and_is_kept_as_it_is(engine):
    calls = []
    result = paint(engine, spotted(), should_stop=lambda: len(calls) > 2 or calls.append(1))
    assert result.stopped and result.picture.rgb.shape == (160, 200, 3)


@pytest.mark.parametrize(
    ("spot", "settings"),
    [
        ({"area": (600, 0, 200, 100)}, {}),
        ({"size": (400, 160)}, {}),
        ({"whole": (1280, 960)}, {}),
        ({}, {"preset": "classic"}),
    ],
)
def test_a_spot_that_is_none_is_refused(engine, spot, settings):
    with pytest.raises(EngineError):
        paint(engine, spotted(dataclasses.replace(SPOT, **spot), **settings))
