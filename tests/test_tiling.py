"""Tiles give the loss and gradient of the whole picture, whatever its shape and the loss."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from styleengine.loss.classic import ClassicObjective
from styleengine.loss.painting import PaintObjective
from styleengine.loss.style_losses import CovarianceLoss, GramLoss, GramMomentsLoss, StyleLoss
from styleengine.networks.extractor import Geometry
from styleengine.networks.vgg import VGG19
from styleengine.planning import tiling
from styleengine.planning.recipes import CLASSIC, FAST, at_scale
from styleengine.protocol import EngineError
from styleengine.scene.style_pictures import StyleTarget
from styleengine.weights.store import resolve
from tests.helpers import pretrained, shared_picture

pytestmark = pytest.mark.usefixtures("plain_precision")

LAYERS = (*FAST.style_layers, FAST.content_layer)
LOSSES = {"gram": GramLoss, "gram-moments": GramMomentsLoss, "covariance": CovarianceLoss}


@pytest.fixture(autouse=True)
def seeded():
    """The same pictures each time."""
    torch.manual_seed(0)


# --- geometry -------------------------------------------------------------------------------------


def test_many_spans_look_at_as_much_so_that_what_one_frees_fits_the_next():
    spans = tiling.spans(6000, 448, 32, 16)
    assert len({s.after - s.before for s in spans}) == 1
    ragged = tiling.spans(4002, 448, 32, 16)
    assert len({s.after - s.before for s in ragged[:-1]}) == 1 and ragged[-1].after == 4002
    assert 0 <= ragged[-1].after - ragged[-1].before - (ragged[0].after) < 16
    few = tiling.spans(1000, 512, 128, 16)  # where it would cost a third of the work
    assert [(s.before, s.after) for s in few] == [(0, 624), (368, 1000)]


@pytest.mark.parametrize("size", [(64, 64), (65, 200), (333, 517), (48, 1000), (1000, 48), (7, 9)])
@pytest.mark.parametrize("side", [16, 100, 160, 4096])
def test_tiles_cover_every_pixel_once_and_begin_on_the_grid(size, side):
    tiles = tiling.grid(size, side, 32, 16)
    count = torch.zeros(size)
    for tile in tiles:
        tile.inner(count).add_(1)
        for span, length in ((tile.rows, size[0]), (tile.columns, size[1])):
            assert span.before % 16 == span.start % 16 == 0
            assert span.before <= max(0, span.start - 32)
            assert min(length, span.stop + 32) <= span.after <= length
            assert span.stop - span.start <= max(16, -(-side // 16) * 16) + 16
    assert torch.equal(count, torch.ones(size))
    for length in size:
        spans = tiling.spans(length, side, 32, 16)
        least = [(max(0, s.start - 32), min(length, s.stop + 32)) for s in spans]
        if [(s.before, s.after) for s in spans] != least:  # then they look at as much, nearly
            looked_at = [s.after - s.before for s in spans]
            assert max(looked_at) - min(looked_at) < 16
            assert sum(looked_at) < tiling.LEEWAY * sum(b - a for a, b in least) + 16


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("size", [(333, 517), (70, 49)])
def test_a_mosaic_of_the_tiles_maps_is_the_whole_map(size, stride):
    h, w = (n // stride for n in size)
    whole = torch.arange(h * w, dtype=torch.float32).view(1, h, w)
    mosaic = tiling.Mosaic()
    for tile in tiling.grid(size, 96, 32, 16):
        seen = tile.seen(whole, stride)
        mosaic.put(tile, tile.covered(seen, stride))
    assert torch.equal(mosaic.whole(), whole)


def thin(layers, dtype=torch.float64, pooling="max") -> VGG19:
    """VGG19 with one channel in sixteen and random weights."""
    net = VGG19(layers, pooling, replicated=True)
    rng = np.random.default_rng(3)
    inputs = 3
    for module in net.features:
        if isinstance(module, torch.nn.Conv2d):
            outputs = module.out_channels // 16
            scale = (2 / (9 * inputs)) ** 0.5
            drawn = rng.standard_normal((outputs, inputs, 3, 3)) * scale
            module.weight = torch.nn.Parameter(torch.from_numpy(drawn).to(dtype), False)
            module.bias = torch.nn.Parameter(torch.zeros(outputs, dtype=dtype), False)
            inputs = outputs
    return net


@pytest.mark.parametrize("layer", [*LAYERS, "relu5_2"])
def test_a_layers_reach_is_what_the_network_says(layer):
    """The gradient of one position ends exactly where `Geometry` says."""
    net = thin([layer], pooling="average")  # in a maximum only one of four pixels would show
    for module in net.features:
        if isinstance(module, torch.nn.Conv2d):
            module.weight.abs_()  # so that no path to a pixel is cut off by a ReLU
    geometry = net.geometry[layer]
    image = torch.rand(1, 3, 400, 400, dtype=torch.float64).requires_grad_()
    found = net(image)[layer]
    at = 192 // geometry.stride
    (gradient,) = torch.autograd.grad(found[0, :, at, at].sum(), image)
    rows = torch.nonzero(gradient.abs().sum((0, 1, 3))).flatten().tolist()
    assert rows[0] == geometry.stride * at - geometry.radius
    assert rows[-1] == geometry.stride * (at + 1) - 1 + geometry.radius


def test_margins_are_multiples_of_the_alignment_and_never_too_small_for_shallow_layers():
    geometry = thin(LAYERS).geometry
    assert tiling.margin([geometry["relu1_1"]]) == geometry["relu1_1"].margin == 2
    shallow = [geometry[n] for n in ("relu1_1", "relu2_1", "relu3_1")]
    assert tiling.alignment(shallow) == 4
    assert tiling.margin(shallow) == tiling.margin(shallow, exact=True) == 24
    assert tiling.margin(geometry.values(), exact=True) == 160
    assert tiling.margin(geometry.values()) == 128
    assert tiling.margin([Geometry(8, 38)], exact=True) == 80


# --- equality -------------------------------------------------------------------------------------

SHAPES = {
    "odd": (237, 331),
    "smaller than a tile": (70, 90),
    "wide strip": (45, 700),
    "high strip": (700, 33),
}


def same(whole, tiled, image, tolerance: float, turned: float = 0.0) -> None:
    """``turned`` is what ReLUs and maxima that rounding turns add to the gradient's error."""
    loss, gradient = whole(image)
    found, its_gradient = tiled(image)
    assert found == pytest.approx(loss, rel=tolerance)
    assert float((its_gradient - gradient).norm() / gradient.norm()) < tolerance + turned


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", LOSSES)
def test_in_float64_and_at_the_exact_margin_tiles_are_the_whole(monkeypatch, shape, kind):
    monkeypatch.setattr(tiling, "DEEP", 1000)  # no layer gets less than it can reach
    size = SHAPES[shape]
    generator = torch.Generator().manual_seed(1)
    draw = {"generator": generator, "dtype": torch.float64}
    content, image = (torch.rand(1, 3, *size, **draw) for _ in range(2))
    style = torch.rand(1, 3, 100, 210, **draw) ** 2
    alpha, region, hold = (torch.rand(size, **draw) for _ in range(3))
    net = thin(LAYERS)
    styles = [StyleTarget(style, region=region), StyleTarget(1 - style, region=1 - region)]
    args = net, FAST, LOSSES[kind](), content, styles, alpha
    whole = PaintObjective(*args, hold=hold)
    tiled = PaintObjective(*args, side=96, hold=hold)
    assert len(whole.tiles) == 1
    assert (len(tiled.tiles) > 1) == (max(size) > 96)
    same(whole, tiled, image, 1e-12)


