"""Sharing out things that need nothing of each other, as many photos are, among processes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from styleengine.together.group import ALONE, Group
from styleengine.together.launch import is_several, work_apart

T = TypeVar("T")
CHECK_S = 0.2


class SharingOut(Generic[T]):
    """Gives every one of ``things`` to one of torchrun's processes, the next to whoever is free.

    All processes must have the same things. Without torchrun this process gets them all. Where
    another process has gone, `EngineError` ("lost-process") is raised, wherever this one is.
    """

    def __init__(self, things: Sequence[T]) -> None:
        self._things = things
        self._store: Any = None
        self._others: Group = ALONE
        if is_several():
            from styleengine.together.watch import Apart, meeting_place

            self._store, rank, size = meeting_place()
            self._others = Apart(self._store, rank, size)

    def __iter__(self) -> Iterator[T]:
        if self._store is None:
            yield from self._things
            return
        work_apart(self._others)
        while (number := self._counted("next", 1) - 1) < len(self._things):
            yield self._things[number]

    def give_up(self) -> None:
        """Nobody is given any more of the things; what is begun is ended."""
        self._counted("next", len(self._things))
        self._counted("first gave up", int(self._others.rank == 0))

    def first_gave_up(self) -> bool:
        """Whether the first of the processes did so, by the time that all are done."""
        return self._counted("first gave up", 0) > 0

    def total(self, count: int) -> int:
        """The sum of the ``count`` of each process; waits until all are done."""
        if self._store is None:
            return count
        self._counted("total", count)
        self._all("done")
        return self._counted("total", 0)

    def part(self, status: int) -> None:
        """Before this process ends with a ``status``: where that is an error it is to be the last,
        as torchrun ends the others then."""
        if self._store is None:
            return
        if status:
            self._all("ends")
        else:
            self._counted("ends", 1)
        self._others.leave()

    def _all(self, name: str) -> None:
        """Counts this process under a ``name``, and waits until all have."""
        count = self._counted(name, 1)
        while count < self._others.size:
            time.sleep(CHECK_S)
            count = self._counted(name, 0)

    def _counted(self, name: str, more: int) -> int:
        from styleengine.together.ranks import losses

        with losses():
            return int(self._store.add(name, more))
