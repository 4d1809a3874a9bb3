"""Resizing, filling under transparency, and carrying a small result to the picture's full size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from styleengine.networks.extractor import OPEN, Wrap
from styleengine.pictures.picture import fit
from styleengine.scene.color import luma
from styleengine.together.group import Rows

STRIP_ROWS = 256
STRIP_PIXELS = 1 << 20
FILL_SIDE = 256
"""Long side, in pixels, at which colours for hidden pixels are made up."""
TINY = 1e-12
"""Keeps 0 / 0 finite; far below the mean alpha of a picture with one faint visible pixel."""
CUBIC = 3
"""Pixels beside a place that a bicubic kernel may ask for, and one more."""
DETAIL_RADIUS = 2
AROUND = 2 * DETAIL_RADIUS + 4
"""Rows of a small picture around those that a part of the large one is made of: those of the two
windows of `local_gain`, and of the bicubic filter."""
MOST_GAIN = 1.5
DETAIL_NOISE = 0.02
"""Contrast (in picture values) below which the photo's detail counts as grain and is left out."""


def to_tensor(array: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """(H, W, C) or (H, W) array to a (1, C, H, W) float32 tensor."""
    hwc = array if array.ndim == 3 else array[..., None]
    return (
        torch.from_numpy(np.require(hwc, np.float32, ["C", "W"])).to(device).permute(2, 0, 1)[None]
    )


def to_array(image: Tensor) -> np.ndarray:
    """(1, 3, H, W) to an (H, W, 3) float32 array in 0–1."""
    return np.ascontiguousarray(image[0].clamp(0, 1).permute(1, 2, 0).cpu().numpy(), np.float32)


def resize(image: Tensor, size: tuple[int, int], wrap: Wrap = OPEN) -> Tensor:
    """(1, C, H, W) resampled to ``size`` (height, width): bicubic, antialiased when shrinking.

    Along an axis of ``wrap``, what lies beyond an end is what lies at the other.
    """
    if tuple(image.shape[-2:]) == size:
        return image.contiguous()
    shrink = size[0] < image.shape[-2] or size[1] < image.shape[-1]
    for axis, closes in zip((-2, -1), wrap, strict=True):
        if closes:
            image = _resize_closed(image, axis, size[axis], shrink)
    if tuple(image.shape[-2:]) == size:
        return image.contiguous()
    return F.interpolate(
        image, size=size, mode="bicubic", align_corners=False, antialias=shrink
    ).contiguous()


def columns(image: Tensor, width: int, shrinks: bool) -> Tensor:
    """`resize` of (1, C, H, W) along its rows only, which ``shrinks`` along its columns, too."""
    if image.shape[-1] == width:
        return image
    return F.interpolate(
        image,
        size=(image.shape[-2], width),
        mode="bicubic",
        align_corners=False,
        antialias=shrinks or width < image.shape[-1],
    )


def _resize_closed(image: Tensor, axis: int, size: int, antialias: bool) -> Tensor:
    """``image`` resampled along an axis that closes, with PyTorch's bicubic kernels."""
    length = image.shape[axis]
    if length == size:
        return image
    step = length / size
    wide, sharp = (max(step, 1.0), -0.5) if antialias else (1.0, -0.75)
    middle = (torch.arange(size, dtype=torch.float64) + 0.5) * step - 0.5
    first = torch.floor(middle - 2 * wide).long()
    near = first[:, None] + torch.arange(math.ceil(4 * wide) + 2)
    t = (near - middle[:, None]).abs() / wide
    inner = ((sharp + 2) * t - (sharp + 3)) * t * t + 1
    outer = ((t - 5) * t + 8) * t * sharp - 4 * sharp
    weights = torch.where(t < 1, inner, torch.where(t < 2, outer, torch.zeros_like(t)))
    weights = (weights / weights.sum(1, keepdim=True)).to(image)
    shape = [1] * image.dim()
    shape[axis] = size
    found = torch.zeros(())
    for at, weight in zip((near % length).T.to(image.device), weights.T, strict=True):
        part = image.index_select(axis, at) * weight.view(shape)
        found = part if found.dim() == 0 else found.add_(part)
    return found


def fill_transparent(image: Tensor, alpha: Tensor) -> Tensor:
    """``image`` (1, 3, H, W) with the colours under ``alpha`` (1, 1, H, W) < 1 made plausible.

    Opaque colours are spread into the transparent area by a pull-push pyramid (Gortler et al.
    1996), so that nothing hidden under the transparency, often black, shows up as an edge.
    """
    if float(alpha.min()) >= 1:
        return image
    return alpha * image + (1 - alpha) * _pull_push(image * alpha, alpha)


def replace_hidden(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """A copy of ``rgb`` (H, W, 3) that holds surrounding colours where ``alpha`` (H, W) is 0.

    Whatever is resampled later then depends on visible pixels only. The replacement is smooth, so
    it is made at a small size.
    """
    height, width = alpha.shape
    size = fit(width, height, min(FILL_SIDE, max(width, height)))
    weight = to_tensor(alpha)
    weighted = F.interpolate(to_tensor(rgb) * weight, size=size, mode="area")
    fill = _pull_push(weighted, F.interpolate(weight, size=size, mode="area"))
    out = np.array(rgb, np.float32)
    for y in range(0, height, STRIP_ROWS):
        hidden = alpha[y : y + STRIP_ROWS] <= 0
        if hidden.any():
            colors = to_array(enlarge(fill, (height, width), y, hidden.shape[0]))
            out[y : y + STRIP_ROWS][hidden] = colors[hidden]
    return out


def _pull_push(weighted: Tensor, weight: Tensor) -> Tensor:
    known = weighted / weight.clamp_min(TINY)
    if min(weight.shape[-2:]) <= 1:
        total = weight.sum().clamp_min(TINY)
        return (weighted.sum((-2, -1), keepdim=True) / total).expand_as(known)
    pad = (0, weight.shape[-1] % 2, 0, weight.shape[-2] % 2)
    coarse = _pull_push(F.avg_pool2d(F.pad(weighted, pad), 2), F.avg_pool2d(F.pad(weight, pad), 2))
    size = weight.shape[-2:]
    below = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    below = below[..., : size[0], : size[1]]
    trust = weight.clamp(0, 1)
    return trust * known + (1 - trust) * below


def enlarge(
    small: Tensor,
    size: tuple[int, int],
    y: int,
    rows: int,
    wrap: Wrap = OPEN,
    part: tuple[int, int] | None = None,
) -> Tensor:
    """Rows ``y`` to ``y + rows`` of ``small`` (1, C, h, w) enlarged bicubically to ``size``.

    The same values as `resize` of the whole, computed for one strip only. ``small`` may be a
    ``part`` of a picture: from that row on, of that height.
    """
    height, width = size
    rows_at = (torch.arange(y, y + rows, dtype=torch.float32) + 0.5) * (2 / height) - 1
    if part is not None:
        first, whole = part
        at = (torch.arange(y, y + rows, dtype=torch.float64) + 0.5) * (whole / height) - first
        rows_at = (at * (2 / small.shape[-2]) - 1).float()
    columns_at = (torch.arange(width, dtype=torch.float32) + 0.5) * (2 / width) - 1
    if any(wrap):
        own = small.shape[-2:]
        small = widened(small, CUBIC, wrap)
        if wrap[0]:
            rows_at *= own[0] / small.shape[-2]
        if wrap[1]:
            columns_at *= own[1] / small.shape[-1]
    grid = torch.stack(torch.meshgrid(columns_at, rows_at, indexing="xy"), -1)[None]
    return F.grid_sample(
        small, grid.to(small.device), mode="bicubic", padding_mode="border", align_corners=False
    )


def widened(image: Tensor, by: int, wrap: Wrap) -> Tensor:
    """``image`` (…, H, W) continued by that many pixels at the ends of the axes that close."""
    for axis, closes in zip((-2, -1), wrap, strict=True):
        if closes:
            length = image.shape[axis]
            around = torch.arange(-by, length + by, device=image.device) % length
            image = image.index_select(axis, around)
    return image


def carry(
    result: Tensor, content: Tensor, guide: Tensor | None = None, wrap: Wrap = OPEN
) -> Tensor:
    """``result`` (1, 3, h, w) at the larger size of ``content`` (1, 3, H, W), with its detail.

    A local linear model of the result in the content's luma (guided filter, He et al. 2010, eq. 5)
    tells how strongly the result follows the photo at each place. What the photo has above the
    small size, ``content - enlarge(small content)``, is added with that strength: edges the
    painting kept become sharp, grain in areas it repainted stays out. ``guide`` is the content at
    the small size, if it is at hand; ``wrap`` tells along which axes all close. Not clamped.
    """
    size = content.shape[-2], content.shape[-1]
    out = result.new_empty(1, result.shape[1], *size)
    for y, strip in carried(result, size, *_of_tensor(content, guide, result, wrap), wrap):
        out[..., y : y + strip.shape[-2], :] = strip
    return out


def carry_to_full_size(result: Tensor, content: np.ndarray, wrap: Wrap = OPEN) -> np.ndarray:
    """`carry` with a ``content`` (H, W, 3) array; returns (H, W, 3) float32 in 0–1."""
    out = np.empty(content.shape, np.float32)
    known, size = to_tensor(content, result.device), (content.shape[0], content.shape[1])
    for y, strip in carried(result, size, *_of_tensor(known, None, result, wrap), wrap):
        out[y : y + strip.shape[-2]] = to_array(strip)
    return out


def _of_tensor(
    content: Tensor, guide: Tensor | None, result: Tensor, wrap: Wrap
) -> tuple[Callable[[int, int], Tensor], Callable[[], Tensor]]:
    """What `carried` asks for."""
    small = result.shape[-2], result.shape[-1]
    return (
        lambda start, stop: content[..., start:stop, :],
        lambda: resize(content, small, wrap) if guide is None else guide,
    )


def carried(
    result: Tensor,
    size: tuple[int, int],
    rows_of: Callable[[int, int], Tensor],
    guide: Callable[[], Tensor],
    wrap: Wrap = OPEN,
) -> Iterator[tuple[int, Tensor]]:
    """The rows of `carry` in strips, as ``(y, strip)``: no more memory than a strip's is taken.

    ``rows_of`` gives the rows from one to another of the content, which has that ``size``;
    ``guide`` the content at the small size.
    """
    height, width = size
    small_size = result.shape[-2], result.shape[-1]
    rows = max(1, STRIP_PIXELS // width)
    if small_size[0] >= height and small_size[1] >= width:
        whole = resize(result, size, wrap)
        for y in range(0, height, rows):
            yield y, whole[..., y : y + rows, :]
        return
    light = luma(guide())
    gain = local_gain(light, result, wrap)
    for y in range(0, height, rows):
        strip = luma(rows_of(y, min(y + rows, height)))
        yield y, _carried_strip((result, light, gain), strip, size, y, wrap)


def carried_part(
    result: Tensor,
    guide: Tensor,
    part: tuple[int, int],
    content: Callable[[Rows], Tensor],
    own: Rows,
    size: tuple[int, int],
) -> Iterator[tuple[int, Tensor]]:
    """The rows ``own`` of `carry` to a photo of ``size``, clamped, in strips, as ``(y, strip)``.

    ``result`` and ``guide`` (1, 3, h, w) are a ``part`` of the small pictures, as in `enlarge`;
    they go on by `AROUND` rows at either end, where there are as many. ``content`` gives rows of
    the photo, (1, 3, rows, W), which is one that does not close.
    """
    light = luma(guide)
    gain = local_gain(light, result)
    rows = max(1, STRIP_PIXELS // size[1])
    for y in range(own.start, own.stop, rows):
        strip = luma(content(Rows(y, min(y + rows, own.stop))))
        painted = _carried_strip((result, light, gain), strip, size, y, OPEN, part)
        yield y, painted.clamp_(0, 1)


def _carried_strip(
    small: tuple[Tensor, Tensor, Tensor],
    strip: Tensor,
    size: tuple[int, int],
    y: int,
    wrap: Wrap,
    part: tuple[int, int] | None = None,
) -> Tensor:
    """Rows of `carry` from ``y`` on, where ``strip`` (1, 1, rows, W) is the photo's luma.

    ``small`` are the result, the guide's luma, and how strongly the one follows the other.
    """
    result, light, gain = small
    place = y, strip.shape[-2], wrap, part
    painted = enlarge(result, size, *place)
    detail = strip - enlarge(light, size, *place)
    painted += enlarge(gain, size, *place).clamp_(0, MOST_GAIN) * detail
    return painted


def local_gain(guide: Tensor, image: Tensor, wrap: Wrap = OPEN) -> Tensor:
    """How strongly ``image``'s (1, 3, h, w) channels follow ``guide`` (1, 1, h, w), per place.

    The slope of the channel over the guide in a local window, times the squared correlation of the
    two there. Unlike the guided filter, whose slope alone is as large where the two merely happen
    to slant alike, because there the photo's texture would show as specks on the paint.
    """
    box = partial(_box, wrap=wrap)
    mean_guide = box(guide)
    guide_variance = (box(guide * guide) - mean_guide.square()).clamp_min(0)
    noise = DETAIL_NOISE**2
    gain = torch.empty_like(image)
    for k in range(image.shape[1]):  # one by one, because of the memory that large pictures take
        channel = image[:, k : k + 1]
        mean = box(channel)
        variance = (box(channel * channel) - mean.square()).clamp_min(0)
        covariance = box(guide * channel) - mean_guide * mean
        correlation = covariance.square() / (guide_variance * variance + noise**2)
        gain[:, k : k + 1] = box(covariance / (guide_variance + noise) * correlation)
    return gain


def _box(image: Tensor, wrap: Wrap) -> Tensor:
    r = DETAIL_RADIUS
    rows, columns = (0 if closes else r for closes in wrap)
    padded = F.pad(widened(image, r, wrap), (columns, columns, rows, rows), mode="replicate")
    return F.avg_pool2d(padded, 2 * r + 1, stride=1)
