"""The results of the layers to paint, for another look and for a second insertion."""

from __future__ import annotations

from dialog.entries import Entry
from widgets.history_bar import HistoryBar, Thumbnail

MOST = 8
MOST_PX = 200_000_000


class History:
    """The last results, newest first. The oldest make room when there are many or large ones."""

    def __init__(self, bar: HistoryBar) -> None:
        self._bar = bar
        self.entries: list[Entry] = []
        self.seen: Entry | None = None
        """The one that is shown."""
        self.compared: Entry | None = None
        """The one that is shown in place of the original."""

    def add(self, entry: Entry) -> list[Entry]:
        """Puts a result in front, which is to be shown; returns those that have made room, which
        are discarded."""
        self.entries.insert(0, entry)
        gone = []
        while len(self.entries) > MOST or (
            len(self.entries) > 1 and sum(e.pixels for e in self.entries) > MOST_PX
        ):
            gone.append(self.entries[-1])
            self.forget(gone[-1])
        return gone

    def add_earlier(self, entry: Entry) -> None:
        """Puts a result of an earlier dialog behind the others, if there is room."""
        if len(self.entries) < MOST:
            self.entries.append(entry)
            self.show()

    def forget(self, entry: Entry) -> None:
        """Drops a result."""
        self.entries = [each for each in self.entries if each is not entry]
        self.seen = None if self.seen is entry else self.seen
        self.compared = None if self.compared is entry else self.compared
        entry.discard()
        self.show()

    def close(self) -> None:
        """Lets go of everything."""
        for entry in self.entries:
            entry.discard()
        self.entries.clear()

    def show(self) -> None:
        """Shows how it is now."""
        self._bar.show_entries(
            [
                Thumbnail(e, e.picture, e.name, e.is_whole, e is self.seen, e is self.compared)
                for e in self.entries
            ]
        )