def test_where_all_masks_are_black_tiles_are_the_whole(monkeypatch):
    monkeypatch.setattr(tiling, "DEEP", 1000)
    content, style, image = (torch.rand(1, 3, 150, 180, dtype=torch.float64) for _ in range(3))
    nowhere = StyleTarget(style, region=torch.zeros(150, 180, dtype=torch.float64))
    args = thin(LAYERS), FAST, GramLoss(), content, [nowhere]
    tiled = PaintObjective(*args, side=64)
    assert len(tiled.tiles) > 1
    same(PaintObjective(*args), tiled, image, 1e-12)


def test_the_notebooks_loss_can_be_tiled_too(monkeypatch):
    monkeypatch.setattr(tiling, "DEEP", 1000)
    net = thin((*CLASSIC.style_layers, CLASSIC.content_layer))
    content, style, image = (torch.rand(1, 3, 237, 331, dtype=torch.float64) for _ in range(3))
    whole = ClassicObjective(net, CLASSIC, content, style)
    tiled = ClassicObjective(net, CLASSIC, content, style, side=96)
    assert len(tiled.tiles) == 12
    same(whole, tiled, image, 1e-12)


@pytest.mark.parametrize("long_side", [1024, 4096])
def test_with_the_real_network_in_float32_the_difference_is_rounding(long_side):
    weights = resolve(pretrained())
    from styleengine.networks.vgg import vgg19

    recipe = at_scale(FAST, long_side)
    net = vgg19((*recipe.style_layers, recipe.content_layer), weights)
    content = shared_picture("content/tubingen.jpg", (333, 517))
    style = shared_picture("style/starry_night_google.jpg", (320, 400))
    image = 0.7 * content + 0.3 * torch.rand(content.shape)
    args = net, recipe, CovarianceLoss(), content, [StyleTarget(style)]
    # Where a processor adds up a tile in another order than the whole, values differ by some 3e-7
    # of their spread: as large a share of all units is so near a tie that it turns, and the norm
    # of their gradient is the root of that.
    turned = (10 * 3e-7) ** 0.5
    same(PaintObjective(*args), PaintObjective(*args, side=160), image, 1e-5, turned)


