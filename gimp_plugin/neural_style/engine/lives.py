"""Whether another process lives: that of a run that left something behind, or GIMP's own."""

from __future__ import annotations

import os
import sys


def is_running(pid: int) -> bool:
    """Whether there is a process of this number. One that nobody may ask counts as running."""
    if sys.platform == "win32":
        return _is_running_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _is_running_on_windows(pid: int) -> bool:
    import ctypes  # os.kill would end the process there

    still_active, query = 259, 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = kernel.OpenProcess(query, False, pid)
    if not handle:
        return bool(kernel.GetLastError() == 5)  # ERROR_ACCESS_DENIED: there is one
    status = ctypes.c_ulong()
    kernel.GetExitCodeProcess(ctypes.c_void_p(handle), ctypes.byref(status))
    kernel.CloseHandle(ctypes.c_void_p(handle))
    return status.value == still_active


class Parent:
    """The process that started this one: GIMP. Make it early, before GIMP can have ended."""

    def __init__(self) -> None:
        self._pid = os.getppid()

    @property
    def is_gone(self) -> bool:
        """Whether it has ended. POSIX gives its children to another process then."""
        return os.getppid() != self._pid or not is_running(self._pid)
