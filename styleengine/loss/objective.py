"""The loss of one picture at one scale, and its gradient: in one piece, or tile by tile."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from styleengine.loss.moments import Moments
from styleengine.loss.terms import layer_weight
from styleengine.machine import allocator
from styleengine.networks.extractor import Extractor, Geometry
from styleengine.planning import tiling
from styleengine.planning.tiling import Tile
from styleengine.protocol import EngineError

Key = tuple[str, int]
"""A layer, and which of the regions of the picture: statistics are taken of each pair."""
Statistics = dict[Key, Any]
Found = Mapping[str, Tensor]
"""Features (1, C, h, w) by layer name."""
Evaluation = Generator[float, None, tuple[float, Tensor]]
"""The computation of a loss and its gradient, which tells how much of it is done, 0–1."""


@dataclass(frozen=True)
class LocalTerm:
    """A part of the loss that is a sum over places: ``factor · Σ values``.

    ``values`` (h, w) lie at ``stride`` on the picture.
    """

    factor: float
    values: Tensor
    stride: int = 1


class Objective(ABC):
    """A function of a picture (1, 3, h, w).

    It is the sum of a function of statistics, which add up over positions, and of local terms.
    Where the picture is cut into tiles, a first pass adds up the statistics, and a second one gives
    every tile its part of the gradient. The result is that of the whole picture.
    """

    def __init__(
        self,
        extractor: Extractor,
        geometries: Sequence[Geometry] | None,
        size: tuple[int, int],
        side: int | None,
        *,
        additive: bool = True,
    ) -> None:
        """``geometries`` are those of all that is looked at, None if the network does not say.

        ``size`` is (h, w); ``side`` that of the tiles, None for one tile, the picture.
        ``additive`` tells whether the statistics are `Moments` or tensors that add up over tiles.
        Raises `EngineError` ("cannot-tile").
        """
        self.extractor, self.size, self.additive = extractor, size, additive
        self.geometries = geometries
        self.side = side
        self.hidden: Tensor | None = None
        """(h, w), true for pixels that shall stay as they are; None where there are none."""

    @property
    def side(self) -> int | None:
        """That of the tiles; may be changed at any time, which changes nothing but the memory."""
        return self._side

    @side.setter
    def side(self, side: int | None) -> None:
        self.tiles = self.cut(self.size, side)
        self._side = side

    @abstractmethod
    def statistics(self, found: Found, tile: Tile, *, covered: bool) -> Statistics:
        """Statistics of the features of a tile: of what it covers, or of all that it looks at."""

    @abstractmethod
    def of_statistics(self, statistics: Statistics) -> Tensor:
        """The part of the loss that is a function of the whole picture's statistics."""

    @abstractmethod
    def local(self, x: Tensor, found: Found, tile: Tile) -> list[LocalTerm]:
        """The other parts, for the outer part ``x`` of a tile and its features."""

    @abstractmethod
    def pull(self, key: Key, by: Any, features: Tensor, tile: Tile) -> Tensor:
        """The gradient by a layer's features in a tile, where ``by`` is that by the statistics."""

    def __call__(self, image: Tensor, dtype: torch.dtype | None = None) -> tuple[float, Tensor]:
        """``(loss, gradient)`` at ``image``, the gradient of its shape.

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

    def evaluate(self, image: Tensor, dtype: torch.dtype | None = None) -> Evaluation:
        """The same in the course of time: yields the share of the work done after each tile."""
        dtype = dtype or image.dtype
        factor = float(self.size[0] * self.size[1]) if dtype == torch.float16 else 1.0
        if len(self.tiles) > 1:
            return (yield from self._tiled(image, dtype, factor))
        x = image.detach().requires_grad_()
        loss = self.loss(x)
        (gradient,) = torch.autograd.grad(loss, x)
        gradient = gradient * factor if factor != 1 else gradient
        return float(loss.detach()), self._visible(gradient.to(dtype).contiguous())

    def _visible(self, gradient: Tensor) -> Tensor:
        return gradient if self.hidden is None else gradient.masked_fill_(self.hidden, 0)

    def loss(self, x: Tensor) -> Tensor:
        """The differentiable loss of ``x``, in one piece."""
        (tile,) = self.cut(self.size, None)
        found = self.extractor(x)
        loss = self.of_statistics(self.statistics(found, tile, covered=False))
        for term in self.local(x, found, tile):
            loss = loss + term.factor * term.values.sum()
        return loss

    def _tiled(self, image: Tensor, dtype: torch.dtype, factor: float) -> Evaluation:
        total: Statistics = {}
        share = 1 / len(self.tiles)
        # The largest first: what it frees fits the others, which the other way round it does not.
        tiles = sorted(self.tiles, key=lambda tile: -tile.looked_at)
        for number, tile in enumerate(tiles):
            self._add(total, image, tile, self._covered)
            yield (number + 1) * share / 3
        # Tiles are of several sizes, and of what the first pass freed little fits the second.
        allocator.give_back()
        loss, pulls = _derivatives(self.of_statistics, total)
        gradient = torch.empty_like(image, dtype=dtype)
        for number, tile in enumerate(tiles):
            x = tile.outer(image).detach().requires_grad_()
            found = self.extractor(x)
            local = image.new_zeros(())
            for term in self.local(x, found, tile):
                local = local + term.factor * term.values.sum()
                loss += term.factor * float(tile.covered(term.values.detach(), term.stride).sum())
            below: dict[str, Tensor] = {}
            for key, by in pulls.items():
                layer = key[0]
                part = self.pull(key, by, found[layer], tile)
                below[layer] = below[layer] + part if layer in below else part
            ends = [local, *(found[n] for n in below)]
            (g,) = torch.autograd.grad(ends, x, [torch.ones_like(local), *below.values()])
            tile.inner(gradient).copy_(tile.covered(g) * factor)
            yield (1 + 2 * (number + 1) * share) / 3
        allocator.give_back()
        return loss, self._visible(gradient)

    def summed(self, image: Tensor) -> Statistics:
        """The statistics of a picture of this size."""
        return self.accumulate(image, self.tiles, self._covered)

    def accumulate(
        self, image: Tensor, tiles: Iterable[Tile], measure: Callable[[Found, Tile], Statistics]
    ) -> Statistics:
        """The sum of what ``measure`` makes of the features of each tile of ``image``."""
        total: Statistics = {}
        for tile in tiles:
            self._add(total, image, tile, measure)
        return total

    def _add(
        self,
        total: Statistics,
        image: Tensor,
        tile: Tile,
        measure: Callable[[Found, Tile], Statistics],
    ) -> None:
        with torch.no_grad():
            for key, value in measure(self.extractor(tile.outer(image)), tile).items():
                total[key] = total[key] + value if key in total else value

    def _covered(self, found: Found, tile: Tile) -> Statistics:
        return self.statistics(found, tile, covered=True)

    def cut(self, size: tuple[int, int], side: int | None) -> list[Tile]:
        """Tiles of ``side`` for a picture of ``size`` (h, w); raises `EngineError`."""
        if side is None or side >= max(size):
            return tiling.grid(size, max(size), 0, 1)
        if not self.additive or self.geometries is None:
            raise EngineError(
                "cannot-tile",
                f"The {'features see' if self.additive else 'style loss sees'} a picture only as a "
                f"whole, and {size[1]}×{size[0]} pixels are too many for the memory at hand.",
                "Choose a smaller working size, or other features or another style loss.",
            )
        margin, align = tiling.margin(self.geometries), tiling.alignment(self.geometries)
        return tiling.grid(size, side, margin, align)

    def stride(self, layer: str) -> int:
        """Pixels from one position of a layer to the next; 1 where the network does not say."""
        geometry = self.extractor.geometry.get(layer)
        return geometry.stride if geometry else 1

    def weight(
        self, mask: Tensor, layer: str, features: Tensor, tile: Tile, pool: int = 1
    ) -> Tensor:
        """``mask`` (H, W) at the positions of a layer's ``features`` in what a tile looks at.

        ``pool`` × ``pool`` of the layer's positions make one of theirs.
        """
        size = (features.shape[-2], features.shape[-1])
        known = layer in self.extractor.geometry
        return layer_weight(tile.outer(mask), size, self.stride(layer) * pool if known else None)


def _derivatives(
    function: Callable[[Statistics], Tensor], statistics: Statistics
) -> tuple[float, Statistics]:
    """The value of a function of statistics, and its derivative by each of them, of their kind."""
    leaves = {k: [t.detach().requires_grad_() for t in _tensors(v)] for k, v in statistics.items()}
    value = function({k: _like(statistics[k], tensors) for k, tensors in leaves.items()})
    flat = [t for tensors in leaves.values() for t in tensors]
    slopes = iter(torch.autograd.grad(value, flat, allow_unused=True, materialize_grads=True))
    by = {k: _like(statistics[k], [next(slopes) for _ in ts]) for k, ts in leaves.items()}
    return float(value.detach()), by


def _tensors(value: Any) -> list[Tensor]:
    return [value.count, value.total, value.outer] if isinstance(value, Moments) else [value]


def _like(value: Any, tensors: list[Tensor]) -> Any:
    return Moments(*tensors) if isinstance(value, Moments) else tensors[0]
