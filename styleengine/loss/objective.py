"""The loss of one picture at one scale, and its gradient: in one piece, or tile by tile."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

import torch
from torch import Tensor

from styleengine.loss import foreseen
from styleengine.loss.beside import Beside
from styleengine.loss.foreseen import Known, Totals
from styleengine.loss.slopes import derivatives, gradient_by
from styleengine.loss.statistics import Statistics
from styleengine.loss.term import Found, Key, Local, Term, add, add_up
from styleengine.machine import allocator
from styleengine.networks.extractor import OPEN, Extractor, Wrap
from styleengine.planning import tiling
from styleengine.planning.tiling import Tile
from styleengine.protocol import EngineError, Sentence
from styleengine.scene.style_pictures import StyleTarget
from styleengine.together.stripe import Seen, Stripe

Evaluation = Generator[float, None, tuple[float, Tensor | None]]
"""The computation of a loss and its gradient, which tells how much of it is done, 0–1."""
BELIEVED = 0.05
"""How far the loss of statistics that were foretold may be from that of what they came to be, for
the next ones to be foretold."""


class Objective:
    """A function of a picture (1, 3, h, w): the sum of its ``terms``, all of one network.

    Where the picture is cut into tiles, a first pass adds up the statistics, and a second one gives
    every tile its part of the gradient. The result is that of the whole picture. Of a large one
    that has been evaluated before there is one pass only: the statistics are `foreseen` then, for
    the gradient; the loss is always that of the statistics as they are.

    Several processes share a picture in stripes: then ``content``, masks and maps are what a
    process sees, and the picture and its gradient what it holds of them (`Stripe`). A stripe that
    is not cut into tiles is looked at in one piece, with the others' features beside it (`Beside`).
    """

    def __init__(
        self,
        extractor: Extractor,
        terms: Sequence[Term],
        content: Tensor | Seen,
        styles: Sequence[StyleTarget],
        alpha: Tensor | None = None,
        side: int | None = None,
        wrap: Wrap = OPEN,
        stripe: Stripe | None = None,
    ) -> None:
        """Shows the ``styles`` and the ``content`` (1, 3, h, w), or what gives its tiles, to the
        terms.

        ``side`` is that of the tiles, None for one tile, the picture or the stripe. Pixels whose
        ``alpha`` (h, w) is 0 stay as they are. ``wrap`` tells along which axes the picture, not the
        styles, closes; ``stripe`` what of the picture all that is, None for the whole. One that
        closes has no stripes. Raises `EngineError` ("cannot-tile").
        """
        self.extractor, self.terms, self._wrap = extractor, terms, wrap
        self._closed = extractor.closed(wrap) if any(wrap) else None
        self.stripe = stripe or whole_of(content)
        self.size = self.stripe.size
        self._additive = all(term.additive for term in terms)
        looked_at = [layer for term in terms for layer in term.layers.items()]
        self._geometries = tiling.geometries(extractor.geometry, looked_at)
        alpha = None if alpha is None else self.stripe.held(alpha)
        self._hidden = None if alpha is None or bool((alpha > 0).all()) else alpha <= 0
        self.side = side
        self._known: Known | None = None
        for style in styles:
            self._show_style(style, terms, side)
            for look in dict.fromkeys(look for term in terms for look in term.looks):
                self._show_style(look.of(style), [t for t in terms if look in t.looks], side)
        for shown in [None, *(term.instead for term in terms if term.instead is not None)]:
            image = content if shown is None else shown
            for tile in self.tiles:
                seen = tile.outer(image) if isinstance(image, Tensor) else image.outer(tile)
                found = _no_gradient(self._looking(tile), seen)
                for term in terms:
                    if term.instead is shown:
                        term.see_content(found, tile)
                del found  # before the next ones are made
        for term in terms:
            term.settle()

    @property
    def side(self) -> int | None:
        """That of the tiles; may be changed at any time, which changes nothing but the memory."""
        return self._side

    @side.setter
    def side(self, side: int | None) -> None:
        beside = Beside.of(self.stripe, self.extractor) if side is None else None
        self.tiles = [beside.tile] if beside else self._cut(self.stripe, side, self._wrap)
        self._beside = beside
        self._side = side
        self._sample: list[Tile] = []
        if self._geometries and len(self.tiles) > 1 and not any(self._wrap):
            self._sample = foreseen.sample(self.stripe, self._geometries)
        self._inside: Extractor | None = None
        if any(self.stripe.is_inside(tile) for tile in [*self.tiles, *self._sample]):
            exact = self._geometries and tiling.is_exact(self._geometries) and not any(self._wrap)
            self._inside = self.extractor.inside() if exact else None

    def __call__(self, image: Tensor, dtype: torch.dtype | None = None) -> tuple[float, Tensor]:
        """``(loss, gradient)`` at ``image``, the rows held of it, the gradient of its shape.

        In float16 the gradient is multiplied by the number of pixels, to lie well in its range;
        ``dtype`` None means the image's.
        """
        work = self.evaluate(image, dtype)
        while True:
            try:
                next(work)
            except StopIteration as done:
                found: tuple[float, Tensor] = done.value
                return found

    def evaluate(
        self, image: Tensor, dtype: torch.dtype | None = None, *, slope: bool = True
    ) -> Evaluation:
        """The same in the course of time: yields the share of the work done after each tile.

        Without ``slope`` there is no gradient, but None, and the loss is that of the sample if the
        statistics are foreseen: enough to see that the last move did not go astray.
        """
        dtype = dtype or image.dtype
        factor = float(self.size[0] * self.size[1]) if dtype == torch.float16 else 1.0
        if self._beside is not None:
            return (yield from self._with_others(image, dtype, factor, self._beside, slope))
        alone = len(self.tiles) == self.stripe.group.size == 1
        if not (alone and _is_whole(self.tiles[0])):
            return (yield from self._tiled(image, dtype, factor, slope))
        if not slope:
            with torch.no_grad():
                return float(self.loss(image)), None
        x = image.detach().requires_grad_()
        loss = self.loss(x)
        (gradient,) = torch.autograd.grad(loss, x)
        gradient = gradient * factor if factor != 1 else gradient
        return float(loss.detach()), self._visible(gradient.to(dtype).contiguous())

    def _visible(self, gradient: Tensor) -> Tensor:
        return gradient if self._hidden is None else gradient.masked_fill_(self._hidden, 0)

    def loss(self, x: Tensor) -> Tensor:
        """The differentiable loss of ``x``, in one piece."""
        (tile,) = self._cut(self.stripe, None, self._wrap)
        seen, loss = tile.outer(x), x.new_zeros(())
        found = self._looking(tile)(seen)
        for term in self.terms:
            statistics = term.statistics(found, tile, covered=not _is_whole(tile))
            loss = loss + term.of_statistics(statistics) if statistics else loss
            loss = loss + _covered_loss(term.local(seen, found, tile), tile, x)
        return loss

    def _with_others(
        self, image: Tensor, dtype: torch.dtype, factor: float, beside: Beside, slope: bool
    ) -> Evaluation:
        """As `evaluate` does, of a stripe in one piece: its features are kept until the statistics
        of all are known."""
        tile, stripe = beside.tile, self.stripe
        met: Totals = {term: {} for term in self.terms}
        with torch.set_grad_enabled(slope):
            x = image.detach().requires_grad_(slope)
            seen = beside.halo.widened(x)
            found = beside.extractor(seen)
            parts = self._parts(seen, found, tile)
            _note(met, self._statistics(found, tile))
            places = sum(_covered_sum(part, tile) for part in parts)
        yield 1 / 3
        value, pulls = self._pulls(self._sums(met))
        value += stripe.group.total(places)[0]
        if not slope:
            return value, None
        loss = beside.pulled(_covered_loss(parts, tile, image), found, pulls)
        del found, parts, seen  # a backward pass lets go of what it has passed
        (gradient,) = torch.autograd.grad(loss, x)
        gradient = gradient * factor if factor != 1 else gradient
        return value, self._visible(gradient.to(dtype).contiguous())

    def _looking(self, tile: Tile) -> Extractor:
        """The network for a tile of the picture."""
        if self._beside is not None:
            return self._beside.extractor
        if self._inside and self.stripe.is_inside(tile):
            return self._inside
        return self._closed if self._closed and _is_whole(tile) else self.extractor

    def _tiled(self, image: Tensor, dtype: torch.dtype, factor: float, slope: bool) -> Evaluation:
        group, seen = self.stripe.group, self.stripe.widened(image)
        # The largest first: what it frees fits the others, which the other way round it does not.
        tiles = sorted(self.tiles, key=lambda tile: -tile.looked_at)
        if not slope:
            return (yield from self._without_slope(seen, tiles)), None
        sample = self._of_sample(seen)
        met: Totals = {term: {} for term in self.terms}
        expected = foreseen.foreseen(self._known, sample, self.size)
        begun = 0.0 if expected else 1 / 3
        if expected is None:
            for number, tile in enumerate(tiles):
                if group.stopping:
                    break
                _note(met, self._covered(seen, tile))
                yield (number + 1) / len(tiles) * begun
            expected = self._meet(met)
        value, pulls = self._pulls(expected)
        gradient, places = torch.empty_like(image, dtype=dtype), 0.0
        for number, tile in enumerate(tiles):
            if group.stopping:
                break
            g, there = self._pulled(seen, tile, pulls, None if expected is met else met)
            places += there
            self.stripe.place(gradient, tile).copy_(tile.covered(g) * factor)
            del g
            yield begun + (1 - begun) * (number + 1) / len(tiles)
        true = value
        if expected is met:
            self._meet({})
        else:
            true = self._value(self._meet(met))
        believed = sample is not None and abs(true - value) <= BELIEVED * abs(true)
        self._known = Known(met, sample) if sample and believed else None
        return true + group.total(places)[0], self._visible(gradient)

    def _pulled(
        self,
        seen: Seen,
        tile: Tile,
        pulls: Sequence[tuple[Term, Key, Statistics]],
        met: Totals | None,
    ) -> tuple[Tensor, float]:
        """The gradient by what a tile looks at, and the sum over its places; its statistics are
        added to those that were ``met``, if given."""
        x = seen.outer(tile).detach().requires_grad_()
        found = self._looking(tile)(x)
        if met is not None:
            _note(met, self._statistics(found, tile))
        local, places = x.new_zeros(()), 0.0
        for part in self._parts(x, found, tile):
            local = local + part.factor * part.values.sum()
            places += _covered_sum(part, tile)
        below: dict[str, Tensor] = {}
        for term, key, by in pulls:
            add(below, key[0], term.pull(key, by, found[key[0]], tile))
        return gradient_by(x, local, found, below), places

    def _without_slope(self, seen: Seen, tiles: Sequence[Tile]) -> Generator[float, None, float]:
        """The loss alone; as the sample has it, where that tells."""
        if self._known and self._sample:
            met, places = yield from self._passed_over(seen, self._sample)
            expected = foreseen.foreseen(self._known, met, self.size)
            if expected is not None:
                return self._value(expected) + places / foreseen.share_of(self.size)
        met, places = yield from self._passed_over(seen, tiles)
        return self._value(met) + places

    def _passed_over(
        self, seen: Seen, tiles: Sequence[Tile]
    ) -> Generator[float, None, tuple[Totals, float]]:
        """The statistics of what tiles cover, of all processes, and the sum over its places."""
        met: Totals = {term: {} for term in self.terms}
        places = 0.0
        for number, tile in enumerate(tiles):
            if self.stripe.group.stopping:
                break
            with torch.no_grad():
                x = seen.outer(tile)
                found = self._looking(tile)(x)
                _note(met, self._statistics(found, tile))
                places += sum(_covered_sum(part, tile) for part in self._parts(x, found, tile))
            del found
            yield (number + 1) / len(tiles)
        return self._meet(met), self.stripe.group.total(places)[0]

    def _meet(self, totals: Totals) -> Totals:
        """The ``totals`` of all processes, which have gone over their tiles."""
        # Tiles are of several sizes, and of what one pass freed little fits the next.
        allocator.give_back()
        return self._sums(totals)

    def _sums(self, totals: Totals) -> Totals:
        """The same of tiles that go on."""
        self.stripe.group.meet()
        for total in totals.values():
            add_up(total, self.stripe.group)
        return totals

    def _of_sample(self, seen: Seen) -> Totals | None:
        """The statistics of the sample, if there is one."""
        if not self._sample:
            return None
        found: Totals = {term: {} for term in self.terms}
        for tile in self._sample:
            _note(found, self._covered(seen, tile))
        for total in found.values():
            add_up(total, self.stripe.group)
        allocator.give_back()
        return found

    def _value(self, totals: Totals) -> float:
        return sum(float(term.of_statistics(total)) for term, total in totals.items() if total)

    def _pulls(self, totals: Totals) -> tuple[float, list[tuple[Term, Key, Statistics]]]:
        """The loss of statistics, and its derivatives by each of them."""
        value, pulls = 0.0, []
        for term, total in totals.items():
            if total:
                more, by = derivatives(term.of_statistics, total)
                value += more
                pulls += [(term, key, slope) for key, slope in by.items()]
        return value, pulls

    def _parts(self, x: Tensor, found: Found, tile: Tile) -> list[Local]:
        return [part for term in self.terms for part in term.local(x, found, tile)]

    @torch.no_grad()
    def _covered(self, seen: Seen, tile: Tile) -> dict[Term, Mapping[Key, Statistics]]:
        """The statistics of what a tile covers; its features, which are large, are gone then."""
        return self._statistics(self._looking(tile)(seen.outer(tile)), tile)

    @torch.no_grad()
    def _statistics(self, found: Found, tile: Tile) -> dict[Term, Mapping[Key, Statistics]]:
        return {term: term.statistics(found, tile, covered=True) for term in self.terms}

    def _show_style(self, style: StyleTarget, terms: Sequence[Term], side: int | None) -> None:
        """Shows a style to ``terms``, tile by tile; of its features nothing is kept here."""
        group, size = self.stripe.group, (style.image.shape[-2], style.image.shape[-1])
        looking, own = self.extractor, Stripe.of(group, size, 0, self.stripe.align)
        beside = Beside.of(own, looking, whole=True) if self._beside else None
        if beside is not None:
            looking, tiles, shared = beside.extractor, [beside.tile], True
        else:
            tiles = self._cut(Stripe.whole(size), side, OPEN)
            shared = all(term.shares_styles for term in terms) and len(tiles) >= group.size > 1
            tiles = tiles[group.rank :: group.size] if shared else tiles
        for tile in tiles:
            found = _no_gradient(looking, tile.outer(style.image))
            for term in terms:
                term.see_style(style, found, tile)
            del found
        for term in terms if shared else ():
            term.share_style(group)

    def _cut(self, stripe: Stripe, side: int | None, wrap: Wrap) -> list[Tile]:
        """Tiles of ``side`` for what is held of a picture; raises `EngineError`.

        A picture that closes is one tile only for a network that closes, too.
        """
        size = stripe.size
        whole = stripe.group.size == 1 and (side is None or side >= max(size))
        if whole and (not any(wrap) or self._closed is not None):
            return tiling.grid(size, max(size), 0, 1)
        if not self._additive or self._geometries is None:
            raise EngineError(
                "cannot-tile",
                "The {part} a picture only as a whole, and {size} pixels are too many for the "
                "memory at hand.",
                "Choose a smaller working size, or other features or another style loss.",
                part=Sentence("features see" if self._additive else "style loss sees"),
                size=f"{size[1]}×{size[0]}",
            )
        margin, align = tiling.margin(self._geometries), tiling.alignment(self._geometries)
        return stripe.tiles(side, margin, align, wrap)


def whole_of(content: Tensor | Seen) -> Stripe:
    """The stripe of a process by itself, for a content (1, 3, h, w)."""
    assert isinstance(content, Tensor)
    return Stripe.whole((content.shape[-2], content.shape[-1]))


def _is_whole(tile: Tile) -> bool:
    """Whether there is nothing beside it that it looks at."""
    return tile.closes((True, True)) == (True, True)


@torch.no_grad()
def _no_gradient(extractor: Extractor, image: Tensor) -> Found:
    return extractor(image)


def _note(totals: Totals, more: Mapping[Term, Mapping[Key, Statistics]]) -> None:
    for term, statistics in more.items():
        for key, value in statistics.items():
            add(totals[term], key, value)


def _covered_loss(parts: Sequence[Local], tile: Tile, like: Tensor) -> Tensor:
    """The differentiable sum over what a tile covers."""
    loss = like.new_zeros(())
    for part in parts:
        loss = loss + part.factor * tile.covered(part.values, part.stride).sum()
    return loss


def _covered_sum(part: Local, tile: Tile) -> float:
    return part.factor * float(tile.covered(part.values.detach(), part.stride).sum())
