"""Derivatives of the two kinds of parts of a loss: of statistics, and of places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from styleengine.loss.statistics import Statistics
from styleengine.loss.term import Found, Key


def gradient_by(x: Tensor, local: Tensor, found: Found, below: Mapping[str, Tensor]) -> Tensor:
    """The gradient by ``x`` of ``local`` (), a part of the loss, and of the rest of it, of which
    ``below`` has those by the features ``found`` of ``x``."""
    ends = [local, *(found[n] for n in below)]
    (gradient,) = torch.autograd.grad(ends, x, [torch.ones_like(local), *below.values()])
    return gradient


def pulled_by(features: Tensor, pull: Callable[[Tensor], Tensor]) -> Tensor:
    """A zero () whose gradient by ``features`` is ``pull`` of them, which is not kept beyond."""
    zero: Tensor = _Pulled.apply(features, pull)  # type: ignore[no-untyped-call]
    return zero


class _Pulled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, pull: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(features)
        ctx.pull = pull
        return features.new_zeros((), dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.pull(ctx.saved_tensors[0]), None


def derivatives(
    function: Callable[[Mapping[Key, Statistics]], Tensor], statistics: Mapping[Key, Statistics]
) -> tuple[float, dict[Key, Statistics]]:
    """The value of a function of statistics, and its derivative by each of them, of their kind."""
    leaves = {k: [t.detach().requires_grad_() for t in v.tensors()] for k, v in statistics.items()}
    value = function({k: statistics[k].like(tensors) for k, tensors in leaves.items()})
    flat = [t for tensors in leaves.values() for t in tensors]
    slopes = iter(torch.autograd.grad(value, flat, allow_unused=True, materialize_grads=True))
    by = {k: statistics[k].like([next(slopes) for _ in ts]) for k, ts in leaves.items()}
    return float(value.detach()), by
