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
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from styleengine.features import VGG19, vgg19
from styleengine.images import Picture
from styleengine.resample import fit, resize, to_tensor
from styleengine.weights import resolve

STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
HELD_OUT = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
DIRECTIONS, QUANTILES = 128, 512


@dataclass(frozen=True)
class Scores:
    """The judge's figures for one picture; see the module's text."""

    style: float
    held_out: float
    sliced: float
    content: float
    noise: float


def load_judge() -> VGG19:
    """The judge's network; raises `EngineError` where no pretrained weights are at hand."""
    return vgg19((*STYLE, *HELD_OUT, "relu4_2"), resolve("vgg19"))


@torch.no_grad()
def judge(net: VGG19, output: Picture, content: Picture, style: Picture, long_side: int) -> Scores:
    """Scores of ``output`` at ``long_side`` pixels."""
    size = fit(content.width, content.height, long_side)
    style_size = fit(style.width, style.height, long_side)
    pictures = [
        resize(to_tensor(p.rgb), at).clamp(0, 1)
        for p, at in ((output, size), (content, size), (style, style_size))
    ]
    o, c, s = ({n: f[0].flatten(1) for n, f in net(p).items()} for p in pictures)
    style_terms = [_relative(_gram(o[n]), _gram(c[n]), _gram(s[n])) for n in STYLE]
    held_terms = [_relative(*(_moments(x[n], c[n]) for x in (o, c, s))) for n in HELD_OUT]
    so, sc, ss = (_projections(x["relu3_1"]) for x in (o, c, s))
    target = c["relu4_2"]
    high = [_high_pass(p) for p in pictures]
    return Scores(
        style=sum(style_terms) / len(style_terms),
        held_out=sum(held_terms) / len(held_terms),
        sliced=float((so - ss).square().mean() / (sc - ss).square().mean()),
        content=float((o["relu4_2"] - target).square().mean() / target.var()),
        noise=high[0] / high[2],
    )


def _gram(f: Tensor) -> Tensor:
    return f @ f.T / f.shape[1]


def _moments(f: Tensor, content: Tensor) -> Tensor:
    mean = f.mean(1)
    centred = f - mean[:, None]
    return torch.cat([mean[:, None], centred @ centred.T / f.shape[1] / content.std()], 1)


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
