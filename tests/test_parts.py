"""What the plug-in sends of a large picture for a spot of it."""

from __future__ import annotations

import pytest

from protocol import OVERVIEW_PX
from view.parts import MOST_PIXELS, covers, parts_of, spot_in


def test_a_picture_that_is_sent_whole_needs_no_parts():
    assert parts_of((OVERVIEW_PX, 900), (10, 20, 300, 200)) == []


@pytest.mark.parametrize("whole", [(6000, 4000), (1700, 5000), (20000, 3000), (3000, 100)])
def test_the_part_lies_in_the_picture_and_holds_the_spot(whole):
    spot = (whole[0] - 90, 10, 90, 80)
    (part,) = parts_of(whole, spot)
    assert covers(part, spot) and part[0] < spot[0] - 48 and covers((0, 0, *whole), part)


def test_a_large_view_is_painted_in_its_middle():
    area, size = spot_in((100, 200, 3800, 2000), 1.0)
    assert covers((100, 200, 3800, 2000), area) and size == area[2:]
    assert abs(size[0] * size[1] / MOST_PIXELS - 1) < 0.01
    assert abs((area[0] + area[2] / 2) - 2000) <= 1


def test_from_afar_it_is_painted_as_small_as_it_is_seen():
    assert spot_in((0, 0, 2000, 1000), 0.25) == ((0, 0, 2000, 1000), (500, 250))
    assert spot_in((0, 0, 200, 100), 4.0) == ((0, 0, 200, 100), (200, 100))
