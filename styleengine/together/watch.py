"""Joining torchrun's other processes, and not outliving them.

A process whose partner was killed learns that from its connection; one whose partner's computer has
gone, or stands still, would wait for hours. So all say every second, in torchrun's own store, that
they are alive, and the first looks at all others, these at the first. Whoever notices says one
sentence, and all end.
"""

from __future__ import annotations

import _thread
import contextlib
import datetime
import os
import platform
import signal
import sys
import threading
import time
from itertools import count
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from styleengine.together.group import Group
from styleengine.together.ranks import ENDING, Ranks, losses, lost

BEAT_S = 1.0
SILENCE_S = 15.0
"""Silence after which a process is taken for lost."""
GRACE_S = 5.0
"""How long the work at hand may take to end by itself, once a process is lost."""
THERE = datetime.timedelta(minutes=1)
"""How long torchrun's store is looked for, which is there before its processes are."""
COMING = datetime.timedelta(minutes=30)
"""How long one of them may take to come."""
PATIENCE = datetime.timedelta(days=7)
"""How long a message is waited for: the first process may paint alone for hours, and is alive."""
FAILED = 1
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_TOLD = "told"
_COMPUTER = platform.node()


def meeting_place() -> tuple[Any, int, int]:
    """The store of torchrun, the rank of this process, and how many there are."""
    with losses():
        store, rank, size = next(iter(rendezvous("env://", timeout=THERE)))
        store.set_timeout(COMING)
    return store, rank, size


def joined() -> Ranks:
    """The group of all processes that torchrun started, watched from now on.

    Tensors travel by NCCL where every process on a computer has a card of its own, else by gloo.
    """
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    place = int(os.environ.get("LOCAL_RANK", "0"))
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    direct = cards >= here and dist.is_nccl_available()
    if cards:
        torch.cuda.set_device(place % cards)
    store, rank, size = meeting_place()
    backend = "cpu:gloo,cuda:nccl" if direct else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    group = Ranks(here, place, direct)
    group.watch = Watch(store.clone(), group)
    return group


class Apart(Group):
    """The processes that torchrun started, each with work of its own; they share a ``store``.

    One that has not come yet is not missed.
    """

    def __init__(self, store: Any, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.place = int(os.environ.get("LOCAL_RANK", "0"))
        self.watch = Watch(store.clone(), self, met=False)

    def tells(self) -> bool:
        """By a counter in the store."""
        return self.watch.tells()

    def leave(self) -> None:
        """Is no longer watched."""
        self.watch.part()


class Watch:
    """Says that this process of a group is alive, and ends it when another one is not.

    ``met`` tells that all have been alive before.
    """

    def __init__(self, store: Any, group: Group, met: bool = True) -> None:
        self._store, self._group, self._met = store, group, met
        self._lock = threading.Lock()  # the store's answers belong to their questions
        self._parted = threading.Event()
        self._others = range(1, group.size) if group.rank == 0 else range(1)
        self._seen: dict[int, tuple[bytes, float]] = {}
        self._before = signal.signal(signal.SIGTERM, _ended) or signal.SIG_DFL
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def part(self) -> None:
        """From now on the others may end when they like, and this process when it is told to."""
        self._parted.set()
        signal.signal(signal.SIGTERM, self._before)

    def tells(self) -> bool:
        """Whether nobody has told yet that the group has failed."""
        try:
            with self._lock:
                return int(self._store.add(_TOLD, 1)) == 1
        except RuntimeError:  # torchrun itself has gone, with what they share on this computer
            return self._group.place == 0

    def _run(self) -> None:
        for beats in count(1):  # at once: whoever has come is missed from then on
            try:
                with self._lock:
                    alive = self._beat(beats)
            except RuntimeError:
                alive = False
            if not alive and not self._parted.is_set():
                self._end()
            if self._parted.wait(BEAT_S):
                return

    def _beat(self, beats: int) -> bool:
        """Whether all others that are looked at are alive, and nobody has told otherwise."""
        group, now = self._group, time.monotonic()
        stopping = group.runs if group.stopping else 0
        self._store.set(f"alive/{group.rank}", f"{beats} {stopping} {os.getpid()} {_COMPUTER}")
        for other in self._others:
            key = f"alive/{other}"
            value = self._store.get(key) if self._store.check([key]) else b""
            if not value and not self._met:
                continue
            if self._seen.get(other, (None, now))[0] != value:
                self._seen[other] = value, now
            # A run that the first wants stopped need not be worked on to the end of the step.
            if group.rank and value and int(value.split()[1]) == group.runs > 0:
                group.stopping = True
        silent = any(now - since > SILENCE_S for _, since in self._seen.values())
        return not silent and not self._store.check([_TOLD])

    def _end(self) -> None:
        """Ends the main thread's work in good order, or if it will not end, the process."""
        self._end_silent()
        _thread.interrupt_main(signal.SIGTERM)
        if self._parted.wait(GRACE_S):
            return
        if self.tells():
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sys.stderr.write(f"Error: {lost().message}\n{lost().hint}\n")
                sys.stderr.flush()
        os._exit(FAILED)

    def _end_silent(self) -> None:
        """Kills what stands still on this computer: torchrun would ask it to end, and wait."""
        for value, since in self._seen.values():
            _, _, process, computer = value.decode().split(" ", 3) if value else ("", "", "", "")
            if computer == _COMPUTER and time.monotonic() - since > SILENCE_S:
                with contextlib.suppress(OSError):
                    os.kill(int(process), KILL)


def _ended(number: int, frame: FrameType | None) -> None:
    """Ends the main thread's work, once: a second time would cut off the sentence itself."""
    if not ENDING.is_set():
        ENDING.set()
        raise lost()
