"""What a network must offer to be looked through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from styleengine.networks.base import Network

Renew = Callable[["Tensor", int], "Tensor"]
"""Brings the margin of a map (1, C, h, w) at a stride up to date."""
Wrap = tuple[bool, bool]
"""Whether a picture closes along its vertical axis (top meets bottom), and its horizontal one."""
OPEN: Wrap = (False, False)
TV = "tv"
"""The name of the total variation in an extractor's balance."""


@dataclass(frozen=True)
class Geometry:
    """Where a layer's positions lie on the picture: how it shrinks, and how far it looks.

    Along either axis, position i sees the pixels from ``stride · i - radius`` to
    ``stride · (i + 1) - 1 + radius``; the layer has as many positions as whole strides fit in.
    """

    stride: int
    radius: int

    @property
    def margin(self) -> int:
        """Pixels around a region that its gradient depends on, through this layer.

        A position that sees a pixel of the region starts less than ``radius`` away from it, and
        itself depends on what lies a ``radius`` beyond its own end.
        """
        start = (self.radius - 1) // self.stride * self.stride
        return start + self.stride + self.radius


class Extractor(Protocol):
    """What a loss looks at pictures through: a network in place, see `Network` for its parts."""

    units: Mapping[str, float]
    geometry: Mapping[str, Geometry]
    balance: Mapping[str, float]
    metrics: Mapping[str, Tensor]

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Features (1, C, h, w) of ``image`` (1, 3, H, W; sRGB-encoded, 0–1), by layer name."""
        ...

    def closed(self, wrap: Wrap) -> Extractor | None:
        """The same for whole pictures that close; None if the network cannot do that. Asked for
        only where a picture closes."""
        ...

    def inside(self) -> Extractor | None:
        """The same for parts of a picture that do not reach its border, whose outermost features
        nobody looks at: quicker. None if the network has nothing of the kind. Asked for only where
        there are such parts."""
        ...

    @property
    def between(self) -> int | None:
        """Pixels beside a part of a picture that are seen from one pooling to the next, at most;
        None for a network that cannot be `renewing`."""
        ...

    def renewing(self, renew: Renew) -> Extractor:
        """The same for a part of a picture with a margin of `between` pixels or more, rounded up
        to whole strides, which ``renew`` brings up to date after every pooling."""
        ...


@dataclass(frozen=True)
class ExtractorRequest:
    """What the engine asks of an extractor's factory: the layers, and how they are to be computed.

    ``pooling`` is "max" or "average"; ``weights`` names a weight file, if the user named one;
    ``features`` is the extractor's name.
    """

    layers: tuple[str, ...]
    pooling: str
    weights: str | None
    features: str


@dataclass(frozen=True)
class ExtractorEntry:
    """A registered feature extractor and the layers a recipe reads from it."""

    factory: Callable[[ExtractorRequest], Network]
    style_layers: tuple[str, ...]
    content_layer: str
    label: str
