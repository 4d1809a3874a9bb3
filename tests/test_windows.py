"""A part of a picture is what would be cut from all of it."""

from __future__ import annotations

import pytest
import torch

from styleengine.planning.spots import Area
from styleengine.scene import resample
from styleengine.scene.windows import Window, carried, part


def picture(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rough = torch.rand((1, 3, height, width), generator=generator)
    return torch.nn.functional.avg_pool2d(rough, 3, 1, 1, count_include_pad=False)


@pytest.mark.parametrize("size", [(60, 90), (37, 53), (200, 300), (171, 257), (120, 180)])
@pytest.mark.parametrize("known", [Area(0, 0, 120, 180), Area(16, 30, 110, 160)])
def test_a_part_at_another_size_is_that_of_the_whole(size, known):
    image = picture(120, 180)
    ratio = size[0] / 120
    area = Area(round(40 * ratio), round(70 * ratio), round(80 * ratio), round(130 * ratio))
    window = Window(part(image, known), (120, 180), known.top, known.left)
    expected = part(resample.resize(image, size), area)
    assert (window.at(size, area).image - expected).abs().max() < 2e-5


def test_at_the_edges_of_the_picture_it_is_the_same_too():
    image = picture(120, 180)
    for size in ((60, 90), (200, 300)):
        area = Area(0, 0, *size)
        found = Window(image, (120, 180)).at(size, area).image
        assert (found - resample.resize(image, size)).abs().max() < 2e-5


def test_detail_is_carried_to_a_part_as_to_the_whole():
    content, size = picture(240, 360, 1), (240, 360)
    small = resample.resize(content, (120, 180))
    painted = (small * 0.8 + 0.1 * picture(120, 180, 2)).clamp(0, 1)
    expected = resample.carry(painted, content, small).clamp(0, 1)
    known, area = Area(20, 30, 100, 150), Area(80, 100, 160, 240)
    window = Window(part(painted, known), (120, 180), known.top, known.left)
    found = carried(window, part(small, known), part(content, area), size, area)
    assert (found - part(expected, area)).abs().max() < 1e-4


@pytest.mark.parametrize("size", [(60, 90), (200, 300), (120, 180)])
def test_beyond_the_ends_of_a_picture_that_closes_lies_its_other_end(size):
    image, wrap = picture(120, 180), (False, True)
    whole = resample.resize(image, size, wrap)
    found = Window(image, (120, 180), wrap=wrap).at(size, Area(8, -20, 40, 30)).image
    expected = part(whole.roll(20, -1), Area(8, 0, 40, 50))
    assert (found - expected).abs().max() < 2e-5
