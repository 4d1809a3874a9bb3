"""Outside of every region the photo stays as it is, bit for bit; at soft borders it is blended."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from styleengine.scene import resample


def coverage(masks: list[Tensor | None]) -> Tensor | None:
    """Where anything is painted: the sum of ``masks`` (1, 1, h, w), 0–1; None for everywhere.

    A style without a mask is painted wherever no mask is, so that nothing is left out then. Masks
    of several sizes are brought to the largest.
    """
    given = [mask for mask in masks if mask is not None]
    if not given or len(given) < len(masks):
        return None
    height, width = (max(mask.shape[at] for mask in given) for at in (-2, -1))
    total = given[0].new_zeros(1, 1, height, width)
    for mask in given:
        total += _scaled(mask, (height, width))
    return total.clamp_(0, 1)


def _scaled(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Linear, so that nothing rings: what is 0 all around stays 0."""
    if tuple(mask.shape[-2:]) == size:
        return mask
    return F.interpolate(mask, size=size, mode="bilinear", align_corners=False, antialias=True)


def keep(
    full: np.ndarray,
    content: np.ndarray,
    covered: Tensor | None,
    top: int = 0,
    height: int | None = None,
) -> None:
    """Puts ``content`` (H, W, 3) back into ``full`` (H, W, 3) where `coverage` is 0, in place.

    Both may be rows from ``top`` on of a picture of that ``height``.
    """
    if covered is None:
        return
    count, width = full.shape[:2]
    height = count if height is None else height
    if covered.shape[-2] > height or covered.shape[-1] > width:
        smaller = min(covered.shape[-2], height), min(covered.shape[-1], width)
        covered = _scaled(covered, smaller)
    for y in range(0, count, resample.STRIP_ROWS):
        rows = slice(y, min(y + resample.STRIP_ROWS, count))
        share = _rows(covered, (height, width), top + y, rows.stop - y)
        full[rows] = share * full[rows] + (1 - share) * content[rows]


def _rows(covered: Tensor, size: tuple[int, int], y: int, rows: int) -> np.ndarray:
    """Rows of ``covered`` at ``size``, (rows, W, 1)."""
    if tuple(covered.shape[-2:]) == size:
        return covered[0, 0, y : y + rows, :, None].cpu().numpy()
    height, width = size
    ys = (torch.arange(y, y + rows, dtype=torch.float32) + 0.5) * (2 / height) - 1
    xs = (torch.arange(width, dtype=torch.float32) + 0.5) * (2 / width) - 1
    grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1)[None].to(covered)
    strip = F.grid_sample(
        covered, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return strip[0, 0, :, :, None].cpu().numpy()
