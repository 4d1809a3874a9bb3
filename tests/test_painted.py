"""What a painted file tells of how it was painted, and who believes it."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from choice.choice import StyleChoice
from choice.note import note_from
from choice.trust import Chosen
from styleengine.command import cli
from styleengine.pictures.about import About
from styleengine.pictures.files import Picture, load, save
from styleengine.protocol import (
    PAINTED_SPACE,
    PaintedStyle,
    Painting,
    Settings,
    fingerprint,
    painted_text,
    painting_from,
)
from tests.helpers import picture

pytestmark = pytest.mark.usefixtures("plain_precision")

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
SUFFIXES = [".png", ".jpg", ".webp", ".tif"]
STYLES = (PaintedStyle('Größe "a" & <b>.jpg', "ab" * 16, 2.5), PaintedStyle("b.png"))
PAINTING = Painting(Settings(preset="best", strength=71.5, device="cpu"), STYLES, masks=True)
QUICK = ("--features", "thin", "--size", "48", "--iterations", "4")


def read(path: Path) -> Painting | None:
    with open(path, "rb") as file:
        text = painted_text(file)
    return None if text is None else painting_from(text)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("xmp", [b"", "photo's"])
def test_it_is_in_the_file_beside_the_photos_own_words(tmp_path, suffix, xmp):
    words = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="a lake"/></rdf:RDF></x:xmpmeta>"""
    path = tmp_path / f"out{suffix}"
    about = About(xmp=words if xmp else b"", painted=PAINTING.text())
    save(path, Picture(picture(24, 32).rgb, about=about))
    found = read(path)
    assert found.settings == Settings(preset="best", strength=71.5)  # the device is not told
    assert found.styles == STYLES and found.masks
    with Image.open(path) as image:  # read by others' code, too
        packet = image.info.get("xmp") or image.tag_v2[700]
    described = [e.attrib for e in ElementTree.fromstring(packet).iter(f"{{{RDF}}}Description")]
    name = f"{{{PAINTED_SPACE}}}painted"
    ours = [d[name] for d in described if name in d]
    assert [json.loads(text)["masks"] for text in ours] == [True]
    assert ("a lake" in str(described)) == bool(xmp)
    # A painting of the painting tells of itself only.
    again = load(path)
    save(path, Picture(again.rgb, about=About(xmp=again.about.xmp)))
    assert read(path) is None
    assert (b"a lake" in load(path).about.xmp) == bool(xmp)


