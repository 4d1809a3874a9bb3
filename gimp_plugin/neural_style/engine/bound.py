"""Child processes that end with this one, whatever they do and however this one ends.

The engine sees to that itself (`styleengine.machine.parent`); this is for one that hangs too deep
to look, and for programs that are not ours. Linux and Windows have it done by the kernel. Elsewhere
there is nothing of the kind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

_PR_SET_PDEATHSIG = 1
_KILL_ON_JOB_CLOSE, _EXTENDED_LIMITS = 0x2000, 9


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Starts a program, as `subprocess.Popen` does. Do it in a thread that lives as long as the
    program does: on Linux the kernel watches that. Raises OSError.
    """
    child = subprocess.Popen(command, preexec_fn=_bind_itself(), **apart(), **options)
    if sys.platform == "win32":
        _bind_on_windows(child)
    return child


def apart() -> dict[str, Any]:
    """For `subprocess`: no console window on Windows, and no library of GIMP's."""
    if sys.platform != "win32":
        return {}
    # GIMP points the search for libraries at its own; children would inherit that.
    ctypes.windll.kernel32.SetDllDirectoryW(None)
    return {"creationflags": subprocess.CREATE_NO_WINDOW}


def _bind_itself() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    parent = os.getpid()
    try:
        prctl = ctypes.PyDLL(None).prctl  # found here: between fork and exec little is safe
    except (OSError, AttributeError):
        return None

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it has died meanwhile
            os._exit(1)

    return bind


def _bind_on_windows(child: subprocess.Popen[bytes]) -> None:
    """Puts it into a job object: that ends its processes when its last handle is closed, as the
    system does when this process ends. If the system refuses, the child goes on without.
    """
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
    limits = _ExtendedLimits(flags=_KILL_ON_JOB_CLOSE)
    size = ctypes.sizeof(limits)
    if kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, ctypes.byref(limits), size):
        handle = ctypes.c_void_p(getattr(child, "_handle", None))
        kernel.AssignProcessToJobObject(job, handle)


class _ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION; only its flags are used."""

    _fields_ = (
        ("process_time", ctypes.c_int64),
        ("job_time", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("least_working_set", ctypes.c_size_t),
        ("most_working_set", ctypes.c_size_t),
        ("processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority", ctypes.c_uint32),
        ("scheduling", ctypes.c_uint32),
        ("io", ctypes.c_uint64 * 6),
        ("memory", ctypes.c_size_t * 4),
    )
