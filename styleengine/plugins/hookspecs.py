"""The hooks a third-party package may implement; the built-ins are registered through the same.

A package declares an entry point in the group ``styleengine`` that names a module (or object) with
functions marked ``@styleengine.hookimpl``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import pluggy

if TYPE_CHECKING:
    import numpy as np

    from styleengine.jobs import Event, Job
    from styleengine.loss.style_losses import StyleLoss
    from styleengine.networks.base import Network
    from styleengine.networks.extractor import ExtractorRequest

hookspec = pluggy.HookspecMarker("styleengine")
hookimpl = pluggy.HookimplMarker("styleengine")


class RegisterStyleLoss(Protocol):
    """``register(name, factory, label)``: ``factory()`` makes a `StyleLoss`."""

    def __call__(self, name: str, factory: Callable[[], StyleLoss], label: str) -> None:
        """Adds one style loss."""


class RegisterExtractor(Protocol):
    """``register(name, factory, style_layers, content_layer, label)``.

    ``factory(request)`` makes a `Network` whose ``forward`` returns a dict from each of
    ``request.layers`` to its features.
    """

    def __call__(
        self,
        name: str,
        factory: Callable[[ExtractorRequest], Network],
        style_layers: tuple[str, ...],
        content_layer: str,
        label: str,
    ) -> None:
        """Adds one extractor."""


class RegisterPostprocessor(Protocol):
    """``register(name, function, label)``: ``function(result, content)`` returns the new result.

    All three are (H, W, 3) float32 arrays, sRGB-encoded, 0–1, at the content's full size.
    """

    def __call__(
        self, name: str, function: Callable[[np.ndarray, np.ndarray], np.ndarray], label: str
    ) -> None:
        """Adds one post-processor."""


@hookspec
def register_style_losses(register: RegisterStyleLoss) -> None:
    """Adds style losses, to be chosen with ``--style-loss NAME``."""


@hookspec
def register_extractors(register: RegisterExtractor) -> None:
    """Adds feature extractors, to be chosen with ``--features NAME``."""


@hookspec
def register_postprocessors(register: RegisterPostprocessor) -> None:
    """Adds post-processors, to be applied with ``--postprocess NAME,NAME``."""


@hookspec
def observe(job: Job, event: Event) -> None:
    """Called with every event of a run, in the engine's thread; must return quickly."""
