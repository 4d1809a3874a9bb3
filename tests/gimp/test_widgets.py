"""Widgets of the plug-in, in GTK as GIMP brings it along, but without GIMP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from real_gimp import case_names

pytestmark = [pytest.mark.gimp, pytest.mark.gui]
CASES = Path(__file__).with_name("widget_cases.py")


@pytest.fixture(scope="session")
def widgets(gimp):
    """All cases in one process."""
    folder = gimp.work / "widgets"
    folder.mkdir()
    context = {"plugin": str(gimp.plugin), "answer": str(folder / "answer.json")}
    (folder / "context.json").write_text(json.dumps(context))
    done = gimp.run("python3", CASES, folder / "context.json")
    answer = folder / "answer.json"
    found = json.loads(answer.read_text()) if answer.exists() else {}
    return {**found, "output": done.stdout + done.stderr}


@pytest.mark.parametrize("name", case_names(CASES))
def test_case(widgets, name):
    assert name in widgets, widgets["output"][-3000:]
    assert not widgets[name], widgets[name]
