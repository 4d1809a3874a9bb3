"""Many runs in a row in one GIMP: nothing grows. By hand, half an hour for each GIMP:

./install/test.sh --by-hand tests/gimp/test_long_runs.py -s
"""

from __future__ import annotations

import json
import os
import shutil
import statistics

import pytest
from real_gimp import REPO, engine_command
from test_faults import HERE, TABLE

pytestmark = [pytest.mark.gimp, pytest.mark.by_hand]

FAKE_RUNS = int(os.environ.get("NEURAL_STYLE_RUNS", "1000"))
REAL_RUNS = max(FAKE_RUNS // 20, 4)
MOST_MORE = 1.1
"""How much more than in the first quarter of the runs there may be in the last."""


def measured(gimp, name, runs, **context):
    """What was noted after each of so many runs."""
    agent = gimp.profile / "plug-ins" / "fault_agent" / "fault_agent.py"
    agent.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "fault_agent.py", agent)
    agent.chmod(0o755)
    folder = gimp.work / name
    folder.mkdir()
    usual = {
        "folder": folder, "plugin": gimp.plugin, "helpers": HERE / "fault_gimp.py", "runs": runs,
        "engine": TABLE / "scripted_engine.py", "command": [], "style": "",
        "words": str(folder / "engine"),
        "arguments": {"size": 160},
    }  # fmt: skip
    (folder / "context.json").write_text(json.dumps({**usual, **context}, default=str))
    driver = ["python3", HERE / "long_driver.py", folder / "context.json"]
    done = gimp.run("dbus-run-session", "--", *driver, patience=4 * 3600)
    lines = (folder / "runs.jsonl").read_text().splitlines()
    assert len(lines) == runs, done.stdout + done.stderr
    return [json.loads(line) for line in lines]


def check_flat(name, noted):
    """Prints the first and the last quarter, and compares them."""
    quarter = len(noted) // 4
    parts = noted[:quarter], noted[-quarter:]
    print(f"\n{name}, {len(noted)} runs: mean of the first and of the last quarter, largest")
    grown = []
    for key in noted[0]:
        if key in ("run", "painted"):
            continue
        first, last = (statistics.mean(each[key] for each in part) for part in parts)
        print(f"  {key:16} {first:9.2f} {last:9.2f} {max(each[key] for each in noted):9.2f}")
        if last > MOST_MORE * first + 1:
            grown.append(key)
    assert all(each["painted"] for each in noted)
    assert all(each["images"] == 0 for each in noted)
    assert not grown, grown


@pytest.mark.timeout(0)
def test_with_the_scripted_engine(gimp):
    check_flat(f"GIMP {gimp.version}, scripted engine", measured(gimp, "long-fake", FAKE_RUNS))


@pytest.mark.timeout(0)
def test_with_the_real_engine(gimp):
    style = gimp.work / "style-wave.jpg"
    shutil.copy(REPO / "gimp_plugin" / "neural_style" / "styles" / "style-wave.jpg", style)
    noted = measured(
        gimp, "long-real", REAL_RUNS, command=engine_command(), words="styleengine\0serve",
        style=str(style), arguments={"size": 64, "iterations": 4, "features": "draft"},
    )  # fmt: skip
    check_flat(f"GIMP {gimp.version}, real engine", noted)
