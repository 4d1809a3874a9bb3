"""Frames of a film: their motion, what goes over to the next one, and what that is good for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from benchmarks.moving import Motion, Scene, as_picture, scene_of
from benchmarks.steady import flicker
from styleengine.loss.steady import UNIT
from styleengine.planning import tiling
from styleengine.planning.plan import make_plan
from styleengine.planning.recipes import FAST
from styleengine.protocol import Settings
from styleengine.scene import steady
from styleengine.scene.flow import optical_flow, scaled, warped
from styleengine.scene.pyramid import Source
from styleengine.scene.resample import resize, to_tensor
from tests.helpers import job, paint, picture, tinted
from tests.test_tiling import same
from tests.test_wrap import SIZE, objective, trunk

pytestmark = pytest.mark.usefixtures("plain_precision")

CPU = torch.device("cpu")


def scene(cutout: bool = True, side: int = 160) -> Scene:
    """Blocks under a moving camera, and other blocks that move before them."""
    photo, other = picture(240, 320, 2, block=23), picture(200, 200, 5, block=17)
    return scene_of(photo, other if cutout else None, side)


# --- the motion -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cutout", [False, True])
def test_a_known_motion_is_found(cutout):
    before, now = (scene(cutout).frame(n) for n in (3, 4))
    found = optical_flow(now.image, before.image)
    long = now.flow.norm(dim=1)
    assert float(long.max()) > (1.5 if cutout else 0.5)
    apart = (found - now.flow).norm(dim=1, keepdim=True)[now.seen > 0]
    assert float(apart.median()) < 0.2
    assert float(apart.mean()) < 0.4
    assert float((apart > 1).float().mean()) < 0.08


def test_a_large_motion_is_found_too():
    photo = to_tensor(picture(240, 320, 2, block=23).rgb)
    found = Scene(photo, None, (120, 160), Motion(pan=(0.1, 0.0), zoom=1.0, turn=0.0))
    now = found.frame(1)
    apart = (optical_flow(now.image, found.frame(0).image) - now.flow).norm(dim=1, keepdim=True)
    assert float(now.flow[:, 0].abs().min()) > 15
    assert float(apart[now.seen > 0].median()) < 0.2


def test_a_flow_is_that_of_any_size():
    flow = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 6, 9)
    assert torch.equal(scaled(flow, (12, 27))[0, :, 5, 5], torch.tensor([9.0, -4.0]))
    image = torch.rand(1, 3, 300, 9)  # in more strips than one
    shift = torch.zeros(1, 2, 300, 9)
    shift[:, 1] = 4.0
    torch.testing.assert_close(
        warped(image, shift, sharp=True)[..., :-4, :], image[..., 4:, :], atol=1e-4, rtol=0
    )


def test_what_was_hidden_before_is_not_taken_over():
    over = to_tensor(picture(200, 200, 5, block=17).rgb)
    quick = Motion(pan=(-0.06, -0.02), zoom=1.0, turn=0.0)
    moving = Scene(to_tensor(picture(240, 320, 2, block=23).rgb), over, (120, 160), own=quick)
    before, now = (moving.frame(n) for n in (0, 1))
    there = optical_flow(now.image, before.image), optical_flow(before.image, now.image)
    seen = steady.visible(now.image, before.image, *there)
    hidden = -torch.nn.functional.max_pool2d(now.seen, 3, 1, 1) > -1  # but for its border
    assert int(hidden.sum()) > 50
    assert float(seen[hidden].mean()) < 0.2
    assert float(seen[now.seen > 0].mean()) > 0.85


def test_moves_do_not_blur():
    frame = steady.frame(Source(picture(96, 128), CPU), picture(96, 128, 4, block=3).rgb)
    zero, image = torch.full((1, 2, 96, 128), 0.4), to_tensor(frame.painted)
    gray = torch.full((1, 3, 96, 128), 0.5)
    found = steady.Followed(zero, torch.ones(1, 1, 96, 128), gray[:, :1], image)
    moved, _ = found.at(gray)
    fine = [float(steady._crispness(x)[..., 8:-8, 8:-8].mean()) for x in (image, moved)]
    plain = float(steady._crispness(warped(image, zero, sharp=True))[..., 8:-8, 8:-8].mean())
    assert 1.2 * plain < fine[1] < fine[0]


def test_detail_of_the_photo_outlives_many_moves():
    """A painting that is the photo, but paler, stays that, move by move."""
    photo = to_tensor(picture(240, 320, 2, block=9).rgb)
    film = Scene(photo, None, (96, 128), Motion(zoom=1.0, turn=0.0))
    painted = plain = 0.15 + 0.7 * film.frame(0).image
    for number in range(1, 9):
        now = film.frame(number)
        frame = steady.frame(Source(as_picture(film.frame(number - 1).image), CPU), painted)
        found = steady.followed(Source(as_picture(now.image), CPU), frame)
        painted, plain = found.at(now.image)[0], warped(plain, now.flow, sharp=True)
    inside = (..., slice(16, -16), slice(16, -16))
    apart = [float((x - 0.15 - 0.7 * now.image)[inside].abs().mean()) for x in (plain, painted)]
    assert apart[1] < 0.7 * apart[0], apart


# --- the loss -------------------------------------------------------------------------------------


def held() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(8)
    make = {"generator": draw, "dtype": torch.float64}
    return torch.rand(1, 3, *SIZE, **make), torch.rand(SIZE, **make)


def test_the_term_is_the_mean_square_of_what_is_seen():
    with_it, image = objective(trunk(), (False, False), steady=held())
    without, _ = objective(trunk(), (False, False))
    target, seen = held()
    x = image.clone().requires_grad_()
    apart = ((x - target) / UNIT).square().mean((0, 1)) * seen
    expected = FAST.steady_weight * apart.sum() / (SIZE[0] * SIZE[1])
    (gradient,) = torch.autograd.grad(expected, x)
    (loss, found), (other, rest) = with_it(image), without(image)
    assert loss - other == pytest.approx(float(expected.detach()), rel=1e-9)
    torch.testing.assert_close(found - rest, gradient, atol=1e-14, rtol=1e-8)


@pytest.mark.parametrize("wrap", [(False, False), (False, True)])
def test_tiles_are_the_whole(monkeypatch, wrap):
    monkeypatch.setattr(tiling, "DEEP", 1000)  # no layer gets less than it can reach
    whole, image = objective(trunk(), wrap, steady=held())
    tiled, _ = objective(trunk(), wrap, steady=held(), side=64)
    assert len(whole.tiles) == 1 and len(tiled.tiles) > 1
    same(whole, tiled, image, 1e-12)


# --- a film ---------------------------------------------------------------------------------------

DRAFT = {"preset": "draft", "features": "draft", "size": 0, "iterations": 16}


def test_frames_are_steady_and_take_fewer_steps(engine):
    found, style = scene(side=96), tinted((0.7, 0.3, 0.2))
    before = paint(
        engine,
        dataclasses.replace(job(as_picture(found.frame(3).image), style, **DRAFT), steady=True),
    )
    now = found.frame(4)
    work = dataclasses.replace(job(as_picture(now.image), style, **DRAFT), steady=True)
    alone = paint(engine, work)
    events = list(engine.run(dataclasses.replace(work, frame=before.frame)))
    following = events[-1]
    apart = [flicker(now, before.picture, each.picture) for each in (alone, following)]
    assert apart[1] < 0.4 * apart[0], apart
    assert np.abs(following.picture.rgb - as_picture(now.image).rgb).mean() > 0.03  # it is painted
    assert events[-2].steps < 0.6 * list(engine.run(work))[-2].steps


def test_a_cut_begins_afresh(engine):
    style = tinted((0.7, 0.3, 0.2))
    first, other = picture(64, 80, 1, block=9), picture(64, 80, 6, block=13)
    frame = paint(engine, dataclasses.replace(job(first, style), steady=True)).frame
    assert steady.followed(Source(other, CPU), frame) is None
    found = [paint(engine, dataclasses.replace(job(other, style), frame=f)) for f in (None, frame)]
    np.testing.assert_array_equal(*(each.picture.rgb for each in found))
    assert found[0].frame is None  # nobody has asked for it
    assert steady.followed(Source(picture(80, 64, 1), CPU), frame) is None


def test_what_is_transparent_is_not_seen():
    photo = picture(64, 80, 1, block=9)
    alpha = np.ones((64, 80), np.float32)
    alpha[:, :30] = 0
    frame = steady.frame(Source(dataclasses.replace(photo, alpha=alpha), CPU), photo.rgb)
    found = steady.followed(Source(photo, CPU), frame)
    assert float(found.seen[..., :25].max()) == 0 and float(found.seen[..., 40:70].min()) > 0.9


def test_large_new_places_begin_at_a_coarser_scale(engine):
    entry = engine.plugins.extractor("draft")
    plan = make_plan(Settings(preset="fast", features="draft"), 1024, 768, entry)
    flow, painted = torch.zeros(1, 2, 384, 512), torch.rand(1, 3, 384, 512)
    firsts = []
    for width in (0, 16, 60, 200):
        seen = torch.ones(1, 1, 384, 512)
        seen[..., 100:300, 100 : 100 + width] = 0
        first, found = steady.planned(plan, steady.Followed(flow, seen, painted[:, :1], painted))
        firsts.append(first)
        assert found.total_steps < 0.5 * plan.total_steps
    assert firsts == [3, 2, 1, 0] and len(plan.sizes) == 4


def test_a_painting_read_from_a_file_serves_as_well():
    photo, painted = picture(64, 80, 1, block=9), picture(64, 80, 7)
    frame = steady.frame_of(photo, painted, (False, False))
    assert frame.content.shape == (64, 80, 3) and frame.alpha is None
    found = steady.followed(Source(photo, CPU), frame)
    target, seen = found.at(to_tensor(photo.rgb))
    assert float(seen.min()) > 0.9
    assert float((target - to_tensor(painted.rgb)).abs().mean()) < 0.01
    larger = found.at(resize(to_tensor(photo.rgb), (128, 160)))[0]
    assert float((larger - resize(target, (128, 160))).abs().mean()) < 0.05
