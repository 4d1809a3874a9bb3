"""One definition for every comparison of finished pictures: relative distances seen by VGG19.

Pretrained VGG19 in float32. The output, the content and the style are resized to the same long side
(the output to the content's exact size); o, c and s are their features, G = F Fᵀ / positions.

style      mean over relu{1..5}_1 of |G_o - G_s|² / |G_c - G_s|²: 1 = the untouched photo, 0 = the
           painting's own statistics
held_out   the same with mean and covariance in place of G, on relu1_2, 2_2, 3_3, 4_3, which no
           recipe optimises; the covariance is divided by the standard deviation of all activations
sliced     sliced Wasserstein distance on relu3_1: mean squared difference of the sorted projections
           on 128 fixed directions at 512 quantiles, o to s relative to c to s
content    mean squared difference of relu4_2, o to c, over the variance of c's: 0 = the photo
noise      energy of the one-pixel high-pass band relative to the style's: above 1.3 noise, below
           0.6 blur
nn, worst  how far places are from the nearest of the style's, see `nearest`
eff_s, eff_c, patch, colour  judges that share nothing with VGG19, see `outsiders`

VGG19 continues its maps with zeros. Engines that do otherwise are judged by their own fault at the
border: at 256 pixels every third position of relu4_2 sees it. A `Judge` with a ``margin`` looks at
pictures that go on by that many pixels, reflected, and leaves out the positions on what was added:
that is what no engine has been made for.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks import nearest
from benchmarks.nearest import Nearest
from benchmarks.outsiders import Outsiders
from styleengine.networks.extractor import Geometry
from styleengine.networks.vgg import VGG19, vgg19
from styleengine.pictures.files import Picture
from styleengine.pictures.picture import fit
from styleengine.scene.resample import resize, to_tensor
from styleengine.weights.store import resolve

STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
HELD_OUT = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
SLICED, CONTENT = "relu3_1", "relu4_2"
DIRECTIONS, QUANTILES = 128, 512


@dataclass(frozen=True)
class Scores:
    """The judge's figures for one picture; see the module's text."""

    style: float
    held_out: float
    sliced: float
    content: float
    noise: float
    nn: float
    worst: float
    eff_s: float | None
    eff_c: float | None
    patch: float
    colour: float


@dataclass(frozen=True)
class Report:
    """`Scores` and what two of them are the means of, by layer."""

    scores: Scores
    style: dict[str, float]
    held_out: dict[str, float]


@dataclass(frozen=True)
class _Look:
    """What is kept of a picture's features."""

    grams: dict[str, Tensor]
    moments: dict[str, Tensor]
    projections: Tensor
    content: Tensor
    noise: float
    maps: dict[str, Tensor]
    """Of the layers that `Nearest` sees, as (C, h, w)."""


