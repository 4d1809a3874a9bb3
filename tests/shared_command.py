"""The command ``styleengine``, which shares pictures of a few thousand pixels already.

    torchrun --nproc-per-node 2 tests/shared_command.py run …

``SHARED_DIES`` names a process (its rank) that kills itself in the middle of a run, or with
``stands still`` in ``SHARED_HOW`` is stopped there; ``SHARED_NARROW`` keeps vectors in float16.
"""

import os
import signal
import sys

from styleengine.command.cli import main
from styleengine.loss.tiled import Tiled
from styleengine.networks.base import NETWORK_VALUES
from styleengine.planning import fitting, layout
from styleengine.together import launch, watch

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

if __name__ == "__main__":
    sys.exit(main())
