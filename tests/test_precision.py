"""The choice of device and of precision."""

from __future__ import annotations

import copy
import json
import platform
import subprocess
import sys

import pytest
import torch
from torch import nn

from styleengine.machine import devices, folders
from styleengine.networks import integers, precision
from styleengine.networks.base import Network
from styleengine.networks.precision import (
    CANDIDATES,
    WRONG_DEVICE,
    _timed_gradient,
    choose_precision,
)
from styleengine.networks.trunk import PLAIN, Precision, Trunk
from styleengine.networks.vgg import VGG19
from styleengine.protocol import EngineError
from tests.helpers import environment

CPU = torch.device("cpu")
BFLOAT16 = Precision(torch.bfloat16, True)
WINOGRAD = Precision(channels_last=True, winograd=True)
INTEGERS = Precision(channels_last=True, integers=True)


class Net(Network):
    """A convolution; ``harm`` makes its gradient wrong in bfloat16."""

    def __init__(self, harm: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3).requires_grad_(False)
        self.units = {"a": 1.0}
        self.harm = harm
        self.seen: list[tuple[torch.dtype, bool]] = []

    def forward(self, image):
        self.seen.append((image.dtype, image.is_contiguous(memory_format=torch.channels_last)))
        if image.dtype == torch.bfloat16 and self.harm:
            return {"a": self.conv(image * (1 - self.harm) + self.harm * image.roll(3, -1))}
        return {"a": self.conv(image)}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, plain_precision):
    monkeypatch.setenv("STYLEENGINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def clock(monkeypatch):
    """Replaces the stop-watch by a table of seconds per precision."""
    seconds = {}
    gradient = _timed_gradient

    def timed(trunk, image):
        return gradient(trunk, image)[0], seconds[trunk.precision.name]

    monkeypatch.setattr(precision, "_timed_gradient", timed)
    monkeypatch.setattr(precision, "_has_bfloat16", lambda: True)
    return seconds


def test_the_processor_is_always_there():
    assert devices.available()[-1] == "cpu"
    assert devices.pick("cpu") == CPU
    assert str(devices.pick("auto")) == devices.available()[0]
    assert "CPU" in str(devices.describe("cpu"))


@pytest.mark.parametrize("name", ["tpu", "cuda:99", "", "CPU", "cpu:1", "cuda:x", "meta"])
def test_a_missing_device_is_named_with_those_at_hand(name):
    with pytest.raises(EngineError) as caught:
        devices.pick(name)
    assert caught.value.code == "no-device"
    assert repr(name) in caught.value.message
    assert "auto" in caught.value.hint and "cpu" in caught.value.hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer has a CUDA device")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(EngineError) as caught:
        devices.pick("cuda")
    assert caught.value.code == "no-device"


@pytest.mark.parametrize("precision", [PLAIN, Precision(channels_last=True), BFLOAT16])
def test_a_trunk_runs_in_its_precision_and_takes_float32(precision):
    net = Net()
    trunk = Trunk(net, CPU, precision)
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    found = trunk(image)["a"]
    assert found.dtype == precision.dtype
    assert net.seen[-1] == (precision.dtype, precision.channels_last)
    assert trunk.units == {"a": 1.0}
    (gradient,) = torch.autograd.grad(found.float().square().sum(), image)
    assert gradient.dtype == torch.float32
    x = image.detach().requires_grad_()
    (exact,) = torch.autograd.grad(Net()(x)["a"].square().sum(), x)
    assert float((gradient - exact).norm() / exact.norm()) < 0.03


def test_the_probe_takes_the_fastest_that_is_right(clock):
    clock.update({"float32": 1.0, "float32 channels-last": 0.7, "bfloat16 channels-last": 0.3})
    assert choose_precision(Net, CPU, "toy") == BFLOAT16


def test_the_probe_refuses_a_wrong_gradient_however_fast(clock):
    clock.update({"float32": 1.0, "float32 channels-last": 0.7, "bfloat16 channels-last": 0.01})
    assert choose_precision(lambda: Net(harm=0.5), CPU, "toy") == Precision(channels_last=True)


def test_the_probe_leaves_near_ties_to_the_more_exact(clock):
    clock.update({"float32": 1.0, "float32 channels-last": 0.95, "bfloat16 channels-last": 0.91})
    assert choose_precision(Net, CPU, "toy") == PLAIN


def test_fewer_products_are_taken_where_they_are_faster(clock):
    names = [PLAIN.name, *(c.name for c in CANDIDATES["cpu"])]
    clock.update(zip(names, (1.0, 0.95, 0.6, 9.0, 9.0, 9.0), strict=True))

    def make():
        torch.manual_seed(1)
        return VGG19(("relu2_1",))

    assert choose_precision(make, CPU, "toy") == WINOGRAD
    assert choose_precision(make, CPU, "toy") == WINOGRAD  # as remembered


@pytest.mark.skipif(not integers.available(), reason="no exact whole numbers on this processor")
@pytest.mark.parametrize(
    ("tolerance", "seconds", "chosen"),
    [(1.0, 0.3, INTEGERS), (1e-4, 0.3, WINOGRAD), (1.0, 0.45, WINOGRAD)],
)
def test_whole_numbers_are_taken_where_they_are_much_faster_and_good_enough(
    clock, tolerance, seconds, chosen
):
    names = [PLAIN.name, *(c.name for c in CANDIDATES["cpu"])]
    clock.update(zip(names, (1.0, 0.95, 0.6, 9.0, seconds, 9.0), strict=True))

    def make():
        torch.manual_seed(1)
        net = VGG19(("relu2_1",))
        net.integer_tolerance = tolerance
        return net

    assert choose_precision(make, CPU, "toy") == chosen


def test_whole_numbers_are_not_tried_where_sums_overflow(clock, monkeypatch):
    clock.update({"float32": 1.0, "float32 channels-last": 0.95, "bfloat16 channels-last": 9.0})
    clock["float32 channels-last Winograd"] = 0.6  # no seconds for another
    monkeypatch.setattr(integers, "available", lambda: False)

    def make():
        torch.manual_seed(1)
        return VGG19(("relu2_1",))

    assert choose_precision(make, CPU, "toy") == WINOGRAD


def test_the_network_with_fewer_products_is_the_same_network():
    torch.manual_seed(2)
    net = VGG19(("relu1_1", "relu2_2", "relu3_2"), replicated=True)
    image = torch.rand(1, 3, 37, 50, requires_grad=True)
    plain, fewer = Trunk(net, CPU, PLAIN), Trunk(copy.deepcopy(net), CPU, WINOGRAD)
    gradients = []
    for trunk in (plain, fewer):
        loss = sum(f.square().mean() for f in trunk(image).values())
        gradients.append(torch.autograd.grad(loss, image)[0])
    assert len(fewer._net._kernels) == 4  # all but the first two

    def apart(a, b):
        return float((a - b).detach().norm() / b.detach().norm())

    # Of a convolution the rounding is some ten eps at most, of F(4×4, 3×3) ten times that
    # (Lavin & Gray 2016, §7); there are four of them.
    for name, f in plain(image).items():
        assert apart(fewer(image)[name], f) < 4 * 10 * 10 * torch.finfo(torch.float32).eps
    # That turns some of 700,000 ReLUs and maxima that are nearly ties.
    assert apart(*gradients[::-1]) < 0.02


def test_what_was_chosen_among_fewer_is_chosen_again(clock, monkeypatch, home):
    """As after an update of the engine that can do more."""
    clock.update({"float32": 1.0, "float32 channels-last": 0.7, "bfloat16 channels-last": 0.3})
    with monkeypatch.context() as before:
        before.setitem(CANDIDATES, "cpu", (Precision(channels_last=True),))
        assert choose_precision(Net, CPU, "toy") == Precision(channels_last=True)
    assert folders.probe_dir().is_relative_to(home)
    assert choose_precision(Net, CPU, "toy") == BFLOAT16


def test_bfloat16_is_not_tried_where_the_library_has_none(clock, monkeypatch):
    clock.update({"float32": 1.0, "float32 channels-last": 0.7})  # no seconds for another
    monkeypatch.setattr(precision, "_has_bfloat16", lambda: False)
    assert choose_precision(Net, CPU, "toy") == Precision(channels_last=True)


def test_the_library_is_asked_for_what_it_may_use():
    """With fewer instructions allowed it has no bfloat16, whatever this processor can do."""
    program = "from styleengine.networks import precision; print(precision._has_bfloat16())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(ONEDNN_MAX_CPU_ISA="SSE41"), capture_output=True, text=True, check=True,
    )  # fmt: skip
    if not torch.backends.mkldnn.is_available() or platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("this torch computes its convolutions without oneDNN for x86")
    assert done.stdout.strip() == "False"


