"""How the statistics of a layer are taken, added up, compared, and pulled at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from styleengine.loss.maps import batch, in_metric, only, single
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
class _Plain:
    """What a loss of its own kind makes of features: a tensor, if it adds up."""

    value: Any

    def tensors(self) -> list[Tensor]:
        return [self.value]

    def like(self, tensors: Sequence[Tensor]) -> _Plain:
        return _Plain(*tensors)

    def __add__(self, other: _Plain) -> _Plain:
        return _Plain(self.value + other.value)


@dataclass(frozen=True)
class Measure:
    """How ``loss`` measures one layer's features (1, C, h, w), of a typical activation ``unit``.

    They are brought to ``metric``, if there is one, and in units of ``unit`` to the loss, at least
    in float32. A ``weight`` (h, w) weighs their positions.
    """

    loss: StyleLoss
    unit: float
    metric: Tensor | None

    def of(self, features: Tensor, weight: Tensor | None) -> Any:
        """The statistics of ``features``."""
        seen = in_metric(single(features) / self.unit, self.metric)
        return _Plain(self.loss.statistics(seen, weight))

    def of_nothing(self, features: Tensor, weight: Tensor | None, own: Any) -> Any:
        """Those that the network would have if it saw nothing, where ``own`` are the features'."""
        return self.of(torch.zeros_like(features), weight)

    def distance(self, ours: Any, target: Any) -> Tensor:
        """A scalar ≥ 0, zero where the statistics agree."""
        return self.loss.distance(ours.value, target.value)

    def pull(self, by: Any, features: Tensor, weight: Tensor | None) -> Tensor:
        """The gradient by the features, where ``by`` is that by their statistics."""
        leaf = features.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.of(leaf, weight).value, leaf, by.value)
        return gradient


class _ByMoments(Measure):
    """Takes moments straight from the network's maps, and brings them to the metric: both in
    less time and memory than autograd would need."""

    def of(self, features: Tensor, weight: Tensor | None) -> Moments:
        return moments(only(features), weight, self.unit)

    def of_nothing(self, features: Tensor, weight: Tensor | None, own: Moments) -> Moments:
        return Moments(own.count, torch.zeros_like(own.total), torch.zeros_like(own.outer))

    def distance(self, ours: Moments, target: Moments) -> Tensor:
        if self.metric is not None:
            ours, target = ours.mapped(self.metric), target.mapped(self.metric)
        return self.loss.distance(ours, target)

    def pull(self, by: Moments, features: Tensor, weight: Tensor | None) -> Tensor:
        return batch(by.pull(only(features.detach()), weight, self.unit))


def measure_of(loss: StyleLoss, unit: float, metric: Tensor | None) -> Measure:
    """The `Measure` that suits ``loss``."""
    return (_ByMoments if isinstance(loss, MomentsLoss) else Measure)(loss, unit, metric)
