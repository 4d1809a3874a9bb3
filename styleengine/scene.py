"""The pictures of a run as tensors: content, styles and transparency at every scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from styleengine import resample
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
from styleengine.objective import ClassicObjective, Objective, PaintObjective, StyleTarget
from styleengine.plan import MIN_SIDE, Plan
from styleengine.presets import Classic

if TYPE_CHECKING:
    from styleengine.engine import Job


@dataclass(frozen=True)
class SceneStyle:
    """A style picture (1, 3, h, w) at its largest useful size, its alpha and share of the blend.

    ``ratio`` is its long side relative to the content's, the same at every scale, so that a small
    preview shows the strokes of the large picture. A style is never enlarged, which would teach
    blur: at a scale that asks for more it keeps its own size.
    """

    image: Tensor
    alpha: Tensor | None
    share: float
    ratio: float

    def at(self, long_side: float) -> StyleTarget:
        """The style for a content of ``long_side``."""
        height, width = self.image.shape[-2:]
        h, w = resample.fit(width, height, min(long_side * self.ratio, max(width, height)))
        size = max(h, MIN_SIDE), max(w, MIN_SIDE)
        alpha = None if self.alpha is None else resample.resize(self.alpha, size)[0, 0].clamp(0, 1)
        return StyleTarget(resample.resize(self.image, size), self.share, alpha)


@dataclass(frozen=True)
class Scene:
    """The pictures of a run, on its device.

    ``colors`` is the content at the working size with its transparent parts filled; ``content`` is
    what the network sees of it: the same, or its luma when only that is to be painted. With
    ``keep_colors`` "palette" it is the styles that were recoloured, with the content's statistics
    (Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer", §3.1).
    """

    plan: Plan
    colors: Tensor
    content: Tensor
    alpha: Tensor | None
    styles: tuple[SceneStyle, ...]
    keep_colors: str
    seed: int

    @classmethod
    def of(cls, job: Job, plan: Plan, device: torch.device) -> Scene:
        """The scene of ``job``, resized once to the largest scale of ``plan``."""
        size = plan.sizes[-1]
        settings = job.settings
        colors = resample.resize(resample.to_tensor(job.content.rgb), size).clamp_(0, 1)
        alpha = None
        if job.content.alpha is not None and float(job.content.alpha.min()) < 1:
            alpha = resample.resize(resample.to_tensor(job.content.alpha), size).clamp_(0, 1)
            colors = resample.fill_transparent(colors, alpha)
        keep = settings.keep_colors
        gray = luma(colors).expand(-1, 3, -1, -1).contiguous()
        weight = None if alpha is None else alpha[0, 0]
        total = sum(s.weight for s in job.styles)
        styles = []
        for style in job.styles:
            picture = style.picture
            long_side = max(size)
            native = max(picture.width, picture.height)
            ratio = settings.style_scale / 100
            at = resample.fit(picture.width, picture.height, min(ratio * long_side, native))
            image = resample.resize(resample.to_tensor(picture.rgb), at).clamp_(0, 1)
            hole = None
            if picture.alpha is not None and float(picture.alpha.min()) < 1:
                hole = resample.resize(resample.to_tensor(picture.alpha), at).clamp_(0, 1)
                image = resample.fill_transparent(image, hole)
                hole = hole.to(device)
            if keep == "luminance":
                image = match_luma(image, colors, weight)
            elif keep == "palette":
                own = color_statistics(image, None if hole is None else hole[0, 0].cpu())
                image = recolor(image, own, color_statistics(colors, weight))
            styles.append(SceneStyle(image.to(device), hole, style.weight / total, ratio))
        return cls(
            plan,
            colors.to(device),
            (gray if keep == "luminance" else colors).to(device),
            None if alpha is None else alpha.to(device),
            tuple(styles),
            keep,
            settings.seed,
        )

    def start(self, scale: int, before: Tensor | None) -> Tensor:
        """A fresh picture for a scale to start from: ``before`` enlarged, or the initial one.

        Enlarging brings along the content's detail that the scale before could not show: the
        optimisation need not find it again, which it cannot where the features are weak.
        """
        size = self.plan.sizes[scale]
        content = resample.resize(self.content, size).clamp(0, 1)
        if before is not None:
            return resample.carry(before.clamp(0, 1), content).clamp(0, 1)
        if self.plan.init == "noise":
            generator = torch.Generator().manual_seed(self.seed)
            return torch.rand(content.shape, generator=generator).to(content.device)
        if self.plan.init == "recolor":
            weight = None if self.alpha is None else resample.resize(self.alpha, size)[0, 0]
            targets = [s.at(max(size)) for s in self.styles]
            mixed = blend(
                [color_statistics(t.image, t.alpha) for t in targets], [t.share for t in targets]
            )
            return recolor(content, color_statistics(content, weight), mixed)
        return content.clone()

    def objective(self, scale: int, extractor: Extractor, style_loss: StyleLoss) -> Objective:
        """The loss of that scale."""
        plan, size = self.plan, self.plan.sizes[scale]
        content = resample.resize(self.content, size).clamp(0, 1)
        factors = plan.content_factor, plan.tv_factor
        if isinstance(plan.method, Classic):
            # The notebook squashes the style to the content's shape.
            style = resample.resize(self.styles[0].image, size).clamp(0, 1)
            return ClassicObjective(extractor, plan.method, content, style, *factors)
        alpha = None
        if self.alpha is not None:
            alpha = resample.resize(self.alpha, size)[0, 0].clamp(0, 1)
        targets = [s.at(max(size)) for s in self.styles]
        return PaintObjective(extractor, plan.method, style_loss, content, targets, alpha, *factors)

    def restore_colors(self, image: Tensor) -> Tensor:
        """``image`` (1, 3, h, w) with the content's colours, where only its luma was painted."""
        if self.keep_colors != "luminance":
            return image
        size = (image.shape[-2], image.shape[-1])
        colors = resample.resize(self.colors.to(image.device), size).clamp(0, 1)
        return with_luma(colors, luma(image))
