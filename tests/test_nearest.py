"""The term of nearest places: value and gradient against NumPy, masks, shares, tiles."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch

from styleengine.loss import nearest
from styleengine.loss.content import Content
from styleengine.loss.nearest import NearestPlaces
from styleengine.loss.objective import Objective
from styleengine.loss.salience import focus
from styleengine.loss.term import Term
from styleengine.networks.extractor import ExtractorEntry, Geometry
from styleengine.planning.plan import make_plan
from styleengine.planning.recipes import FAST, FINE, Recipe, at_scale
from styleengine.protocol import Settings
from styleengine.scene.style_pictures import Look, StyleTarget
from styleengine.together.stripe import Stripe

pytestmark = pytest.mark.usefixtures("plain_precision")

SIZE = (32, 48)
MATRICES = {
    name: np.random.default_rng(70 + k).standard_normal((5, 3 * 4))
    for k, name in enumerate(("fine", "coarse"))
}
WEIGHTS = {"fine": 0.7, "coarse": 0.3}


class Patches:
    """Layer by layer a matrix times what squares of 2 × 2 pixels hold, and its square."""

    units: ClassVar = dict.fromkeys(MATRICES, 1.0)
    balance: ClassVar[dict[str, float]] = {}
    metrics: ClassVar[dict[str, torch.Tensor]] = {}
    geometry: ClassVar = {n: Geometry(2, 0) for n in MATRICES}

    def __call__(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        even = image[..., : image.shape[-2] // 2 * 2, : image.shape[-1] // 2 * 2]
        squares = torch.nn.functional.pixel_unshuffle(even, 2)
        found = {}
        for name, matrix in MATRICES.items():
            seen = torch.einsum("dc,bchw->bdhw", torch.from_numpy(matrix).to(image), squares)
            found[name] = seen + seen.square()
        return found


def features(image: np.ndarray, name: str) -> np.ndarray:
    """The same in NumPy, of an (H, W, 3) picture: (h, w, C)."""
    h, w = image.shape[0] // 2, image.shape[1] // 2
    squares = image.reshape(h, 2, w, 2, 3).transpose(0, 2, 4, 1, 3).reshape(h, w, 12)
    seen = squares @ MATRICES[name].T
    return seen + seen**2


def picture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).random((*size, 3))


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None]


CONTENT, STYLE, OTHER, IMAGE = picture(1), picture(2, (24, 40)) ** 2, picture(3) ** 3, picture(4)


def places(image: np.ndarray, name: str) -> np.ndarray:
    """Means over squares of 4 × 4 positions, which are 8 pixels wide: (h, w, C)."""
    found = features(image, name)
    h, w = len(found) // 4, found.shape[1] // 4
    return found[: 4 * h, : 4 * w].reshape(h, 4, w, 4, 5).mean((1, 3))


def distances(image: np.ndarray, name: str, styles: list[np.ndarray]) -> np.ndarray:
    bank = np.concatenate([places(s, name).reshape(-1, 5) for s in styles])
    mean = bank.mean(0)
    bank, ours = bank - mean, places(image, name) - mean
    bank /= np.linalg.norm(bank, axis=1, keepdims=True)
    ours /= np.linalg.norm(ours, axis=2, keepdims=True)
    return 1 - (ours @ bank.T).max(2)


@pytest.fixture(autouse=True)
def styles_alone(monkeypatch):
    """No further looks but where a test is about them."""
    monkeypatch.setattr(nearest, "LOOKS", ())


def objective(
    styles: list[StyleTarget], alpha=None, side=None, weights=WEIGHTS, exponent=0.0
) -> Objective:
    net = Patches()
    photo = Content(net, "coarse", 0.0, 4, exponent, alpha)
    term = NearestPlaces(net, weights, styles, Stripe.whole(SIZE), alpha, photo)
    return Objective(net, [photo, term], tensor(CONTENT), styles, alpha, side)


def check(found: Objective, reference) -> None:
    loss, gradient = found(tensor(IMAGE))
    assert loss == pytest.approx(reference(IMAGE), rel=1e-6)
    gradient = gradient[0].permute(1, 2, 0).numpy()
    for seed in range(3):
        d = np.random.default_rng(50 + seed).standard_normal(IMAGE.shape)
        slope = (reference(IMAGE + 1e-7 * d) - reference(IMAGE - 1e-7 * d)) / 2e-7
        assert (gradient * d).sum() == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("shift", [0.0, -5.0])
def test_the_highest_of_each_row_is_found_also_where_all_are_negative(dtype, shift):
    values = torch.randn(60, 41, generator=torch.Generator().manual_seed(2)).to(dtype)
    values[::2] += shift
    found = values.gather(1, nearest.highest(values)[:, None])[:, 0]
    assert np.array_equal(found.double().numpy(), values.double().numpy().max(1))


def test_it_is_the_mean_distance_in_units_of_the_photos_own():
    def reference(x):
        total = 0.0
        for name, weight in WEIGHTS.items():
            own = distances(CONTENT, name, [STYLE]).mean()
            total += weight * distances(x, name, [STYLE]).mean() / (own + 0.05)
        return total

    check(objective([StyleTarget(tensor(STYLE))]), reference)


def test_several_styles_are_one_bank_and_regions_have_their_own():
    left = np.linspace(1, 0, SIZE[1])[None].repeat(SIZE[0], 0)
    alpha = np.random.default_rng(9).random(SIZE)
    masks = [torch.from_numpy(left), torch.from_numpy(1 - left)]
    styles = [
        StyleTarget(tensor(STYLE), 0.25, None, masks[0]),
        StyleTarget(tensor(OTHER), 0.25, None, masks[0]),
        StyleTarget(tensor(STYLE[::-1].copy()), 0.5, None, masks[1]),
    ]
    banks = [[STYLE, OTHER], [STYLE[::-1]]]

    def reference(x):
        total = 0.0
        for mask, bank in zip((left, 1 - left), banks, strict=True):
            weight = mask * alpha
            small = weight.reshape(4, 8, 6, 8).mean((1, 3))
            for name, factor in WEIGHTS.items():
                own, ours = (distances(image, name, bank) for image in (CONTENT, x))
                unit = np.average(own, weights=small) + 0.05
                area = weight.sum() / alpha.sum()
                total += factor * area * np.average(ours, weights=small) / unit
        return total

    check(objective(styles, torch.from_numpy(alpha)), reference)


def test_what_a_style_hides_is_no_place():
    shown = torch.zeros(24, 40, dtype=torch.float64)
    shown[:, 24:] = 1
    hidden = objective([StyleTarget(tensor(STYLE), 1.0, shown)])
    cut = objective([StyleTarget(tensor(STYLE[:, 24:].copy()))])
    assert hidden(tensor(IMAGE))[0] == pytest.approx(cut(tensor(IMAGE))[0], rel=1e-9)
    assert hidden(tensor(IMAGE))[0] != objective([StyleTarget(tensor(STYLE))])(tensor(IMAGE))[0]


def looked_at(style: np.ndarray, ratio: float, mirrored: bool) -> np.ndarray:
    """The style's picture at ``ratio`` of its size by torch's own filter, mirrored or not."""
    size = tuple(round(n * ratio) for n in style.shape[:2])
    small = torch.nn.functional.interpolate(
        tensor(style), size=size, mode="bicubic", antialias=True
    ).clamp(0, 1)
    found = small[0].permute(1, 2, 0).numpy()
    return found[:, ::-1].copy() if mirrored else found


def test_a_place_may_be_near_a_smaller_or_mirrored_look(monkeypatch):
    wide = picture(11, (48, 64)) ** 2
    looks = (Look(1.0, True), Look(0.5), Look(0.75, True))
    monkeypatch.setattr(nearest, "LOOKS", looks)
    bank = [wide, *(looked_at(wide, look.ratio, look.mirrored) for look in looks)]

    def reference(x):
        total = 0.0
        for name, weight in WEIGHTS.items():
            own = distances(CONTENT, name, bank).mean()
            total += weight * distances(x, name, bank).mean() / (own + 0.05)
        return total

    check(objective([StyleTarget(tensor(wide))]), reference)
    monkeypatch.setattr(nearest, "LOOKS", (Look(1.0, True),))
    part = tensor(wide[:, ::-1][: SIZE[0], : SIZE[1]].copy())
    assert objective([StyleTarget(tensor(wide))])(part)[0] == pytest.approx(0, abs=1e-9)
    monkeypatch.setattr(nearest, "LOOKS", ())
    assert objective([StyleTarget(tensor(wide))])(part)[0] > 0.01


def test_other_terms_are_shown_no_further_looks(monkeypatch):
    monkeypatch.setattr(nearest, "LOOKS", (Look(0.5),))
    seen = []

    class Watching(Term):
        def see_style(self, style, found, tile):
            seen.append(tuple(style.image.shape[-2:]))

    net, style = Patches(), StyleTarget(tensor(picture(11, (48, 64))))
    places = NearestPlaces(net, WEIGHTS, [style], Stripe.whole(SIZE))
    Objective(net, [Watching(net, {}), places], tensor(CONTENT), [style])
    assert seen == [(48, 64)]


def test_places_count_as_for_the_photos_own_term():
    alpha = np.random.default_rng(9).random(SIZE)
    small = alpha.reshape(4, 8, 6, 8).mean((1, 3))
    seen = torch.from_numpy(places(CONTENT, "coarse")).permute(2, 0, 1)
    weight = small * focus(seen, 0.7, torch.from_numpy(small)).numpy()
    assert weight.max() > 2 * weight.min()

    def reference(x):
        total = 0.0
        for name, factor in WEIGHTS.items():
            own, ours = (distances(image, name, [STYLE]) for image in (CONTENT, x))
            unit = (own * weight).sum() + 0.05 * weight.sum()
            total += factor * (ours * weight).sum() / unit
        return total

    styles = [StyleTarget(tensor(STYLE))]
    check(objective(styles, torch.from_numpy(alpha), exponent=0.7), reference)


def test_tiles_draw_the_same_places_and_give_the_same_gradient(monkeypatch):
    monkeypatch.setattr(nearest, "BANK", 6)
    monkeypatch.setattr(nearest, "LOOKS", (Look(1.0, True),))
    alpha = torch.from_numpy(np.random.default_rng(9).random(SIZE))
    styles = [StyleTarget(tensor(STYLE), 0.5, torch.rand(24, 40)), StyleTarget(tensor(OTHER), 0.5)]
    whole = objective(styles, alpha, exponent=0.7)
    tiled = objective(styles, alpha, side=16, exponent=0.7)
    assert len(tiled.tiles) > 4
    (loss, gradient), (other, parts) = (each(tensor(IMAGE)) for each in (whole, tiled))
    assert loss == pytest.approx(other, rel=1e-9)
    assert torch.allclose(gradient, parts, atol=1e-12)
    assert float(gradient.abs().max()) > 1e-6


def test_a_bank_is_drawn_by_share_and_by_seed(monkeypatch):
    monkeypatch.setattr(nearest, "BANK", 100)
    large, other = picture(5, (160, 160)), picture(6, (160, 160))
    styles = [StyleTarget(tensor(large), 0.75), StyleTarget(tensor(other), 0.25)]

    def drawn() -> list[int]:
        _, term = objective(styles).terms
        assert isinstance(term, NearestPlaces)
        return [sum(p.shape[1] for p in kept["fine"]) for _, kept in term._drawn]

    first, second = drawn()
    assert 50 < first < 100 and 10 < second < 45
    assert drawn() == [first, second]
    assert objective(styles)(tensor(IMAGE))[0] == objective(styles)(tensor(IMAGE))[0]


def test_a_flat_style_pulls_nowhere():
    flat = np.full((24, 40, 3), 0.3) + 1e-9 * picture(7, (24, 40))
    image = tensor(np.full((*SIZE, 3), 0.3) + 1e-9 * picture(8))
    loss, gradient = objective([StyleTarget(tensor(flat))])(image)
    assert np.isfinite(loss)
    assert float(gradient.abs().max()) < 1e-3


def test_the_nearest_are_searched_for_at_every_third_step(monkeypatch):
    searched = []
    search = nearest.Bank.nearest
    monkeypatch.setattr(
        nearest.Bank, "nearest", lambda self, places: (searched.append(1), search(self, places))[1]
    )
    found = objective([StyleTarget(tensor(STYLE))], weights={"fine": 1.0})
    searched.clear()
    images = [tensor(picture(80 + k)) for k in range(4)]
    values = [found(image)[0] for image in images]
    assert len(searched) == 2
    fresh = [objective([StyleTarget(tensor(STYLE))], weights={"fine": 1.0})(i)[0] for i in images]
    assert values[0] == fresh[0] and values[3] == fresh[3]
    # The nearest of another picture are further away than its own.
    assert values[1] > fresh[1] and values[2] > fresh[2]


def test_the_finest_scales_do_without():
    assert at_scale(FAST, FINE).near_layers == FAST.near_layers
    assert not at_scale(FAST, FINE + 1).near_layers


def test_of_another_network_the_last_layer_but_one_is_compared():
    def near(*layers: str) -> dict[str, float]:
        entry = ExtractorEntry(lambda request: None, layers, "content", "toy")
        (method, *_) = make_plan(Settings(size=128), 128, 128, entry).methods
        assert isinstance(method, Recipe)
        return dict(method.near_layers)

    total = sum(FAST.near_layers.values())
    assert near("a", "b", "c", "d", "e") == {"d": total}
    assert near("a") == {"a": total}
