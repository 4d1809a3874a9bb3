"""The base class of networks that look at pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from styleengine.networks.extractor import Geometry, Renew

GRADIENT_TOLERANCE = 0.05
"""Largest relative error of a candidate's picture gradient against plain float32."""
INTEGER_TOLERANCE = 0.25
"""The same for convolutions of whole numbers, whose errors are nearly as good as chance: pictures
painted with 20 to 30 % of it have the scores of others."""
NETWORK_VALUES = 980
"""Numbers that a step of VGG19 holds per pixel it looks at, in the network's dtype: maps, their
gradients and the library's working space."""


class Network(nn.Module):
    """A network that losses look through; an extractor's factory makes one.

    A subclass has a ``forward`` that takes pictures (1, 3, H, W; sRGB-encoded RGB, 0–1) and returns
    a dict from each layer asked for to its features (1, C, h, w), and sets ``units``. Everything
    else may be left as it is here.
    """

    units: Mapping[str, float]
    """The size of a typical activation by layer name; losses divide by it."""
    geometry: Mapping[str, Geometry] = {}
    """Stride and reach by layer name; with them, pictures of any size are looked at in tiles."""
    balance: Mapping[str, float] = {}
    """Factors on a recipe's weights by layer name, and by `TV`; 1 for what is not named."""
    metrics: Mapping[str, Tensor] = {}
    """By layer name, a matrix (D, C) that multiplies the features before they are compared."""
    source = ""
    """What it is, for people; empty for the label it was registered with."""
    kind = ""
    """What the probe's choice of precision is remembered for; empty for the name of the class."""
    tolerance = GRADIENT_TOLERANCE
    """Largest relative error of the gradient that a faster precision may have."""
    integer_tolerance = INTEGER_TOLERANCE
    """The same for whole numbers."""
    values = NETWORK_VALUES
    """Numbers that a step holds per pixel."""
    closes = False
    """Whether `some` takes a third argument, `Wrap`, along whose axes what lies beyond an end is
    what lies at the other. Without, a picture that closes is looked at with a margin."""
    has_winograd = False
    """Whether `use_winograd` does something."""

    def some(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Features at some of the layers at least, computed no further than needed."""
        found: dict[str, Tensor] = self(image)
        return found

    def use_winograd(self) -> None:
        """From now on computes convolutions with fewer products, with the present weights."""

    has_integers = False
    """Whether `use_integers` does something."""

    def use_integers(self) -> None:
        """From now on computes convolutions in whole numbers, with the present weights."""

    def inside(self) -> Network | None:
        """The same network for parts of pictures, at whose outermost features nobody looks, if
        that is quicker."""
        return None

    def between(self, layers: Sequence[str]) -> int | None:
        """How many pixels beside a part of a picture features see from one pooling to the next, at
        most, up to the last of ``layers``; None if it cannot be `renewing`."""
        return None

    def renewing(self, renew: Renew) -> Network:
        """The same network for parts of a picture, the margin of whose maps ``renew`` brings up to
        date after every pooling. Asked for only where it knows how far it sees `between` them."""
        raise NotImplementedError

    def afresh(self) -> Network:
        """The same network, without a memory of what it has seen."""
        return self
