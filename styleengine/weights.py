"""Which weights the VGG19 trunk gets: a named file, the stored ones, or the built-in random ones.

Stored weights are one safetensors file with the 16 convolutions in float32, conv1_1 folded to RGB
input 0–1. Importing this module does not import torch.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from styleengine import paths
from styleengine.atomic import cannot_write, locked, replacing
from styleengine.download import Progress, download
from styleengine.protocol import EngineError
from styleengine.vgg_layout import LAYERS, Floats, Layer
from styleengine.weight_files import Loaded, bad_weights, cannot_read, load_file
from styleengine.weight_sources import OXFORD_LICENCE, TORCHVISION_LICENCE, Source, source_named

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "styleengine-vgg19-1"
FILE_VARIABLE = "STYLEENGINE_WEIGHTS"
RANDOM_INPUTS = 2
"""Channels of the layer below that a channel of the random network sees."""


@dataclass(frozen=True)
class Weights:
    """Weights of the trunk.

    ``tensors`` has torchvision's keys, ``features.N.weight`` and ``features.N.bias``, for all 16
    convolutions, float32; conv1_1 takes RGB 0–1. ``name`` is "vgg19" or "random"; ``source`` says
    for people where they come from.
    """

    tensors: dict[str, Tensor]
    name: str
    source: str


@dataclass(frozen=True)
class WeightsStatus:
    """What `resolve` ("auto") would use. ``path`` is None for the built-in weights.

    ``origin`` is "file" (named by the user), "stored" or "built-in"; ``problem`` says why the file
    cannot be used, or is empty.
    """

    name: str
    source: str
    origin: str
    path: Path | None
    licence: str
    problem: str = ""


def stored_path() -> Path:
    """Where converted weights are kept."""
    return paths.weights_dir() / "vgg19.safetensors"


def resolve(features: str = "auto", file: str | None = None, seed: int = 0) -> Weights:
    """The weights to work with.

    ``features`` "auto": ``file`` or $STYLEENGINE_WEIGHTS, else the stored weights, else random ones
    made from ``seed``; "vgg19": the same, but `EngineError` ("no-weights") instead of random ones;
    "random": always those. Raises the errors of `weight_files.load_file` too: weights that are
    there but damaged are never passed over in silence.
    """
    if features == "random":
        return random_weights(seed)
    if features not in ("auto", "vgg19"):
        raise EngineError(
            "bad-setting", f"features must be auto, vgg19 or random, not {features!r}."
        )
    named = file or os.environ.get(FILE_VARIABLE)
    if named:
        loaded = load_file(Path(named).expanduser())
        return Weights(_tensors(loaded.arrays), "vgg19", loaded.title)
    if os.path.exists(stored_path()):
        return _stored(stored_path())
    if features == "vgg19":
        raise EngineError(
            "no-weights",
            "The pretrained VGG19 is not installed.",
            "Download it with `styleengine weights fetch` (80 MB), or import a file with "
            "`styleengine weights import FILE`.",
        )
    return random_weights(seed)


def random_weights(seed: int = 0) -> Weights:
    """VGG19 with random weights, drawn with NumPy's PCG64: a seed is the same network everywhere.

    He, Wang and Hopcroft (arXiv 1606.04801) show that random weights carry style. Unlike theirs,
    which are dense and Gaussian, each channel here sees few channels of the layer below
    (`RANDOM_INPUTS`), all through one small random wave. A sum over many random channels is nearly
    Gaussian whatever the picture, and a picture optimised for it turns to grain; these sparse
    channels answer to edges and strokes of one direction, and give strokes back. `features.whiten`
    sets their scale.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    arrays: dict[str, Floats] = {}
    for layer in LAYERS:
        shape = layer.shapes["weight"]
        outputs, inputs = shape[:2]
        count = inputs if inputs == 3 else RANDOM_INPUTS
        chosen = rng.integers(0, inputs, (outputs, count))
        if inputs == 3:
            chosen[:] = np.arange(3)  # every filter of the first layer has a colour
        signs = rng.standard_normal((outputs, count), dtype=np.float32)
        weight = np.zeros(shape, np.float32)
        rows = np.arange(outputs)[:, None]
        np.add.at(weight, (rows, chosen), signs[..., None, None] * _waves(rng, outputs)[:, None])
        arrays[f"{layer.key}.weight"] = weight
        arrays[f"{layer.key}.bias"] = np.zeros(layer.shapes["bias"], np.float32)
    return Weights(_tensors(arrays), "random", _random_source(seed))


def _waves(rng: np.random.Generator, count: int) -> Floats:
    """``count`` 3×3 waves of random direction, phase and length under a Gaussian window."""
    y, x = np.mgrid[-1:2, -1:2]
    angle, phase = rng.uniform(0, 2 * np.pi, (2, count, 1, 1))
    frequency = rng.uniform(0.2 * np.pi, 2 / 3 * np.pi, (count, 1, 1))
    along = x * np.cos(angle) + y * np.sin(angle)
    waves = np.cos(frequency * along + phase) * np.exp(-(x**2 + y**2) / 2)
    return np.asarray(waves, np.float32)


