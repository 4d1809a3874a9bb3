"""The procedure called from Script-Fu: named arguments, the new layer as the answer, exit codes."""

from __future__ import annotations

import json
import re

import pytest
from PIL import Image
from real_gimp import FAKE, REPO

pytestmark = pytest.mark.gimp

PREPARE = """
(let* ((img (car (gimp-image-new 50 40 RGB)))
       (layer (car (gimp-layer-new img "Photo" 50 40 RGBA-IMAGE 100 LAYER-MODE-NORMAL))))
  (gimp-image-insert-layer img layer 0 0)
  {body})
"""


@pytest.fixture
def folder(gimp, tmp_path_factory):
    gimp.use_engine(["python3", FAKE, "--dump", gimp.work / "script-fu"])
    style = gimp.work / "sunflowers.png"
    style.write_bytes(b"a style")
    return gimp.work


def test_the_answer_is_the_new_layer(gimp, folder):
    answer = folder / "answer.txt"
    body = f"""
    (let* ((new (car (plug-in-neural-style #:run-mode RUN-NONINTERACTIVE #:image img
                      #:drawables (vector layer) #:style "{folder}/sunflowers.png"
                      #:strength 70 #:preset "best" #:iterations 4 #:steady FALSE)))
           (file (open-output-file "{answer}")))
      (write (list (car (gimp-item-get-name new)) (car (gimp-image-get-item-position img new))
                   (car (gimp-image-get-item-position img layer))
                   (car (gimp-drawable-get-width new)))
             file)
      (close-output-port file))"""
    done = gimp.script_fu(PREPARE.format(body=body))
    assert done.returncode == 0, done.stderr
    assert answer.read_text() == '("sunflowers – Photo" 0 1 50)'
    run = json.loads((folder / "script-fu" / "run.json").read_bytes())
    assert run["steady"] is False and not run["series"]
    settings = run["settings"]
    assert (settings["strength"], settings["preset"], settings["iterations"]) == (70.0, "best", 4)
    assert settings["keep_colors"] == "off"


def test_a_failure_stops_the_script_and_says_why(gimp, folder):
    body = "(plug-in-neural-style #:image img #:drawables (vector layer))"
    done = gimp.script_fu(PREPARE.format(body=body))
    assert done.returncode == 70
    assert "No style picture was chosen." in done.stdout + done.stderr


def test_the_folder_of_the_documentation(gimp, folder):
    text = (REPO / "docs" / "scripting.md").read_text()
    script = re.search(r"\(define \(paint-folder.*?\n\n", text, re.DOTALL)[0]
    photos, paintings = folder / "photos", folder / "paintings"
    photos.mkdir()
    paintings.mkdir()
    for name, level in (("a.png", 40), ("b.png", 200)):
        Image.new("RGB", (20, 16), (level, level, level)).save(photos / name)
    call = f'(paint-folder "{photos}/*.png" "{folder}/sunflowers.png" "{paintings}")'
    done = gimp.script_fu(f"{script}\n{call}")
    assert done.returncode == 0, done.stderr
    for name, level in (("a.png", 215), ("b.png", 55)):
        with Image.open(paintings / name) as painted:  # the fake engine turns colours over
            assert painted.convert("RGB").getpixel((8, 8)) == (level, level, level)
