"""What a reader of picture files hands on, before colours and orientation are put right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Raw:
    """What a reader finds in a file, before colour management and orientation.

    ``samples`` is (H, W, n) with n = 1, 3, 4 for ``space`` "gray", "rgb", "cmyk"; ``alpha`` (H, W)
    is straight. Unsigned integers or floats. ``orientation`` is EXIF's, 1–8. ``depth`` is the
    bits per sample in the file where that is not the depth of ``samples``.
    """

    samples: NDArray[Any]
    space: str
    alpha: NDArray[Any] | None = None
    profile: bytes = b""
    orientation: int = 1
    depth: int = 0


def depth_of(samples: NDArray[Any]) -> int:
    """The `Picture.depth` that holds samples of this type."""
    return 32 if samples.dtype.kind == "f" else 8 if samples.dtype.itemsize == 1 else 16
