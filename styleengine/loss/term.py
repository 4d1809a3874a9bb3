"""One summand of a loss: what it looks at, what it notes of the pictures, what it adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from torch import Tensor

from styleengine.loss.maps import layer_weight
from styleengine.loss.statistics import Statistics
from styleengine.networks.extractor import Extractor
from styleengine.planning.tiling import Tile
from styleengine.scene.style_pictures import Look, StyleTarget
from styleengine.together.group import Group

Key = tuple[str, int]
"""A layer, and which of the regions of the picture: statistics are taken of each pair."""
Found = Mapping[str, Tensor]
"""Features (1, C, h, w) by layer name."""


class _Sum(Protocol):
    def __add__(self, other: Any, /) -> Any: ...


S = TypeVar("S", bound=Statistics)
K = TypeVar("K")
A = TypeVar("A", bound=_Sum)


@dataclass(frozen=True)
class Local:
    """A part of the loss that is a sum over places: ``factor · Σ values``.

    ``values`` (h, w) lie at ``stride`` on the picture.
    """

    factor: float
    values: Tensor
    stride: int = 1


class Term:
    """A summand of an `Objective`, with a target of its own.

    Before the first step it is shown the pictures once, tile by tile, through the network that all
    terms share: every style (`see_style`), then the content (`see_content`); then it makes its
    target (`settle`). What it adds to the loss is a function of statistics that add up over
    positions (`statistics`, `of_statistics` and `pull`: a tiled picture is passed over twice), or a
    sum over places (`local`: one pass), or both. A term overrides what it needs of these.

    A term with a picture (1, 3, h, w) ``instead`` of the content is shown that. One with further
    ``looks`` is shown every style so, too, after the style itself.

    ``layers`` are those it looks at, each with the side of the square of positions that it takes
    means over; ``additive`` tells whether its statistics add up, without which no picture is tiled;
    ``shares_styles`` whether what it notes of a style can be put together from what several
    processes saw of it (`share_style`), whichever tiles these were; from stripes all terms can.
    """

    additive = True
    shares_styles = True
    instead: Tensor | None = None
    looks: Sequence[Look] = ()

    def __init__(self, extractor: Extractor, layers: Mapping[str, int]) -> None:
        self.extractor, self.layers = extractor, layers

    def see_style(self, style: StyleTarget, found: Found, tile: Tile) -> None:
        """Takes note of a tile of a style picture; its tiles come in the order of `tiling.grid`."""

    def share_style(self, group: Group) -> None:
        """Puts together what the processes of a group have seen of the last style."""

    def see_content(self, found: Found, tile: Tile) -> None:
        """Takes note of a tile of the content, in the order of `tiling.grid`."""

    def settle(self) -> None:
        """Makes the target of what was seen."""

    def statistics(self, found: Found, tile: Tile, *, covered: bool) -> Mapping[Key, Statistics]:
        """Statistics of the features of a tile: of what it covers, or of all that it looks at."""
        return {}

    def of_statistics(self, statistics: Mapping[Key, Any]) -> Tensor:
        """The part of the loss that is a function of the whole picture's statistics."""
        raise NotImplementedError

    def pull(self, key: Key, by: Any, features: Tensor, tile: Tile) -> Tensor:
        """The gradient by a layer's features in a tile, where ``by`` is that by the statistics."""
        raise NotImplementedError

    def local(self, x: Tensor, found: Found, tile: Tile) -> list[Local]:
        """The part that is a sum over places, for the outer part ``x`` of a tile."""
        return []

    def stride(self, layer: str) -> int:
        """Pixels from one position of a layer to the next; 1 where the network does not say."""
        geometry = self.extractor.geometry.get(layer)
        return (geometry.stride if geometry else 1) * self.layers[layer]

    def weight(self, mask: Tensor, layer: str, features: Tensor, tile: Tile) -> Tensor:
        """``mask`` (H, W) at the positions of a layer's ``features`` in what a tile looks at."""
        size = (features.shape[-2], features.shape[-1])
        known = layer in self.extractor.geometry
        return layer_weight(tile.outer(mask), size, self.stride(layer) if known else None)


def add_up(total: dict[Key, S], group: Group) -> None:
    """Adds up the statistics of a group's processes, each of which has those of the same keys."""
    if group.size > 1:
        own = [total[key].tensors() for key in total]
        sums = iter(group.add_up([tensor for tensors in own for tensor in tensors]))
        for key, tensors in zip(total, own, strict=True):
            total[key] = total[key].like([next(sums) for _ in tensors])


def add(total: dict[K, A], key: K, value: A) -> None:
    """Adds what belongs to a key, a tile's statistics, say, to what was there before."""
    total[key] = total[key] + value if key in total else value
