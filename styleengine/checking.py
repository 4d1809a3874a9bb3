"""What is asked of a job before anything is painted."""

from __future__ import annotations

from styleengine.protocol import Settings


def postprocessors(settings: Settings) -> list[str]:
    """The names in ``settings.postprocess``."""
    return [n.strip() for n in settings.postprocess.split(",") if n.strip()]
