"""Every loss term against a float64 formula written from the papers and the notebook."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from styleengine.loss.classic import classic_gram_loss, classic_tv_values
from styleengine.loss.maps import batch, layer_weight, mean_square, only, single
from styleengine.loss.moments import moments
from styleengine.loss.smoothness import tv_values
from styleengine.loss.style_losses import CovarianceLoss, GramLoss, GramMomentsLoss

pytestmark = pytest.mark.usefixtures("plain_precision")

C, H, W = 5, 6, 7


def tensor(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape or (C, H, W)))


F1, F2 = tensor(1), tensor(2)
MASK = torch.from_numpy(np.random.default_rng(3).random((H, W)))


def gram(f: np.ndarray) -> np.ndarray:
    """G_ij = Σ_k F_ik F_jk of Gatys et al. 2016, eq. 3, by loops over channels."""
    flat = f.reshape(len(f), -1)
    return np.array([[(a * b).sum() for b in flat] for a in flat])


# --- moments --------------------------------------------------------------------------------------


def test_moments_are_weighted_sums_over_positions():
    m = moments(F1, MASK)
    f, w = F1.numpy(), MASK.numpy()
    outer = sum(w[y, x] * np.outer(f[:, y, x], f[:, y, x]) for y in range(H) for x in range(W))
    np.testing.assert_allclose(m.count, w.sum())
    np.testing.assert_allclose(m.total, (f * w).sum((1, 2)))
    np.testing.assert_allclose(m.outer, outer)
    np.testing.assert_allclose(m.gram, outer / w.sum())
    np.testing.assert_allclose(m.mean, (f * w).sum((1, 2)) / w.sum())
    np.testing.assert_allclose(
        m.std, np.sqrt([np.cov(c.ravel(), aweights=w.ravel(), ddof=0) for c in f]), rtol=1e-3
    )


def test_moments_of_disjoint_regions_add_up():
    whole = moments(F1)
    parts = moments(F1[:, :4, :3]) + moments(F1[:, :4, 3:]) + moments(F1[:, 4:])
    masked = moments(F1, MASK) + moments(F1, 1 - MASK)
    for sum_ in (parts, masked):
        torch.testing.assert_close(sum_.count, whole.count)
        torch.testing.assert_close(sum_.total, whole.total)
        torch.testing.assert_close(sum_.outer, whole.outer)


@pytest.mark.parametrize("weight", [None, MASK], ids=["all", "masked"])
def test_the_gradient_of_moments_is_that_of_the_sums(weight):
    def sums(f):
        m = moments(f, weight, unit=3.0)
        return m.total, m.outer, m.covariance, m.std

    assert torch.autograd.gradcheck(sums, [F1.clone().requires_grad_()])


@pytest.mark.parametrize("size", [(40, 50), (5, 3), (1, 1)], ids=str)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("masked", [False, True], ids=["all", "masked"])
def test_moments_in_every_dtype_and_layout(dtype, layout, size, masked):
    """Sums and gradient against float64, from the very values that the features hold."""
    f = tensor(7, 1, 16, *size).to(dtype).contiguous(memory_format=layout)
    weight = torch.rand(size, generator=torch.Generator().manual_seed(2)).to(dtype)
    weight = weight if masked else None
    found = []
    for features in (f, f.double()):
        x = features.requires_grad_()
        m = moments(x.squeeze(0), None if weight is None else weight.to(features.dtype), 2.0)
        w = tensor(9, 16, 16).to(m.outer.dtype)
        ((m.outer * w).sum() + (m.total * w[0]).sum()).backward()
        found.append([v.detach() for v in (m.count, m.total, m.outer, x.grad)])
        assert x.grad.dtype == x.dtype
    # rounding of bfloat16: 2^-9 of the largest sum
    tolerance = 1e-5 if dtype == torch.float32 else 8e-3
    for ours, exact in zip(*found, strict=True):
        error = (ours.double() - exact).abs().max() / exact.abs().max()
        assert float(error) < tolerance
    assert found[0][1].dtype == found[0][2].dtype == torch.float32


LOSSES = [GramLoss(), GramMomentsLoss(), CovarianceLoss()]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda x: type(x).__name__)
def test_a_mask_of_zeros_and_ones_is_the_same_as_cropping(loss):
    mask = torch.zeros(H, W, dtype=torch.float64)
    mask[1:5, 2:6] = 1
    target = loss.statistics(F2)
    masked = loss.distance(loss.statistics(F1, mask), target)
    cropped = loss.distance(loss.statistics(F1[:, 1:5, 2:6]), target)
    torch.testing.assert_close(masked, cropped)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda x: type(x).__name__)
def test_only_the_proportions_of_a_mask_count(loss):
    target = loss.statistics(F2)
    torch.testing.assert_close(
        loss.distance(loss.statistics(F1, MASK * 0.01), target),
        loss.distance(loss.statistics(F1, MASK), target),
    )


# --- position-mean forms --------------------------------------------------------------------------


def test_gram_loss():
    loss = GramLoss()
    n = H * W
    expected = ((gram(F1.numpy()) / n - gram(F2.numpy()) / n) ** 2).sum() / C**2
    actual = loss.distance(loss.statistics(F1), loss.statistics(F2))
    assert float(actual) == pytest.approx(expected, 1e-10)


def test_gram_loss_does_not_know_the_size_of_the_picture():
    loss = GramLoss()
    tiled = F1.repeat(1, 3, 2)
    same = loss.distance(loss.statistics(tiled), loss.statistics(F1))
    assert float(same) == pytest.approx(0, abs=1e-20)


def test_gram_moments_loss():
    loss = GramMomentsLoss()
    a, b = (f.numpy().reshape(C, -1) for f in (F1, F2))
    grams = ((a @ a.T - b @ b.T) / (H * W)) ** 2
    means = (a.mean(1) - b.mean(1)) ** 2
    stds = (a.std(1) - b.std(1)) ** 2
    expected = grams.mean() + 0.5 * (means.mean() + stds.mean())
    actual = loss.distance(loss.statistics(F1), loss.statistics(F2))
    assert float(actual) == pytest.approx(expected, 1e-4)


def test_moments_tell_apart_what_gram_matrices_cannot():
    # Gram's freedom: a constant c and a channel of ±c have the same second moment.
    constant = torch.full((1, 4, 4), 2.0, dtype=torch.float64)
    alternating = constant.clone()
    alternating[:, ::2] *= -1
    by_gram, by_moments, by_covariance = LOSSES
    assert float(by_gram.distance(moments(constant), moments(alternating))) == pytest.approx(0)
    # means 2 and 0, deviations 0 and 2: 0.5 · (4 + 4)
    assert float(by_moments.distance(moments(constant), moments(alternating))) == pytest.approx(
        4, rel=0.02
    )
    # variances 0 and 4: 16; means 2 and 0: 0.2 · 4
    assert float(by_covariance.distance(moments(constant), moments(alternating))) == pytest.approx(
        16.8
    )


def test_covariance_loss():
    loss = CovarianceLoss()
    a, b = (f.numpy().reshape(C, -1) for f in (F1, F2))
    covariances = (np.cov(a, ddof=0) - np.cov(b, ddof=0)) ** 2
    means = (a.mean(1) - b.mean(1)) ** 2
    actual = loss.distance(loss.statistics(F1), loss.statistics(F2))
    assert float(actual) == pytest.approx(covariances.mean() + 0.2 * means.mean(), 1e-10)


def test_tv_values():
    image = tensor(4, 1, 3, 6, 5)
    x = np.pad(image[0].numpy(), ((0, 0), (1, 1), (1, 1)), mode="edge")
    total = 0.0
    for c in range(3):
        for i in range(1, 7):
            for j in range(1, 6):
                here = x[c, i, j]
                straight = (x[c, i, j + 1] - here) ** 2 + (x[c, i + 1, j] - here) ** 2
                diagonal = (x[c, i + 1, j + 1] - here) ** 2 + (x[c, i + 1, j - 1] - here) ** 2
                total += 2 * (straight / 3 + diagonal / 12)
    assert float(tv_values(image).mean()) == pytest.approx(total / (3 * 6 * 5), 1e-10)


def test_tv_is_the_same_for_slopes_of_any_direction():
    y, x = np.mgrid[:200, :200]
    values = []
    for angle in (0, 30, 45, 60, 90):
        a = np.radians(angle)
        slope = torch.from_numpy(np.cos(a) * x + np.sin(a) * y)[None, None]
        values.append(float(tv_values(slope).mean()))
    np.testing.assert_allclose(values, 1, rtol=0.01)


# --- the notebook's forms -------------------------------------------------------------------------


def test_classic_style_divides_by_the_notebooks_constants():
    # K.sum(K.square(S - C)) / (4. * (channels ** 2) * (size ** 2)), channels = 3 at every layer,
    # size = img_height * img_width at every layer, the Gram matrix a sum over positions
    img_height, img_width, channels = 24, 28, 3
    size = img_height * img_width
    expected = ((gram(F2.numpy()) - gram(F1.numpy())) ** 2).sum() / (4.0 * channels**2 * size**2)
    assert float(
        classic_gram_loss(
            torch.from_numpy(gram(F1.numpy())), torch.from_numpy(gram(F2.numpy())), size
        )
    ) == pytest.approx(expected, 1e-10)


def test_classic_tv_is_over_the_inner_pixels():
    image = tensor(5, 1, 3, 5, 6) * 100
    x = image[0].numpy()
    total = 0.0
    for i in range(4):
        for j in range(5):
            for c in range(3):
                a = (x[c, i, j] - x[c, i + 1, j]) ** 2
                b = (x[c, i, j] - x[c, i, j + 1]) ** 2
                total += (a + b) ** 1.25
    assert float(classic_tv_values(image).sum()) == pytest.approx(total, 1e-10)


# --- properties of all ----------------------------------------------------------------------------

IMAGE = tensor(6, 1, 3, 5, 6)
TERMS = {
    "gram": (F1, lambda f: LOSSES[0].distance(moments(f), moments(F2))),
    "gram, masked": (F1, lambda f: LOSSES[0].distance(moments(f, MASK), moments(F2))),
    "gram and moments": (F1, lambda f: LOSSES[1].distance(moments(f), moments(F2))),
    "gram and moments, masked": (F1, lambda f: LOSSES[1].distance(moments(f, MASK), moments(F2))),
    "tv": (IMAGE, lambda x: tv_values(x).mean()),
    "classic style": (F1, lambda f: classic_gram_loss(moments(f).outer, moments(F2).outer, 50)),
    "classic tv": (IMAGE, lambda x: classic_tv_values(x).sum()),
}
MINIMA = {
    **{name: F2 for name in TERMS if "masked" not in name},
    "tv": torch.full((1, 3, 5, 6), 0.3, dtype=torch.float64),
    "classic tv": torch.full((1, 3, 5, 6), 0.3, dtype=torch.float64),
}


@pytest.mark.parametrize("name", TERMS)
def test_gradients_are_those_of_finite_differences(name):
    at, term = TERMS[name]
    assert torch.autograd.gradcheck(term, (at.clone().requires_grad_(),))


@pytest.mark.parametrize("name", MINIMA)
def test_terms_are_zero_and_flat_at_the_target(name):
    term = TERMS[name][1]
    x = MINIMA[name].clone().requires_grad_()
    value = term(x)
    (gradient,) = torch.autograd.grad(value, x)
    assert float(value.detach()) == pytest.approx(0, abs=1e-20)
    assert float(gradient.abs().max()) == pytest.approx(0, abs=1e-10)
    at = TERMS[name][0]
    assert float(term(at)) > 1e-3


def test_a_channel_without_any_variance_has_a_finite_gradient():
    x = torch.zeros(2, 4, 4, dtype=torch.float64, requires_grad=True)
    value = LOSSES[1].distance(moments(x), moments(F2[:2]))
    (gradient,) = torch.autograd.grad(value, x)
    assert torch.isfinite(gradient).all()


# --- helpers of the objective ---------------------------------------------------------------------


def test_layer_weight_averages_over_areas():
    mask = torch.rand(8, 12, generator=torch.Generator().manual_seed(0))
    expected = mask.numpy().reshape(2, 4, 3, 4).mean((1, 3))
    np.testing.assert_allclose(layer_weight(mask, (2, 3)), expected, rtol=1e-5)
    np.testing.assert_allclose(layer_weight(mask, (2, 3), 4), expected, rtol=1e-5)
    torch.testing.assert_close(layer_weight(torch.ones(37, 50), (4, 6)), torch.ones(4, 6))
    # With a stride, what is left over at the end belongs to no position, as in the network.
    odd = torch.rand(37, 50, generator=torch.Generator().manual_seed(1))
    whole = odd.numpy()[:32, :48].reshape(4, 8, 6, 8).mean((1, 3))
    np.testing.assert_allclose(layer_weight(odd, (4, 6), 8), whole, rtol=1e-5)


def test_features_are_compared_in_float32():
    f = torch.full((1, 2, 3, 4), 6.0, dtype=torch.bfloat16)
    found = single(f) / 4.0
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.full((2, 3, 4), 1.5))


@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
def test_a_gradient_keeps_the_order_that_the_network_left_its_maps_in(order):
    seen = []
    maps = torch.rand(1, 5, 4, 6, requires_grad=True).to(memory_format=order) * 1.0
    maps.register_hook(seen.append)
    only(maps).square().sum().backward()
    assert seen[0].is_contiguous(memory_format=order)
    assert torch.equal(seen[0], 2 * maps.detach())
    again = batch(only(maps.detach()))
    assert again.is_contiguous(memory_format=order) and torch.equal(again, maps)


@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
def test_squares_pass_gradients_on_in_that_order_too(order):
    maps = tensor(7, 1, 5, 4, 6).contiguous(memory_format=order).requires_grad_()
    apart, weight = only(maps), tensor(8, 4, 6)
    (gradient,) = torch.autograd.grad((mean_square(apart) * weight).sum(), apart)
    assert batch(gradient).is_contiguous(memory_format=order)
    assert torch.autograd.gradcheck(lambda x: mean_square(only(x)) * weight, (maps,))
