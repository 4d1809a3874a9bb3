"""What the draft network is shown: pairs of neighbouring pictures with VGG19's answers.

Half of the pictures are crops with and without a disturbance. The other half comes out of real
optimisations at the draft's own hands and, less often, at VGG19's: what a small network lets
through (grain, fringes, patterns) shows up there, and it is shown them with the teacher's answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.draft_pictures import Crops
from styleengine.descent.lbfgs import LBFGS
from styleengine.descent.minimizer import Diverged
from styleengine.loss.painting import PaintObjective
from styleengine.loss.style_losses import CovarianceLoss
from styleengine.networks.draft import MAPPED, Draft
from styleengine.networks.extractor import Extractor
from styleengine.networks.trunk import CPU, Precision, Trunk
from styleengine.networks.vgg import vgg19
from styleengine.planning.recipes import FAST, content_factor, tv_factor
from styleengine.scene.color import color_statistics, recolor
from styleengine.scene.resample import resize
from styleengine.scene.style_pictures import StyleTarget
from styleengine.weights.store import Weights

SIZE = 208
"""Long side of what is shown: thirteen positions of relu5_1."""
CANVAS = 256
"""Long side of the optimisations that it is cut from."""
WINDOWS = {"relu1_1": 48, "relu2_1": 44, "relu3_1": 32}
"""Of the large maps, only windows of so many positions a side are compared."""
HALF = Precision(torch.bfloat16, True)


class Teacher:
    """VGG19's features in units of mean activation, for training in bfloat16."""

    def __init__(self, weights: Weights, layers: Sequence[str] = tuple(MAPPED)) -> None:
        """``layers`` are those that are asked about."""
        self.trunk = Trunk(vgg19(tuple(MAPPED), weights, replicated=True), CPU, HALF)
        self._layers = layers

    @torch.no_grad()
    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Features (N, C, h, w) of ``images`` (N, 3, H, W), by layer."""
        units = self.trunk.units
        return {n: f / units[n] for n, f in self.trunk(images).items() if n in self._layers}


@dataclass(frozen=True)
class Sample:
    """What a student is given of two neighbouring pictures, and the teacher's features of both.

    ``seen`` is (2, 3, SIZE, SIZE), the pictures, unless the student's lower layers learn nothing.

    The features of the layers in `WINDOWS` are cut at the corner ``at``, given in shares of what
    there is to choose.
    """

    seen: Tensor
    features: dict[str, Tensor]
    at: tuple[float, float]
    facts: dict[str, Facts]


@dataclass(frozen=True)
class Facts:
    """Variance, squared difference and `statistics` of two neighbours' features (2, C, h, w)."""

    variance: float
    moved: float
    statistics: Tensor


def of(features: Tensor) -> Facts:
    """The `Facts` of ``features``."""
    f = features.float()
    return Facts(float(f.var()), float((f[0] - f[1]).square().mean()), statistics(f))


def statistics(f: Tensor) -> Tensor:
    """Covariances, with the means as one more column, (N, C, C + 1), of (N, C, h, w) features.

    The means count as much as in `CovarianceLoss`.
    """
    flat = f.flatten(2)
    mean = flat.mean(2, keepdim=True)
    products = (flat @ flat.mT).float() / flat.shape[2]
    mean = mean.float()
    return torch.cat([products - mean @ mean.mT, CovarianceLoss.mean_weight**0.5 * mean], 2)


def window(name: str, features: Tensor, at: tuple[float, float]) -> Tensor:
    """The part of a layer's ``features`` (N, C, h, w) that is compared."""
    side, have = WINDOWS.get(name, 0), features.shape[-1]
    if not side:
        return features
    top, left = (round(a * (have - side)) for a in at)
    return features[..., top : top + side, left : left + side]


