"""The statistics of all terms together: of a tile, of a picture, of several processes' pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from styleengine.loss.slopes import derivatives
from styleengine.loss.statistics import Statistics
from styleengine.loss.term import Found, Key, Term, add, add_up
from styleengine.planning.tiling import Tile
from styleengine.together.group import Group

Totals = dict[Term, dict[Key, Statistics]]
Covered = Mapping[Term, Mapping[Key, Statistics]]
"""The statistics of what a tile covers."""
Pull = tuple[Term, Key, Statistics]
"""A term, one of its statistics, and the derivative of the loss by that."""


def none_of(terms: Sequence[Term]) -> Totals:
    """Those of nothing seen yet."""
    return {term: {} for term in terms}


@torch.no_grad()
def covered(
    terms: Sequence[Term], found: Found, tile: Tile
) -> dict[Term, Mapping[Key, Statistics]]:
    """Those of what a tile covers, of the features ``found`` of what it looks at."""
    return {term: term.statistics(found, tile, covered=True) for term in terms}


def note(totals: Totals, more: Covered) -> None:
    """Adds ``more`` to ``totals``."""
    for term, statistics in more.items():
        for key, value in statistics.items():
            add(totals[term], key, value)


def of_all(totals: Totals, group: Group) -> Totals:
    """Adds up the ``totals`` of a group's processes, in their place."""
    for total in totals.values():
        add_up(total, group)
    return totals


def value_of(totals: Totals) -> float:
    """The loss of a picture with these."""
    return sum(float(term.of_statistics(total)) for term, total in totals.items() if total)


def pulls_of(totals: Totals) -> tuple[float, list[Pull]]:
    """The loss of a picture with these, and its derivatives by each of them."""
    value, pulls = 0.0, []
    for term, total in totals.items():
        if total:
            more, by = derivatives(term.of_statistics, total)
            value += more
            pulls += [(term, key, slope) for key, slope in by.items()]
    return value, pulls