def test_a_margin_that_is_too_small_would_show():
    """The bound of the exact margin is not far too large: a stride less is felt."""
    net = thin(("relu1_1", "relu3_1"))
    content, style, image = (torch.rand(1, 3, 120, 160, dtype=torch.float64) for _ in range(3))
    recipe = dataclasses.replace(
        FAST,
        style_layers={"relu1_1": 1.0, "relu3_1": 1.0},
        content_layer="relu3_1",
        near_layers={},
    )
    args = net, recipe, GramLoss(), content, [StyleTarget(style)]
    whole, tiled = PaintObjective(*args), PaintObjective(*args, side=48)
    _, gradient = whole(image)
    tiled.tiles = tiling.grid((120, 160), 48, 8, 4)
    _, found = tiled(image)
    assert float((found - gradient).norm() / gradient.norm()) > 1e-4


# --- other people's losses and networks -----------------------------------------------------------


class Sums:
    """Third-party statistics that add up: a plain tensor with the count in a corner."""

    additive = True

    def statistics(self, features, weight=None):
        flat = features.flatten(1)
        w = torch.ones_like(flat[0]) if weight is None else weight.flatten()
        ones = torch.cat([flat, torch.ones_like(flat[:1])])
        return (ones * w) @ ones.T

    def distance(self, ours, target):
        return (ours / ours[-1, -1] - target / target[-1, -1]).square().mean()


class Whole(Sums):
    """The same by somebody who needs the picture in one piece."""

    additive = False


def objective(loss: StyleLoss, net=None, **kwargs) -> PaintObjective:
    content = torch.rand(1, 3, 150, 180, dtype=torch.float64)
    styles = [StyleTarget(torch.rand(1, 3, 64, 64, dtype=torch.float64))]
    return PaintObjective(net or thin(LAYERS), FAST, loss, content, styles, **kwargs)


def test_a_third_partys_additive_loss_is_tiled(monkeypatch):
    monkeypatch.setattr(tiling, "DEEP", 1000)
    torch.manual_seed(2)
    whole = objective(Sums(), alpha=torch.rand(150, 180, dtype=torch.float64))
    torch.manual_seed(2)
    tiled = objective(Sums(), alpha=torch.rand(150, 180, dtype=torch.float64), side=64)
    same(whole, tiled, torch.rand(1, 3, 150, 180, dtype=torch.float64), 1e-12)


def test_what_cannot_be_tiled_says_so():
    blind = thin(LAYERS)
    blind.geometry = {}
    for loss, net, word in ((Whole(), None, "style loss"), (Sums(), blind, "features")):
        assert len(objective(loss, net).tiles) == 1
        with pytest.raises(EngineError) as caught:
            objective(loss, net, side=64)
        assert caught.value.code == "cannot-tile"
        assert word in caught.value.message and "180×150" in caught.value.message


# --- half precision and changing tiles ------------------------------------------------------------


def test_a_float16_gradient_is_the_gradient_times_the_pixels():
    torch.manual_seed(0)
    found = objective(CovarianceLoss(), side=64)
    image = torch.rand(1, 3, 150, 180, dtype=torch.float64)
    loss, gradient = found(image)
    same_loss, half = found(image, torch.float16)
    assert same_loss == loss and half.dtype == torch.float16
    expected = gradient * 150 * 180
    assert 1e-3 < float(expected.abs().max()) < 1e4  # well within float16
    torch.testing.assert_close(half.double(), expected, rtol=1e-3, atol=1e-5)


def test_tiles_may_change_in_the_middle_of_a_run():
    torch.manual_seed(0)
    found = objective(CovarianceLoss(), side=96)
    image = torch.rand(1, 3, 150, 180, dtype=torch.float64)
    loss, gradient = found(image)
    count = len(found.tiles)
    found.side = 64
    assert len(found.tiles) > count
    other, other_gradient = found(image)
    assert other == pytest.approx(loss, rel=1e-8)
    assert float((other_gradient - gradient).norm() / gradient.norm()) < 1e-4  # tight margins


def test_an_evaluation_tells_how_much_of_it_is_done():
    found = objective(GramLoss(), side=64)
    shares = list(found.evaluate(torch.rand(1, 3, 150, 180, dtype=torch.float64)))
    assert len(shares) == 2 * len(found.tiles)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)
