"""The draft network: a small network of our own that sees pictures nearly as VGG19 does.

It has VGG19's blocks, poolings and layer names with far fewer channels, and for each layer that a
recipe reads a linear map Q to VGG19's channels, trained so that VGG19's features, in units of their
mean activation, are Q times the draft's. Distances of style statistics are then VGG19's own:
with QᵀQ = RᵀR, the norms of Q D Qᵀ and R D Rᵀ are equal, and R is as small as the draft's layer.
`benchmarks.draft_training` made the weights; ``draft.md`` beside them says how.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleengine.machine.failures import is_out_of_memory, out_of_memory
from styleengine.networks.extractor import OPEN, TV, Wrap
from styleengine.networks.few_bits import unpacked
from styleengine.networks.finest_band import BAND
from styleengine.networks.vgg import VGG19
from styleengine.protocol import DRAFT_NETWORK, EngineError
from styleengine.weights.vgg_layout import CONTENT_LAYER

FILE = Path(__file__).with_name("draft.safetensors")
FORMAT = "styleengine-draft-3"
DRAFT_BLOCKS = ((48, 32), (64, 64), (160, 160, 160, 160), (416, 416, 320, 352), (480,))
"""Channels of the convolutions, block by block."""
BALANCE = {CONTENT_LAYER: 2.6, TV: 5.0, BAND: 2.0}
"""Factors on the recipes' weights. The draft's content holds the photo less firmly than VGG19's, as
much of what VGG19 sees there is hidden from it, and so is some grain."""
TOLERANCE = 0.2
"""Largest relative error of the gradient that a faster precision may have. Far less than the error
of the network itself, and no difference can be seen in the pictures."""
INTEGER_TOLERANCE = 0.35
"""The same for whole numbers, which have 0.25."""
VALUES = 680
"""Numbers that a step holds per pixel, see `NETWORK_VALUES`; at 1 megapixel 675 are held."""
MAPPED = {
    "relu1_1": 64,
    "relu2_1": 128,
    "relu3_1": 256,
    "relu4_1": 512,
    "relu4_2": 512,
    "relu5_1": 512,
}
"""The layers with a map, and VGG19's channels there."""


class Draft(VGG19):
    """The frozen draft network up to the last of ``layers``, all of which are `MAPPED`.

    Input: (N, 3, H, W) RGB, sRGB-encoded, 0–1. Output: a dict from layer name to features of
    VGG19's size there. Those of relu4_2, which are compared position by position, are in VGG19's
    512 channels; the others in the draft's own, with their ``metrics``.
    """

    tolerance, integer_tolerance, values = TOLERANCE, INTEGER_TOLERANCE, VALUES

    def __init__(
        self,
        layers: Sequence[str] = tuple(MAPPED),
        pooling: str = "max",
        *,
        replicated: bool = False,
    ) -> None:
        super().__init__(layers, pooling, DRAFT_BLOCKS, replicated=replicated)
        self.source, self.kind = DRAFT_NETWORK, "draft"
        self.balance = {n: f for n, f in BALANCE.items() if n in (*self.taps, TV, BAND)}
        self.maps = nn.ParameterDict(
            {n: nn.Parameter(torch.zeros(MAPPED[n], width(n)), False) for n in self.taps}
        )

    def measure(self) -> None:
        """Sets ``metrics`` from the maps; to be called once they have their values."""
        self.metrics = {n: metric(q.detach()) for n, q in self.maps.items() if n != CONTENT_LAYER}

    def some(self, image: Tensor, layers: Sequence[str], wrap: Wrap = OPEN) -> dict[str, Tensor]:
        """Features at some of the layers only, computed no further than the last of them."""
        found = super().some(image, layers, wrap)
        if CONTENT_LAYER in found:
            weight = self.maps[CONTENT_LAYER][..., None, None]
            found[CONTENT_LAYER] = F.conv2d(found[CONTENT_LAYER], weight)
        return found


def load(
    layers: Sequence[str] = tuple(MAPPED),
    pooling: str = "max",
    path: Path = FILE,
    *,
    replicated: bool = False,
) -> Draft:
    """The draft network of ``path``, by default the one that came with the package.

    Raises `EngineError`: "bad-layer" for a layer without a map, "broken-install" where the file is
    missing or not what it should be.
    """
    from safetensors import SafetensorError, safe_open

    missing = [n for n in layers if n not in MAPPED]
    if missing:
        raise EngineError(
            "bad-layer",
            "The draft network has no layer {name}.",
            "It has {names}.",
            name=repr(missing[0]),
            names=", ".join(MAPPED),
        )
    net = Draft(layers, pooling, replicated=replicated)
    try:
        # What a precision does to it is remembered by its kind, and may be another after training.
        net.kind = f"draft-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("format") != FORMAT:
                raise SafetensorError("another format")
            tensors = unpacked({k: file.get_tensor(k) for k in file.keys()})  # noqa: SIM118
        net.load_state_dict({k: tensors[k] for k in net.state_dict()})
    except (SafetensorError, OSError, RuntimeError, KeyError) as error:
        if is_out_of_memory(error):
            raise out_of_memory() from error
        raise EngineError(
            "broken-install",
            "The draft network “{path}” is missing or damaged.",
            "Run the installer again.",
            path=path,
        ) from error
    net.measure()
    return net


def width(layer: str) -> int:
    """The draft's channels at ``layer``."""
    return DRAFT_BLOCKS[int(layer[4]) - 1][int(layer[6]) - 1]


def metric(q: Tensor) -> Tensor:
    """R (d, d), upper triangular, with ``RᵀR = (d / C) · QᵀQ`` for a map Q (C, d), float32.

    The factor makes means over d channels, or d² pairs of them, those over C or C²: with it,
    ``mean((R D Rᵀ)²) = mean((Q D Qᵀ)²)`` for every symmetric D.
    """
    q = q.double()
    channels, own = q.shape
    # The triangle of a QR decomposition is QᵀQ's Cholesky factor, found without squaring Q.
    triangle = torch.linalg.qr(q, mode="r").R
    scaled: Tensor = triangle * (own / channels) ** 0.5
    return scaled.float()
