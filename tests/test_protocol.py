"""The contract between the two processes: frames, settings, messages; and who may import what."""

from __future__ import annotations

import ast
import dataclasses
import io
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from styleengine.protocol import (
    MAX_HEADER,
    MAX_PAYLOAD,
    PROTOCOL,
    EngineError,
    PictureSpec,
    Progress,
    Settings,
    check_protocol,
    message,
    picture_spec,
    progress_from,
    read_frame,
    write_frame,
)
from tests.patience import DEADLINE

PACKAGE = Path(__file__).resolve().parents[1] / "styleengine"


# --- frames ---------------------------------------------------------------------------------------


def test_frames_come_back_as_they_were_sent():
    stream = io.BytesIO()
    tricky = bytes(range(256)) + b'\n{"type":"fake"}\n'
    write_frame(stream, {"type": "a", "text": "Grüße\n\u2028 \U0001f600", "n": 1.5})
    write_frame(stream, {"type": "b", "id": "7"}, tricky)
    write_frame(stream, {"type": "c"}, memoryview(bytearray(b"\x01\x02\x03\x04")).cast("H"))
    write_frame(stream, {"type": "d"}, b"")
    stream.seek(0)
    assert read_frame(stream) == ({"type": "a", "text": "Grüße\n\u2028 \U0001f600", "n": 1.5}, b"")
    assert read_frame(stream) == ({"type": "b", "id": "7", "payload": len(tricky)}, tricky)
    assert read_frame(stream) == ({"type": "c", "payload": 4}, b"\x01\x02\x03\x04")
    assert read_frame(stream) == ({"type": "d", "payload": 0}, b"")
    assert read_frame(stream) is None


def test_a_header_is_one_line_of_ascii():
    stream = io.BytesIO()
    write_frame(stream, {"type": "a", "text": "ü\r\n\x85\u2029"})
    line = stream.getvalue()
    assert line.count(b"\n") == 1 and line.endswith(b"\n") and line.isascii()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_json_does_not_know_are_not_sent(value):
    stream = io.BytesIO()
    with pytest.raises(ValueError, match="JSON"):
        write_frame(stream, {"type": "a", "loss": value})
    assert stream.getvalue() == b""


@pytest.mark.parametrize(
    "data",
    [
        b"hello\n",
        b"[1,2]\n",
        b'"type"\n',
        b"{}\n",
        b'{"type":3}\n',
        b'{"type":"a"}',
        b'{"type":"a","payload":4}\nabc',
        b'{"type":"a","payload":-1}\n',
        b'{"type":"a","payload":true}\nx',
        b'{"type":"a","payload":"4"}\nabcd',
        b'{"type":"a","payload":1e3}\n',
        b'{"type":"a","payload":%d}\n' % (MAX_PAYLOAD + 1),
        b'{"type":"' + b"a" * MAX_HEADER + b'"}\n',
        b"\xff\xfe\n",
        b"\n",
        b"[" * 50_000 + b"\n",
    ],
    ids=range(16),
)
def test_what_is_no_frame_is_refused(data):
    with pytest.raises(EngineError) as caught:
        read_frame(io.BytesIO(data))
    assert caught.value.code == "protocol"
    assert len(str(caught.value)) < 500


# --- settings -------------------------------------------------------------------------------------


def test_every_setting_says_all_a_user_interface_needs():
    for field in dataclasses.fields(Settings):
        meta = field.metadata
        assert meta["label"] and meta["help"].endswith("."), field.name
        assert type(field.default) in (int, float, str)
        if type(field.default) is str:
            assert meta["low"] is None and meta["high"] is None
            if meta["choices"]:
                assert field.default in meta["choices"] and all(meta["choices"].values())
        else:
            assert meta["low"] <= field.default <= meta["high"]


def test_settings_survive_the_wire():
    settings = Settings(preset="best", strength=12.5, size=640, seed=2**31 - 1, postprocess="a,b")
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_unknown_settings_are_ignored_and_missing_ones_take_their_defaults():
    assert Settings.from_dict({"strength": 70, "of_a_newer_plug_in": [1]}) == Settings(strength=70)


def test_numbers_take_the_type_of_their_setting():
    settings = Settings(strength=30, size=64.0)
    assert type(settings.strength) is float
    assert type(settings.size) is int


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("preset", "quick"),
        ("preset", None),
        ("strength", 100.5),
        ("strength", -1),
        ("strength", math.nan),
        ("strength", math.inf),
        ("strength", "50"),
        ("strength", True),
        ("size", 64.5),
        ("size", -1),
        ("size", 16385),
        ("seed", 2**31),
        ("features", 3),
        ("keep_colors", True),
    ],
)
def test_bad_settings_are_named_with_their_range(name, value):
    with pytest.raises(EngineError) as caught:
        Settings(**{name: value})
    assert caught.value.code == "bad-setting"
    assert caught.value.message.startswith(name.replace("_", "-"))
    assert repr(value) in caught.value.message


