"""Convolutions by the library that PyTorch's own use on processors, asked for more at once.

oneDNN takes ReLU into the convolution, and multiplies weights that lie in an order of its own,
which depends on the processor and on the size of the maps. Given others, it puts them in that order
at every call: of small maps that takes longer than to multiply. Nor is the gradient by the map of a
convolution as quick as the convolution that it is, whose sums are the same but for their order.
"""

from __future__ import annotations

import platform
from functools import cache

import torch
from torch import Tensor


@cache
def available(device: str, dtype: torch.dtype) -> bool:
    """Whether PyTorch's own convolution is oneDNN's there, and can be asked for more."""
    operators = ("_convolution_pointwise", "_reorder_convolution_weight")
    known = all(hasattr(torch.ops.mkldnn, name) for name in operators)
    enabled: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    x86 = platform.machine() in ("x86_64", "AMD64")
    if not (known and enabled and x86 and device == "cpu"):
        return False
    if dtype == torch.bfloat16:
        ask = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
        return ask is not None and bool(ask())
    return dtype == torch.float32


class Packing:
    """The frozen ``weight`` (O, I, 3, 3) of a convolution, in oneDNN's order for the last size.

    Maps with the channels last are always given it so, the first of a size, too: what comes out
    depends on nothing that was seen before.
    """

    def __init__(self, weight: Tensor) -> None:
        self._weight = weight
        self._last: dict[bool, tuple[object, Tensor]] = {}

    def convolved(self, x: Tensor, bias: Tensor, padding: int, *, relu: bool) -> Tensor:
        """``conv(x)``, or ``relu(conv(x))``."""
        weight = self._ordered(x, padding, backward=False)
        weight = self._weight if weight is None else weight
        return convolved(x, weight, bias, padding, "relu" if relu else "none")

    def pulled(self, gradient: Tensor, padding: int) -> Tensor | None:
        """The gradient by the map of a convolution of that ``padding``, from that by its result.

        None where it is left to PyTorch.
        """
        weight = self._ordered(gradient, 2 - padding, backward=True)
        if weight is None:
            return None
        return convolved(gradient, weight, None, 2 - padding)

    def _ordered(self, x: Tensor, padding: int, *, backward: bool) -> Tensor | None:
        """The weights for maps like ``x``; flipped and turned round for gradients."""
        weight = self._weight
        if not x.is_contiguous(memory_format=torch.channels_last):
            return None
        # Other weights may have been put in their place since, or the same in another format.
        key = tuple(x.shape), x.dtype, padding, weight.data_ptr(), weight._version
        last = self._last.get(backward)
        if last is not None and last[0] == key:
            return last[1]
        found: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
            _turned(weight) if backward else weight,
            (padding, padding), (1, 1), (1, 1), 1, list(x.shape),
        )  # fmt: skip
        self._last[backward] = key, found
        return found


def _turned(weight: Tensor) -> Tensor:
    """``weight`` (O, I, 3, 3) flipped, as (I, O, 3, 3) with the channels last.

    Place by place, because PyTorch's copy in another order of all takes six times as long.
    """
    outputs, inputs, height, width = weight.shape
    found = weight.new_empty(inputs, height, width, outputs)
    for y in range(height):
        for x in range(width):
            found[:, y, x] = weight[:, :, height - 1 - y, width - 1 - x].T
    return found.permute(0, 3, 1, 2)


def convolved(
    x: Tensor, weight: Tensor, bias: Tensor | None, padding: int, then: str = "none"
) -> Tensor:
    """``conv(x)`` (N, C, h, w), and then perhaps "relu" of it; no gradient goes through."""
    found: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, weight, bias, (padding, padding), (1, 1), (1, 1), 1, then, [], ""
    )
    return found
