"""What is held of the photo stays, as a mask says, whatever the strength."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from styleengine.loss.painting import PaintObjective
from styleengine.loss.style_losses import CovarianceLoss
from styleengine.planning.plan import make_plan
from styleengine.planning.recipes import FAST, FINE
from styleengine.plugins.registry import load_plugins
from styleengine.protocol import EngineError, Settings
from styleengine.scene.color import color_statistics, recolor
from styleengine.scene.scene import Scene
from styleengine.scene.style_pictures import StyleTarget
from tests.helpers import job, luma, paint, picture
from tests.test_objective import CONTENT, IMAGE, OTHER, SHRINK, SIZE, UNITS, Thin, features, tensor
from tests.test_objective import LAYERS as NAMES

pytestmark = pytest.mark.usefixtures("plain_precision")

RECIPE = dataclasses.replace(
    FAST,
    style_layers={"relu3_1": 1.0},
    content_layer="relu5_2",
    near_layers={},
    hold={"relu3_1": 2.0, "relu5_2": 3.0},
    faces={"relu3_1": 5.0},
)


def objective(hold=None, faces=None, alpha=None, factor=1.0):
    args = tensor(CONTENT), [StyleTarget(tensor(OTHER))], alpha, factor
    return PaintObjective(Thin(), RECIPE, CovarianceLoss(), *args, hold=hold, faces=faces)


def small(mask: np.ndarray, layer: str) -> np.ndarray:
    n = SHRINK[NAMES.index(layer)]
    return mask.reshape(mask.shape[0] // n, n, mask.shape[1] // n, n).mean((1, 3)).ravel()


@pytest.mark.parametrize("seen", ["all", "some"])
@pytest.mark.parametrize("factor", [0.05, 20.0])
def test_what_is_held_is_added_to_the_loss_at_any_strength(seen, factor):
    rng = np.random.default_rng(3)
    mask, face = rng.random(SIZE), rng.random(SIZE)
    alpha = np.ones(SIZE) if seen == "all" else rng.random(SIZE)
    shown = None if seen == "all" else torch.from_numpy(alpha.astype(np.float32))
    own = color_statistics(tensor(CONTENT), shown)
    recolored = recolor(tensor(CONTENT), own, color_statistics(tensor(OTHER)))
    target = features(recolored[0].permute(1, 2, 0).double().numpy())
    ours, expected = features(IMAGE), 0.0
    weights = {"relu3_1": 3.0 * np.maximum(2 * mask, 5 * face), "relu5_2": 0.5 * 3 * mask}
    for layer, weight in weights.items():  # with their balance
        f, t = ours[layer] / UNITS[layer], target[layer] / UNITS[layer]
        visible = small(alpha, layer)
        every = np.tile(visible, (len(t), 1))
        spread = np.average((t - np.average(t, weights=every)) ** 2, weights=every) + 0.1
        held = ((f - t) ** 2).mean(0) * small(weight * alpha, layer)
        expected += held.sum() / visible.sum() / spread
    masks = [torch.from_numpy(m.astype(np.float32)) for m in (mask, face)]
    without, _ = objective(None, None, shown, factor)(tensor(IMAGE))
    found, gradient = objective(*masks, shown, factor)(tensor(IMAGE))
    assert found - without == pytest.approx(expected, rel=1e-4)
    d = rng.standard_normal(IMAGE.shape) * (IMAGE < 2)
    step = 1e-3 * tensor(d)
    there, _ = objective(*masks, shown, factor)(tensor(IMAGE) + step)
    back, _ = objective(*masks, shown, factor)(tensor(IMAGE) - step)
    assert float((gradient * step).sum()) == pytest.approx((there - back) / 2, rel=2e-2)


def test_a_mask_of_nothing_holds_nothing():
    loss, gradient = objective(torch.zeros(SIZE))(tensor(IMAGE))
    expected, its_gradient = objective()(tensor(IMAGE))
    assert loss == pytest.approx(expected, rel=1e-6)
    torch.testing.assert_close(gradient, its_gradient)


# --- runs -----------------------------------------------------------------------------------------


def half(height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), np.float32)
    mask[:, width // 2 :] = 1
    return mask


def likeness(engine, hold) -> tuple[float, float]:
    """Correlation of light and dark with the photo's, on the left and on the right."""
    content = picture(64, 96)
    settings = {"features": "draft", "size": 96, "iterations": 24, "smoothness": 0}
    work = dataclasses.replace(job(content, strength=100, **settings), hold=hold)
    rgb = paint(engine, work).picture.rgb
    found = []
    for part in (np.s_[:, :40], np.s_[:, 56:]):
        pair = luma(rgb)[part].ravel(), luma(content.rgb)[part].ravel()
        found.append(float(np.corrcoef(*pair)[0, 1]))
    return found[0], found[1]


def test_what_is_held_stays_and_gray_holds_less_than_white(engine):
    nothing, gray, white = (
        likeness(engine, hold) for hold in (None, 0.2 * half(64, 96), half(64, 96))
    )
    assert nothing[1] < gray[1] < white[1]
    assert white[1] > nothing[1] + 0.08
    assert abs(white[0] - nothing[0]) < 0.06  # the rest is painted as before


def test_more_than_white_is_white():
    work = dataclasses.replace(job(picture(64, 96)), hold=np.full((64, 96), 3.0, np.float32))
    plan = make_plan(Settings(features="draft"), 96, 64, load_plugins(()).extractor("draft"))
    held = Scene.of(work, plan, torch.device("cpu")).hold(0)
    assert held.shape == plan.sizes[0] and float(held.min()) == float(held.max()) == 1


def test_a_mask_of_another_size_covers_the_whole_photo(engine):
    same, small_one = likeness(engine, half(64, 96)), likeness(engine, half(8, 12))
    assert small_one == pytest.approx(same, abs=0.04)


@pytest.mark.parametrize("preset", ["draft", "fast", "best"])
def test_every_preset_but_classic_holds_up_to_the_scales_that_change_no_shape(preset):
    settings = Settings(preset=preset, features="draft")
    plan = make_plan(settings, 4000, 3000, load_plugins(()).extractor("draft"))
    for size, method in zip(plan.sizes, plan.methods, strict=True):
        assert bool(method.hold) == bool(method.faces) == (max(size) <= FINE)
        assert set(method.hold) | set(method.faces) <= {name for name, _ in method.looked_at}


def test_classic_says_that_it_cannot():
    with pytest.raises(EngineError, match="classic method holds nothing"):
        from styleengine.engine import Engine

        paint(
            Engine(), dataclasses.replace(job(picture(64, 64), preset="classic"), hold=half(8, 8))
        )


@pytest.mark.parametrize("mask", [np.zeros((4, 4, 3)), np.full((4, 4), np.nan), np.zeros((0, 4))])
def test_what_is_no_mask_is_refused(engine, mask):
    with pytest.raises(EngineError, match="what is held") as caught:
        paint(engine, dataclasses.replace(job(picture(64, 64)), hold=mask))
    assert caught.value.code == "bad-setting"
