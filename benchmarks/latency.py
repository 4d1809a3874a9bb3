"""How long a user waits for the first picture.

    python -m benchmarks.latency                       # 1 and 24 megapixels, Fast and Draft
    python -m benchmarks.latency --megapixels 12 --preset draft --keep FOLDER

Starts the real ``styleengine serve`` and sends it a photo in strips, as the plug-in does, drops the
run as soon as its first preview has come, and asks the same once more of the process that is warm
by now. Told are seconds by the clock, and of the engine's processor time, which says more where
other programs run. The pixels are ready before: what GIMP needs to read its layer is no part.

ready       from the start of the process to its greeting
sent        from ``run`` to the last strip of the photo
progress    from ``run`` to the first word about it
preview     from ``run`` to the first preview, which is a painted picture
in all      from the start of the process to the first preview
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import report
from benchmarks.large import MEGA, SOURCE, enlarged
from benchmarks.pairs import add_options, load_pairs, machine
from styleengine.machine import devices
from styleengine.pictures.files import Picture, from_pixels, save, to_pixels
from styleengine.protocol import (
    PROTOCOL,
    EngineError,
    PictureSpec,
    Settings,
    read_frame,
    write_frame,
)

PREVIEW = 512
CALM_S = 0.35
"""What the dialog waits, before it asks again, for a moment in which no control is moved."""
COMMAND = (sys.executable, "-m", "styleengine", "serve")
PRESETS = ("fast", "draft")


@dataclass(frozen=True)
class Moment:
    """A moment in the life of an engine: the clock's, and the processor time it had taken."""

    clock: float
    processor: float

    def since(self, before: Moment) -> dict[str, float]:
        """Seconds from ``before`` to this."""
        return {"s": self.clock - before.clock, "cpu_s": self.processor - before.processor}


@dataclass(frozen=True)
class Wait:
    """What became of one request, each moment as it came."""

    sent: Moment
    progress: Moment
    preview: Moment
    picture: Picture


class Served:
    """A running ``styleengine serve``; leaving it ends it."""

    def __init__(self) -> None:
        self._clock = time.monotonic()
        # What the engine logs is of no interest as long as it lives.
        self._process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._about = psutil.Process(self._process.pid)
        self.started = Moment(self._clock, 0.0)

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *exception: object) -> None:
        # Popen's own way out: closes both pipes, which ends the engine, and waits for it.
        self._process.__exit__(None, None, None)

    def now(self) -> Moment:
        """This moment."""
        spent = self._about.cpu_times()
        return Moment(time.monotonic(), spent.user + spent.system)

    def greet(self) -> Moment:
        """Says hello; the moment it is ready."""
        self._send({"type": "hello", "protocol": PROTOCOL})
        self._wait("", "ready")
        return self.now()

    def first_preview(
        self, run: str, settings: Settings, pixels: np.ndarray, style: bytes
    ) -> tuple[Moment, Wait]:
        """Asks for a picture of ``pixels`` (H, W, 4) u8, and drops it after the first preview.

        Returns the moment it was asked, and what came.
        """
        asked = self.now()
        sent: list[Moment] = []

        def send() -> None:
            self._ask(run, settings, pixels, style)
            sent.append(self.now())

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        self._wait(run, "progress")
        progress = self.now()
        header, data = self._wait(run, "preview")
        preview = self.now()
        sender.join()
        self._send({"type": "stop", "id": run, "keep": False})
        self._wait(run, "cancelled")
        picture = from_pixels(data, header["width"], header["height"], "u8")
        return asked, Wait(sent[0], progress, preview, picture)

    def _ask(self, run: str, settings: Settings, pixels: np.ndarray, style: bytes) -> None:
        height, width, _ = pixels.shape
        spec = PictureSpec(width, height)
        self._send(
            {
                "type": "run",
                "id": run,
                "settings": settings.to_dict(),
                "content": {"width": width, "height": height, "dtype": spec.dtype},
                "styles": [{"name": "style"}],
                "preview": PREVIEW,
            }
        )
        self._send({"type": "style", "id": run, "index": 0}, style)
        for y, rows in spec.strips():
            part = {"type": "pixels", "id": run, "of": "content", "y": y, "rows": rows}
            self._send(part, pixels[y : y + rows].reshape(-1).data)

    def _send(self, header: dict[str, Any], payload: Any = None) -> None:
        assert self._process.stdin is not None
        write_frame(self._process.stdin, header, payload)

    def _wait(self, run: str, kind: str) -> tuple[dict[str, Any], bytes]:
        """The next message of that ``kind``; raises `EngineError` if it never comes."""
        assert self._process.stdout is not None
        while (frame := read_frame(self._process.stdout)) is not None:
            header, payload = frame
            if header["type"] == "failed":
                raise EngineError(header["code"], header["message"], header["hint"])
            if header["type"] == kind and header.get("id", "") == run:
                return header, payload
        raise EngineError("engine-gone", "The engine ended before it had answered.")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return report.ending(measure, parser().parse_args(arguments))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="benchmarks.latency", description="Measures the wait for the first picture."
    )
    add_options(top)
    top.set_defaults(size=SOURCE, features="auto")
    top.add_argument("--megapixels", type=float, action="append", default=[], help="(1 and 24)")
    top.add_argument("--preset", action="append", default=[], choices=(*PRESETS, "best"))
    top.add_argument("--repeat", type=int, default=3, help="the median is told (default: 3)")
    top.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the previews there")
    return top


