"""The set-up's conversation with a user at a terminal."""

from __future__ import annotations

import sys

import plugin_path  # noqa: F401
from setup.talk import Step, Talk

CLEAR = "\r" + " " * 78 + "\r"


class Terminal(Talk):
    """Lines as they come; on a real terminal also how far the present stage is."""

    def __init__(self) -> None:
        self._shown = ""

    def say(self, text: str) -> None:
        """One line."""
        self._clear()
        print(text, flush=True)

    def step(self, step: Step) -> None:
        """Overwrites the last line."""
        if not sys.stdout.isatty():
            return
        text = f"  {step.stage}: {step.done / 1e6:.0f} of {step.total / 1e6:.0f} MB"
        if step.seconds_left is not None:
            text += f", {step.seconds_left / 60:.0f} min left"
        if text != self._shown:
            self._clear()
            print(text[:78], end="", flush=True)
            self._shown = text

    def _clear(self) -> None:
        if self._shown:
            print(CLEAR, end="")
            self._shown = ""

    def ask(self, question: str, default: bool) -> bool:
        """The user's answer; no, where there is nobody to ask."""
        self._clear()
        return yes_or_no(question, default)


def yes_or_no(question: str, default: bool) -> bool:
    """The user's answer; no, where there is nobody to ask."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        answer = input(f"{question} [{'Y/n' if default else 'y/N'}] ").strip().lower()
    except EOFError:
        return False
    return answer.startswith("y") if answer else default
