"""The two engines that ours is measured against, written from their published recipes.

They use our trunk, nothing else of our engine. `wasserstein` needs it in float32: its matrix roots
enlarge the rounding of bfloat16 a thousandfold.

`neural_style`  Gatys et al. as in neural-style and neural-style-pt: one scale, from noise, Gram
                matrices over C·H·W on relu1_1 … relu5_1 (weight 100), content on relu4_2 (5), total
                variation as a sum of absolute differences (1e-3), 1,000 L-BFGS steps with a history
                of 100, pictures in 0–255.
`wasserstein`   style-transfer-pytorch (2023): Gaussian Wasserstein-2 distance of means and
                covariances with weights 256 : 64 : 16 : 4 : 1, content 0.015 on relu4_2, nine-point
                total variation 2, scales from 128 px by √2, 1,000 + 500 · n steps of Adam (0.02,
                0.9, 0.99) on the clamped picture, an exponential mean (0.99) of the iterates that
                starts every scale, warm-started moments.

Both are generators that yield ``(seconds, steps, picture)``, the picture (1, 3, h, w) in 0–1.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from styleengine.loss.moments import Moments, moments
from styleengine.loss.smoothness import tv_values
from styleengine.networks.extractor import Extractor
from styleengine.pictures.picture import fit
from styleengine.scene.resample import resize

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYER = "relu4_2"
LAYERS = (*STYLE_LAYERS, CONTENT_LAYER)
Trace = Iterator[tuple[float, int, Tensor]]

BYTES = 255.0
TORCHVISION = 0.225 * BYTES
"""How much larger the Oxford network's activations are than torchvision's, whose input has unit
deviation: ReLU networks are homogeneous. `wasserstein`'s weights are meant for torchvision's."""
EPSILON, TINY = 1e-4, 1e-30


def neural_style(
    net: Extractor,
    content: Tensor,
    style: Tensor,
    steps: int = 1000,
    every: int = 100,
    content_weight: float = 5.0,
    seed: int = 0,
) -> Trace:
    """The neural-style recipe; ``content`` and ``style`` (1, 3, h, w) at the size to paint."""
    with torch.no_grad():
        target = _map(net(content), CONTENT_LAYER)
        wanted = {n: m.gram / m.total.numel() for n, m in _all_moments(net(style)).items()}
    generator = torch.Generator().manual_seed(seed)
    mean = content.new_tensor((123.68, 116.779, 103.939)).view(1, 3, 1, 1)
    x = torch.randn(content.shape, generator=generator).to(content) * 0.001 + mean
    x.requires_grad_()
    optimizer = torch.optim.LBFGS(
        [x], max_iter=1, history_size=100, tolerance_grad=-1, tolerance_change=-1
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        found = net(x / BYTES)
        loss = content_weight * (_map(found, CONTENT_LAYER) - target).square().mean()
        for name, ours in _all_moments(found).items():
            gram = ours.gram / ours.total.numel()
            loss = loss + 100.0 * (gram - wanted[name]).square().mean()
        across = (x[..., 1:] - x[..., :-1]).abs().sum()
        down = (x[..., 1:, :] - x[..., :-1, :]).abs().sum()
        loss = loss + 1e-3 * (across + down)
        loss.backward()
        return loss

    yield from _timed(
        lambda: optimizer.step(closure),  # type: ignore[arg-type]
        lambda: (x.detach() / BYTES).clamp(0, 1),
        steps,
        every,
    )


def wasserstein(
    net: Extractor,
    content: Tensor,
    style: Tensor,
    content_weight: float = 0.015,
    first_steps: int = 1000,
    other_steps: int = 500,
    every: int = 500,
) -> Trace:
    """The Wasserstein-2 recipe; ``content`` at the final size, ``style`` at least as large."""
    long_side = max(content.shape[-2:])
    sides = [float(long_side)]
    while sides[-1] / math.sqrt(2) >= 127.5:
        sides.append(sides[-1] / math.sqrt(2))
    x = first = second = None
    started, done = time.monotonic(), 0
    for number, side in enumerate(reversed(sides)):
        small = resize(content, _size(content, side)).clamp(0, 1)
        x, first, second = _adam_at(x, first, second, small)
        goal = _WassersteinGoal(net, small, resize(style, _size(style, side)), content_weight)
        average = torch.zeros_like(x)
        steps = first_steps if number == 0 else other_steps
        for step in range(1, steps + 1):
            gradient = goal.gradient(x)
            first.lerp_(gradient, 0.1)
            second.lerp_(gradient.square(), 0.01)
            done += 1  # over all scales, like the moments
            scale = (second / (1 - 0.99**done)).sqrt() + 1e-8
            x = (x - 0.02 / (1 - 0.9**done) * first / scale).clamp_(0, 1)
            average.lerp_(x, 0.01)
            if done % every == 0 or step == steps:
                yield time.monotonic() - started, done, average / (1 - 0.99**step)
        x = average / (1 - 0.99**steps)


class _WassersteinGoal:
    """The loss of one scale: content, style and total variation."""

    WEIGHTS = tuple(w / 341 for w in (256, 64, 16, 4, 1))

    def __init__(self, net: Extractor, content: Tensor, style: Tensor, weight: float) -> None:
        self._net, self._content_weight = net, weight
        with torch.no_grad():
            self._content = _map(net(content), CONTENT_LAYER) / TORCHVISION
            self._style = {
                n: (m.mean, _root(_covariance(m).double())[0])
                for n, m in _all_moments(net(style), TORCHVISION).items()
            }

    def gradient(self, image: Tensor) -> Tensor:
        """The loss's gradient at ``image``."""
        x = image.detach().requires_grad_()
        found = self._net(x)
        content = _map(found, CONTENT_LAYER) / TORCHVISION
        loss = self._content_weight * (content - self._content).square().mean()
        ours = _all_moments(found, TORCHVISION)
        for weight, (name, m) in zip(self.WEIGHTS, ours.items(), strict=True):
            mean, root = self._style[name]
            loss = loss + weight * (m.mean - mean).square().mean()
            # Tr(S + S' - 2 (S'^½ S S'^½)^½) / C. The gradient of the last term with respect to S
            # is -S'^½ (S'^½ S S'^½)^-½ S'^½, so that it may be replaced by its product with S.
            covariance = _covariance(m)
            _, inverse = _root(root @ covariance.detach().double() @ root)
            slope = torch.eye(len(mean)).to(root) - root @ inverse @ root
            loss = loss + weight * (slope.to(mean) * covariance).sum() / len(mean)
        loss = loss + 2.0 * tv_values(x).mean()
        (gradient,) = torch.autograd.grad(loss, x)
        return gradient


