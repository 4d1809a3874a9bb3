"""The plug-in used with the keyboard and the mouse, in GIMP's own windows."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from real_gimp import FAKE, REPO, case_names, engine_command

from styleengine.pictures.about import About
from styleengine.pictures.files import Picture, save
from styleengine.protocol import Painting, Settings
from tests.file_server import Site, serving

sys.path.insert(0, str(REPO / "install"))
import samples

pytestmark = [pytest.mark.gimp, pytest.mark.gui]

HERE = Path(__file__).resolve().parent
WEIGHTS = os.environ.get("STYLEENGINE_WEIGHTS", "")  # the tests run without it
TOUR = os.environ.get("NEURAL_STYLE_TOUR", "")  # the folder of the README's pictures
TOUR_WIDTH = 900
STEPS = HERE / "gui_steps.py"
STYLE = samples.SHIPPED_STYLES / "style-wave.jpg"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """The project's own photo and a style, small."""
    folder = tmp_path_factory.mktemp("pictures")
    for path, side in ((samples.SHIPPED_PHOTO, 960), (STYLE, 384)):
        picture = Image.open(path)
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        picture.save(folder / path.name, quality=92)
    return folder


@pytest.fixture(scope="session")
def gui(gimp, artifacts, pictures):
    """All steps in one GIMP; the screenshots are kept."""
    folder = gimp.work / "gui"
    folder.mkdir()
    photo, style = folder / "lake.jpg", folder / "style-wave.jpg"
    shutil.copy(pictures / "photo.jpg", photo)
    shutil.copy(pictures / "style-wave.jpg", style)
    size = 640 if WEIGHTS else 160
    told = Painting(Settings(strength=87.0, size=size)).text()
    rgb = np.full((40, 60, 3), 0.5, np.float32)
    save(folder / "painted.webp", Picture(rgb, about=About(painted=told)))
    context = {
        "folder": folder, "painted": folder / "painted.webp",
        "plugin": gimp.plugin, "fake": FAKE, "engine": engine_command(),
        "photo": photo, "style": style, "probe": HERE / "gui_probe.py",
        "drag": HERE / "gui_drag.py", "inside": HERE / "inside",
        "size": size, "download": not WEIGHTS,
    }  # fmt: skip
    (folder / "context.json").write_text(json.dumps(context, default=str))
    site = Site(os.urandom(4 << 20), hold_after=2 << 20)  # a network that never comes whole
    with serving(site):
        environment = [f"STYLEENGINE_WEIGHTS_URL={site.url()}#sha256={'0' * 64}"]
        if WEIGHTS:  # finer pictures for the README
            shutil.copy(WEIGHTS, folder / Path(WEIGHTS).name)
            environment = [f"STYLEENGINE_WEIGHTS={folder / Path(WEIGHTS).name}"]
        command = ["dbus-run-session", "--", "python3", STEPS, folder / "context.json"]
        done = gimp.run("env", *environment, *command)
    for picture in folder.glob("*.png"):
        shutil.copy(picture, artifacts / f"{picture.stem}-{gimp.version}.png")
        if TOUR and picture.stem[0].isdigit():
            shot = Image.open(picture).convert("RGB")
            shot = shot.resize((TOUR_WIDTH, round(shot.height * TOUR_WIDTH / shot.width)))
            shot.save(Path(TOUR) / f"tour-{picture.stem}.jpg", quality=86)
    (folder / "driver.txt").write_text(done.stdout + done.stderr)
    results = folder / "results.jsonl"
    lines = results.read_text().splitlines() if results.exists() else []
    return {**dict(json.loads(line) for line in lines), "output": done.stdout + done.stderr}


@pytest.mark.parametrize("name", case_names(STEPS, "step_"))
def test_step(gui, name):
    assert name in gui, "an earlier step failed\n" + gui["output"][-3000:]
    assert not gui[name], gui[name]


def test_the_terminal_has_no_complaint_about_the_plug_in(gui, gimp):
    lines = (gimp.work / "gui" / "gimp.log").read_text(errors="replace").splitlines()
    ours = [line for line in lines if "neural_style.py" in line or "plug-ins/neural_style" in line]
    assert len(lines) > 2  # GIMP itself says something
    bad = [line for line in ours if "CRITICAL" in line or "Warning" in line or "WARNING" in line]
    assert not [line for line in bad if "org.a11y.Bus" not in line]  # which is not there
