"""Weight files in their many layouts, read, checked and brought into ours (NumPy)."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from styleengine.machine.files import NotAFile, open_file
from styleengine.protocol import EngineError, Sentence
from styleengine.weights.vgg_layout import LAYERS, OXFORD_BIAS, VGG16_INDICES, Floats, Layer, fold

if TYPE_CHECKING:
    from torch import Tensor

CONVENTIONS = ("auto", "caffe", "torchvision", "rgb01")
"""What input the first layer of a file expects; see `vgg_layout.fold`."""

IMPORT_HINT = (
    "Get VGG19 with `styleengine weights fetch`, or give another file to "
    "`styleengine weights import FILE`."
)

HUGE = 1e6
"""No weight of a trained network comes near this."""

LARGEST_FILE = 4 << 30
LARGEST = 16 << 20
"""No array of a VGG19 has so many numbers; a file may claim any size."""

_KNOWN_FILES = {"d01eb7cb": "caffe", "74e45263": "caffe", "dcbb9e9d": "torchvision"}
"""Starts of the SHA-256 of well-known files, which their names carry too: the conversions of
jcjohnson/pytorch-vgg and pystiche, and torchvision's own weights."""

_TITLES = {"caffe": "Oxford VGG19", "torchvision": "torchvision VGG19", "rgb01": "VGG19"}

_TORCHVISION = re.compile(r"(?:.*\.)?features\.(\d+)\.(weight|bias)|(\d+)\.(weight|bias)")
_NAMED = re.compile(r"(?:.*[./])?(?:conv|block)(\d)_(?:conv)?(\d)[./](weight|bias)")


@dataclass(frozen=True)
class Loaded:
    """A VGG19 read from a file: ``arrays`` by torchvision's keys, float32, for RGB input 0–1.

    ``title`` says for people what it is; ``convention`` is how conv1_1 was stored in the file.
    """

    arrays: dict[str, Floats]
    title: str
    convention: str
    sha256: str


def load_file(
    path: Path, convention: str = "auto", layers: tuple[Layer, ...] = LAYERS, title: str = ""
) -> Loaded:
    """The VGG19 in a file: Keras .h5, .safetensors, or .pth (never executed).

    ``convention`` overrules what is found out about the input of the first layer. Raises
    `EngineError`: "no-such-file", "cannot-read", "bad-weights" (damaged, not VGG19, a layer missing
    or misshapen, values that are not finite, a pickle that holds more than numbers).
    """
    if convention not in CONVENTIONS:
        raise EngineError(
            "bad-setting",
            "convention must be one of {names}, not {name}.",
            names=", ".join(CONVENTIONS),
            name=convention,
        )
    sha256 = _sha256(path)
    found, metadata = _read(path)
    arrays = _as_vgg19(found, layers, path.name)
    if convention == "auto":
        convention = metadata.get("convention", "auto")
        if convention not in CONVENTIONS[1:]:
            convention = _convention(arrays, found, path, sha256)
    first = layers[0].key
    weight, bias = fold(arrays[f"{first}.weight"], arrays[f"{first}.bias"], convention)
    arrays |= {f"{first}.weight": weight, f"{first}.bias": bias}
    title = title or metadata.get("source") or f"{_TITLES[convention]} ({path.name})"
    return Loaded(arrays, title, convention, metadata.get("sha256") or sha256)


def bad_weights(name: str, message: str, hint: str = IMPORT_HINT, **values: Any) -> EngineError:
    """The `EngineError` for a file, ``{file}`` in its ``message``, that cannot serve as VGG19."""
    file = Sentence.of("“{name}”", name=name)
    return EngineError("bad-weights", message, hint, file=file, **values)


def cannot_read(path: Path, error: OSError) -> EngineError:
    """The `EngineError` for a weight file that cannot be opened."""
    if isinstance(error, FileNotFoundError):
        text = "There is no weight file “{path}”."
        return EngineError("no-such-file", text, IMPORT_HINT, path=path)
    if isinstance(error, NotAFile):
        text = "“{path}” is a device or a pipe, not a file."
        return EngineError("cannot-read", text, IMPORT_HINT, path=path)
    if isinstance(error, IsADirectoryError) or os.path.isdir(path):
        text = "“{path}” is a folder, not a file."
        return EngineError("cannot-read", text, IMPORT_HINT, path=path)
    reason = error.strerror or str(error)
    text = "“{path}” could not be read: {reason}."
    return EngineError("cannot-read", text, IMPORT_HINT, path=path, reason=reason)


def _sha256(path: Path) -> str:
    try:
        with open_file(path) as file:
            if os.fstat(file.fileno()).st_size > LARGEST_FILE:
                raise bad_weights(path.name, "{file} is larger than any file of a VGG19.")
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise cannot_read(path, error) from error


# --- readers: from a file to {key: array} ---------------------------------------------------


def _read(path: Path) -> tuple[dict[str, Any], Mapping[str, str]]:
    """Arrays by the file's own names, and its metadata. The kind of file is told by its content."""
    with open(path, "rb") as file:
        head = file.read(16)
    if not head:
        raise bad_weights(path.name, "{file} is empty.")
    try:
        if head.startswith(b"\x89HDF\r\n\x1a\n"):
            return _read_h5(path), {"convention": "caffe"}
        if head[8:9] == b"{":
            return _read_safetensors(path)
        if head.startswith((b"PK\x03\x04", b"\x80")):
            return _read_torch(path), {}
    except pickle.UnpicklingError as error:
        raise bad_weights(
            path.name,
            "{file} is damaged, or holds more than plain weights; it was not opened, because it "
            "could run a program.",
        ) from error
    except Exception as error:
        # The libraries answer damaged files with exceptions of every kind; nothing but calls to
        # them is inside this block.
        raise bad_weights(path.name, "{file} is damaged or incomplete.") from error
    raise bad_weights(path.name, "{file} is not a weight file (.h5, .safetensors or .pth).")


