"""The rows of the fault suite (tests/faults/table.py) that need a real GIMP."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from real_gimp import REPO, Gimp

TABLE = REPO / "tests" / "faults"
sys.path.append(str(TABLE))
import table  # noqa: E402

pytestmark = [pytest.mark.gimp, pytest.mark.gui]

AT_ONCE = 20  # on a busy computer they take half a minute each
HERE = Path(__file__).resolve().parent
ROWS = {row.name: row for row in table.ROWS if row.proof == table.IN_GIMP}
PATIENCE = {
    "engine/client.py": [
        ("\nHANDSHAKE_S = 180.0", "\nHANDSHAKE_S = 30.0"),
        ("\nSILENCE_S = 60.0", "\nSILENCE_S = 15.0"),
    ],
    "engine/process.py": [("\nQUEUED = 8", "\nQUEUED = 1")],
    "widgets/notice.py": [
        ("        self._text.set_text(text)\n", "        self._text.set_text(text)\n{}\n")
    ],
}
"""What is changed in the copy that is tested: it waits less, and writes down what it shows."""
WRITES = """\
        import json, os
        with open(os.environ["FAULTS_SAID"], "a") as out:
            kind = "info" if self._bar.get_message_type() == Gtk.MessageType.INFO else "problem"
            print(json.dumps([kind, text]), file=out)
"""


@pytest.fixture(scope="session")
def held(gimp, request, tmp_path_factory):
    """What did not hold of the rows that were asked for, in one start of the driver.

    In a GIMP of its own: the others want the plug-in as it is.
    """
    gimp = Gimp(gimp.root, tmp_path_factory.mktemp(f"faults-{gimp.root.name}"))
    for name, changes in PATIENCE.items():
        path = gimp.plugin / name
        source = path.read_text()
        for old, new in changes:
            assert source.count(old) == 1, (name, old)
            source = source.replace(old, new.replace("{}", WRITES))
        path.write_text(source)
    agent = gimp.profile / "plug-ins" / "fault_agent" / "fault_agent.py"
    agent.parent.mkdir(parents=True)
    shutil.copy(HERE / "fault_agent.py", agent)
    agent.chmod(0o755)
    here = f"[{Path(gimp.root).name}"
    names = [
        item.callspec.params["name"]
        for item in request.session.items
        if item.path == Path(__file__) and here in item.nodeid
    ]
    return Held(gimp, names)


class Held:
    """What did not hold of rows, some of which are run together in one start of GIMP."""

    def __init__(self, gimp, names):
        self.gimp, self.answers, self.output = gimp, {}, ""
        self.left = [names[i : i + AT_ONCE] for i in range(0, len(names), AT_ONCE)]

    def of(self, name):
        """Runs the row with its neighbours, unless that has been done."""
        for names in self.left:
            if name in names:
                self.left.remove(names)
                self._run(names)
                break
        assert name in self.answers, self.output[-3000:]
        return self.answers[name]

    def _run(self, names):
        folder = self.gimp.work / f"faults-{len(self.left)}"
        folder.mkdir()
        context = {
            "folder": folder, "plugin": self.gimp.plugin, "helpers": HERE / "fault_gimp.py",
            "rows": names, "table": TABLE, "engine": TABLE / "scripted_engine.py",
        }  # fmt: skip
        (folder / "context.json").write_text(json.dumps(context, default=str))
        driver = ["python3", HERE / "fault_driver.py", folder / "context.json"]
        done = self.gimp.run("dbus-run-session", "--", *driver)
        self.output = done.stdout + done.stderr
        (folder / "driver.txt").write_text(self.output)
        results = folder / "results.jsonl"
        lines = results.read_text().splitlines() if results.exists() else []
        self.answers.update((name, answer) for name, answer, _s in map(json.loads, lines))


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if r.every else [pytest.mark.by_hand]) for n, r in ROWS.items()],
)
def test_fault(held, name):
    answer = held.of(name)
    assert not answer, answer