class Judge:
    """The judge of one pair, which looks at the content and the style only once."""

    def __init__(
        self, net: VGG19, content: Picture, style: Picture, long_side: int, margin: int = 0
    ) -> None:
        """``margin`` is in pixels, a multiple of 16; see the module's text."""
        self._net, self._margin = net, margin
        self._size = fit(content.width, content.height, long_side)
        image, features = self._features(content, self._size)
        self._spread = {n: features[n].std() for n in HELD_OUT}
        self._content = self._look(image, features)
        style_size = fit(style.width, style.height, long_side)
        painted, features = self._features(style, style_size)
        self._style = self._look(painted, features)
        self._outsiders, self._nearest = Outsiders(image, painted), self._bank(style, long_side)

    def _bank(self, style: Picture, long_side: int) -> Nearest:
        """What places are compared with: the style at several sizes, as it is and mirrored."""
        looks = []
        for ratio in nearest.RATIOS:
            size = fit(style.width, style.height, long_side * ratio)
            for picture in (style, Picture(np.ascontiguousarray(style.rgb[:, ::-1]))):
                _, found = self._features(picture, size)
                looks.append({n: found[n] for n in nearest.LAYERS})
        return Nearest(looks)

    def report(self, output: Picture) -> Report:
        """All figures of ``output``."""
        c, s = self._content, self._style
        image, features = self._features(output, self._size)
        o = self._look(image, features)
        style = {n: _relative(o.grams[n], c.grams[n], s.grams[n]) for n in STYLE}
        held = {n: _relative(o.moments[n], c.moments[n], s.moments[n]) for n in HELD_OUT}
        sliced = (o.projections - s.projections).square().mean()
        apart = (c.projections - s.projections).square().mean()
        content = (o.content - c.content).square().mean() / c.content.var()
        nn, worst = self._nearest.judge(o.maps)
        scores = Scores(
            style=sum(style.values()) / len(style),
            held_out=sum(held.values()) / len(held),
            sliced=float(sliced / apart),
            content=float(content),
            noise=o.noise / s.noise,
            nn=nn,
            worst=worst,
            **dataclasses.asdict(self._outsiders.judge(image)),
        )
        return Report(scores, style, held)

    def scores(self, output: Picture) -> Scores:
        """Scores of ``output``."""
        return self.report(output).scores

    @torch.no_grad()
    def _features(
        self, picture: Picture, size: tuple[int, int]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        image, m = resize(to_tensor(picture.rgb), size).clamp(0, 1), self._margin
        found = self._net(F.pad(image, (m, m, m, m), mode="reflect") if m else image)
        return image, {n: inside(f[0], size, m, self._net.geometry[n]) for n, f in found.items()}

    def _look(self, image: Tensor, found: dict[str, Tensor]) -> _Look:
        return _Look(
            {n: _gram(found[n]) for n in STYLE},
            {n: _moments(found[n], self._spread[n]) for n in HELD_OUT},
            _projections(found[SLICED]),
            found[CONTENT],
            _high_pass(image),
            {n: found[n].unflatten(1, self._cut(image, n)) for n in nearest.LAYERS},
        )

    def _cut(self, image: Tensor, name: str) -> tuple[int, int]:
        """Positions (h, w) of a layer in a picture (1, 3, h, w) without its margin."""
        stride = self._net.geometry[name].stride
        return image.shape[-2] // stride, image.shape[-1] // stride


def load_judge() -> VGG19:
    """The judge's network; raises `EngineError` where no pretrained weights are at hand."""
    return vgg19((*STYLE, *HELD_OUT, CONTENT), resolve())


def judge(net: VGG19, output: Picture, content: Picture, style: Picture, long_side: int) -> Scores:
    """Scores of ``output`` at ``long_side`` pixels."""
    return Judge(net, content, style, long_side).scores(output)


def inside(f: Tensor, size: tuple[int, int], margin: int, geometry: Geometry) -> Tensor:
    """A layer's features (C, h, w) without those of the ``margin``, as (C, positions).

    ``size`` (h, w) is the picture's, without the margin.
    """
    (h, w), first = (n // geometry.stride for n in size), margin // geometry.stride
    return f[:, first : first + h, first : first + w].flatten(1)


def _gram(f: Tensor) -> Tensor:
    return f @ f.T / f.shape[1]


def _moments(f: Tensor, spread: Tensor) -> Tensor:
    mean = f.mean(1)
    centred = f - mean[:, None]
    return torch.cat([mean[:, None], centred @ centred.T / f.shape[1] / spread], 1)


def _relative(o: Tensor, c: Tensor, s: Tensor) -> float:
    return float((o - s).square().sum() / (c - s).square().sum().clamp_min(1e-12))


def _projections(f: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(DIRECTIONS, f.shape[0], generator=generator)
    directions /= directions.norm(dim=1, keepdim=True)
    ordered = (directions @ f).sort(1).values
    return F.interpolate(ordered[None], size=QUANTILES, mode="linear", align_corners=True)[0]


def _high_pass(image: Tensor) -> float:
    blurred = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return float((image - blurred).square().mean())
