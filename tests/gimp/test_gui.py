"""The plug-in used with the keyboard and the mouse, in GIMP's own windows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from real_gimp import FAKE, case_names, engine_command

pytestmark = [pytest.mark.gimp, pytest.mark.gui]

HERE = Path(__file__).resolve().parent
STEPS = HERE / "gui_steps.py"


def landscape(path: Path) -> None:
    """Something with a horizon, a sun and hills, so that a person can judge the screenshot."""
    y, x = np.mgrid[0:300, 0:420].astype(float)
    sky = np.stack([120 + y / 3, 160 + y / 4, 230 - y / 4], -1)
    sky[(x - 300) ** 2 + (y - 80) ** 2 < 900] = (255, 230, 140)
    for level, color in ((190, (90, 120, 80)), (230, (60, 95, 55)), (265, (40, 70, 40))):
        sky[y > level + 22 * np.sin(x / (level / 5)) + 8 * np.cos(x / 17)] = color
    Image.fromarray(np.uint8(np.clip(sky, 0, 255))).save(path)


def waves(path: Path) -> None:
    y, x = np.mgrid[0:200, 0:260] / 22
    swirl = np.sin(x + 2 * np.sin(y)) * np.cos(y - np.sin(x))
    colors = np.stack([130 + 110 * swirl, 90 + 70 * np.sin(3 * swirl), 150 - 90 * swirl], -1)
    Image.fromarray(np.uint8(np.clip(colors, 0, 255))).save(path)


@pytest.fixture(scope="session")
def gui(gimp, artifacts):
    """All steps in one GIMP; the screenshots are kept."""
    folder = gimp.work / "gui"
    folder.mkdir()
    photo, style = folder / "valley.png", folder / "waves.png"
    landscape(photo)
    waves(style)
    context = {
        "folder": folder, "plugin": gimp.plugin, "fake": FAKE, "engine": engine_command(),
        "photo": photo, "style": style, "probe": HERE / "gui_probe.py",
    }  # fmt: skip
    (folder / "context.json").write_text(json.dumps(context, default=str))
    done = gimp.run("dbus-run-session", "--", "python3", STEPS, folder / "context.json")
    for picture in folder.glob("*.png"):
        if picture not in (photo, style):
            shutil.copy(picture, artifacts / f"{picture.stem}-{gimp.version}.png")
    (folder / "driver.txt").write_text(done.stdout + done.stderr)
    results = folder / "results.jsonl"
    lines = results.read_text().splitlines() if results.exists() else []
    return {**dict(json.loads(line) for line in lines), "output": done.stdout + done.stderr}


@pytest.mark.parametrize("name", case_names(STEPS, "step_"))
def test_step(gui, name):
    assert name in gui, "an earlier step failed\n" + gui["output"][-3000:]
    assert not gui[name], gui[name]
