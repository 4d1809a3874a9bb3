"""VGG19's layer table and its input conventions, in NumPy (no torch).

Simonyan & Zisserman 2014 (arXiv 1409.1556), table 1, column E.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
"""Convolutions and channels of the five blocks; a 2×2 pooling separates them."""

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYER = "relu4_2"
"""Those that a style and a photo are compared at (Gatys et al. 2016, §3)."""

CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
IMAGENET_STD_RGB = (0.229, 0.224, 0.225)

OXFORD_BIAS = (0.73018, 0.06494, 0.03429, 0.82604)
"""First biases of conv1_1 in the Oxford weights: no change of input order or layout alters them."""


@dataclass(frozen=True)
class Layer:
    """One convolution: ``conv3_2``, its torchvision key ``features.12``, its channels."""

    block: int
    number: int
    index: int
    inputs: int
    outputs: int

    @property
    def name(self) -> str:
        """``conv3_2``."""
        return f"conv{self.block}_{self.number}"

    @property
    def key(self) -> str:
        """``features.12``, the prefix of torchvision's state-dict keys."""
        return f"features.{self.index}"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of ``weight`` (out, in, 3, 3) and ``bias`` (out)."""
        return {"weight": (self.outputs, self.inputs, 3, 3), "bias": (self.outputs,)}


def layers_of(blocks: tuple[tuple[int, int], ...]) -> tuple[Layer, ...]:
    """The convolutions of a VGG with these blocks, indexed as in torchvision's ``features``."""
    found, index, inputs = [], 0, 3
    for block, (convs, width) in enumerate(blocks, start=1):
        for number in range(1, convs + 1):
            found.append(Layer(block, number, index, inputs, width))
            index, inputs = index + 2, width
        index += 1
    return tuple(found)


LAYERS = layers_of(BLOCKS)
VGG16_INDICES = frozenset(
    layer.index for layer in layers_of(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)))
)


def fold(weight: Floats, bias: Floats, convention: str) -> tuple[Floats, Floats]:
    """conv1_1 for RGB input 0–1, from conv1_1 for input in another convention.

    ``weight`` is (out, 3, 3, 3), ``bias`` (out). "caffe" expects BGR 0–255 minus the channel means,
    "torchvision" RGB (x - mean) / std, "rgb01" is the result. With x' = a·x + b per channel,
    w·x' + c = (a·w)·x + (c + Σ w·b), which holds at the border too because conv1_1 pads by
    replication. Computed in float64.
    """
    if convention == "rgb01":
        return weight, bias
    w, b = weight.astype(np.float64), bias.astype(np.float64)
    if convention == "caffe":
        w = w[:, ::-1]  # now in RGB order, like the means
        scale = np.full(3, 255.0)
        shift = -np.array(CAFFE_MEAN_BGR[::-1])
    elif convention == "torchvision":
        scale = 1.0 / np.array(IMAGENET_STD_RGB)
        shift = -np.array(IMAGENET_MEAN_RGB) * scale
    else:
        raise ValueError(f"unknown input convention {convention!r}")
    folded = w * scale[None, :, None, None]
    offset = b + np.einsum("oihw,i->o", w, shift)
    return np.ascontiguousarray(folded, np.float32), offset.astype(np.float32)
