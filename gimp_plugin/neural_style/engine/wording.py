"""Progress and problems in words."""

from __future__ import annotations

from typing import Any

from engine.events import is_number
from language.texts import MOST_NAME, _, shown
from protocol import EngineError, Progress, sentence_at

MOST_NOTES = 9


def explained(problem: EngineError) -> str:
    """What has happened and what to do about it, in the user's language, a line each."""
    sentences = (problem.sentence, problem.next_step)
    return "\n".join(shown(text) for text in (each.said(_) for each in sentences) if text)


def notes_of(info: dict[str, Any]) -> list[str]:
    """What the engine tells about a finished picture, in the user's language."""
    notes = info.get("notes")
    count = min(len(notes), MOST_NOTES) if isinstance(notes, list) else 0
    return [shown(sentence_at(info, "notes", n).said(_)) for n in range(count)]


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
        words += f" · {shown(_(progress.features), MOST_NAME)}"
    return words


def estimate_of(info: dict[str, Any]) -> str:
    """What a result says that the painting it is a preview of will take; empty if nothing."""
    told = info.get("estimate")
    if not isinstance(told, dict):
        return ""
    parts = []
    seconds: Any = told.get("seconds")
    memory: Any = told.get("memory")
    if is_number(seconds) and seconds >= 0:
        parts.append(_("about {time}").format(time=duration(seconds)))
    if is_number(memory) and memory >= 0:
        parts.append(_("{n} GB of memory").format(n=f"{memory / 1e9:.1f}"))
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """A length of time for people: "45 s", "12 min", "1.5 h"."""
    if seconds < 90:
        return _("{n} s").format(n=f"{max(seconds, 0):.0f}")
    if seconds < 90 * 60:
        return _("{n} min").format(n=f"{seconds / 60:.0f}")
    return _("{n} h").format(n=f"{seconds / 3600:.1f}")
