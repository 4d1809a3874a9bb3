"""Resizing, filling under transparency, and the way back to the full size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from styleengine.pictures.picture import fit
from styleengine.scene import resample
from tests.helpers import gradient_energy, luma, picture

pytestmark = pytest.mark.usefixtures("plain_precision")


def rgb(height: int, width: int, seed: int = 0) -> np.ndarray:
    return picture(height, width, seed).rgb


def test_arrays_and_tensors_convert_both_ways():
    array = rgb(5, 7)
    tensor = resample.to_tensor(array)
    assert tensor.shape == (1, 3, 5, 7)
    np.testing.assert_array_equal(tensor[0, 1], array[..., 1])
    np.testing.assert_array_equal(resample.to_array(tensor), array)
    assert resample.to_tensor(array[..., 0]).shape == (1, 1, 5, 7)
    np.testing.assert_array_equal(resample.to_array(tensor * 3 - 1), np.clip(array * 3 - 1, 0, 1))
    assert not np.shares_memory(resample.to_array(tensor), tensor.numpy())


@pytest.mark.parametrize(
    ("width", "height", "long_side", "expected"),
    [
        (400, 300, 200, (150, 200)),
        (300, 400, 200, (200, 150)),
        (100, 100, 250, (250, 250)),
        (5000, 3, 100, (1, 100)),
        (640, 427, 64, (43, 64)),
    ],
)
def test_fit(width, height, long_side, expected):
    assert fit(width, height, long_side) == expected


@pytest.mark.parametrize("size", [(13, 17), (20, 21), (7, 40)])
def test_shrinking_is_antialiased_like_pillows(size):
    source = rgb(40, 51)
    ours = resample.resize(resample.to_tensor(source), size)[0].permute(1, 2, 0).numpy()
    how = Image.Resampling.BICUBIC
    theirs = [
        np.asarray(Image.fromarray(source[..., c]).resize((size[1], size[0]), how))
        for c in range(3)
    ]
    np.testing.assert_allclose(ours, np.stack(theirs, -1), atol=2e-3)


def test_resizing_to_the_same_size_changes_nothing():
    image = resample.to_tensor(rgb(9, 8))
    assert torch.equal(resample.resize(image, (9, 8)), image)


@pytest.mark.parametrize("small", [(10, 14), (37, 50), (1, 5)])
def test_enlarging_in_strips_equals_enlarging_the_whole(small):
    image = resample.to_tensor(rgb(*small, seed=3))
    size = (95, 101)
    whole = resample.resize(image, size)
    strips = [resample.enlarge(image, size, y, min(17, 95 - y)) for y in range(0, 95, 17)]
    torch.testing.assert_close(torch.cat(strips, 2), whole, atol=1e-4, rtol=0)


# --- transparency ---------------------------------------------------------------------------------


def alpha_with_hole(height: int, width: int) -> torch.Tensor:
    alpha = torch.ones(1, 1, height, width)
    alpha[..., height // 4 : height // 2, width // 3 :] = 0
    return alpha


def test_what_is_visible_stays_and_what_is_hidden_does_not_matter():
    alpha = alpha_with_hole(33, 47)
    image = resample.to_tensor(rgb(33, 47))
    other = torch.where(alpha > 0, image, torch.rand(1, 3, 33, 47))
    filled = resample.fill_transparent(image, alpha)
    assert torch.equal(filled, resample.fill_transparent(other, alpha))
    assert torch.equal(filled * alpha, image * alpha)
    assert torch.isfinite(filled).all()


def test_holes_are_filled_with_the_colours_around_them():
    alpha = torch.ones(1, 1, 40, 40)
    alpha[..., 10:30, 10:30] = 0
    image = torch.zeros(1, 3, 40, 40)
    image[:, 0, :, :20] = 1
    image[:, 2, :, 20:] = 1
    filled = resample.fill_transparent(image, alpha)[0]
    assert float(filled[0, 20, 11]) > 0.8 and float(filled[2, 20, 11]) < 0.2
    assert float(filled[0, 20, 28]) < 0.2 and float(filled[2, 20, 28]) > 0.8
    torch.testing.assert_close(filled.sum(0), torch.ones(40, 40), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [(64, 64), (33, 50), (301, 300), (1, 40), (500, 2)])
def test_a_single_visible_pixel_colours_everything(size):
    color = torch.tensor([0.9, 0.5, 0.2]).view(1, 3, 1, 1)
    alpha = torch.zeros(1, 1, *size)
    alpha[..., size[0] // 2, size[1] // 3] = 1
    image = torch.where(alpha > 0, color.expand(1, 3, *size), torch.zeros(1, 3, *size))
    filled = resample.fill_transparent(image, alpha)
    torch.testing.assert_close(filled, color.expand(1, 3, *size), atol=1e-3, rtol=0)


def test_faint_pixels_have_their_own_colour_too():
    alpha = torch.full((1, 1, 16, 16), 2e-5)
    image = torch.full((1, 3, 16, 16), 0.8)
    filled = resample.fill_transparent(image, alpha)
    torch.testing.assert_close(filled, image, atol=1e-3, rtol=0)


# --- to the full size -----------------------------------------------------------------------------


def test_a_result_of_full_size_is_left_as_it_is():
    result = resample.to_tensor(rgb(30, 40, 1))
    np.testing.assert_array_equal(
        resample.carry_to_full_size(result, rgb(30, 40, 2)), resample.to_array(result)
    )


def test_a_larger_result_is_shrunk():
    result = resample.to_tensor(rgb(60, 80, 1))
    found = resample.carry_to_full_size(result, rgb(30, 40, 2))
    expected = resample.to_array(resample.resize(result, (30, 40)))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_photo_itself_comes_back_sharp():
    # Where the small result is the small photo, the large result should nearly be the large photo.
    photo = np.repeat(picture(600, 90, 3, block=30).rgb.mean(2, keepdims=True), 3, 2)
    small = resample.resize(resample.to_tensor(photo), (150, 22)).clamp(0, 1)
    found = resample.carry_to_full_size(small, photo)
    blown_up = resample.to_array(resample.resize(small, (600, 90)))
    assert found.shape == photo.shape and found.dtype == np.float32
    error, plain = np.abs(found - photo).mean(), np.abs(blown_up - photo).mean()
    assert error < 0.6 * plain
    assert gradient_energy(found) > 1.2 * gradient_energy(blown_up)


def test_grain_of_the_photo_stays_out_of_flat_paint():
    photo = rgb(200, 160, 3)
    small = torch.full((1, 3, 50, 40), 0.4)
    np.testing.assert_allclose(resample.carry_to_full_size(small, photo), 0.4, atol=1e-5)


def test_the_small_result_is_found_again_in_the_large_one():
    photo, small = rgb(210, 170, 3), resample.to_tensor(rgb(52, 42, 4)) * 0.6 + 0.2
    found = resample.carry_to_full_size(small, photo)
    again = resample.resize(resample.to_tensor(found), (52, 42))
    assert float((again - small).abs().mean()) < 0.01


def test_strips_leave_no_seams(monkeypatch):
    photo, small = rgb(210, 170, 3), resample.to_tensor(rgb(52, 42, 4))
    whole = resample.carry_to_full_size(small, photo)
    monkeypatch.setattr(resample, "STRIP_ROWS", 19)
    np.testing.assert_allclose(resample.carry_to_full_size(small, photo), whole, atol=1e-4)


def test_local_gain_is_the_slope_of_the_result_over_the_photo():
    guide = 3 * resample.to_tensor(luma(rgb(60, 70, 3)).astype(np.float32))
    slopes = torch.tensor([0.5, -0.8, 0.0]).view(1, 3, 1, 1)
    gain = resample.local_gain(guide, guide * slopes + 0.3)
    busy = resample.local_gain(guide, guide)[0, 0] > 0.95  # contrast far above the grain
    assert bool(busy.any())
    for c, slope in enumerate((0.5, -0.8, 0.0)):
        np.testing.assert_allclose(gain[0, c][busy], slope, atol=0.05)


def test_local_gain_is_small_where_the_result_goes_its_own_way():
    rng = np.random.default_rng(5)
    guide, other = (torch.from_numpy(rng.random((1, n, 60, 70))).float() for n in (1, 3))
    followed = resample.local_gain(guide, guide.expand(-1, 3, -1, -1))
    assert float(resample.local_gain(guide, other).abs().mean()) < 0.05 * float(followed.mean())


@pytest.mark.parametrize("size", [(40, 50), (600, 700), (9, 300)])
def test_replacing_hidden_colours(size):
    alpha = alpha_with_hole(*size)[0, 0].numpy()
    image = rgb(*size, seed=6)
    other = np.where(alpha[..., None] > 0, image, np.float32(1))
    found = resample.replace_hidden(image, alpha)
    np.testing.assert_array_equal(found, resample.replace_hidden(other, alpha))
    np.testing.assert_array_equal(found[alpha > 0], image[alpha > 0])
    visible = image[alpha > 0]
    hidden = found[alpha == 0]
    assert hidden.min() >= visible.min() and hidden.max() <= visible.max()
    assert np.abs(hidden.mean(0) - visible.mean(0)).max() < 0.15


def test_carrying_in_one_piece_is_carrying_in_strips():
    photo, small = rgb(210, 170, 3), resample.to_tensor(rgb(52, 42, 4))
    whole = resample.carry(small, resample.to_tensor(photo))
    strips = resample.carry_to_full_size(small, photo)
    np.testing.assert_allclose(resample.to_array(whole), strips, atol=1e-4)
