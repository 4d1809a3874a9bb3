"""The convolutions of a trunk behind its first as one node, in whole numbers (`integers`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from styleengine.networks.convolution import Border, continue_ends, folded
from styleengine.networks.extractor import Wrap
from styleengine.networks.integers import CENTRE, MOST, MOST_OF_MAP, SMALLEST, Kernel, Ranges

GRADIENT, MAP = "gradient", "map"
PIECE = 1 << 16
"""Numbers worked on at a time, few enough for a cache."""


@dataclass(frozen=True)
class Link:
    """A convolution with ReLU; ``tapped`` if its map is looked at, ``pooled`` if maxima of 2 × 2
    squares follow."""

    kernel: Kernel
    tapped: bool
    pooled: bool


@dataclass(frozen=True)
class Whole:
    """Numbers ``scale · values``; uint8 those of a map, int8 those of a gradient."""

    values: Tensor
    scale: float


def maps(
    x: Tensor, links: Sequence[Link], border: Border, wrap: Wrap, ranges: Ranges
) -> tuple[Tensor, ...]:
    """The maps of the tapped ``links``, in the dtype of ``x``, the first map (N, C, h, w), ≥ 0.

    ``border`` and ``wrap`` as in `conv_relu`; ``ranges`` are used and renewed.
    """
    found: tuple[Tensor, ...] = _Chain.apply(  # type: ignore[no-untyped-call]
        x, links, border, wrap, ranges
    )
    return found


class _Chain(torch.autograd.Function):
    """Maps are kept in uint8, which also tell where ReLU and pooling let a gradient through."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, links: Sequence[Link], border: Border, wrap: Wrap, ranges: Ranges
    ) -> tuple[Tensor, ...]:
        taps: list[Tensor] = []
        kept: list[tuple[Tensor, Tensor]] = []
        below = _whole_map(x)
        for number, link in enumerate(links):
            y, tap = _convolved(link, number, below, x.dtype, border, wrap, ranges)
            if tap is not None:
                taps.append(tap)
            below = Whole(_maxima(y.values), y.scale) if link.pooled else y
            kept.append((y.values, below.values))
        ctx.save_for_backward(*taps)
        ctx.kept, ctx.links, ctx.about = kept, links, (border, wrap, ranges)
        ctx.set_materialize_grads(False)
        return tuple(taps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        border, wrap, ranges = ctx.about
        taps, of_taps = list(ctx.saved_tensors), list(gradients)
        links: Sequence[Link] = ctx.links
        above: Tensor | Whole | None = None
        for number in reversed(range(len(links))):
            link, (y, below) = links[number], ctx.kept[number]
            if isinstance(above, Whole):
                through = _unpooled(above.values, y, below) if link.pooled else _passed(above, y)
                above = Whole(through, above.scale)
            if link.tapped:
                above = _with_tap(above, of_taps.pop(), taps.pop())
            if above is None:
                continue
            if isinstance(above, Tensor):
                above = _whole_gradient(above)
            open_below = number == 0 or (links[number - 1].tapped and not links[number - 1].pooled)
            above = _behind(link, number, above, border, wrap, ranges, open_below)
        return (above if isinstance(above, Tensor) else None), None, None, None, None


def _convolved(
    link: Link,
    number: int,
    below: Whole,
    dtype: torch.dtype,
    border: Border,
    wrap: Wrap,
    ranges: Ranges,
) -> tuple[Whole, Tensor | None]:
    """The map of a link, and the same in ``dtype`` if it is tapped."""
    n, c, h, w = below.values.shape
    wide = _empty((n, c, h + 2, w + 2), torch.uint8)
    wide[..., 1:-1, 1:-1] = below.values
    if border == "replicate":
        continue_ends(wide, wrap)
    else:
        _fill_border(wide, 1, 0)
    if link.tapped:
        tap = link.kernel.floats(wide, below.scale, dtype)
        return _whole_map(tap), tap
    key = (MAP, number)
    room = ranges.expected(key)
    if room is not None:
        scale = room / MOST_OF_MAP
        values = link.kernel.wholes(wide, below.scale, scale)
        largest = int(_rows(values).amax())
        if ranges.fits(largest, MOST_OF_MAP):
            ranges.saw(key, largest * scale)
            return Whole(values, scale), None
    floats = link.kernel.floats(wide, below.scale, dtype)
    found = _whole_map(floats)
    ranges.saw(key, found.scale * MOST_OF_MAP)
    return found, None


def _behind(
    link: Link,
    number: int,
    g: Whole,
    border: Border,
    wrap: Wrap,
    ranges: Ranges,
    as_floats: bool,
) -> Tensor | Whole:
    """The gradient by the map that a link looked at, from that by its convolution's."""
    ends = 2 if border == "replicate" else 1
    n, c, h, w = g.values.shape
    wide = _empty((n, c, h + 2 * ends, w + 2 * ends), torch.uint8)
    _fill_border(wide, ends, CENTRE)
    inner = wide[..., ends:-ends, ends:-ends]
    torch.bitwise_xor(g.values.view(torch.uint8), CENTRE, out=inner)
    key = (GRADIENT, number)
    room = None if as_floats else ranges.expected(key)
    if room is not None:
        scale = room / MOST
        below = link.kernel.gradient_wholes(wide, g.scale, scale)
        below, largest = _folded_whole(below, wrap) if ends == 2 else (below, _largest(below))
        if ranges.fits(largest, MOST):
            ranges.saw(key, largest * scale)
            return Whole(below, scale)
    floats = link.kernel.gradient_floats(wide, g.scale)
    if ends == 2:
        floats = folded(folded(floats, -1, wrap[1]), -2, wrap[0])
    if as_floats:
        return floats
    found = _whole_gradient(floats)
    ranges.saw(key, found.scale * MOST)
    return found


def _with_tap(above: Tensor | Whole | None, g: Tensor | None, tap: Tensor) -> Tensor | None:
    """The gradient by the convolution under a map that is looked at, float32: of what comes from
    above and that by the map what ReLU lets through."""
    if isinstance(above, Whole):  # with the pooling between, which rarely is
        above = above.values * above.scale
    given = [t for t in (above, g) if t is not None]
    if not given:
        return None
    if above is None:
        above = _empty(tap.shape, torch.float32)
    for places in _in_rows(above, tap, *given):
        place, looked_at, total, *more = (t.float() for t in places)
        for other in more:
            total = total + other
        torch.ops.aten.threshold_backward.grad_input(total, looked_at, 0, grad_input=place)
    return above


def _in_rows(*maps: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Corresponding rows of ``maps``, so many as a cache holds."""
    _, c, h, w = maps[0].shape
    rows = max(1, PIECE // (w * c))
    for each in zip(*maps, strict=True):
        for start in range(0, h, rows):
            yield tuple(t[:, start : start + rows] for t in each)


def _whole_map(y: Tensor) -> Whole:
    """A map ≥ 0 in 256 steps."""
    scale = max(float(_rows(y).max()), SMALLEST) / MOST_OF_MAP
    return Whole(_in_steps(y, scale, torch.uint8), scale)


def _whole_gradient(g: Tensor) -> Whole:
    """A gradient in 255 steps, none of its numbers cut off."""
    rows = _rows(g)
    scale = max(-float(rows.min()), float(rows.max()), SMALLEST) / MOST
    return Whole(_in_steps(g, scale, torch.int8), scale)


def _in_steps(x: Tensor, scale: float, dtype: torch.dtype) -> Tensor:
    """``x``, channels last, in whole steps of ``scale``."""
    found = _empty(x.shape, dtype)
    for source, target in _in_rows(x, found):
        target.copy_((source.float() * (1 / scale)).round_())
    return found


def _maxima(y: Tensor) -> Tensor:
    """As of ``MaxPool2d(2)``."""
    a, b, c, d = _quarters(y)
    return torch.maximum(torch.maximum(a, b), torch.maximum(c, d))


def _quarters(y: Tensor) -> list[Tensor]:
    """The four places of the 2 × 2 squares; a last odd row or column is in none."""
    height, width = (n // 2 * 2 for n in y.shape[-2:])
    y = y[..., :height, :width]
    return [y[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]


def _unpooled(g: Tensor, y: Tensor, top: Tensor) -> Tensor:
    """The gradient by a map, int8, before ReLU and pooling; of equal maxima the first gets it."""
    out = _empty(y.shape, torch.int8)
    for axis in (-2, -1):
        if y.shape[axis] % 2:
            out.narrow(axis, y.shape[axis] - 1, 1).zero_()
    left = top.clamp(max=1).view(torch.int8)  # one where it is not given to any yet
    for place, value in zip(_quarters(out), _quarters(y), strict=True):
        below = (top - value).clamp_(max=1).view(torch.int8)
        still = left * below
        torch.mul(g, left - still, out=place)
        left = still
    return out


def _passed(g: Whole, y: Tensor) -> Tensor:
    """The gradient, int8, where ReLU let ``y`` through."""
    return g.values * y.clamp(max=1).view(torch.int8)


def _folded_whole(g: Tensor, wrap: Wrap) -> tuple[Tensor, int]:
    """`folded` along both axes of an int8 gradient, and its largest size (`MOST` if a sum is)."""
    whole, largest = g, 0
    for axis, closes in ((-1, wrap[1]), (-2, wrap[0])):
        inner = g.narrow(axis, 1, g.shape[axis] - 2)
        for end, other in ((0, -1), (-1, 0)):
            place = inner.narrow(axis, other if closes else end, 1)
            total = place.short().add_(g.narrow(axis, end, 1))
            largest = max(largest, _largest(total))
            place.copy_(total.clamp_(-MOST, MOST))
        g = inner
    # What was folded away is looked at, too, as it is faster to look at all.
    return g, max(largest, _largest(whole))


def _rows(x: Tensor) -> Tensor:
    """A map as it lies in memory: PyTorch is far slower at the extremes of other views."""
    return x.permute(0, 2, 3, 1)


def _largest(g: Tensor) -> int:
    least, most = torch.aminmax(_rows(g))
    return max(-int(least), int(most))


def _empty(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    return torch.empty(tuple(shape), dtype=dtype, memory_format=torch.channels_last)


def _fill_border(wide: Tensor, width: int, value: int) -> None:
    for axis in (-2, -1):
        wide.narrow(axis, 0, width).fill_(value)
        wide.narrow(axis, wide.shape[axis] - width, width).fill_(value)
