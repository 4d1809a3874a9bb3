"""The time left, as a run tells it, on a computer that does other things, too."""

from __future__ import annotations

import pytest

from styleengine.descent import pace
from styleengine.descent.pace import EACH_STEP, EACH_STYLE, Pace
from styleengine.planning.layout import Layout
from styleengine.planning.plan import make_plan
from styleengine.plugins.registry import load_plugins
from styleengine.protocol import Settings

RATE = 2e-6
"""Seconds per pixel that the probe of the device has found."""
BEGINS, FINE_BEGINS = 2.8, 0.8
"""Steps that a scale's beginning takes, as measured, below and above 1600 pixels."""
THREADS = 2
OF_STYLES = {1: 1.0, 4: 1.9}
"""By how many styles: how many times as long."""
LAST, SAMPLED = 0.4, 0.05
"""What the last step takes as measured, without a gradient, below and above seven megapixels."""


class Clock:
    """A computer that is as busy as ``load`` says: everything takes so many times as long."""

    def __init__(self):
        self.now, self.load = 100.0, 1.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(pace, "time", made)
    return made


def ends(plan, scale):
    """Whether what comes after a scale makes nothing of its gradient."""
    return max(plan.sizes[scale + 1]) > 1600


def run(clock, rates, load, size=1400, styles=1):
    """(time left as told, real time) of each step; ``load`` tells that of a step."""
    settings = Settings(features="draft")
    plan = make_plan(settings, size, size * 2 // 3, load_plugins().extractor("draft"))
    layouts = [Layout(576, False, 10, 0, 1.0) for _ in plan.sizes]
    told, counted = Pace(plan, layouts, "", [rates] * len(plan.sizes), None, styles, THREADS), []
    for scale, (h, w) in enumerate(plan.sizes):
        told.begin(scale)
        for step in range(plan.steps[scale]):
            pixels = h * w + EACH_STEP * THREADS + EACH_STYLE * (styles - 1)
            cost = RATE * pixels * plan.share(scale) * layouts[scale].cost
            begins = OF_STYLES[styles] * (FINE_BEGINS if max(h, w) > 1600 else BEGINS)
            share = 1.0
            if step == plan.steps[scale] - 1 and (plan.sizes[-1] == (h, w) or ends(plan, scale)):
                share = SAMPLED if h * w > 7e6 else LAST
            clock.now += load(told.step) * cost * (share + begins * (step == 0))
            told.stepped()
            counted.append((told.progress("paint").eta_s, clock.now, told.step))
    return [(eta, clock.now - then, step) for eta, then, step in counted]


@pytest.mark.parametrize(
    ("load", "size", "styles"), [(0.5, 1400, 1), (1.0, 5000, 1), (3.0, 1400, 1), (1.0, 1400, 4)]
)
@pytest.mark.parametrize("rate", [RATE, None])
def test_the_time_left_is_that_of_the_computer_as_busy_as_it_is(clock, load, size, styles, rate):
    for eta, left, step in run(clock, rate, lambda step: load, size, styles):
        if step > pace.BELIEVED:
            assert eta == pytest.approx(left, rel=1e-6, abs=1e-9), (step, eta, left)
        elif rate is None:
            assert eta is None or eta == pytest.approx(left), "nothing else tells"
        else:
            low, high = sorted((left / load, left))
            assert 0.99 * low <= eta <= 1.01 * high, "between the probe's time and the real one"


def test_what_was_long_ago_does_not_count(clock):
    told = run(clock, RATE, lambda step: 1.0 if step < 30 else 4.0, size=3000)
    then = next(k for k, (_eta, _left, step) in enumerate(told) if step == 30)
    last = [(eta, left) for eta, left, step in told[then + 8 :]]
    assert all(eta == pytest.approx(left, rel=0.25, abs=1e-6) for eta, left in last), last[:3]
