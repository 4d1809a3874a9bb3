"""The loss of one picture at one scale, and its gradient: in one piece, or tile by tile."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from styleengine.loss import foreseen, totals
from styleengine.loss.beside import Beside
from styleengine.loss.places import covered_loss, covered_sum, parts_of
from styleengine.loss.term import Found, Term
from styleengine.loss.tiled import Cut, Evaluation, Tiled
from styleengine.networks.extractor import OPEN, Extractor, Wrap
from styleengine.planning import tiling
from styleengine.planning.tiling import Tile
from styleengine.protocol import EngineError, Sentence
from styleengine.scene.style_pictures import StyleTarget
from styleengine.together.stripe import Seen, Stripe


class Objective:
    """A function of a picture (1, 3, h, w): the sum of its ``terms``, all of one network.

    That of a picture which is cut into tiles (`Tiled`) is that of the whole picture.

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
        self._tiled = Tiled(terms, self.stripe)
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
            asked = dtype if slope else None
            cut = Cut(self.tiles, self._sample, self._looking)
            value, gradient = yield from self._tiled.evaluate(image, cut, asked, factor)
            return value, None if gradient is None else self._visible(gradient)
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
            loss = loss + covered_loss(term.local(seen, found, tile), tile, x)
        return loss

    def _with_others(
        self, image: Tensor, dtype: torch.dtype, factor: float, beside: Beside, slope: bool
    ) -> Evaluation:
        """As `evaluate` does, of a stripe in one piece: its features are kept until the statistics
        of all are known."""
        tile, stripe = beside.tile, self.stripe
        met = totals.none_of(self.terms)
        with torch.set_grad_enabled(slope):
            x = image.detach().requires_grad_(slope)
            seen = beside.halo.widened(x)
            found = beside.extractor(seen)
            parts = parts_of(self.terms, seen, found, tile)
            totals.note(met, totals.covered(self.terms, found, tile))
            places = covered_sum(parts, tile)
        yield 1 / 3
        stripe.group.meet()
        value, pulls = totals.pulls_of(totals.of_all(met, stripe.group))
        value += stripe.group.total(places)[0]
        if not slope:
            return value, None
        loss = beside.pulled(covered_loss(parts, tile, image), found, pulls)
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
