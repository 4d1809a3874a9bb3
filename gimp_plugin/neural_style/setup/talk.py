"""How the set-up speaks with whoever waits for it: a window, a terminal, a script."""

from __future__ import annotations

from dataclasses import dataclass


class Stopped(Exception):
    """The user has stopped the set-up. What is there is used when it goes on."""


@dataclass(frozen=True)
class Step:
    """How far it is. ``done`` of ``total`` are bytes of this stage, 0 where nobody knows;
    ``fraction`` is the part of the whole, 0–1; ``seconds_left`` None until it can be told.
    """

    stage: str
    done: int = 0
    total: int = 0
    fraction: float = 0.0
    seconds_left: float | None = None


class Talk:
    """Called from the thread of the set-up. By itself it says nothing and takes every default."""

    def say(self, text: str) -> None:
        """One line for the user."""

    def step(self, step: Step) -> None:
        """It has come so far."""

    def ask(self, question: str, default: bool) -> bool:
        """The user's answer to a question."""
        return default

    def stopped(self) -> bool:
        """Whether the user wants it to end now."""
        return False

    def check(self) -> None:
        """Raises `Stopped` if the user wants it to end."""
        if self.stopped():
            raise Stopped
