"""Where faces are held: soft masks around eyes and mouths, and a weaker one over the face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from styleengine.networks.faces import Face

PARTS, FACE = 0.25, 0.03
"""How far eyes and mouth are held, and the face around them, 0–1. More, and they look cut out of
the photo; the face itself needs hardly any, as deep layers see it beside the eyes."""
GONE, THERE = 16.0, 32.0
"""Heights of a face, in pixels, up to which nothing of it is held, and from which all."""


def of_faces(faces: Sequence[Face], size: tuple[int, int]) -> Tensor | None:
    """How far each place of a picture of ``size`` (h, w) is held for its faces, (h, w), 0–1.

    None where no face is large enough for eyes to be painted.
    """
    height, width = size
    mask: np.ndarray | None = None
    y, x = np.mgrid[0.5:height, 0.5:width].astype(np.float32)
    for face in faces:
        tall = (face.box[3] - face.box[1]) * height
        share = float(np.clip((tall - GONE) / (THERE - GONE), 0, 1))
        if not share:
            continue
        held = share * _face(face, x, y, width, height)
        mask = held if mask is None else np.maximum(mask, held)
    return None if mask is None else torch.from_numpy(mask)


def _face(face: Face, x: np.ndarray, y: np.ndarray, width: int, height: int) -> np.ndarray:
    unit = np.array([width, height], np.float32)
    eyes, mouth = np.array(face.eyes) * unit, np.array(face.mouth) * unit
    brow, lips = eyes.mean(0), mouth.mean(0)
    down = lips - brow
    apart = max(float(np.linalg.norm(eyes[1] - eyes[0])), 0.5 * float(np.linalg.norm(down)), 1.0)
    across = eyes[1] - eyes[0]
    angle = np.arctan2(across[1], across[0]) if np.linalg.norm(across) > 0.2 * apart else 0.0

    def spot(middle: np.ndarray, wide: float, tall: float) -> np.ndarray:
        """1 inside an ellipse of those half axes, falling to 0 at half as much again."""
        dx, dy = x - middle[0], y - middle[1]
        u = (dx * np.cos(angle) + dy * np.sin(angle)) / wide
        v = (dy * np.cos(angle) - dx * np.sin(angle)) / tall
        return np.asarray(np.clip((1.5 - np.hypot(u, v)) / 0.5, 0, 1))

    parts = [spot(e, 0.32 * apart, 0.24 * apart) for e in eyes]
    parts.append(
        spot(lips, 0.5 * float(np.linalg.norm(mouth[1] - mouth[0])) + 0.12 * apart, 0.26 * apart)
    )
    middle = brow + 0.45 * down
    whole = spot(middle, 0.95 * apart, 1.25 * apart)
    held = np.maximum(FACE * whole, PARTS * np.maximum.reduce(parts))
    return np.asarray(held, np.float32)
