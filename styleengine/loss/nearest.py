"""Nearest places: that each place of the picture looks like some place of the style.

Statistics of the whole picture are met by painting its quiet places over and over, while what
stands out stays a photo that was only recoloured, and skies get motifs that are not there. This
term asks every place by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from styleengine.loss.content import Content
from styleengine.loss.maps import exact, in_metric, only, pooled
from styleengine.loss.style import regions
from styleengine.loss.term import Found, Local, Term
from styleengine.networks.extractor import Extractor
from styleengine.planning.tiling import Mosaic, Tile
from styleengine.scene.style_pictures import Look, StyleTarget
from styleengine.together.group import Group, Rows
from styleengine.together.stripe import Stripe

BANK = 1500
"""About how many places of each look at the styles of a region are kept at a layer."""
LOOKS = (Look(1.0, True), Look(0.5**0.5), Look(0.5, True))
"""As what else a style may be near: mirrored, and smaller. With more places to choose from, what
the photo shows has one that is near without being bent. Twice as many looks win one per cent more,
and take two steps' time at every scale."""
SPACING = 8
"""Pixels from one place to the next, at least; the means are over as many."""
NEAR = 0.05
"""Added to the photo's distance from the style, so that a photo in the style already does not make
its own loss infinite."""
FLAT = 0.01
"""Share of a typical activation that is taken for no difference at all."""
AT_ONCE = 512
"""Places whose products with all of the bank are held at once."""
SEARCH = 3
"""Steps from one search for the nearest to the next, which takes long and changes little."""
TINY = 1e-6
BITS = {torch.float32: torch.int32, torch.bfloat16: torch.int16, torch.float16: torch.int16}
"""Whole numbers of as many bits."""


@dataclass(frozen=True)
class Bank:
    """Places of a style at a layer: their mean (C,), and the directions (n, C) from it.

    ``across`` is these once more, one beside the other (C, n), in which the search is a quarter
    quicker. Places less than ``least`` away from the mean have no direction.
    """

    mean: Tensor
    directions: Tensor
    across: Tensor
    least: float

    @classmethod
    def of(cls, places: Tensor, unit: float) -> Bank:
        """The bank of the features (n, C) of places, whose typical activation is ``unit``.

        It keeps their dtype for the search.
        """
        found = places.to(torch.promote_types(places.dtype, torch.float32))
        mean, least = found.mean(0), FLAT * unit * math.sqrt(places.shape[1])
        directions = F.normalize(found - mean, dim=1, eps=least)
        directions = directions.to(places.dtype)
        return cls(mean, directions, directions.T.contiguous(), least)

    @torch.no_grad()
    def nearest(self, places: Tensor) -> Tensor:
        """Which is the nearest to each of the features (m, C) of places, (m,)."""
        apart = (places - self.mean).to(self.directions.dtype)
        parts = (apart[at : at + AT_ONCE] for at in range(0, len(apart), AT_ONCE))
        found = [highest(part @ self.across) for part in parts]
        return torch.cat(found) if found else apart.new_zeros(0, dtype=torch.long)

    def distances(self, places: Tensor, nearest: Tensor) -> Tensor:
        """1 - cosine of the features (m, C) of places, at least float32, with the ``nearest``."""
        apart = places - self.mean
        along = (apart * self.directions[nearest].to(apart)).sum(1)
        likeness: Tensor = along / apart.norm(dim=1).clamp_min(self.least)
        return 1 - likeness


def highest(values: Tensor) -> Tensor:
    """Which of the finite ``values`` (m, n) is the highest in each row, (m,)."""
    # `max` takes a third of the time of `argmax`, which PyTorch does one by one; and of the bits,
    # read as whole numbers, half of that again. They are in the same order from zero up.
    bits = BITS.get(values.dtype) if values.device.type == "cpu" else None
    if bits is not None:
        most, found = values.view(bits).max(1)
        if bool((most >= 0).all()):
            return found
    return values.max(1).indices


