"""Which part of a picture the dialog shows, and where."""

from __future__ import annotations

import pytest

from view.viewport import ZOOMS, Viewport

LARGE = Viewport((6000, 4000), (640, 480))


def test_a_picture_that_fits_is_whole_and_in_the_middle():
    assert LARGE.scale == pytest.approx(640 / 6000)
    assert LARGE.window == (0, 27, 640, 427)
    assert LARGE.seen == (0, 0, 6000, 4000)


def test_a_small_picture_is_not_magnified_without_end():
    small = Viewport((10, 10), (640, 480))
    assert small.scale == 4.0 and small.window == (300, 220, 40, 40)


def test_at_full_size_a_pixel_is_a_pixel_and_the_edges_stop_it():
    view = LARGE.zoomed(1.0)
    assert view.seen == (2680, 1760, 640, 480) and view.window == (0, 0, 640, 480)
    far = view.moved(1e6, 1e6)
    assert far.seen == (0, 0, 640, 480) and far.corner == (0, 0)
    assert far.moved(-100, -30).seen == (100, 30, 640, 480)


@pytest.mark.parametrize("zoom", ZOOMS)
def test_what_is_under_the_pointer_stays_there(zoom):
    before, at = LARGE.zoomed(0.5), (137.0, 301.0)
    after = before.zoomed(zoom, at)
    for one, two, side in zip(before.point(*at), after.point(*at), before.size, strict=True):
        assert abs(one - two) * side <= 1 / zoom + 1 / 0.5


def test_zoom_goes_in_steps_and_ends_at_the_whole():
    view, seen = LARGE, []
    while (zoom := view.stepped(closer=True)) != view.zoom:
        view = view.zoomed(zoom)
        seen.append(zoom)
    assert tuple(seen) == ZOOMS
    while (zoom := view.stepped(closer=False)) is not None:
        assert zoom < view.scale
        view = view.zoomed(zoom)
    assert view.zoom == 0.25


def test_a_picture_that_fits_larger_than_a_step_is_not_made_smaller():
    view = Viewport((900, 600), (640, 480))
    assert view.scale > 0.7 and view.stepped(closer=False) is None
    assert view.zoomed(1.0).stepped(closer=False) is None


def test_what_is_seen_magnified_is_every_pixel_that_touches():
    view = Viewport((100, 100), (40, 40), 4.0, (0.5, 0.5))
    x, y, width, height = view.seen
    assert (x, y, width, height) == (45, 45, 10, 10)
    assert view.moved(-2, 0).seen == (45, 45, 11, 10)
