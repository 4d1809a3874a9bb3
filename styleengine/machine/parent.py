"""A process that does not outlive the one that started it (POSIX; on Windows the pipe's end does).

Standard library only, and quick to import: it is the first thing that the engine does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

VARIABLE = "STYLEENGINE_PARENT"
"""The process id of the parent, if that says it: so its death before our first line is noticed."""
LAUNCHED = "TORCHELASTIC_RUN_ID"
"""Set by torchrun, which stands between us and the parent that says so."""
CHECK_S = 0.5
_NAME = "parent's watch"
_PR_SET_PDEATHSIG = 1


def die_with_it() -> None:
    """Ends this process when its parent ends.

    On Linux the kernel does it, even to a process that is stopped. It watches the thread that
    started us: a program that starts engines must do so in a thread that lives as long as they do.
    Elsewhere, and in case the kernel does not, a thread looks at the parent twice a second.
    """
    if not hasattr(os, "getppid") or sys.platform == "win32":
        return
    if any(thread.name == _NAME for thread in threading.enumerate()):
        return
    parent = os.getppid()
    said = os.environ.get(VARIABLE, "")
    if said.isdigit() and int(said) != parent and LAUNCHED not in os.environ:
        os._exit(0)
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    threading.Thread(target=_watch, args=(parent,), name=_NAME, daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(CHECK_S)
    os._exit(0)
