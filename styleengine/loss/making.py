"""The loss of a scale, from what the run shows and what its plan asks for."""

from __future__ import annotations

from styleengine.loss.classic import ClassicObjective
from styleengine.loss.objective import Objective
from styleengine.loss.painting import PaintObjective
from styleengine.loss.style_losses import StyleLoss
from styleengine.networks.extractor import Extractor
from styleengine.planning.recipes import Classic
from styleengine.scene.scene import Scene


def objective_of(
    scene: Scene, scale: int, extractor: Extractor, style_loss: StyleLoss, side: int | None = None
) -> Objective:
    """The loss of a scene at a scale, computed in tiles of ``side`` if that is given."""
    plan, content, method = scene.plan, scene.content(scale), scene.plan.methods[scale]
    factors = plan.content_factor, plan.tv_factor
    if isinstance(method, Classic):
        # The notebook squashes the style to the content's shape.
        style = scene.styles[0].image(plan.sizes[scale])
        return ClassicObjective(extractor, method, content, style, *factors, side=side)
    return PaintObjective(
        extractor,
        method,
        style_loss,
        content,
        scene.targets(scale),
        scene.alpha_at(scale),
        *factors,
        side=side,
        hold=scene.hold(scale) if method.hold else None,
        faces=scene.held_faces(scale) if method.faces else None,
        wrap=plan.wrap,
    )
