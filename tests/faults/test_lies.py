"""The plug-in's client and a lying engine: the user reads one sentence, or no harm is done."""

from __future__ import annotations

import json
import shutil
import sys
import tracemalloc
from pathlib import Path

import pytest

from engine import installed
from engine.client import EngineClient
from engine.events import Cancelled, Done, ResultStrip
from engine.request import Request, StyleFile
from engine.wording import describe, explained, notes_of
from styleengine import protocol
from tests.faults.lies import LIES

HERE = Path(__file__).resolve().parent
SPEC = protocol.PictureSpec(5, 4)
DATA = bytes(range(80))
NEGATIVE = bytes(v if i % 4 == 3 else 255 - v for i, v in enumerate(DATA))
PATIENCE_S = 20.0
MOST_MEMORY = 60_000_000


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Starts the scripted engine with a lie; it ends with the test."""
    started = []

    def start(lie):
        (tmp_path / "lie").write_text(lie)
        words = [sys.executable, "-I", str(HERE / "scripted_engine.py"), str(tmp_path)]
        record = {"command": words, "protocol": protocol.PROTOCOL}
        (tmp_path / "engine.json").write_text(json.dumps(record))
        home = {"STYLEENGINE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
        client = EngineClient(installed.find(tmp_path, home), PATIENCE_S, PATIENCE_S)
        started.append(client)
        return client

    yield start
    for client in started:
        client.close()
    shutil.rmtree(tmp_path)


def painted(client):
    """What is shown of a run, and the events by which it ends."""
    asked = Request(protocol.Settings(), SPEC, [(0, 4, DATA)], (StyleFile(b"style"),), 64)
    shown, strips, last = [], b"", None
    for event in client.run(asked, 0.02):
        if isinstance(event, protocol.Progress):
            shown.append(describe(event))
        if isinstance(event, ResultStrip):
            strips += event.data
        if hasattr(event, "info"):
            shown += notes_of(event.info)
        last = event
    return shown, strips, last


def chosen():
    """The lies, of each kind one that is tried in every run."""
    seen = set()
    for name in LIES:
        kind = tuple(name.split()[:2])
        marks = [pytest.mark.by_hand] if kind in seen else []
        seen.add(kind)
        yield pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", list(chosen()))
def test_lie(engine, name):
    lie, client = LIES[name], engine(name)
    tracemalloc.start()
    try:
        if lie.holds == "sentence":
            with pytest.raises(protocol.EngineError) as caught:
                painted(client)
            check_sentence(caught.value)
        else:
            shown, strips, last = painted(client)
            assert type(last) is (Cancelled if lie.holds == "cancelled" else Done)
            assert strips == (b"" if lie.holds == "cancelled" else NEGATIVE)
            assert all(len(text) < 3000 for text in shown) and len(shown) < 200
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()
    client.close()
    assert not client.process.is_alive


def check_sentence(problem):
    """It can be shown as it is, and says something."""
    text = explained(problem)
    assert len(text.split("\n")[0]) > 2, text
    assert len(text) < 2000 and "Traceback" not in text
    assert len(problem.code) < 200
    text.encode("utf-8")
