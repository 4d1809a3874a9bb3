"""What is asked of a job before anything is painted."""

from __future__ import annotations

import numpy as np

from styleengine.jobs import Job, Spot
from styleengine.pictures.picture import Picture, require_usable
from styleengine.plugins.registry import Plugins
from styleengine.protocol import EngineError, Settings


def check(job: Job, plugins: Plugins) -> None:
    """Raises the `EngineError` for a job that cannot be painted."""
    require_usable(job.content, "content")
    if not job.styles:
        raise EngineError("no-style", "No style picture was given.", "Choose a style picture.")
    for style in job.styles:
        require_usable(style.picture, "style")
        if not (np.isfinite(style.weight) and style.weight > 0):
            raise EngineError("bad-setting", "The weight of a style must be above zero.")
    classic = job.settings.preset == "classic"
    if classic and len(job.styles) > 1:
        raise EngineError(
            "bad-setting",
            "The classic method takes one style picture.",
            "Choose the quality Fast or Best to blend several styles.",
        )
    if job.settings.style_loss != "auto":
        plugins.style_loss(job.settings.style_loss)
    masks = [style.mask for style in job.styles if style.mask is not None]
    if masks and classic:
        raise EngineError(
            "bad-setting",
            "The classic method paints one style everywhere.",
            "Choose the quality Fast or Best to paint styles in regions.",
        )
    if not all(is_mask(mask) for mask in masks):
        raise EngineError("bad-setting", "The mask of a style must be a gray picture.")
    if job.hold is not None and classic:
        raise EngineError(
            "bad-setting",
            "The classic method holds nothing of the photo.",
            "Choose the quality Fast or Best to hold parts of it.",
        )
    if job.settings.brush_mm and job.content.about.dpi is None and not classic:
        raise EngineError(
            "bad-setting",
            "The photo does not say how large it is printed, by which a brush in millimetres goes.",
            "Say its resolution (--dpi), or give the brush size in per cent.",
        )
    if job.settings.wrap != "none" and classic:
        raise EngineError(
            "bad-setting",
            "The classic method closes no edges.",
            "Choose the quality Fast or Best for edges that meet.",
        )
    if job.hold is not None and not is_mask(job.hold):
        raise EngineError("bad-setting", "The mask of what is held must be a gray picture.")
    if job.spot is not None:
        _check_spot(job.spot, job.content, classic)
    for name in postprocessors(job.settings):
        plugins.postprocessor(name)


def _check_spot(spot: Spot, content: Picture, classic: bool) -> None:
    if classic:
        raise EngineError(
            "bad-setting",
            "The classic method paints a picture as a whole only.",
            "Choose the quality Fast or Best to look at a spot.",
        )
    left, top, width, height = spot.area
    inside = left >= 0 and top >= 0 and width > 0 and height > 0
    inside = inside and left + width <= spot.width and top + height <= spot.height
    if not inside or not (0 < spot.size[0] <= width and 0 < spot.size[1] <= height):
        raise EngineError("protocol", "The spot does not lie in the picture.")
    if spot.part is not None:
        require_usable(spot.part.picture, "content")
    elif (content.width, content.height) != spot.whole:
        raise EngineError("protocol", "Of a large picture the spot is missing.")


def postprocessors(settings: Settings) -> list[str]:
    """The names in ``settings.postprocess``."""
    return [n.strip() for n in settings.postprocess.split(",") if n.strip()]


def is_mask(mask: np.ndarray) -> bool:
    """Whether an array can be the mask of a style, or of what is held: finite numbers (h, w)."""
    return mask.ndim == 2 and mask.size > 0 and bool(np.isfinite(mask).all())
