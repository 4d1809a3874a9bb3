"""The trunk: shapes, names and values, against NumPy and against torchvision's VGG19."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import nn
from torch.nn import functional as F

from styleengine.networks.convolution import replicate
from styleengine.networks.vgg import VGG19, calibration_image, layer_name, vgg19
from styleengine.protocol import EngineError
from styleengine.weights import store
from tests.helpers import drawn_weights

pytestmark = pytest.mark.usefixtures("plain_precision")

CHANNELS = {1: 64, 2: 128, 3: 256, 4: 512, 5: 512}
CONVOLUTIONS = {1: 2, 2: 2, 3: 4, 4: 4, 5: 4}
ALL = [f"relu{b}_{i}" for b, n in CONVOLUTIONS.items() for i in range(1, n + 1)]
# torchvision's VGG19 configuration "E": indices of the convolutions in `features`.
INDICES = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]


@pytest.fixture(scope="module")
def he():
    return drawn_weights()


def load(trunk: VGG19, he: store.Weights) -> VGG19:
    trunk.load_state_dict({k: he.tensors[k] for k in trunk.state_dict()})
    return trunk


# --- structure ------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_shapes_are_halved_from_block_to_block_and_rounded_down(pooling):
    found = VGG19(ALL, pooling)(torch.zeros(1, 3, 37, 50))
    assert list(found) == ALL
    for name, f in found.items():
        block = int(name[4])
        shrink = 2 ** (block - 1)
        assert tuple(f.shape) == (1, CHANNELS[block], 37 // shrink, 50 // shrink)


def test_state_dict_has_torchvisions_keys():
    expected = [f"features.{i}.{kind}" for i in INDICES for kind in ("weight", "bias")]
    assert list(VGG19(["relu5_4"]).state_dict()) == expected


@pytest.mark.parametrize(
    ("layers", "convolutions"),
    [(["relu1_1"], 1), (["conv1_1"], 1), (["relu3_1"], 5), (["relu4_2", "relu1_1"], 10)],
)
def test_it_ends_with_the_last_layer_asked_for(layers, convolutions):
    trunk = VGG19(layers)
    kinds = [type(m) for m in trunk.features]
    assert kinds.count(nn.Conv2d) == convolutions
    assert kinds[-1] in (nn.ReLU, nn.Conv2d)
    assert set(trunk(torch.zeros(1, 3, 16, 16))) == set(layers)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("relu4_2", "relu4_2"),
        ("conv4_2", "conv4_2"),
        ("block4_conv2", "relu4_2"),
        (" Block5_Conv4 ", "relu5_4"),
        ("RELU1_1", "relu1_1"),
    ],
)
def test_names_and_aliases(given, name):
    assert layer_name(given) == name
    assert list(VGG19([given])(torch.zeros(1, 3, 16, 16))) == [name]


@pytest.mark.parametrize(
    "name",
    ["relu6_1", "relu0_1", "relu1_3", "relu4_0", "relu4_5", "pool1", "", "relu12_1", "xrelu1_1"],
)
def test_unknown_layers_are_named(name):
    with pytest.raises(EngineError) as caught:
        VGG19([name])
    assert caught.value.code == "bad-layer"
    assert repr(name) in caught.value.message


def test_it_is_frozen_and_lets_gradients_through_to_the_picture_only(he):
    trunk = load(VGG19(["relu2_1"]), he)
    assert not trunk.training
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    trunk(image)["relu2_1"].square().sum().backward()
    assert float(image.grad.abs().min()) > 0
    assert all(not p.requires_grad and p.grad is None for p in trunk.parameters())


# Rounding may turn a ReLU or a maximum that is nearly a tie, and with it the share of one position
# in the gradient: in float32 one of some ten thousand, a hundredth of the norm; in float64 none.
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-10), (torch.float32, 0.03)])
@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("layers", [("relu1_1", "relu2_1", "relu3_2"), ("conv2_1", "relu2_1")])
def test_its_gradient_is_that_of_plain_modules(he, layers, pooling, dtype, bound):
    """Also where a loss leaves its gradient in another memory layout."""
    trunk = load(VGG19(layers, pooling), he).to(dtype)
    image = torch.rand(1, 3, 22, 18, generator=torch.Generator().manual_seed(1)).to(dtype)
    found = {}

    def plain(x):
        """The trunk's own modules, one after the other, in float64."""
        maps = {}
        for index, module in enumerate(trunk.features):
            if isinstance(module, nn.Conv2d):
                x = F.pad(x, (1, 1, 1, 1), mode="constant" if index else "replicate")
                x = F.conv2d(x, module.weight.double(), module.bias.double())
            else:
                x = F.relu(x) if isinstance(module, nn.ReLU) else module(x)
            maps[trunk._at.get(index)] = x
        return maps

    for name, net, x in (("ours", trunk, image), ("plain", plain, image.double())):
        x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
        maps = net(x)
        # the transposed copy gives the map a gradient of the other layout
        loss = sum((k + 1.0) * maps[n].transpose(2, 3).contiguous().square().mean()
                   for k, n in enumerate(layers))  # fmt: skip
        found[name] = torch.autograd.grad(loss, x)[0]
    error = (found["ours"] - found["plain"]).norm() / found["plain"].norm()
    assert float(error) < bound


