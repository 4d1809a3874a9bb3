"""What a session is asked for: quick previews, and paintings. Knows nothing of GIMP or GTK."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from engine.events import PictureSoFar
from engine.job import Canvas
from engine.request import Request
from protocol import EngineError

GivenUp = Callable[[Optional[EngineError]], None]


@dataclass(frozen=True, eq=False)
class Work:
    """A job to come, and what becomes of it: it ends with `done` or with `given_up`, once.

    ``request`` is called when it starts, because by then the layer may have changed. When ``done``
    is called the canvas holds the result; it is given the engine's account of it. ``given_up`` is
    given what went wrong, None if it was to end.
    """

    request: Callable[[], Request] = field(repr=False)
    canvas: Canvas = field(repr=False)
    so_far: Callable[[PictureSoFar], None] = field(repr=False)
    done: Callable[[dict[str, Any]], None] = field(repr=False)
    given_up: GivenUp = field(repr=False)


@dataclass(frozen=True, eq=False)
class QuickPreview(Work):
    """A small picture that predicts a painting. It gives way to whatever is asked for next."""


@dataclass(frozen=True, eq=False)
class Idle(QuickPreview):
    """Something for which nobody waits: it is done when there is nothing else to do, and nobody is
    told when it comes to nothing.
    """


@dataclass(frozen=True, eq=False)
class Sample(Idle):
    """A small picture of the photo in another style."""


@dataclass(frozen=True, eq=False)
class Ready(Idle):
    """Has what the spots of a picture ask for made before the first one is looked at."""


@dataclass(frozen=True, eq=False)
class Spot(QuickPreview):
    """A spot as the painting will have it, after its quick preview. It gives way likewise."""


@dataclass(frozen=True, eq=False)
class Painting(Work):
    """The real thing: it ends early only if the user says so.

    ``prepare`` is done before, in small steps, while the engine may still be busy. One that
    ``goes_on`` begins with what a quick preview has; if that one is not finished, it is ended for
    this with the picture so far, and told that it is done.
    """

    prepare: Iterator[None] = field(default_factory=lambda: iter(()), repr=False)
    goes_on: bool = False
