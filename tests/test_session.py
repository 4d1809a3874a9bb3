"""The dialog's state machine, without GTK, against scripted engines that are real processes."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from dialog.status import in_words
from engine import client
from engine.installed import find
from engine.phase import Phase
from engine.request import Part, Request, SpotPixels, StyleFile
from engine.session import CALM_S, DEBOUNCE_S, Session
from engine.work import Painting, QuickPreview, Ready, Sample, Spot
from styleengine import protocol
from tests.patience import DEADLINE, wait_until

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
        self.silence_s = client.SILENCE_S
        self.shown, self.phases, self.problems = [], [], []
        words = [sys.executable, str(FAKE), "--dump", str(folder / "dump"), *[mode][: bool(mode)]]
        record = {"command": words, "protocol": protocol.PROTOCOL}
        (folder / "engine.json").write_text(json.dumps(record))
        self.home = {"STYLEENGINE_HOME": str(folder / "home"), "HOME": str(folder)}
        self.session = Session(self.start_engine, self, lambda: self.now)

    def start_engine(self):
        installed = find(self.folder, self.home)
        return client.EngineClient(installed, silence_s=self.silence_s)

    def painting(self, note, style=b"a style", **given):
        return self.work(Painting, note, style, **given)

    def preview(self, note, style=b"a style"):
        return self.work(QuickPreview, note, style)

    def sample(self, note, style=b"a style"):
        return self.work(Sample, note, style)

    def ready(self, note, style=b"a style"):
        return self.work(
            Ready, note, style, spot=SpotPixels((2, 2, 1, 1), (8, 6), (1, 1), (), True)
        )

    def spot(self, note, style=b"a style"):
        parts = (Part(0, 0, SPEC, ((0, 3, DATA),)),)
        return self.work(Spot, note, style, spot=SpotPixels((2, 2, 4, 2), (8, 6), (2, 1), parts))

    def work(self, kind, note, style, strips=((0, 3, DATA),), spot=None, **given):
        canvas = Canvas()

        def request():
            files = (StyleFile(style),)
            return Request(protocol.Settings(), SPEC, strips, files, 64, spot=spot)

        def so_far(picture):
            self.shown.append((note, picture.data))

        def done(info):
            self.told.append(("done", note, canvas.data))

        def given_up(problem):
            told = ("failed", note, problem.code) if problem else ("dropped", note)
            self.told.append(told)

        return kind(request, canvas, so_far, done, given_up, **given)

    def session_changed(self):
        phase = self.session.phase
        if self.phases[-1:] != [phase]:
            self.phases.append(phase)

    def session_failed(self, problem):
        self.problems.append(problem.code)

    def until(self, condition, advance=0.0):
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, (self.told, self.session.phase)
            self.now += advance
            self.session.tick()
            time.sleep(0.002)

    def is_painting(self):
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
    d.session.preview(d.preview("a"))
    d.session.tick()
    assert d.session.phase is Phase.PREVIEWING and d.session.progress is None
    d.until(lambda: d.told)  # without any time going by
    assert d.told == [("done", "a", INVERTED)]
    (d.folder / "dump" / "run.json").unlink()
    for note in ("b", "c", "d"):
        d.session.preview(d.preview(note))
        d.now += DEBOUNCE_S / 2
        d.session.tick()
    assert not (d.folder / "dump" / "run.json").exists()
    d.until(lambda: d.told[3:], advance=0.01)
    assert d.told[1:] == [("dropped", "b"), ("dropped", "c"), ("done", "d", INVERTED)]


def test_work_is_prepared_in_steps_before_it_is_sent(desk):
    d, done = desk(), []

    def steps():
        for number in range(3):
            done.append(number)
            yield

    d.session.paint(d.painting("real", prepare=steps()))
    d.session.tick()  # the engine is still starting
    assert done and d.session.phase is Phase.PAINTING
    d.until(lambda: d.told)
    assert done == [0, 1, 2] and d.told == [("done", "real", INVERTED)]


def test_a_new_choice_replaces_the_running_preview(desk):
    d = desk()
    d.session.preview(d.preview("slow", b"fake:wait"))
    d.until(lambda: d.session.progress is not None, advance=0.1)
    d.session.preview(d.preview("new"))
    d.until(lambda: len(d.told) == 2, advance=0.01)
    assert d.told == [("dropped", "slow"), ("done", "new", INVERTED)]


def test_a_sample_is_painted_when_there_is_nothing_else_and_is_dropped_for_all_else(desk):
    d, waiting = desk(), []
    d.session.idle = lambda: waiting.pop(0) if waiting else None
    d.session.warm_up()
    d.until(lambda: d.session.phase is Phase.READY)
    d.phases.clear()
    waiting.append(d.sample("one"))
    d.until(lambda: d.told)
    assert d.told == [("done", "one", INVERTED)]
    for note, asked in (("two", d.session.preview), ("three", d.session.paint)):
        waiting.append(d.sample(note, b"fake:wait"))
        d.until(lambda: not waiting and (d.folder / "dump" / "run.json").exists())
        assert set(d.phases) <= {Phase.READY}, "nobody sees it"
        asked((d.preview if note == "two" else d.painting)(f"not {note}"))
        d.until(lambda n=note: d.told[-1][1] == f"not {n}", advance=0.1)
        assert d.told[-2:] == [("dropped", note), ("done", f"not {note}", INVERTED)]
        d.phases.clear()
        (d.folder / "dump" / "run.json").unlink()
    waiting.append(d.sample("four", b"fake:wait"))
    d.until(lambda: (d.folder / "dump" / "run.json").exists())
    d.session.drop_sample()
    d.until(lambda: d.told[-1] == ("dropped", "four"))
    assert d.session.phase is Phase.READY and not d.problems


def test_nobody_is_told_of_a_sample_that_fails(desk):
    d = desk()
    waiting = [d.sample("bad", b"fake:failed"), d.sample("good")]
    d.session.idle = lambda: waiting.pop(0) if waiting else None
    d.session.warm_up()
    d.until(lambda: len(d.told) == 2)
    assert d.told[0][:2] == ("failed", "bad") and d.told[1] == ("done", "good", INVERTED)
    assert not d.problems and d.session.phase is Phase.READY


def test_real_work_takes_the_place_of_a_preview(desk):
    d = desk()
    d.session.preview(d.preview("quick", b"fake:wait"))
    d.until(lambda: d.session.progress is not None, advance=0.1)
    pid = d.session.pid
    d.session.paint(d.painting("real"))
    assert d.session.phase is Phase.PAINTING
    d.until(lambda: len(d.told) == 2)
    assert d.told == [("dropped", "quick"), ("done", "real", INVERTED)]
    assert d.session.phase is Phase.READY and d.session.pid == pid


def test_real_work_that_goes_on_keeps_what_the_preview_has(desk):
    d = desk()
    d.session.preview(d.preview("quick", b"fake:wait"))
    d.until(lambda: d.session.progress is not None, advance=0.1)
    d.session.paint(d.painting("real", goes_on=True))
    assert d.session.phase is Phase.PAINTING
    d.until(lambda: len(d.told) == 2)
    assert d.told == [("done", "quick", INVERTED), ("done", "real", INVERTED)]
    d.session.preview(d.preview("waits"))
    d.session.preview(d.preview("waits for calm"))
    d.session.paint(d.painting("another", goes_on=True))
    d.until(lambda: len(d.told) == 5)
    assert d.told[2:] == [
        ("dropped", "waits"), ("dropped", "waits for calm"), ("done", "another", INVERTED)
    ]  # fmt: skip


def test_real_work_that_goes_on_keeps_nothing_of_a_sample(desk):
    d = desk()
    waiting = [d.sample("sample", b"fake:wait")]
    d.session.idle = lambda: waiting.pop() if waiting else None
    d.session.warm_up()
    d.until(lambda: (d.folder / "dump" / "run.json").exists())
    d.session.paint(d.painting("real", goes_on=True))
    d.until(lambda: len(d.told) == 2)
    assert d.told == [("dropped", "sample"), ("done", "real", INVERTED)]


def test_cancel_while_a_preview_is_kept_for_it_leaves_neither(desk):
    d = desk()
    d.session.preview(d.preview("quick", b"fake:wait"))
    d.until(lambda: d.session.progress is not None, advance=0.1)
    d.session.paint(d.painting("real", goes_on=True))
    d.session.cancel()
    d.until(lambda: len(d.told) == 2)
    assert sorted(d.told) == [("dropped", "quick"), ("dropped", "real")]
    assert d.session.phase is Phase.READY


def test_a_preview_does_not_disturb_real_work(desk):
    d = desk()
    d.session.paint(d.painting("real", b"fake:wait"))
    d.until(d.is_painting)
    d.session.preview(d.preview("quick"))
    d.session.keep()
    assert d.session.phase is Phase.KEEPING
    d.until(lambda: d.session.phase is Phase.READY, advance=0.1)
    assert d.told == [("dropped", "quick"), ("done", "real", INVERTED)]


def test_cancel_gives_nothing_and_the_engine_stays(desk):
    d = desk()
    d.session.paint(d.painting("one", b"fake:wait"))
    d.until(d.is_painting)
    pid = d.session.pid
    d.session.cancel()
    assert d.session.phase is Phase.CANCELLING
    d.until(lambda: d.told)
    d.session.paint(d.painting("two"))
    d.until(lambda: len(d.told) == 2)
    assert d.told == [("dropped", "one"), ("done", "two", INVERTED)]
    assert d.session.pid == pid and not is_gone(pid)


def test_cancel_after_stop_and_keep_means_cancel(desk):
    d = desk()
    d.session.paint(d.painting("one", b"fake:wait"))
    d.until(d.is_painting)
    d.session.keep()
    d.session.cancel()
    d.until(lambda: d.told)
    assert d.told == [("dropped", "one")]


@pytest.mark.skipif(os.name != "posix", reason="needs SIGSTOP")
def test_a_second_cancel_ends_an_engine_that_hangs(desk):
    d = desk()
    d.session.paint(d.painting("one", b"fake:hang"))
    d.until(d.is_painting)
    pid = d.session.pid
    d.session.cancel()
    d.session.tick()
    assert d.session.phase is Phase.CANCELLING and not d.told
    d.session.cancel()
    assert d.told == [("dropped", "one")] and is_gone(pid)
    d.session.paint(d.painting("two"))
    d.until(lambda: len(d.told) == 2)
    assert d.told[1] == ("done", "two", INVERTED) and not d.problems


@pytest.mark.skipif(os.name != "posix", reason="needs SIGSTOP")
def test_an_engine_that_is_silent_after_cancel_is_replaced(desk, monkeypatch):
    monkeypatch.setattr(client, "CANCEL_SILENCE_S", 0.5)
    d = desk()
    d.session.paint(d.painting("one", b"fake:hang"))
    d.until(d.is_painting)
    pid = d.session.pid
    d.session.cancel()
    d.until(lambda: d.told)
    assert d.told == [("dropped", "one")] and is_gone(pid) and not d.problems
    d.until(lambda: d.session.phase is Phase.READY)


@pytest.mark.skipif(os.name != "posix", reason="needs SIGSTOP")
def test_a_cancel_while_the_result_comes_in_does_not_wait_for_an_engine_that_hangs(
    desk, monkeypatch
):
    monkeypatch.setattr(client, "CANCEL_SILENCE_S", 0.5)
    d = desk()
    d.session.paint(d.painting("one", b"fake:hang-amid-result"))
    d.until(lambda: d.session.is_receiving)
    pid = d.session.pid
    d.session.cancel()
    d.until(lambda: d.told)
    assert d.told == [("dropped", "one")] and is_gone(pid) and not d.problems


@pytest.mark.skipif(os.name != "posix", reason="needs SIGSTOP")
def test_an_old_engine_without_a_sign_of_life_is_replaced_after_a_long_silence(desk):
    d = desk("")
    d.silence_s = 0.5
    d.session.paint(d.painting("one", b"fake:dead"))
    d.until(d.is_painting)
    pid = d.session.pid
    d.session.cancel()
    d.until(lambda: d.told)
    assert d.told == [("dropped", "one")] and is_gone(pid) and not d.problems
    d.until(lambda: d.session.phase is Phase.READY)


def test_cancel_before_the_engine_is_there(desk):
    d = desk("mute")
    d.session.paint(d.painting("early"))
    d.session.tick()
    assert d.session.phase is Phase.PAINTING
    d.session.cancel()
    assert d.told == [("dropped", "early")] and d.session.phase is Phase.STARTING


def test_closing_ends_the_engine_in_the_middle_of_its_work(desk):
    d = desk()
    d.session.paint(d.painting("one", b"fake:wait"))
    d.until(d.is_painting)
    pid = d.session.pid
    d.session.close()
    assert is_gone(pid) and d.session.phase is Phase.CLOSED
    d.session.tick()
    d.session.paint(d.painting("late"))
    d.session.preview(d.preview("later"))
    assert d.told == [("dropped", "one"), ("dropped", "late"), ("dropped", "later")]


def test_a_failed_job_leaves_the_engine_in_use(desk):
    d = desk()
    d.session.paint(d.painting("bad", b"fake:failed"))
    d.until(lambda: d.told)
    pid = d.session.pid
    assert d.told == [("failed", "bad", "bad-picture")] and d.problems == ["bad-picture"]
    assert d.session.phase is Phase.READY
    d.session.paint(d.painting("good"))
    d.until(lambda: len(d.told) == 2)
    assert d.told[1] == ("done", "good", INVERTED) and d.session.pid == pid


@pytest.mark.parametrize(("style", "code"), [(b"fake:die", "engine-died"),
                                             (b"fake:garbage", "protocol"),
                                             (b"fake:wrong-strip", "protocol")])  # fmt: skip
def test_an_engine_that_breaks_down_is_replaced_when_it_is_needed(desk, style, code):
    d = desk()
    d.session.paint(d.painting("bad", style))
    d.until(lambda: d.told)
    assert d.told == [("failed", "bad", code)] and d.session.phase is Phase.BROKEN
    assert d.session.pid == 0
    d.session.paint(d.painting("good"))
    d.until(lambda: len(d.told) == 2)
    assert d.told[1] == ("done", "good", INVERTED)


def test_an_engine_that_has_ended_while_it_was_idle_is_replaced_without_a_word(desk):
    d = desk()
    for number in (1, 2):
        d.session.paint(d.painting(f"{number}"))
        d.until(lambda n=number: d.session.phase is Phase.READY and len(d.told) == n)
        os.kill(d.session.pid, signal.SIGKILL)
        wait_until(lambda: not d.session._client.process.is_alive)
        d.session.idle = lambda: pytest.fail("nobody waits for a sample")
        d.session.tick()
        d.session.idle = lambda: None
    d.session.preview(d.preview("quick"))
    d.until(lambda: len(d.told) == 3, advance=0.1)
    assert [what[0] for what in d.told] == ["done"] * 3 and not d.problems


def test_an_engine_that_cannot_start_is_told_once(desk):
    d = desk()
    (d.folder / "engine.json").unlink()
    d.session.paint(d.painting("real"))
    for _ in range(5):
        d.session.tick()
    assert d.told == [("failed", "real", "engine-missing")] and d.session.phase is Phase.BROKEN


def test_a_layer_that_goes_while_it_is_read_fails_only_this_work(desk):
    d = desk()

    def strips():
        yield 0, 1, DATA[:16]
        raise protocol.EngineError("layer-gone", "The layer was deleted.")

    d.session.paint(d.painting("gone", strips=strips()))
    d.until(lambda: d.told)
    assert d.told == [("failed", "gone", "layer-gone")] and d.session.phase is Phase.READY
    d.session.paint(d.painting("good"))
    d.until(lambda: len(d.told) == 2)
    assert d.told[1] == ("done", "good", INVERTED)


def test_what_fails_while_it_is_prepared_never_starts(desk):
    d = desk()

    def steps():
        yield
        raise protocol.EngineError("image-gone", "The image was closed.")

    d.session.paint(d.painting("gone", prepare=steps()))
    d.until(lambda: d.told)
    d.until(lambda: d.session.phase is Phase.READY)
    assert d.told == [("failed", "gone", "image-gone")] and d.problems == ["image-gone"]
    assert not (d.folder / "dump" / "run.json").exists()


def test_a_restart_gives_up_what_there_is(desk):
    d = desk()
    d.session.paint(d.painting("one", b"fake:wait"))
    d.until(d.is_painting)
    d.session.restart()
    d.session.paint(d.painting("two"))
    d.session.restart()
    assert d.told == [("dropped", "one"), ("dropped", "two")]
    d.session.preview(d.preview("three"))
    d.session.close()
    assert d.told[2:] == [("dropped", "three")]


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
    d.session.paint(d.painting("real", b"fake:wait"))
    d.until(lambda: d.session.progress is not None)
    fraction, text = in_words(d.session, True, "auto", "of the one before")
    assert 0 < fraction <= 1
    assert text.startswith("Painting (size 1 of 2) · 64 × 48 px · ")
    assert text.endswith(" · CPU, 2 threads")
    d.session.keep()
    assert "keeping" in in_words(d.session, True, "auto")[1]
    d.until(lambda: d.told)
    assert in_words(d.session, True, "auto") == (0.0, "Ready")
    assert in_words(d.session, False, "auto") == (0.0, "Choose a style")
    assert in_words(d.session, True, "auto", "Added") == (0.0, "Added")
    d.session.preview(d.preview("slow", b"fake:wait"))
    d.until(lambda: d.session.progress is not None, advance=0.1)
    words = in_words(d.session, True, "auto", "Added")[1]
    assert words.startswith("Quick preview · ") and words.endswith(" s left"), words


def test_a_spot_waits_for_the_preview_and_for_calm(desk):
    d = desk()
    d.session.preview(d.preview("preview"))
    d.session.look(d.spot("spot"))
    d.until(lambda: d.told)
    assert [told[:2] for told in d.told] == [("done", "preview")] and not d.session.is_looking
    d.now += CALM_S
    d.until(lambda: d.session.is_looking)
    assert in_words(d.session, True, "auto")[1].startswith("Painting what you look at")
    d.until(lambda: len(d.told) == 2)
    # The scripted engine gives the negative of what it was sent.
    assert d.told[1] == ("done", "spot", INVERTED[20:24] + INVERTED[24:28])
    sent = json.loads((d.folder / "dump" / "spot.json").read_text())["spot"]
    assert sent["area"] == [2, 2, 4, 2] and sent["parts"][0]["width"] == 4


def test_a_spot_gives_way_to_the_next_one_and_to_a_painting(desk):
    d = desk("wait")
    d.session.look(d.spot("first"))
    d.session.look(d.spot("second"))
    assert d.told == [("dropped", "first")]
    d.now += CALM_S
    d.until(lambda: d.session.is_looking and d.session.progress is not None)
    d.session.paint(d.painting("painting", goes_on=True))
    d.until(d.is_painting)
    assert ("dropped", "second") in d.told and not d.session.is_looking
    d.session.look(d.spot("third"))
    assert d.told[-1] == ("dropped", "third")


def test_ready_is_made_for_spots_when_nothing_else_is_asked_for(desk):
    d = desk("wait")
    left = [d.ready(str(n)) for n in (3, 2, 1)]
    d.session.idle = lambda: left.pop() if left else None
    d.session.warm_up()
    at_work = d.folder / "dump" / "ready.json"
    ends = [lambda: d.session.look(d.spot("spot")), lambda: d.session.preview(d.preview("preview"))]
    for number, end in enumerate(ends, 1):
        d.until(at_work.exists)
        at_work.unlink()
        d.session.drop_sample()  # as for each move of the mouse
        assert d.session.phase is Phase.READY and d.told[-1:] != [("dropped", str(number))]
        end()
        d.until(lambda n=str(number): ("dropped", n) in d.told)
        d.until(lambda: d.session.phase is Phase.PREVIEWING, advance=0.1)
        d.session.cancel()
        d.session.look_away()
        d.until(lambda: d.session.phase is Phase.READY)
    d.until(at_work.exists)
    d.session.paint(d.painting("painting", goes_on=True))
    d.until(d.is_painting)
    assert ("dropped", "3") in d.told and not d.problems


def test_whoever_looks_away_waits_for_nothing(desk):
    d = desk("wait")
    d.session.look(d.spot("spot"))
    d.session.look_away()
    assert d.told == [("dropped", "spot")]
    d.session.look(d.spot("another"))
    d.now += CALM_S
    d.until(lambda: d.session.is_looking and d.session.progress is not None)
    d.session.look_away()
    d.until(lambda: d.session.phase is Phase.READY)
    assert d.told[-1] == ("dropped", "another") and not d.problems
