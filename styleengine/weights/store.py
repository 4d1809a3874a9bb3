"""Which weights the VGG19 trunk gets: those of a named file, or the stored ones.

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

from styleengine.machine import folders
from styleengine.machine.files import cannot_write, locked, open_file, replacing
from styleengine.protocol import DRAFT_NETWORK, EngineError
from styleengine.weights.download import Progress, download
from styleengine.weights.reading import Loaded, bad_weights, cannot_read, load_file
from styleengine.weights.sources import OXFORD_LICENCE, TORCHVISION_LICENCE, Source, source_named
from styleengine.weights.vgg_layout import LAYERS, Floats, Layer

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "styleengine-vgg19-1"
FILE_VARIABLE = "STYLEENGINE_WEIGHTS"


@dataclass(frozen=True)
class Weights:
    """Weights of the trunk.

    ``tensors`` has torchvision's keys, ``features.N.weight`` and ``features.N.bias``, for all 16
    convolutions, float32; conv1_1 takes RGB 0–1. ``source`` says for people where they come from.
    """

    tensors: dict[str, Tensor]
    source: str


@dataclass(frozen=True)
class WeightsStatus:
    """What runs with the features "auto" would use: ``name`` is "vgg19" or "draft".

    ``path`` is None for the built-in draft network. ``origin`` is "file" (named by the user),
    "stored" or "built-in"; ``problem`` says why the file cannot be used, or is empty.
    """

    name: str
    source: str
    origin: str
    path: Path | None
    licence: str
    problem: str = ""


def stored_path() -> Path:
    """Where converted weights are kept."""
    return folders.weights_dir() / "vgg19.safetensors"


def installed(file: str | None = None) -> bool:
    """Whether there are weights for VGG19: ``file``, $STYLEENGINE_WEIGHTS, or stored ones.

    What is named counts as there even where it is missing: it is not passed over in silence.
    """
    return bool(file or os.environ.get(FILE_VARIABLE)) or os.path.exists(stored_path())


def best(file: str | None = None) -> str:
    """The name of the best network at hand: "vgg19" if it is `installed`, else "draft"."""
    return "vgg19" if installed(file) else "draft"


def resolve(file: str | None = None) -> Weights:
    """VGG19's weights: those of ``file`` or $STYLEENGINE_WEIGHTS, else the stored ones.

    Raises `EngineError` ("no-weights") where there are none, and the errors of
    `reading.load_file`.
    """
    named = file or os.environ.get(FILE_VARIABLE)
    if named:
        loaded = load_file(Path(named).expanduser())
        return Weights(_tensors(loaded.arrays), loaded.title)
    if os.path.exists(stored_path()):
        return _stored(stored_path())
    raise EngineError(
        "no-weights",
        "The pretrained VGG19 is not installed.",
        "Download it with `styleengine weights fetch` (80 MB), or import a file with "
        "`styleengine weights import FILE`.",
    )


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
    return WeightsStatus("draft", DRAFT_NETWORK, "built-in", None, OXFORD_LICENCE)


def import_file(
    path: str | Path,
    convention: str = "auto",
    *,
    layers: tuple[Layer, ...] = LAYERS,
    title: str = "",
) -> WeightsStatus:
    """Converts a weight file and stores it; later runs use it. Returns the new `status`.

    The stored weights change only when everything about the file was right. Raises the errors of
    `reading.load_file`, and `EngineError` ("cannot-write").
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
    names a mirror, see `sources.source_named`. ``progress`` is called with (bytes so far,
    bytes in all). What an interrupted download left is gone on with. The stored weights change only
    when everything went well. Raises the errors of `download.download` and of
    `reading.load_file`, and `EngineError` "download-running" while another process does it.
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
            "The folder “{folder}” could not be made: {reason}.",
            "Set STYLEENGINE_HOME to a folder of yours.",
            folder=folder,
            reason=error.strerror,
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
    # One value that is none makes the sum of all none; the picture would be black, or go astray.
    if not all(bool(t.sum().isfinite()) for t in tensors.values()):
        raise _damaged(path)
    return Weights(tensors, metadata.get("source", "VGG19"))


def _metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, checked to be ours and complete, nothing else read."""
    try:
        with open_file(path) as file:
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
        "{file} in {folder} is damaged.",
        "Get it anew with `styleengine weights fetch`, or `styleengine weights import FILE`.",
        folder=path.parent,
    )


def _tensors(arrays: dict[str, Floats]) -> dict[str, Tensor]:
    import torch

    return {key: torch.from_numpy(array) for key, array in arrays.items()}
