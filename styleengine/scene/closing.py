"""A photo made to close: without its jumps from one edge to the other, and else what it was."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from styleengine.networks.extractor import Wrap
from styleengine.pictures.picture import Picture
from styleengine.pictures.samples import in_floats


def closed(picture: Picture, wrap: Wrap) -> Picture:
    """``picture`` as one that closes along the axes of ``wrap``.

    The periodic component of Moisan 2011, *Periodic plus Smooth Image Decomposition*, eq. 10: a
    smooth picture is taken off, whose jumps from edge to edge are the photo's and which is as
    harmonic as can be elsewhere. Of a panorama that closes by itself nearly nothing is, and details
    stay everywhere. Unlike there, only the edges that are to meet have jumps, and those of
    transparent pixels do not count.
    """
    if not any(wrap):
        return picture
    picture = in_floats(picture)
    rgb = np.empty_like(picture.rgb)
    for channel in range(3):
        plane = picture.rgb[..., channel]
        smooth = _smooth(_jumps(plane, picture.alpha, wrap))
        rgb[..., channel] = (plane - smooth).clip(0, 1)
    return dataclasses.replace(picture, rgb=rgb)


def _jumps(plane: np.ndarray, alpha: np.ndarray | None, wrap: Wrap) -> torch.Tensor:
    """What lies across the edge less what lies there, at the pixels beside an edge, else 0."""
    jumps = np.zeros(plane.shape, np.float32)
    for axis, closes in enumerate(wrap):
        if closes:
            first, last = (plane.take(end, axis) for end in (0, -1))
            jump = last - first
            if alpha is not None:
                jump = jump * alpha.take(0, axis) * alpha.take(-1, axis)
            edges = np.moveaxis(jumps, axis, 0)
            edges[0] += jump
            edges[-1] -= jump
    return torch.from_numpy(jumps)


def _smooth(jumps: torch.Tensor) -> np.ndarray:
    """The picture of mean 0 whose Laplacian on the torus is ``jumps`` (H, W)."""
    height, width = jumps.shape
    rows = torch.cos(2 * torch.pi * torch.fft.fftfreq(height, dtype=torch.float64))
    columns = torch.cos(2 * torch.pi * torch.fft.rfftfreq(width, dtype=torch.float64))
    laplacian = (2 * rows[:, None] + 2 * columns - 4).float()
    laplacian[0, 0] = 1
    spectrum = torch.fft.rfft2(jumps)
    spectrum[0, 0] = 0
    found: np.ndarray = torch.fft.irfft2(spectrum / laplacian, s=(height, width)).numpy()
    return found
