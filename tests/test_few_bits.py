"""Weights in six and eight bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from styleengine.networks.few_bits import LARGE, MOST, MOST_OF_SIX, SCALE, packed, unpacked


@pytest.mark.parametrize("shape", [(5, 4, 3, 3), (7, 20)])
def test_each_number_is_off_by_half_a_step_of_its_own_row(shape):
    rows = np.random.default_rng(0).normal(size=(shape[0], int(np.prod(shape[1:]))))
    rows *= 10.0 ** np.arange(-3, shape[0] - 3)[:, None]  # rows of very different sizes
    wanted = rows.reshape(shape)
    files = packed({"w": torch.from_numpy(wanted).float()})
    assert files["w"].dtype == torch.int8 and files["w"].shape == shape
    found = unpacked(files)["w"].double().numpy().reshape(rows.shape)
    step = np.abs(rows).max(1, keepdims=True) / MOST
    assert (np.abs(found - rows) <= 0.5001 * step).all()
    assert np.abs(found - rows).max() > 0
    # The largest of each row keeps its value.
    at = np.abs(rows).argmax(1)
    assert np.take_along_axis(found, at[:, None], 1) == pytest.approx(
        np.take_along_axis(rows, at[:, None], 1), rel=1e-6
    )


def test_a_large_convolution_is_in_six_bits():
    rows = np.random.default_rng(0).normal(size=(128, 96 * 9))
    rows *= 10.0 ** np.linspace(-3, 3, 128)[:, None]
    assert rows.size > LARGE
    files = packed({"w": torch.from_numpy(rows.reshape(128, 96, 3, 3)).float()})
    assert files["w"].dtype == torch.uint8 and files["w"].numel() == rows.size * 6 // 8
    found = unpacked(files)["w"]
    assert found.shape == (128, 96, 3, 3) and found.dtype == torch.float32
    found = found.double().numpy().reshape(rows.shape)
    scale = files["w" + SCALE].double().numpy()[:, None]
    inside = np.abs(rows) <= MOST_OF_SIX * scale
    assert (np.abs(found - rows) <= 0.5001 * scale)[inside].all()
    assert found[~inside] == pytest.approx(
        np.broadcast_to(MOST_OF_SIX * scale, rows.shape)[~inside] * np.sign(rows[~inside])
    )
    # No row loses more than with the scale of its largest number.
    largest = np.abs(rows).max(1, keepdims=True) / MOST_OF_SIX
    plain = np.round(rows / largest) * largest
    error, known = (((f - rows) ** 2).sum(1) for f in (found, plain))
    assert (error <= known * 1.0001).all() and error.sum() < 0.95 * known.sum()


def test_every_step_of_six_bits_comes_back():
    steps = torch.arange(-MOST_OF_SIX, MOST_OF_SIX + 1).repeat(5000)[: 400 * 75 * 9]
    weight = steps.reshape(400, 75, 3, 3).float()
    assert torch.equal(unpacked(packed({"w": weight}))["w"], weight)


def test_rows_that_are_not_fours_are_in_eight_bits():
    weight = torch.randn(402, 75, 3, 3)
    assert packed({"w": weight})["w"].dtype == torch.int8


def test_a_row_of_zeros_stays_one_and_a_bias_is_in_half_precision():
    weight = torch.tensor([[0.0, 0.0], [1.0, -2.0]])
    files = packed({"w": weight, "b": torch.tensor([0.25, -3.0])})
    assert files["b"].dtype == torch.float16 and set(files) == {"w", "b", "w" + SCALE}
    found = unpacked(files)
    assert set(found) == {"w", "b"} and all(t.dtype == torch.float32 for t in found.values())
    assert torch.equal(found["w"][0], torch.zeros(2))
    assert torch.equal(found["b"], torch.tensor([0.25, -3.0]))


def test_tensors_without_scales_are_taken_as_they_are():
    weight = torch.randn(3, 4).half()
    assert torch.equal(unpacked({"w": weight})["w"], weight.float())
