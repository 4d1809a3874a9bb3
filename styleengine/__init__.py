"""Neural style transfer by optimisation, as a library, a command and an engine for GIMP.

What others may rely on is named here; everything below is private and may move. Importing this
package is cheap: torch is loaded only when something that needs it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from styleengine.protocol import EngineError, Progress, Settings

if TYPE_CHECKING:
    from styleengine.engine import Engine
    from styleengine.jobs import Event, Job, Preview, Result, Style
    from styleengine.loss.moments import Moments
    from styleengine.loss.style_losses import GramLoss, MomentsLoss, StyleLoss
    from styleengine.networks.base import Network
    from styleengine.networks.extractor import ExtractorRequest, Geometry
    from styleengine.pictures.files import load, save
    from styleengine.pictures.picture import Picture
    from styleengine.plugins.hookspecs import hookimpl

__version__ = "0.2.0"
__all__ = [
    "Engine",
    "EngineError",
    "Event",
    "ExtractorRequest",
    "Geometry",
    "GramLoss",
    "Job",
    "Moments",
    "MomentsLoss",
    "Network",
    "Picture",
    "Preview",
    "Progress",
    "Result",
    "Settings",
    "Style",
    "StyleLoss",
    "__version__",
    "hookimpl",
    "load",
    "save",
]
_PLACES = {
    "engine": ("Engine",),
    "jobs": ("Event", "Job", "Preview", "Result", "Style"),
    "loss.moments": ("Moments",),
    "loss.style_losses": ("GramLoss", "MomentsLoss", "StyleLoss"),
    "networks.base": ("Network",),
    "networks.extractor": ("ExtractorRequest", "Geometry"),
    "pictures.files": ("load", "save"),
    "pictures.picture": ("Picture",),
    "plugins.hookspecs": ("hookimpl",),
}


def __getattr__(name: str) -> Any:
    for place, names in _PLACES.items():
        if name in names:
            return getattr(import_module(f"styleengine.{place}"), name)
    raise AttributeError(f"module 'styleengine' has no attribute {name!r}")
