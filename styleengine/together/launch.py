"""Joining the processes that torchrun has started, if it was torchrun that started this one."""

from __future__ import annotations

import os

from styleengine.machine.parent import LAUNCHED
from styleengine.together.group import ALONE, Group

_joined: list[Group] = []


def is_several() -> bool:
    """Whether torchrun has started this process as one of several."""
    return LAUNCHED in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_first() -> bool:
    """Whether this is the process that speaks for all."""
    return not is_several() or os.environ.get("RANK") == "0"


def join() -> Group:
    """Joins the others, and returns the group with them; `ALONE` where there are none."""
    if is_several() and not _joined:
        from styleengine.together.watch import joined

        _joined.append(joined())
    return group()


def group() -> Group:
    """The group that this process has joined; `ALONE` without one."""
    return _joined[0] if _joined else ALONE
