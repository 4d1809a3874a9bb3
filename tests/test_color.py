"""Colour statistics, their transport, and the keeping of colours, against NumPy."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch

from styleengine.scene import color
from styleengine.scene.color import ColorStatistics
from tests.helpers import luma, picture

pytestmark = pytest.mark.usefixtures("plain_precision")


def tensor(rgb: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(rgb, np.float32)).permute(2, 0, 1)[None]


def array(image: torch.Tensor) -> np.ndarray:
    return image[0].permute(1, 2, 0).double().numpy()


def muted(seed: int) -> np.ndarray:
    """A picture whose colours can be moved a good way before they leave 0–1."""
    return 0.4 + 0.15 * (picture(20, 24, seed).rgb - 0.5)


def statistics(rgb: np.ndarray, weight: np.ndarray | None = None) -> ColorStatistics:
    flat = rgb.reshape(-1, 3).astype(np.float64)
    w = None if weight is None else weight.ravel()
    return ColorStatistics(np.average(flat, axis=0, weights=w), np.cov(flat.T, aweights=w, ddof=0))


def close(a: ColorStatistics, b: ColorStatistics, tolerance: float) -> None:
    np.testing.assert_allclose(a.mean, b.mean, atol=tolerance)
    np.testing.assert_allclose(a.covariance, b.covariance, atol=tolerance)


def test_statistics():
    rgb = picture(20, 24, 1).rgb
    close(color.color_statistics(tensor(rgb)), statistics(rgb), 1e-7)
    weight = np.random.default_rng(0).random((20, 24))
    found = color.color_statistics(tensor(rgb), torch.from_numpy(weight))
    close(found, statistics(rgb, weight), 1e-7)


def test_a_mask_of_zeros_and_ones_is_the_same_as_cropping():
    rgb = picture(20, 24, 1).rgb
    mask = torch.zeros(20, 24)
    mask[5:15, 3:20] = 1
    close(color.color_statistics(tensor(rgb), mask), statistics(rgb[5:15, 3:20]), 1e-7)


def test_a_blend_has_the_statistics_of_the_mixture():
    a, b = picture(20, 24, 1).rgb, picture(20, 24, 2).rgb ** 2
    mixed = color.blend([statistics(a), statistics(b)], [0.25, 0.75])
    everything = np.concatenate([a, b, b, b]).astype(np.float64)
    close(mixed, statistics(everything), 1e-7)


def test_recolouring_reaches_the_targets_statistics():
    source, target = muted(1), muted(2)[:, :10] * np.float32([1.2, 0.9, 0.8])
    recolored = color.recolor(tensor(source), statistics(source), statistics(target))
    close(statistics(array(recolored)), statistics(target), 2e-5)


def test_recolouring_is_the_optimal_transport():
    # Unlike other maps to the same statistics, its matrix is symmetric and positive definite,
    # and it moves colours by the Wasserstein distance of the two Gaussians, no further.
    source, target = muted(1), muted(2) * np.float32([1.1, 0.8, 0.9])
    s, t = statistics(source), statistics(target)
    moved = array(color.recolor(tensor(source), s, t)) - source
    matrix = np.linalg.lstsq(
        (source - s.mean).reshape(-1, 3), (moved + source - t.mean).reshape(-1, 3), rcond=None
    )[0]
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-4)
    assert np.linalg.eigvalsh(matrix).min() > 0
    eps = 1e-5 * np.eye(3)
    product = np.linalg.eigvals((s.covariance + eps) @ (t.covariance + eps)).real
    bures = np.trace(s.covariance + t.covariance) - 2 * np.sqrt(product).sum()
    wasserstein = ((s.mean - t.mean) ** 2).sum() + bures
    assert (moved**2).sum(2).mean() == pytest.approx(wasserstein, rel=0.02)


def test_recolouring_to_its_own_statistics_changes_nothing():
    rgb = muted(1)
    same = color.recolor(tensor(rgb), statistics(rgb), statistics(rgb))
    np.testing.assert_allclose(array(same), rgb, atol=1e-5)


@pytest.mark.parametrize("kind", ["one colour", "gray"])
def test_recolouring_from_nothing_but_one_colour_or_gray(kind):
    rgb = np.full((8, 8, 3), 0.5, np.float32)
    if kind == "gray":
        rgb *= np.linspace(0.5, 1.5, 8, dtype=np.float32)[:, None, None]
    target = muted(2)
    found = array(color.recolor(tensor(rgb), statistics(rgb), statistics(target)))
    assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1
    np.testing.assert_allclose(found.mean((0, 1)), statistics(target).mean, atol=1e-4)


def test_luma_is_that_of_bt601():
    rgb = picture(9, 8, 3).rgb
    expected = [[colorsys.rgb_to_yiq(*map(float, p))[0] for p in row] for row in rgb]
    np.testing.assert_allclose(color.luma(tensor(rgb))[0, 0], expected, atol=0.003)
    np.testing.assert_allclose(color.luma(tensor(rgb))[0, 0], luma(rgb), atol=1e-6)


def test_new_light_leaves_the_chroma_where_it_fits():
    rgb = muted(4)
    light = luma(rgb) + 0.1
    found = array(color.with_luma(tensor(rgb), torch.from_numpy(light)[None, None].float()))
    np.testing.assert_allclose(luma(found), light, atol=1e-6)
    np.testing.assert_allclose(found - light[..., None], rgb - luma(rgb)[..., None], atol=1e-6)


def test_new_light_keeps_the_hue_and_is_exact_even_where_it_does_not_fit():
    rgb = picture(20, 24, 5).rgb
    rgb[:3] = np.float32([1, 0, 0])
    light = np.random.default_rng(6).random((20, 24))
    light[0, :4] = 0, 1, 1e-4, 1 - 1e-4
    found = array(color.with_luma(tensor(rgb), torch.from_numpy(light)[None, None].float()))
    assert found.min() >= -1e-6 and found.max() <= 1 + 1e-6
    np.testing.assert_allclose(luma(found), light, atol=1e-6)
    old, new = rgb - luma(rgb)[..., None], found - light[..., None]
    ratio = (new * old).sum(2) / np.maximum((old * old).sum(2), 1e-12)
    np.testing.assert_allclose(new, ratio[..., None] * old, atol=1e-5)  # parallel: the same hue
    assert ratio.min() >= 0 and ratio.max() <= 1 + 1e-4
    # It gives way no more than it must: where it was reduced, a channel touches black or white.
    reduced = ratio < 0.999
    touching = np.minimum(found.min(2), 1 - found.max(2))
    assert reduced.any() and touching[reduced].max() < 1e-4


def test_matched_luma_has_the_contents_mean_and_contrast():
    style, content = muted(7), muted(8) * np.float32(0.8) + np.float32(0.1)
    found = array(color.match_luma(tensor(style), tensor(content)))
    np.testing.assert_allclose(found, found[..., :1].repeat(3, 2))
    assert found.mean() == pytest.approx(luma(content).mean(), abs=1e-4)
    assert found[..., 0].std() == pytest.approx(luma(content).std(), rel=0.01)
    assert np.corrcoef(found[..., 0].ravel(), luma(style).ravel())[0, 1] > 0.9999
    weight = torch.zeros(20, 24)
    weight[:10] = 1
    found = array(color.match_luma(tensor(style), tensor(content), weight))
    assert found.mean() == pytest.approx(luma(content)[:10].mean(), abs=1e-4)


def test_a_style_of_one_tone_is_no_trouble():
    flat = np.full((8, 8, 3), 0.2, np.float32)
    found = array(color.match_luma(tensor(flat), tensor(muted(8))))
    np.testing.assert_allclose(found, luma(muted(8)).mean(), atol=1e-3)
