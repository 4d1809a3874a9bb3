"""What is going on between the dialog and its engine, and who is told of it."""

from __future__ import annotations

import enum
from typing import Protocol

from protocol import EngineError


class Phase(enum.Enum):
    """What is going on, as far as the user is concerned."""

    STARTING = "starting"
    READY = "ready"
    PREVIEWING = "previewing"
    PAINTING = "painting"
    KEEPING = "keeping"
    CANCELLING = "cancelling"
    BROKEN = "broken"
    CLOSED = "closed"


class Listener(Protocol):
    """Who wants to know. Both are called from `Session.tick` or from the call that asked."""

    def session_changed(self) -> None:
        """The phase or the progress is another one."""

    def session_failed(self, problem: EngineError) -> None:
        """A work, or the engine itself, has come to nothing."""
