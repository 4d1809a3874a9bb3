"""The convolution trunk of VGG19 (Simonyan & Zisserman 2014, arXiv 1409.1556, table 1, column E).

The trunk is our own definition with torchvision's state-dict keys (``features.0.weight`` …), cut
after the last layer that is asked for, frozen, and read at any subset of its layers by name:
``conv4_2`` is the output of that convolution, ``relu4_2`` the same after ReLU. Keras' layer names
(``block4_conv2``) are accepted too; Keras applies ReLU inside the layer, so they mean ``relu4_2``.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleengine.networks import integer_chain, onednn, winograd
from styleengine.networks.base import Network
from styleengine.networks.convolution import Border, conv_relu, replicate
from styleengine.networks.extractor import OPEN, Geometry, Renew, Wrap
from styleengine.networks.integer_chain import Link
from styleengine.networks.integers import Kernel, Ranges
from styleengine.networks.onednn import Packing
from styleengine.protocol import EngineError
from styleengine.weights.vgg_layout import BLOCKS

if TYPE_CHECKING:
    from styleengine.weights.store import Weights

WIDTHS = tuple((width,) * convs for convs, width in BLOCKS)
"""Channels of VGG19's convolutions, block by block."""

_NAME = re.compile(r"(conv|relu)(\d)_(\d)|block(\d)_conv(\d)")


def layer_name(name: str) -> str:
    """The canonical name of a layer (``relu4_2``, ``conv4_2``); raises `EngineError`."""
    match = _NAME.fullmatch(name.strip().lower())
    if match:
        kind, block, conv = match[1] or "relu", int(match[2] or match[4]), int(match[3] or match[5])
        if 1 <= block <= len(BLOCKS) and 1 <= conv <= BLOCKS[block - 1][0]:
            return f"{kind}{block}_{conv}"
    raise EngineError(
        "bad-layer",
        "VGG19 has no layer {name}.",
        "Layers are called relu1_1 to relu5_4.",
        name=repr(name),
    )


