"""The pictures of a run as tensors: content, styles and transparency at every scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from styleengine import resample
from styleengine.classic_objective import ClassicObjective
from styleengine.color import (
    blend,
    color_statistics,
    luma,
    match_luma,
    recolor,
    with_luma,
)
from styleengine.features import Extractor
from styleengine.losses import StyleLoss
from styleengine.objective import Objective
from styleengine.paint_objective import PaintObjective, StyleTarget
from styleengine.picture import Floats
from styleengine.plan import MIN_SIDE, Plan
from styleengine.presets import Classic

if TYPE_CHECKING:
    from styleengine.engine import Job


KEPT = 2_000_000
"""Pixels up to which a picture is kept that is needed no more than for previews."""


@dataclass(frozen=True)
class SceneStyle:
    """A style picture (1, 3, h, w) at its largest useful size, its alpha and share of the blend.

    ``ratio`` is its long side relative to the content's, the same at every scale, so that a small
    preview shows the strokes of the large picture. A style is never enlarged, which would teach
    blur: at a scale that asks for more it keeps its own size. ``mask`` (1, 1, H, W), 0–1, says
    where on the content it is painted; None for wherever no mask is.
    """

    image: Tensor
    alpha: Tensor | None
    share: float
    ratio: float
    mask: Tensor | None = None

    def at(self, long_side: float, region: Tensor | None = None) -> StyleTarget:
        """The style for a content of ``long_side``, to be painted in ``region``."""
        height, width = self.image.shape[-2:]
        h, w = resample.fit(width, height, min(long_side * self.ratio, max(width, height)))
        size = max(h, MIN_SIDE), max(w, MIN_SIDE)
        alpha = None if self.alpha is None else _resized(self.alpha, size)[0, 0]
        return StyleTarget(_resized(self.image, size), self.share, alpha, region)


@dataclass(frozen=True)
class Scene:
    """The pictures of a run, on its device.

    ``levels`` holds the content (1, 3, h, w) at every scale of the plan, its transparent parts
    filled; the largest may be a view of the job's own picture. `forget` takes some away. With
    ``keep_colors`` "luminance" the network is shown its luma only. With "palette" it is the styles
    that were recoloured, with the content's statistics (Gatys et al. 2016, "Preserving Color in
    Neural Artistic Style Transfer", §3.1).
    """

    plan: Plan
    levels: list[Tensor | None]
    alpha: Tensor | None
    styles: tuple[SceneStyle, ...]
    keep_colors: str
    seed: int

    @classmethod
    def of(cls, job: Job, plan: Plan, device: torch.device) -> Scene:
        """The scene of ``job``, resized once to each scale of ``plan``."""
        size = plan.sizes[-1]
        settings = job.settings
        colors = _resized(resample.to_tensor(job.content.rgb), size)
        alpha = None
        if job.content.alpha is not None and float(job.content.alpha.min()) < 1:
            alpha = _resized(resample.to_tensor(job.content.alpha), size)
            colors = resample.fill_transparent(colors, alpha)
        keep = settings.keep_colors
        levels = pyramid(colors, plan.sizes)
        # Statistics of colours need no more than a few hundred thousand pixels.
        sample = next(x for x in reversed(levels) if x is levels[0] or x[0, 0].numel() < 1 << 20)
        weight = None
        if alpha is not None:
            weight = _resized(alpha, (sample.shape[-2], sample.shape[-1]))[0, 0]
        total = sum(s.weight for s in job.styles)
        styles = []
        for style in job.styles:
            picture = style.picture
            long_side = max(size)
            native = max(picture.width, picture.height)
            ratio = settings.style_scale / 100
            at = resample.fit(picture.width, picture.height, min(ratio * long_side, native))
            image = _resized(resample.to_tensor(picture.rgb), at)
            hole = None
            if picture.alpha is not None and float(picture.alpha.min()) < 1:
                hole = _resized(resample.to_tensor(picture.alpha), at)
                image = resample.fill_transparent(image, hole)
                hole = hole.to(device)
            if keep == "luminance":
                image = match_luma(image, sample, weight)
            elif keep == "palette":
                own = color_statistics(image, None if hole is None else hole[0, 0].cpu())
                image = recolor(image, own, color_statistics(sample, weight))
            mask = None if style.mask is None else resample.to_tensor(style.mask, device)
            styles.append(SceneStyle(image.to(device), hole, style.weight / total, ratio, mask))
        return cls(
            plan,
            [level.to(device) for level in levels],
            None if alpha is None else alpha.to(device),
            tuple(styles),
            keep,
            settings.seed,
        )

    def content(self, scale: int) -> Tensor:
        """What the network sees of the content at a scale, (1, 3, h, w)."""
        colors = self.levels[scale]
        assert colors is not None
        return luma(colors).expand(-1, 3, -1, -1) if self.keep_colors == "luminance" else colors

    def forget(self, scale: int) -> None:
        """Lets go of the content at a scale that is done, if it is large."""
        level = self.levels[scale]
        if level is not None and level is not self.levels[-1] and level[0, 0].numel() > KEPT:
            self.levels[scale] = None

    def alpha_at(self, scale: int) -> Tensor | None:
        """The content's alpha (h, w) at a scale; None if it is opaque."""
        return None if self.alpha is None else _resized(self.alpha, self.plan.sizes[scale])[0, 0]

    def targets(self, scale: int) -> list[StyleTarget]:
        """The styles at a scale, each with its region of the content."""
        size = self.plan.sizes[scale]
        masks = [None if s.mask is None else _resized(s.mask, size)[0, 0] for s in self.styles]
        rest = None
        for mask in masks:
            if mask is not None:
                rest = (1 - mask if rest is None else rest - mask).clamp_(0, 1)
        return [
            style.at(max(size), rest if mask is None else mask)
            for style, mask in zip(self.styles, masks, strict=True)
        ]

    def start(self, scale: int, before: Tensor | None) -> Tensor:
        """A fresh picture for a scale to start from: ``before`` enlarged, or the initial one.

        Enlarging brings along the content's detail that the scale before could not show: the
        optimisation need not find it again, which it cannot where the features are weak.
        """
        content = self.content(scale)
        if before is not None:
            return resample.carry(before, content, self.content(scale - 1)).clamp_(0, 1)
        if self.plan.init == "noise":
            generator = torch.Generator().manual_seed(self.seed)
            return torch.rand(content.shape, generator=generator).to(content.device)
        if self.plan.init == "recolor":
            found = recolored(content, self.targets(scale), self.alpha_at(scale))
            return found.contiguous()
        return content.clone(memory_format=torch.contiguous_format)

    def shown(self, rgb: Floats) -> Tensor:
        """A picture (h, w, 3), 0–1, as the network is shown the content, (1, 3, h, w)."""
        image = resample.to_tensor(rgb)
        return luma(image).expand(-1, 3, -1, -1) if self.keep_colors == "luminance" else image

    def objective(
        self, scale: int, extractor: Extractor, style_loss: StyleLoss, side: int | None = None
    ) -> Objective:
        """The loss of that scale, computed in tiles of ``side`` if that is given."""
        plan, content, method = self.plan, self.content(scale), self.plan.methods[scale]
        factors = plan.content_factor, plan.tv_factor
        if isinstance(method, Classic):
            # The notebook squashes the style to the content's shape.
            style = _resized(self.styles[0].image, plan.sizes[scale])
            return ClassicObjective(extractor, method, content, style, *factors, side=side)
        return PaintObjective(
            extractor,
            method,
            style_loss,
            content,
            self.targets(scale),
            self.alpha_at(scale),
            *factors,
            side=side,
        )

    def restore_colors(self, image: Tensor) -> Tensor:
        """``image`` (1, 3, h, w) with the content's colours, where only its luma was painted."""
        if self.keep_colors != "luminance":
            return image
        size = (image.shape[-2], image.shape[-1])
        kept = [level for level in self.levels if level is not None]
        source = next(x for x in kept if x is kept[-1] or x.shape[-1] >= image.shape[-1])
        return with_luma(_resized(source.to(image.device), size), luma(image))


