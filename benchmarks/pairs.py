"""The pictures of the benchmarks, and the machine that they are run on."""

from __future__ import annotations

import argparse
import importlib
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import nn

from benchmarks import report
from styleengine.machine import devices
from styleengine.networks import trunk
from styleengine.networks.extractor import ExtractorRequest
from styleengine.networks.precision import choose_precision
from styleengine.pictures.files import Picture, load
from styleengine.pictures.picture import fit
from styleengine.plugins.registry import load_plugins
from styleengine.protocol import EngineError
from styleengine.scene.resample import resize, to_array, to_tensor
from styleengine.weights.vgg_layout import CONTENT_LAYER, STYLE_LAYERS

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = (
    ("lake", "night"),
    ("still", "watercolor"),
    ("lake", "wave"),
    ("still", "woodcut"),
    ("lake", "glass"),
    ("still", "points"),
)
"""Photo and style of the default pairs, by the names of the project's own drawings."""
LARGEST = 2
"""Styles are kept at up to this many times the working size."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A photo at the working size, and a style.

    The photo has no more pixels than are painted: the result then is what was optimised, and not
    that enlarged with the photo's detail.
    """

    name: str
    content: Picture
    style: Picture

    @property
    def size(self) -> int:
        """The working long side."""
        return max(self.content.width, self.content.height)


@dataclass(frozen=True)
class Machine:
    """What timings depend on besides the program. ``memory`` is in GiB."""

    processor: str
    logical_cores: int
    memory: float
    torch: str
    threads: int
    device: str
    precision: str

    def line(self) -> str:
        """All of it in one line."""
        return (
            f"{self.processor}, {self.logical_cores} logical cores, {self.memory:.0f} GiB; "
            f"torch {self.torch}, {self.threads} threads; {self.device}, {self.precision}"
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say what is painted and with what; for `load_pairs` and `machine`."""
    parser.add_argument(
        "--pair",
        nargs=2,
        action="append",
        default=[],
        metavar=("CONTENT", "STYLE"),
        help="two picture files, in place of the project's own pictures; may be repeated",
    )
    parser.add_argument(
        "--size", type=int, default=512, metavar="PIXELS", help="working long side (default: 512)"
    )
    add_engine_options(parser)


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """The options of every benchmark."""
    parser.add_argument("--features", default="vgg19", choices=("vgg19", "draft"))
    parser.add_argument("--device", default="auto", help="where the engines compute")
    parser.add_argument("--json", type=report.new_file, metavar="FILE", help="write all of it")


def load_pairs(options: argparse.Namespace, most: int | None = None) -> list[Pair]:
    """The pairs asked for, drawn or read from files; the first ``most`` of them."""
    size = options.size
    if size < 64:
        raise EngineError("bad-setting", "The size must be at least 64 pixels.")
    if options.pair:
        wanted = options.pair[:most]
        names = {p: load(p) for pair in wanted for p in pair}
        chosen = [(Path(c).stem, Path(s).stem, names[c], names[s]) for c, s in wanted]
    else:
        long_side = min(max(LARGEST * size, 64), 4096)
        chosen = [(c, s, drawn(c, long_side), drawn(s, long_side)) for c, s in DEFAULT[:most]]
    return [
        Pair(f"{c}-{s}", shrunk(content, size), shrunk(style, LARGEST * size))
        for c, s, content, style in chosen
    ]


def shrunk(picture: Picture, long_side: int) -> Picture:
    """``picture``, opaque, with no more than ``long_side`` pixels a side."""
    width, height = picture.width, picture.height
    size = fit(width, height, min(long_side, max(width, height)))
    return Picture(to_array(resize(to_tensor(picture.rgb), size)), name=picture.name)


@cache
def drawn(name: str, long_side: int) -> Picture:
    """One of the sample pictures, as ``install/samples.py`` draws it."""
    report.say(f"drawing {name}")
    folder = str(ROOT / "install")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    image = importlib.import_module("samples").draw(name, long_side).convert("RGB")
    return Picture(np.asarray(image, np.float32) / 255, name=name)


def chosen_precision(features: str, device: torch.device) -> trunk.Precision:
    """The precision that the engine chooses for itself; raises `EngineError` without weights."""
    entry = load_plugins(()).extractor(features)
    request = ExtractorRequest((*STYLE_LAYERS, CONTENT_LAYER), "max", None, features)
    first = entry.factory(request)

    def make() -> nn.Module:
        net: nn.Module = entry.factory(request)
        return net

    return choose_precision(make, device, first.kind)


def machine(features: str, device: torch.device) -> Machine:
    """The machine that ``device`` is part of."""
    return Machine(
        processor(),
        psutil.cpu_count() or 1,
        psutil.virtual_memory().total / 2**30,
        torch.__version__,
        torch.get_num_threads(),
        str(devices.describe(str(device))),
        chosen_precision(features, device).name,
    )


def processor() -> str:
    """The processor's model, as far as the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    if sys.platform == "darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.stdout.strip():
            return asked.stdout.strip()
    return platform.processor() or platform.machine()
