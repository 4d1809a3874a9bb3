"""The weights of the content loss, against a plain formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from styleengine.loss.salience import RANGE, focus


def around(values):
    wide = np.pad(values, 1, mode="edge")
    h, w = values.shape
    return sum(wide[i : i + h, j : j + w] for i in range(3) for j in range(3)) / 9


def plain(features, exponent, visible):
    mean = np.average(features.reshape(len(features), -1), axis=1, weights=visible.ravel())
    apart = ((features - mean[:, None, None]) ** 2).mean(0)
    apart = around(apart * visible) / np.maximum(around(visible), 1e-12)
    rounding = 1e-5 * (mean**2).mean()
    ratio = (apart + rounding) / (np.average(apart, weights=visible) + rounding)
    weights = np.clip(ratio, 1 / RANGE, RANGE) ** exponent
    return weights / np.average(weights, weights=visible)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("masked", [False, True])
def test_weights_are_those_of_the_formula(exponent, masked):
    draw = torch.Generator().manual_seed(6)
    features = torch.randn(5, 9, 7, generator=draw, dtype=torch.float64)
    features[:, 3:6, 2:5] += 9  # something that stands out
    visible = torch.rand(9, 7, generator=draw, dtype=torch.float64) if masked else None
    found = focus(features, exponent, visible)
    weigh = np.ones((9, 7)) if visible is None else visible.numpy()
    assert np.allclose(found.numpy(), plain(features.numpy(), exponent, weigh))
    assert np.average(found.numpy(), weights=weigh) == pytest.approx(1)
    if exponent:
        assert found[4, 3] > 2 * found[0, 6]


def test_a_flat_picture_weighs_all_alike():
    barely = 300 + 1e-3 * torch.rand(4, 5, 6, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(focus(barely, 0.5), torch.ones(5, 6), atol=1e-3)
    assert torch.allclose(focus(torch.zeros(4, 5, 6), 0.5), torch.ones(5, 6))


def test_what_is_hidden_does_not_count():
    features = torch.rand(3, 8, 12)
    visible = torch.ones(8, 12)
    visible[:, 8:] = 0
    loud = features.clone()
    loud[:, :, 9:] += 100
    loud[:, :, 8] -= 100
    quiet, same = (focus(f, 0.5, visible)[:, :8] for f in (features, loud))
    assert torch.allclose(quiet, same)


def test_nothing_visible_is_no_error():
    assert torch.isfinite(focus(torch.rand(3, 4, 4), 0.5, torch.zeros(4, 4))).all()