def test_the_range_of_a_setting_is_written_out_and_a_number_of_any_length_refused():
    with pytest.raises(EngineError, match="between 0 and 2147483647, not -1"):
        Settings(seed=-1)
    for name in ("size", "strength"):
        with pytest.raises(EngineError, match=r"not -1\.000e\+5000"):
            Settings(**{name: -(10**5000)})


# --- messages -------------------------------------------------------------------------------------


def test_progress_survives_the_wire_and_newer_fields():
    progress = Progress("paint", 2, 3, 5, 10, 64, 48, 1.5, 20.0)
    header = json.loads(json.dumps(message(progress, id="1", mood="good")))
    assert header["type"] == "progress"
    assert header["id"] == "1"
    assert progress_from(header) == progress
    assert progress.fraction == 0.5
    assert Progress("prepare").fraction == 0.0


@pytest.mark.parametrize("dtype", ["u8", "u16", "f32"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (3000, 2001), (2_000_000, 3), (5, 100_000)])
def test_strips_cover_the_picture_once_and_stay_small(width, height, dtype):
    spec = PictureSpec(width, height, dtype)
    assert spec.row_bytes == width * 4 * {"u8": 1, "u16": 2, "f32": 4}[dtype]
    row = 0
    for y, rows in spec.strips():
        assert y == row and rows >= 1
        assert rows == 1 or rows * spec.row_bytes <= 4 << 20
        row += rows
    assert row == height


@pytest.mark.parametrize(
    "header",
    [
        None,
        [],
        "640x480",
        {},
        {"width": 4},
        {"width": 0, "height": 4},
        {"width": -4, "height": 4},
        {"width": 4.0, "height": 4},
        {"width": "4", "height": 4},
        {"width": 4, "height": 4, "dtype": "f64"},
        {"width": 4, "height": 4, "dtype": ["u8"]},
        {"width": 4, "height": 4, "dtype": None},
    ],
)
def test_what_describes_no_picture_is_refused(header):
    with pytest.raises(EngineError) as caught:
        picture_spec(header)
    assert caught.value.code == "protocol"


def test_a_picture_spec_ignores_newer_fields():
    spec = picture_spec({"width": 4, "height": 5, "dtype": "u16", "gamma": 1})
    assert spec == PictureSpec(4, 5, "u16")
    assert picture_spec({"width": 4, "height": 5}).dtype == "u8"


@pytest.mark.parametrize(
    ("theirs", "engine_is_asking", "old"),
    [
        (PROTOCOL - 1, True, "GIMP plug-in"),
        (PROTOCOL + 1, True, "engine"),
        (None, True, "GIMP plug-in"),
        (PROTOCOL - 1, False, "engine"),
        (PROTOCOL + 1, False, "GIMP plug-in"),
        ("x", False, "engine"),
    ],
)
def test_a_mismatch_says_which_side_is_old(theirs, engine_is_asking, old):
    with pytest.raises(EngineError) as caught:
        check_protocol(theirs, engine_is_asking=engine_is_asking)
    assert caught.value.code == "protocol-version"
    assert caught.value.message.startswith(f"The {old} is older than the ")
    assert "install" in caught.value.hint


def test_the_same_protocol_is_accepted():
    check_protocol(PROTOCOL, engine_is_asking=True)
    check_protocol(PROTOCOL, engine_is_asking=False)


def test_an_error_reads_as_its_message_and_the_next_step():
    assert str(EngineError("x", "It broke.", "Mend it.")) == "It broke. Mend it."
    assert str(EngineError("x", "It broke.")) == "It broke."


# --- who may import what --------------------------------------------------------------------------

HEAVY = {"torch", "torchvision", "scipy", "h5py"}


@pytest.mark.parametrize(
    "module",
    [
        "styleengine",
        "styleengine.protocol",
        "styleengine.command.cli",
        "styleengine.machine.devices",
        "styleengine.pictures.files",
        "styleengine.weights.store",
        "styleengine.plugins.registry",
        "styleengine.serving.server",
    ],
)
def test_importing_does_not_load_torch(module):
    code = f"import sys, {module}; print(*{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE,
    )
    assert not HEAVY & set(done.stdout.split())


def test_the_protocol_works_alone_on_the_standard_library(tmp_path):
    copy = tmp_path / "engine_protocol.py"
    copy.write_bytes((PACKAGE / "protocol.py").read_bytes())
    code = (
        "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1])\n"
        "import engine_protocol; engine_protocol.Settings()\n"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before}\n"
        "print(*(new - sys.stdlib_module_names - {'engine_protocol'}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_the_protocol_is_valid_for_the_oldest_python_of_gimp():
    ast.parse((PACKAGE / "protocol.py").read_text(encoding="utf-8"), feature_version=(3, 9))


def test_only_the_command_line_prints():
    printing = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "print"
            ):
                printing.add(path.name)
    assert printing <= {"terminal.py"}


def test_the_package_gives_its_public_names():
    import styleengine

    assert all(getattr(styleengine, name) is not None for name in styleengine.__all__)
    with pytest.raises(AttributeError):
        _ = styleengine.nothing_of_the_kind
    assert (PACKAGE / "py.typed").exists()