class VGG19(Network):
    """The frozen trunk up to the last of ``layers``.

    Input: (N, 3, H, W) RGB, sRGB-encoded, 0–1. Output: a dict from layer name to (N, C, h, w),
    where block b works at 1/2^(b-1) of the picture's size, rounded down.

    Unlike the paper, conv1_1 pads by replication, because zero padding draws a frame around the
    picture when the picture itself is optimised; this also makes it exact to fold the training
    set's mean (and the channel order) into conv1_1. With ``replicated``, all convolutions do:
    zeros in the deep layers, too, show as a strip of calm, saturated colour along the border.
    """

    has_winograd = closes = True

    def __init__(
        self,
        layers: Sequence[str],
        pooling: str = "max",
        blocks: Sequence[Sequence[int]] = WIDTHS,
        *,
        replicated: bool = False,
    ) -> None:
        """``blocks`` gives the channels of each convolution, block by block."""
        super().__init__()
        self.replicated = replicated
        self.taps = tuple(layer_name(n) for n in layers)
        self.units = dict.fromkeys(self.taps, 1.0)
        geometry: dict[str, Geometry] = {}
        self.source, self.kind = "VGG19", "vgg19"
        self._at: dict[int, str] = {}
        self._kernels: dict[int, Tensor] = {}
        self._packings: dict[int, Packing] = {}
        self._integers: dict[int, Kernel] = {}
        self._ranges = Ranges()
        self._inside = False
        self._renew: Renew | None = None
        modules: list[nn.Module] = []
        left = set(self.taps)
        channels = 3
        radius = 0
        for block, widths in enumerate(blocks, start=1):
            for i, width in enumerate(widths, start=1):
                if not left:
                    break
                modules.append(nn.Conv2d(channels, width, 3, padding=1))
                conv, relu = f"conv{block}_{i}", f"relu{block}_{i}"
                self._at[len(modules) - 1] = conv
                modules.append(nn.ReLU(inplace=conv not in left))
                self._at[len(modules) - 1] = relu
                radius += 2 ** (block - 1)
                for name in left & {conv, relu}:
                    geometry[name] = Geometry(2 ** (block - 1), radius)
                left -= {conv, relu}
                channels = width
            if left:
                modules.append(nn.MaxPool2d(2) if pooling == "max" else nn.AvgPool2d(2))
        self.geometry = geometry
        self.has_integers = pooling == "max" and all(n.startswith("relu") for n in self.taps)
        self.features = nn.Sequential(*modules)
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Features at the layers asked for, in the trunk's own dtype."""
        return self.some(image, self.taps)

    def some(self, image: Tensor, layers: Sequence[str], wrap: Wrap = OPEN) -> dict[str, Tensor]:
        """Features at some of the layers only, computed no further than the last of them.

        Of a picture that closes along an axis (``wrap``) in whole strides of the deepest layer; if
        it does along one only, the other is continued by its outermost values at every layer.
        """
        found: dict[str, Tensor] = {}
        wanted = set(layers)
        x, done, stride = image, 0, 1
        for i, module in enumerate(self.features):
            name = self._at.get(i, "")
            edged = (self.replicated or i == 0 or any(wrap)) and not self._inside
            border: Border = "replicate" if edged else "zeros"
            pool = False
            if i < done:
                pass
            elif i in self._integers:
                return found | self._in_integers(i, x, wanted, border, wrap)
            elif isinstance(module, nn.Conv2d) and name not in self.taps:
                assert module.bias is not None
                pool = f"relu{name[4:]}" not in wanted and self._is_pooled(i + 2)
                kernel, packing = self._kernels.get(i), None
                if kernel is None and onednn.available(x.device.type, x.dtype):
                    packing = self._packings.setdefault(i, Packing(module.weight))
                x = conv_relu(
                    x, module.weight, module.bias, border,
                    pool=pool, kernel=kernel, packing=packing, wrap=wrap,
                )  # fmt: skip
                done = i + 3 if pool else i + 2
            elif isinstance(module, nn.Conv2d) and border == "replicate":
                x = F.conv2d(replicate(x, wrap), module.weight, module.bias)
            else:
                x, pool = module(x), not name
            if pool:
                stride *= 2
                x = x if self._renew is None else self._renew(x, stride)
            if name in wanted:
                found[name] = x
                if len(found) == len(wanted):
                    break
        return found

    def use_winograd(self) -> None:
        """From now on computes what gains by it as `winograd`, with the present weights."""
        for i, module in enumerate(self.features):
            if not isinstance(module, nn.Conv2d) or self._at[i] in self.taps:
                continue
            if module.in_channels * module.out_channels >= winograd.WORTHWHILE:
                self._kernels[i] = winograd.transformed(module.weight)

    def use_integers(self) -> None:
        """From now on computes all convolutions behind the first as `integers`."""
        for i, module in enumerate(self.features):
            if i and isinstance(module, nn.Conv2d):
                assert module.bias is not None
                self._integers[i] = Kernel(module.weight, module.bias)

    def afresh(self) -> VGG19:
        """The same network; in integers it has seen nothing yet."""
        new = copy.copy(self)
        new._ranges = Ranges()
        return new

    def inside(self) -> VGG19:
        """The same network, whose maps go on in zeros: no copy of them is made for their ends."""
        new = copy.copy(self)
        new._inside, new._packings = True, {}
        return new

    def between(self, layers: Sequence[str]) -> int | None:
        """As wide as all convolutions of a block together; None in integers."""
        left, stride, here, most = set(layers), 1, 0, 0
        for i, module in enumerate(self.features):
            if isinstance(module, nn.Conv2d):
                here += stride
                most = max(most, here)
            elif i not in self._at:
                stride, here = 2 * stride, 0
            left.discard(self._at.get(i, ""))
            if not left:
                break
        return None if self._integers else most

    def renewing(self, renew: Renew) -> VGG19:
        """The same network with ``renew`` after every pooling."""
        new = copy.copy(self)
        new._renew = renew
        return new

    def _in_integers(
        self, first: int, x: Tensor, layers: set[str], border: Border, wrap: Wrap
    ) -> dict[str, Tensor]:
        """Those of ``layers`` that come after the map ``x``, from the convolution ``first`` on."""
        links: list[Link] = []
        taps: list[str] = []
        last = max((i for i, n in self._at.items() if n in layers), default=-1)
        for i, kernel in self._integers.items():
            if not first <= i <= last:
                continue
            name = self._at[i + 1]
            links.append(Link(kernel, name in layers, self._is_pooled(i + 2)))
            taps += [name] if name in layers else []
        if not links:
            return {}
        found = integer_chain.maps(x, links, border, wrap, self._ranges)
        return dict(zip(taps, found, strict=True))

    def _is_pooled(self, i: int) -> bool:
        """Whether maxima are taken at that place."""
        return i < len(self.features) and isinstance(self.features[i], nn.MaxPool2d)


def vgg19(
    layers: Sequence[str], weights: Weights, pooling: str = "max", *, replicated: bool = False
) -> VGG19:
    """A `VGG19` with ``weights`` and with the units of its layers measured."""
    trunk = VGG19(layers, pooling, replicated=replicated)
    wanted = trunk.state_dict().keys()
    trunk.load_state_dict({k: weights.tensors[k] for k in wanted})
    trunk.source = weights.source
    with torch.no_grad():
        calibrate(trunk)
    return trunk


def calibrate(trunk: VGG19) -> None:
    """Sets ``trunk.units`` to the mean absolute activation of each layer on `calibration_image`.

    The measure is the one Gatys et al. normalise their network by (mean activation one over
    images), taken on fixed synthetic pictures so that it needs no data set.
    """
    found = trunk(calibration_image())
    trunk.units = {n: max(float(f.abs().mean()), 1e-12) for n, f in found.items()}


def calibration_image(size: int = 128) -> Tensor:
    """(1, 3, size, size): coloured noise with the 1/f spectrum and contrast of photographs."""
    rng = np.random.Generator(np.random.PCG64(19))
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    fall = 1.0 / np.maximum(np.hypot(fy, fx), 1.0 / size)
    fall[0, 0] = 0.0
    luma, *chroma = (
        np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) * fall, s=(size, size))
        for _ in range(3)
    )
    luma, chroma = luma / luma.std(), [c / c.std() for c in chroma]
    red_blue = np.stack([chroma[0], -0.2 * chroma[0] - 0.2 * chroma[1], chroma[1]])
    image = 0.45 + 0.2 * luma[None] + 0.06 * red_blue
    return torch.from_numpy(np.clip(image, 0, 1).astype(np.float32))[None]
