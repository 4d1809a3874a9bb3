"""How much memory is free."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import torch

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def free(device: torch.device) -> int:
    """Bytes that could be taken now on a device."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    room = [psutil.virtual_memory().available]
    if os.path.exists(CGROUP_LIMIT):  # a container may have less than the computer
        limit = CGROUP_LIMIT.read_text().strip()
        if limit.isdigit():
            room.append(max(0, int(limit) - psutil.Process().memory_info().rss))
    return int(min(room))
