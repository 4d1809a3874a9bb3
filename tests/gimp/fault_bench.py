"""A GIMP to hurt, from within the root: started, spoken to by fault_agent.py, ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from display import is_running, processes, window

DEADLINE_S = 240
GONE_S = 3.0


def until(condition, what, seconds=DEADLINE_S):
    """The first true answer of ``condition``."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.03)
    return answer


class Agent:
    """One of the two processes in GIMP that do what they are told."""

    def __init__(self, link):
        link.settimeout(DEADLINE_S)
        self.stream = link.makefile("rw")
        self.name = self.stream.readline().strip()

    def begin(self, code):
        print(json.dumps(code), file=self.stream, flush=True)

    def end(self):
        """What it answers; EOFError if GIMP is gone, or the agent with it."""
        line = self.stream.readline()
        if not line:
            raise EOFError
        told = json.loads(line)
        assert "problem" not in told, told["problem"]
        return told["answer"]

    def ask(self, code):
        self.begin(code)
        return self.end()


class Bench:
    """GIMP with its windows, its agents, the scripted engine's folder, and what was said."""

    def __init__(self, context):
        self.folder = Path(context["folder"])
        self.orders = self.folder / "engine"
        self.temporary = self.folder / "tmp"
        self.said = self.folder / "said.jsonl"
        self.log = self.folder / "gimp.log"
        self.home = Path(os.environ["STYLEENGINE_HOME"])
        self.helpers = context["helpers"]
        self.style = self.folder / "style.png"
        self.style.write_bytes(b"not decoded by the scripted engine")
        session = self.folder / "session"  # in memory, where people log in
        for folder in (self.orders, self.temporary, self.home, session):
            folder.mkdir(mode=0o700, exist_ok=True)
        os.environ.update(FAULTS_SAID=str(self.said), TMPDIR=str(self.temporary))
        os.environ["XDG_RUNTIME_DIR"] = str(session)
        record = {"command": ["python3", context["engine"], str(self.orders)], "protocol": 1}
        (Path(context["plugin"]) / "engine.json").write_text(json.dumps(record))
        os.environ["FAULTS_SOCKET"] = str(self.folder / "socket")
        self.door = socket.socket(socket.AF_UNIX)
        self.door.bind(os.environ["FAULTS_SOCKET"])
        self.door.listen(4)
        self.door.settimeout(DEADLINE_S)
        self.gimp = None

    def start(self):
        """Starts GIMP if it does not run."""
        if self.gimp is not None and self.gimp.poll() is None:
            return
        with open(self.log, "ab") as log:
            command = ["gimp", "--no-splash", "--new-instance"]
            self.gimp = subprocess.Popen(command, stdout=log, stderr=log)
        agents = [Agent(self.door.accept()[0]) for _ in range(2)]
        found = {agent.name: agent for agent in agents}
        self.running, self.editing = found["faults-run"], found["faults-edit"]
        until(lambda: window("GIMP$|GNU Image"), "GIMP's window")
        for agent in agents:
            agent.ask(f"exec(open({self.helpers!r}).read(), globals())")

    def stop(self):
        """Ends GIMP, whatever state it is in."""
        if self.gimp is not None:
            with contextlib.suppress(ProcessLookupError):
                self.gimp.send_signal(signal.SIGKILL)
            self.gimp.wait()
        for pid in (*self.plug_ins(), *processes(b"fault_agent.py"), *self.engines()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.gimp = None

    def plug_ins(self):
        return [pid for pid in processes(b"neural_style.py") if is_running(pid)]

    def engines(self):
        words = str(self.orders).encode()
        return [pid for pid in processes(words) if is_running(pid)]

    def engine(self):
        """The process id of the engine that was started last."""
        return int((self.orders / "pid").read_text())

    def order(self, **orders):
        """What the scripted engine is to do; forgets what it was to do before."""
        for name in ("hold", "deaf", "lie", "at", "go", "runs"):
            (self.orders / name).unlink(missing_ok=True)
        for name, text in orders.items():
            (self.orders / name).write_text(text)

    def let_go(self):
        (self.orders / "go").touch()

    def at(self):
        return (self.orders / "at").exists()

    def told(self):
        """The problems that the dialog has shown."""
        lines = self.said.read_text().splitlines() if self.said.exists() else []
        return [text for kind, text in map(json.loads, lines) if kind != "info"]

    def gone_after(self, pids):
        """Seconds until these processes are gone; fails after more than `GONE_S`."""
        start = time.monotonic()
        end = start + GONE_S
        while left := [pid for pid in pids if is_running(pid)]:
            assert time.monotonic() < end, f"processes {left} are still there"
            time.sleep(0.02)
        return time.monotonic() - start

    def complaints(self, since):
        """What GIMP's terminal shows of ours that it should not."""
        with open(self.log, "rb") as log:
            log.seek(since)
            lines = log.read().decode(errors="replace").splitlines()
        bad = [line for line in lines if "Traceback" in line]
        ours = [line for line in lines if "neural_style" in line]
        return bad + [line for line in ours if "CRITICAL" in line or "PyGIWarning" in line]
