"""Fitting a plan to the memory there is: how each scale is computed, and at what size at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psutil
import torch

from styleengine.machine import memory
from styleengine.networks.extractor import ExtractorEntry
from styleengine.networks.trunk import Trunk
from styleengine.planning import tiling
from styleengine.planning.layout import ACCELERATOR, LIMITS, PICTURE, USABLE, Layout, layout
from styleengine.planning.plan import Plan, make_plan
from styleengine.planning.recipes import Classic, Recipe
from styleengine.protocol import Settings

SMALL_ENOUGH = 1024
"""Long side below which a picture is not made smaller for lack of memory."""
SHRINK = 0.8
ROWS = 64
"""Rows that each of several processes must have for them to share a picture."""


def fit_to_memory(
    plan: Plan,
    width: int,
    height: int,
    settings: Settings,
    entry: ExtractorEntry,
    trunks: Mapping[str, Trunk],
    additive: bool,
    device: torch.device,
    parts: int = 1,
    here: int = 1,
    beside: int = 0,
    kept: int = 2 * PICTURE,
) -> tuple[Plan, list[Layout]]:
    """``plan``, or one for a smaller size if memory is too short for it, and a layout per scale.

    ``trunks`` holds the plan's networks by name; ``additive`` tells whether the style loss can be
    taken in tiles. A working size that the user asked for stays. ``parts`` processes may share the
    scales but the first, ``here`` of them the memory of this computer. ``beside`` are bytes per
    pixel that are taken by other things, ``kept`` those of the photo and the result.
    """
    while True:
        long_side = max(plan.sizes[-1])
        pixels = plan.sizes[-1][0] * plan.sizes[-1][1]
        room = USABLE * memory.free(device) / here - (kept + beside) * pixels
        layouts = laid_out(plan, trunks, additive, device, room, parts)
        fits = max(each.bytes for each in layouts) <= room
        if fits or settings.size or settings.preset == "classic" or long_side <= SMALL_ENOUGH:
            return plan, layouts
        most = max(SMALL_ENOUGH, int(SHRINK * long_side))
        plan = make_plan(settings, width, height, entry, most, plan.fine)


def laid_out(
    plan: Plan,
    trunks: Mapping[str, Trunk],
    additive: bool,
    device: torch.device,
    room: float,
    parts: int = 1,
) -> list[Layout]:
    """How each scale is best computed within ``room`` bytes by up to ``parts`` processes.

    From a scale on that several share, they share all. The first is never shared, nor is a picture
    that closes, whose stripes would be a ring.
    """
    limits = LIMITS.get(device.type, ACCELERATOR)
    parts = 1 if any(plan.wrap) else parts
    layouts: list[Layout] = []
    for scale in reversed(range(len(plan.sizes))):
        trunk, size = trunks[plan.features_at(scale)], plan.sizes[scale]
        if scale == 0 or size[0] < ROWS * parts or (layouts and layouts[0].parts == 1):
            parts = 1
        found = layout(
            size,
            plan.steps[scale],
            plan.history,
            margin(trunk, plan.methods[scale], additive),
            trunk.precision.dtype.itemsize,
            room,
            limits,
            trunk.values,
            parts,
            parts > 1 and trunk.between is not None,
        )
        layouts.insert(0, found)
    return layouts


def needed(plan: Plan, layouts: Sequence[Layout], device: torch.device) -> int:
    """About how many bytes the process will hold at most, or the accelerator besides it."""
    most = max(each.bytes for each in layouts)
    if device.type != "cpu":
        return most
    # The largest scale but one may take the most, beside what the largest will begin with. In the
    # end there are the picture at its working size, and the result.
    height, width = plan.sizes[-1]
    picture = PICTURE * height * width
    return int(psutil.Process().memory_info().rss) + picture + max(most, picture)


def margin(trunk: Trunk, method: Recipe | Classic, additive: bool) -> int | None:
    """The margin of the tiles of a scale; None where the picture cannot be cut."""
    looked_at = tiling.geometries(trunk.geometry, method.looked_at)
    return tiling.margin(looked_at) if looked_at and additive else None
