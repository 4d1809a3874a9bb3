"""The loss of a spot of a picture of which nothing else is painted.

A style's statistics are asked of the whole picture: a spot by itself would be driven to all of
them, a sky to the style's darks. But what a larger scale has to add is known beforehand: the
scale before had the style's statistics, nearly, and was enlarged, so that what is missing now is
what the style has and lacks when it is made as small and enlarged (`Course`). The spot is pulled by
that, as every place of the picture is, until it has changed along it by as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import torch
from torch import Tensor

from styleengine.loss.maps import layer_weight
from styleengine.loss.moments import Moments
from styleengine.loss.objective import Evaluation, derivatives, gradient_by
from styleengine.loss.painting import PaintObjective, style_layers
from styleengine.loss.statistics import measure_of
from styleengine.loss.style import BAND_LOSS, StyleStatistics, regions
from styleengine.loss.style_losses import StyleLoss
from styleengine.loss.term import Found, Key, add
from styleengine.networks.extractor import Extractor
from styleengine.networks.finest_band import BAND
from styleengine.planning.recipes import Recipe
from styleengine.planning.tiling import Tile
from styleengine.scene.resample import resize
from styleengine.scene.scene import StyleTarget
from styleengine.together.stripe import Stripe

TILE, TILES = 160, 12
"""Side of the squares of a style that are looked at, and about how many: the changes are found by
comparing the same places, so that a few tell what all would."""
LEAST, MOST = (0.0, 0.4, 0.9), 1.6
"""How far the picture has gone along the course at least, step by step, and at most: a spot that
has little of what changes goes less far, and would be driven on alone."""
TINY = 1e-12
ENDS = (attrgetter("blurred"), attrgetter("sharp"))


@dataclass(frozen=True)
class Course:
    """Where the statistics of a picture go at a scale, by layer: ``sharp`` are the style's, and
    ``blurred`` those of the style enlarged as the picture was; both per position."""

    sharp: Mapping[Key, Moments]
    blurred: Mapping[Key, Moments]

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        extractor: Extractor,
        recipe: Recipe,
        loss: StyleLoss,
        image: Tensor,
        growth: float,
        alpha: Tensor | None = None,
    ) -> Course:
        """That of a style (1, 3, h, w) at a scale ``growth`` times as large as the one before;
        ``alpha`` (h, w), if any, weighs its pixels."""
        extractor, layers = style_layers(recipe, extractor)
        height, width = image.shape[-2:]
        small = max(1, round(height / growth)), max(1, round(width / growth))
        enlarged = resize(resize(image, small), (height, width))
        found = []
        for seen in (image, enlarged):
            sums: dict[Key, Moments] = {}
            for rows, columns in _squares(height, width):
                features = extractor(seen[..., rows, columns])
                for name in layers:
                    measure = measure_of(
                        BAND_LOSS if name == BAND else loss,
                        extractor.units[name],
                        extractor.metrics.get(name),
                    )
                    weight = None
                    if alpha is not None:
                        own = (features[name].shape[-2], features[name].shape[-1])
                        weight = layer_weight(alpha[rows, columns], own)
                    add(sums, (name, 0), measure.of(features[name], weight))
            found.append({key: _mean(value) for key, value in sums.items()})
        return cls(*found)


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
        self._styles = [(style, dict(course.sharp)) for style, course in styles]
        self._ways = [
            tuple(
                _blend([(end(course), share) for course, share in region.targets]) for end in ENDS
            )
            for region in regions(styles, alpha, stripe)
        ]
        self._begun: dict[Key, Tensor] = {}
        self._steps = 0

    def pulls(self, found: Found, tile: Tile) -> tuple[float, dict[str, Tensor]]:
        """The distances from the styles of a picture that has gone along the course as far as the
        spot has, and the gradient of their sum by the spot's features."""
        least = LEAST[min(self._steps, len(LEAST) - 1)]
        self._steps += 1
        ours: dict[Key, Moments] = {}
        counts: dict[Key, Tensor] = {}
        with torch.no_grad():
            own: Mapping[Key, Moments] = self.statistics(found, tile, covered=False)  # type: ignore
        for key, value in own.items():
            blurred, sharp = (end[key[0], 0] for end in self._ways[key[1]])
            counts[key], now = value.count, _mean(value).outer
            way, gone = sharp.outer - blurred.outer, now - self._begun.setdefault(key, now)
            far = float((gone * way).sum() / way.square().sum().clamp_min(TINY))
            far = min(MOST, max(least, far))
            pairs = zip(blurred.tensors(), sharp.tensors(), strict=True)
            ours[key] = sharp.like([torch.lerp(a, b, far) for a, b in pairs])
        distance, by = derivatives(self.of_statistics, ours)
        below: dict[str, Tensor] = {}
        for key, slope in by.items():
            share = slope.like([slope / counts[key] for slope in slope.tensors()])
            add(below, key[0], self.pull(key, share, found[key[0]], tile))
        return distance, below


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
        firm: Tensor | None = None,
    ) -> None:
        """``content`` is (1, 3, h, w), ``alpha``, ``hold``, ``faces`` and ``firm`` (h, w) as it;
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
            firm=firm,
            style=style,
        )

    def evaluate(self, image: Tensor, dtype: torch.dtype | None = None) -> Evaluation:
        """As in `Objective`, in one piece."""
        (tile,) = self.tiles
        x = image.detach().requires_grad_()
        found = self.extractor(x)
        local = x.new_zeros(())
        for part in (part for term in self.terms for part in term.local(x, found, tile)):
            local = local + part.factor * part.values.sum()
        value, below = self.style.pulls(found, tile)
        gradient = gradient_by(x, local, found, below)
        yield 1.0
        return value + float(local.detach()), self._visible(gradient.contiguous())


def _squares(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of squares evenly over a picture; all of it, if it is not much larger."""
    if height * width <= 1.3 * TILES * TILE**2:
        yield slice(height), slice(width)
        return
    columns = max(1, round((TILES * width / height) ** 0.5))
    rows = max(1, round(TILES / columns))
    for row in range(rows):
        for column in range(columns):
            top = max(0, min(height - TILE, round((row + 0.5) / rows * height - TILE / 2)))
            left = max(0, min(width - TILE, round((column + 0.5) / columns * width - TILE / 2)))
            yield slice(top, top + TILE), slice(left, left + TILE)


def _mean(sums: Moments) -> Moments:
    """Moments per position."""
    return sums.like([part / sums.count for part in sums.tensors()])


def _blend(parts: Sequence[tuple[Mapping[Key, Moments], float]]) -> dict[Key, Moments]:
    """The weighted mean of moments per position."""
    found = {}
    for key in parts[0][0]:
        shares = [[tensor * share for tensor in part[key].tensors()] for part, share in parts]
        found[key] = Moments(*(torch.stack(each).sum(0) for each in zip(*shares, strict=True)))
    return found
