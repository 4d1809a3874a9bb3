"""Pixels that stay in the whole numbers of their file, and are float32 where they are looked at."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from styleengine.pictures.picture import Floats, Picture, to_unit

KEPT = (np.dtype(np.uint8), np.dtype(np.uint16))
"""The whole numbers that may stay."""


class Samples:
    """An array (H, W) or (H, W, 3) of ``integers``, uint8 or uint16, that looks like a float32 one,
    0–1: parts of it are that, and NumPy takes all of it for one.

    A photo so takes a quarter or half of the memory. It can be read only; one that is `cut` only by
    slices of rows.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, integers: NDArray[Any]) -> None:
        self.integers = integers
        self.shape, self.ndim, self.size = integers.shape, integers.ndim, integers.size
        self._top = 0

    def __len__(self) -> int:
        return len(self.integers)

    def __getitem__(self, key: Any) -> Floats:
        if self._is_cut:
            rows = slice(key.start - self._top, key.stop - self._top)
            if rows.start < 0 or rows.stop > len(self.integers):
                raise IndexError(f"rows {key.start} to {key.stop} were cut off")
            return to_unit(self.integers[rows])
        return to_unit(self.integers[key])

    def cut(self, start: int, stop: int) -> None:
        """Keeps only the rows from ``start`` to ``stop``, for all who have this photo."""
        own = slice(max(0, start - self._top), stop - self._top)
        self.integers, self._top = self.integers[own].copy(), self._top + own.start

    @property
    def _is_cut(self) -> bool:
        return bool(len(self.integers) < self.shape[0])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False or self._is_cut:
            raise ValueError("samples are converted, which takes a copy, and all of them")
        return to_unit(self.integers).astype(dtype or np.float32, copy=False)

    def min(self) -> float:
        """The smallest value."""
        return float(self.integers.min()) / np.iinfo(self.integers.dtype).max

    def any(self) -> bool:
        """Whether one is not 0."""
        return bool(self.integers.any())


def kept(samples: NDArray[Any]) -> Floats:
    """``samples`` of 8 or 16 bits as `Samples`, which pass for what they look like."""
    return cast("Floats", Samples(samples))


def integers_of(unit: Floats) -> NDArray[Any] | None:
    """The whole numbers that an array is kept in; None if it is one of float32."""
    return cast("Any", unit).integers if isinstance(unit, Samples) else None


def bytes_per_pixel(picture: Picture) -> int:
    """What the colours of a picture take while it is painted, which one with alpha is in full."""
    integers = None if picture.alpha is not None else integers_of(picture.rgb)
    return 12 if integers is None else 3 * integers.itemsize


def in_floats(picture: Picture) -> Picture:
    """``picture`` with arrays of float32, as it is for who computes with all of it."""
    if not any(isinstance(each, Samples) for each in (picture.rgb, picture.alpha)):
        return picture
    alpha = None if picture.alpha is None else np.asarray(picture.alpha)
    return dataclasses.replace(picture, rgb=np.asarray(picture.rgb), alpha=alpha)
