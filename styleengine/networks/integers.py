"""Convolutions of whole numbers: maps in uint8, weights and gradients in int8, sums in int32.

Jacob et al. 2018 (arXiv 1712.05877): a number is its scale times a whole one; weights have a scale
for each channel that they make, a map or a gradient has one. Processors with VNNI or AMX multiply
so four times as many numbers at once as in float32. The sums are exact, so they do not depend on
the number of threads. Unlike the paper, gradients are whole numbers, too: that by the input of a
3 × 3 convolution is a convolution by the kernel turned round.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from functools import cache

import torch
from torch import Tensor

MOST_OF_MAP, MOST = 255, 127
"""Largest numbers of a map, and of a gradient or weight."""
CENTRE = 128
"""What is added to a gradient, as the library's convolution takes numbers from 0 up only."""
SMALLEST = 1e-30
"""What the largest of numbers that are all 0 is taken for."""
SIZES = 6
"""Of how many sizes of maps packed weights are kept; those of VGG19 take 26 MB for each."""
ROOM = 1.2
"""How much larger than what was last seen the next may be without being computed twice."""
LEAST = 0.1
"""Where what came has not even this share of the room it had, its steps are too coarse."""
FADING = 0.85
"""How much of what was seen before is still expected: tiles differ."""


class Kernel:
    """The weights of a convolution in int8, with a scale for each channel that they make; and those
    turned round, which make the gradient by what was convolved."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """That of ``weight`` (O, I, 3, 3)."""
        w = weight.float()
        self._forward = _Weights(w, bias.float(), 0)
        self._backward = _Weights(w.flip(2, 3).transpose(0, 1), None, CENTRE)

    def floats(self, x: Tensor, scale: float, dtype: torch.dtype) -> Tensor:
        """``relu(conv(scale · x))`` of a uint8 map (N, I, h + 2, w + 2), without a border."""
        return self._forward.convolve(x, scale, dtype, 1.0, "relu")

    def wholes(self, x: Tensor, scale: float, out_scale: float) -> Tensor:
        """The same as uint8, in units of ``out_scale``."""
        return self._forward.convolve(x, scale, torch.uint8, out_scale, "relu")

    def gradient_floats(self, g: Tensor, scale: float) -> Tensor:
        """The gradient by what was convolved, of one (N, O, h, w) that is ``scale ·
        (g - CENTRE)``, uint8; it is two rows and columns smaller than ``g``."""
        return self._backward.convolve(g, scale, torch.float32, 1.0, "none")

    def gradient_wholes(self, g: Tensor, scale: float, out_scale: float) -> Tensor:
        """The same as int8, in units of ``out_scale``."""
        return self._backward.convolve(g, scale, torch.int8, out_scale, "none")


class _Weights:
    """Weights (O, I, 3, 3) as int8, in the orders that the library wants for the sizes met last: in
    another it would put them in order each time, which may take longer than the convolution."""

    def __init__(self, weight: Tensor, bias: Tensor | None, centre: int) -> None:
        largest = weight.abs().amax((1, 2, 3)).clamp_min(SMALLEST)
        self._scales = largest / MOST
        self._values = (weight / self._scales[:, None, None, None]).round().to(torch.int8)
        self._bias, self._centre = bias, centre
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        self._packed: OrderedDict[torch.Size, Tensor] = OrderedDict()

    def convolve(
        self, x: Tensor, scale: float, dtype: torch.dtype, out_scale: float, after: str
    ) -> Tensor:
        """Of ``scale · (x - centre)``, without a border."""
        found: Tensor = torch.ops.onednn.qconv2d_pointwise(
            x, scale, self._centre, self._for(x.shape), self._scales, self._zeros, self._bias,
            [1, 1], [0, 0], [1, 1], 1, out_scale, 0, dtype, after, [], "",
        )  # fmt: skip
        return found

    def _for(self, shape: torch.Size) -> Tensor:
        found = self._packed.pop(shape, None)
        if found is None:
            found = torch.ops.onednn.qconv_prepack(
                self._values, self._scales, 1.0, self._centre, [1, 1], [0, 0], [1, 1], 1, shape
            )
            if len(self._packed) >= SIZES:
                self._packed.popitem(last=False)
        self._packed[shape] = found
        return found


@cache
def available() -> bool:
    """Whether there are such convolutions here, and their sums are exact.

    Where a processor has no VNNI, sums of two products overflow (pytorch#126521).
    """
    try:
        kernel = Kernel(torch.ones(16, 64, 3, 3), torch.zeros(16))
        x = torch.full((1, 64, 5, 5), MOST_OF_MAP, dtype=torch.uint8)
        x = x.contiguous(memory_format=torch.channels_last)
        found = kernel.floats(x, 1.0, torch.float32)
    except (AttributeError, RuntimeError, TypeError, NotImplementedError):
        return False  # an operator that torch does not promise
    return bool((found - 9 * 64 * MOST_OF_MAP).abs().max() < 1)


class Ranges:
    """How large maps and gradients were when last seen, so that the next can be written as whole
    numbers at once. What turns out larger, or far smaller, is computed again: nothing is lost."""

    def __init__(self) -> None:
        self._largest: dict[tuple[str, int], float] = {}

    def expected(self, what: tuple[str, int]) -> float | None:
        """The largest number there is room for; None if none was seen yet."""
        return self._largest.get(what)

    @staticmethod
    def fits(largest: int, most: int) -> bool:
        """Whether numbers up to ``most`` were the right ones for what has come."""
        return LEAST * most <= largest < most

    def saw(self, what: tuple[str, int], largest: float) -> None:
        """Makes room for a bit more than ``largest``; forgets what is not finite."""
        before = self._largest.pop(what, 0.0)
        if math.isfinite(largest):
            self._largest[what] = max(ROOM * largest, FADING * before, SMALLEST)
