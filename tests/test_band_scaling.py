"""The first guess at the curvature, by frequency and colour."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from styleengine.descent.band_scaling import BANDS, MOST, OPPONENT, BandScaling
from styleengine.descent.lbfgs import LBFGS

CPU = torch.device("cpu")


def drawn(size, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, *size, generator=generator)


def curved(picture, curvature):
    """``picture`` (1, 3, H, W) times a Hessian that is diagonal by frequency and opponent colour.

    In float64 and with NumPy. ``curvature(k, f)`` is that of colour k at f cycles per pixel.
    """
    colors = np.array(OPPONENT) / np.linalg.norm(OPPONENT, axis=1, keepdims=True)
    height, width = picture.shape[-2:]
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    spectrum = np.fft.fft2(np.einsum("ci,ihw->chw", colors, picture[0].double().numpy()))
    spectrum *= np.stack([np.broadcast_to(curvature(k, f), f.shape) for k in range(3)])
    back = np.einsum("ci,chw->ihw", colors, np.fft.ifft2(spectrum).real)
    return torch.from_numpy(back).float()[None]


def taught(size, curvature, pairs=4, **options):
    scaling = BandScaling(size, CPU, 10, options.get("factors"))
    for seed in range(pairs):
        s = drawn(size, seed)
        scaling.learn(s, curved(s, curvature))
    return scaling


@pytest.mark.parametrize("size", [(6, 7), (5, 8)])
def test_it_is_a_symmetric_positive_matrix(size):
    scaling = taught(size, lambda k, f: 1 + k + 30 * f)
    basis = torch.eye(3 * size[0] * size[1]).view(-1, 1, 3, *size)
    matrix = torch.stack([scaling.apply(b).flatten() for b in basis]).double().numpy()
    assert np.abs(matrix - matrix.T).max() < 1e-5 * np.abs(matrix).max()
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_each_band_of_each_colour_gets_the_inverse_of_its_curvature():
    def curvature(k, f):
        return (1.0, 2.0, 4.0)[k] * np.where(f < 0.15, 1.0, 3.0)

    factors = taught((96, 80), curvature, pairs=200).factors.double().numpy()
    assert factors.shape == (3, BANDS)
    # With so many pairs nothing is left of the guess before but in proportion.
    ratio = factors[:, 1:2] / factors[:, -2:-1]
    assert ratio == pytest.approx(3.0 ** (10 / 12), rel=0.05)
    assert factors[0, -2] / factors[1, -2] == pytest.approx(2 ** (10 / 12), rel=0.05)
    assert factors[1, 1] / factors[2, 1] == pytest.approx(2 ** (10 / 12), rel=0.1)


def test_applied_to_waves_it_gives_their_bands_factors():
    scaling = taught((64, 64), lambda k, f: 1 + 40 * f)
    gray = []
    for cycles in (4, 24):
        wave = torch.cos(2 * torch.pi * cycles * torch.arange(64) / 64).expand(1, 3, 64, 64)
        out = scaling.apply(wave)
        factor = float((out * wave).sum() / wave.square().sum())
        torch.testing.assert_close(out, factor * wave, rtol=1e-3, atol=1e-4)
        gray.append(factor)
    assert gray[0] > 2 * gray[1]
    assert (
        float(scaling.factors[0].min()) <= min(gray) < max(gray) <= float(scaling.factors[0].max())
    )


def test_shrink_is_about_what_it_does_to_the_last_change():
    curvature = lambda k, f: 1 + 3 * k + 30 * f  # noqa: E731
    scaling = taught((48, 56), curvature)
    y = curved(drawn((48, 56), 3), curvature)
    wanted = float((y * scaling.apply(y)).sum() / y.square().sum())
    assert scaling.shrink() == pytest.approx(wanted, rel=0.05)


def test_what_curves_downwards_counts_as_usual_and_extremes_are_limited():
    def curvature(k, f):
        return np.where(f < 0.05, -1.0, np.where(f > 0.3, 1e6, 1.0)) * (1 + 0 * f)

    factors = taught((64, 64), curvature).factors
    assert bool((factors > 0).all()) and float(factors.max()) <= MOST
    assert float(factors.min()) >= 1 / MOST
    assert factors[:, 0] == pytest.approx(torch.ones(3))


def test_it_forgets_all_but_what_it_began_with():
    before = torch.linspace(0.5, 2, 3 * BANDS).view(3, BANDS)
    scaling = taught((32, 32), lambda k, f: 1 + 50 * f, factors=before)
    assert not torch.equal(scaling.factors, before)
    scaling.forget()
    assert torch.equal(scaling.factors, before)


def test_lbfgs_comes_nearer_to_a_minimum_with_it():
    """On a quadratic whose curvature spans three decades over frequency and colour."""

    def curvature(k, f):
        return 10.0 ** (3 * (1 - f)) * (1 + k)

    goal = drawn((40, 48), 9)

    def left(scaling):
        x = torch.zeros_like(goal)
        minimizer = LBFGS(10, scaling=scaling)
        for _ in range(25):
            gradient = curved(x - goal, curvature)
            loss = float((0.5 * (x - goal) * gradient).sum())
            minimizer.step(x, loss, gradient)
        return loss

    assert left(BandScaling((40, 48), CPU, 10, None)) < 0.5 * left(None)
