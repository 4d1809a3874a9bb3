"""Optical flow: where each place of a picture was in the picture before.

Pyramids of Lucas and Kanade's equations, each a mean over a window, with a smoothness that fills
what has no texture (Bruhn, Weickert, Schnörr 2005, *Lucas/Kanade Meets Horn/Schunck*, eq. 11). Its
data term is normalised by the gradient (Zimmer et al. 2011, *Optic Flow in Harmony*, §2.1.3) and
robust, its smoothness weaker across edges of the picture. Unlike there, each level ends with a
search: a place takes the flow of a neighbour that fits it better, as in PatchMatch, which brings
the borders of what moves by itself to where they belong.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST = 16
"""Shorter side of the coarsest level, in pixels, at least."""
WARPS, SWEEPS = 4, 30
"""How often the equations of a level are made anew, and steps of Jacobi's method for each."""
WINDOW = 3
"""Radius of the box, taken twice, over which places have the same flow."""
SMOOTHNESS = 0.05
EDGE = 0.12
"""Difference of neighbours (0–1) that makes the smoothness between them weaker by e."""
OUTLIER = 0.04
"""Difference of a place and what it is taken for from which on it counts less than half."""
GRAIN = 0.03
"""Slope per pixel below which a picture tells less and less."""
LEAPS = (2, 5)
BETTER, LEAST_BETTER = 0.9, 0.002
"""How far away neighbours are asked, in pixels, and how much better theirs must fit."""
ROWS = 256


def optical_flow(now: Tensor, before: Tensor) -> Tensor:
    """How many pixels to the right and down of each pixel of ``now`` its place lies in ``before``.

    Both are (1, C, h, w), 0–1, sRGB; the flow is (1, 2, h, w).
    """
    pyramid = [(now, before)]
    while min(pyramid[-1][0].shape[-2:]) >= 2 * SMALLEST:
        now, before = pyramid[-1]
        pyramid.append((_halved(now), _halved(before)))
    flow = now.new_zeros(1, 2, *pyramid[-1][0].shape[-2:])
    for now, before in reversed(pyramid):
        flow = scaled(flow, (now.shape[-2], now.shape[-1]))
        links = _links(now)
        for _ in range(WARPS):
            flow = _solved(flow, links, _equations(now, before, flow))
        flow = _searched(now, before, flow)
    return flow


