"""The content at the sizes of the scales, each made when it is first asked for.

The first scales of a large picture need no more of it than a small copy, so that painting begins
long before anything has been made at full size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from styleengine import resample
from styleengine.picture import Picture

SMALL = 1536
"""Long side of the small copy, which is made of pictures of at least twice that size."""
KEPT = 2_000_000
"""Pixels up to which a level is kept that is needed no more than for previews."""
SAMPLE = 1 << 20
"""Pixels that statistics of colours are taken from, at most: they need no more."""

Size = tuple[int, int]


class Levels:
    """A picture as tensors (1, 3, h, w) of several sizes, its transparent parts filled.

    ``sizes`` are (h, w), ascending. The largest level may be a view of the picture's own pixels.
    """

    def __init__(self, picture: Picture, sizes: tuple[Size, ...], device: torch.device) -> None:
        self.sizes, self.device = sizes, device
        self._given = picture
        self._opaque = picture.alpha is None or float(picture.alpha.min()) >= 1
        self._made: dict[int, Tensor] = {}

    def __getitem__(self, scale: int) -> Tensor:
        """The picture at a scale, on the device."""
        scale %= len(self.sizes)
        if scale not in self._made:
            self._made[scale] = self._make(scale).to(self.device)
        return self._made[scale]

    def forget(self, scale: int) -> None:
        """Lets go of a level that is done, if it is large; it can be had again."""
        height, width = self.sizes[scale]
        if height * width > KEPT and self.sizes[scale] != self.sizes[-1]:
            self._made.pop(scale, None)

    def at_least(self, width: int) -> Tensor:
        """The smallest level there is of at least that width, or the largest there is."""
        made = [self._made[k] for k in sorted(self._made)]
        return next((x for x in made if x.shape[-1] >= width), made[-1])

    def alpha(self, size: Size) -> Tensor | None:
        """The alpha (1, 1, h, w) at ``size``, on the device; None if the picture is opaque."""
        if self._opaque:
            return None
        assert self._given.alpha is not None
        if self._small is not None and _suits(self._small[0], size):
            source = self._small[1]
            assert source is not None
        else:
            source = resample.to_tensor(self._given.alpha)
        return resized(source, size).to(self.device)

    @cached_property
    def picture(self) -> Picture:
        """The picture in full, with nothing left of what is fully transparent in it."""
        return without_hidden_colors(self._given)

    def sample(self) -> tuple[Tensor, Tensor | None]:
        """The picture at a size for statistics, and its alpha (h, w) there; on the processor."""
        if self._small is not None:
            colors, alpha = self._small
        else:
            few = [k for k, (h, w) in enumerate(self.sizes) if h * w < SAMPLE]
            scale = max(few, default=0)
            colors, alpha = self[scale].cpu(), self.alpha(self.sizes[scale])
        return colors, None if alpha is None else alpha[0, 0].cpu()

    def _make(self, scale: int) -> Tensor:
        size = self.sizes[scale]
        if self._small is not None and _suits(self._small[0], size):
            return resized(self._small[0], size)
        if scale < len(self.sizes) - 1:
            return resized(self[-1], size)
        colors, alpha = resized(resample.to_tensor(self.picture.rgb), size), self.alpha(size)
        return colors if alpha is None else resample.fill_transparent(colors, alpha.cpu())

    @cached_property
    def _small(self) -> tuple[Tensor, Tensor | None] | None:
        """The small copy, filled, and its alpha; None of a picture that is small itself."""
        width, height = self._given.width, self._given.height
        if max(width, height) < 2 * SMALL:
            return None
        size = resample.fit(width, height, SMALL)
        if self._opaque:
            return resample.to_tensor(reduced(self._given.rgb, None, size)), None
        assert self._given.alpha is not None
        alpha = reduced(self._given.alpha[..., None], None, size)
        weighted = reduced(self._given.rgb, self._given.alpha, size)
        colors = resample.to_tensor(weighted / np.maximum(alpha, resample.TINY))
        found = resample.to_tensor(alpha).clamp_(0, 1)
        return resample.fill_transparent(colors.clamp_(0, 1), found), found


def reduced(array: np.ndarray, weight: np.ndarray | None, size: Size) -> np.ndarray:
    """Means of ``array`` (H, W, C), times ``weight`` (H, W), over the areas of (h, w, C) pixels.

    A pixel that lies on the border of two areas counts in both with its parts. Several times as
    fast as any general resampling, because it is one pass of matrix products over the rows.
    """
    height, width, channels = array.shape
    rows = np.empty((size[0], width, channels), np.float32)
    for i, (part, share) in enumerate(_areas(height, size[0])):
        block = array[part] if weight is None else array[part] * weight[part][..., None]
        rows[i] = (share @ block.reshape(len(share), -1)).reshape(width, channels)
    columns = np.ascontiguousarray(rows.transpose(1, 0, 2)).reshape(width, -1)
    out = np.empty((size[1], size[0], channels), np.float32)
    for i, (part, share) in enumerate(_areas(width, size[1])):
        out[i] = (share @ columns[part]).reshape(size[0], channels)
    return np.ascontiguousarray(out.transpose(1, 0, 2))


def _areas(length: int, count: int) -> Iterator[tuple[slice, np.ndarray]]:
    """The pixels below each of ``count`` equal parts of a line, and the share of each of them."""
    part = length / count
    for i in range(count):
        start, end = i * part, min((i + 1) * part, length)
        first, last = int(start), max(int(start) + 1, int(np.ceil(end - 1e-9)))
        at = np.arange(first, last)
        covered = np.minimum(at + 1, end) - np.maximum(at, start)
        yield slice(first, last), (covered / covered.sum()).astype(np.float32)


def without_hidden_colors(picture: Picture) -> Picture:
    """``picture`` with nothing left of what is fully transparent in it."""
    if picture.alpha is None or float(picture.alpha.min()) > 0:
        return picture
    rgb = resample.replace_hidden(picture.rgb, picture.alpha)
    return dataclasses.replace(picture, rgb=rgb)


def resized(image: Tensor, size: Size) -> Tensor:
    """``image`` resampled to ``size`` within 0–1; itself if that is its size."""
    return image if image.shape[-2:] == size else resample.resize(image, size).clamp_(0, 1)


def _suits(source: Tensor, size: Size) -> bool:
    """Whether a level of ``size`` may be made from ``source``, which looks no different then."""
    return max(source.shape[-2:]) >= 2 * max(size)
