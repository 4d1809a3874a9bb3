"""What a reader of picture files hands on, before colours and orientation are put right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from styleengine.pictures.about import Metadata


@dataclass(frozen=True)
class Raw:
    """What a reader finds in a file, before colour management and orientation.

    ``samples`` is (H, W, n) with n = 1, 3, 4 for ``space`` "gray", "rgb", "cmyk"; ``alpha`` (H, W)
    is straight. Unsigned integers or floats. ``depth`` is the bits per sample in the file where
    that is not the depth of ``samples``. ``tagged`` says that the file names its colours, if only
    as sRGB, so that EXIF's word on them does not count.
    """

    samples: NDArray[Any]
    space: str
    alpha: NDArray[Any] | None = None
    profile: bytes = b""
    metadata: Metadata = field(default_factory=Metadata)
    depth: int = 0
    tagged: bool = False


def depth_of(samples: NDArray[Any]) -> int:
    """The `Picture.depth` that holds samples of this type."""
    return 32 if samples.dtype.kind == "f" else 8 if samples.dtype.itemsize == 1 else 16