def _read_h5(path: Path) -> dict[str, Any]:
    """Keras' layout: a group per layer, in it (at any depth) a kernel (3, 3, in, out) and a bias.

    Kernels are returned as (out, in, 3, 3).
    """
    import h5py

    found: dict[str, Any] = {}

    def visit(name: str, node: Any) -> None:
        match = re.search(r"block(\d)_conv(\d)", name)
        if match is None or not isinstance(node, h5py.Dataset):
            return
        if node.ndim not in (1, 4) or node.dtype.kind != "f" or node.size > LARGEST:
            return
        kind = "weight" if node.ndim == 4 else "bias"
        array = node[()]
        key = f"conv{match[1]}_{match[2]}.{kind}"
        found[key] = array.transpose(3, 2, 0, 1) if kind == "weight" else array

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def _read_safetensors(path: Path) -> tuple[dict[str, Any], Mapping[str, str]]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        tensors = {key: _array(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
        return tensors, file.metadata() or {}


def _read_torch(path: Path) -> dict[str, Any]:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice for programmers about the pickle's version
        content = torch.load(path, map_location="cpu", weights_only=True)
    for inner in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(inner), dict):
            content = content[inner]
    if not isinstance(content, dict):
        return {}
    return {
        str(key): _array(value) for key, value in content.items() if isinstance(value, torch.Tensor)
    }


def _array(tensor: Tensor) -> Any:
    return tensor.detach().float().numpy()


# --- checks: from {key: array} to VGG19 -----------------------------------------------------


def _as_vgg19(found: Mapping[str, Any], layers: tuple[Layer, ...], name: str) -> dict[str, Floats]:
    """The convolutions under torchvision's keys; everything else in the file is left out."""
    at = _by_place(found, layers)
    if not at:
        raise bad_weights(name, "{file} holds no VGG19.")
    if any(key.endswith("running_mean") for key in found):
        raise bad_weights(
            name, "{file} is a network with batch normalisation, not the plain VGG19."
        )
    missing = [x.name for x in layers if any((x.key, kind) not in at for kind in x.shapes)]
    if missing:
        lacks = ", ".join(missing[:4]) + (" …" if len(missing) > 4 else "")
        indices = {int(key.split(".")[1]) for key, _ in at}
        is_vgg16 = indices == VGG16_INDICES or missing == ["conv3_4", "conv4_4", "conv5_4"]
        whole = "{file} is not a complete VGG19: it lacks {names}."
        other = "{file} is a VGG16, not a VGG19: it lacks {names}."
        raise bad_weights(name, other if is_vgg16 else whole, names=lacks)
    arrays: dict[str, Floats] = {}
    for layer in layers:
        for kind, shape in layer.shapes.items():
            array = at[layer.key, kind]
            if array.shape != shape:
                has = "×".join(map(str, array.shape))
                want = "×".join(map(str, shape))
                raise bad_weights(
                    name,
                    "{file} is not VGG19: the {kind} of {layer} is {has} instead of {want}.",
                    kind=kind,
                    layer=layer.name,
                    has=has,
                    want=want,
                )
            if not (np.abs(array) < HUGE).all():  # false for NaN, too
                raise bad_weights(
                    name,
                    "{file} is damaged: the {kind} of {layer} holds values that cannot be right "
                    "(NaN, infinite or huge).",
                    kind=kind,
                    layer=layer.name,
                )
            arrays[f"{layer.key}.{kind}"] = np.ascontiguousarray(array, np.float32)
    return arrays


def _by_place(found: Mapping[str, Any], layers: tuple[Layer, ...]) -> dict[tuple[str, str], Any]:
    """Arrays by (``features.N``, "weight" | "bias"), from any of the known ways to name them."""
    keys = {(x.block, x.number): x.key for x in layers}
    at: dict[tuple[str, str], Any] = {}
    for name, array in found.items():
        if match := _TORCHVISION.fullmatch(name):
            at[f"features.{match[1] or match[3]}", match[2] or match[4]] = array
        elif match := _NAMED.fullmatch(name):
            key = keys.get((int(match[1]), int(match[2])))
            if key:
                at[key, match[3]] = array
    return at


def _convention(
    arrays: Mapping[str, Floats], found: Mapping[str, Any], path: Path, sha256: str
) -> str:
    """What input conv1_1 expects, for a file that does not say so itself.

    The Oxford weights are recognised by their biases, in whatever file they are; files that name
    layers as Caffe does come from it; torchvision's names otherwise mean torchvision's input.
    """
    for start, convention in _KNOWN_FILES.items():
        if sha256.startswith(start) or start in path.name:
            return convention
    bias = arrays["features.0.bias"][: len(OXFORD_BIAS)]
    if bias.shape == (len(OXFORD_BIAS),) and np.allclose(bias, OXFORD_BIAS, rtol=0.01, atol=1e-3):
        return "caffe"
    return "caffe" if any(_NAMED.fullmatch(key) for key in found) else "torchvision"
