"""The plug-in in real GIMP, without a display: every kind of layer, and every kind of trouble."""

from __future__ import annotations

from pathlib import Path

import pytest
from real_gimp import FAKE, case_names

pytestmark = pytest.mark.gimp

HERE = Path(__file__).resolve().parent
BATCH = HERE / "batch_cases.py"


@pytest.fixture(scope="session")
def batch(gimp, profiles, artifacts):
    """All cases in one start of GIMP."""
    answers = gimp.python_cases(BATCH, fake=FAKE, **profiles)
    messages = gimp.work / BATCH.stem / "messages.txt"
    if messages.exists():
        (artifacts / f"messages-{gimp.version}.txt").write_bytes(messages.read_bytes())
    return answers


@pytest.mark.parametrize("name", case_names(BATCH))
def test_case(batch, name):
    assert name in batch, "GIMP ended before this case:\n" + batch["console"]
    assert not batch[name], batch[name]
