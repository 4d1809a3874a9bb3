"""Runs in the root, beside GIMP: kills GIMP while the plug-in paints, and tells what stays behind.

``python3 orphans.py CONTEXT``; the fake engine's modes, each with what is left some seconds later.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CONTEXT = json.loads(Path(sys.argv[1]).read_text())
FOLDER = Path(CONTEXT["folder"])
SECONDS = 10  # ten times as long as it should take, a quarter of what it took


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def commands(*words):
    """The processes whose command lines hold one of the words."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().decode(errors="replace")
        except OSError:
            continue  # it has just ended
        if any(word in line for word in words):
            found[int(entry.parent.name)] = line
    return found


def left_behind(mode):
    dump = FOLDER / mode
    record = {"command": ["python3", CONTEXT["fake"], "--dump", str(dump), mode], "protocol": 1}
    Path(CONTEXT["plugin"], "engine.json").write_text(json.dumps(record))
    interpreter = "--batch-interpreter=python-fu-eval"
    with open(FOLDER / f"{mode}.txt", "w") as log:
        command = ["gimp-console", "-i", interpreter, "-b", CONTEXT["starter"]]
        gimp = subprocess.Popen(command, stdout=log, stderr=log)
    assert until((dump / "run.json").exists, 300), "the run never began"
    plug_in, engine = commands("neural_style.py"), int((dump / "pid").read_text())
    assert plug_in, "no plug-in"
    gimp.send_signal(signal.SIGKILL)
    gimp.wait()
    ours = {*plug_in, engine}
    until(lambda: not any(is_running(pid) for pid in ours), SECONDS)
    lines = commands("python")
    left = {pid: lines.get(pid, "") for pid in ours if is_running(pid)}
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return left


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


answers = {mode: left_behind(mode) for mode in CONTEXT["modes"]}
(FOLDER / "left.json").write_text(json.dumps(answers))
