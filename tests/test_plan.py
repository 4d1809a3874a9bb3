"""What a run will do: scales, steps, layers and weights, from the settings."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest

from styleengine.networks.extractor import ExtractorEntry
from styleengine.pictures.picture import fit
from styleengine.planning.plan import SHORTEST, make_plan
from styleengine.planning.recipes import (
    BEST,
    CLASSIC,
    FAST,
    FINE,
    PRESETS,
    content_factor,
    layer_balance,
    scale_sizes,
    scale_steps,
    tv_factor,
)
from styleengine.protocol import Settings
from styleengine.weights.vgg_layout import CONTENT_LAYER, STYLE_LAYERS

VGG = ExtractorEntry(lambda request: None, STYLE_LAYERS, CONTENT_LAYER, "")
OTHER = ExtractorEntry(lambda request: None, ("a", "b"), "c", "")


def plan(width=800, height=600, entry=VGG, **settings):
    return make_plan(Settings(**settings), width, height, entry)


def test_every_preset_of_the_settings_has_a_plan():
    choices = Settings.__dataclass_fields__["preset"].metadata["choices"]
    assert set(choices) == {*PRESETS, "classic"}
    for name in choices:
        found = plan(preset=name)
        assert found.total_steps > 0
        assert len(found.sizes) == len(found.steps)


@pytest.mark.parametrize("recipe", [FAST, BEST], ids=["fast", "best"])
@pytest.mark.parametrize("long_side", [8, 64, 128, 500, 1024, 4000])
def test_scales_ascend_to_the_working_size(recipe, long_side):
    sizes = scale_sizes(recipe, long_side)
    assert sizes[-1] == long_side
    assert list(sizes) == sorted(set(sizes))
    for small, large in pairwise(sizes):
        at_most = 1.02 if large <= 512 else recipe.ratio**0.35
        assert recipe.ratio ** (0.98 if large <= 512 else 0.55) < large / small
        assert large / small < recipe.ratio * at_most
    assert sizes[0] < 2 * recipe.smallest or len(sizes) == 1
    steps = scale_steps(recipe, sizes, 0)
    assert list(steps) == sorted(steps, reverse=True)
    assert min(steps) >= recipe.least


@pytest.mark.parametrize("recipe", [FAST, BEST], ids=["fast", "best"])
def test_large_pictures_pass_through_the_scales_of_a_preview(recipe):
    preview = scale_sizes(recipe, 512)
    for long_side in (1024, 1225, 2000, 4243, 6000, 9488):
        sizes = scale_sizes(recipe, long_side)
        assert sizes[: len(preview)] == preview and sizes[-1] == long_side


@pytest.mark.parametrize(
    "long_side, steps",
    [(100, (20,)), (256, (5, 20)), (512, (5, 8, 16)), (1024, (5, 8, 16, 8))],
)
def test_the_draft_network_takes_few_steps_on_the_way_to_512_pixels(long_side, steps):
    found = plan(long_side, long_side, preset="draft", features="draft")
    assert found.steps == steps
    assert plan(512, 512, preset="draft", features="vgg19").steps == (20, 20, 16)
    assert plan(512, 512, preset="fast", features="draft").steps == (5, 8, 16)


@pytest.mark.parametrize("total", [1, 2, 3, 10, 77, 100_000])
def test_a_number_of_iterations_is_kept_exactly(total):
    for recipe in (FAST, BEST):
        steps = scale_steps(recipe, scale_sizes(recipe, 2000), total)
        assert sum(steps) == total
        assert min(steps) >= 0
    for preset in ("fast", "best", "classic"):
        found = plan(preset=preset, iterations=total)
        assert found.total_steps == total
        assert [sum(found.rounds(i)) for i in range(len(found.steps))] == list(found.steps)


@pytest.mark.parametrize(("width", "height"), [(800, 600), (600, 800), (333, 500), (64, 64)])
def test_scales_have_the_pictures_shape(width, height):
    found = plan(width, height, size=512)
    assert found.sizes[-1] == fit(width, height, 512)
    for h, w in found.sizes:
        assert w / h == pytest.approx(width / height, rel=0.02)


def test_extreme_shapes_leave_the_network_something_to_look_at():
    found = plan(5000, 10, size=256)
    assert all(min(size) >= SHORTEST for size in found.sizes)


def test_the_working_size_is_the_pictures_own():
    for preset in ("fast", "best"):
        assert plan(300, 200, preset=preset).sizes[-1] == (200, 300)
        assert plan(9000, 6000, preset=preset).sizes[-1] == (6000, 9000)
    assert max(plan(300, 200, size=700).sizes[-1]) == 700
    assert max(make_plan(Settings(), 9000, 6000, VGG, 5000).sizes[-1]) == 5000
    assert max(make_plan(Settings(), 900, 600, VGG, 5000).sizes[-1]) == 900


def test_large_scales_look_at_shallow_layers_only():
    found = plan(9000, 6000)
    assert set(found.layers) == {*FAST.style_layers, FAST.content_layer}
    for scale, size in enumerate(found.sizes):
        deep = set(found.at(scale)) - {"relu1_1", "relu2_1", "relu3_1"}
        assert bool(deep) == (max(size) <= FINE)
    assert found.share(len(found.sizes) - 1) < found.share(0) == 1
    other = plan(9000, 6000, entry=OTHER)
    assert set(other.at(len(other.sizes) - 1)) == {"a", "b", "c"}


def test_another_network_may_look_at_the_shallow_layers_of_large_scales():
    settings = Settings(features="vgg19")
    found = make_plan(settings, 9000, 6000, VGG, fine="draft")
    networks = [found.features_at(scale) for scale in range(len(found.sizes))]
    assert networks == ["vgg19" if max(size) <= FINE else "draft" for size in found.sizes]
    assert networks[0] == "vgg19" and networks[-1] == "draft"
    alone = make_plan(settings, 9000, 6000, VGG)
    assert {alone.features_at(scale) for scale in range(len(alone.sizes))} == {"vgg19"}
    classic = make_plan(dataclasses.replace(settings, preset="classic"), 900, 600, VGG)
    assert classic.features_at(0) == "vgg19"


def test_classic_is_the_notebooks_schedule():
    found = plan(800, 600, preset="classic")
    assert found.sizes == ((400, 533),)  # img_width = int(width * img_height / height)
    assert found.total_steps == 400
    assert found.rounds(0) == [20] * 20
    assert (found.optimizer, found.init) == ("lbfgs", "content")
    assert set(found.layers) == {
        "relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1", "relu5_2",
    }  # fmt: skip
    assert (CLASSIC.content_weight, CLASSIC.style_weight, CLASSIC.tv_weight) == (0.025, 1.0, 1e-4)
    assert (found.content_factor, found.tv_factor) == (1.0, 1.0)
    assert plan(preset="classic", optimizer="adam").rounds(0) == [400]
    assert plan(preset="classic", iterations=50).rounds(0) == [20, 20, 10]


@pytest.mark.parametrize(("width", "height"), [(800, 600), (333, 500), (337, 500), (997, 1000)])
def test_classic_has_the_notebooks_size(width, height):
    found = plan(width, height, preset="classic")
    assert found.sizes == ((400, int(width * 400 / height)),)


def test_strength_and_smoothness_are_neutral_at_their_defaults_and_monotonic():
    assert content_factor(Settings().strength) == pytest.approx(1)
    assert tv_factor(Settings().smoothness) == pytest.approx(1)
    factors = [content_factor(s) for s in (0, 25, 50, 75, 100)]
    assert factors == sorted(factors, reverse=True) and len(set(factors)) == 5
    assert [tv_factor(s) for s in (0, 20, 100)] == pytest.approx([0, 1, 125])


def test_the_content_is_held_firmly_first_and_loosely_in_the_end():
    def held(width, **settings):
        return [m.content_weight / FAST.content_weight for m in plan(width, 10, **settings).methods]

    assert held(512) == pytest.approx([1 / (n / 240) ** 1.25 for n in (128, 256, 512)])
    assert held(6000)[:4] == pytest.approx([*held(512), held(512)[-1]])  # as its preview
    assert held(6000)[-1] == 1  # what `FINE` scales look at has a weight of its own
    assert held(128) == [1]  # and not more than that
    assert plan(512, 10, preset="best").methods[-1].content_weight < FAST.content_weight / 2


def test_shapes_move_the_weight_from_the_first_layer_to_the_last():
    layers = dict(FAST.style_layers)
    assert layer_balance(layers, Settings().shapes) == pytest.approx(layers)
    found = [list(layer_balance(layers, s).values()) for s in (0, 25, 50, 75, 100)]
    assert [sum(f) for f in found] == pytest.approx([sum(layers.values())] * 5)
    depth = [f[-1] / f[0] for f in found]
    assert depth == sorted(depth) and len(set(depth)) == 5
    assert depth[4] / depth[2] == depth[2] / depth[0] == pytest.approx(64)  # 8 up, 8 down
    assert layer_balance({"only": 2.0}, 90) == pytest.approx({"only": 2.0})
    plans = [plan(shapes=s).methods[0].style_layers for s in (0, 100)]
    assert plans == [layer_balance(layers, 0), layer_balance(layers, 100)]


def test_choices_overrule_the_preset():
    assert plan().style_loss == FAST.style_loss
    assert plan(style_loss="x").style_loss == "x"
    assert plan(optimizer="adam").optimizer == "adam"
    assert plan(init="noise").init == "noise"
    assert plan().init == "recolor"
    assert plan(keep_colors="luminance").init == plan(keep_colors="palette").init == "content"
    assert plan(keep_colors="luminance", init="recolor").init == "recolor"


def test_another_networks_layers_count_equally():
    found = plan(entry=OTHER)
    assert set(found.layers) == {"a", "b", "c"}
    assert dict(found.methods[0].style_layers) == {"a": 2.0, "b": 2.0}
    assert found.methods[0].content_layer == "c"


def test_classic_reads_another_networks_own_layers():
    found = plan(entry=OTHER, preset="classic")
    assert set(found.layers) == {"a", "b", "c"}
    assert tuple(found.methods[0].style_layers) == ("a", "b")
    assert found.methods[0].content_layer == "c"
