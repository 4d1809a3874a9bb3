"""The draft network: its file, its likeness to VGG19, its metric, and what it paints."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from benchmarks.judge import Judge, load_judge
from benchmarks.pairs import drawn
from styleengine.engine import Engine
from styleengine.loss.moments import moments
from styleengine.loss.painting import PaintObjective
from styleengine.loss.style_losses import CovarianceLoss, GramLoss
from styleengine.networks import draft
from styleengine.networks.trunk import CPU, PLAIN, Trunk
from styleengine.networks.vgg import VGG19, calibration_image, vgg19
from styleengine.planning.plan import features_for, fine_features_for, make_plan
from styleengine.planning.recipes import FAST
from styleengine.plugins.registry import load_plugins
from styleengine.protocol import EngineError, Settings
from styleengine.scene.resample import to_tensor
from styleengine.scene.style_pictures import StyleTarget
from styleengine.weights.store import resolve
from styleengine.weights.vgg_layout import CONTENT_LAYER
from tests.helpers import ROOT, job, paint, picture, tinted

pytestmark = pytest.mark.usefixtures("plain_precision")

LAYERS = tuple(draft.MAPPED)
STYLE_LAYERS = tuple(n for n in LAYERS if n != CONTENT_LAYER)
SHARED = ROOT.parent / "shared" / "vgg19" / "vgg19_notop_rebuilt.h5"
pretrained = pytest.mark.skipif(not SHARED.exists(), reason="no pretrained VGG19 is at hand")


@pytest.fixture(scope="module")
def net():
    return draft.load()


# --- the file -------------------------------------------------------------------------------------


def test_the_file_is_small_and_says_where_it_comes_from():
    assert draft.FILE.stat().st_size <= 6_000_000
    with safe_open(draft.FILE, "pt") as file:
        about = file.metadata()
        assert about["format"] == draft.FORMAT
        assert "Simonyan" in about["teacher"] and "Attribution" in about["licence"]
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    kinds = {t.dtype for k, t in tensors.items() if k.endswith("weight")}
    assert kinds == {torch.int8, torch.uint8}
    assert all(torch.isfinite(t).all() for t in tensors.values())
    assert (draft.FILE.parent / "draft.md").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize(
    "damage", ["missing", "cut", "text", "other format", "other shapes", "a weight less"]
)
def test_a_damaged_file_is_said_to_be_one(tmp_path, damage):
    path = tmp_path / "draft.safetensors"
    data, tensors = draft.FILE.read_bytes(), load_file(draft.FILE)
    if damage == "cut":
        path.write_bytes(data[:-100])
    elif damage == "text":
        path.write_bytes(b"no tensors")
    elif damage == "other format":
        save_file(tensors, path, {"format": "something"})
    elif damage == "other shapes":
        tensors["features.0.weight"] = tensors["features.0.weight"][:3].clone()
        save_file(tensors, path, {"format": draft.FORMAT})
    elif damage == "a weight less":
        del tensors["features.0.weight.scale"], tensors["features.0.weight"]
        save_file(tensors, path, {"format": draft.FORMAT})
    with pytest.raises(EngineError, match="missing or damaged") as caught:
        draft.load(path=path)
    assert caught.value.code == "broken-install" and caught.value.hint


def test_another_training_is_remembered_apart(tmp_path):
    with safe_open(draft.FILE, framework="pt") as file:
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    tensors["features.0.bias"] = tensors["features.0.bias"] + 0.01
    save_file(tensors, tmp_path / "other.safetensors", metadata)
    own, other = draft.load().kind, draft.load(path=tmp_path / "other.safetensors").kind
    assert own == draft.load(("relu1_1",)).kind != other  # whatever layers are asked for
    assert own.startswith("draft-") and other.startswith("draft-")


def test_a_layer_without_a_map_is_refused():
    with pytest.raises(EngineError, match="relu3_2") as caught:
        draft.load(("relu1_1", "relu3_2"))
    assert caught.value.code == "bad-layer"


# --- the interface, which is VGG19's --------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("layers", [LAYERS, ("relu3_1", "relu4_2"), ("relu2_1",)])
@pytest.mark.parametrize("size", [(37, 50), (16, 16)])
def test_layers_and_sizes_are_vgg19s(layers, pooling, size):
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    ours, theirs = draft.load(layers, pooling)(image), VGG19(layers, pooling)(image)
    assert list(ours) == list(theirs)
    for name in layers:
        assert ours[name].shape[-2:] == theirs[name].shape[-2:]
        channels = draft.MAPPED[name] if name == CONTENT_LAYER else draft.width(name)
        assert ours[name].shape[:2] == (1, channels)
        assert draft.MAPPED[name] == theirs[name].shape[1]


def test_it_is_frozen_and_an_extractor(net):
    assert not any(p.requires_grad for p in net.parameters())
    trunk = Trunk(draft.load(), CPU, PLAIN)
    assert set(trunk.metrics) == set(STYLE_LAYERS)
    assert trunk.units == dict.fromkeys(LAYERS, 1.0)
    assert trunk.balance == draft.BALANCE


# --- the metric -----------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", STYLE_LAYERS)
def test_distances_in_the_metric_are_those_of_the_mapped_features(net, layer):
    """In float64, with the maps Q: mean((R D Rᵀ)²) = mean((Q D Qᵀ)²), and so for vectors."""
    q, r = net.maps[layer].double(), net.metrics[layer].double()
    generator = torch.Generator().manual_seed(1)
    half = torch.randn(q.shape[1], q.shape[1], generator=generator, dtype=torch.float64)
    d, v = half + half.T, torch.randn(q.shape[1], generator=generator, dtype=torch.float64)
    ours, theirs = (r @ d @ r.T).square().mean(), (q @ d @ q.T).square().mean()
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
    assert float((r @ v).square().mean()) == pytest.approx(float((q @ v).square().mean()), rel=1e-5)
    assert r.shape == d.shape


@pytest.mark.parametrize("loss", [GramLoss(), CovarianceLoss()])
def test_mapped_moments_are_the_moments_of_mapped_features(net, loss):
    found = [net(x)["relu3_1"][0].double() for x in (calibration_image(), torch.rand(1, 3, 64, 64))]
    q, r = net.maps["relu3_1"].double(), net.metrics["relu3_1"].double()
    ours = loss.distance(*(moments(f).mapped(r) for f in found))
    theirs = loss.distance(*(moments(torch.einsum("cd,dhw->chw", q, f)) for f in found))
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)


class Slow:
    """The draft with every feature mapped to VGG19's channels, and no metrics."""

    balance = draft.BALANCE
    metrics: dict[str, torch.Tensor] = {}  # noqa: RUF012
    units = dict.fromkeys(LAYERS, 1.0)

    def __init__(self, net):
        self.net, self.geometry = net, net.geometry

    def __call__(self, image):
        return {
            n: f if n == CONTENT_LAYER else F.conv2d(f, self.net.maps[n].to(f)[..., None, None])
            for n, f in self.net(image).items()
        }


