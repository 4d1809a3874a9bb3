"""Pictures as tensors of any size: each made from the picture itself, whatever else is asked for.

So a preview, which is a run at a small working size, begins with exactly the pictures that a large
run has at its first scales, and those need no more of a large picture than a small copy: painting
begins long before anything has been made at full size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import cast

import numpy as np
import torch
from torch import Tensor

from styleengine.networks.extractor import OPEN, Wrap
from styleengine.pictures.picture import STRIP_PIXELS, Picture, fit
from styleengine.pictures.samples import Samples, integers_of
from styleengine.planning.spots import Area
from styleengine.scene import resample, windows
from styleengine.together.group import Rows

SMALL = 1536
"""Long side of the small copy, which is made of pictures of at least twice that size."""
KEPT = 2_000_000
"""Pixels up to which a level is kept that is needed no more than for previews."""
BESIDE = 48
"""Rows of a scale beside those that a process sees, of which another scale's may be made."""
LARGE = 8_000_000
"""Pixels from which on a level is not kept in the steps of its scale, which do not look at it."""
Size = tuple[int, int]


class Source:
    """A picture as tensors (1, 3, h, w), its transparent parts filled.

    ``wrap`` tells along which axes it closes.
    """

    def __init__(self, picture: Picture, device: torch.device, wrap: Wrap = OPEN) -> None:
        self._wrap = wrap
        self.width, self.height, self.device = picture.width, picture.height, device
        self.given = picture
        self._opaque = picture.alpha is None or float(picture.alpha.min()) >= 1

    def at(self, size: Size) -> Tensor:
        """The picture at ``size`` (h, w), on the device; at its own, it may be a view of it."""
        small = self._small_for(size)
        if small is not None:
            return resized(small[0], size, self._wrap).to(self.device)
        if self.in_strips:
            return self._stripwise(size, Rows(0, size[0])).to(self.device)
        colors = resized(resample.to_tensor(self.picture.rgb), size, self._wrap).to(self.device)
        alpha = self.alpha(size)
        return colors if alpha is None else resample.fill_transparent(colors, alpha)

    def rows(self, size: Size, rows: Rows) -> Tensor:
        """Rows of the picture at ``size`` (h, w), (1, 3, rows, w), on the device."""
        if self.is_made_of_small(size) or not self.in_strips:
            return self.at(size)[..., rows.start : rows.stop, :]
        return self._stripwise(size, rows).to(self.device)

    def cut(self, rows: Rows) -> None:
        """Lets go of all of a picture `in_strips` but some rows, and a small copy."""
        _ = self._small  # made of all of it
        if len(rows) < self.height:
            cast("Samples", self.given.rgb).cut(rows.start, rows.stop)

    def is_made_of_small(self, size: Size) -> bool:
        """Whether the picture at ``size`` is made of the small copy."""
        return self._small_for(size) is not None

    @property
    def in_strips(self) -> bool:
        """Whether the picture is best never made in full: it is kept in fewer bits."""
        return self._opaque and integers_of(self.given.rgb) is not None and not any(self._wrap)

    def _stripwise(self, size: Size, rows: Rows) -> Tensor:
        whole, rgb = (self.height, self.width), self.given.rgb
        out = torch.empty(1, 3, len(rows), size[1])
        strip = max(16, STRIP_PIXELS * size[0] // (self.width * self.height))
        for y in range(rows.start, rows.stop, strip):
            stop = min(y + strip, rows.stop)
            if size == whole:
                found = resample.to_tensor(rgb[y:stop])
            else:
                top, bottom = windows.seen_rows(whole[0], size[0], y, stop)
                seen = resample.to_tensor(rgb[top:bottom])
                narrow = resample.columns(seen, size[1], size[0] < whole[0])
                found = windows.rows(narrow, whole, size, top, y, stop).clamp_(0, 1)
            out[..., y - rows.start : stop - rows.start, :] = found
        return out

    def parts(self, size: Size, areas: Sequence[Area]) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Areas of the picture at ``size`` (h, w), (1, 3, h, w) each, and their alpha (1, 1, h, w)
        or None: as cut from `at` and `alpha`, which for an opaque picture are not made."""
        if not self._opaque:
            image, alpha = self.at(size), self.alpha(size)
            assert alpha is not None
            yield from ((windows.part(image, a), windows.part(alpha, a)) for a in areas)
            return
        small = self._small_for(size)
        known = resample.to_tensor(self.picture.rgb) if small is None else small[0]
        window = windows.Window(known, (known.shape[-2], known.shape[-1]), wrap=self._wrap)
        for area in areas:
            yield window.at(size, area).image.clamp(0, 1).to(self.device), None

    def alpha(self, size: Size) -> Tensor | None:
        """The alpha (1, 1, h, w) at ``size``, on the device; None if the picture is opaque."""
        if self._opaque:
            return None
        assert self.given.alpha is not None
        small = self._small_for(size)
        source = resample.to_tensor(self.given.alpha) if small is None else small[1]
        assert source is not None
        return resized(source, size, self._wrap).to(self.device)

    @cached_property
    def picture(self) -> Picture:
        """The picture in full, with nothing left of what is fully transparent in it."""
        return without_hidden_colors(self.given)

    def sample(self) -> tuple[Tensor, Tensor | None]:
        """The picture at a size for statistics, and its alpha (h, w) there."""
        long_side = min(SMALL // 2, max(self.width, self.height))
        size = fit(self.width, self.height, long_side)
        alpha = self.alpha(size)
        return self.at(size), None if alpha is None else alpha[0, 0]

    def _small_for(self, size: Size) -> tuple[Tensor, Tensor | None] | None:
        """The small copy, where a level of ``size`` made from it looks no different."""
        small = self._small
        return small if small is not None and max(small[0].shape[-2:]) >= 2 * max(size) else None

    @cached_property
    def _small(self) -> tuple[Tensor, Tensor | None] | None:
        """The small copy, filled, and its alpha; None of a picture that is small itself."""
        if max(self.width, self.height) < 2 * SMALL:
            return None
        size = fit(self.width, self.height, SMALL)
        if self._opaque:
            return resample.to_tensor(reduced(self.given.rgb, None, size)), None
        assert self.given.alpha is not None
        alpha = reduced(self.given.alpha[..., None], None, size)
        weighted = reduced(self.given.rgb, self.given.alpha, size)
        colors = resample.to_tensor(weighted / np.maximum(alpha, resample.TINY))
        found = resample.to_tensor(alpha).clamp_(0, 1)
        return resample.fill_transparent(colors.clamp_(0, 1), found), found


class Levels:
    """The content at the sizes (h, w) of the scales, ascending, each made when first asked for."""

    def __init__(self, source: Source, sizes: tuple[Size, ...]) -> None:
        self.source, self.sizes = source, sizes
        self._made: dict[int, Tensor] = {}
        self._part: tuple[int, Rows, Tensor] | None = None

    def rows(self, scale: int, rows: Rows) -> Tensor:
        """Rows of the picture at a scale, (1, 3, h, w), on the device; those asked for last, of
        which these may be some, are kept."""
        if scale in self._made:
            return self._made[scale][..., rows.start : rows.stop, :]
        if self._part is None or self._part[0] != scale or len(self._part[1] & rows) < len(rows):
            self._part = None
            self._part = scale, rows, self.source.rows(self.sizes[scale], rows)
        _, known, part = self._part
        return part[..., rows.within(known), :]

    def keep(self, seen: Mapping[int, Rows]) -> None:
        """Lets go of what is not needed of the picture where no more than the rows ``seen`` at some
        scales will be asked for, and those beside them, and as much of it in full."""
        source, height = self.source, self.source.height
        places = [
            windows.seen_rows(height, self.sizes[k][0], rows.start - BESIDE, rows.stop + BESIDE)
            for k, rows in seen.items()
            if not source.is_made_of_small(self.sizes[k])
        ]
        if places:
            source.cut(Rows(min(top for top, _ in places), max(bottom for _, bottom in places)))

    def rest(self, scale: int) -> None:
        """Lets go of a very large level until it is asked for again."""
        height, width = self.sizes[scale]
        if height * width > LARGE:
            self._made.pop(scale, None)
            self._part = None

    def __getitem__(self, scale: int) -> Tensor:
        """The picture at a scale, (1, 3, h, w), on the device."""
        scale %= len(self.sizes)
        if scale not in self._made:
            self._made[scale] = self.source.at(self.sizes[scale])
        return self._made[scale]

    def forget(self, scale: int) -> None:
        """Lets go of a level that is done, if it is large; it can be had again."""
        height, width = self.sizes[scale]
        if height * width > KEPT and self.sizes[scale] != self.sizes[-1]:
            self._made.pop(scale, None)

    def at_least(self, size: Size) -> Tensor:
        """The smallest level there is of at least that width, or one of ``size``."""
        made = [k for k in sorted(self._made) if self.sizes[k][1] >= size[1]]
        return self._made[made[0]] if made else self.source.at(size)


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


def resized(image: Tensor, size: Size, wrap: Wrap = OPEN) -> Tensor:
    """``image`` resampled to ``size`` within 0–1; itself if that is its size."""
    return image if image.shape[-2:] == size else resample.resize(image, size, wrap).clamp_(0, 1)
