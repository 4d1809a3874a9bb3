"""The pictures of a run as tensors: content, styles and transparency at every scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from styleengine.jobs import Job
from styleengine.networks.faces import Face
from styleengine.pictures.bare_edges import without_bare_edges
from styleengine.pictures.picture import Floats, called, fit
from styleengine.planning.plan import Plan
from styleengine.planning.spots import Size
from styleengine.planning.tiling import Tile
from styleengine.protocol import Sentence
from styleengine.scene import holding, resample
from styleengine.scene.closing import closed
from styleengine.scene.color import blend, color_statistics, luma, recolor, with_luma
from styleengine.scene.pyramid import LARGE, Levels, Source, resized
from styleengine.scene.steady import Followed
from styleengine.scene.style_pictures import (
    SceneStyle,
    StyleTarget,
    adapting,
    style_ratio,
    style_size,
)
from styleengine.together.group import Rows
from styleengine.together.stripe import Stripe

SEEN = 1.5
"""How much a style picture is enlarged before it is said."""
BAND = 1 << 22
"""Pixels of a larger picture that are made at a time of the one before."""
LEAST_SHARE = 1e-30
"""Of a style in the blend: in a region of its own it is all there is, and none is divided by."""


@dataclass(frozen=True)
class Scene:
    """The pictures of a run, on its device.

    ``levels`` is the content at every scale of the plan. With ``keep_colors`` "luminance" the
    network is shown its luma only. With "palette" it is the styles that were recoloured, with the
    content's statistics (Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer",
    §3.1). ``followed`` is what goes over from the frame before, in a film.
    """

    plan: Plan
    levels: Levels
    styles: tuple[SceneStyle, ...]
    keep_colors: str
    seed: int
    held: Tensor | None = None
    faces: tuple[Face, ...] = ()
    followed: Followed | None = None

    @classmethod
    def of(cls, job: Job, plan: Plan, device: torch.device) -> Scene:
        """The scene of ``job``; of its pictures nothing is made yet that no colours need."""
        settings = job.settings
        content = Source(closed(job.content, plan.wrap), device, plan.wrap)
        adapted = adapting(settings.keep_colors, content)
        largest = max(s.weight for s in job.styles)  # first by it: a sum might overflow
        total = sum(s.weight / largest for s in job.styles)
        pictures = [s.picture for s in job.styles]
        if settings.preset != "classic":
            pictures = [without_bare_edges(p) for p in pictures]
        styles = tuple(
            SceneStyle(
                Source(picture, device),
                max(style.weight / largest / total, LEAST_SHARE),
                style_ratio(settings, style.picture, picture, job.content),
                None if style.mask is None else resample.to_tensor(style.mask, device),
                adapted,
                settings.preset != "classic",
            )
            for style, picture in zip(job.styles, pictures, strict=True)
        )
        held = None if job.hold is None else resample.to_tensor(job.hold, device).clamp(0, 1)
        levels = Levels(content, plan.sizes)
        return cls(plan, levels, styles, settings.keep_colors, settings.seed, held)

    def enlarged(self) -> list[Sentence]:
        """What to say of styles that are enlarged so far in the end that it can be seen."""
        most, found = max(self.plan.sizes[-1]), []
        for style in self.styles:
            own = max(style.source.width, style.source.height)
            if style_size(own, most * style.ratio, most) > SEEN * own:
                found.append(
                    Sentence.of(
                        "{style} has {own} pixels on its long side; for sharp strokes of this size "
                        "it would need {needed}.",
                        style=called(style.source.given.name, "style"),
                        own=own,
                        needed=round(most * style.ratio),
                    )
                )
        return found

    def small(self, long_side: int) -> Tensor:
        """The content's colours, (1, 3, h, w), at that size at most."""
        source = self.levels.source
        most = max(source.width, source.height)
        return source.at(fit(source.width, source.height, min(long_side, most)))

    def hold(self, scale: int) -> Tensor | None:
        """How far the photo is held at a scale, (h, w), 0–1; None where nothing is."""
        if self.held is None:
            return None
        return resized(self.held, self.plan.sizes[scale], self.plan.wrap)[0, 0]

    def held_faces(self, scale: int) -> Tensor | None:
        """How far eyes and mouths are held at a scale, (h, w), 0–1; None where no face is."""
        held = holding.of_faces(self.faces, self.plan.sizes[scale])
        return None if held is None else held.to(self.levels.source.device)

    def content(self, scale: int) -> Tensor:
        """What the network sees of the content at a scale, (1, 3, h, w)."""
        return self.seen(self.levels[scale])

    def content_rows(self, scale: int, rows: Rows) -> Tensor:
        """The same of some rows, (1, 3, rows, w)."""
        return self.seen(self.levels.rows(scale, rows))

    def content_by_rows(self, scale: int, first: int = 0) -> ContentByRows | None:
        """The same for tiles, in coordinates that begin at the row ``first``, where it is so large
        that it should never be there as a whole; None where it is not."""
        height, width = self.plan.sizes[scale]
        by_rows = self.levels.source.in_strips and height * width > LARGE and not self.followed
        return ContentByRows(self, scale, first) if by_rows else None

    def alpha_at(self, scale: int) -> Tensor | None:
        """The content's alpha (h, w) at a scale; None if it is opaque."""
        alpha = self.levels.source.alpha(self.plan.sizes[scale])
        return None if alpha is None else alpha[0, 0]

    def targets(self, scale: int) -> list[StyleTarget]:
        """The styles at a scale, each with its region of the content."""
        return self.targets_at(self.plan.sizes[scale])

    def targets_at(self, size: Size, long_side: float | None = None) -> list[StyleTarget]:
        """The styles for a content of ``size`` (h, w), each with its region of it; the pictures
        for one of ``long_side``, if given."""
        regions = self.regions_at(size)
        return [
            style.at(long_side or max(size), region)
            for style, region in zip(self.styles, regions, strict=True)
        ]

    def regions_at(self, size: Size) -> list[Tensor | None]:
        """The regions (h, w) of the styles of a content of ``size``, None for all of it; what is
        left to several is the same tensor."""
        wrap = self.plan.wrap
        masks = [None if s.mask is None else resized(s.mask, size, wrap)[0, 0] for s in self.styles]
        rest = None
        for mask in masks:
            if mask is not None:
                rest = (1 - mask if rest is None else rest - mask).clamp_(0, 1)
        return [rest if mask is None else mask for mask in masks]

    def start(self, scale: int, before: Tensor | None) -> Tensor:
        """A fresh picture for a scale to start from: ``before`` enlarged, or the initial one.

        Enlarging brings along the content's detail that the scale before could not show: the
        optimisation need not find it again, which it cannot where the features are weak. A frame of
        a film begins with the frame before instead, where that shows the same.
        """
        fresh = self._fresh(scale, before)
        return fresh if self.followed is None else self.followed.start(fresh, self.content(scale))

    def _fresh(self, scale: int, before: Tensor | None) -> Tensor:
        if before is not None:
            return self._carried(scale, before)
        content = self.content(scale)
        if self.plan.init == "noise":
            generator = torch.Generator().manual_seed(self.seed)
            return torch.rand(content.shape, generator=generator).to(content.device)
        if self.plan.init == "recolor":
            found = recolored(content, self.targets(scale), self.alpha_at(scale))
            return found.contiguous()
        return content.clone(memory_format=torch.contiguous_format)

    def _carried(self, scale: int, before: Tensor) -> Tensor:
        guide, wrap, size = self.content(scale - 1), self.plan.wrap, self.plan.sizes[scale]
        if not self.content_by_rows(scale):
            return resample.carry(before, self.content(scale), guide, wrap).clamp_(0, 1)
        out = before.new_empty(1, 3, *size)
        strips = resample.carried(
            before, size, lambda a, b: self.content_rows(scale, Rows(a, b)), lambda: guide
        )
        for y, strip in strips:
            out[..., y : y + strip.shape[-2], :] = strip.clamp_(0, 1)
        return out

    def grown(
        self,
        scale: int,
        before: Tensor,
        held: Stripe,
        stripe: Stripe,
        content: Callable[[Rows], Tensor],
    ) -> Iterator[tuple[int, Tensor]]:
        """The ``stripe`` of a larger picture, `resample.carry` of the one at a scale, of which
        ``before`` are the rows ``held``: in strips, each with its row in the stripe.

        ``content`` gives rows of the larger photo. All processes call it together.
        """
        small, height, own = held.size[0], stripe.size[0], stripe.own

        def below(rows: Rows) -> Rows:
            start, stop = rows.start * small // height, -(-rows.stop * small // height)
            return Rows(max(0, start - resample.AROUND), min(small, stop + resample.AROUND))

        wanted = [below(rows) for rows in stripe.parts]
        known = wanted[stripe.group.rank]
        result, guide = held.moved(before, wanted), self._rows_of(scale, known)
        step = max(1, BAND // stripe.size[1])
        for start in range(own.start, own.stop, step):
            band = Rows(start, min(start + step, own.stop))
            rows = below(band)
            part = result[..., rows.within(known), :]
            strips = resample.carried_part(
                part, guide(rows), (rows.start, small), content, band, stripe.size
            )
            for y, strip in strips:
                yield y - own.start, strip

    def _rows_of(self, scale: int, rows: Rows) -> Callable[[Rows], Tensor]:
        """What gives some of the ``rows`` of the content at a scale; made at once or, of a very
        large one, when they are asked for."""
        if self.content_by_rows(scale):
            return lambda part: self.content_rows(scale, part)
        known = self.content_rows(scale, rows)
        return lambda part: known[..., part.within(rows), :]

    def start_part(self, scale: int, before: Tensor, held: Stripe, stripe: Stripe) -> Tensor:
        """What ``stripe`` holds of the picture that a scale starts from; see `start`.

        ``before`` are the rows ``held`` of the picture of the scale before; all processes call it
        together.
        """
        found = before.new_empty(1, 3, len(stripe.own), stripe.size[1])
        content = self._rows_of(scale, stripe.seen)
        for y, strip in self.grown(scale - 1, before, held, stripe, content):
            found[..., y : y + strip.shape[-2], :] = strip
        if self.followed is not None:
            target, seen = self.followed.at(self.content(scale))
            found = torch.lerp(found, stripe.cut(target), stripe.cut(seen))
        return found

    def shown(self, rgb: Floats) -> Tensor:
        """A picture (h, w, 3), 0–1, as the network is shown the content, (1, 3, h, w)."""
        return self.seen(resample.to_tensor(rgb))

    def seen(self, colors: Tensor) -> Tensor:
        """The content's ``colors`` (1, 3, h, w) as the network is shown them."""
        return luma(colors).expand(-1, 3, -1, -1) if self.keep_colors == "luminance" else colors

    def restore_colors(self, image: Tensor) -> Tensor:
        """``image`` (1, 3, h, w) with the content's colours, where only its luma was painted."""
        if self.keep_colors != "luminance":
            return image
        size = (image.shape[-2], image.shape[-1])
        source = self.levels.at_least(size)
        return with_luma(resized(source.to(image.device), size, self.plan.wrap), luma(image))


@dataclass(frozen=True)
class ContentByRows:
    """What the network sees of the content at a scale, made for each row of tiles anew; `Seen`.

    The tiles' coordinates begin at the row ``first``.
    """

    scene: Scene
    scale: int
    first: int

    def outer(self, tile: Tile) -> Tensor:
        """What a tile looks at, (1, 3, h, w)."""
        rows = Rows(self.first + tile.rows.before, self.first + tile.rows.after)
        return tile.columns.seen(self.scene.content_rows(self.scale, rows), -1)


def recolored(
    content: Tensor,
    targets: Sequence[StyleTarget],
    alpha: Tensor | None,
    stripe: Stripe | None = None,
) -> Tensor:
    """``content`` (1, 3, h, w) in the colours of the styles, in each region those of its own.

    Content, regions and ``alpha`` are what is seen by a process that holds a ``stripe`` of the
    picture, None for the whole.
    """
    by_region: dict[int, list[StyleTarget]] = {}
    for target in targets:
        by_region.setdefault(id(target.region), []).append(target)
    painted, covered = torch.zeros_like(content), content.new_zeros(content.shape[-2:])
    for members in by_region.values():
        region = members[0].region
        weight = region if alpha is None or region is None else region * alpha
        weight = alpha if weight is None else weight
        if weight is not None:
            painted_there = float(weight.sum()) if stripe is None else stripe.sum(weight)
            if not painted_there > 0:
                continue
        total = sum(t.share for t in members)
        mixed = blend(
            [color_statistics(t.image, t.alpha) for t in members],
            [t.share / total for t in members],
        )
        found = recolor(content, color_statistics(content, weight, stripe), mixed)
        if region is None:
            return found
        painted += region * found
        covered += region
    # Masks may overlap, or leave a part of the photo to itself.
    return painted / covered.clamp_min(1) + content * (1 - covered).clamp_min(0)
