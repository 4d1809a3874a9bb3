"""What a network must offer to be looked through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

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
    """What the engine needs of a network that looks at pictures.

    ``units`` gives, per layer name, the size of a typical activation; losses divide by it, so that
    one recipe serves networks of any scale. ``balance`` may change the recipe's weights.
    ``geometry`` lets a picture be looked at in tiles; empty for a network that cannot.
    """

    @property
    def geometry(self) -> Mapping[str, Geometry]:
        """Stride and reach by layer name."""
        ...

    @property
    def balance(self) -> Mapping[str, float]:
        """Factors on a recipe's weights by layer name, and by `TV`; 1 for what is not named."""
        ...

    @property
    def units(self) -> Mapping[str, float]:
        """Typical activations by layer name."""
        ...

    @property
    def metrics(self) -> Mapping[str, Tensor]:
        """By layer name, a matrix (D, C) that the features' statistics are compared after."""
        ...

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Features (1, C, h, w) of ``image`` (1, 3, H, W; sRGB-encoded, 0–1), by layer name."""
        ...


@dataclass(frozen=True)
class ExtractorRequest:
    """What the engine asks of an extractor factory."""

    layers: tuple[str, ...]
    pooling: str
    weights: str | None
    seed: int
    features: str


@dataclass(frozen=True)
class ExtractorEntry:
    """A registered feature extractor and the layers a recipe reads from it."""

    factory: Callable[[ExtractorRequest], Any]
    style_layers: tuple[str, ...]
    content_layer: str
    label: str
