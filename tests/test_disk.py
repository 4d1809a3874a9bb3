"""The user's own files, whatever has happened to them, and files that are none."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from disk.private import plain_json, put_aside, read_json, write_json
from disk.regular import is_regular, local_path, open_regular, read_regular
from engine import installed
from styleengine import protocol

REPO = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


@pytest.fixture(autouse=True)
def nothing_put_aside():
    put_aside()


BAD = {
    "nested": "[" * 100_000,
    "nested and closed": "[" * 400 + "]" * 400,
    "half a character": '["\\ud800"]',
    "half a character as a name": '{"\\udc00": 1}',
    "NUL": '{"uri": "file:///a\\u0000b"}',
    "400 digits": "9" * 400,
    "infinite": "1e999",
    "NaN": '{"strength": NaN}',
    "no JSON": "{",
    "empty": "",
}


@pytest.mark.parametrize("name", BAD)
def test_json_that_no_widget_takes_is_refused(name):
    with pytest.raises(ValueError):
        plain_json(BAD[name])


def test_json_that_makes_sense_is_taken():
    value = {"a": [1, -2.5, True, None, "é 强度"], "b": {"c": 2**31 - 1}}
    assert plain_json(json.dumps(value)) == plain_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_makes_no_sense_is_put_aside_and_not_lost(tmp_path, name):
    path = tmp_path / "presets.json"
    for number in (1, 2):
        path.write_text(BAD[name])
        assert read_json(path) is None and not path.exists()
        other = tmp_path / f"presets.json.unreadable-{number}"
        assert other.read_text() == BAD[name] and put_aside() == [other] and not put_aside()
    write_json(path, {"mine": 1})
    assert read_json(path) == {"mine": 1} and not put_aside()


@posix
@pytest.mark.timeout(60)
def test_what_is_no_regular_file_is_never_opened(tmp_path):
    pipe = tmp_path / "settings.json"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), Path("/dev/stdin"), tmp_path):
        with pytest.raises(OSError):
            open_regular(path)
        assert not is_regular(path.as_uri())
    assert read_json(pipe) is None and put_aside()
    plain = tmp_path / "plain"
    plain.write_bytes(b"12345")
    (tmp_path / "link").symlink_to(plain)
    assert read_regular(tmp_path / "link", 5) == b"12345" and is_regular(plain.as_uri())
    with pytest.raises(OSError):
        read_regular(plain, 4)
    assert read_json(tmp_path / "nothing") is None and not put_aside()


@posix
@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c.jpg", "/a/b c.jpg"),
        ("file://localhost/a", "/a"),
        ("file://server/a", None),
        ("http://example.org/a", None),
        ("sftp://example.org/a", None),
        ("http://[", None),
        ("file://[/a", None),
        ("file:///a%00b", None),
        ("a/b.jpg", None),
        ("", None),
    ],
)
def test_only_local_files_have_a_path(uri, path):
    assert local_path(uri) == (Path(path) if path else None)
    assert not is_regular(uri)


@posix
def test_nobody_else_reads_what_is_kept(tmp_path):
    path = tmp_path / "home" / "deep" / "settings.json"
    write_json(path, {"a": 1})
    for each, mode in ((path, 0o600), (path.parent, 0o700), (path.parents[1], 0o700)):
        assert stat.S_IMODE(each.stat().st_mode) == mode
    log = installed.write_log(tmp_path / "home" / "logs" / "engine.log", "a line")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


FULL = """
import resource, signal, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[3]]
from disk.private import write_json
from engine.installed import write_log
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
folder = Path(sys.argv[1])
write_json(folder / "settings.json", {"a": "much more than fits"})
write_log(folder / "engine.log", "a line that does not fit")
print("alive")
"""


@posix
def test_a_full_disk_loses_nothing_and_stops_nothing(tmp_path):
    path = tmp_path / "settings.json"
    write_json(path, {"a": "before"})
    folders = [REPO / "gimp_plugin" / "neural_style", REPO / "styleengine"]
    command = [sys.executable, "-c", FULL, tmp_path, *folders]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "alive\n", done.stderr
    assert read_json(path) == {"a": "before"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["engine.log", "settings.json"]


@posix
def test_a_log_that_cannot_be_written_goes_where_nobody_has_laid_a_link(tmp_path, monkeypatch):
    spare = tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spare))
    monkeypatch.setattr(installed, "_spare_log", None)
    (tmp_path / "file").write_text("")
    victim = tmp_path / "victim"
    (spare / f"{installed.APP}-{os.getpid()}.log").symlink_to(victim)
    for name in ("file/engine.log", "file/other.log"):
        log = installed.write_log(tmp_path / name, name)
        assert log.parent == spare and name in log.read_text() and not log.is_symlink()
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert not victim.exists()
    pipe = tmp_path / "pipe.log"
    os.mkfifo(pipe)
    assert installed.write_log(pipe, "a line") == log
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    monkeypatch.setattr(installed, "_spare_log", None)
    assert installed.write_log(tmp_path / "file" / "engine.log", "lost") == Path(os.devnull)


@posix
@pytest.mark.parametrize("bad", ["nested", "half a character", "400 digits", "pipe"])
@pytest.mark.timeout(60)
def test_a_bad_engine_json_is_said(tmp_path, bad):
    path = tmp_path / "engine.json"
    if bad == "pipe":
        os.mkfifo(path)
    else:
        path.write_text(BAD[bad])
    with pytest.raises(protocol.EngineError) as caught:
        installed.find(tmp_path, {"HOME": str(tmp_path)})
    assert caught.value.code == "engine-missing" and "engine.json" in caught.value.message


@posix
def test_a_program_that_anybody_may_change_is_not_started(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "engine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "engine.json").write_text(json.dumps({"command": [str(program), "serve"]}))
    home = {"STYLEENGINE_HOME": str(tmp_path / "home")}
    assert installed.find(tmp_path, home).command[0] == str(program)
    for each, mode, usual in ((folder, 0o777, 0o755), (program, 0o777, 0o755)):
        each.chmod(mode)
        with pytest.raises(protocol.EngineError, match="not started"):
            installed.find(tmp_path, home)
        each.chmod(usual)
    folder.chmod(0o1777)  # nobody but its owner can change a file in there
    assert installed.find(tmp_path, home).command[0] == str(program)
