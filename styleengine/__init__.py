"""Neural style transfer by optimisation, as a library, a command and an engine for GIMP.

Importing this package is cheap: torch is loaded only when `Engine` is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from styleengine.protocol import EngineError, Progress, Settings

if TYPE_CHECKING:
    from styleengine.engine import Engine
    from styleengine.jobs import Job, Preview, Result, Style

__version__ = "0.2.0"
__all__ = [
    "Engine",
    "EngineError",
    "Job",
    "Preview",
    "Progress",
    "Result",
    "Settings",
    "Style",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name == "Engine":
        from styleengine.engine import Engine

        return Engine
    if name in {"Job", "Preview", "Result", "Style"}:
        from styleengine import jobs

        return getattr(jobs, name)
    raise AttributeError(f"module 'styleengine' has no attribute {name!r}")
