"""Statistics foretold from a sample: the loss is the true one, the gradient nearly, at one pass."""

from __future__ import annotations

import pytest
import torch

from styleengine.loss import foreseen
from styleengine.loss import tiled as tiled_loss
from styleengine.loss.painting import PaintObjective
from styleengine.loss.style_losses import CovarianceLoss
from styleengine.planning import tiling
from styleengine.planning.recipes import FAST, at_scale
from styleengine.scene.style_pictures import StyleTarget
from styleengine.together.group import Group
from styleengine.together.stripe import Stripe
from tests.test_tiling import LAYERS, Sums, thin

pytestmark = pytest.mark.usefixtures("plain_precision")
SIZE = 192, 256


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A sample of squares of 32 pixels, one in four of them, for small pictures."""
    torch.manual_seed(0)
    lattice = {"BLOCK": 32, "PERIOD": 64, "TOP": 0, "STEP": 32, "FEWEST": 4, "MOST_WORK": 100}
    for name, value in lattice.items():
        monkeypatch.setattr(foreseen, name, value)


def pair(loss=None, region=None):
    """The loss in one piece and in tiles, and two pictures near each other."""
    draw = {"dtype": torch.float64}
    content, style, image = (torch.rand(1, 3, *SIZE, **draw) for _ in range(3))
    args = (
        thin(LAYERS), at_scale(FAST, 4000), loss or CovarianceLoss(), content,
        [StyleTarget(style, region=region)],
    )  # fmt: skip
    moved = image + 0.02 * torch.randn_like(image)
    return PaintObjective(*args), PaintObjective(*args, side=64), image, moved


def passes(work, image) -> tuple[float, torch.Tensor, int]:
    """Loss, gradient, and how often it told of a tile."""
    told = 0
    evaluation = work.evaluate(image)
    while True:
        try:
            next(evaluation)
            told += 1
        except StopIteration as done:
            return (*done.value, told)


def test_where_the_sample_is_the_picture_it_is_the_whole_by_one_pass(monkeypatch):
    monkeypatch.setattr(foreseen, "BLOCK", 64)
    monkeypatch.setattr(foreseen, "STEP", 0)
    whole, tiled, image, moved = pair()
    assert passes(tiled, image)[2] == 2 * len(tiled.tiles) > 2
    loss, gradient = whole(moved)
    found, its_gradient, told = passes(tiled, moved)
    assert told == len(tiled.tiles)
    assert found == pytest.approx(loss, rel=1e-12)
    assert float((its_gradient - gradient).norm() / gradient.norm()) < 1e-10


def test_the_loss_is_true_and_the_gradient_nearly(monkeypatch):
    whole, tiled, image, moved = pair()
    tiled(image)
    loss, gradient = whole(moved)
    found, its_gradient, told = passes(tiled, moved)
    assert told == len(tiled.tiles)
    assert found == pytest.approx(loss, rel=1e-12)
    error = float((its_gradient - gradient).norm() / gradient.norm())
    assert 1e-9 < error < 0.15
    monkeypatch.setattr(tiled_loss, "BELIEVED", -1.0)
    passes(tiled, moved)  # what was foretold is not believed, and the next one takes two passes
    loss, gradient = whole(image)
    found, its_gradient, told = passes(tiled, image)
    assert (found, told) == (pytest.approx(loss, rel=1e-12), 2 * len(tiled.tiles))
    assert float((its_gradient - gradient).norm() / gradient.norm()) < 1e-12


def test_a_loss_alone_is_the_same_loss_or_nearly_where_the_sample_tells():
    def alone(work, image) -> tuple[float, int]:
        evaluation, told = work.evaluate(image, slope=False), 0
        with pytest.raises(StopIteration) as done:
            while True:
                next(evaluation)
                told += 1
        loss, gradient = done.value.value
        assert gradient is None
        return loss, told

    whole, tiled, image, moved = pair()
    expected = whole(image)[0]
    assert alone(whole, image) == (pytest.approx(expected, rel=1e-12), 0)
    assert alone(tiled, image) == (pytest.approx(expected, rel=1e-12), len(tiled.tiles))
    tiled(image)
    assert alone(tiled, moved) == (pytest.approx(whole(moved)[0], rel=0.1), len(tiled._sample))


@pytest.mark.parametrize("how", ["other statistics", "a region that is not in the sample"])
def test_what_cannot_be_foretold_is_gone_over_twice(how):
    region = torch.zeros(SIZE, dtype=torch.float64)
    region[64:96, 40:60] = 1
    _, tiled, image, moved = pair(*((Sums(),) if how == "other statistics" else (None, region)))
    passes(tiled, image)
    assert passes(tiled, moved)[2] == 2 * len(tiled.tiles)


def test_stripes_take_the_same_sample_between_them():
    """Pixel by pixel, each with all the margin that the picture has there."""
    size = 500, 700
    shallow = [thin(LAYERS).geometry[name] for name in ("relu1_1", "relu3_1")]
    margin = tiling.margin(shallow)

    def covered(stripe: Stripe) -> torch.Tensor:
        count = torch.zeros(size)
        for tile in foreseen.sample(stripe, shallow):
            first, rows = stripe.seen.start, tile.rows
            count[first + rows.start : first + rows.stop, tile.columns.inner] += 1
            assert first + rows.before <= max(0, first + rows.start - margin)
            assert first + rows.after >= min(size[0], first + rows.stop + margin)
        return count

    whole = covered(Stripe.whole(size))
    assert whole.max() == 1 and 0.2 < whole.mean() < 0.3
    parts = []
    for rank in range(3):
        group = Group()
        group.rank, group.size = rank, 3
        parts.append(covered(Stripe.of(group, size, 48, 16)))
        held = Stripe.of(group, size, 48, 16).own
        assert parts[-1].sum() == parts[-1][held.start : held.stop].sum() > 0
    assert torch.equal(sum(parts), whole)