def pyramid(image: Tensor, sizes: tuple[tuple[int, int], ...]) -> list[Tensor]:
    """``image`` (1, 3, H, W), of the last of ``sizes``, at each of them.

    Each is made from the smallest one that is at least twice as large, which looks no different
    from making all from the first, and saves passing over a large picture again and again.
    """
    levels = [image]
    for size in reversed(sizes[:-1]):
        source = next(x for x in levels if x is image or x.shape[-1] >= 2 * size[1])
        levels.insert(0, _resized(source, size))
    return levels


def recolored(content: Tensor, targets: list[StyleTarget], alpha: Tensor | None) -> Tensor:
    """``content`` (1, 3, h, w) in the colours of the styles, in each region those of its own."""
    by_region: dict[int, list[StyleTarget]] = {}
    for target in targets:
        by_region.setdefault(id(target.region), []).append(target)
    painted, covered = torch.zeros_like(content), content.new_zeros(content.shape[-2:])
    for members in by_region.values():
        region = members[0].region
        weight = region if alpha is None or region is None else region * alpha
        weight = alpha if weight is None else weight
        if weight is not None and not float(weight.sum()) > 0:
            continue
        total = sum(t.share for t in members)
        mixed = blend(
            [color_statistics(t.image, t.alpha) for t in members],
            [t.share / total for t in members],
        )
        found = recolor(content, color_statistics(content, weight), mixed)
        if region is None:
            return found
        painted += region * found
        covered += region
    # Masks may overlap, or leave a part of the photo to itself.
    return painted / covered.clamp_min(1) + content * (1 - covered).clamp_min(0)


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """``image`` resampled to ``size`` within 0–1; itself if that is its size."""
    return image if image.shape[-2:] == size else resample.resize(image, size).clamp_(0, 1)
