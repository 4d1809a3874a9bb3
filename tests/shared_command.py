"""The command ``styleengine``, which shares pictures of a few thousand pixels already.

    torchrun --nproc-per-node 2 tests/shared_command.py run …

``SHARED_DIES`` names a process (its rank) that kills itself in the middle of a run, or with
``stands still`` in ``SHARED_HOW`` is stopped there; ``SHARED_NARROW`` keeps vectors in float16.
Of a folder's photos ``SHARED_MARK`` is a file that the second process makes when both are to save
their first one, and for which the first process waits: then the second ``dies`` or ``stands
still``, or its disk is ``full``, as ``SHARED_HOW`` says.
"""

import errno
import os
import signal
import sys
from pathlib import Path

from styleengine.command import many
from styleengine.command.cli import main
from styleengine.loss.tiled import Tiled
from styleengine.machine.files import cannot_write
from styleengine.networks.base import NETWORK_VALUES
from styleengine.planning import fitting, layout
from styleengine.together import launch, watch
from tests.patience import wait_until

fitting.ROWS = 32
TILE = NETWORK_VALUES * 4 * 160**2
state = 60 * 64 * 64 if "SHARED_NARROW" in os.environ else 1e12
layout.LIMITS["cpu"] = layout.Limits(1, 0, state, TILE)
watch.SILENCE_S = 5.0

if os.environ.get("SHARED_DIES") == os.environ["RANK"]:
    covered, count = Tiled._covered, iter(range(1000))

    def dying(self, seen, cut, tile):
        if launch.group().busy and self._stripe.group.size > 1 and next(count) == 3:
            still = os.environ.get("SHARED_HOW") == "stands still"
            os.kill(os.getpid(), signal.SIGSTOP if still else signal.SIGKILL)
        return covered(self, seen, cut, tile)

    Tiled._covered = dying

if "SHARED_MARK" in os.environ:
    mark, whole = Path(os.environ["SHARED_MARK"]), many.save_result
    begun = mark.with_suffix(".begun")

    def saving(target, picture, **options):
        if os.environ["RANK"] == "0":
            begun.touch()
            wait_until(mark.exists, "the other process saves")
            return whole(target, picture, **options)
        wait_until(begun.exists, "the first process saves")
        mark.touch()
        if os.environ["SHARED_HOW"] == "full":
            raise cannot_write(target, OSError(errno.ENOSPC, "No space left on device"))
        still = os.environ["SHARED_HOW"] == "stands still"
        os.kill(os.getpid(), signal.SIGSTOP if still else signal.SIGKILL)

    many.save_result = saving

if __name__ == "__main__":
    sys.exit(main())
