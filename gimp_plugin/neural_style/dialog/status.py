"""What the bar of the dialog says. Knows nothing of GTK."""

from __future__ import annotations

from typing import Any

from engine.phase import Phase
from engine.session import Session
from engine.wording import duration
from language.texts import MOST_NAME, _, shown
from protocol import Progress, sentence_at


def in_words(
    session: Session, styles: bool, device: str, outcome: str = ""
) -> tuple[float | None, str]:
    """How much is done (None while nobody knows), and what is going on, or what came of it."""
    phase, progress = session.phase, session.progress
    if phase is Phase.STARTING:
        return None, _("The engine is starting …")
    if phase is Phase.READY:
        return 0.0, outcome or (_("Ready") if styles else _("Choose a style"))
    if phase is Phase.BROKEN:
        return 0.0, _("The engine has stopped")
    if phase is Phase.PREVIEWING:
        what = _("Painting what you look at") if session.is_looking else _("Quick preview")
        parts = [what, *_time_left(progress)]
        return (progress.fraction if progress else 0.0), " · ".join(parts)
    if phase is Phase.KEEPING:
        return None, _("Stopping, and keeping the picture …")
    if phase is Phase.CANCELLING:
        return None, _("Cancelling …")
    if session.is_receiving:
        return 1.0, _("Fetching the picture")
    if progress is None:
        return None, _("Sending the picture to the engine")
    return min(1.0, progress.fraction), " · ".join(_parts(progress, session.ready, device))


def _time_left(progress: Progress | None) -> list[str]:
    if progress is None or progress.eta_s is None:
        return []
    return [_("{time} left").format(time=duration(progress.eta_s))]


def _parts(progress: Progress, ready: dict[str, Any], device: str) -> list[str]:
    stages = {"prepare": _("Preparing"), "finish": _("Finishing")}
    words = stages.get(progress.stage, "")
    if not words:
        words = _("Painting")
        if progress.scales > 1:
            words += " " + _("(size {scale} of {scales})").format(
                scale=progress.scale, scales=progress.scales
            )
    parts = [words]
    if progress.width and progress.height:
        parts.append(f"{progress.width} × {progress.height} px")
    parts += _time_left(progress)
    devices = ready.get("devices")
    if isinstance(devices, dict) and devices:
        name = device if device in devices else next(iter(devices))
        parts.append(shown(sentence_at(ready, "devices", name).said(_), MOST_NAME))
    if progress.memory:
        parts.append(_("{n} GB of memory").format(n=f"{progress.memory / 1e9:.1f}"))
    return parts
