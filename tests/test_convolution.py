"""The fused convolution against PyTorch's own modules in float64, gradients included."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from styleengine.networks import onednn, winograd
from styleengine.networks.convolution import conv_relu, replicate
from styleengine.networks.onednn import Packing


def plain(x, weight, bias, border, *, pool=False):
    modes = {"zeros": "constant", "replicate": "replicate"}
    y = F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode=modes[border]), weight, bias))
    return F.max_pool2d(y, 2) if pool else y


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("border", ["zeros", "replicate"])
@pytest.mark.parametrize("shape", [(1, 3, 9, 12), (2, 4, 4, 5), (1, 3, 3, 11), (1, 2, 5, 3)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_map_and_gradient_are_those_of_the_modules(border, shape, layout, pool):
    draw = torch.Generator().manual_seed(3)
    channels = shape[1]
    weight, bias = (torch.randn(s, generator=draw).double() for s in ((5, channels, 3, 3), (5,)))
    x = torch.randn(shape, generator=draw).double().contiguous(memory_format=layout)
    x.requires_grad_()
    ours, theirs = (f(x, weight, bias, border, pool=pool) for f in (conv_relu, plain))
    assert ours.shape == theirs.shape
    assert torch.allclose(ours, theirs, atol=1e-12)
    by = torch.randn(theirs.shape, generator=draw).double()
    (g,), (h,) = (torch.autograd.grad(y, x, by) for y in (ours, theirs))
    assert torch.allclose(g, h, atol=1e-12)


@pytest.mark.parametrize("strip", [1, 10**9])
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("border", ["zeros", "replicate"])
@pytest.mark.parametrize("shape", [(1, 3, 9, 14), (2, 4, 16, 8), (1, 6, 4, 23), (1, 2, 2, 3)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_fewer_products_make_the_same_map_and_gradient(
    border, shape, layout, pool, strip, monkeypatch
):
    monkeypatch.setattr(winograd, "STRIP_BYTES", strip)  # a row of tiles at a time, or all at once
    draw = torch.Generator().manual_seed(4)
    channels = shape[1]
    weight, bias = (torch.randn(s, generator=draw).double() for s in ((5, channels, 3, 3), (5,)))
    kernel = winograd.transformed(weight)
    x = torch.randn(shape, generator=draw).double().contiguous(memory_format=layout)
    x.requires_grad_()
    ours = conv_relu(x, weight, bias, border, pool=pool, kernel=kernel)
    theirs = plain(x, weight, bias, border, pool=pool)
    assert ours.shape == theirs.shape
    assert torch.allclose(ours, theirs, atol=1e-12)
    by = torch.randn(theirs.shape, generator=draw).double()
    (g,), (h,) = (torch.autograd.grad(y, x, by) for y in (ours, theirs))
    assert torch.allclose(g, h, atol=1e-12)


def test_fewer_products_lose_little_in_float32():
    draw = torch.Generator().manual_seed(5)
    weight = torch.randn(128, 128, 3, 3, generator=draw) / 34
    x, none = torch.randn(1, 128, 20, 24, generator=draw).relu(), torch.zeros(128)
    ours = conv_relu(x, weight, none, kernel=winograd.transformed(weight)).double()
    exact = plain(x.double(), weight.double(), none.double(), "zeros")
    assert float((ours - exact).norm() / exact.norm()) < 1e-5


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 2)])
def test_even_a_single_row_is_continued(size):
    x = torch.rand(1, 2, *size, dtype=torch.float64)
    weight, bias = torch.ones(1, 2, 3, 3).double(), torch.zeros(1).double()
    ours = conv_relu(x, weight, bias, "replicate")
    assert torch.allclose(ours, plain(x, weight, bias, "replicate"))


def test_replication_repeats_corners_too():
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert torch.equal(replicate(x), F.pad(x, (1, 1, 1, 1), mode="replicate"))


@pytest.mark.skipif(
    not onednn.available("cpu", torch.float32), reason="PyTorch's convolution is not oneDNN's here"
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("border", ["zeros", "replicate"])
def test_packed_weights_serve_maps_of_any_size_and_are_packed_anew_for_others(border, pool, layout):
    draw = torch.Generator().manual_seed(6)
    weight, bias = torch.randn(24, 16, 3, 3, generator=draw), torch.randn(24, generator=draw)
    packing = Packing(weight)
    for number, size in enumerate([(20, 12), (20, 12), (20, 12), (9, 31), (20, 12), (20, 12)]):
        x = torch.randn(1, 16, *size, generator=draw).contiguous(memory_format=layout)
        x.requires_grad_()
        ours = conv_relu(x, weight, bias, border, pool=pool, packing=packing)
        wide = x.detach().double().requires_grad_()
        theirs = plain(wide, weight.double(), bias.double(), border, pool=pool)
        assert torch.allclose(ours.double(), theirs, atol=1e-4), number
        by = torch.randn(theirs.shape, generator=draw)
        (g,), (h,) = (
            torch.autograd.grad(ours, x, by),
            torch.autograd.grad(theirs, wide, by.double()),
        )
        assert torch.allclose(g.double(), h, atol=1e-3), number
        if number == 2:  # as by load_state_dict
            weight.mul_(-1)


@pytest.mark.skipif(
    not onednn.available("cpu", torch.float32), reason="PyTorch's convolution is not oneDNN's here"
)
def test_what_maps_were_seen_before_does_not_matter():
    draw = torch.Generator().manual_seed(7)
    weight, bias = torch.randn(16, 3, 3, 3, generator=draw), torch.randn(16, generator=draw)
    packing, found = Packing(weight), []
    images = [torch.randn(1, 3, 32, w, generator=draw) for w in (40, 24)]
    for image in (images[0], images[0], images[1], images[0]):
        x = image.contiguous(memory_format=torch.channels_last).requires_grad_()
        y = conv_relu(x, weight, bias, "replicate", packing=packing)
        found.append(torch.autograd.grad(y.square().sum(), x)[0])
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[3])
