"""How the statistics of a layer are taken, added up, compared, and pulled at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from styleengine.loss.maps import in_metric, single
from styleengine.loss.moments import Moments, moments
from styleengine.loss.style_losses import MomentsLoss, StyleLoss


class Statistics(Protocol):
    """What is known of a layer's features in a region: tensors that add up over positions."""

    def tensors(self) -> list[Tensor]:
        """All of them."""
        ...

    def like(self, tensors: Sequence[Tensor]) -> Self:
        """The same with other tensors, as they are their derivatives."""
        ...

    def __add__(self, other: Self) -> Self: ...


@dataclass(frozen=True)
class Plain:
    """What a loss of its own kind makes of features: a tensor, if it adds up."""

    value: Any

    def tensors(self) -> list[Tensor]:
        """The tensor."""
        return [self.value]

    def like(self, tensors: Sequence[Tensor]) -> Plain:
        """Another tensor of this kind."""
        return Plain(*tensors)

    def __add__(self, other: Plain) -> Plain:
        return Plain(self.value + other.value)


class Measure(Protocol):
    """How one layer's features (1, C, h, w) are measured.

    ``weight`` (h, w), if any, weighs their positions.
    """

    def of(self, features: Tensor, weight: Tensor | None) -> Any:
        """The statistics of ``features``."""
        ...

    def of_nothing(self, features: Tensor, weight: Tensor | None, own: Any) -> Any:
        """Those that the network would have if it saw nothing, where ``own`` are the features'."""
        ...

    def distance(self, ours: Any, target: Any) -> Tensor:
        """A scalar ≥ 0, zero where the statistics agree."""
        ...

    def pull(self, by: Any, features: Tensor, weight: Tensor | None) -> Tensor:
        """The gradient by the features, where ``by`` is that by their statistics."""
        ...


@dataclass(frozen=True)
class ByMoments:
    """Takes `Moments` straight from the network's maps, and brings these to its metric."""

    loss: MomentsLoss
    unit: float
    metric: Tensor | None

    def of(self, features: Tensor, weight: Tensor | None) -> Moments:
        """`moments` of the features in units of ``unit``."""
        return moments(features.squeeze(0), weight, self.unit)

    def of_nothing(self, features: Tensor, weight: Tensor | None, own: Moments) -> Moments:
        """As many positions, all of them zero."""
        return Moments(own.count, torch.zeros_like(own.total), torch.zeros_like(own.outer))

    def distance(self, ours: Moments, target: Moments) -> Tensor:
        """The loss of the moments, in the network's metric."""
        if self.metric is not None:
            ours, target = ours.mapped(self.metric), target.mapped(self.metric)
        return self.loss.distance(ours, target)

    def pull(self, by: Moments, features: Tensor, weight: Tensor | None) -> Tensor:
        """One matrix product, in the dtype of the features."""
        return by.pull(features.detach().squeeze(0), weight, self.unit).unsqueeze(0)


@dataclass(frozen=True)
class ByTensors:
    """Takes whatever tensor a loss makes of the features, brought to the metric before."""

    loss: StyleLoss
    unit: float
    metric: Tensor | None

    def of(self, features: Tensor, weight: Tensor | None) -> Plain:
        """The loss's own statistics of the features in units of ``unit``, at least float32."""
        seen = in_metric(single(features) / self.unit, self.metric)
        return Plain(self.loss.statistics(seen, weight))

    def of_nothing(self, features: Tensor, weight: Tensor | None, own: Plain) -> Plain:
        """Those of zeros."""
        return self.of(torch.zeros_like(features), weight)

    def distance(self, ours: Plain, target: Plain) -> Tensor:
        """The loss's own distance."""
        return self.loss.distance(ours.value, target.value)

    def pull(self, by: Plain, features: Tensor, weight: Tensor | None) -> Tensor:
        """By automatic differentiation."""
        leaf = features.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.of(leaf, weight).value, leaf, by.value)
        return gradient


def measure_of(loss: StyleLoss, unit: float, metric: Tensor | None) -> Measure:
    """How ``loss`` measures a layer of a typical activation ``unit``, compared in ``metric``."""
    if isinstance(loss, MomentsLoss):
        return ByMoments(loss, unit, metric)
    return ByTensors(loss, unit, metric)