def test_where_a_jpeg_has_no_room_for_both_the_photos_own_words_stay(tmp_path):
    filler = b"w" * 64_500
    words = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="%b"/></rdf:RDF></x:xmpmeta>"""
    about = About(xmp=words % filler, painted=PAINTING.text())
    save(tmp_path / "out.jpg", Picture(picture(24, 32).rgb, about=about))
    assert filler in load(tmp_path / "out.jpg").about.xmp
    assert read(tmp_path / "out.jpg") is None


def test_the_same_written_as_an_element_and_far_back_in_a_large_file():
    text = PAINTING.text().replace("&", "&amp;").replace("<", "&lt;")
    data = bytes(9 << 20) + f"<NeuralStyle:painted>{text}</NeuralStyle:painted>".encode()
    assert painting_from(painted_text(io.BytesIO(data))).styles == STYLES


STRANGE = [
    "{}",
    "[]",
    "nonsense",
    "[" * 60_000,
    '{"styles": "many"}',
    '{"strength": NaN, "preset": ["best"], "seed": 1e400, "size": -3, "device": "cuda:3"}',
    f'{{"seed": {"9" * 5000}}}',
    '{"styles": [3, {"file": 4, "weight": -1, "print": "../../etc"}, {"weight": "1e99"}]}',
]


@pytest.mark.parametrize("text", STRANGE)
def test_what_makes_no_sense_is_left_out(text):
    data = io.BytesIO(f"<NeuralStyle:painted>{text}</NeuralStyle:painted>".encode())
    found = painting_from(painted_text(data))
    assert found.settings == Settings()
    assert all(s.weight == 1 and not s.key for s in found.styles)


def test_no_folder_is_told_and_none_is_believed():
    for name in ("/home/me/secret/a.jpg", "..\\..\\a.jpg", "a.jpg"):
        text = Painting(Settings(), (PaintedStyle(name),)).text()
        assert painting_from(text).styles[0].file == "a.jpg"
    text = Painting(Settings(), (PaintedStyle("/etc/.."),)).text()
    assert painting_from(text).styles[0].file == ""


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def here(env, tmp_path, monkeypatch) -> Path:
    monkeypatch.syspath_prepend(env["PYTHONPATH"].split(os.pathsep)[0])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "styles").mkdir()
    for number, name in enumerate(("photo.png", "styles/one.png", "styles/two.png")):
        pixels = (picture(40, 56, number).rgb * 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path


def test_run_writes_it_and_like_takes_it(here, capfd):
    styles = ("--style", "styles/one.png", "--style", "styles/two.png", "--style-weight", "3",
              "--style-weight", "1")  # fmt: skip
    line = ("run", "photo.png", *styles, "--strength", "80", *QUICK, "-q")
    assert cli.main([*line, "-o", "styles/out.jpg"]) == 0
    found = read(here / "styles" / "out.jpg")
    with open("styles/one.png", "rb") as file:
        key = fingerprint(file)
    assert found.settings.strength == 80 and found.settings.features == "thin"
    assert [(s.file, s.weight) for s in found.styles] == [("one.png", 3.0), ("two.png", 1.0)]
    assert found.styles[0].key == key
    for path in (here / "styles" / "out.jpg", here / "styles"):
        assert str(path).encode() not in (here / "styles" / "out.jpg").read_bytes()

    assert cli.main([*line, "-o", "a.png"]) == 0
    assert cli.main(["run", "photo.png", "--like", "styles/out.jpg", "-q", "-o", "b.png"]) == 0
    with Image.open("a.png") as a, Image.open("b.png") as b:
        assert np.array_equal(np.asarray(a), np.asarray(b))
    more = ("--strength", "50", "--style", "styles/two.png", "-q", "-o", "c.webp")
    assert cli.main(["run", "photo.png", "--like", "styles/out.jpg", *more]) == 0
    found = read(here / "c.webp")
    assert found.settings.strength == 50 and found.settings.size == 48
    assert [s.file for s in found.styles] == ["two.png"]

    (here / "styles" / "one.png").write_bytes((here / "styles" / "two.png").read_bytes())
    assert cli.main(["run", "photo.png", "--like", "styles/out.jpg", "-o", "d.png"]) == 1
    error = capfd.readouterr().err
    assert "The style “one.png”" in error and "Name it with --style." in error


def test_the_plug_in_reads_it_as_it_reads_a_layers_note(here):
    line = ("run", "photo.png", "--style", "styles/one.png", "--style", "styles/two.png", *QUICK)
    assert cli.main([*line, "--strength", "80", "-q", "-o", "out.webp"]) == 0
    chosen = Chosen(here / "own")
    chosen.called([StyleChoice((here / "styles" / "two.png").as_uri())])
    with open("out.webp", "rb") as file:
        note = note_from(painted_text(file), chosen.find)
    assert note.choice.settings.strength == 80 and note.choice.settings.size == 48
    assert [s.uri for s in note.choice.styles] == [(here / "styles" / "two.png").as_uri()]
    assert note.lost == ("one.png",)


def test_it_may_be_left_out_and_missed(here, capfd):
    line = ("run", "photo.png", "--style", "styles/one.png", *QUICK, "-q", "--no-settings")
    assert cli.main([*line, "-o", "out.png"]) == 0
    assert b"one.png" not in (here / "out.png").read_bytes()
    assert cli.main(["run", "photo.png", "--like", "out.png"]) == 1
    assert "“out.png” does not say how it was painted." in capfd.readouterr().err
    assert cli.main(["run", "photo.png", "--like", "gone.png"]) == 1
    assert "gone.png" in capfd.readouterr().err
