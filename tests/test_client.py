"""The plug-in's client against a scripted engine and against processes that really fail."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from engine import client as engine_client
from engine import installed
from engine.client import EngineClient
from engine.events import Cancelled, Done, Idle, PictureSoFar, Sent
from engine.job import Job, State
from engine.request import Mask, Request, StyleFile, StylePixels
from engine.wording import describe
from styleengine import protocol
from styleengine.machine import folders
from tests.patience import wait_until

REPO = Path(__file__).resolve().parent.parent
PLUGIN = REPO / "gimp_plugin" / "neural_style"

FAKE = REPO / "tests" / "fake_engine.py"
posix = pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")


@pytest.fixture
def home(tmp_path):
    return {"STYLEENGINE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}


@pytest.fixture
def fake(home, tmp_path):
    """Starts the scripted engine in a mode; the engines end with the test."""
    started = []

    def start(mode="", handshake_s=60.0, dump=None, **options):
        words = [sys.executable, str(FAKE)]
        words += ["--dump", str(dump)] if dump else []
        words += [mode] if mode else []
        record = {"command": words, "protocol": protocol.PROTOCOL}
        folder = tmp_path / "installed"
        folder.mkdir(exist_ok=True)
        (folder / "engine.json").write_text(json.dumps(record))
        client = EngineClient(installed.find(folder, home), handshake_s, **options)
        started.append(client)
        return client

    yield start
    for client in started:
        client.close()


def content(height=5, width=3):
    spec = protocol.PictureSpec(width, height, "u8")
    data = bytes(range(spec.height * spec.row_bytes))
    strips = [(y, 1, data[y * spec.row_bytes : (y + 1) * spec.row_bytes]) for y in range(height)]
    return spec, data, strips


def request(style=b"a picture", preview=0, **settings):
    spec, _, strips = content()
    chosen = protocol.Settings(**settings)
    return Request(chosen, spec, iter(strips), (StyleFile(style),), preview)


def collect(events):
    passing = (Idle, Sent)
    return [event for event in events if not isinstance(event, passing)]


def failure(client, style=b"a picture"):
    with pytest.raises(protocol.EngineError) as caught:
        collect(client.run(request(style)))
    return caught.value


def test_a_run_sends_the_pictures_and_returns_the_result(fake, tmp_path):
    client = fake(dump=tmp_path / "dump")
    events = collect(client.run(request(strength=70.0, preview=64)))

    names = [type(event).__name__ for event in events]
    assert names == ["Progress"] * 3 + ["PictureSoFar", "ResultStart", "ResultStrip", "Done"]
    assert [event.step for event in events[:3]] == [1, 2, 3]
    spec, data, _ = content()
    expected = bytes(v if i % 4 == 3 else 255 - v for i, v in enumerate(data))
    assert events[3] == PictureSoFar(spec.width, spec.height, expected)
    assert (events[4].spec, events[5].data) == (spec, expected)
    sent = json.loads((tmp_path / "dump" / "run.json").read_bytes())
    assert sent["settings"]["strength"] == 70.0
    assert (tmp_path / "dump" / "content.raw").read_bytes() == data
    assert (tmp_path / "dump" / "style.raw").read_bytes() == b"a picture"


def test_one_engine_does_several_runs(fake):
    client = fake()
    for _ in range(2):
        assert type(collect(client.run(request()))[-1]) is Done
    assert client.process.is_alive


def test_a_style_can_travel_as_pixels(fake, tmp_path):
    client = fake(dump=tmp_path / "dump")
    spec, data, strips = content(height=2)
    style = StylePixels(spec, strips)
    main, _, rows = content()
    collect(client.run(Request(protocol.Settings(), main, rows, (style,))))
    assert (tmp_path / "dump" / "style.raw").read_bytes() == data
    sent = json.loads((tmp_path / "dump" / "run.json").read_bytes())
    assert sent["styles"] == [{"name": "", "width": 3, "height": 2, "dtype": "u8"}]


def test_styles_travel_with_weights_and_masks(fake, tmp_path):
    client = fake(dump=tmp_path / "dump")
    spec, _data, strips = content(height=2)
    halves = Mask(2, 2, [(0, 1, b"\x00\xff"), (1, 1, b"\x80\x01")])
    styles = (
        StyleFile(b"a picture", "one", weight=2.0, mask=halves),
        StylePixels(spec, strips, "two"),
    )
    main, _, rows = content()
    collect(client.run(Request(protocol.Settings(), main, rows, styles)))
    sent = json.loads((tmp_path / "dump" / "run.json").read_bytes())
    mask = {"width": 2, "height": 2, "dtype": "u8", "channels": 1}
    assert sent["styles"] == [
        {"name": "one", "weight": 2.0, "mask": mask},
        {"name": "two", "width": 3, "height": 2, "dtype": "u8"},
    ]
    assert (tmp_path / "dump" / "mask-0.raw").read_bytes() == b"\x00\xff\x80\x01"
    assert not (tmp_path / "dump" / "mask-1.raw").exists()


def test_what_is_held_travels_as_a_mask(fake, tmp_path):
    client = fake(dump=tmp_path / "dump")
    main, _, rows = content()
    held = Mask(2, 2, [(0, 1, b"\x00\xff"), (1, 1, b"\x80\x01")])
    styles = (StyleFile(b"a picture"),)
    collect(client.run(Request(protocol.Settings(), main, rows, styles, hold=held)))
    sent = json.loads((tmp_path / "dump" / "run.json").read_bytes())
    assert sent["hold"] == {"width": 2, "height": 2, "dtype": "u8", "channels": 1}
    assert (tmp_path / "dump" / "mask-hold.raw").read_bytes() == b"\x00\xff\x80\x01"


def test_an_engine_that_cannot_hold_is_not_asked_to(fake, tmp_path):
    client = fake("holds-nothing", dump=tmp_path / "dump")
    main, _, rows = content()
    held = Mask(1, 1, [(0, 1, b"\xff")])
    work = Request(protocol.Settings(), main, rows, (StyleFile(b"a picture"),), hold=held)
    with pytest.raises(protocol.EngineError, match="older than the plug-in") as caught:
        collect(client.run(work))
    assert caught.value.code == "old-engine"
    assert not (tmp_path / "dump" / "run.json").exists()
    assert type(collect(client.run(request()))[-1]) is Done


def test_a_stop_ends_the_sending_of_a_picture(fake, tmp_path):
    client = fake(dump=tmp_path / "dump")
    spec, _data, strips = content()
    asked = []

    def slowly():
        for number, strip in enumerate(strips):
            if number == 2:
                client.stop(keep=False)
            asked.append(number)
            yield strip

    style = (StyleFile(b"a picture"),)
    events = collect(client.run(Request(protocol.Settings(), spec, slowly(), style)))
    assert type(events[-1]) is Cancelled and asked == [0, 1, 2]
    assert type(collect(client.run(request()))[-1]) is Done


@pytest.mark.parametrize("keep", [True, False])
def test_stop_keeps_the_picture_or_drops_it(fake, keep):
    client = fake()
    events, told = [], False
    for event in client.run(request(b"fake:wait")):
        events.append(event)
        if isinstance(event, protocol.Progress) and not told:
            client.stop(keep)
            told = True
    assert type(events[-1]) is (Done if keep else Cancelled)


def test_the_engine_ends_when_the_client_closes(fake):
    client = fake()
    run = client.run(request(b"fake:wait"))
    while not isinstance(next(run), protocol.Progress):
        pass
    pid = client.process.pid
    client.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert threading.active_count() == 1 or not any(t.is_alive() for t in client.process._threads)


def test_an_engine_that_ignores_the_end_of_its_input_is_killed(fake):
    client = fake("mute")
    pid = client.process.pid
    client.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# --- failures ----------------------------------------------------------------------------------


def test_no_engine(home, tmp_path):
    with pytest.raises(protocol.EngineError) as caught:
        engine_client.start(tmp_path, home)
    assert caught.value.code == "engine-missing"
    assert "not installed" in caught.value.message and "Set Up, Repair" in caught.value.hint


@pytest.mark.parametrize(
    "record",
    ["", "[]", "{}", '{"command": []}', '{"command": "x"}', '{"command": [1]}', "\xff\xfe"],
)
def test_a_broken_engine_record(home, tmp_path, record):
    (tmp_path / "engine.json").write_text(record, encoding="latin-1")
    with pytest.raises(protocol.EngineError) as caught:
        installed.find(tmp_path, home)
    assert caught.value.code == "engine-missing" and "Set Up, Repair" in caught.value.hint


def test_an_engine_that_was_removed(home, tmp_path):
    gone = str(tmp_path / "venv" / "bin" / "python")
    (tmp_path / "engine.json").write_text(json.dumps({"command": [gone]}))
    with pytest.raises(protocol.EngineError) as caught:
        installed.find(tmp_path, home)
    assert gone in caught.value.message


@posix
def test_an_engine_that_is_no_program(home, tmp_path):
    program = tmp_path / "program"
    program.write_bytes(b"\x00not a program")
    program.chmod(0o755)
    (tmp_path / "engine.json").write_text(json.dumps({"command": [str(program)]}))
    with pytest.raises(protocol.EngineError) as caught:
        engine_client.start(tmp_path, home)
    assert "could not be started" in caught.value.message


def test_the_command_from_the_environment(home, tmp_path):
    home["STYLEENGINE_COMMAND"] = f"'{sys.executable}' '{FAKE}' mute"
    assert installed.find(tmp_path, home).command == (sys.executable, str(FAKE), "mute")
    home["STYLEENGINE_COMMAND"] = "'unclosed"
    with pytest.raises(protocol.EngineError, match="STYLEENGINE_COMMAND"):
        installed.find(tmp_path, home)


def test_an_engine_that_dies_at_the_start_is_quoted(fake):
    problem = failure(fake("die-at-start"))
    assert problem.code == "engine-died"
    assert "while it was starting: ModuleNotFoundError: No module named 'torch'" in problem.message
    log = Path(problem.hint.rsplit("Details: ", 1)[1])
    assert "Traceback" in log.read_text()


def test_an_engine_that_exits_is_quoted(fake):
    assert failure(fake("chatty-exit")).message.endswith("while it was starting: leaving.")


def test_a_crash_during_the_run_is_quoted(fake):
    problem = failure(fake(), b"fake:die")
    assert problem.message.endswith("while it was working: RuntimeError: the brush broke.")


def test_a_crash_amid_the_result(fake):
    assert "out of paint" in failure(fake(), b"fake:half-result").message


def test_an_engine_that_leaves_early(fake):
    assert failure(fake(), b"fake:quit").message.endswith("while it was working.")


LIES = [
    "garbage",
    "wrong-strip",
    "two-results",
    "one-channel",
    "not-a-number",
    "odd-preview",
    "odd-progress",
]


@posix
@pytest.mark.parametrize("mode", ["kill", "killed-at-start"])
def test_a_killed_engine_suggests_memory(fake, mode):
    client = fake(mode) if mode == "killed-at-start" else fake()
    problem = failure(client, f"fake:{mode}".encode())
    assert problem.code == "engine-killed"
    assert "memory" in problem.message and "smaller working size" in problem.hint


@posix
def test_an_engine_killed_from_outside(fake):
    client = fake()
    with pytest.raises(protocol.EngineError) as caught:
        for event in client.run(request(b"fake:wait")):
            if isinstance(event, protocol.Progress):
                os.kill(client.process.pid, signal.SIGKILL)
    assert caught.value.code == "engine-killed"


@posix
def test_a_segmentation_fault_is_named(fake):
    assert "SIGSEGV" in failure(fake(), b"fake:segfault").message
    assert "signal" in failure(fake(), b"fake:real-time-signal").message


def test_memory_error(fake):
    assert failure(fake(), b"fake:memory").code == "out-of-memory"


@pytest.mark.parametrize("mode", LIES)
def test_nonsense_in_the_run(fake, mode):
    problem = failure(fake(), f"fake:{mode}".encode())
    assert problem.code == "protocol" and "Details: " in problem.hint


def test_nonsense_at_the_start(fake):
    problem = failure(fake("garbage-at-start"))
    assert problem.code == "protocol"
    assert "not a frame" in Path(problem.hint.rsplit("Details: ", 1)[1]).read_text()


def test_an_engine_that_says_nothing(fake):
    problem = failure(fake("mute", handshake_s=0.5))
    assert problem.code == "engine-stalled" and "0.5 seconds" in problem.message


@posix
def test_an_engine_that_hangs_is_told_from_one_that_works(fake):
    problem = failure(fake(silence_s=1.0), b"fake:hang")
    assert problem.code == "engine-stalled" and "stopped answering" in problem.message
    assert "Details: " in problem.hint
    events = collect(fake(silence_s=1.5).run(request(b"fake:busy")))
    assert type(events[-1]) is Done


@posix
@pytest.mark.parametrize("poll_s", [0.0, 0.1])
def test_an_engine_that_hangs_while_the_pictures_are_sent(fake, poll_s):
    client = fake("deaf", silence_s=1.0)
    spec = protocol.PictureSpec(1024, 1024)
    strips = ((y, 64, bytes(64 * spec.row_bytes)) for y in range(0, 1024, 64))
    large = Request(protocol.Settings(), spec, strips, (StyleFile(b"a style"),))
    with pytest.raises(protocol.EngineError) as caught:
        for _ in client.run(large, poll_s):
            pass
    assert caught.value.code == "engine-stalled"


@posix
def test_a_message_to_a_full_pipe_does_not_wait(fake):
    client = fake("deaf", silence_s=600.0)
    spec = protocol.PictureSpec(1024, 1024)
    strips = ((y, 64, bytes(64 * spec.row_bytes)) for y in range(0, 1024, 64))
    events = client.run(Request(protocol.Settings(), spec, strips, (StyleFile(b"x"),)), 0.0)
    wait_until(lambda: next(events) and not client.process.has_room)
    client.stop(keep=False)
    assert type(next(events)) is Idle
    os.kill(client.process.pid, signal.SIGCONT)
    assert type(collect(events)[-1]) is Cancelled


@posix
def test_an_engine_killed_amid_a_message_was_killed(fake):
    problem = failure(fake(), b"fake:cut-off")
    assert problem.code == "engine-killed" and "installer" not in problem.hint


@pytest.mark.parametrize(
    ("mode", "older"),
    [
        ("too-new", "GIMP plug-in is older than the engine (protocol 1 and 2)"),
        ("too-old", "engine is older than the GIMP plug-in (protocol 0 and 1)"),
    ],
)
def test_another_protocol_version(fake, mode, older):
    problem = failure(fake(mode))
    assert problem.code == "protocol-version"
    assert older in problem.message and "installer" in problem.hint


def test_what_the_engine_reports_reaches_the_user_word_for_word(fake):
    problem = failure(fake(), b"fake:failed")
    assert (problem.code, str(problem)) == (
        "bad-picture",
        "The style is not a picture. Choose another style.",
    )


# --- the job -----------------------------------------------------------------------------------


class Paper:
    def __init__(self):
        self.spec, self.data, self.waiting = None, b"", []

    def begin(self, spec):
        self.spec = spec

    def write(self, y, rows, data):
        assert not self.waiting and y * self.spec.row_bytes == len(self.data)
        self.waiting.append(data)

    def work(self):
        if self.waiting:
            self.data += self.waiting.pop(0)
            return True
        return False


def test_a_job_goes_through_its_states(fake):
    paper, states, texts, previews = Paper(), [], set(), []
    job = Job(fake(), request(preview=64), paper, previews.append)
    while not job.is_finished:
        job.advance()
        texts.add(job.text)
        if job.state not in states:
            states.append(job.state)
            assert (job.fraction is None) == (job.state is State.STARTING)
    assert states == [State.STARTING, State.PAINTING, State.RECEIVING, State.DONE]
    assert "Neural style: painting, size 1 of 2 (64 × 48 px), 7 s left" in texts
    assert len(paper.data) == paper.spec.height * paper.spec.row_bytes and len(previews) == 1
    assert job.result["features"] == "none"


@pytest.mark.parametrize("keep", [True, False])
def test_a_job_can_be_stopped(fake, keep):
    paper = Paper()
    job = Job(fake(), request(b"fake:wait"), paper)
    while job.state is not State.PAINTING:
        job.advance()
    job.stop(keep)
    while not job.is_finished:
        job.advance()
    assert (job.state, bool(paper.data)) == (State.DONE if keep else State.CANCELLED, keep)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "painting"), (0, "0 s left"), (89, "89 s left"), (95, "2 min left"), (7200, "2.0 h")],
)
def test_the_time_left_in_words(seconds, text):
    assert text in describe(protocol.Progress("paint", eta_s=seconds))


# --- environment and log -----------------------------------------------------------------------


def test_the_engine_does_not_inherit_gimps_libraries(fake, home, tmp_path):
    home.update(
        PYTHONHOME="/nonexistent",
        PYTHONPATH="/nonexistent",
        LD_PRELOAD="libgimp.so",
        LD_LIBRARY_PATH="/app/lib:/usr/lib/x86_64-linux-gnu/GL/nvidia/lib",
        GI_TYPELIB_PATH="/app",
        PATH="/app/bin",
        CUDA_VISIBLE_DEVICES="1",
        LC_ALL="C.UTF-8",
    )
    client = fake(dump=tmp_path / "dump")
    collect(client.run(request()))
    seen = json.loads((tmp_path / "dump" / "environment.json").read_bytes())
    assert not {"PYTHONHOME", "PYTHONPATH", "LD_PRELOAD", "GI_TYPELIB_PATH"} & set(seen)
    assert seen["LD_LIBRARY_PATH"] == "/usr/lib/x86_64-linux-gnu/GL/nvidia/lib"
    assert "/app/bin" not in seen["PATH"] and "/usr/bin" in seen["PATH"]
    assert seen["CUDA_VISIBLE_DEVICES"] == "1" and seen["LC_ALL"] == "C.UTF-8"


def test_the_data_directory_follows_the_engines_rule(monkeypatch, tmp_path):
    elsewhere = {"STYLEENGINE_HOME": str(tmp_path / "x")}
    for changes in ({}, {"XDG_DATA_HOME": str(tmp_path)}, elsewhere):
        for name in ("XDG_DATA_HOME", "STYLEENGINE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in changes.items():
            monkeypatch.setenv(name, value)
        assert installed.data_dir(os.environ) == folders.data_dir()
        assert installed.log_file(os.environ).parent == folders.data_dir() / "logs"


def test_the_log_rotates_and_keeps_three_files(home):
    path = installed.log_file(home)
    for number in range(5):
        installed.write_log(path, f"part {number} " + "x" * installed.LOG_BYTES)
    names = sorted(p.name for p in path.parent.iterdir())
    assert names == ["engine.log", "engine.log.1", "engine.log.2"]
    assert "part 4" in path.read_text() and "part 2" in path.with_name("engine.log.2").read_text()


def test_a_log_that_cannot_be_written_moves_to_the_temporary_folder(tmp_path):
    (tmp_path / "file").write_text("")
    path = installed.write_log(tmp_path / "file" / "logs" / "engine.log", "hello")
    try:
        assert "hello" in path.read_text() and not path.is_relative_to(tmp_path / "file")
    finally:
        path.unlink()


def test_every_module_of_the_plug_in_is_python_3_9():
    import ast

    for path in [*PLUGIN.rglob("*.py"), REPO / "styleengine" / "protocol.py"]:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