def measure(options: argparse.Namespace) -> None:
    """Runs everything asked for and prints it."""
    about = machine("draft", devices.pick(options.device))
    print(about.line())
    (pair,) = load_pairs(options, 1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "style.jpg"
        save(file, pair.style)
        style = file.read_bytes()
    rows = []
    for megapixels in options.megapixels or (1.0, 24.0):
        photo = of_megapixels(pair.content, megapixels)
        pixels = to_pixels(photo, "u8")
        for preset in options.preset or PRESETS:
            settings = Settings(preset=preset, features=options.features, device=options.device)
            report.say(f"{photo.width}×{photo.height}, {preset}")
            rows += waits(options, settings, pixels, style)
    print(table(rows))
    report.write_json(options.json, {"machine": dataclasses.asdict(about), "waits": rows})


def of_megapixels(picture: Picture, megapixels: float) -> Picture:
    """``picture`` enlarged or shrunk to so many."""
    scale = math.sqrt(megapixels * MEGA / (picture.width * picture.height))
    return enlarged(picture, round(max(picture.width, picture.height) * scale))


def waits(
    options: argparse.Namespace, settings: Settings, pixels: np.ndarray, style: bytes
) -> list[dict[str, Any]]:
    """The records of a cold and of a warm engine, each the median of the repetitions."""
    cold, warm = [], []
    for _ in range(options.repeat):
        with Served() as engine:
            ready = engine.greet()
            for number, records in enumerate((cold, warm)):
                asked, wait = engine.first_preview(f"run-{number}", settings, pixels, style)
                record = {
                    "sent": wait.sent.since(asked),
                    "progress": wait.progress.since(asked),
                    "preview": wait.preview.since(asked),
                }
                if number == 0:
                    record["ready"] = ready.since(engine.started)
                    record["in_all"] = wait.preview.since(engine.started)
                records.append(record)
                time.sleep(CALM_S)
            if options.keep is not None:
                name = f"first-{settings.preset}-{pixels.shape[1]}.png"
                save(options.keep / name, wait.picture)
    about = {"width": pixels.shape[1], "height": pixels.shape[0], "preset": settings.preset}
    return [
        {**about, "engine": name, **medians(records)}
        for name, records in (("cold", cold), ("warm", warm))
    ]


def medians(records: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """The median of each figure over records that have the same ones."""
    return {
        moment: {unit: statistics.median(r[moment][unit] for r in records) for unit in figures}
        for moment, figures in records[0].items()
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The records as a table: seconds, and of processor time in brackets."""
    moments = ("ready", "sent", "progress", "preview", "in_all")
    cells = []
    for row in rows:
        told = [_told(row[m]) if m in row else None for m in moments]
        cells.append((f"{row['width']}×{row['height']}", row["preset"], row["engine"], *told))
    titles = ("picture", "preset", "engine", *(m.replace("_", " ") for m in moments))
    return report.table(titles, cells)


def _told(figures: dict[str, float]) -> str:
    return f"{figures['s']:.2f} ({figures['cpu_s']:.2f})"


if __name__ == "__main__":
    sys.exit(main())
