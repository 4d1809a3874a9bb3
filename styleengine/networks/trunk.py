"""A network in a given precision, and how many numbers it holds."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from styleengine.networks.base import Network
from styleengine.networks.extractor import OPEN, Renew, Wrap


@dataclass(frozen=True)
class Precision:
    """Number format and memory layout of the trunk, and whether its convolutions multiply less
    (`winograd`) or multiply whole numbers (`integers`); everything else stays float32."""

    dtype: torch.dtype = torch.float32
    channels_last: bool = False
    winograd: bool = False
    integers: bool = False

    @property
    def name(self) -> str:
        """For people: "bfloat16 channels-last"."""
        layout = " channels-last" if self.channels_last else ""
        way = " Winograd" if self.winograd else " integers" if self.integers else ""
        return str(self.dtype).removeprefix("torch.") + layout + way


PLAIN = Precision()
CPU = torch.device("cpu")


class Trunk:
    """A network in a given precision; itself an `Extractor`."""

    def __init__(self, net: Network, device: torch.device, precision: Precision) -> None:
        self.precision, self._net = precision, net
        self._format = torch.channels_last if precision.channels_last else torch.contiguous_format
        net.to(device=device, dtype=precision.dtype)
        net.to(memory_format=self._format)  # type: ignore[call-overload]
        if precision.winograd:
            net.use_winograd()
        if precision.integers:
            net.use_integers()
        self.units, self.balance, self.geometry = net.units, net.balance, net.geometry
        self.metrics: Mapping[str, Tensor] = {n: m.to(device) for n, m in net.metrics.items()}
        self.tolerance = net.integer_tolerance if precision.integers else net.tolerance
        self.values = net.values
        self._layers: tuple[str, ...] | None = None
        self._wrap = OPEN

    def only(self, layers: Sequence[str]) -> Trunk:
        """The same network, computed no further than the last of ``layers`` if it can do that."""
        cut = copy.copy(self)
        cut._layers, cut._net = tuple(layers), self._net.afresh()
        return cut

    def closed(self, wrap: Wrap) -> Trunk | None:
        """The same for whole pictures that close along the axes of ``wrap``; None if the network
        cannot do that."""
        if not self._net.closes:
            return None
        closed = copy.copy(self)
        closed._wrap = wrap
        return closed

    def inside(self) -> Trunk | None:
        """The same for parts of a picture that do not reach its border."""
        net = self._net.inside()
        if net is None:
            return None
        inside = copy.copy(self)
        inside._net = net
        return inside

    @property
    def between(self) -> int | None:
        """As in `Network`, of the layers that are asked for."""
        return self._net.between(tuple(self.geometry) if self._layers is None else self._layers)

    def renewing(self, renew: Renew) -> Trunk:
        """As in `Network`."""
        renewing = copy.copy(self)
        renewing._net = self._net.renewing(renew)
        return renewing

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Features of ``image``, in the trunk's dtype."""
        x = image.to(self.precision.dtype).contiguous(memory_format=self._format)
        found: dict[str, Tensor]
        if any(self._wrap):
            layers = tuple(self.geometry) if self._layers is None else self._layers
            found = self._net.some(x, layers, self._wrap)  # type: ignore[call-arg]
        else:
            found = self._net(x) if self._layers is None else self._net.some(x, self._layers)
        return found
