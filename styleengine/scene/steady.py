"""Frames of a film: the painting of the frame before, moved as the photo has moved since."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from styleengine.jobs import Frame
from styleengine.networks.extractor import Wrap
from styleengine.pictures.picture import Picture, fit
from styleengine.planning.plan import Plan
from styleengine.scene import resample
from styleengine.scene.closing import closed
from styleengine.scene.color import luma
from styleengine.scene.flow import box, optical_flow, scaled, warped
from styleengine.scene.pyramid import Source, resized

FLOW_PX = 512
"""Long side at which the motion is looked for, of frames that are as large."""
BOTH_WAYS, SLACK = 0.01, 0.5
"""How far a place may come back from where it was, to be the same one: a share of the squared
lengths of both ways, and pixels² (Sundaram, Brox, Keutzer 2010, eq. 5)."""
CHANGE = 0.04
"""Mean difference (0–1) around a place of a photo and the one before, moved, from which on it
counts less; at twice that it is another one."""
LEAST = 0.3
"""The share of a frame that must have been seen in the one before, or it is a cut."""
NEW_PX = 16.0
"""How far, in pixels of a scale, what is new may lie from what was seen, to be painted at that
scale first."""
STEPS, LEAST_STEPS = 0.35, 4
"""The share of its steps that a scale needs that begins with the frame before."""
CRISP, AROUND = 1.2, 4
"""The gain at most, and the radius, in pixels, of what `_as_crisp` does."""
TINY = 1e-6
MEMORY = 100
"""Bytes per pixel of photo and painting before, of that moved, and what it takes to move it."""


@dataclass(frozen=True)
class Followed:
    """What goes over from the frame before.

    ``flow`` (1, 2, h, w) is where each place was in that frame, in pixels of this size; ``seen``
    (1, 1, h, w), 0–1, how surely it was to be seen there; ``light`` (1, 1, H, W) is that frame's
    luma, and ``painted`` (1, 3, H, W) its painting.
    """

    flow: Tensor
    seen: Tensor
    light: Tensor
    painted: Tensor
    _last: dict[tuple[int, int], tuple[Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def at(self, content: Tensor) -> tuple[Tensor, Tensor]:
        """The painting moved to a scale, (1, 3, H, W), and where it holds, (H, W), 0–1.

        ``content`` (1, 3, H, W) is the photo there. Where the painting follows the photo, what
        moving has taken from the photo before is given back to the painting. Both are kept for the
        scale asked for last: the start and the loss want them.
        """
        size = content.shape[-2], content.shape[-1]
        if size not in self._last:
            self._last.clear()
            self._last[size] = self._moved(content, size)
        return self._last[size]

    def _moved(self, content: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        flow, painted = scaled(self.flow, size), resized(self.painted, size)
        target = warped(painted, flow, sharp=True)
        light, before = luma(content), warped(resized(self.light, size), flow, sharp=True)
        gain = resample.local_gain(before, target).clamp_(0, resample.MOST_GAIN)
        target = target.addcmul_(gain, light - before)
        target = _as_crisp(target, warped(_crispness(painted), flow))
        seen = F.interpolate(self.seen, size=size, mode="bilinear", align_corners=False)
        return target.clamp_(0, 1), seen[0, 0]

    def start(self, fresh: Tensor, content: Tensor) -> Tensor:
        """The picture (1, 3, H, W) to begin with: the ``fresh`` one where nothing was seen."""
        target, seen = self.at(content)
        return torch.lerp(fresh, target, seen).contiguous()

    @property
    def new(self) -> float:
        """How far from anything seen a place may lie, as a share of the long side."""
        height, width = self.seen.shape[-2:]
        small = resample.resize(self.seen, fit(width, height, 64)) > 0.5
        seen, far = small.float(), 0
        while not bool(seen.all()) and far < 64:
            seen, far = F.max_pool2d(seen, 3, 1, 1), far + 1
        return far / 64


def followed(source: Source, frame: Frame, least: float = LEAST) -> Followed | None:
    """What the photo ``source`` takes over from the frame before; None where that is another scene,
    of which less than the share ``least`` is to be seen, or of another size."""
    if frame.size != (source.height, source.width):
        return None
    long_side = min(FLOW_PX, max(frame.size), max(frame.content.shape))
    size = fit(source.width, source.height, long_side)
    now, then = source.at(size), resized(resample.to_tensor(frame.content).to(source.device), size)
    flow = optical_flow(now, then)
    seen = visible(now, then, flow, optical_flow(then, now))
    shown = source.alpha(size)
    if shown is not None:
        seen = seen * shown
    if frame.alpha is not None:
        before = resized(resample.to_tensor(frame.alpha).to(now.device), size)
        seen = seen * warped(before, flow)
    if float(seen.mean()) < least:
        return None
    light = luma(resample.to_tensor(frame.content)).to(source.device)
    return Followed(flow, seen, light, resample.to_tensor(frame.painted).to(source.device))


def planned(plan: Plan, followed: Followed) -> tuple[int, Plan]:
    """The scale to begin at, and the plan with the steps that are left to do."""
    sizes = plan.sizes
    near = [k for k, size in enumerate(sizes) if followed.new * max(size) <= NEW_PX]
    steps = tuple(min(n, max(LEAST_STEPS, round(STEPS * n))) for n in plan.steps)
    return max(near, default=0), dataclasses.replace(plan, steps=steps, settled=True)


def visible(now: Tensor, then: Tensor, flow: Tensor, back: Tensor) -> Tensor:
    """Where what ``now`` (1, 3, h, w) shows is to be seen ``then``, too, (1, 1, h, w), 0–1.

    ``flow`` leads from now to then, ``back`` from then to now. A place is the same where the way
    there and back ends where it began, within the picture, and where it looks the same.
    """
    height, width = flow.shape[-2:]
    there = warped(back, flow)
    apart = (flow + there).square().sum(1, keepdim=True)
    lengths = (flow.square() + there.square()).sum(1, keepdim=True)
    same = apart <= BOTH_WAYS * lengths + SLACK
    across = torch.arange(width, device=flow.device) + flow[:, :1]
    down = torch.arange(height, device=flow.device)[:, None] + flow[:, 1:]
    same &= (across >= -0.5) & (across <= width - 0.5) & (down >= -0.5) & (down <= height - 0.5)
    change = box((warped(then, flow) - now).abs().mean(1, keepdim=True), 2)
    seen = same * (2 - change / CHANGE).clamp(0, 1)
    return -F.max_pool2d(-seen, 3, 1, 1)  # a border's own pixels show some of either side


def frame_of(content: Picture, painted: Picture, wrap: Wrap) -> Frame:
    """What the next frame is steady with, of a photo and its painting from files."""
    source = Source(closed(content, wrap), torch.device("cpu"), wrap)
    return frame(source, painted.rgb)


def frame(source: Source, painted: Tensor | np.ndarray) -> Frame:
    """What the next frame is steady with: a photo, and its painting (1, 3, H, W) or (H, W, 3)."""
    painted = resample.to_array(painted) if isinstance(painted, Tensor) else painted
    size = painted.shape[0], painted.shape[1]
    alpha = source.alpha(size)
    return Frame(
        (source.height, source.width),
        resample.to_array(source.at(size)).astype(np.float16),
        painted.astype(np.float16),
        None if alpha is None else alpha[0, 0].cpu().numpy().astype(np.float16),
    )


def _fine(image: Tensor) -> Tensor:
    """The finest band of ``image`` (1, 3, H, W): what a binomial filter takes off."""
    wide = F.pad(image, (1, 1, 1, 1), mode="replicate")
    rows = wide[..., :-2, :] + 2 * wide[..., 1:-1, :] + wide[..., 2:, :]
    return image - (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 16


def _crispness(image: Tensor) -> Tensor:
    """The mean square of the finest band around each place, (1, 1, H, W)."""
    return box(_fine(image).square().mean(1, keepdim=True), AROUND)


def _as_crisp(image: Tensor, wanted: Tensor) -> Tensor:
    """``image`` with its finest band as strong as ``wanted`` (1, 1, H, W), within limits.

    Every move between pixels blurs a little, which from frame to frame would come to much.
    """
    gain = ((wanted + TINY) / (_crispness(image) + TINY)).sqrt().clamp(1, CRISP)
    return image + (gain - 1) * _fine(image)
