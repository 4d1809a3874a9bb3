"""What the dialog says about a finished painting."""

from __future__ import annotations

import pytest

from dialog.outcome import in_short, reached, stopped_at


def test_a_finished_painting_has_no_remark():
    info = {"stopped": False, "reached": [800, 600]}
    assert reached(info) is None and reached({}) is None and stopped_at(None) == ""
    assert in_short("Wave – Sea", 1, 38.4, None) == "Added as layer “Wave – Sea” in 38 s"


def test_one_that_was_stopped_says_at_what_size():
    size = reached({"stopped": True, "reached": [600, 800]})
    assert size == (600, 800) and stopped_at(size) == "stopped at 800 px"
    text = in_short("Wave – Sea", 1, 12.0, size)
    assert text == "Stopped at 600 × 800 px, added as layer “Wave – Sea” in 12 s"


@pytest.mark.parametrize("size", [None, 7, [1], [0, 5], [1, True], ["1", 2], [1e9, 1]])
def test_an_engine_that_does_not_tell_the_size(size):
    found = reached({"stopped": True, "reached": size})
    assert found == (0, 0) and stopped_at(found) == "stopped early"
    assert in_short("Sea", 1, 5.0, found) == "Added as layer “Sea” in 5 s"


def test_several_layers_are_told_together():
    text = in_short("Wave – Sea", 3, 200.0, None)
    assert text == "Added 3 layers in 3 min, the last one as “Wave – Sea”"
