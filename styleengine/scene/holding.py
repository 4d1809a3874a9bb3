"""Where faces are held: soft masks around eyes and mouths, and a weaker one over the face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from styleengine.networks.faces import Face

PARTS, FACE = 1.0, 0.12
"""How far eyes and mouth are held, and the face around them, which needs hardly any: deep layers
see it beside the eyes."""
BLUR = 1.5
"""How far ellipses fall off: all within them is held, at this multiple of their axes nothing."""
GONE, THERE = 16.0, 32.0
"""Heights of a face, in pixels, up to which nothing of it is held, and from which all."""
SMALL, MOST = 64.0, 2.0
"""Height of a face below which it is held more, and how much at most: of a small one few positions
tell, between many that ask for the style."""
LARGE, LEAST = 96.0, 0.25
"""Height of a face above which it is held less, and how little at least: a large one keeps its eyes
from the scales before, and shall show the brush."""


def of_faces(faces: Sequence[Face], size: tuple[int, int]) -> Tensor | None:
    """How far each place of a picture of ``size`` (h, w) is held for its faces, (h, w), 0–`MOST`.

    None where no face is large enough for eyes to be painted.
    """
    mask: np.ndarray | None = None
    for face in faces:
        tall = (face.box[3] - face.box[1]) * size[0]
        weight = float(np.clip((tall - GONE) / (THERE - GONE), 0, 1))
        if weight:
            weight *= float(np.clip(SMALL / tall, 1, MOST) * np.clip(LARGE / tall, LEAST, 1))
            mask = np.zeros(size, np.float32) if mask is None else mask
            _draw(mask, face, weight)
    return None if mask is None else torch.from_numpy(mask)


def _draw(mask: np.ndarray, face: Face, weight: float) -> None:
    """Adds a face to the mask, where it is more than what is there."""
    height, width = mask.shape
    unit = np.array([width, height])
    eyes, mouth = np.array(face.eyes) * unit, np.array(face.mouth) * unit
    brow, lips = eyes.mean(0), mouth.mean(0)
    across, down = eyes[1] - eyes[0], lips - brow
    # Of a face in profile the eyes are next to each other.
    apart = max(float(np.hypot(*across)), 0.5 * float(np.hypot(*down)), 1.0)
    angle = float(np.arctan2(across[1], across[0])) if np.hypot(*across) > 0.2 * apart else 0.0
    wide = 0.5 * float(np.hypot(*(mouth[1] - mouth[0]))) + 0.12 * apart
    ellipses = [(e, 0.32 * apart, 0.24 * apart, PARTS) for e in eyes]
    ellipses += [(lips, wide, 0.26 * apart, PARTS)]
    ellipses += [(brow + 0.45 * down, 0.95 * apart, 1.25 * apart, FACE)]
    for middle, along, beside, held in ellipses:
        reach = BLUR * max(along, beside) + 1
        left, top = (max(0, int(v - reach)) for v in middle)
        right, bottom = (max(0, int(v + reach) + 1) for v in middle)
        part = mask[top:bottom, left:right]
        y, x = np.mgrid[: part.shape[0], : part.shape[1]] + 0.5
        dx, dy = x + left - middle[0], y + top - middle[1]
        u = (dx * np.cos(angle) + dy * np.sin(angle)) / along
        v = (dy * np.cos(angle) - dx * np.sin(angle)) / beside
        inside = np.clip((BLUR - np.hypot(u, v)) / (BLUR - 1), 0, 1)
        np.maximum(part, weight * held * inside, out=part, casting="same_kind")
