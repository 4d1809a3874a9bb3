"""Whole objectives, value and gradient, against a float64 computation with a thin network."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from styleengine.loss.classic import ClassicObjective
from styleengine.loss.painting import PaintObjective
from styleengine.loss.style_losses import CovarianceLoss, GramLoss, GramMomentsLoss
from styleengine.planning.recipes import CLASSIC, FAST
from styleengine.scene.style_pictures import StyleTarget
from tests.test_salience import plain as focused

pytestmark = pytest.mark.usefixtures("plain_precision")

LAYERS = (*CLASSIC.style_layers, CLASSIC.content_layer)
SIZE = (24, 32)
MATRICES = [np.random.default_rng(40 + k).standard_normal((4, 3)) for k in range(len(LAYERS))]
SHRINK = [1, 2, 2, 4, 4, 8]
UNITS = dict(zip(LAYERS, [0.5, 1.0, 2.0, 0.25, 1.5, 0.8], strict=True))
COSINES = np.array([np.cos(np.pi * (np.arange(3) + 0.5) * k / 3) for k in range(3)])
COSINES /= np.linalg.norm(COSINES, axis=1, keepdims=True)


BALANCE = {"relu3_1": 3.0, "relu5_2": 0.5, "tv": 0.25}


class Thin:
    """Layer k: ReLU of a matrix times the picture shrunk by averaging, times ``gain``."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain
        self.units = UNITS
        self.balance = BALANCE
        self.metrics = {}
        self.geometry = {}

    def __call__(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        found = {}
        for name, matrix, shrink in zip(LAYERS, MATRICES, SHRINK, strict=True):
            weight = torch.from_numpy(matrix * self.gain).to(image)[:, :, None, None]
            found[name] = F.relu(F.conv2d(F.avg_pool2d(image, shrink), weight))
        return found


def features(image: np.ndarray) -> dict[str, np.ndarray]:
    """The same of an (H, W, 3) picture, in NumPy: (C, positions)."""
    found = {}
    for name, matrix, n in zip(LAYERS, MATRICES, SHRINK, strict=True):
        h, w = image.shape[0] // n, image.shape[1] // n
        small = image[: h * n, : w * n].reshape(h, n, w, n, 3).mean((1, 3))
        found[name] = np.maximum(np.einsum("ij,yxj->iyx", matrix, small), 0).reshape(4, -1)
    return found


def band(image: np.ndarray) -> np.ndarray:
    """What 3 × 3 patches of an (H, W, 3) picture hold beside their mean, (24, positions).

    By the cosine transform of every patch. Slopes along an axis count once, all else twice.
    """
    wide = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    patches = np.lib.stride_tricks.sliding_window_view(wide, (3, 3), (0, 1))
    transformed = np.einsum("hwcyx,iy,jx->cijhw", patches, COSINES, COSINES)
    factor = np.full((3, 3), 2.0)
    factor[0, 1] = factor[1, 0] = 1.0
    transformed *= factor[:, :, None, None]
    return transformed.reshape(3, 9, -1)[:, 1:].reshape(24, -1)


def looked_at(image: np.ndarray) -> dict[str, np.ndarray]:
    return {**features(image), "band": band(image)}


def picture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).random((*size, 3))


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None]


CONTENT, STYLE, OTHER, IMAGE = picture(1), picture(2, (20, 40)) ** 2, picture(3) ** 3, picture(4)


def check(objective, reference) -> None:
    """Value and gradient of ``objective`` at IMAGE, the latter along some directions.

    In float64, whose rounding is far below both bounds; 1e-5 is what finite differences leave.
    """
    loss, gradient = objective(tensor(IMAGE))
    assert loss == pytest.approx(reference(IMAGE), rel=1e-9)
    assert gradient.dtype == torch.float64 and gradient.shape == (1, 3, *SIZE)
    gradient = gradient[0].permute(1, 2, 0).numpy()
    for seed in range(4):
        d = np.random.default_rng(50 + seed).standard_normal(IMAGE.shape) * (IMAGE < 2)
        slope = (reference(IMAGE + 1e-6 * d) - reference(IMAGE - 1e-6 * d)) / 2e-6
        assert (gradient * d).sum() == pytest.approx(slope, rel=1e-5)