def status(file: str | None = None) -> WeightsStatus:
    """What would be used now, found out without loading it."""
    named = file or os.environ.get(FILE_VARIABLE)
    if named:
        path = Path(named).expanduser()
        problem = "" if os.path.isfile(path) else f"There is no weight file “{path}”."
        return WeightsStatus("vgg19", path.name, "file", path, "that of the file", problem)
    path = stored_path()
    if os.path.exists(path):
        try:
            metadata = _metadata(path)
        except EngineError as error:
            return WeightsStatus("vgg19", path.name, "stored", path, "", error.message)
        source, licence = metadata.get("source", "VGG19"), metadata.get("licence", "")
        return WeightsStatus("vgg19", source, "stored", path, licence)
    return WeightsStatus("random", _random_source(0), "built-in", None, "none needed")


def import_file(
    path: str | Path,
    convention: str = "auto",
    *,
    layers: tuple[Layer, ...] = LAYERS,
    title: str = "",
) -> WeightsStatus:
    """Converts a weight file and stores it; later runs use it. Returns the new `status`.

    The stored weights change only when everything about the file was right. Raises the errors of
    `weight_files.load_file`, and `EngineError` ("cannot-write").
    """
    path = Path(path).expanduser()
    _store(load_file(path, convention, layers, title), path.name)
    return status()


def fetch(
    source: str | Source = "keras",
    progress: Progress | None = None,
    *,
    url: str | None = None,
    layers: tuple[Layer, ...] = LAYERS,
) -> WeightsStatus:
    """Downloads pretrained weights, converts and stores them. Returns the new `status`.

    ``source`` is "keras" (80 MB) or "torchvision" (548 MB); ``url`` or $STYLEENGINE_WEIGHTS_URL
    names a mirror, see `weight_sources.source_named`. ``progress`` is called with (bytes so far,
    bytes in all). What an interrupted download left is gone on with. The stored weights change only
    when everything went well. Raises the errors of `download.download` and of
    `weight_files.load_file`, and `EngineError` "download-running" while another process does it.
    """
    chosen = source if isinstance(source, Source) else source_named(source, url)
    folder = _made(stored_path().parent)
    with _alone(folder):
        target = folder / chosen.file_name
        converted = sum(4 * math.prod(shape) for x in layers for shape in x.shapes.values())
        download(chosen.remote, target, progress, spare=converted)
        try:
            loaded = load_file(target, "auto", layers, chosen.title)
            _store(loaded, chosen.file_name, chosen.licence)
        finally:
            target.unlink(missing_ok=True)
    return status()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps a second download out of the folder."""
    with contextlib.ExitStack() as stack:
        lock = folder / ".lock"
        try:
            alone = stack.enter_context(locked(lock))
        except OSError as error:
            raise cannot_write(lock, error) from error
        if not alone:
            raise EngineError(
                "download-running",
                "Another download of weights is running.",
                "Wait until it has ended.",
            )
        yield


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(
            "cannot-write",
            f"The folder “{folder}” could not be made: {error.strerror}.",
            "Set STYLEENGINE_HOME to a folder of yours.",
        ) from error
    return folder


def _store(loaded: Loaded, origin: str, licence: str = "") -> None:
    """Keeps converted weights in `stored_path`, replacing those that are there."""
    from safetensors.numpy import save

    licences = {"caffe": OXFORD_LICENCE, "torchvision": TORCHVISION_LICENCE}
    metadata = {
        "format": FORMAT,
        "convention": "rgb01",
        "source": loaded.title,
        "origin": origin,
        "sha256": loaded.sha256,
        "licence": licence or licences.get(loaded.convention, ""),
    }
    target = stored_path()
    _made(target.parent)
    with replacing(target) as file:
        file.write(save(loaded.arrays, metadata))


def _stored(path: Path) -> Weights:
    """The stored weights, mapped into memory."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file as load_tensors

    metadata = _metadata(path)
    try:
        tensors = load_tensors(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path) from error
    wanted = {f"{x.key}.{kind}": shape for x in LAYERS for kind, shape in x.shapes.items()}
    if {key: tuple(t.shape) for key, t in tensors.items()} != wanted:
        raise _damaged(path)
    return Weights(tensors, "vgg19", metadata.get("source", "VGG19"))


def _metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, checked to be ours and complete, nothing else read."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length)) if length < 1 << 20 else {}
        metadata = header.pop("__metadata__", {})
        ends = [entry["data_offsets"][1] for entry in header.values()]
    except OSError as error:
        raise cannot_read(path, error) from error
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise _damaged(path) from error
    if metadata.get("format") != FORMAT or 8 + length + max(ends, default=0) != size:
        raise _damaged(path)
    return dict(metadata)


def _damaged(path: Path) -> EngineError:
    return bad_weights(
        path.name,
        f"in {path.parent} is damaged",
        "Get it anew with `styleengine weights fetch`, or `styleengine weights import FILE`.",
    )


def _random_source(seed: int) -> str:
    return f"built-in VGG19 with random weights (seed {seed})"


def _tensors(arrays: dict[str, Floats]) -> dict[str, Tensor]:
    import torch

    return {key: torch.from_numpy(array) for key, array in arrays.items()}
