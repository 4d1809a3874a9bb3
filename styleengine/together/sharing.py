"""Sharing out things that need nothing of each other, as many photos are, among processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from styleengine.together.launch import is_several

T = TypeVar("T")
CHECK_S = 0.5


class SharingOut(Generic[T]):
    """Gives every one of ``things`` to one of torchrun's processes, the next to whoever is free.

    All processes must have the same things. Without torchrun this process gets them all.
    """

    def __init__(self, things: Sequence[T]) -> None:
        self._things = things
        self._store: Any = None
        if is_several():
            from torch.distributed.rendezvous import rendezvous

            self._store, _, _ = next(iter(rendezvous("env://")))

    def __iter__(self) -> Iterator[T]:
        if self._store is None:
            yield from self._things
            return
        while (number := int(self._store.add("next", 1)) - 1) < len(self._things):
            yield self._things[number]

    def wait(self) -> None:
        """Waits until all are done: torchrun ends the others where one ends with an error."""
        if self._store is not None:
            size, done = int(os.environ["WORLD_SIZE"]), int(self._store.add("done", 1))
            while done < size:
                time.sleep(CHECK_S)
                done = int(self._store.add("done", 0))
