"""What came of a painting, in words. Knows nothing of GTK."""

from __future__ import annotations

from typing import Any

from engine.wording import duration
from language.texts import MOST_NAME, _, shown

MOST = 1_000_000


def reached(info: dict[str, Any]) -> tuple[int, int] | None:
    """The width and height at which a painting was stopped, by the engine's account of it: 0, 0 if
    that does not tell; None if it was finished.
    """
    if info.get("stopped") is not True:
        return None
    size = info.get("reached")
    if not isinstance(size, list) or len(size) != 2 or not all(type(n) is int for n in size):
        return 0, 0
    return (size[0], size[1]) if 0 < size[0] < MOST and 0 < size[1] < MOST else (0, 0)


def stopped_at(size: tuple[int, int] | None) -> str:
    """What the name of a layer says about that; empty if it was finished."""
    if size is None:
        return ""
    return _("stopped at {n} px").format(n=max(size)) if max(size) else _("stopped early")


def in_short(layer: str, count: int, seconds: float, stopped: tuple[int, int] | None) -> str:
    """That ``count`` layers were added, the last one called ``layer``, and how long it took."""
    name, time = shown(layer, MOST_NAME), duration(seconds)
    if count > 1:
        return _("Added {n} layers in {time}, the last one as “{layer}”").format(
            n=count, time=time, layer=name
        )
    if stopped and max(stopped):
        size = "{} × {}".format(*stopped)
        return _("Stopped at {size} px, added as layer “{layer}” in {time}").format(
            size=size, layer=name, time=time
        )
    return _("Added as layer “{layer}” in {time}").format(layer=name, time=time)
