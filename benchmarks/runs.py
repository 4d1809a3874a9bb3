"""Runs of the engines with the clock on, and the search for the strength to compare them at."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.references import LAYERS, Trace
from styleengine.engine import Engine
from styleengine.jobs import Job, Preview, Result, Style
from styleengine.networks import trunk
from styleengine.networks.vgg import vgg19
from styleengine.pictures.files import Picture
from styleengine.planning.plan import features_for, make_plan
from styleengine.protocol import Settings
from styleengine.scene.resample import to_array
from styleengine.weights.store import resolve

CLOSE = 0.02
"""Two contents whose logarithms differ by no more than this count as equal."""
SLOPE = 0.02
"""How much one point of strength adds to the logarithm of the content score, as a first guess."""


@dataclass(frozen=True, eq=False)
class Moment:
    """The picture after so many seconds and steps."""

    seconds: float
    steps: int
    picture: Picture


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run; its last moment is the result."""

    engine: str
    moments: tuple[Moment, ...]
    strength: float | None = None

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.moments[-1].seconds

    @property
    def picture(self) -> Picture:
        """The result."""
        return self.moments[-1].picture


def paint(
    engine: Engine, content: Picture, style: Picture, settings: Settings, points: int = 0
) -> Run:
    """A run of ours, with about ``points`` moments besides the result.

    Its seconds are those of the whole run from its pictures to the result, without the time that
    the previews take.
    """
    chosen = dataclasses.replace(settings, features=features_for(settings))
    entry = engine.plugins.extractor(chosen.features)
    total = make_plan(chosen, content.width, content.height, entry).total_steps
    long_side = max(content.width, content.height)
    job = Job(
        content,
        (Style(style),),
        settings,
        preview=long_side if points else 0,
        preview_steps=max(1, total // points) if points else None,
    )
    moments: list[Moment] = []
    seconds, steps, started = 0.0, 0, time.monotonic()
    for event in engine.run(job):
        spent = time.monotonic() - started
        if isinstance(event, Preview):
            moments.append(Moment(seconds, event.step, event.picture))
        else:
            seconds += spent
        if isinstance(event, Result):
            if moments and moments[-1].steps == steps:
                moments.pop()
            moments.append(Moment(seconds, steps, event.picture))
            return Run(settings.preset, tuple(moments), settings.strength)
        steps = steps if isinstance(event, Preview) else event.step
        started = time.monotonic()
    raise AssertionError("a run ends with a result")


def warm_up(engine: Engine, content: Picture, style: Picture, settings: Settings) -> None:
    """Has the network of ``settings`` loaded, which is no part of any run's time."""
    paint(engine, content, style, dataclasses.replace(settings, size=64, iterations=1))


def reference(name: str, trace: Trace) -> Run:
    """The run behind ``trace``, whose clock goes on while it is not asked for the next moment."""
    found = list(trace)
    return Run(name, tuple(Moment(t, n, Picture(to_array(p))) for t, n, p in found))


def reference_trunk(device: torch.device, precision: trunk.Precision) -> trunk.Trunk:
    """The network of the references."""
    return trunk.Trunk(vgg19(LAYERS, resolve()), device, precision)


def find_strength(
    error: Callable[[float], float], start: float = 50.0, extra: int = 3
) -> list[tuple[float, float]]:
    """Strengths and their errors, from a search for the strength of error 0.

    ``error`` rises with the strength: the logarithm of the content score over the one wanted. It is
    asked once for ``start`` and at most ``extra`` times more: for the secant's guess, between the
    nearest two of different sign as soon as there are any.
    """
    tried = [(start, error(start))]
    while len(tried) <= extra and min(abs(e) for _, e in tried) > CLOSE:
        guess = _guess(tried)
        if any(math.isclose(guess, s, abs_tol=0.05) for s, _ in tried):
            break  # the end of the scale, or as near as the scale can say
        tried.append((guess, error(guess)))
    return tried


def _guess(tried: list[tuple[float, float]]) -> float:
    low = [t for t in tried if t[1] < 0]
    high = [t for t in tried if t[1] >= 0]
    if low and high:
        (s0, e0), (s1, e1) = max(low, key=_error), min(high, key=_error)
        return round(s0 - e0 * (s1 - s0) / (e1 - e0), 2)
    s, e = min(tried, key=lambda t: abs(t[1]))
    slope = SLOPE
    if len(tried) > 1:
        (s0, e0), (s1, e1) = tried[-2:]
        measured = (e1 - e0) / (s1 - s0)
        slope = measured if measured > SLOPE / 10 else SLOPE
    return round(min(max(s - e / slope, 0.0), 100.0), 2)


def _error(tried: tuple[float, float]) -> float:
    return tried[1]