def scaled(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """A flow (1, 2, h, w) for pictures of another ``size``, in their pixels."""
    height, width = flow.shape[-2:]
    if (height, width) == size:
        return flow
    unit = flow.new_tensor([size[1] / width, size[0] / height]).view(1, 2, 1, 1)
    return F.interpolate(flow, size=size, mode="bilinear", align_corners=False) * unit


def warped(image: Tensor, flow: Tensor, *, sharp: bool = False) -> Tensor:
    """``image`` (1, C, H, W) at the places to which ``flow`` (1, 2, H, W) leads, by linear
    interpolation, or ``sharp``, by the cubic of Catmull and Rom, not clamped.

    Beyond its edges it goes on as its edge does. Unlike PyTorch's own cubic (of parameter -0.75),
    Catmull and Rom's (-0.5) makes no frequency stronger: ripples would grow from frame to frame.
    """
    height, width = image.shape[-2:]
    out = image.new_empty(1, image.shape[1], height, width)
    take = _cubic if sharp else _linear
    across = torch.arange(width, device=flow.device, dtype=flow.dtype)
    for y in range(0, height, ROWS):
        part = flow[0, :, y : y + ROWS]
        down = torch.arange(y, y + part.shape[1], device=flow.device, dtype=flow.dtype)
        out[..., y : y + ROWS, :] = take(image, across + part[0], down[:, None] + part[1])
    return out


def _linear(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """``image`` at the pixels ``x`` and ``y`` (h, w)."""
    height, width = image.shape[-2:]
    grid = torch.stack([(x + 0.5) * (2 / width) - 1, (y + 0.5) * (2 / height) - 1], -1)[None]
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _cubic(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The same by a cubic: nine linear samples, of which those in the middle stand for two."""
    total = image.new_zeros(())
    for column, across in _taps(x):
        for row, down in _taps(y):
            total = total + across * down * _linear(image, column, row)
    return total


def _taps(at: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Places along an axis, and their weights in Catmull and Rom's cubic there."""
    first = at.floor()
    t = at - first
    before = t * (-0.5 + t * (1 - 0.5 * t))
    near = 1 + t * t * (-2.5 + 1.5 * t)
    next_ = t * (0.5 + t * (2 - 1.5 * t))
    after = t * t * (-0.5 + 0.5 * t)
    middle = near + next_
    return [(first - 1, before), (first + next_ / middle, middle), (first + 2, after)]


def box(image: Tensor, radius: int) -> Tensor:
    """Means over squares of that radius around each place of ``image`` (1, C, h, w)."""
    side = 2 * radius + 1
    image = F.avg_pool2d(_around(image, 0, radius), (1, side), 1)
    return F.avg_pool2d(_around(image, radius, 0), (side, 1), 1)


def _around(image: Tensor, rows: int, columns: int) -> Tensor:
    return F.pad(image, (columns, columns, rows, rows), mode="replicate")


def _halved(image: Tensor) -> Tensor:
    size = [-(-n // 2) for n in image.shape[-2:]]
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=True)


def _equations(now: Tensor, before: Tensor, flow: Tensor) -> Tensor:
    """The means of gₓ², gₓg_y, g_y², gₓ·t and g_y·t in windows, (1, 5, h, w), where g is the slope
    of the pictures and t what they differ by under ``flow``."""
    moved = warped(before, flow)
    wide = _around(0.5 * (now + moved), 1, 1)
    gx = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2
    gy = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2
    apart = moved - now
    far = box(apart.square().mean(1, keepdim=True), 1)
    steep = (gx.square() + gy.square()).mean(1, keepdim=True)
    weight = 1 / ((1 + far / OUTLIER**2) * (steep + GRAIN**2))
    products = [gx * gx, gx * gy, gy * gy, gx * apart, gy * apart]
    means = torch.cat([p.mean(1, keepdim=True) for p in products], 1) * weight
    return box(box(means, WINDOW), WINDOW)


def _links(image: Tensor) -> tuple[Tensor, ...]:
    """How firmly each place holds on to its neighbours left, right, above and below."""
    found = []
    for axis in (-1, -2):
        steps = image.diff(dim=axis).abs().mean(1, keepdim=True)
        link = SMOOTHNESS * torch.exp(-steps / EDGE)
        for pads in ((1, 0), (0, 1)):
            found.append(F.pad(link, pads if axis == -1 else (0, 0, *pads)))
    return tuple(found)


def _solved(flow: Tensor, links: tuple[Tensor, ...], equations: Tensor) -> Tensor:
    """The flow that solves the ``equations``, linear around ``flow``, as smooth as ``links`` say:
    some steps of Jacobi's method, with each place's two unknowns taken together."""
    xx, xy, yy, xt, yt = (equations[:, k : k + 1] for k in range(5))
    left, right, above, below = links
    total = left + right + above + below
    a, c = xx + total, yy + total
    inverse = 1 / (a * c - xy * xy)
    u, v = flow[:, :1], flow[:, 1:]
    known = torch.cat([xx * u + xy * v - xt, xy * u + yy * v - yt], 1)
    straight, crossed = torch.cat([c, a], 1) * inverse, xy * inverse
    for _ in range(SWEEPS):
        wide = _around(flow, 1, 1)
        sides = known + left * wide[..., 1:-1, :-2]
        sides.addcmul_(right, wide[..., 1:-1, 2:])
        sides.addcmul_(above, wide[..., :-2, 1:-1]).addcmul_(below, wide[..., 2:, 1:-1])
        flow = straight * sides - crossed * sides.flip(1)
    return flow


def _searched(now: Tensor, before: Tensor, flow: Tensor) -> Tensor:
    """``flow``, where a neighbour's fits better that one."""

    def cost(flow: Tensor) -> Tensor:
        return box((warped(before, flow) - now).abs().mean(1, keepdim=True), 2)

    height, width = flow.shape[-2:]
    least = cost(flow)
    for leap in LEAPS:
        for down, across in ((0, leap), (0, -leap), (leap, 0), (-leap, 0)):
            wide = _around(flow, leap, leap)
            rows, columns = slice(leap + down, None), slice(leap + across, None)
            other = wide[..., rows, columns][..., :height, :width]
            found = cost(other)
            better = found < BETTER * least - LEAST_BETTER
            flow, least = torch.where(better, other, flow), torch.where(better, found, least)
    return flow
