"""The dialog's state machine, without GTK, against scripted engines that are real processes."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from dialog.status import in_words
from engine import client
from engine.installed import find
from engine.request import Request, StyleFile
from engine.session import DEBOUNCE_S, Phase, Session, Work
from styleengine import protocol
from tests.patience import DEADLINE

REPO = Path(__file__).resolve().parent.parent

FAKE = REPO / "tests" / "fake_engine.py"
SPEC = protocol.PictureSpec(4, 3)
DATA = bytes(range(48))
INVERTED = bytes(v if i % 4 == 3 else 255 - v for i, v in enumerate(DATA))


class Canvas:
    """Takes a result."""

    def __init__(self):
        self.data = b""

    def begin(self, spec):
        self.data = b""

    def write(self, y, rows, data):
        self.data += data

    def work(self):
        return False


class Desk:
    """The user, the listener and the event loop in one; time is what the test says it is."""

    def __init__(self, folder, mode=""):
        self.folder, self.now, self.told = folder, 0.0, []
        self.previews, self.phases = [], []
        words = [sys.executable, str(FAKE), "--dump", str(folder / "dump"), *[mode][: bool(mode)]]
        record = {"command": words, "protocol": protocol.PROTOCOL}
        (folder / "engine.json").write_text(json.dumps(record))
        self.home = {"STYLEENGINE_HOME": str(folder / "home"), "HOME": str(folder)}
        self.session = Session(self.start_engine, self, lambda: self.now)

    def start_engine(self):
        installed = find(self.folder, self.home)
        return client.EngineClient(installed)

    def work(self, note, style=b"a style", quick=False):
        def request():
            styles = (StyleFile(style),)
            settings = protocol.Settings()
            return Request(settings, SPEC, [(0, 3, DATA)], styles, 64)

        return Work(request, Canvas(), quick, note)

    def session_changed(self):
        phase = self.session.phase
        if self.phases[-1:] != [phase]:
            self.phases.append(phase)

    def session_preview(self, work, preview):
        self.previews.append((work.note, preview.data))

    def session_done(self, work, info):
        self.told.append(("done", work.note, work.canvas.data))

    def session_dropped(self, work):
        self.told.append(("dropped", work.note))

    def session_failed(self, work, problem):
        self.told.append(("failed", work.note if work else None, problem.code))

    def until(self, condition, advance=0.0):
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, (self.told, self.session.phase)
            self.now += advance
            self.session.tick()
            time.sleep(0.002)

    def painting(self):
        return self.session.progress is not None and self.session.phase is Phase.PAINTING


@pytest.fixture
def desk(tmp_path):
    desks = []

    def make(mode=""):
        desks.append(Desk(tmp_path, mode))
        return desks[-1]

    yield make
    for each in desks:
        each.session.close()


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_engine_is_warm_before_it_is_needed(desk):
    d = desk()
    assert d.session.phase is Phase.STARTING
    d.session.warm_up()
    d.until(lambda: d.session.phase is Phase.READY)
    assert "cpu" in d.session.ready["devices"] and not d.told


def test_a_preview_starts_at_once_and_those_that_follow_wait_for_calm(desk):
    d = desk()
    d.session.warm_up()
    d.until(lambda: d.session.phase is Phase.READY)
    d.session.preview(d.work("a", quick=True))
    d.session.tick()
    assert d.session.phase is Phase.PREVIEWING and d.session.progress is None
    d.until(lambda: d.told)  # without any time going by
    assert d.told == [("done", "a", INVERTED)]
    (d.folder / "dump" / "run.json").unlink()
    for note in ("b", "c", "d"):
        d.session.preview(d.work(note, quick=True))
        d.now += DEBOUNCE_S / 2
        d.session.tick()
    assert not (d.folder / "dump" / "run.json").exists()
    d.until(lambda: d.told[1:], advance=0.01)
    assert d.told[1:] == [("done", "d", INVERTED)]


def test_work_is_prepared_in_steps_before_it_is_sent(desk):
    d, done = desk(), []

    def steps():
        for number in range(3):
            done.append(number)
            yield

    work = d.work("real")
    d.session.paint(Work(work.request, work.canvas, False, "real", steps()))
    d.session.tick()  # the engine is still starting
    assert done and d.session.phase is Phase.PAINTING
    d.until(lambda: d.told)
    assert done == [0, 1, 2] and d.told == [("done", "real", INVERTED)]


def test_a_new_choice_replaces_the_running_preview(desk):
    d = desk()
    d.session.preview(d.work("slow", b"fake:wait", quick=True))
    d.until(lambda: d.session.progress is not None, advance=0.1)
    d.session.preview(d.work("new", quick=True))
    d.until(lambda: len(d.told) == 2, advance=0.01)
    assert d.told == [("dropped", "slow"), ("done", "new", INVERTED)]


def test_real_work_takes_the_place_of_a_preview(desk):
    d = desk()
    d.session.preview(d.work("quick", b"fake:wait", quick=True))
    d.until(lambda: d.session.progress is not None, advance=0.1)
    pid = d.session.pid
    d.session.paint(d.work("real"))
    assert d.session.phase is Phase.PAINTING
    d.until(lambda: len(d.told) == 2)
    assert d.told == [("dropped", "quick"), ("done", "real", INVERTED)]
    assert d.session.phase is Phase.READY and d.session.pid == pid


def test_a_preview_does_not_disturb_real_work(desk):
    d = desk()
    d.session.paint(d.work("real", b"fake:wait"))
    d.until(d.painting)
    d.session.preview(d.work("quick", quick=True))
    d.session.keep()
    assert d.session.phase is Phase.KEEPING
    d.until(lambda: d.session.phase is Phase.READY, advance=0.1)
    assert d.told == [("done", "real", INVERTED)]


def test_cancel_gives_nothing_and_the_engine_stays(desk):
    d = desk()
    d.session.paint(d.work("one", b"fake:wait"))
    d.until(d.painting)
    pid = d.session.pid
    d.session.cancel()
    assert d.session.phase is Phase.CANCELLING
    d.until(lambda: d.told)
    d.session.paint(d.work("two"))
    d.until(lambda: len(d.told) == 2)
    assert d.told == [("dropped", "one"), ("done", "two", INVERTED)]
    assert d.session.pid == pid and not is_gone(pid)


def test_cancel_after_stop_and_keep_means_cancel(desk):
    d = desk()
    d.session.paint(d.work("one", b"fake:wait"))
    d.until(d.painting)
    d.session.keep()
    d.session.cancel()
    d.until(lambda: d.told)
    assert d.told == [("dropped", "one")]


def test_cancel_before_the_engine_is_there(desk):
    d = desk("mute")
    d.session.paint(d.work("early"))
    d.session.tick()
    assert d.session.phase is Phase.PAINTING
    d.session.cancel()
    assert d.told == [("dropped", "early")] and d.session.phase is Phase.STARTING


def test_closing_ends_the_engine_in_the_middle_of_its_work(desk):
    d = desk()
    d.session.paint(d.work("one", b"fake:wait"))
    d.until(d.painting)
    pid = d.session.pid
    d.session.close()
    assert is_gone(pid) and d.session.phase is Phase.CLOSED
    d.session.tick()
    d.session.paint(d.work("late"))
    assert not d.told


def test_a_failed_job_leaves_the_engine_in_use(desk):
    d = desk()
    d.session.paint(d.work("bad", b"fake:failed"))
    d.until(lambda: d.told)
    pid = d.session.pid
    assert d.told == [("failed", "bad", "bad-picture")] and d.session.phase is Phase.READY
    d.session.paint(d.work("good"))
    d.until(lambda: len(d.told) == 2)
    assert d.told[1] == ("done", "good", INVERTED) and d.session.pid == pid


@pytest.mark.parametrize(("style", "code"), [(b"fake:die", "engine-died"),
                                             (b"fake:garbage", "protocol"),
                                             (b"fake:wrong-strip", "protocol")])  # fmt: skip
def test_an_engine_that_breaks_down_is_replaced_when_it_is_needed(desk, style, code):
    d = desk()
    d.session.paint(d.work("bad", style))
    d.until(lambda: d.told)
    assert d.told == [("failed", "bad", code)] and d.session.phase is Phase.BROKEN
    assert d.session.pid == 0
    d.session.paint(d.work("good"))
    d.until(lambda: len(d.told) == 2)
    assert d.told[1] == ("done", "good", INVERTED)


def test_an_engine_that_cannot_start_is_told_once(desk):
    d = desk()
    (d.folder / "engine.json").unlink()
    d.session.paint(d.work("real"))
    for _ in range(5):
        d.session.tick()
    assert d.told == [("failed", "real", "engine-missing")] and d.session.phase is Phase.BROKEN


def test_a_layer_that_goes_while_it_is_read_fails_only_this_work(desk):
    d = desk()

    def strips():
        yield 0, 1, DATA[:16]
        raise protocol.EngineError("layer-gone", "The layer was deleted.")

    def request():
        styles = (StyleFile(b"a style"),)
        return Request(protocol.Settings(), SPEC, strips(), styles)

    d.session.paint(Work(request, Canvas(), False, "gone"))
    d.until(lambda: d.told)
    assert d.told == [("failed", "gone", "layer-gone")] and d.session.phase is Phase.READY
    d.session.paint(d.work("good"))
    d.until(lambda: len(d.told) == 2)
    assert d.told[1] == ("done", "good", INVERTED)


def test_a_restart_is_another_engine(desk):
    d = desk()
    d.session.warm_up()
    d.until(lambda: d.session.phase is Phase.READY)
    pid = d.session.pid
    d.session.restart()
    assert d.session.pid != pid and is_gone(pid)
    d.until(lambda: d.session.phase is Phase.READY)


def test_the_bar_says_what_is_going_on(desk):
    d = desk()
    assert in_words(d.session, True, "auto") == (None, "The engine is starting …")
    d.session.paint(d.work("real", b"fake:wait"))
    d.until(lambda: d.session.progress is not None)
    fraction, text = in_words(d.session, True, "auto")
    assert 0 < fraction <= 1
    assert text.startswith("Painting (size 1 of 2) · 64 × 48 px · ")
    assert text.endswith(" · CPU, 2 threads")
    d.session.keep()
    assert "keeping" in in_words(d.session, True, "auto")[1]
    d.until(lambda: d.told)
    assert in_words(d.session, True, "auto") == (0.0, "Ready")
    assert in_words(d.session, False, "auto") == (0.0, "Choose a style")
