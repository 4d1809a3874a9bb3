"""The plug-in with the engine it ships with, in real GIMP."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from real_gimp import case_names, engine_command

pytestmark = pytest.mark.gimp

HERE = Path(__file__).resolve().parent
CASES = HERE / "real_cases.py"


@pytest.fixture(scope="session")
def picture(gimp):
    """A small style picture with something on it."""
    y, x = np.mgrid[0:96, 0:128] / 16
    waves = np.stack([np.sin(x + y), np.sin(2 * x - y), np.cos(x * y / 3)], -1)
    path = gimp.work / "waves.png"
    Image.fromarray(np.uint8(127 + 120 * waves)).save(path)
    return path


@pytest.fixture(scope="session")
def real(gimp, picture, artifacts):
    answers = gimp.python_cases(
        CASES, helpers=HERE / "batch_cases.py", engine=engine_command(), picture=picture
    )
    messages = gimp.work / CASES.stem / "messages.txt"
    if messages.exists():
        (artifacts / f"messages-real-{gimp.version}.txt").write_bytes(messages.read_bytes())
    return answers


@pytest.mark.parametrize("name", case_names(CASES))
def test_case(real, name):
    assert name in real, "GIMP ended before this case:\n" + real["console"]
    assert not real[name], real[name]