# --- the notebook's -------------------------------------------------------------------------------

LOUD = 100.0
"""A gain that makes features as large as those of the real network, whose input goes to 255."""


def notebook_terms(x, content, style) -> tuple[float, float, float]:
    """Content, style and variation of the notebook; pictures are (height, width, channel)."""
    height, width, _ = x.shape
    ours, base, reference = (
        {n: LOUD * f for n, f in features(image).items()} for image in (x, content, style)
    )
    content_term = 0.025 * ((ours["relu5_2"] - base["relu5_2"]) ** 2).sum()
    style_term = 0.0
    for block in range(1, 6):
        s, c = reference[f"relu{block}_1"], ours[f"relu{block}_1"]
        layer = ((s @ s.T - c @ c.T) ** 2).sum() / (4.0 * 3**2 * (height * width) ** 2)
        style_term += 1.0 / 5 * layer
    v = x * 255.0
    inner = v[: height - 1, : width - 1]
    a = (inner - v[1:, : width - 1]) ** 2
    b = (inner - v[: height - 1, 1:]) ** 2
    return content_term, style_term, 1e-4 * ((a + b) ** 1.25).sum()


@pytest.mark.parametrize("factors", [(1.0, 1.0), (100.0, 0.0), (100.0, 0.01)])
def test_classic_is_the_notebooks_loss(factors):
    def reference(x):
        content, style, variation = notebook_terms(x, CONTENT, OTHER)
        return factors[0] * content + style + factors[1] * variation

    objective = ClassicObjective(Thin(LOUD), CLASSIC, tensor(CONTENT), tensor(OTHER), *factors)
    check(objective, reference)
    # No term is so small here that it could be missing.
    content, style, variation = notebook_terms(IMAGE, CONTENT, OTHER)
    terms = [factors[0] * content, style, factors[1] * variation]
    assert all(t == 0 or t > 5e-5 * sum(terms) for t in terms)


# --- the recipes' ---------------------------------------------------------------------------------

RECIPE = dataclasses.replace(
    FAST,
    style_layers={"relu1_1": 0.3, "relu3_1": 2.0},
    content_layer="relu5_2",
    content_weight=0.7,
    tv_weight=0.4,
    band_weight=0.6,
    content_focus=0.5,
    near_layers={},
)
STYLE_WEIGHTS = {**RECIPE.style_layers, "band": 0.6}
BAND_UNIT = 0.02


