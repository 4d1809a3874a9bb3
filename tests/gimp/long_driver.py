"""Many runs in a row in one GIMP, from within the root: `dbus-run-session long_driver.py CONTEXT`.

After each run it notes what must not grow, in ``runs.jsonl``: the peak memory of the plug-in and of
the engine, GIMP's memory (MB), processes, images, temporary files, open files of GIMP.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

from display import processes, start_display, windows_are_managed
from fault_bench import Bench, until

CONTEXT = json.loads(Path(sys.argv[1]).read_text())
RUN = """
image, layer = new_image(SMALL, False)
answer = run(image, layer, False, style={style!r}, **{arguments!r})
answer.append(len(Gimp.Image.get_by_id(image).get_layers()))
Gimp.Image.get_by_id(image).delete()
answer.append(len(Gimp.get_images()))
"""


def memory(pid, line):
    """A line of a process's status, in MB; 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/status") as stream:
            return next((int(x.split()[1]) / 1000 for x in stream if x.startswith(line)), 0.0)
    except OSError:
        return 0.0


class Peaks:
    """The most memory of the plug-in and the engine during one run."""

    WHO = (("plug_in", b"neural_style.py"), ("engine", CONTEXT["words"].encode()))

    def __enter__(self):
        self.found, self._stop = dict.fromkeys(dict(self.WHO), 0.0), threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self):
        while not self._stop.wait(0.1):
            for name, words in self.WHO:
                for pid in processes(words):
                    self.found[name] = max(self.found[name], memory(pid, "VmHWM"))

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def main():
    start_display()
    until(windows_are_managed, "a window manager")
    bench = Bench(CONTEXT)
    if CONTEXT["command"]:
        record = {"command": CONTEXT["command"], "protocol": 1}
        (Path(CONTEXT["plugin"]) / "engine.json").write_text(json.dumps(record))
    bench.start()
    bench.order()
    style = CONTEXT["style"] or str(bench.style)
    code = RUN.format(style=style, arguments=CONTEXT["arguments"])
    with open(bench.folder / "runs.jsonl", "w") as out:
        for number in range(CONTEXT["runs"]):
            with Peaks() as peaks:
                bench.running.begin(code)
                status, _told, layers, images = bench.running.end()
            bench.gone_after([*bench.plug_ins(), *processes(CONTEXT["words"].encode())])
            found = {
                "run": number, "painted": status == 3 and layers == 3, **peaks.found,
                "gimp": memory(bench.gimp.pid, "VmRSS"), "images": images,
                "processes": len([n for n in os.listdir("/proc") if n.isdigit()]),
                "temporary files": sum(len(files) for _, _, files in os.walk(bench.temporary)),
                "open files": len(os.listdir(f"/proc/{bench.gimp.pid}/fd")),
                "log": sum(f.stat().st_size for f in (bench.home / "logs").iterdir()) / 1e6,
            }  # fmt: skip
            print(json.dumps(found), file=out, flush=True)
    bench.stop()


if __name__ == "__main__":
    main()