def test_the_objective_is_that_of_the_mapped_features():
    content, style = calibration_image(48), to_tensor(tinted((0.2, 0.4, 0.7)).rgb)
    x = (content + 0.1 * torch.rand(content.shape)).clamp(0, 1)
    results = [
        PaintObjective(extractor, FAST, CovarianceLoss(), content, [StyleTarget(style)])(x)
        for extractor in (Trunk(draft.load(), CPU, PLAIN), Slow(draft.load()))
    ]
    (loss, gradient), (wanted, slow) = results
    assert loss == pytest.approx(wanted, rel=1e-4)
    torch.testing.assert_close(gradient, slow, rtol=1e-3, atol=1e-3 * float(slow.abs().max()))


# --- the choice -----------------------------------------------------------------------------------


def test_auto_is_vgg19_if_it_is_installed_and_the_draft_network_otherwise(monkeypatch, tmp_path):
    assert features_for(Settings()) == "draft"
    assert features_for(Settings(), weights="mine.h5") == "vgg19"
    assert features_for(Settings(features="thin")) == "thin"
    monkeypatch.setenv("STYLEENGINE_WEIGHTS", str(tmp_path / "any.h5"))
    assert features_for(Settings()) == "vgg19"
    assert features_for(Settings(preset="draft")) == "draft"
    assert features_for(Settings(preset="draft", features="vgg19")) == "vgg19"
    assert features_for(Settings(features="draft")) == "draft"


def test_fine_scales_are_the_drafts_unless_a_network_is_insisted_on(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEENGINE_WEIGHTS", str(tmp_path / "any.h5"))
    assert fine_features_for(Settings()) == "draft"
    assert fine_features_for(Settings(features="vgg19")) == "vgg19"
    assert fine_features_for(Settings(features="thin")) == "thin"


def test_classic_takes_the_content_layer_that_the_draft_network_has():
    settings = Settings(preset="classic", features="draft")
    plan = make_plan(settings, 64, 64, load_plugins(()).extractor("draft"))
    assert set(plan.layers) <= set(LAYERS)


def test_the_engine_paints_with_nothing_installed():
    work = job(picture(40, 48), tinted((0.2, 0.4, 0.7)), size=48, iterations=3, features="auto")
    result = paint(Engine(load_plugins(())), work)
    assert result.features == "built-in draft network"
    assert np.isfinite(result.picture.rgb).all()


# --- likeness -------------------------------------------------------------------------------------


@pretrained
def test_mapped_features_are_near_vgg19s(net):
    trunk = vgg19(LAYERS, resolve(str(SHARED)))
    image = to_tensor(drawn("lake", 256).rgb)
    found, wanted = net(image), trunk(image)
    for name in LAYERS:
        t = wanted[name] / trunk.units[name]
        f = found[name] if name == CONTENT_LAYER else Slow(net)(image)[name]
        assert float((f - t).square().mean() / t.var()) < (0.8 if name == "relu5_1" else 0.5), name


@pretrained
def test_the_judge_sees_the_style_come_nearer(monkeypatch):
    monkeypatch.setenv("STYLEENGINE_WEIGHTS", str(SHARED))
    content, style = picture(96, 128, 1, block=16), tinted((0.3, 0.5, 0.7), 2, 128)
    judge = Judge(load_judge(), content, style, 128)
    result = paint(
        Engine(load_plugins(())), job(content, style, size=128, preset="draft", features="auto")
    )
    assert result.features == "built-in draft network"
    scores = judge.scores(result.picture)
    assert scores.style < 0.25 and scores.held_out < 0.5 and scores.content < 2
