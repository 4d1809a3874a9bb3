"""How a scale is computed so that it fits into memory: tiles, precision and history.

The figures per pixel were measured as resident memory of the process; they hold to about a tenth.
"""

from __future__ import annotations

from dataclasses import dataclass

from styleengine.networks.base import NETWORK_VALUES

GIB = 1 << 30

USABLE = 0.8
"""Share of the free memory that a run may take."""

TILED = 1.5
"""Factor on that for tiles: they come in several sizes, between which memory lies idle."""
PICTURE = 12
"""Bytes per pixel of a float32 picture."""
WIDE, WIDE_PAIR = 48, 24
"""Bytes per pixel of the minimiser's vectors in float32, and of each pair of its history: the
picture, the best one so far, the gradient and the direction, when the network holds nothing."""
NARROW, NARROW_PAIR = 24, 12
"""The same in float16, where only the picture stays in float32 and no best one is kept."""

BESIDE = 32
"""Rows beside a stripe in one piece that a process looks at, too."""
TWICE = 1.5
"""What two passes forward and one back cost, relative to the one each of a whole picture."""
WORTHWHILE = 0.75
"""Share of the work of one process below which several take a scale that one need not cut."""
SMALLEST_SIDE = 128
SIDES = (1024, 768, 576, 512, 448, 384, 320, 256, 192, SMALLEST_SIDE)
"""Sides of tiles to choose from, without their margins."""


@dataclass(frozen=True)
class Limits:
    """What the parts of a run may take on a device, in bytes, however much there is.

    ``whole`` is for the network where the picture is not cut, which saves the first pass over it;
    ``cut`` for the minimiser and the network together where it is; ``state`` for the minimiser.
    ``tile`` is what a tile may always take, as smaller ones are slow.
    """

    whole: float
    cut: float
    state: float
    tile: float


LIMITS = {"cpu": Limits(2.35 * GIB, 1.5 * GIB, 1.2 * GIB, 0.25 * GIB)}
ACCELERATOR = Limits(64 * GIB, 20 * GIB, 16 * GIB, 4 * GIB)


@dataclass(frozen=True)
class Layout:
    """How a scale is computed.

    ``side`` is that of the tiles, None for one that is the picture. ``narrow`` tells to keep the
    minimiser's vectors in float16, ``history`` how many pairs of them. ``bytes`` is about what all
    that takes, on top of what the process holds before; ``cost`` the work of a step, relative to
    one on the whole picture. ``parts`` is how many processes share the scale.
    """

    side: int | None
    narrow: bool
    history: int
    bytes: int
    cost: float
    parts: int = 1


def layout(
    size: tuple[int, int],
    steps: int,
    history: int,
    margin: int | None,
    itemsize: int,
    budget: float,
    limits: Limits,
    values: int = NETWORK_VALUES,
    parts: int = 1,
    beside: bool = False,
) -> Layout:
    """The best layout within ``budget`` bytes for ``steps`` at a picture of ``size``.

    ``history`` is how many pairs the minimiser would like to keep, ``margin`` that of a tile (None
    for a network that cannot be tiled), ``itemsize`` the bytes of a number in the network and
    ``values`` how many a step holds per pixel. What cannot fit gets the smallest layout there is.
    Of ``parts`` processes each has that budget; where they gain nothing, one paints alone. They
    keep as exact vectors, and as many, as one with enough memory would: the picture is the same.
    ``beside`` tells that they can look at their stripes in one piece each.
    """
    pixels = size[0] * size[1]
    network = values * itemsize
    pairs = max(1, min(history, steps - 2))
    state = pixels * (WIDE + WIDE_PAIR * pairs)
    narrow = margin is not None and state > min(limits.state, budget / 2 * parts)
    if narrow:
        room = min(limits.state, budget * parts) - network * SMALLEST_SIDE**2
        pairs = max(1, min(pairs, int((room / pixels - NARROW) // NARROW_PAIR)))
        state = pixels * (NARROW + NARROW_PAIR * pairs)
    whole = network * pixels
    rows = size[0] / parts + 2 * BESIDE
    each = network * size[1] * rows
    if beside and margin is not None and whole <= limits.whole and each + state / parts <= budget:
        return Layout(None, narrow, pairs, int(each + state / parts), rows / size[0], parts)
    uncut = margin is None or (whole <= limits.whole and whole + state <= budget)
    if uncut and (margin is None or parts == 1 or _shared_cost(size, margin, parts) > WORTHWHILE):
        return Layout(None, narrow, pairs, int(whole + state), 1.0)
    assert margin is not None
    most = (limits.cut - state) / parts
    state //= parts
    for side in SIDES:
        tile = network * (side + 2 * margin) ** 2
        fits = tile <= max(most, limits.tile) and TILED * tile + state <= budget
        if fits or side == SMALLEST_SIDE:
            break
    cost = TWICE * (1 + 2 * margin / side) ** 2 / parts
    return Layout(side, narrow, pairs, int(TILED * tile + state), cost, parts)


def _shared_cost(size: tuple[int, int], margin: int, parts: int) -> float:
    """The work of a step for each of some processes that share a picture which one need not cut."""
    return TWICE * (size[0] / parts + 2 * margin) / size[0]