def test_a_network_that_only_gives_nan_gets_plain_float32(clock):
    clock.update(dict.fromkeys(["float32", "float32 channels-last"], 1.0))
    clock["bfloat16 channels-last"] = 0.1

    class Sick(Net):
        def forward(self, image):
            return {"a": self.conv(image) * float("nan")}

    assert choose_precision(Sick, CPU, "toy") == PLAIN


def test_one_lucky_moment_decides_nothing(monkeypatch):
    """A slow candidate is tried again as long as it may still turn out to be the best."""
    moments = {
        "float32": [1.0, 1.0],
        "float32 channels-last": [9.0],
        "bfloat16 channels-last": [1.5, 0.5],
    }
    gradient = _timed_gradient

    def timed(trunk, image):
        queue = moments[trunk.precision.name]
        return gradient(trunk, image)[0], queue.pop(0) if len(queue) > 1 else queue[0]

    monkeypatch.setattr(precision, "_timed_gradient", timed)
    monkeypatch.setattr(precision, "_has_bfloat16", lambda: True)
    assert choose_precision(Net, CPU, "toy") == BFLOAT16


def test_the_choice_is_remembered_and_not_made_again(home):
    first = choose_precision(Net, CPU, "toy")
    (record,) = folders.probe_dir().iterdir()
    assert record.is_relative_to(home)
    assert json.loads(record.read_text())["precision"] == first.name
    assert choose_precision(lambda: pytest.fail("probed again"), CPU, "toy") == first


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"precision": "float7"}', "{}", "\x00"])
def test_a_damaged_record_is_made_anew(damage):
    choose_precision(Net, CPU, "toy")
    (record,) = folders.probe_dir().iterdir()
    record.write_text(damage)
    chosen = choose_precision(Net, CPU, "toy")
    assert json.loads(record.read_text())["precision"] == chosen.name


def test_a_home_that_cannot_be_written_is_no_obstacle(home):
    home.write_text("a file where the folder should be")
    assert isinstance(choose_precision(Net, CPU, "toy"), Precision)


META = torch.device("meta")


def accelerator(monkeypatch, off: float) -> None:
    """Makes "meta" an accelerator whose gradients are off by that share."""
    gradient = _timed_gradient

    def timed(trunk, image):
        wrong = trunk._net.conv.weight.device == META
        found, seconds = gradient(Trunk(Net(), CPU, PLAIN), torch.ones(1, 3, 16, 16))
        return found * (1 + off if wrong else 1), seconds

    monkeypatch.setattr(precision, "_timed_gradient", timed)


def test_an_accelerator_is_checked_against_the_processor(monkeypatch):
    accelerator(monkeypatch, off=0.001)
    assert choose_precision(Net, META, "toy") == PLAIN
    accelerator(monkeypatch, off=0.5)
    assert choose_precision(Net, META, "toy") == PLAIN  # remembered
    with pytest.raises(EngineError) as caught:
        choose_precision(Net, META, "another")
    assert caught.value.code == WRONG_DEVICE
    assert "'meta'" in caught.value.message and "cpu" in caught.value.hint
