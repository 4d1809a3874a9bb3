"""Widgets of the plug-in under a display of their own: `widget_cases.py CONTEXT.json`.

Runs within the root. The functions ``case_…`` answer with a traceback, or nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

CONTEXT = json.loads(Path(sys.argv[1]).read_text())
sys.path.insert(0, CONTEXT["plugin"])


def start_display():
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as stream:
        os.environ["DISPLAY"] = ":" + stream.readline().strip()
    return server


def typed(text, value=50.0, whole=False):
    """What a field holds and shows after ``text`` was typed into it, key by key."""
    from widgets.number import Gtk, Number

    adjustment = Gtk.Adjustment(value=value, lower=0, upper=100, step_increment=1)
    field = Number(adjustment, whole)
    field.set_text("")
    for letter in text:
        field.emit("insert-at-cursor", letter)
    field.update()
    return adjustment.get_value(), field.get_text()


def case_a_decimal_comma_is_read_as_a_point_is():
    assert typed("62,5") == (62.5, "62.5"), typed("62,5")
    assert typed("62.5") == (62.5, "62.5"), typed("62.5")
    assert typed("7") == (7.0, "7"), typed("7")
    assert typed("101,5")[0] == 100.0
    assert typed("6x2;,5") == (62.5, "62.5"), "letters are not taken"


def case_a_whole_number_has_no_decimals():
    assert typed("62", whole=True) == (62.0, "62")


def main():
    server = start_display()
    answers = {}
    try:
        for name, case in list(globals().items()):
            if name.startswith("case_"):
                try:
                    case()
                    answers[name] = ""
                except Exception:
                    answers[name] = traceback.format_exc()
    finally:
        server.kill()
        server.wait()
    Path(CONTEXT["answer"]).write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
