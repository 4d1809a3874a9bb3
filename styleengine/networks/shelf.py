"""The networks in place, kept from run to run."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from styleengine.machine.failures import is_out_of_memory
from styleengine.networks.extractor import ExtractorEntry, ExtractorRequest
from styleengine.networks.trunk import Trunk
from styleengine.protocol import EngineError, Sentence


@dataclass(frozen=True)
class Network:
    """A network in place; ``source`` says what it is for people.

    ``rate`` is how many seconds a pixel of a step takes with all of it, None if it is not known.
    """

    trunk: Trunk
    source: str
    rate: float | None


def build(entry: ExtractorEntry, request: ExtractorRequest) -> torch.nn.Module:
    """The network of an extractor; what goes wrong in a plug-in becomes an `EngineError`."""
    try:
        net: torch.nn.Module = entry.factory(request)
        return net
    except Exception as error:
        raise bad_plugin(Sentence("feature extractor"), request.features, error) from error


def bad_plugin(kind: Sentence, name: str, error: Exception) -> Exception:
    """What to raise for an ``error`` that came out of something registered through the hooks."""
    if isinstance(error, EngineError) or is_out_of_memory(error):
        return error
    return EngineError(
        "bad-plugin",
        "The {kind} {name} failed: {reason}.",
        "Leave it out, and tell its author.",
        kind=kind,
        name=repr(name),
        reason=f"{type(error).__name__}: {error}",
    )