@dataclass(frozen=True)
class _Part:
    """A region of the picture, as in `style.Region`, and the banks by layer of its styles."""

    mask: Tensor | None
    area: float
    banks: dict[str, Bank]


def pools_of(extractor: Extractor, layers: Iterable[str]) -> dict[str, int]:
    """The side of the means that are taken over the positions of ``layers``."""
    strides = {n: extractor.geometry[n].stride for n in layers if n in extractor.geometry}
    return {n: max(1, SPACING // strides.get(n, SPACING)) for n in layers}


class NearestPlaces(Term):
    """The distance of each place from the nearest place of the style, by layer as in ``weights``.

    The distance is 1 - cosine of the features, both less the mean of the style's; the loss is its
    mean over the places, in units of the photo's own. It is that half of the relaxed optimal
    transport of Kolkin et al. 2019 (STROTSS, arXiv 1904.12785, eq. 5) that is a sum over places:
    the other half, that every place of the style is used, is what the statistics see to. Unlike
    there, the places of a style are those of several `LOOKS` at it; ours count more where the photo
    stands out, as they do for the term that holds the ``photo``; places do not overlap: they are
    means over `SPACING` pixels, as single positions of a shallow layer take four times as long and
    leave a grain; those of the style are drawn once, by a seed; and the nearest are searched for at
    every third step only (Kolkin et al. 2022, NNST, arXiv 2203.13215, keep them for longer), so
    that a loss between two searches is an upper bound.

    Of several styles in a region each gives as many places as is its share, so that every place of
    the picture may look like any of them. ``photo`` is to be settled first; without it all places
    count alike. ``stripe`` is what this process holds of the picture; ``alpha`` (h, w) weighs the
    pixels seen, if given.
    """

    def __init__(
        self,
        extractor: Extractor,
        weights: Mapping[str, float],
        styles: Sequence[StyleTarget],
        stripe: Stripe,
        alpha: Tensor | None = None,
        photo: Content | None = None,
    ) -> None:
        super().__init__(extractor, pools_of(extractor, weights))
        self._weights, self._stripe, self._alpha, self._photo = weights, stripe, alpha, photo
        self.looks = LOOKS if weights else ()
        self.shares_styles = not weights  # which places are drawn depends on their order
        self._totals: dict[int, float] = {}
        for style in styles:
            key = id(style.region)
            self._totals[key] = self._totals.get(key, 0.0) + style.share
        self._drawn: list[tuple[StyleTarget, dict[str, list[Tensor]]]] = []
        self._own: dict[tuple[str, int], tuple[Mosaic, Mosaic]] = {}
        self._counts: dict[str, Tensor] = {}
        self._nearest: dict[tuple[str, int, int, int], tuple[int, Tensor]] = {}

    @cached_property
    def _parts(self) -> list[_Part]:
        found = []
        for region in regions(self._drawn, self._alpha, self._stripe):
            banks = {}
            for name in self._weights:
                places = torch.cat([part for drawn, _ in region.targets for part in drawn[name]], 1)
                banks[name] = Bank.of(places.T.contiguous(), self.extractor.units[name])
            found.append(_Part(region.mask, region.area, banks))
        return found

    def see_style(self, style: StyleTarget, found: Found, tile: Tile) -> None:
        """Draws places, each with a probability that depends on no tile."""
        if not (self._drawn and self._drawn[-1][0] is style):
            self._drawn.append((style, {n: [] for n in self._weights}))
        wanted = BANK * style.share / self._totals[id(style.region)]
        for name, kept in self._drawn[-1][1].items():
            features = self._features(name, found)
            size, (top, left) = (features.shape[-2], features.shape[-1]), (0, 0)
            height, width = size
            shown = features.new_ones(size, dtype=torch.float32)
            if style.alpha is not None:
                shown = self.weight(style.alpha / style.alpha.mean(), name, features, tile)
            if name in self.extractor.geometry:
                stride = self.stride(name)
                features, shown = tile.covered(features, stride), tile.covered(shown, stride)
                top, left = tile.rows.start // stride, tile.columns.start // stride
                height, width = (n // stride for n in style.image.shape[-2:])
            generator = torch.Generator().manual_seed(len(self._drawn))
            drawn = torch.rand((height, width), generator=generator)
            drawn = drawn[top : top + features.shape[-2], left : left + features.shape[-1]]
            chance = shown * (wanted / (height * width))
            kept.append(features[:, drawn.to(chance) < chance])

    def share_style(self, group: Group) -> None:
        """Puts the places in the order of the processes, whose stripes follow each other."""
        for kept in self._drawn[-1][1].values():
            ours = torch.cat(kept, 1).T.contiguous()
            every = group.total(*(len(ours) * (k == group.rank) for k in range(group.size)))
            ends = [int(sum(every[:k])) for k in range(group.size + 1)]
            have = [Rows(a, b) for a, b in pairwise(ends)]
            kept[:] = [group.rows(ours, have, [Rows(0, ends[-1])] * group.size).T]

    def see_content(self, found: Found, tile: Tile) -> None:
        """Keeps the photo's own distances and the weights of its places."""
        for name, number, values, weight in self._measured(found, tile):
            own = self._own.setdefault((name, number), (Mosaic(), Mosaic()))
            for mosaic, each in zip(own, (values, weight), strict=True):
                mosaic.put(tile, tile.covered(each, self.stride(name)))
        self._nearest.clear()

    def settle(self) -> None:
        """How much each place counts, and the factor of each layer in each region."""
        focus = None if self._photo is None else self._photo.whole_focus
        self._factors = {}
        for (name, number), own in self._own.items():
            stride = self.stride(name)
            distances, weight = (self._stripe.gathered(m.whole(), stride) for m in own)
            if focus is not None:
                # Strides differ only where no tiles are possible, or in networks not our own.
                size = (weight.shape[-2], weight.shape[-1])
                counts = F.interpolate(focus[None, None], size=size, mode="area")[0, 0]
                self._counts[name] = self._stripe.view_of(counts, stride)
                distances, weight = distances * counts, weight * counts
            unit = float(distances.sum(dtype=torch.float64))
            unit += NEAR * float(weight.sum(dtype=torch.float64))
            self._factors[name, number] = (
                self._weights[name] * self._parts[number].area / max(unit, TINY)
            )
        self._own.clear()

    def local(self, x: Tensor, found: Found, tile: Tile) -> list[Local]:
        """The distance of each place, in each region."""
        parts = []
        for name, number, values, _ in self._measured(found, tile):
            stride = self.stride(name)
            if name in self._counts:
                values = values * tile.seen(self._counts[name], stride)
            parts.append(Local(self._factors[name, number], values, stride))
        return parts

    def _measured(self, found: Found, tile: Tile) -> Iterator[tuple[str, int, Tensor, Tensor]]:
        """(layer, region, weighted distances, weights) of a tile's places."""
        for name in self._weights:
            features = exact(self._features(name, found))
            places, size = features.flatten(1).T, features.shape[1:]
            for number, part in enumerate(self._parts):
                bank = part.banks[name]
                key = name, number, tile.rows.start, tile.columns.start
                steps, nearest = self._nearest.get(key, (SEARCH, None))
                if nearest is None or steps >= SEARCH or len(nearest) != len(places):
                    steps, nearest = 0, bank.nearest(places)
                self._nearest[key] = steps + 1, nearest
                values = bank.distances(places, nearest).view(size)
                weight = torch.ones_like(values)
                if part.mask is not None:
                    weight = self.weight(part.mask, name, features, tile)
                yield name, number, values * weight, weight

    def _features(self, name: str, found: Found) -> Tensor:
        """A layer's features (C, h, w), in means as large as the spacing."""
        means = pooled(found[name], self.layers[name])
        return in_metric(only(means), self.extractor.metrics.get(name))
