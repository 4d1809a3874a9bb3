"""The results of this dialog, for another look and for a second insertion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from choice.choice import Choice
from pixels.canvas import HiddenCanvas
from pixels.layers import Source
from widgets.history_bar import HistoryBar

MOST = 8
MOST_PX = 200_000_000


@dataclass(frozen=True)
class Entry:
    """A result: what it was made of, the full picture, and a small one."""

    source: Source
    canvas: HiddenCanvas
    choice: Choice
    picture: Any
    name: str

    @property
    def pixels(self) -> int:
        """How large the full picture is."""
        return self.source.seen.width * self.source.seen.height

    def discard(self) -> None:
        """Nothing of it is needed any more."""
        self.canvas.discard()
        self.source.close()


class History:
    """The last results, newest first. The oldest make room when there are many or large ones."""

    def __init__(self, bar: HistoryBar) -> None:
        self._bar = bar
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Puts a result in front."""
        self._entries.insert(0, entry)
        while len(self._entries) > MOST or (
            len(self._entries) > 1 and sum(e.pixels for e in self._entries) > MOST_PX
        ):
            self._entries.pop().discard()
        self._show()

    def forget(self, entry: Entry) -> None:
        """Drops a result."""
        self._entries = [each for each in self._entries if each is not entry]
        entry.discard()
        self._show()

    def close(self) -> None:
        """Drops everything."""
        for entry in self._entries:
            entry.discard()
        self._entries.clear()

    def _show(self) -> None:
        self._bar.show_entries([(e, e.picture, e.name) for e in self._entries])
