"""Moving scenes whose motion is known: a photo under a camera that pans, zooms and turns, and a
cut-out of another that moves over it by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from styleengine.pictures.picture import Picture
from styleengine.scene.resample import to_array, to_tensor

Size = tuple[int, int]
SHOWN, CUT = 0.62, 0.45
"""The share of the photo that the first frame shows, and of the frame that the cut-out takes."""
FINER = 2
"""How much finer frames are drawn, against jagged edges."""


@dataclass(frozen=True)
class Motion:
    """What a picture does from frame to frame.

    ``pan`` (x, y) in widths of the frame, ``zoom`` as a factor, ``turn`` in degrees, each per
    frame; ``sway`` makes the pan go back and forth once in so many frames, 0 for straight on.
    """

    pan: tuple[float, float] = (0.004, 0.0015)
    zoom: float = 1.002
    turn: float = 0.12
    sway: int = 0

    def at(self, frame: int, place: tuple[float, float], width: float) -> Tensor:
        """The (2, 3) affine map, in float64, from pixels of a frame of unit width around its middle
        to the picture's pixels; the picture is ``width`` frames wide at frame 0, and ``place`` its
        point (0-1 of ``width``) that the middle of the frame shows then."""
        t = float(frame)
        along = (
            t
            if not self.sway
            else self.sway / (2 * math.pi) * math.sin(2 * math.pi * t / self.sway)
        )
        scale, angle = self.zoom**-t, math.radians(self.turn * t)
        cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
        x, y = (p + q * along for p, q in zip(place, self.pan, strict=True))
        return torch.tensor([[cos, -sin, x], [sin, cos, y]], dtype=torch.float64) * width


@dataclass(frozen=True)
class Frame:
    """A frame (1, 3, h, w), 0–1; ``flow`` (1, 2, h, w) says how many pixels to the right and down
    of each pixel its place was in the frame before, ``seen`` (1, 1, h, w) where it was to be seen
    there: 0 or 1."""

    image: Tensor
    flow: Tensor
    seen: Tensor


class Scene:
    """The frames of ``size`` (h, w) of a photo and a cut-out of another, (1, 3, H, W) each,
    0–1; frames are counted from any number on."""

    def __init__(
        self,
        photo: Tensor,
        cutout: Tensor | None,
        size: Size,
        camera: Motion | None = None,
        own: Motion | None = None,
        noise: float = 0.0,
    ) -> None:
        """``own`` is how the cut-out moves, relative to the frame; ``noise`` that of a camera."""
        self._photo, self._cutout, self._size = photo, cutout, size
        self._camera = camera or Motion()
        self._own = own or Motion(pan=(-0.012, -0.003), zoom=1.0, turn=0.4, sway=40)
        self._noise = noise

    def frame(self, number: int) -> Frame:
        """A frame and its motion from the one before."""
        image = self._drawn(number)
        if self._noise:
            draw = torch.Generator().manual_seed(number)
            image = image + self._noise * torch.randn(image.shape, generator=draw)
        ours = self._covers(number, _pixels(self._size))
        flows, there = [], []
        for layer in range(2):
            now, then = (self._map(layer, n) for n in (number, number - 1))
            pixels = _pixels(self._size)
            target = _inverse(then, _apply(now, pixels))
            flows.append(target - pixels)
            covered = self._covers(number - 1, target)
            inside = (target >= 0).all(-1) & (target[..., 0] <= self._size[1] - 1)
            inside &= target[..., 1] <= self._size[0] - 1
            there.append(inside & (covered == bool(layer)))
        flow = torch.where(ours[..., None], flows[1], flows[0])
        seen = torch.where(ours, there[1], there[0])
        return Frame(
            image.clamp(0, 1), flow.permute(2, 0, 1)[None].float(), seen[None, None].float()
        )

    def _map(self, layer: int, number: int) -> Tensor:
        """From pixels of a frame to pixels of the photo (0) or the cut-out (1)."""
        height, width = self._size
        picture = self._photo if layer == 0 or self._cutout is None else self._cutout
        tall, wide = picture.shape[-2:]
        if layer == 0:
            shown = min(wide / width, tall / height) * width * SHOWN
            found = self._camera.at(number, (0.5 * wide / shown, 0.5 * tall / shown), shown)
        else:
            shown = max(wide / width, tall / height) * width / CUT
            found = self._own.at(number, (0.5 * wide / shown, 0.5 * tall / shown), shown)
        unit = torch.tensor([[1 / width, 0, -0.5], [0, 1 / width, -0.5 * height / width]])
        whole = torch.cat([unit.double(), torch.tensor([[0, 0, 1.0]]).double()])
        return found @ whole

    def _covers(self, number: int, pixels: Tensor) -> Tensor:
        """Where the cut-out lies at ``pixels`` (h, w, 2) of a frame: an ellipse of its picture."""
        if self._cutout is None:
            return torch.zeros(pixels.shape[:2], dtype=torch.bool)
        tall, wide = self._cutout.shape[-2:]
        at = _apply(self._map(1, number), pixels)
        x, y = at[..., 0] / wide * 2 - 1, at[..., 1] / tall * 2 - 1
        return (x / 0.8) ** 2 + (y / 0.9) ** 2 < 1

    def _drawn(self, number: int) -> Tensor:
        """The frame, drawn finer and made small."""
        height, width = self._size
        pixels = (_pixels((height * FINER, width * FINER)) + 0.5) / FINER - 0.5
        image = _taken(self._photo, _apply(self._map(0, number), pixels))
        if self._cutout is not None:
            over = self._taken_out(number, pixels)
            image = torch.where(self._covers(number, pixels), over, image)
        return F.avg_pool2d(image, FINER)

    def _taken_out(self, number: int, pixels: Tensor) -> Tensor:
        assert self._cutout is not None
        return _taken(self._cutout, _apply(self._map(1, number), pixels))


def _pixels(size: Size) -> Tensor:
    y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in size), indexing="ij")
    return torch.stack([x, y], -1)


def _apply(found: Tensor, pixels: Tensor) -> Tensor:
    return pixels @ found[:, :2].T + found[:, 2]


def _inverse(found: Tensor, places: Tensor) -> Tensor:
    return (places - found[:, 2]) @ torch.linalg.inv(found[:, :2]).T


def _taken(picture: Tensor, places: Tensor) -> Tensor:
    """``picture`` at ``places`` (h, w, 2), mirrored beyond its edges."""
    tall, wide = picture.shape[-2:]
    unit = torch.tensor([2 / wide, 2 / tall], dtype=torch.float64)
    grid = ((places + 0.5) * unit - 1)[None].to(picture)
    return F.grid_sample(
        picture, grid, mode="bicubic", padding_mode="reflection", align_corners=False
    ).clamp(0, 1)


def scene_of(photo: Picture, cutout: Picture | None, long_side: int, noise: float = 0.0) -> Scene:
    """A scene of frames of that long side, in the photo's shape."""
    sides = (n * long_side / max(photo.width, photo.height) for n in (photo.height, photo.width))
    height, width = (max(16, round(n / 16) * 16) for n in sides)
    over = None if cutout is None else to_tensor(cutout.rgb)
    return Scene(to_tensor(photo.rgb), over, (height, width), noise=noise)


def as_picture(image: Tensor) -> Picture:
    """A frame as a picture in 8 bits, as films have it."""
    return Picture((np.round(to_array(image) * 255) / 255).astype(np.float32))
