"""The plug-in's parts in real GIMP, while the image changes under them."""

from __future__ import annotations

from pathlib import Path

import pytest
from real_gimp import FAKE, case_names

pytestmark = pytest.mark.gimp

HERE = Path(__file__).resolve().parent
CASES = HERE / "changing_cases.py"


@pytest.fixture(scope="session")
def changing(gimp):
    """All cases in one start of GIMP."""
    return gimp.python_cases(CASES, helpers=HERE / "batch_cases.py", fake=FAKE)


@pytest.mark.parametrize("name", case_names(CASES))
def test_case(changing, name):
    assert name in changing, "GIMP ended before this case:\n" + changing["console"]
    assert not changing[name], changing[name]


def test_nobody_is_told_of_an_image_that_has_gone(gimp, changing):
    """GIMP would, in a window over everything."""
    assert changing
    said = (gimp.work / CASES.stem / "console.txt").read_text()
    assert "gimp-image-undo-is-enabled" not in said and "gimp-image-get-parasite" not in said
