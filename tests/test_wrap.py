"""Edges that close: every step of a run treats a picture that is laid side by side as endless."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchmarks.seams import seam
from styleengine.loss.painting import PaintObjective
from styleengine.loss.smoothness import tv_values
from styleengine.loss.style_losses import CovarianceLoss
from styleengine.networks import winograd
from styleengine.networks.convolution import conv_relu
from styleengine.networks.finest_band import finest_band
from styleengine.networks.trunk import CPU, Precision, Trunk
from styleengine.planning import tiling
from styleengine.planning.recipes import FAST
from styleengine.protocol import EngineError, Settings
from styleengine.scene import resample
from styleengine.scene.closing import closed
from styleengine.scene.finishing import touched
from styleengine.scene.style_pictures import StyleTarget
from tests.helpers import job, paint, picture
from tests.test_tiling import LAYERS, same, thin

pytestmark = pytest.mark.usefixtures("plain_precision")

WRAPS = [(False, True), (True, False), (True, True)]


def laid(image: torch.Tensor, wrap: tuple[bool, bool]) -> torch.Tensor:
    """Three of them side by side along the axes that close."""
    return image.repeat(1, 1, *(3 if closes else 1 for closes in wrap))


def middle(image: torch.Tensor, size: tuple[int, int], wrap: tuple[bool, bool]) -> torch.Tensor:
    top, left = (n if closes else 0 for n, closes in zip(size, wrap, strict=True))
    return image[..., top : top + size[0], left : left + size[1]]


# --- the network ----------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("fewer", [False, True])
@pytest.mark.parametrize("pool", [False, True])
def test_a_convolution_sees_the_other_side(wrap, fewer, pool):
    draw = torch.Generator().manual_seed(3)
    weight, bias = (torch.randn(s, generator=draw).double() for s in ((5, 4, 3, 3), (5,)))
    x = torch.randn((1, 4, 10, 16), generator=draw).double().requires_grad_()
    kernel = winograd.transformed(weight) if fewer else None
    ours = conv_relu(x, weight, bias, "replicate", pool=pool, kernel=kernel, wrap=wrap)
    wide = x
    for closes, pads in zip(wrap, ((0, 0, 1, 1), (1, 1, 0, 0)), strict=True):
        wide = F.pad(wide, pads, mode="circular" if closes else "replicate")
    theirs = F.relu(F.conv2d(wide, weight, bias))
    theirs = F.max_pool2d(theirs, 2) if pool else theirs
    assert torch.allclose(ours, theirs, atol=1e-10)
    by = torch.randn(theirs.shape, generator=draw).double()
    (g,), (h,) = (torch.autograd.grad(y, x, by) for y in (ours, theirs))
    assert torch.allclose(g, h, atol=1e-10)


@pytest.mark.parametrize("function", [finest_band, lambda x, w: tv_values(x, w)[None, None]])
@pytest.mark.parametrize("wrap", WRAPS)
def test_the_finest_band_and_total_variation_see_it_too(function, wrap):
    image = torch.rand(1, 3, 12, 9, dtype=torch.float64)
    expected = middle(function(laid(image, wrap), (False, False)), (12, 9), wrap)
    assert torch.allclose(function(image, wrap), expected, atol=1e-12)
    small = image[..., :5, :4].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: function(x, wrap), (small,))


# --- the loss -------------------------------------------------------------------------------------

SIZE = (96, 160)


def objective(net, wrap, shift=(0, 0), **more) -> tuple[PaintObjective, torch.Tensor]:
    """The loss of a fixed photo, pushed around by ``shift``, and a picture pushed as far."""
    generator = torch.Generator().manual_seed(1)
    draw = {"generator": generator, "dtype": torch.float64}
    content, image = (torch.rand(1, 3, *SIZE, **draw) for _ in range(2))
    style = torch.rand(1, 3, 100, 210, **draw) ** 2
    masks = [torch.rand(SIZE, **draw) for _ in range(3)]
    content, image = (torch.roll(t, shift, (-2, -1)) for t in (content, image))
    alpha, region, hold = (torch.roll(t, shift, (0, 1)) for t in masks)
    styles = [StyleTarget(style, region=region), StyleTarget(1 - style, region=1 - region)]
    args = net, FAST, CovarianceLoss(), content, styles, alpha
    return PaintObjective(*args, hold=hold, wrap=wrap, **more), image


def trunk(net=None) -> Trunk:
    return Trunk(net or thin(LAYERS), CPU, Precision(torch.float64))


@pytest.mark.parametrize("wrap", WRAPS)
def test_a_picture_that_is_pushed_around_has_the_same_loss_and_gradient(wrap):
    """There is no edge where one could be felt; along the other axis there is."""
    shift = tuple(48 if closes else 0 for closes in wrap)
    (there, image), (here, pushed) = (objective(trunk(), wrap, s) for s in ((0, 0), shift))
    loss, gradient = there(image)
    found, its_gradient = here(pushed)
    assert found == pytest.approx(loss, rel=1e-12)
    assert torch.allclose(its_gradient, torch.roll(gradient, shift, (-2, -1)), atol=1e-14)
    open_there, open_here = (objective(trunk(), (False, False), s)[0] for s in ((0, 0), shift))
    assert abs(open_here(pushed)[0] - open_there(image)[0]) > 1e-6


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("side", [32, 96, 128])
def test_tiles_are_the_whole(monkeypatch, wrap, side):
    monkeypatch.setattr(tiling, "DEEP", 1000)  # no layer gets less than it can reach
    whole, image = objective(trunk(), wrap)
    tiled, _ = objective(trunk(), wrap, side=side)
    assert len(whole.tiles) == 1 and len(tiled.tiles) > 1
    same(whole, tiled, image, 1e-12)


def test_somebody_elses_network_looks_around_with_a_margin(monkeypatch):
    monkeypatch.setattr(tiling, "DEEP", 1000)
    net = thin(LAYERS)
    net.closes = False
    around, image = objective(trunk(net), (True, True))
    assert len(around.tiles) == 1
    same(objective(trunk(), (True, True))[0], around, image, 1e-12)
    assert float(around.loss(image)) == pytest.approx(around(image)[0], rel=1e-12)
    net.geometry = {}
    with pytest.raises(EngineError, match="only as a whole"):
        objective(trunk(net), (True, True))


# --- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("size", [(32, 48), (23, 31), (96, 160), (149, 177)])
def test_resizing_is_that_of_a_picture_laid_side_by_side(wrap, size):
    image = resample.to_tensor(picture(64, 96).rgb).double()
    found = resample.resize(image, size, wrap)
    three = tuple(3 * n if closes else n for n, closes in zip(size, wrap, strict=True))
    expected = middle(resample.resize(laid(image, wrap), three), size, wrap)
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("wrap", WRAPS)
def test_the_way_to_the_full_size_is_too(wrap):
    small = resample.to_tensor(picture(32, 48, 1).rgb)
    content = resample.to_tensor(picture(90, 140, 2).rgb)
    found = resample.carry(small, content, None, wrap)
    expected = resample.carry(laid(small, wrap), laid(content, wrap))
    assert torch.allclose(found, middle(expected, (90, 140), wrap), atol=2e-5)


def test_finishing_touches_see_what_lies_beyond():
    from styleengine.plugins.bundled import sharpen

    rgb = picture(20, 30).rgb
    found = touched(rgb, rgb, [sharpen], (True, True))
    expected = sharpen(np.tile(rgb, (3, 3, 1)), rgb)[20:40, 30:60]
    np.testing.assert_allclose(found, expected, atol=1e-6)


# --- the photo ------------------------------------------------------------------------------------


def test_a_photo_loses_its_jumps_and_nothing_else():
    photo = picture(80, 112)
    assert seam(photo.rgb, 0) > 2 and seam(photo.rgb, 1) > 2
    found = closed(photo, (True, True))
    assert seam(found.rgb, 0) < 1.2 and seam(found.rgb, 1) < 1.2
    sideways = closed(photo, (False, True))
    assert seam(sideways.rgb, 1) < 1.2 and seam(sideways.rgb, 0) > 2
    inside = (slice(20, -20), slice(20, -20))
    edges = [np.diff(p.rgb[inside], axis=0) for p in (photo, found)]
    assert np.abs(edges[0] - edges[1]).mean() < 0.1 * np.abs(edges[0]).mean()
    # What closes already stays: the harmonic part of no jump is nothing.
    again = closed(found, (True, True))
    assert np.abs(again.rgb - found.rgb).mean() < 0.1 * np.abs(found.rgb - photo.rgb).mean()
    assert closed(photo, (False, False)) is photo


# --- the run --------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", ["sideways", "both"])
def test_a_painting_has_no_seam(engine, wrap):
    content = picture(92, 124, 3)
    work = job(content, size=0, iterations=24, features="draft", wrap=wrap)
    found = paint(engine, work).picture
    assert (found.height, found.width) == (92, 124)
    assert seam(found.rgb, 1) == pytest.approx(1, abs=0.25)
    assert (seam(found.rgb, 0) == pytest.approx(1, abs=0.25)) == (wrap == "both")


def test_the_notebooks_method_refuses(engine):
    work = job(picture(40, 50), preset="classic", wrap="both")
    with pytest.raises(EngineError, match="closes no edges"):
        paint(engine, work)


def test_scales_are_whole_strides_where_edges_meet():
    from styleengine.planning.plan import make_plan
    from styleengine.plugins.registry import load_plugins

    entry = load_plugins(()).extractor("draft")
    for wrap, both in (("sideways", False), ("both", True)):
        settings = Settings(wrap=wrap, features="draft")
        sizes = make_plan(settings, 1001, 747, entry).sizes
        assert all(w % 16 == 0 and (h % 16 == 0 or not both) for h, w in sizes), sizes
        assert sizes[-1] == (752 if both else 747, 1008)
