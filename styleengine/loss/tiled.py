"""The loss of a picture that is looked at tile by tile, and its gradient."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from styleengine.loss import foreseen, totals
from styleengine.loss.foreseen import Known
from styleengine.loss.places import covered_sum, outer_loss, parts_of
from styleengine.loss.slopes import gradient_by
from styleengine.loss.term import Term, add
from styleengine.loss.totals import Covered, Pull, Totals
from styleengine.machine import allocator
from styleengine.networks.extractor import Extractor
from styleengine.planning.tiling import Tile
from styleengine.together.stripe import Seen, Stripe

Evaluation = Generator[float, None, tuple[float, Tensor | None]]
"""The computation of a loss and its gradient, which tells how much of it is done, 0–1."""
BELIEVED = 0.05
"""How far the loss of statistics that were foretold may be from that of what they came to be, for
the next ones to be foretold."""


@dataclass(frozen=True)
class Cut:
    """A picture's ``tiles``, those of its `foreseen.sample`, if any, and the network for each.

    The tiles cover the rows held.
    """

    tiles: Sequence[Tile]
    sample: Sequence[Tile]
    looking: Callable[[Tile], Extractor]


class Tiled:
    """Goes over a picture's tiles for the sum of some ``terms``.

    A first pass adds up the statistics, and a second one gives every tile its part of the gradient.
    The result is that of the whole picture. Of a large one that has been evaluated before there is
    one pass only: the statistics are `foreseen` then, for the gradient; the loss is always that of
    the statistics as they are.
    """

    def __init__(self, terms: Sequence[Term], stripe: Stripe) -> None:
        self._terms, self._stripe = terms, stripe
        self._known: Known | None = None

    def evaluate(
        self, image: Tensor, cut: Cut, dtype: torch.dtype | None, factor: float
    ) -> Evaluation:
        """The loss at ``image``, the rows held of it, and ``factor`` times the gradient in
        ``dtype``; without one, no gradient, and the loss of the sample where that tells."""
        group, seen = self._stripe.group, self._stripe.widened(image)
        # The largest first: what it frees fits the others, which the other way round it does not.
        tiles = sorted(cut.tiles, key=lambda tile: -tile.looked_at)
        if dtype is None:
            return (yield from self._loss(seen, cut, tiles)), None
        of_sample = self._of_sample(seen, cut)
        met = totals.none_of(self._terms)
        expected = foreseen.foreseen(self._known, of_sample, self._stripe.size)
        begun = 0.0 if expected else 1 / 3
        if expected is None:
            for number, tile in enumerate(tiles):
                if group.stopping:
                    break
                totals.note(met, self._covered(seen, cut, tile))
                yield (number + 1) / len(tiles) * begun
            expected = self._meet(met)
        value, pulls = totals.pulls_of(expected)
        gradient, places = torch.empty_like(image, dtype=dtype), 0.0
        for number, tile in enumerate(tiles):
            if group.stopping:
                break
            g, there = self._pulled(seen, cut, tile, pulls, None if expected is met else met)
            places += there
            self._stripe.place(gradient, tile).copy_(tile.covered(g) * factor)
            del g
            yield begun + (1 - begun) * (number + 1) / len(tiles)
        true = value
        if expected is met:
            self._meet({})
        else:
            true = totals.value_of(self._meet(met))
        believed = of_sample is not None and abs(true - value) <= BELIEVED * abs(true)
        self._known = Known(met, of_sample) if of_sample and believed else None
        return true + group.total(places)[0], gradient

    def _pulled(
        self,
        seen: Seen,
        cut: Cut,
        tile: Tile,
        pulls: Sequence[Pull],
        met: Totals | None,
    ) -> tuple[Tensor, float]:
        """The gradient by what a tile looks at, and the sum over its places; its statistics are
        added to those that were ``met``, if given."""
        x = seen.outer(tile).detach().requires_grad_()
        found = cut.looking(tile)(x)
        if met is not None:
            totals.note(met, totals.covered(self._terms, found, tile))
        parts = parts_of(self._terms, x, found, tile)
        local, places = outer_loss(parts, x), covered_sum(parts, tile)
        del parts
        below: dict[str, Tensor] = {}
        for term, key, by in pulls:
            add(below, key[0], term.pull(key, by, found[key[0]], tile))
        return gradient_by(x, local, found, below), places

    def _loss(self, seen: Seen, cut: Cut, tiles: Sequence[Tile]) -> Generator[float, None, float]:
        """The loss alone; as the sample has it, where that tells."""
        size = self._stripe.size
        if self._known and cut.sample:
            met, places = yield from self._passed_over(seen, cut, cut.sample)
            expected = foreseen.foreseen(self._known, met, size)
            if expected is not None:
                return totals.value_of(expected) + places / foreseen.share_of(size)
        met, places = yield from self._passed_over(seen, cut, tiles)
        return totals.value_of(met) + places

    def _passed_over(
        self, seen: Seen, cut: Cut, tiles: Sequence[Tile]
    ) -> Generator[float, None, tuple[Totals, float]]:
        """The statistics of what tiles cover, of all processes, and the sum over its places."""
        met = totals.none_of(self._terms)
        places = 0.0
        for number, tile in enumerate(tiles):
            if self._stripe.group.stopping:
                break
            with torch.no_grad():
                x = seen.outer(tile)
                found = cut.looking(tile)(x)
                totals.note(met, totals.covered(self._terms, found, tile))
                places += covered_sum(parts_of(self._terms, x, found, tile), tile)
            del found
            yield (number + 1) / len(tiles)
        return self._meet(met), self._stripe.group.total(places)[0]

    def _meet(self, met: Totals) -> Totals:
        """Those ``met`` by all processes, which have gone over their tiles."""
        # Tiles are of several sizes, and of what one pass freed little fits the next.
        allocator.give_back()
        self._stripe.group.meet()
        return totals.of_all(met, self._stripe.group)

    def _of_sample(self, seen: Seen, cut: Cut) -> Totals | None:
        """The statistics of the sample, if there is one."""
        if not cut.sample:
            return None
        found = totals.none_of(self._terms)
        for tile in cut.sample:
            totals.note(found, self._covered(seen, cut, tile))
        totals.of_all(found, self._stripe.group)
        allocator.give_back()
        return found

    @torch.no_grad()
    def _covered(self, seen: Seen, cut: Cut, tile: Tile) -> Covered:
        """The statistics of what a tile covers; its features, which are large, are gone then."""
        return totals.covered(self._terms, cut.looking(tile)(seen.outer(tile)), tile)
