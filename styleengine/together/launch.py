"""Joining the processes that torchrun has started, if it was torchrun that started this one."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

from styleengine.machine.parent import LAUNCHED
from styleengine.protocol import EngineError
from styleengine.together.group import ALONE, Group

LOST = "lost-process"
_joined: list[Group] = []
_apart: list[Group] = []


def is_several() -> bool:
    """Whether torchrun has started this process as one of several."""
    return LAUNCHED in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_first() -> bool:
    """Whether this is the process that speaks for all."""
    return not is_several() or os.environ.get("RANK") == "0"


def join() -> Group:
    """Joins the others, and returns the group with them; `ALONE` where there are none."""
    if is_several() and not _joined:
        with _interruptible():
            from styleengine.together.watch import joined

            _joined.append(joined())
    return group()


def work_apart(others: Group) -> None:
    """From now on this process has work of its own beside ``others``, and tells what goes wrong."""
    _apart.append(others)


def tells(error: EngineError) -> bool:
    """Whether it is for this process to tell people of an error that ends it."""
    if _joined:
        return _joined[0].tells()
    if _apart:
        return error.code != LOST or _apart[0].tells()
    return is_first()


def dismiss() -> None:
    """Tells the others that there is nothing more to do, and parts from them; not in the middle of
    a run."""
    others = group()
    if others.size > 1 and not others.busy:
        _joined.clear()
        with contextlib.suppress(EngineError):  # they have gone already
            others.first(None)
        others.leave()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends the process at once, which while it waits for the others Python cannot do."""
    before = signal.getsignal(signal.SIGINT)
    if before in (signal.SIG_IGN, None):  # as somebody outside of Python wants it
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def group() -> Group:
    """The group that this process has joined; `ALONE` without one."""
    return _joined[0] if _joined else ALONE
