"""Small pictures, runs of the engine, and real processes, for the tests of the engine."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from styleengine import protocol
from styleengine.engine import Engine
from styleengine.jobs import Job, Preview, Result, Style
from styleengine.pictures.files import Picture, load
from styleengine.plugins.registry import Plugins, load_plugins
from styleengine.protocol import Progress, Settings
from styleengine.scene import resample
from styleengine.weights import store
from styleengine.weights.vgg_layout import LAYERS
from tests import toy_plugin
from tests.patience import DEADLINE

ROOT = Path(__file__).resolve().parents[1]
TINY = {"size": 64, "iterations": 4, "features": "thin"}
"""Settings of a run that takes a fraction of a second."""


# --- pictures -------------------------------------------------------------------------------------


def picture(height: int, width: int, seed: int = 0, block: int = 7, **fields: Any) -> Picture:
    """A picture with edges (coloured blocks), slopes and a little grain."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((-(-height // block), -(-width // block), 3))
    blocks = np.kron(coarse, np.ones((block, block, 1)))[:height, :width]
    slope = np.linspace(0, 1, height)[:, None, None] * rng.random(3)
    grain = rng.standard_normal((height, width, 3)) * 0.02
    rgb = np.clip(0.6 * blocks + 0.3 * slope + 0.05 + grain, 0, 1).astype(np.float32)
    return Picture(rgb, **fields)


def tinted(color: tuple[float, float, float], seed: int = 1, size: int = 64) -> Picture:
    """A style picture whose colours lie around ``color``."""
    rgb = 0.25 * (picture(size, size, seed, block=4).rgb - 0.4) + np.float32(color)
    return Picture(np.clip(rgb, 0, 1).astype(np.float32))


def drawn_weights() -> store.Weights:
    """Weights for VGG19 as He et al. draw them, so that no layer's activations vanish."""
    rng = np.random.default_rng(3)
    tensors = {}
    for layer in LAYERS:
        scale = (2 / (9 * layer.inputs)) ** 0.5
        weight = rng.standard_normal(layer.shapes["weight"], dtype=np.float32) * np.float32(scale)
        bias = 0.1 * rng.standard_normal(layer.outputs, dtype=np.float32)
        tensors[f"{layer.key}.weight"] = torch.from_numpy(weight)
        tensors[f"{layer.key}.bias"] = torch.from_numpy(bias)
    return store.Weights(tensors, "given")


def luma(rgb: np.ndarray) -> np.ndarray:
    """Y' of ITU-R BT.601."""
    return rgb @ np.array([0.299, 0.587, 0.114])


def gradient_energy(rgb: np.ndarray) -> float:
    """Mean square of the differences of neighbouring pixels."""
    return float(np.mean(np.diff(rgb, axis=0) ** 2) + np.mean(np.diff(rgb, axis=1) ** 2))


# --- runs -----------------------------------------------------------------------------------------


def toy_plugins() -> Plugins:
    """The built-ins and the plug-in of `tests.toy_plugin`, without its talkative observer."""
    plugins = load_plugins(())
    plugins.add("toy", toy_plugin)
    assert not plugins.broken
    plugins.manager.hook.observe._remove_plugin(toy_plugin)
    return plugins


def job(content: Picture, *styles: Picture | Style, **settings: Any) -> Job:
    """A job with `TINY` settings and ``settings``; one default style if none is given."""
    given = styles or (picture(48, 56, 9, block=4),)
    return Job(
        content,
        tuple(s if isinstance(s, Style) else Style(s) for s in given),
        Settings(**{**TINY, **settings}),
    )


def paint(engine: Engine, work: Job, **kwargs: Any) -> Result:
    """The result of a run."""
    return events_of(engine, work, **kwargs)[-1]


def events_of(engine: Engine, work: Job, **kwargs: Any) -> list[Any]:
    """All events of a run, checked to be in order."""
    events = list(engine.run(work, **kwargs))
    assert isinstance(events[-1], Result)
    assert all(isinstance(e, Progress | Preview) for e in events[:-1])
    return events


def losses(events: list[Any]) -> list[float]:
    """The losses of the steps."""
    return [e.loss for e in events if isinstance(e, Progress) and e.stage == "paint"]


PEAK = """
def peak():
    status = open("/proc/self/status").read()  # getrusage tells no less than what the parent had
    return int(status.split("VmHWM:")[1].split()[0]) << 10
"""
"""For programs of tests on Linux: the most bytes this process has held."""