def _adam_at(
    x: Tensor | None, first: Tensor | None, second: Tensor | None, content: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    if x is None or first is None or second is None:
        return content.clone(), torch.zeros_like(content), torch.zeros_like(content)
    size = tuple(content.shape[-2:])
    larger = F.interpolate(second, size=size, mode="bilinear", align_corners=False).relu_()
    return resize(x, size).clamp(0, 1), resize(first, size), larger


def _root(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Square root of a positive definite float64 matrix and its inverse.

    Unlike the original's twelve Newton–Schulz steps in float32, which do not converge where a small
    map has fewer positions than channels.
    """
    values, vectors = torch.linalg.eigh(matrix)
    values = values.clamp_min(TINY).sqrt()
    return (vectors * values) @ vectors.T, (vectors / values) @ vectors.T


def _covariance(m: Moments) -> Tensor:
    found = m.covariance
    return found + found.detach().diagonal().mean() * EPSILON * torch.eye(len(found)).to(found)


def _all_moments(found: dict[str, Tensor], unit: float = 1.0) -> dict[str, Moments]:
    return {n: moments(found[n].squeeze(0), None, unit) for n in STYLE_LAYERS}


def _map(found: dict[str, Tensor], name: str) -> Tensor:
    return found[name].float()


def _size(image: Tensor, long_side: float) -> tuple[int, int]:
    height, width = image.shape[-2:]
    return fit(width, height, min(long_side, max(height, width)))


def _timed(
    step: Callable[[], object], picture: Callable[[], Tensor], steps: int, every: int
) -> Trace:
    started = time.monotonic()
    for done in range(1, steps + 1):
        step()
        if done % every == 0 or done == steps:
            yield time.monotonic() - started, done, picture()