def shrink(mask: np.ndarray | None, layer: str) -> np.ndarray | None:
    if mask is None:
        return None
    n = 1 if layer == "band" else SHRINK[LAYERS.index(layer)]
    return mask.reshape(mask.shape[0] // n, n, mask.shape[1] // n, n).mean((1, 3)).ravel()


LOSSES = {"gram": GramLoss, "gram-moments": GramMomentsLoss, "covariance": CovarianceLoss}


def statistics(f, weight, kind):
    mean = np.average(f, axis=1, weights=weight)
    w = np.ones(f.shape[1]) if weight is None else weight
    gram = (f * w) @ f.T / w.sum()
    if kind == "covariance":
        centred = f - mean[:, None]
        return {1.0: (centred * w) @ centred.T / w.sum(), 0.2: mean}
    if kind == "gram":
        return {1.0: gram}
    return {1.0: gram, 0.5: np.stack([mean, np.sqrt(np.diag(gram) - mean**2 + 1e-4)])}


def distance(a, b) -> float:
    total = 0.0
    for weight, x in a.items():
        squared = (x - b[weight]) ** 2
        # mean and deviation are two terms
        total += weight * (squared.mean() * (2 if weight == 0.5 else 1))
    return total


def paint_loss(x, content, styles, alpha=None, factors=(1.0, 1.0), kind="gram") -> float:
    """``styles``: (picture, share, alpha)."""
    ours, base = looked_at(x), looked_at(content)
    layer = RECIPE.content_layer
    unit = UNITS[layer]
    squared = ((ours[layer] - base[layer]) / unit) ** 2
    mask = shrink(alpha, layer)
    target = base[layer] / unit
    positions = None if mask is None else np.tile(mask, (len(target), 1))
    middle = np.average(target, weights=positions)
    spread = np.average((target - middle) ** 2, weights=positions) + 0.1
    size = [n // SHRINK[LAYERS.index(layer)] for n in content.shape[:2]]
    visible = np.ones(size) if mask is None else mask.reshape(size)
    squared = squared.mean(0) * focused(base[layer].reshape(-1, *size), 0.5, visible).ravel()
    loss = 0.7 * 0.5 * factors[0] * np.average(squared, weights=mask) / spread
    asked = kind
    for layer, factor in STYLE_WEIGHTS.items():
        unit = UNITS.get(layer, BAND_UNIT)
        factor *= BALANCE.get(layer, 1.0)
        kind = "covariance" if layer == "band" else asked
        g = statistics(ours[layer] / unit, shrink(alpha, layer), kind)
        c = statistics(base[layer] / unit, shrink(alpha, layer), kind)
        zero = statistics(0 * base[layer], shrink(alpha, layer), kind)
        energy = distance(c, zero) / 2
        apart = term = 0.0
        for style, share, hole in styles:
            t = statistics(looked_at(style)[layer] / unit, shrink(hole, layer), kind)
            energy += share * distance(t, zero) / 2
            apart += share * distance(c, t)
            term += factor * share * distance(g, t)
        loss += term / (apart + 0.02 * energy)
    p = np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="edge")
    mid = p[1:-1, 1:-1]
    across = ((p[1:-1, 2:] - mid) ** 2).mean() + ((p[2:, 1:-1] - mid) ** 2).mean()
    diagonal = ((p[2:, 2:] - mid) ** 2).mean() + ((p[2:, :-2] - mid) ** 2).mean()
    return loss + 0.4 * 0.25 * factors[1] * 2 * (across / 3 + diagonal / 12)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("factors", [(1.0, 1.0), (20.0, 0.0), (0.05, 5.0)])
def test_paint_is_the_sum_of_its_terms(kind, factors):
    styles = [(STYLE, 0.75, None), (OTHER, 0.25, None)]
    objective = PaintObjective(
        Thin(),
        RECIPE,
        LOSSES[kind](),
        tensor(CONTENT),
        [StyleTarget(tensor(s), share) for s, share, _ in styles],
        None,
        *factors,
    )
    check(objective, lambda x: paint_loss(x, CONTENT, styles, None, factors, kind))


@pytest.mark.parametrize("kind", LOSSES)
def test_masks_weigh_content_and_style_statistics(kind):
    rng = np.random.default_rng(8)
    alpha, hole = rng.random(SIZE), rng.random(SIZE)
    styles = [(OTHER, 1.0, hole)]
    objective = PaintObjective(
        Thin(),
        RECIPE,
        LOSSES[kind](),
        tensor(CONTENT),
        [StyleTarget(tensor(OTHER), 1.0, torch.from_numpy(hole))],
        torch.from_numpy(alpha),
    )
    check(objective, lambda x: paint_loss(x, CONTENT, styles, alpha, kind=kind))


@pytest.mark.parametrize("kind", LOSSES)
def test_in_float32_it_is_that_of_float64_but_for_rounding(kind):
    # Statistics are sums of 768 positions at most; their differences, squared, and the units that
    # they are divided by are of the size of the statistics themselves.
    bound = 768 * torch.finfo(torch.float32).eps

    def at(dtype):
        content, style, image = (tensor(x).to(dtype) for x in (CONTENT, STYLE, IMAGE))
        args = Thin(), RECIPE, LOSSES[kind](), content, [StyleTarget(style)]
        return PaintObjective(*args)(image)

    (loss, gradient), (exact, exactly) = at(torch.float32), at(torch.float64)
    assert gradient.dtype == torch.float32
    assert loss == pytest.approx(exact, rel=bound)
    assert float((gradient - exactly).norm() / exactly.norm()) < bound


def test_hidden_pixels_neither_count_nor_move():
    alpha = torch.ones(SIZE)
    alpha[:, 16:] = 0
    target = [StyleTarget(tensor(STYLE))]

    def at(content: np.ndarray, image: np.ndarray):
        # The band sees one pixel beyond the edge of what is shown.
        recipe = dataclasses.replace(RECIPE, band_weight=0.0)
        args = (Thin(), recipe, GramLoss(), tensor(content), target, alpha)
        return PaintObjective(*args, tv_factor=0.0)(tensor(image))

    other_content, other_image = CONTENT.copy(), IMAGE.copy()
    other_content[:, 16:] = 0.1
    other_image[:, 16:] = 0.9
    loss, gradient = at(CONTENT, IMAGE)
    other_loss, other_gradient = at(other_content, other_image)
    assert loss == other_loss
    assert torch.equal(gradient, other_gradient)
    assert float(gradient[..., 16:].abs().max()) == 0
    assert float(gradient[..., :16].abs().min()) > 0


def test_an_objective_leaves_the_picture_alone():
    image = tensor(IMAGE)
    before = image.clone()
    ClassicObjective(Thin(), CLASSIC, tensor(CONTENT), tensor(OTHER))(image)
    assert torch.equal(image, before)
    assert not image.requires_grad


def test_the_photo_itself_is_at_a_distance_of_one_in_every_layer():
    layers = dict.fromkeys(RECIPE.style_layers, 1.0)
    weights = {"content_weight": 0.0, "tv_weight": 0.0, "band_weight": 1.0}
    recipe = dataclasses.replace(RECIPE, style_layers=layers, **weights)
    plain = Thin()
    plain.balance = {}
    for kind, loss in LOSSES.items():
        styles = [StyleTarget(tensor(STYLE))]
        value, _ = PaintObjective(plain, recipe, loss(), tensor(CONTENT), styles)(tensor(CONTENT))
        expected = 0.0
        for layer in (*layers, "band"):
            unit = UNITS.get(layer, BAND_UNIT)
            maps = (looked_at(x)[layer] / unit for x in (CONTENT, STYLE, 0 * CONTENT))
            c, s, zero = (
                statistics(f, None, "covariance" if layer == "band" else kind) for f in maps
            )
            # The share of energy that keeps the unit from vanishing takes a little off.
            energy = (distance(c, zero) + distance(s, zero)) / 2
            expected += 1 / (1 + 0.02 * energy / distance(c, s))
        assert value == pytest.approx(expected, rel=1e-4)
        assert 0.5 * (len(layers) + 1) < value < len(layers) + 1


def test_a_photo_in_the_style_already_stays_as_it_is():
    objective = PaintObjective(
        Thin(), RECIPE, CovarianceLoss(), tensor(STYLE), [StyleTarget(tensor(STYLE))], tv_factor=0.0
    )
    loss, gradient = objective(tensor(STYLE))
    assert loss == pytest.approx(0, abs=1e-9)
    assert float(gradient.abs().max()) < 1e-6


class Duck:
    """`GramLoss` by a plug-in that knows nothing of `MomentsLoss`."""

    additive = False

    def statistics(self, features, weight=None):
        flat = features.flatten(1)
        w = torch.ones_like(flat[0]) if weight is None else weight.flatten()
        return (flat * w) @ flat.T / w.sum()

    def distance(self, ours, target):
        return (ours - target).square().mean()


def test_a_loss_of_its_own_making_gives_what_the_built_in_does():
    args = tensor(CONTENT), [StyleTarget(tensor(STYLE))], torch.rand(SIZE)
    own, built_in = (PaintObjective(Thin(), RECIPE, x, *args) for x in (Duck(), GramLoss()))
    (loss, gradient), (expected, expected_gradient) = own(tensor(IMAGE)), built_in(tensor(IMAGE))
    assert loss == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-7)