# --- processes ------------------------------------------------------------------------------------


def environment(*folders: Path, **extra: str) -> dict[str, str]:
    """For child processes: this checkout and ``folders`` on Python's path, one thread of torch."""
    path = os.pathsep.join(str(p) for p in (*folders, ROOT))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **extra}


def command(*arguments: object) -> list[str]:
    """The command line of ``styleengine`` in this Python."""
    return [sys.executable, "-m", "styleengine", *map(str, arguments)]


def run_cli(
    *arguments: object, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The finished command, with what it printed."""
    return subprocess.run(
        command(*arguments),
        env=env or environment(),
        cwd=cwd,
        text=True,
        encoding="utf-8",
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE,
        check=False,
    )


def install_package(folder: Path, name: str, source: str | Path, entry: str | None = None) -> Path:
    """Installs a module as a package with an entry point ``name``, as pip would leave it.

    ``source`` is its text, or the file to copy; ``entry`` what the entry point names, by default
    the module. Returns ``folder``, to be put on Python's path.
    """
    module = name.replace("-", "_")
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(source, Path):
        shutil.copy(source, folder / f"{module}.py")
    else:
        (folder / f"{module}.py").write_text(source, encoding="utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[styleengine]\n{name} = {entry or module}\n")
    return folder


Frame = tuple[dict[str, Any], bytes]


class Serving:
    """A real ``styleengine serve``; frames are read by a thread, so that nothing waits for ever."""

    def __init__(self, env: dict[str, str] | None = None, program: list[str] | None = None) -> None:
        self.process = subprocess.Popen(
            program or command("serve"),
            env=env or environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.log: list[bytes] = []
        self.alive = 0  # signs of life, which tests of what is said pass over
        self._frames: queue.Queue[Frame | Exception | None] = queue.Queue()
        self._threads = [threading.Thread(target=f) for f in (self._read, self._read_log)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout
        try:
            while (frame := protocol.read_frame(self.process.stdout)) is not None:
                if frame[0]["type"] == "alive":
                    self.alive += 1
                else:
                    self._frames.put(frame)
            self._frames.put(None)
        except Exception as error:  # handed to the test
            self._frames.put(error)

    def _read_log(self) -> None:
        assert self.process.stderr
        self.log.extend(self.process.stderr)

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):  # what the engine no longer took
                stream.close()

    def send(self, header: dict[str, Any], payload: Any = None) -> None:
        """One frame to the engine."""
        assert self.process.stdin
        protocol.write_frame(self.process.stdin, header, payload)

    def send_raw(self, data: bytes) -> None:
        """Bytes, whatever they are."""
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def close_stdin(self) -> None:
        """The end of the stream."""
        assert self.process.stdin
        self.process.stdin.close()

    def next(self) -> Frame | None:
        """The next frame from the engine, None at the end of the stream."""
        frame = self._frames.get(timeout=DEADLINE)
        if isinstance(frame, Exception):
            raise frame
        return frame

    def until(self, *kinds: str, **fields: Any) -> Frame:
        """The next frame of one of these types with these fields; those before it are dropped."""
        while (frame := self.next()) is not None:
            header = frame[0]
            if header["type"] in kinds and all(header.get(k) == v for k, v in fields.items()):
                return frame
        raise AssertionError(f"the engine ended before {kinds}: {b''.join(self.log).decode()}")

    def hello(self) -> dict[str, Any]:
        """Greets, and returns what the engine says of itself."""
        self.send({"type": "hello", "protocol": protocol.PROTOCOL})
        header, _ = self.until("ready", "failed")
        assert header["type"] == "ready", header
        return header

    def ended(self) -> int:
        """Waits for the process to end by itself; its exit status."""
        return self.process.wait(DEADLINE)


# --- the pictures and weights beside the project --------------------------------------------------


def shared(name: str) -> Path:
    """A file of the folder ``shared`` beside the project; skips the test where it is not."""
    path = ROOT.parent / "shared" / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def pretrained() -> str:
    """The pretrained VGG19 for development; skips the test where it is not."""
    return str(shared("vgg19/vgg19_notop_rebuilt.h5"))


def shared_picture(name: str, size: tuple[int, int]) -> torch.Tensor:
    """One of the test pictures as (1, 3, height, width)."""
    rgb = load(shared(f"images/{name}")).rgb
    return resample.resize(resample.to_tensor(rgb), size).clamp(0, 1)
