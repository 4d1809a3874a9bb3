"""Where pretrained VGG19 weights can be had."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, urlsplit

from styleengine.protocol import EngineError
from styleengine.weights.download import Remote

URL_VARIABLE = "STYLEENGINE_WEIGHTS_URL"
_HEX_DIGITS = {"md5": 32, "sha256": 64}
OXFORD_LICENCE = (
    "Oxford VGG19, K. Simonyan and A. Zisserman (arXiv 1409.1556), Creative Commons Attribution"
)
TORCHVISION_LICENCE = (
    "torchvision VGG19, trained on ImageNet; the weights carry no licence of their own"
)


@dataclass(frozen=True)
class Source:
    """A published weight file. ``title`` and ``licence`` are for people."""

    name: str
    title: str
    licence: str
    file_name: str
    remote: Remote


KERAS = Source(
    "keras",
    "Oxford VGG19 (Keras file)",
    OXFORD_LICENCE,
    "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
    Remote(
        (
            "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
            "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/"
            "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
        "md5",
        "253f8cb515780f3b799900260a226db6",
        80_134_624,
    ),
)
"""The file the Keras notebook loads: the convolutions of the Oxford VGG19."""

TORCHVISION = Source(
    "torchvision",
    "torchvision VGG19",
    TORCHVISION_LICENCE,
    "vgg19-dcbb9e9d.pth",
    Remote(
        ("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",),
        "sha256",
        "dcbb9e9d",
        574_673_361,
    ),
)
"""torchvision's own training; the classifier in it (500 of 548 MB) is dropped on conversion."""

SOURCES = {source.name: source for source in (KERAS, TORCHVISION)}


def source_named(name: str, url: str | None = None) -> Source:
    """One of `SOURCES`, served from ``url`` (or $STYLEENGINE_WEIGHTS_URL) instead if given.

    Such a mirror must hold the very same file, unless its address ends in ``#md5=…`` or
    ``#sha256=…`` with the whole hash of the file it holds. Raises `EngineError` ("bad-setting").
    """
    if name not in SOURCES:
        raise EngineError(
            "bad-setting",
            "There is no source {name}; there are {names}.",
            name=repr(name),
            names=", ".join(SOURCES),
        )
    source = SOURCES[name]
    url = url or os.environ.get(URL_VARIABLE)
    if not url:
        return source
    parts = urlsplit(url)
    address = parts._replace(fragment="").geturl()
    if not parts.fragment:
        return replace(source, remote=replace(source.remote, urls=(address,)))
    algorithm, digest = next(iter(parse_qsl(parts.fragment)), ("", ""))
    digits = _HEX_DIGITS.get(algorithm)
    if digits is None or not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", digest):
        raise EngineError(
            "bad-setting",
            "{url} does not end in a hash.",
            "Write #md5=… or #sha256=… with the whole hash, or nothing for the original file.",
            url=repr(url),
        )
    file_name = re.sub(r"[^\w.-]", "_", PurePosixPath(parts.path).name) or "weights"
    return Source("mirror", "", "", file_name, Remote((address,), algorithm, digest))
