"""Into what tiles and precision a scale is cut, and what is made smaller when memory is short."""

from __future__ import annotations

import pytest
import torch

from styleengine.machine import memory
from styleengine.networks.base import NETWORK_VALUES
from styleengine.networks.extractor import ExtractorEntry
from styleengine.planning import fitting
from styleengine.planning.layout import (
    GIB,
    LIMITS,
    NARROW,
    NARROW_PAIR,
    SIDES,
    SMALLEST_SIDE,
    Layout,
    layout,
)
from styleengine.planning.plan import make_plan
from styleengine.protocol import Settings
from styleengine.weights.vgg_layout import CONTENT_LAYER, STYLE_LAYERS
from tests.test_tiling import LAYERS, thin

CPU = LIMITS["cpu"]
VGG = ExtractorEntry(lambda request: None, STYLE_LAYERS, CONTENT_LAYER, "")
MEGAPIXEL = 1000 * 1000


def at(height, width, *, steps=10, budget=16 * GIB, margin=24, itemsize=2) -> Layout:
    return layout((height, width), steps, 10, margin, itemsize, budget, CPU)


def test_small_pictures_are_taken_whole_and_in_full_precision():
    found = at(683, 1024)
    assert found.side is None and not found.narrow and found.history == 8
    assert found.cost == 1.0
    assert found.bytes < 2 * GIB


def test_large_pictures_are_cut_and_kept_in_half_precision():
    found = at(4000, 6000)
    assert found.side in SIDES and found.narrow
    assert 1.5 < found.cost < 2.5
    assert found.bytes < 2.2 * GIB
    assert at(6324, 9487).bytes < 3 * GIB


def test_memory_grows_with_the_picture_only_as_far_as_the_minimiser_needs_it():
    small, large = at(3000, 4000), at(6000, 8000)
    pixels = (6000 * 8000) - (3000 * 4000)
    per_pixel = NARROW + NARROW_PAIR * large.history
    assert large.bytes - small.bytes <= per_pixel * pixels


def test_less_memory_gives_smaller_tiles_and_a_shorter_history_down_to_an_end():
    budgets = [8 * GIB, 2 * GIB, 1.5 * GIB, 1.2 * GIB, 0.1 * GIB]
    found = [at(4000, 6000, budget=b) for b in budgets]
    assert [f.side for f in found] == sorted((f.side for f in found), reverse=True)
    assert [f.history for f in found] == sorted((f.history for f in found), reverse=True)
    for f, budget in zip(found[:-1], budgets, strict=False):
        assert f.bytes <= budget
    assert found[-1].side == SMALLEST_SIDE and found[-1].history == 1


def test_float32_and_deep_layers_get_smaller_tiles():
    assert at(4000, 6000, itemsize=4).side < at(4000, 6000).side
    assert at(4000, 6000, margin=128).side < at(4000, 6000, margin=24).side


def test_few_steps_need_few_pairs():
    assert at(500, 500, steps=4).history == 2
    assert at(500, 500, steps=1).history == 1
    assert at(500, 500, steps=60).history == 10


def test_several_processes_look_at_a_stripe_in_one_piece_where_one_need_not_cut():
    size, others = (683, 1024), (10, 10, 128, 2, 16 * GIB, CPU)
    alone = layout(size, *others)
    assert alone.side is None and layout(size, *others, parts=2).parts == 1  # 128 rows beside 341
    found = layout(size, *others, parts=2, beside=True)
    assert found.parts == 2 and found.side is None and found.history == alone.history
    assert 0.5 < found.cost < 0.6 and 0.5 * alone.bytes < found.bytes < 0.6 * alone.bytes
    assert layout((4000, 6000), *others, parts=2, beside=True).side in SIDES


def test_what_cannot_be_cut_is_taken_whole():
    found = at(4000, 6000, margin=None)
    assert found.side is None and not found.narrow
    assert found.bytes > 30 * GIB  # what a plain run of 24 megapixels takes


# --- the whole plan -------------------------------------------------------------------------------


class Trunk:
    """What `fit_to_memory` asks of one."""

    geometry = thin(LAYERS).geometry
    precision = type("P", (), {"dtype": torch.bfloat16})
    values = NETWORK_VALUES


def fitted(width, height, free, monkeypatch, additive=True, trunk=Trunk, **settings):
    monkeypatch.setattr(memory, "free", lambda device: free)
    chosen = Settings(**settings)
    plan = make_plan(chosen, width, height, VGG)
    return fitting.fit_to_memory(
        plan,
        width,
        height,
        chosen,
        VGG,
        {plan.features: trunk},
        additive,
        torch.device("cpu"),
    )


def test_with_enough_memory_the_picture_keeps_its_size(monkeypatch):
    for width, height in ((6000, 4000), (9487, 6324)):
        plan, layouts = fitted(width, height, 16 * GIB, monkeypatch)
        assert plan.sizes[-1] == (height, width)
        assert len(layouts) == len(plan.sizes)
        assert layouts[0].side is None and layouts[-1].side is not None


def test_without_it_is_painted_smaller_but_never_tiny(monkeypatch):
    plan, layouts = fitted(6000, 4000, 1.5 * GIB, monkeypatch)
    assert 1024 <= max(plan.sizes[-1]) < 6000
    assert max(found.bytes for found in layouts) < 1.5 * GIB
    plan, _ = fitted(6000, 4000, 0.1 * GIB, monkeypatch)
    assert max(plan.sizes[-1]) == fitting.SMALL_ENOUGH


def test_a_network_that_holds_less_gets_larger_tiles(monkeypatch):
    class Light(Trunk):
        values = NETWORK_VALUES // 2

    _, heavy = fitted(6000, 4000, 16 * GIB, monkeypatch)
    _, light = fitted(6000, 4000, 16 * GIB, monkeypatch, trunk=Light)
    assert light[-1].side > heavy[-1].side
    assert light[0].bytes < heavy[0].bytes


def test_a_size_the_user_asked_for_is_kept(monkeypatch):
    plan, _ = fitted(6000, 4000, 0.1 * GIB, monkeypatch, size=5000)
    assert max(plan.sizes[-1]) == 5000


def test_a_loss_that_cannot_be_tiled_is_painted_at_the_size_that_fits_in_one_piece(monkeypatch):
    plan, layouts = fitted(6000, 4000, 4 * GIB, monkeypatch, additive=False)
    assert all(found.side is None for found in layouts)
    assert 1024 < max(plan.sizes[-1]) < 2000


def test_free_memory_is_that_of_the_container(monkeypatch, tmp_path):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "CGROUP_LIMIT", limit)
    everything = memory.free(torch.device("cpu"))
    assert everything > 0
    limit.write_text("max\n")
    assert memory.free(torch.device("cpu")) == pytest.approx(everything, rel=0.2)
    limit.write_text("1000\n")
    assert memory.free(torch.device("cpu")) == 0
