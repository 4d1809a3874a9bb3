"""Convolutions of whole numbers against the same network in floating point."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch.nn import functional as F

from styleengine.networks import integer_chain, integers
from styleengine.networks.convolution import folded
from styleengine.networks.extractor import OPEN
from styleengine.networks.trunk import CPU, Precision, Trunk
from styleengine.networks.vgg import VGG19

pytestmark = [
    pytest.mark.usefixtures("plain_precision"),
    pytest.mark.skipif(not integers.available(), reason="no exact whole numbers on this processor"),
]

PLAIN, WHOLE = Precision(channels_last=True), Precision(channels_last=True, integers=True)
BLOCKS = ((16, 16), (32, 32), (32, 32))
LAYERS = ("relu1_1", "relu2_1", "relu2_2", "relu3_1", "relu3_2")
LAST = torch.channels_last


def numbers(*shape, seed=0, most=127):
    draw = torch.Generator().manual_seed(seed)
    found = torch.randint(-most, most + 1, shape, generator=draw, dtype=torch.int8)
    return found.contiguous(memory_format=LAST)


@pytest.fixture(scope="module")
def trunks():
    torch.manual_seed(5)
    nets = {}
    for replicated in (True, False):
        net = VGG19(LAYERS, blocks=BLOCKS, replicated=replicated)
        # Means and variances of the maps stay, as in a trained network (He et al. 2015).
        for p in net.parameters():
            p.mul_((2 / p[0].numel()) ** 0.5 / p.std()) if p.dim() == 4 else p.zero_()
        nets[replicated] = Trunk(copy.deepcopy(net), CPU, PLAIN), Trunk(net, CPU, WHOLE)
    return nets


def looked(trunk, image, layers=LAYERS, factor=1.0):
    """Maps, and the gradient of a loss of theirs."""
    x = image.clone().requires_grad_()
    found = trunk.only(layers)(x)
    loss = factor * sum((f.float() - 1).square().mean() for f in found.values())
    return {n: f.detach() for n, f in found.items()}, torch.autograd.grad(loss, x)[0]


def apart(a, b):
    return float((a - b).norm() / b.norm())


def test_sums_are_exact():
    draw = torch.Generator().manual_seed(1)
    weight = torch.randn(24, 32, 3, 3, generator=draw)
    x = torch.randint(0, 256, (1, 32, 9, 14), generator=draw, dtype=torch.uint8)
    kernel = integers.Kernel(weight, torch.zeros(24))
    found = kernel.floats(x.contiguous(memory_format=LAST), 0.5, torch.float32)
    units = weight.abs().amax((1, 2, 3), keepdim=True) / 127
    exact = F.relu(F.conv2d(x.double(), (weight / units).round().double()))
    assert torch.allclose(found.double(), 0.5 * units.flatten()[:, None, None] * exact, rtol=1e-5)


@pytest.mark.parametrize("replicated", [True, False])
@pytest.mark.parametrize("layers", [LAYERS, ("relu1_1", "relu3_1"), ("relu3_2",)])
def test_maps_and_gradient_are_nearly_those_of_floating_point(trunks, replicated, layers):
    plain, whole = trunks[replicated]
    image = torch.rand(1, 3, 37, 50, generator=torch.Generator().manual_seed(2))
    (maps, gradient), (ours, our_gradient) = (looked(t, image, layers) for t in (plain, whole))
    assert list(ours) == list(maps)
    for name in maps:
        assert ours[name].shape == maps[name].shape
        assert apart(ours[name], maps[name]) < 0.05
    assert apart(our_gradient, gradient) < 0.3


def test_a_picture_that_closes_is_looked_at_as_one(trunks):
    plain, whole = (t.closed((False, True)) for t in trunks[True])
    image = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(3))
    for turned in (image, image.roll(16, -1)):
        (_, gradient), (_, ours) = looked(plain, turned), looked(whole, turned)
        assert apart(ours, gradient) < 0.3


def test_a_gradient_far_larger_than_the_last_is_not_cut_off(trunks):
    whole = trunks[True][1].only(LAYERS)
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    x = image.requires_grad_()

    def gradient(factor, image=x):
        loss = factor * sum((f - 1).square().mean() for f in whole(image).values())
        return torch.autograd.grad(loss, x)[0]

    first = gradient(1.0)
    for factor in (1000.0, 1e-3):  # and one that is far smaller does not vanish
        assert apart(gradient(factor) / factor, first) < 0.3
    for factor, shown in ((math.nan, x), (1.0, x * math.nan)):
        assert not torch.isfinite(gradient(factor, shown)).all()  # so that the minimiser knows
        assert apart(gradient(1.0), first) < 0.3


def test_what_was_seen_before_does_not_matter_afresh(trunks):
    whole = trunks[True][1]
    image = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(6))
    _, first = looked(whole, image)
    looked(whole, 0.1 * image, factor=100.0)
    _, again = looked(whole, image)
    assert torch.equal(first, again)


@pytest.mark.parametrize("shape", [(1, 16, 6, 8), (2, 8, 7, 5)])
def test_of_equal_maxima_the_first_gets_the_gradient(shape):
    y = numbers(*shape, most=2).clamp_min(0).view(torch.uint8)  # with many ties, and zeros
    top = integer_chain._maxima(y)
    exact = y.double().requires_grad_()
    pooled = F.max_pool2d(F.relu(exact), 2)
    assert torch.equal(top.double(), pooled)
    g = numbers(*top.shape, seed=1)
    (wanted,) = torch.autograd.grad(pooled, exact, g.double())
    assert torch.equal(integer_chain._unpooled(g, y, top).double(), wanted * (y > 0))


@pytest.mark.parametrize("wrap", [OPEN, (True, False), (True, True)])
def test_ends_are_folded_as_those_of_floats(wrap):
    g = numbers(1, 16, 8, 9, most=30)
    floats = folded(folded(g.double(), -1, wrap[1]), -2, wrap[0])
    ours, largest = integer_chain._folded_whole(g, wrap)
    assert torch.equal(ours.double(), floats)
    assert largest >= int(floats.abs().max())
    _, largest = integer_chain._folded_whole(numbers(1, 16, 8, 9).clamp_min(100), wrap)
    assert largest >= integers.MOST  # a sum had no room
