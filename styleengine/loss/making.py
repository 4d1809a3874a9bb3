"""The loss of a scale, from what the run shows and what its plan asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from torch import Tensor

from styleengine.loss.classic import ClassicObjective
from styleengine.loss.objective import Objective
from styleengine.loss.painting import PaintObjective
from styleengine.loss.style_losses import StyleLoss
from styleengine.networks.extractor import Extractor
from styleengine.planning.recipes import Classic
from styleengine.scene.scene import Scene
from styleengine.scene.style_pictures import StyleTarget
from styleengine.together.stripe import Seen, Stripe


def objective_of(
    scene: Scene,
    scale: int,
    extractor: Extractor,
    style_loss: StyleLoss,
    side: int | None = None,
    stripe: Stripe | None = None,
) -> Objective:
    """The loss of a scene at a scale, computed in tiles of ``side`` if that is given.

    ``stripe`` is what this process holds of the picture, None for the whole.
    """
    plan, method = scene.plan, scene.plan.methods[scale]
    factors = plan.content_factor, plan.tv_factor
    if isinstance(method, Classic):
        # The notebook squashes the style to the content's shape.
        content, style = scene.content(scale), scene.styles[0].image(plan.sizes[scale])
        return ClassicObjective(extractor, method, content, style, *factors, side=side)
    targets, alpha = scene.targets(scale), scene.alpha_at(scale)
    hold = scene.hold(scale) if method.hold else None
    faces = scene.held_faces(scale) if method.faces else None
    steady = None if scene.followed is None else scene.followed.at(scene.content(scale))
    if stripe is not None:

        def seen(mask: Tensor | None) -> Tensor | None:
            return None if mask is None else stripe.view(mask)

        targets = seen_of(targets, seen)
        alpha, hold, faces = (seen(mask) for mask in (alpha, hold, faces))
        steady = None if steady is None else (stripe.view(steady[0]), stripe.view(steady[1]))
    held = stripe or Stripe.whole(plan.sizes[scale])
    shown: Tensor | Seen | None = None
    if hold is None and faces is None:
        shown = scene.content_by_rows(scale, held.seen.start)
    if shown is None:
        shown = scene.content(scale) if stripe is None else scene.content_rows(scale, held.seen)
    return PaintObjective(
        extractor,
        method,
        style_loss,
        shown,
        targets,
        alpha,
        *factors,
        side=side,
        hold=hold,
        faces=faces,
        wrap=plan.wrap,
        stripe=held,
        steady=steady,
    )


def seen_of(
    targets: Sequence[StyleTarget], cut: Callable[[Tensor | None], Tensor | None]
) -> list[StyleTarget]:
    """``targets`` with what ``cut`` gives of their regions; those of one region still have the
    same."""
    regions = {id(t.region): t.region for t in targets}
    seen = {key: cut(region) for key, region in regions.items()}
    return [dataclasses.replace(t, region=seen[id(t.region)]) for t in targets]
