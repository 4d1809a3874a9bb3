"""Runs rows of the fault suite, from within the root: `dbus-run-session fault_driver.py CONTEXT`.

Each writes a line to ``results.jsonl``: its name, what did not hold, and after how many seconds the
processes were gone.
"""

from __future__ import annotations

# ruff: noqa: E402
import json
import subprocess
import sys
import time
import traceback
from pathlib import Path

CONTEXT = json.loads(Path(sys.argv[1]).read_text())
sys.path.insert(0, CONTEXT["table"])
import fault_trial
import table
from display import start_display, windows_are_managed
from fault_bench import Bench, until


def main():
    start_display()
    until(windows_are_managed, "a window manager")
    fault_trial.EDITS_NAMES.update(table.EDITS)
    bench = Bench(CONTEXT)
    rows = {row.name: row for row in table.ROWS}
    with open(bench.folder / "results.jsonl", "w") as out:
        for name in CONTEXT["rows"]:
            start, seconds, answer = time.monotonic(), 0.0, ""
            try:
                seconds = fault_trial.Trial(bench, rows[name]).run()
            except Exception:
                answer = traceback.format_exc()
                picture = bench.folder / f"{name}.png".replace(":", "")
                subprocess.run(["import", "-window", "root", picture], check=False)
                bench.stop()
            print(json.dumps([name, answer, round(seconds, 2)]), file=out, flush=True)
            took = time.monotonic() - start
            print(f"{took:5.1f} s  {'held' if not answer else 'FAILED'}  {name}", flush=True)
    bench.stop()


if __name__ == "__main__":
    main()
