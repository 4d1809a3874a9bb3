"""A network in a given precision, and how many numbers it holds."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from styleengine.networks.extractor import Geometry

GRADIENT_TOLERANCE = 0.05
"""Largest relative error of a candidate's picture gradient against plain float32."""


@dataclass(frozen=True)
class Precision:
    """Number format and memory layout of the trunk, and whether its convolutions multiply less
    (`winograd`); everything else stays float32."""

    dtype: torch.dtype = torch.float32
    channels_last: bool = False
    winograd: bool = False

    @property
    def name(self) -> str:
        """For people: "bfloat16 channels-last"."""
        layout = " channels-last" if self.channels_last else ""
        way = " Winograd" if self.winograd else ""
        return str(self.dtype).removeprefix("torch.") + layout + way


PLAIN = Precision()


class Trunk:
    """An extractor's network in a given precision; itself an `Extractor`.

    ``values`` is how many numbers a step holds per pixel. A network tells that, and the
    ``tolerance`` of its gradient, by attributes of these names, if it is not like VGG19; with a
    method ``use_winograd`` it can do that to its convolutions.
    """

    def __init__(self, net: nn.Module, device: torch.device, precision: Precision) -> None:
        self.precision = precision
        self._format = torch.channels_last if precision.channels_last else torch.contiguous_format
        net = net.to(device=device, dtype=precision.dtype)
        self._net = net.to(memory_format=self._format)  # type: ignore[call-overload]
        if precision.winograd:
            net.use_winograd()  # type: ignore[operator]
        self.balance: dict[str, float] = dict(getattr(net, "balance", {}))
        self.units: dict[str, float] = dict(net.units)  # type: ignore[arg-type]
        metrics: Mapping[str, Tensor] = getattr(net, "metrics", {})
        self.metrics = {n: m.to(device) for n, m in metrics.items()}
        self.geometry: dict[str, Geometry] = dict(getattr(net, "geometry", {}))
        self.tolerance = float(getattr(net, "tolerance", GRADIENT_TOLERANCE))
        self.values = int(getattr(net, "values", NETWORK_VALUES))
        self._look: Callable[[Tensor], dict[str, Tensor]] = net

    def only(self, layers: Sequence[str]) -> Trunk:
        """The same network, computed no further than the last of ``layers`` if it can do that."""
        some = getattr(self._net, "some", None)
        if some is None:
            return self
        cut = copy.copy(self)
        cut._look = partial(some, layers=tuple(layers))
        return cut

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Features of ``image``, in the trunk's dtype."""
        x = image.to(self.precision.dtype).contiguous(memory_format=self._format)
        return self._look(x)


NETWORK_VALUES = 980
"""Numbers that a step of VGG19 holds per pixel it looks at, in the network's dtype: maps, their
gradients and the library's working space. A network may tell its own, see `devices.Trunk`."""
