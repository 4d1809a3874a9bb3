"""The loss of a spot of a picture of which nothing else is painted.

A style's statistics are asked of the whole picture: a spot by itself would be driven to all of
them, a sky to the style's darks. But those of the whole are nearly known: with which ones it begins
at a scale can be seen beforehand (`Course`), and from there on they change about as the spot's do.
So the spot is pulled as that place of the whole picture would be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from styleengine.loss.content import Content
from styleengine.loss.moments import Moments
from styleengine.loss.nearest import BANK, NearestPlaces
from styleengine.loss.painting import PaintObjective, style_layers
from styleengine.loss.places import outer_loss, parts_of
from styleengine.loss.slopes import derivatives, gradient_by
from styleengine.loss.squares import Seen, per_position
from styleengine.loss.style import StyleStatistics, regions
from styleengine.loss.style_losses import StyleLoss
from styleengine.loss.term import Found, Key, add
from styleengine.loss.tiled import Evaluation
from styleengine.networks.extractor import Extractor
from styleengine.planning.recipes import Recipe
from styleengine.planning.tiling import Tile
from styleengine.scene.style_pictures import StyleTarget
from styleengine.together.stripe import Stripe


@dataclass(frozen=True)
class Course:
    """What a ``style`` asks of a picture at a scale, and the moments per position, by layer, with
    which the picture ``begun`` there, in the style's region."""

    style: Seen
    begun: Mapping[Key, Moments]


@dataclass(frozen=True)
class Units:
    """What the terms of a whole picture are measured in, seen at a smaller scale: a spot's own
    would be those of its few colours and shapes."""

    style: Mapping[Key, float]
    variance: float

    @classmethod
    def of(cls, objective: PaintObjective) -> Units:
        """Those of the loss of the whole picture."""
        return cls(objective.style.units, objective.photo.variance)

    def give(self, objective: PaintObjective) -> None:
        """Has the loss of a spot measured in them."""
        if objective.style.units.keys() == self.style.keys():
            objective.style.units = dict(self.style)
        objective.photo.variance = self.variance


class CourseStyle(StyleStatistics):
    """The term of ``styles`` whose courses are known.

    ``alpha`` (h, w), if given, weighs the pixels of the spot, which is all of the ``stripe``.
    """

    def __init__(
        self,
        extractor: Extractor,
        weights: Mapping[str, float],
        loss: StyleLoss,
        stripe: Stripe,
        alpha: Tensor | None,
        styles: Sequence[tuple[StyleTarget, Course]],
    ) -> None:
        super().__init__(extractor, weights, loss, stripe, alpha)
        self._styles = [(style, dict(course.style.moments)) for style, course in styles]
        self._whole = [
            _blend([(course.begun, share) for course, share in region.targets])
            for region in regions(styles, alpha, stripe)
        ]
        self._begun: dict[Key, Moments] = {}

    def pulls(self, found: Found, tile: Tile) -> tuple[float, dict[str, Tensor]]:
        """The distances from the styles of a picture that has changed as the spot has, and the
        gradient of their sum by the spot's features."""
        ours: dict[Key, Moments] = {}
        counts: dict[Key, Tensor] = {}
        with torch.no_grad():
            own: Mapping[Key, Moments] = self.statistics(found, tile, covered=False)  # type: ignore
        for key, value in own.items():
            counts[key], now = value.count, per_position(value)
            begun = self._begun.setdefault(key, now)
            whole = self._whole[key[1]][key[0], 0]
            sums = zip(whole.tensors(), now.tensors(), begun.tensors(), strict=True)
            ours[key] = whole.like([a + (b - c) for a, b, c in sums])
        distance, by = derivatives(self.of_statistics, ours)
        below: dict[str, Tensor] = {}
        for key, slope in by.items():
            share = slope.like([slope / counts[key] for slope in slope.tensors()])
            add(below, key[0], self.pull(key, share, found[key[0]], tile))
        return distance, below


class KnownPlaces(NearestPlaces):
    """`NearestPlaces` of ``styles`` of which places are known."""

    def __init__(
        self,
        extractor: Extractor,
        weights: Mapping[str, float],
        stripe: Stripe,
        alpha: Tensor | None,
        photo: Content,
        styles: Sequence[tuple[StyleTarget, Course]],
    ) -> None:
        super().__init__(extractor, weights, (), stripe, alpha, photo)
        total = self._totals
        for style, _ in styles:
            total[id(style.region)] = total.get(id(style.region), 0.0) + style.share
        for style, course in styles:
            count = max(1, round(BANK * style.share / total[id(style.region)]))
            drawn = {name: [course.style.places[name][:, :count]] for name in weights}
            self._drawn.append((style, drawn))


class SpotObjective(PaintObjective):
    """The loss of a spot, (1, 3, h, w), as a part of the picture that it lies in.

    Its value is not that of any function of the spot alone; its gradient is what the spot's part of
    the whole picture's would be, times the picture's pixels over the spot's.
    """

    style: CourseStyle

    def __init__(
        self,
        extractor: Extractor,
        recipe: Recipe,
        style_loss: StyleLoss,
        content: Tensor,
        styles: Sequence[tuple[StyleTarget, Course]],
        alpha: Tensor | None,
        factors: tuple[float, float],
        hold: Tensor | None = None,
        faces: Tensor | None = None,
    ) -> None:
        """``content`` is (1, 3, h, w), ``alpha``, ``hold`` and ``faces`` (h, w) as it;
        ``factors`` are those of content and smoothness."""
        seen, layers = style_layers(recipe, extractor)
        stripe = Stripe.whole((content.shape[-2], content.shape[-1]))
        style = CourseStyle(seen, layers, style_loss, stripe, alpha, styles)
        super().__init__(
            extractor,
            recipe,
            style_loss,
            content,
            [style for style, _ in styles],
            alpha,
            *factors,
            hold=hold,
            faces=faces,
            style=style,
            places=lambda near, photo: KnownPlaces(seen, near, stripe, alpha, photo, styles),
        )

    def evaluate(
        self, image: Tensor, dtype: torch.dtype | None = None, *, slope: bool = True
    ) -> Evaluation:
        """As in `Objective`, in one piece, with the gradient in any case."""
        (tile,) = self.tiles
        x = image.detach().requires_grad_()
        found = self.extractor(x)
        local = outer_loss(parts_of(self.terms, x, found, tile), x)
        value, below = self.style.pulls(found, tile)
        gradient = gradient_by(x, local, found, below)
        yield 1.0
        return value + float(local.detach()), self._visible(gradient.contiguous())


def _blend(parts: Sequence[tuple[Mapping[Key, Moments], float]]) -> dict[Key, Moments]:
    """The weighted mean of moments per position."""
    found = {}
    for key in parts[0][0]:
        shares = [[tensor * share for tensor in part[key].tensors()] for part, share in parts]
        found[key] = Moments(*(torch.stack(each).sum(0) for each in zip(*shares, strict=True)))
    return found
