"""What spots ask for that is the same for all of a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from torch import Tensor

from styleengine.loss.painting import PaintObjective
from styleengine.loss.spot import Course, Units
from styleengine.loss.squares import Seen, squares
from styleengine.loss.style_losses import StyleLoss
from styleengine.networks.extractor import Extractor
from styleengine.planning.recipes import Recipe
from styleengine.planning.spots import Area, Size
from styleengine.scene.scene import Scene, SceneStyle
from styleengine.scene.windows import Window, part

Piece = tuple[Tensor, Tensor | None]
AROUND = 16
"""Pixels around a square that what is enlarged is known of."""


def courses_of(
    scene: Scene,
    scale: int,
    extractor: Extractor,
    recipe: Recipe,
    loss: StyleLoss,
    start: Callable[[], Tensor] | None,
) -> list[Course]:
    """The courses of the styles at a scale.

    ``start`` gives the picture (1, 3, h, w) that the scale begins with. Where that is not known as
    a whole, it is taken to be like the style there: as the style is when it has been made as small
    as the picture was and enlarged, since the scale before had the style's statistics, nearly.
    """
    size, before = scene.plan.sizes[scale], scene.plan.sizes[scale - 1]
    targets, alpha = scene.targets_at(size, max(scene.plan.sizes[0])), None
    plain = dataclasses.replace(recipe, near_layers={})
    begun: dict[int, Seen] = {}
    picture = None if start is None else start()
    if picture is not None:
        alpha = scene.alpha_at(scale)
    found = []
    for style, target in zip(scene.styles, targets, strict=True):
        own = style.size(max(size))
        areas = squares(own)
        pieces = style.parts(own, areas)
        known = Seen.of(extractor, recipe, loss, pieces)
        if picture is None:
            growth = max(size) / max(before)
            blurred = _enlarged(style, own, areas, growth, pieces)
            first = Seen.of(extractor, plain, loss, blurred)
        else:
            key = id(target.region)
            if key not in begun:
                mask = _together(target.region, alpha)
                begun[key] = Seen.of(extractor, plain, loss, _cut(picture, mask))
            first = begun[key]
        found.append(Course(known, first.moments))
    return found


def units_of(
    scene: Scene, small: int, extractor: Extractor, recipe: Recipe, loss: StyleLoss
) -> Units:
    """What the terms of ``recipe`` are measured in, seen at the scale ``small``."""
    seen = dataclasses.replace(recipe, near_layers={}, hold={}, faces={})
    content, alpha = scene.content(small), scene.alpha_at(small)
    return Units.of(PaintObjective(extractor, seen, loss, content, scene.targets(small), alpha))


def _cut(picture: Tensor, mask: Tensor | None) -> list[Piece]:
    areas = squares((picture.shape[-2], picture.shape[-1]))
    return [(part(picture, a), None if mask is None else part(mask, a)) for a in areas]


def _together(region: Tensor | None, alpha: Tensor | None) -> Tensor | None:
    if region is None or alpha is None:
        return alpha if region is None else region
    return region * alpha


def _enlarged(
    style: SceneStyle, size: Size, areas: list[Area], growth: float, sharp: list[Piece]
) -> list[Piece]:
    """The ``areas`` of a style of ``size`` as they look enlarged ``growth`` times, with the alpha
    that the ``sharp`` ones have."""
    small = max(1, round(size[0] / growth)), max(1, round(size[1] / growth))
    wider = [area.scaled(size, small).grown(AROUND, small) for area in areas]
    found = []
    for area, own, (image, _), (_, alpha) in zip(
        areas, wider, style.parts(small, wider), sharp, strict=True
    ):
        window = Window(image, small, own.top, own.left).at(size, area)
        found.append((window.image.clamp(0, 1), alpha))
    return found
