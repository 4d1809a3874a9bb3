"""GIMP is killed while a run without a dialog is under way: nothing outlives it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from real_gimp import FAKE

pytestmark = pytest.mark.gimp

HERE = Path(__file__).resolve().parent
MODES = ("quiet", "wait")  # an engine that has nothing to tell, and one that does

START = (
    "CONTEXT = {{'folder': {folder!r}}}; exec(open({helpers!r}).read()); "
    "STYLE.write_bytes(b'style'); image = new_image(); call(image, [new_layer(image)])"
)


@pytest.fixture(scope="session")
def left(gimp):
    """The processes that stayed behind, by what the engine was at."""
    folder = gimp.work / "orphans"
    folder.mkdir()
    starter = START.format(helpers=str(HERE / "batch_cases.py"), folder=str(folder))
    context = {"folder": folder, "plugin": gimp.plugin, "fake": FAKE, "starter": starter}
    path = folder / "context.json"
    path.write_text(json.dumps({**context, "modes": MODES}, default=str))
    done = gimp.run("python3", HERE / "orphans.py", path)
    assert (folder / "left.json").exists(), done.stdout + done.stderr
    return json.loads((folder / "left.json").read_text())


@pytest.mark.parametrize("mode", MODES)
def test_nothing_outlives_gimp(left, mode):
    assert not left[mode]
