"""Progress in words."""

from __future__ import annotations

from language.engine_sentences import translated
from language.texts import _
from protocol import Progress


def describe(progress: Progress) -> str:
    """A progress message in words: what is being done, at which size, and how long it will take."""
    stages = {"prepare": _("preparing"), "finish": _("finishing")}
    words = stages.get(progress.stage, "")
    if not words:
        words = _("painting")
        if progress.scales > 1:
            words = _("painting, size {scale} of {scales}").format(
                scale=progress.scale, scales=progress.scales
            )
        if progress.width and progress.height:
            words += f" ({progress.width} × {progress.height} px)"
    if progress.eta_s is not None:
        words += ", " + _("{time} left").format(time=duration(progress.eta_s))
    if progress.features:
        words += f" · {translated(progress.features)}"
    return words


def duration(seconds: float) -> str:
    """A length of time for people: "45 s", "12 min", "1.5 h"."""
    if seconds < 90:
        return _("{n} s").format(n=f"{max(seconds, 0):.0f}")
    if seconds < 90 * 60:
        return _("{n} min").format(n=f"{seconds / 60:.0f}")
    return _("{n} h").format(n=f"{seconds / 3600:.1f}")