class Pool:
    """The most recent samples; older ones are forgotten."""

    def __init__(
        self,
        crops: Crops,
        teacher: Teacher,
        capacity: int,
        below: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """``below``, if given, makes of pictures what the student is given of them."""
        self._crops, self._teacher, self._below = crops, teacher, below
        self._rng = crops.rng
        self._samples: deque[Sample] = deque(maxlen=capacity)
        self._waiting: list[Tensor] = []

    def __len__(self) -> int:
        return len(self._samples)

    def batch(self, count: int) -> list[Sample]:
        """Samples chosen at random."""
        return [self._samples[i] for i in self._rng.integers(len(self._samples), size=count)]

    def fill(self, count: int) -> None:
        """Adds crops until there are ``count`` samples."""
        while len(self) < count:
            self.add_still()

    def add(self, images: Tensor) -> None:
        """Asks the teacher about two neighbours (2, 3, SIZE, SIZE)."""
        at = float(self._rng.random()), float(self._rng.random())
        found = {
            n: window(n, f, at).contiguous(memory_format=torch.channels_last)
            for n, f in self._teacher(images).items()
        }
        seen = images if self._below is None else self._below(images)
        self._samples.append(Sample(seen, found, at, {n: of(f) for n, f in found.items()}))

    def add_still(self) -> None:
        """Adds a crop and its neighbour: disturbed by noise, recoloured, or blended."""
        crops, rng = self._crops, self._rng
        x = crops.any(SIZE)
        kind = rng.random()
        if kind < 0.5:
            if rng.random() < 0.4:
                x = (x + crops.noise(SIZE)).clamp(0, 1)
            y = x + crops.noise(SIZE)
        elif kind < 0.75:
            y = recolor(x, color_statistics(x), color_statistics(crops.any(SIZE)))
        else:
            y = torch.lerp(x, crops.any(SIZE), float(rng.uniform(0.1, 0.6)))
        self.add(torch.cat([x, y]))

    def add_painted(self, draft: Extractor) -> None:
        """Adds neighbours out of a run of ``draft``; at times one of the teacher's."""
        if not self._waiting:
            by_teacher = self._rng.random() < 0.12
            self._waiting = self._run(self._teacher.trunk if by_teacher else draft)
        self.add(self._waiting.pop())

    def _run(self, extractor: Extractor) -> list[Tensor]:
        """Neighbouring iterates of one optimisation."""
        crops, rng = self._crops, self._rng
        content, style = crops.view(CANVAS), crops.any(CANVAS)
        objective = PaintObjective(
            extractor, FAST, CovarianceLoss(), content, [StyleTarget(style)], None,
            content_factor(float(rng.uniform(10, 95))), tv_factor(float(rng.uniform(0, 30))),
        )  # fmt: skip
        x, kind = content.clone(), rng.random()
        if kind < 0.7:
            x = recolor(x, color_statistics(x), color_statistics(style))
        elif kind < 0.8:
            x = torch.rand(
                x.shape, generator=torch.Generator().manual_seed(int(rng.integers(1 << 30)))
            )
        if rng.random() < 0.4:  # as a scale leaves it to the next one
            x = resize(resize(x, (CANVAS // 2, CANVAS // 2)), (CANVAS, CANVAS))
        minimizer, path = LBFGS(10), [x.clone()]
        for _ in range(int(rng.integers(4, 30))):
            try:
                if not minimizer.step(x, *objective(x)):
                    break
            except Diverged:
                break
            path.append(x.clone())
        found = []
        for _ in range(min(8, len(path))):
            early, late = sorted(rng.integers(len(path), size=2))
            top, left = rng.integers(CANVAS - SIZE + 1, size=2)
            pair = torch.cat([path[early], path[late] if early != late else content])
            found.append(pair[..., top : top + SIZE, left : left + SIZE].contiguous())
        return found


def trunk(draft: Draft) -> Trunk:
    """``draft``, which is changed by it, as an extractor in bfloat16."""
    draft.measure()
    return Trunk(draft, CPU, HALF)
