"""A spot is painted as it will be in the whole picture."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from styleengine.jobs import Part, Preview, Spot, Style
from styleengine.loss.nearest import NearestPlaces
from styleengine.loss.painting import PaintObjective
from styleengine.loss.spot import Course, SpotObjective
from styleengine.loss.squares import TILE, TILES, Look, squares
from styleengine.loss.style_losses import CovarianceLoss
from styleengine.networks.extractor import ExtractorRequest
from styleengine.networks.shelf import load
from styleengine.pictures.picture import Picture
from styleengine.planning.plan import make_plan
from styleengine.planning.spots import STEP, Area, spot_areas
from styleengine.plugins.registry import load_plugins
from styleengine.protocol import EngineError, Progress, Settings
from styleengine.scene import going_on, windows
from styleengine.scene.pyramid import Source
from styleengine.scene.resample import resize
from styleengine.scene.style_pictures import StyleTarget
from tests.helpers import events_of, job, paint, picture, tinted

SIZES = ((512, 341), (947, 631), (1753, 1168), (3243, 2161), (6000, 4000))


@pytest.mark.parametrize("wrap", [(False, False), (False, True)])
@pytest.mark.parametrize("spot", [Area(3000, 1700, 3480, 2340), Area(0, 0, 100, 4000)])
def test_each_scale_is_painted_as_far_as_the_next_one_sees(spot, wrap):
    areas = spot_areas(SIZES, 1, spot, wrap)
    assert sorted(areas) == [1, 2, 3, 4]
    assert areas[4].top <= spot.top and areas[4].right >= spot.right
    for scale, area in areas.items():
        height, width = SIZES[scale]
        assert area.top % STEP == area.left % STEP == 0
        assert 0 <= area.top < area.bottom <= height and area.left < area.right
        assert wrap[1] or (area.left >= 0 and area.right <= width)
        if scale < 4:
            needed = areas[scale + 1].scaled(SIZES[scale + 1], SIZES[scale])
            assert area.top <= needed.top and area.bottom >= needed.bottom
            assert area.left <= needed.left and area.right >= needed.right
    if spot.left == 0:
        assert (areas[1].left < 0) == wrap[1]


@pytest.fixture(scope="module")
def network(plain_precision):
    entry = load_plugins(()).extractor("draft")
    plan = make_plan(Settings(features="draft"), 96, 96, entry)
    request = ExtractorRequest(plan.layers, "max", None, "draft")
    method = dataclasses.replace(plan.methods[-1], hold={}, faces={}, near_layers={})
    return load(entry, request, torch.device("cpu")).trunk, method


def pictures(*seeds, size=96):
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return [torch.rand(1, 3, size, size, generator=generator) for generator in generators]


def course_of(trunk, method, style, begun):
    return Course(seen(trunk, method, style), seen(trunk, method, begun).moments)


def seen(trunk, method, *piece):
    look = Look(trunk, method, CovarianceLoss())
    look.see(*piece)
    return look.seen


def test_where_the_spot_is_all_of_the_picture_the_gradient_is_that_of_the_picture(network):
    trunk, method = network
    content, style, image = pictures(3, 4, 5)
    target = StyleTarget(style)
    course = course_of(trunk, method, style, image)
    given = trunk, method, CovarianceLoss(), content
    usual = PaintObjective(*given, [target], None, 1.0, 1.0)
    objective = SpotObjective(*given, [(target, course)], None, (1.0, 1.0))
    for shown in (image, (image + style) / 2):
        (value, gradient), (found, by) = usual(shown), objective(shown)
        assert found == pytest.approx(value, rel=1e-3)
        assert (by - gradient).norm() < 1e-3 * gradient.norm()


def test_a_spot_with_which_the_picture_has_come_to_the_style_is_pulled_no_further(network):
    trunk, method = network
    (style,) = pictures(3)
    blurred = resize(resize(style, (48, 48)), (96, 96))
    method = dataclasses.replace(method, content_weight=0.0, tv_weight=0.0)
    course = course_of(trunk, method, style, blurred)
    given = trunk, method, CovarianceLoss(), blurred, [(StyleTarget(style), course)]
    objective = SpotObjective(*given, None, (1.0, 1.0))
    first = objective(blurred)
    arrived = objective(style)
    assert arrived[0] < 0.01 * first[0] and arrived[1].norm() < 0.1 * first[1].norm()


def test_places_that_are_known_of_a_style_are_those_one_is_near(network):
    trunk, method = network
    content, style = pictures(3, 4)
    method = dataclasses.replace(method, near_layers={method.content_layer: 1.0})
    course = course_of(trunk, method, style, content)
    styles = [(StyleTarget(style), course)]
    objective = SpotObjective(trunk, method, CovarianceLoss(), content, styles, None, (0.0, 0.0))
    (tile,) = objective.tiles
    (term,) = (t for t in objective.terms if isinstance(t, NearestPlaces))

    def apart(image):
        (local,) = term.local(image, objective.extractor(image), tile)
        return float(local.factor * local.values.sum())

    far = apart(content)
    term._nearest.clear()
    assert apart(style) < 0.01 * far


def test_what_is_masked_does_not_count_unless_there_is_nothing_else(network):
    trunk, method = network
    (image,) = pictures(3)
    half = torch.zeros(96, 96)
    half[:, :48] = 1
    (whole, part, none) = (
        seen(trunk, method, *piece).moments
        for piece in ((image, None), (image, half), (image, torch.zeros(96, 96)))
    )
    key = next(iter(whole))
    left = trunk(image)[key[0]][0, ..., : 48 // trunk.geometry[key[0]].stride]
    expected = left.float().mean((1, 2)) / trunk.units[key[0]]
    torch.testing.assert_close(part[key].mean, expected, rtol=0.02, atol=0.02)
    torch.testing.assert_close(none[key].mean, whole[key].mean, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", [(90, 61), (256, 170), (3072, 2048)])
def test_squares_lie_in_their_picture_and_all_over_it(size):
    areas = squares(size)
    assert min(a.top for a in areas) >= 0 and min(a.left for a in areas) >= 0
    assert max(a.bottom for a in areas) <= size[0] and max(a.right for a in areas) <= size[1]
    assert max(a.bottom for a in areas) > 0.8 * size[0]
    assert max(a.right for a in areas) > 0.8 * size[1]
    assert sum(a.size[0] * a.size[1] for a in areas) <= 1.3 * TILES * TILE**2


@pytest.mark.parametrize("longest", [300, 3100])
@pytest.mark.parametrize("see_through", [False, True])
def test_parts_of_a_style_are_those_of_all_of_it(longest, see_through):
    style = picture(longest // 2, longest, block=7)
    if see_through:
        alpha = np.linspace(0, 1, longest, dtype=np.float32)
        style = dataclasses.replace(style, alpha=np.tile(alpha, (longest // 2, 1)))
    source = Source(style, torch.device("cpu"))
    for size in ((100, 200), (400, 800)):
        areas = [Area(0, 0, 40, 60), Area(52, 131, 100, 200)]
        whole, alpha = source.at(size), source.alpha(size)
        for area, (image, mask) in zip(areas, source.parts(size, areas), strict=True):
            torch.testing.assert_close(image, windows.part(whole, area), rtol=0, atol=2e-3)
            assert (mask is None) == (alpha is None)
            if mask is not None:
                torch.testing.assert_close(mask, windows.part(alpha, area))


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


def test_a_part_of_a_picture_is_as_good_as_all_of_it(engine):
    photo = picture(480, 640, block=40)
    whole = paint(engine, spotted(photo=photo)).picture.rgb
    part = Part(Picture(photo.rgb[80:400, 220:580]), 220, 80)
    small = picture(480, 640, block=40).rgb.reshape(240, 2, 320, 2, 3).mean((1, 3))
    spot = dataclasses.replace(SPOT, part=part)
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


def test_what_spots_ask_for_can_be_made_beforehand_bit_by_bit(engine):
    def events(before, ready=False):
        spot = dataclasses.replace(SPOT, ready=ready)
        work = dataclasses.replace(spotted(spot), before=before, preview=100, preview_steps=1)
        found = events_of(engine, work)
        return found, [e.stage for e in found if isinstance(e, Progress)]

    photo = picture(480, 640, block=40)
    one, other = (going_on.kept(photo, tinted((0.7, 0.3, 0.2))) for _ in range(2))
    usual, made = events(one)
    beforehand, stages = events(other, ready=True)
    found, left = events(other)
    assert not any(isinstance(e, Preview) for e in beforehand)
    assert left.count("prepare") < made.count("prepare") <= stages.count("prepare")
    assert 0 < left.count("paint") < made.count("paint")  # the whole picture was small, too
    np.testing.assert_allclose(found[-1].picture.rgb, usual[-1].picture.rgb, atol=0.01)


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


def test_at_the_end_of_a_picture_that_closes_a_spot_is_painted_as_in_its_middle(engine):
    photo = picture(480, 640, block=40)
    rolled = dataclasses.replace(photo, rgb=np.roll(photo.rgb, 320, 1))
    there, here = (Spot((x, 160, 120, 160), (640, 480), (120, 160)) for x in (0, 320))
    one = paint(engine, spotted(there, photo, wrap="both")).picture.rgb
    other = paint(engine, spotted(here, rolled, wrap="both")).picture.rgb
    assert np.abs(one - other).mean() < 0.03
