"""What the dialog keeps: choices, presets, folders; what it reports; what it downloads."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from choice.choice import Choice, StyleChoice, blend_from, blend_text, choice_from, quick
from choice.kept import (
    MOST_RECENT,
    NO_LOOKS,
    Folders,
    Presets,
    Recent,
    read_json,
    with_look,
    write_json,
)
from choice.known import Known, fingerprint
from choice.note import Made, note_from, note_text
from choice.styles import SHIPPED, TITLES, at_hand, choice_of, pictures_in, title
from choice.trust import Chosen, is_there
from dialog import report
from disk.private import put_aside
from engine.fetch import Fetch, fetch_command
from engine.installed import Installed, data_dir
from engine.wording import explained
from language import texts
from styleengine import protocol
from tests.file_server import Site, serving
from tests.helpers import command, environment
from tests.patience import wait_until

REPO = Path(__file__).resolve().parents[1]
PLUGIN = REPO / "gimp_plugin" / "neural_style"

Settings = protocol.Settings
WEIGHTS = os.environ.get("STYLEENGINE_WEIGHTS", "")  # the tests run without it


def test_a_choice_survives_its_way_through_a_file(tmp_path):
    chosen = Choice(
        Settings(strength=70.0, preset="best", device="cpu"),
        (
            StyleChoice("file:///a.jpg", name="A", weight=2.0, where="Sky"),
            StyleChoice("file:///b.jpg", name="B"),
        ),
        hold="Face",
    )
    path = tmp_path / "new" / "folder" / "memory.json"
    write_json(path, chosen.to_dict())
    assert choice_from(read_json(path)) == chosen
    assert os.listdir(path.parent) == ["memory.json"]


def test_a_layer_as_style_is_not_remembered():
    kept = Choice(styles=(StyleChoice(layer=7, name="Layer"),)).to_dict()
    assert kept["style"] is None and choice_from(kept).styles == ()


def test_the_memory_of_older_versions_is_understood():
    old = {"preset": "best", "size": 512, "style": "file:///x.jpg"}
    assert choice_from(old) == Choice(
        Settings(preset="best", size=512), (StyleChoice("file:///x.jpg"),)
    )


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '"x"', "\x00"])
def test_a_broken_memory_is_no_memory(tmp_path, text):
    path = tmp_path / "memory.json"
    path.write_text(text)
    assert choice_from(read_json(path)) == Choice()


def test_what_is_still_valid_in_a_memory_is_taken():
    values = {"strength": -5, "preset": "gone", "seed": "x", "size": 99, "new": 1}
    odd = {"uri": "file:///a.jpg", "weight": -1, "name": 5, "where": []}
    got = choice_from({**values, "hold": 7, "styles": [{"uri": 3}, "x", odd]})
    assert got.hold == ""
    assert got.settings == Settings(size=99)
    assert got.styles == (StyleChoice("file:///a.jpg"),)


def test_a_disk_that_cannot_be_written_does_no_harm(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    write_json(blocked / "memory.json", {})
    assert blocked.read_text() == "not a folder"


def test_the_quick_preview_predicts_the_picture():
    chosen = Settings(
        preset="best", strength=80.0, iterations=900, size=2048, keep_colors="palette"
    )
    cheap = quick(chosen)
    assert cheap.size and cheap.size <= 512 and cheap.iterations == 0 and cheap.preset != "best"
    assert (cheap.strength, cheap.keep_colors) == (80.0, "palette")
    found = {p: quick(Settings(preset=p)).preset for p in ("draft", "fast", "best", "classic")}
    assert found == {"draft": "draft", "fast": "fast", "best": "fast", "classic": "draft"}


def test_a_blend_is_one_text_for_scripts():
    choice_styles = (
        StyleChoice("file:///a%20b.jpg", name="A", weight=2.0),
        StyleChoice("file:///c.jpg", name="C", where="Sky"),
    )
    assert blend_from(blend_text(choice_styles)) == choice_styles
    assert blend_text(choice_styles[:1]) == ""
    assert blend_from(blend_text(choice_styles[1:])) == choice_styles[1:]
    short = '[{"uri": "file:///a%20b.jpg"}]'
    assert blend_from(short) == (StyleChoice("file:///a%20b.jpg", name="a b"),)
    for broken in ("x", "{}", "[]", "[1]", '[{"uri": "file:///a.jpg"}, {"url": "typo"}]'):
        with pytest.raises(protocol.EngineError, match="blend"):
            blend_from(broken)


def test_a_blend_keeps_its_layers_as_long_as_gimp_runs():
    styles = (
        StyleChoice("file:///a.jpg", name="a", weight=2.0),
        StyleChoice(layer=7, name="Sketch", where="Sky"),
        StyleChoice(layer=9, name="Other"),
    )
    text = blend_text(styles)
    assert blend_from(text) == styles
    assert blend_from(blend_text(styles[1:])) == styles[1:]
    later = text.replace(f'"gimp": {os.getppid()}', '"gimp": 1')
    for lost in (later, '[{"layer": 7}]', '[{"layer": -1}]', '[{"layer": true}]'):
        with pytest.raises(protocol.EngineError):
            blend_from(lost)


def test_a_folder_whose_name_is_no_text_is_kept(tmp_path):
    put_aside()  # what other tests have left
    folders = Folders(tmp_path / "style-folders.json")
    odd = tmp_path / os.fsdecode(b"odd \xff") if os.name == "posix" else tmp_path / "odd"
    folders.add(odd)
    folders.add(tmp_path / "plain")
    assert folders.read() == [odd, tmp_path / "plain"] and not put_aside()
    folders.remove(odd)
    assert folders.read() == [tmp_path / "plain"]


# --- notes --------------------------------------------------------------------------------------


def test_a_note_names_no_folder_and_comes_back_as_it_was_where_the_file_was_used(tmp_path):
    picture, chosen = tmp_path / "Jürgen's trip" / "a.jpg", Chosen(tmp_path / "own")
    picture.parent.mkdir()
    picture.write_bytes(b"a picture")
    file = StyleChoice(picture.as_uri(), name="A", weight=2.0, where="Sky")
    styles = (file, StyleChoice(layer=7, name="Sketch"))
    text = note_text(Choice(Settings(seed=7), styles, "Face"), Made(12, "Photo", (640, 480), "Sea"))
    assert "trip" not in text and str(tmp_path) not in text and "file:" not in text, text
    elsewhere = note_from(text, chosen.find)
    assert not elsewhere.choice.styles and elsewhere.lost == ("A",)
    chosen.used(styles)
    note = note_from(text, chosen.find)
    assert note.choice == Choice(Settings(seed=7), (file,), "Face") and not note.lost
    assert note.made == Made(12, "Photo", (640, 480), "Sea") and note.layers == ("Sketch",)


def test_a_file_is_found_by_what_is_in_it(tmp_path):
    chosen = Chosen(tmp_path / "own")
    old, new = tmp_path / "old" / "a.jpg", tmp_path / "new" / "a.jpg"
    for path in (old, new):
        path.parent.mkdir()
        path.write_bytes(b"picture" * 50_000)
    key = fingerprint(old.as_uri())
    assert len(key) == 32 and key == fingerprint(new.as_uri())
    chosen.folders.add(new.parent)
    assert chosen.find("a.jpg", key) == new.as_uri()
    assert not chosen.find("b.jpg", key) and not chosen.find("../old/b.jpg", key)
    chosen.used([StyleChoice(old.as_uri())])
    assert chosen.find("whatever.jpg", key) == old.as_uri(), "it was painted with"
    old.write_bytes(b"picture" * 49_999 + b"PICTURE")
    assert chosen.find("a.jpg", key) == new.as_uri(), "the old one is another picture now"
    new.write_bytes(b"another")
    assert not chosen.find("a.jpg", key)
    assert chosen.find("style-wave.jpg", key) == (SHIPPED / "style-wave.jpg").as_uri()


def test_what_cannot_be_read_has_no_fingerprint_and_is_not_remembered(tmp_path):
    pipe, gone = tmp_path / "pipe", tmp_path / "gone.jpg"
    os.mkfifo(pipe)
    known = Known(tmp_path / "known.json")
    known.add([pipe.as_uri(), gone.as_uri(), "http://[", "file:///dev/zero"])
    assert not known.uris() and not known.find("")


def test_a_note_of_an_earlier_version_names_addresses():
    old = {"seed": 7, "styles": [{"uri": "file:///a.jpg", "name": "A"}], "painted-layer": 3}
    note = note_from(json.dumps(old), lambda file, key: "file:///etc/passwd")
    assert note.choice == Choice(Settings(seed=7), (StyleChoice("file:///a.jpg", name="A"),))
    assert note.made == Made(3) and not note.lost


@pytest.mark.parametrize("size", [None, 7, [1], [1, 2, 3], [1.5, 2], [True, 1], ["a", 2]])
def test_a_size_that_is_none(size):
    assert note_from(json.dumps({"painted-size": size})).made == Made()


@pytest.mark.parametrize(
    "text",
    ["", "x", "[]", "7", "[" * 100_000, '{"name": "\\ud800"}', '{"seed": ' + "9" * 400 + "}"],
)
def test_what_is_no_note(text):
    with pytest.raises(ValueError):
        note_from(text)


@pytest.mark.parametrize("tattoo", [-1, 0, 2**40, True, "7", None, 1.5, [7]])
def test_a_tattoo_that_is_none(tattoo):
    assert note_from(json.dumps({"painted-layer": tattoo})).made.tattoo == 0


def test_a_hostile_note_names_what_it_likes_and_is_cut_short():
    uris = ["http://[", "file:///dev/zero", "x" * 100_000, "file:///a%00b", "smb://host/a"]
    styles = [{"uri": uri, "name": "n" * 10_000, "weight": 10**19} for uri in uris]
    note = note_from(json.dumps({"styles": styles * 100, "layers": ["l" * 10_000, 7]}))
    assert len(note.choice.styles) <= 32 and len(note.layers) == 1
    for style in note.choice.styles:
        assert len(style.uri) <= 4096 and len(style.name) <= 200 and style.weight == 1.0
        assert isinstance(title(style.uri), str) and not is_there(style)
        assert at_hand(style.uri) == style.uri


def test_only_what_was_chosen_here_is_read_without_asking(tmp_path):
    mine, other = tmp_path / "mine", tmp_path / "other"
    for folder in (mine, other):
        folder.mkdir()
        (folder / "a.jpg").write_bytes(b"a picture")
    (mine / "link.jpg").symlink_to(other / "a.jpg")
    chosen = Chosen(tmp_path / "own")
    stranger = StyleChoice((other / "a.jpg").as_uri())
    assert is_there(stranger) and not chosen.knows(stranger)
    chosen.folders.add(mine)
    assert chosen.knows(StyleChoice((mine / "a.jpg").as_uri()))
    assert chosen.knows(StyleChoice((mine / "link.jpg").as_uri()))  # which the user has made
    for path in ("mine/../other/a.jpg", "mine/deep/a.jpg", "mine"):
        assert not chosen.knows(StyleChoice(f"file://{tmp_path}/{path}"))
    for uri in ("http://[", "smb://host/a.jpg", "file:///dev/zero", ""):
        assert not chosen.knows(StyleChoice(uri))
    shipped = next(iter(pictures_in(SHIPPED)))
    assert chosen.knows(StyleChoice(shipped.as_uri())) and chosen.knows(StyleChoice(layer=7))
    chosen.used([stranger, StyleChoice(layer=7)])
    assert Chosen(tmp_path / "own").knows(stranger)


def test_what_a_script_has_painted_with_may_be_read_again_and_is_not_listed(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"a picture")
    style = StyleChoice((tmp_path / "a.jpg").as_uri())
    chosen = Chosen(tmp_path / "own")
    chosen.called([style, StyleChoice(layer=7)])
    again = Chosen(tmp_path / "own")
    assert again.knows(style) and again.recent.uris() == []
    again.used([style])
    assert again.recent.uris() == [style.uri]


# --- presets ------------------------------------------------------------------------------------


@pytest.fixture
def presets(tmp_path):
    return Presets(PLUGIN / "presets.json", tmp_path / "mine" / "presets.json")


def test_shipped_presets_are_valid_and_named_for_translation(presets):
    shipped = json.loads((PLUGIN / "presets.json").read_text())
    source = (PLUGIN / "widgets" / "preset_row.py").read_text()
    assert len(shipped) >= 4
    for name, values in shipped.items():
        assert Settings.from_dict(values).to_dict() == {**Settings().to_dict(), **values}, name
        assert set(values) <= set(Settings().to_dict()) - set(NO_LOOKS), name
        assert f'N_("{name}")' in source


def test_own_presets_are_kept_apart_from_shipped_ones(presets, tmp_path):
    shipped = list(presets.shipped())
    mine = Settings(strength=91.0, device="cpu")
    presets.save("Mine", mine)
    presets.save(shipped[1], Settings(strength=12.0))
    assert list(presets.own()) == ["Mine", shipped[1]]
    assert list(presets.shipped()) == [shipped[0], *shipped[2:]]
    again = Presets(PLUGIN / "presets.json", tmp_path / "mine" / "presets.json")
    assert again.own()["Mine"].strength == 91.0
    assert again.own()[shipped[1]].strength == 12.0
    again.delete(shipped[1])
    assert presets.shipped()[shipped[1]].strength != 12.0


TIME_AND_MACHINE = {"preset": "best", "size": 2048, "iterations": 77, "device": "cuda:1"}


def test_a_preset_is_a_look_and_leaves_time_and_machine_alone(presets, tmp_path):
    presets.save("Mine", Settings(strength=91.0, preset="classic", size=300, iterations=9))
    got = with_look(Settings(shapes=3.0, **TIME_AND_MACHINE), presets.own()["Mine"])
    assert got == Settings(strength=91.0, **TIME_AND_MACHINE)
    assert json.loads((tmp_path / "mine" / "presets.json").read_text()) == {
        "Mine": {"strength": 91.0}
    }


def test_what_an_old_file_of_presets_says_about_time_and_machine_is_passed_over(presets, tmp_path):
    old = {"Mine": {"strength": 12.0, "preset": "draft", "size": 640, "device": "mps"}}
    write_json(tmp_path / "mine" / "presets.json", old)
    got = with_look(Settings(**TIME_AND_MACHINE), presets.own()["Mine"])
    assert got == Settings(strength=12.0, **TIME_AND_MACHINE) and not put_aside()
    assert all(look == with_look(Settings(), look) for look in presets.shipped().values())


# --- styles -------------------------------------------------------------------------------------


def test_recent_styles_come_newest_first(tmp_path):
    recent = Recent(tmp_path / "recent.json")
    for number in range(MOST_RECENT + 3):
        recent.add([f"file:///{number}.jpg"])
    recent.add(["file:///5.jpg"])
    assert recent.uris()[:2] == ["file:///5.jpg", f"file:///{MOST_RECENT + 2}.jpg"]
    assert len(recent.uris()) == MOST_RECENT == len(set(recent.uris()))


def test_favourites_are_kept_and_may_be_read_again(tmp_path):
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"a picture")
    style = StyleChoice(picture.as_uri())
    chosen = Chosen(tmp_path / "own")
    for uri in ("file:///b.jpg", style.uri, "file:///c.jpg", "file:///b.jpg"):
        chosen.favorites.set(uri, True)
    chosen.favorites.set("file:///c.jpg", False)
    again = Chosen(tmp_path / "own")
    assert again.favorites.uris() == [style.uri, "file:///b.jpg"] and again.knows(style)
    assert again.recent.uris() == []
    (tmp_path / "own" / "favorite-styles.json").write_text('{"no": "list"}')
    assert again.favorites.uris() == []


def test_folders_hold_pictures_only(tmp_path):
    folder = tmp_path / "Großer Ordner"
    folder.mkdir()
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden"):
        (folder / name).write_bytes(b"x")
    (folder / "sub.jpg").mkdir()
    assert [path.name for path in pictures_in(folder)] == ["a.png", "b.JPG"]
    assert pictures_in(tmp_path / "gone") == []
    kept = Folders(tmp_path / "folders.json")
    kept.add(folder)
    kept.add(folder)
    kept.add(tmp_path)
    assert kept.read() == [folder, tmp_path]
    kept.remove(folder)
    assert kept.read() == [tmp_path] and folder.is_dir()


def test_shipped_styles_have_names_for_people(tmp_path):
    assert choice_of(tmp_path / "style-wave.jpg").name == "Wave"
    own = choice_of(tmp_path / "Großer Stil.png")
    assert own.name == "Großer Stil" and own.uri.startswith("file:///")


def test_every_shipped_style_has_a_name():
    sys.path.insert(0, str(REPO / "install"))
    import samples

    assert set(TITLES) == {f"style-{module}" for module in samples.STYLES.values()}
    assert {path.stem for path in pictures_in(SHIPPED)} == set(TITLES)


def test_a_shipped_style_is_found_again_wherever_the_filter_lies(tmp_path):
    elsewhere = (tmp_path / "old place/styles/style-wave.jpg").as_uri()
    assert at_hand(elsewhere) == (SHIPPED / "style-wave.jpg").as_uri()
    theirs = (tmp_path / "style-mine.jpg").as_uri()
    assert at_hand(theirs) == theirs and at_hand("") == ""


# --- the report -----------------------------------------------------------------------------------


def test_the_report_tells_all_but_who_the_user_is(tmp_path):
    home = "/home/jane.doe"
    log = tmp_path / "engine.log"
    lines = [f"line {n} {home}/pictures/x.jpg of jane.doe, janedoes too" for n in range(100)]
    log.write_text("\n".join(lines))
    text = report.compose(
        f"The style {home}/a.jpg is empty.",
        {"GIMP": "3.0.4"},
        {"version": "1.2", "devices": {"cpu": "CPU, 2 threads"}, "features": "VGG19"},
        {"strength": 50.0},
        log,
        {"HOME": home, "USER": "jane.doe"},
    )
    assert "jane.doe" not in text and "~/pictures/x.jpg of user, janedoes too" in text
    assert "GIMP: 3.0.4" in text and "CPU, 2 threads" in text and '"strength": 50.0' in text
    assert "line 99" in text and "line 59" not in text


def test_a_report_without_a_log(tmp_path):
    text = report.compose("x", {}, {}, {}, tmp_path / "none.log", {})
    assert "Engine: not started" in text


# --- the download ---------------------------------------------------------------------------------


def installed(tmp_path, url):
    env = environment(STYLEENGINE_HOME=str(tmp_path / "home"), STYLEENGINE_WEIGHTS_URL=url)
    return Installed(tuple(command("serve")), env, tmp_path / "log")


def test_the_download_is_done_by_the_engine_that_serves():
    remote = ["ssh", "box", "styleengine", "serve"]
    assert fetch_command(remote)[:4] == ["ssh", "box", "styleengine", "weights"]
    with pytest.raises(protocol.EngineError, match="cannot download"):
        fetch_command(["wrapper.sh"])


def test_the_download_tells_how_far_it_is_and_can_be_cancelled(tmp_path):
    body = os.urandom(3 << 20)
    with serving(Site(body, hold_after=1 << 20)) as site:
        fetch = Fetch(installed(tmp_path, f"{site.url()}#sha256={'0' * 64}"))
        wait_until(lambda: fetch.state.done >= 1 << 20)
        assert fetch.state.total == len(body) and not fetch.finished()
        pid = fetch.pid
        fetch.cancel()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        with pytest.raises(protocol.EngineError):
            fetch.finished()


def test_a_download_that_fails_says_why(tmp_path):
    with serving(Site(b"not the network", status=404)) as site:
        fetch = Fetch(installed(tmp_path, f"{site.url()}#sha256={'0' * 64}"))
        with pytest.raises(protocol.EngineError) as caught:
            wait_until(fetch.finished)
    assert caught.value.code == "download" and "404" in caught.value.message
    assert "Try again" in caught.value.hint


def test_offline_is_told_in_the_users_language(tmp_path):
    fetch = Fetch(installed(tmp_path, f"http://no-such-host.invalid/x#sha256={'0' * 64}"))
    with pytest.raises(protocol.EngineError) as caught:
        wait_until(fetch.finished)
    texts.use(["de"])
    try:
        said = explained(caught.value)
    finally:
        texts.use(["C"])
    assert "no-such-host.invalid" in said and "Internetverbindung" in said
    assert "cannot" not in said and "failed" not in said


def test_a_file_that_is_no_network_is_refused_in_the_users_language(tmp_path):
    file = tmp_path / "Ein Netz.h5"
    file.write_bytes(b"no network")
    fetch = Fetch(installed(tmp_path, ""), file)
    with pytest.raises(protocol.EngineError) as caught:
        wait_until(fetch.finished)
    assert caught.value.code == "import" and "Ein Netz.h5" in caught.value.message
    assert "another file" in caught.value.hint and "Error" not in caught.value.message


@pytest.mark.slow
@pytest.mark.skipif(
    not WEIGHTS.endswith(".h5"), reason="STYLEENGINE_WEIGHTS names no Keras file to take over"
)
def test_a_file_of_the_users_makes_the_engine_pretrained(tmp_path):
    engine = installed(tmp_path, "")
    fetch = Fetch(engine, Path(WEIGHTS))
    wait_until(fetch.finished)
    assert (data_dir(engine.environment) / "weights" / "vgg19.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.skipif(
    not WEIGHTS.endswith(".h5"),
    reason="STYLEENGINE_WEIGHTS names no Keras file to download from this machine",
)
def test_the_whole_download_makes_the_engine_pretrained(tmp_path):
    body = Path(WEIGHTS).read_bytes()
    with serving(Site(body)) as site:
        url = f"{site.url()}#sha256={hashlib.sha256(body).hexdigest()}"
        engine = installed(tmp_path, url)
        stored = data_dir(engine.environment) / "weights" / "vgg19.safetensors"
        assert not stored.exists()
        fetch = Fetch(engine)
        wait_until(fetch.finished)
    assert stored.is_file()
