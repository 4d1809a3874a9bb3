"""The networks in place, kept from run to run."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch

from styleengine.machine import allocator
from styleengine.machine.failures import bad_plugin
from styleengine.networks.base import Network
from styleengine.networks.extractor import ExtractorEntry, ExtractorRequest
from styleengine.networks.precision import choose_precision, seconds_per_pixel
from styleengine.networks.trunk import Precision, Trunk
from styleengine.protocol import Sentence

MOST = 2
"""Networks kept: one and the draft are enough memory."""


@dataclass(frozen=True)
class Shelved:
    """A network in place; ``source`` says what it is for people.

    ``rate`` is how many seconds a pixel of a step takes with all of it, None if it is not known.
    """

    trunk: Trunk
    source: str
    rate: float | None


_Wanted = tuple[ExtractorRequest, torch.device, Precision | None]


class Shelf:
    """Holds the networks used last."""

    def __init__(self) -> None:
        self._kept: dict[_Wanted, Shelved] = {}

    def take(
        self,
        entry: ExtractorEntry,
        request: ExtractorRequest,
        device: torch.device,
        precision: Precision | None = None,
    ) -> Shelved:
        """The network of ``entry`` on ``device``, loaded unless it is there.

        ``precision`` is the one it must have, None for the fastest right one. Raises `EngineError`,
        also for what goes wrong in a plug-in.
        """
        key = (request, device, precision)
        found = self._kept.pop(key, None)
        if found is None:
            while len(self._kept) >= MOST:
                self._kept.pop(next(iter(self._kept)))
            found = load(entry, request, device, precision)
        self._kept[key] = found
        return found


def load(
    entry: ExtractorEntry,
    request: ExtractorRequest,
    device: torch.device,
    precision: Precision | None = None,
) -> Shelved:
    """The network of ``entry`` on ``device``, in that precision or in the fastest right one."""
    net = build(entry, request)
    source, kind = net.source or entry.label, net.kind or type(net).__name__

    def make() -> Network:
        try:
            return copy.deepcopy(net)
        except (RuntimeError, TypeError):  # what a plug-in's network holds need not be copied
            return build(entry, request)

    precision = precision or choose_precision(make, device, kind)
    allocator.give_back()
    trunk = Trunk(net, device, precision)
    return Shelved(trunk, source, seconds_per_pixel(device, kind, precision))


def build(entry: ExtractorEntry, request: ExtractorRequest) -> Network:
    """The network of an extractor; what goes wrong in a plug-in becomes an `EngineError`."""
    try:
        net = entry.factory(request)
        if not isinstance(net, Network):
            raise TypeError(f"{type(net).__name__} is no styleengine.Network")
        return net
    except Exception as error:
        raise bad_plugin(Sentence("feature extractor"), request.features, error) from error