# --- values ---------------------------------------------------------------------------------------


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, mode: str) -> np.ndarray:
    """A 3×3 cross-correlation of (C, H, W) in float64."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode=mode)
    windows = sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.einsum("chwij,ocij->ohw", windows, weight) + bias[:, None, None]


def pool(x: np.ndarray, how) -> np.ndarray:
    c, h, w = x.shape
    return how(x[:, : h // 2 * 2, : w // 2 * 2].reshape(c, h // 2, 2, w // 2, 2), axis=(2, 4))


@pytest.mark.parametrize(("pooling", "how"), [("max", np.max), ("average", np.mean)])
def test_first_layers_equal_a_float64_convolution(he, pooling, how):
    taps = ["conv1_1", "relu1_1", "conv1_2", "relu1_2", "conv2_1", "relu2_1"]
    image = np.random.default_rng(0).random((3, 9, 11))
    found = load(VGG19(taps, pooling), he).double()(torch.from_numpy(image[None]))

    w = {k: t.double().numpy() for k, t in he.tensors.items()}
    expected = {}
    x, mode = image, "edge"
    for name, key in (("1_1", "features.0"), ("1_2", "features.2"), ("2_1", "features.5")):
        if name == "2_1":
            x = pool(x, how)
        x = expected[f"conv{name}"] = convolve(x, w[f"{key}.weight"], w[f"{key}.bias"], mode)
        x = expected[f"relu{name}"] = np.maximum(x, 0)
        mode = "constant"
    assert expected["conv2_1"].min() < 0
    for name in taps:
        assert found[name].shape[1:] == expected[name].shape
        np.testing.assert_allclose(found[name][0].numpy(), expected[name], rtol=1e-9, atol=1e-11)


def test_the_frame_of_the_picture_leaves_no_trace_in_conv1_1(he):
    # What is added up is the same everywhere; in which order hangs on the processor.
    flat = load(VGG19(["conv1_1"]), he).double()(torch.full((1, 3, 12, 10), 0.7).double())
    middle = flat["conv1_1"][..., 5:6, 5:6]
    torch.testing.assert_close(flat["conv1_1"], middle.expand(-1, -1, 12, 10), rtol=0, atol=1e-12)


def test_every_layer_equals_torchvisions(he):
    try:
        from torchvision.models import vgg19 as torchvision_vgg19
    except Exception as error:
        pytest.skip(f"torchvision cannot be imported here: {error}")
    theirs = torchvision_vgg19(weights=None).features.eval().double()
    theirs.load_state_dict({k.removeprefix("features."): t for k, t in he.tensors.items()})
    theirs[0].padding_mode = "replicate"
    taps = [n for relu in ALL for n in (relu.replace("relu", "conv"), relu)]
    # In float64: sixteen layers of rounding would hang on how each is computed.
    image = torch.rand(1, 3, 48, 40, generator=torch.Generator().manual_seed(0)).double()
    found = load(VGG19(taps), he).double()(image)
    x, expected = image, []
    with torch.no_grad():
        for module in theirs:
            x = module(x)
            if not isinstance(module, nn.MaxPool2d):
                expected.append(x.clone())  # its ReLU works in place
    assert len(expected) == len(taps) == 32
    assert float(expected[-1].std()) > 0.1  # or nothing would be compared
    for name, value in zip(taps, expected, strict=True):
        torch.testing.assert_close(found[name], value, msg=name)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 3)])
def test_replicate_is_replication_padding_with_its_gradient(size):
    image = torch.rand(2, 3, *size, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(2, 3, size[0] + 2, size[1] + 2, dtype=torch.float64)
    ours, theirs = replicate(image), F.pad(image, (1, 1, 1, 1), mode="replicate")
    assert torch.equal(ours, theirs)
    (a,) = torch.autograd.grad((ours.sin() * weight).sum(), image)
    (b,) = torch.autograd.grad((theirs.sin() * weight).sum(), image)
    torch.testing.assert_close(a, b)


# --- units ----------------------------------------------------------------------------------------


def test_units_are_the_mean_activations_on_the_calibration_picture(he):
    trunk = vgg19(["relu1_1", "conv2_1", "relu3_1"], he)
    found = load(VGG19(["relu1_1", "conv2_1", "relu3_1"]), he)(calibration_image())
    assert trunk.units.keys() == found.keys()
    for name, f in found.items():
        assert trunk.units[name] == pytest.approx(np.abs(f.numpy()).mean(dtype=np.float64), 1e-4)
    # The units follow the scale of the weights, so that a recipe need not.
    doubled = {k: t * (2 if k.startswith("features.0.") else 1) for k, t in he.tensors.items()}
    twice = vgg19(["relu1_1"], store.Weights(doubled, "x"))
    assert twice.units["relu1_1"] == pytest.approx(2 * trunk.units["relu1_1"], 1e-4)


def test_dead_layers_do_not_divide_by_zero(he):
    nothing = {k: torch.zeros_like(t) for k, t in he.tensors.items()}
    assert vgg19(["relu1_1"], store.Weights(nothing, "x")).units["relu1_1"] > 0


def test_the_calibration_picture_is_fixed_and_looks_like_a_photo():
    image = calibration_image()
    assert torch.equal(image, calibration_image())
    assert image.shape == (1, 3, 128, 128)
    assert float(image.min()) >= 0 and float(image.max()) <= 1
    assert 0.3 < float(image.mean()) < 0.6
    gray = image[0].mean(0).double().numpy()
    power = np.abs(np.fft.fft2(gray - gray.mean())) ** 2
    f = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)[None, :]) * 128
    rings = [power[(f >= r) & (f < 2 * r)].mean() for r in (2, 4, 8, 16)]
    slope = np.polyfit(np.log2([2, 4, 8, 16]), np.log2(rings), 1)[0]
    assert -2.6 < slope < -1.4  # amplitude 1/f: power 1/f²


def test_the_given_weights_are_left_alone(he):
    before = {k: t.clone() for k, t in he.tensors.items()}
    trunk = vgg19(["relu2_1"], he)
    assert trunk.source == "given"
    assert all(torch.equal(t, he.tensors[k]) for k, t in before.items())
    assert torch.equal(trunk.features[0].weight, before["features.0.weight"])
