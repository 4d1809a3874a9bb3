"""Quiet places: held less where the style has none that are as quiet.

Still water held as it is stays a photo in a picture of glass or of stones, which have lines
everywhere. Where a style has quiet places of its own, washes or bare paper, the photo's are held
as all else is, so that nothing is painted there that is not on it.

Only large scales hold them less: those lay lines, but what the small ones lay are motifs, and a
sky that is held less there gets the sun of a woodcut.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from styleengine.networks.extractor import OPEN, Wrap
from styleengine.scene.pyramid import resized
from styleengine.scene.scene import Scene, StyleTarget

VIEW = 256
"""Long side, in pixels, at which pictures are compared, so that all scales hold the same."""
FROM = 400
"""Long side of the scales from which on anything is held less."""
AROUND = 21 / 256
"""How far around a place is looked for edges, of the long side: about as far as relu4_2 sees."""
CALM, RESTLESS = 0.085, 0.1
"""Activity of a style's quietest places up to which nothing is held less, and from which all of it
is. Paintings, pastels and washes have 0.02 to 0.082, glass, mosaics, woodcuts and cut paper 0.1 to
0.14."""
PART = 0.1
"""The share of a style's places that are its quietest."""
LEAST = 0.4
"""How much is held of what has no activity at all."""
TINY = 1e-6


def at_scale(scene: Scene, scale: int) -> Tensor | None:
    """How far each place of the content is held at a scale, (h, w), 0–1; None where all is."""
    wrap, wanted = scene.plan.wrap, scene.plan.sizes[scale]
    if max(wanted) < FROM:
        return None
    content = scene.seen(scene.small(VIEW))
    size = content.shape[-2], content.shape[-1]
    found = firmness(content, scene.targets_at(size), wrap)
    if found is None:
        return None
    return resized(found[None, None], wanted, wrap)[0, 0].clamp_(0, 1)


def firmness(content: Tensor, styles: Sequence[StyleTarget], wrap: Wrap = OPEN) -> Tensor | None:
    """How far each place of the ``content`` (1, 3, h, w) is held, (h, w), `LEAST` to 1.

    That is its activity over what the styles' quietest places have; None where it is 1 everywhere,
    as for styles that have quiet places. The content, sRGB-encoded, 0–1, and the ``styles`` are as
    large as they are shown together; ``wrap`` tells along which axes the content closes.
    """
    size = content.shape[-2], content.shape[-1]
    weighted, covered = content.new_zeros(size), content.new_zeros(size)
    for style in styles:
        weight = style.share if style.region is None else style.share * style.region
        weighted += weight * _quietest(style, max(size))
        covered += weight
    asked = weighted / covered.clamp_min(TINY)
    restless = ((asked - CALM) / (RESTLESS - CALM)).clamp(0, 1)
    if not float(restless.max()) > 0:
        return None
    held = (activity(content, max(size), wrap) / asked.clamp_min(CALM)).clamp(LEAST, 1)
    return torch.lerp(torch.ones_like(held), held, restless)


def activity(image: Tensor, long_side: int, wrap: Wrap = OPEN) -> Tensor:
    """How much (1, 3, h, w) changes around each place: root mean square of the steps, (h, w).

    Steps are those from pixel to pixel of means over 3 × 3, over all colours; ``long_side`` is the
    content's.
    """
    soft = F.avg_pool2d(_continued(image, 1, wrap), 3, 1)
    beyond = _continued(soft, 1, wrap)[..., 1:, 1:]
    across, down = beyond[..., :-1, 1:] - soft, beyond[..., 1:, :-1] - soft
    steps = (across.square() + down.square()).sum(1, keepdim=True)
    reach = max(1, round(AROUND * long_side))
    for axis, closes in zip((-2, -1), wrap, strict=True):
        steps = _means(steps, reach, axis, closes)
    return steps[0, 0].clamp_min(0).sqrt()


def _quietest(style: StyleTarget, long_side: int) -> float:
    """The activity that a style's quietest places stay below; 0 where nothing of it is seen."""
    found = activity(style.image, long_side)
    shown = found.flatten() if style.alpha is None else found[style.alpha >= 0.5]
    return float(shown.quantile(PART)) if len(shown) else 0.0


def _means(values: Tensor, reach: int, axis: int, closes: bool) -> Tensor:
    """Means of (1, 1, h, w) over ``reach`` either way of an axis, as far as that goes."""
    wide, beyond = [1, 1], [0, 0]
    wide[axis] = 2 * reach + 1
    if closes:
        values = _continued(values, reach, (axis == -2, axis == -1), (axis,))
    else:
        beyond[axis] = reach
    return F.avg_pool2d(values, tuple(wide), 1, tuple(beyond), count_include_pad=False)


def _continued(values: Tensor, by: int, wrap: Wrap, axes: Sequence[int] = (-2, -1)) -> Tensor:
    """(1, C, h, w) with ``by`` more at both ends of the ``axes``: the other end, or the outermost
    over again."""
    for axis in axes:
        closes, length = wrap[axis], values.shape[axis]
        at = torch.arange(-by, length + by, device=values.device)
        at = at % length if closes else at.clamp(0, length - 1)
        values = values.index_select(axis, at)
    return values
