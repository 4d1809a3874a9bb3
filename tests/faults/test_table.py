"""The fault suite's table is complete: every row names a test that is there."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE))
import table  # noqa: E402

REPO = HERE.parents[1]


def functions(path):
    """The names of a file's functions."""
    body = ast.parse((REPO / path).read_text(encoding="utf-8")).body
    return [each.name for each in body if isinstance(each, ast.FunctionDef)]


def test_every_row_names_a_test():
    known = {row.proof.split("::")[0] for row in table.ROWS}
    names = {path: functions(path) for path in known}
    for row in table.ROWS:
        path, _, name = row.proof.partition("::")
        found = [each for each in names[path] if each.startswith(name.partition("[")[0])]
        assert found, row


def test_no_row_is_there_twice():
    names = [row.name for row in table.ROWS]
    assert len(names) == len(set(names))


def test_every_moment_has_its_faults():
    for where, moments in {"script": table.MOMENTS[:-1], "dialog": table.MOMENTS}.items():
        for moment in moments:
            faults = {r.fault for r in table.ROWS if (r.where, r.moment) == (where, moment)}
            assert faults >= set(table.PROCESSES), (where, moment)
    for moment in table.MOMENTS:
        assert any(row.where == "serve" and row.moment == moment for row in table.ROWS) or (
            moment == "strip"  # which a pipe takes whole or not at all: see "result"
        )


def test_images_are_made_only_where_they_are_marked_at_once():
    makes = re.compile(r"Image\.new|file_load|\.duplicate\(")
    for path in (REPO / "gimp_plugin" / "neural_style").rglob("*.py"):
        if path.name not in ("hidden.py", "named.py"):
            gimps = path.read_text(encoding="utf-8").replace("Gtk.Image.new", "")
            assert not makes.search(gimps), path
