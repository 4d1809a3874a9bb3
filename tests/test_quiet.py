"""Where the photo is held less: at places that are quieter than anything of the style."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from styleengine.loss.content import Content
from styleengine.networks.extractor import Geometry
from styleengine.planning.plan import make_plan
from styleengine.planning.tiling import Span, Tile
from styleengine.plugins.registry import load_plugins
from styleengine.scene import quiet
from styleengine.scene.scene import Scene, StyleTarget
from tests.helpers import job, paint, picture

SIZE = (96, 256)


def stripes(height: int = 96, width: int = 256, contrast: float = 0.8) -> torch.Tensor:
    """Bars of 8 pixels, as lead or tesserae: (1, 3, h, w)."""
    row = 0.5 + contrast / 2 * torch.sign(torch.sin(torch.arange(width) * torch.pi / 8 + 0.1))
    return row.expand(1, 3, height, width).clone()


def half_quiet() -> torch.Tensor:
    """A photo whose left half is flat."""
    photo = stripes()
    photo[..., :128] = 0.4
    return photo


def plain_activity(image: np.ndarray, reach: int) -> np.ndarray:
    """The same, pixel by pixel, of (3, h, w)."""
    _, h, w = image.shape
    wide = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="edge")
    soft = sum(wide[:, i : i + h, j : j + w] for i in range(3) for j in range(3)) / 9
    steps = np.zeros((h, w))
    steps[:, :-1] += (np.diff(soft, axis=2) ** 2).sum(0)
    steps[:-1] += (np.diff(soft, axis=1) ** 2).sum(0)
    found = np.empty((h, w))
    for y, x in np.ndindex(h, w):
        top, left = max(0, y - reach), max(0, x - reach)
        found[y, x] = steps[top : y + reach + 1, left : x + reach + 1].mean() ** 0.5
    return found


def test_activity_is_that_of_the_formula():
    image = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(1)).double()
    found = quiet.activity(image, 48)
    assert np.allclose(found.numpy(), plain_activity(image[0].numpy(), 4))


def test_a_quiet_place_is_held_less_where_the_style_has_none():
    found = quiet.firmness(half_quiet(), [StyleTarget(stripes())])
    assert found is not None and found.shape == SIZE
    assert torch.all(found[:, :80] == quiet.LEAST)
    assert torch.all(found[:, 160:] > 0.85)
    assert float(found.max()) <= 1


@pytest.mark.parametrize("style", [half_quiet(), stripes(contrast=0.1), torch.rand(1, 3, 1, 1)])
def test_a_style_with_quiet_places_or_none_but_quiet_ones_changes_nothing(style):
    assert quiet.firmness(half_quiet(), [StyleTarget(style)]) is None


def test_what_a_style_hides_is_not_its_quiet_place():
    style = half_quiet()
    alpha = torch.ones(SIZE)
    alpha[:, :150] = 0
    assert quiet.firmness(half_quiet(), [StyleTarget(style, alpha=alpha)]) is not None
    assert quiet.firmness(half_quiet(), [StyleTarget(style, alpha=0 * alpha)]) is None


def test_only_the_region_of_a_restless_style_is_held_less():
    region = torch.zeros(SIZE)
    region[48:] = 1
    styles = [
        StyleTarget(stripes(), region=region),
        StyleTarget(half_quiet(), region=1 - region),
    ]
    found = quiet.firmness(half_quiet(), styles)
    assert found is not None
    assert torch.all(found[:48] == 1) and torch.all(found[48:, :80] == quiet.LEAST)


def test_where_the_photo_closes_nothing_tells_where_it_begins():
    photo, style = half_quiet(), [StyleTarget(stripes())]
    moved = torch.roll(photo, 100, -1)
    wrapped = [quiet.firmness(x, style, (False, True)) for x in (photo, moved)]
    assert wrapped[0] is not None and wrapped[1] is not None
    assert torch.allclose(torch.roll(wrapped[0], 100, -1), wrapped[1], atol=1e-5)


class _Net:
    """A network whose only layer is the picture itself."""

    def __init__(self) -> None:
        self.geometry, self.units, self.metrics = {"x": Geometry(1, 0)}, {"x": 1.0}, {}


def test_the_photo_is_held_as_far_as_it_is_asked_for():
    tile = Tile(Span(0, 0, 4, 4), Span(0, 0, 6, 6))
    photo, painted, firm = torch.rand(1, 3, 4, 6), torch.rand(1, 3, 4, 6), torch.rand(4, 6)

    def held(firm):
        term = Content(_Net(), "x", 2.0, firm=firm)  # type: ignore[arg-type]
        term.see_content({"x": photo}, tile)
        term.settle()
        (part,) = term.local(painted, {"x": painted}, tile)
        return part.factor * part.values

    assert torch.allclose(held(firm), held(None) * firm)


def test_only_large_scales_hold_less_and_all_of_them_the_same():
    photo, style = picture(90, 128, block=128), picture(128, 128, 3, block=6)
    work = job(photo, style, features="vgg19", size=900)
    plan = make_plan(work.settings, 1200, 900, load_plugins(()).extractor("vgg19"))
    scene = Scene.of(work, plan, torch.device("cpu"))
    found = [quiet.at_scale(scene, k) for k in range(len(plan.sizes))]
    assert [f is None for f in found] == [max(size) < quiet.FROM for size in plan.sizes]
    small, large = (f for f in found if f is not None)
    assert float(small.min()) == pytest.approx(quiet.LEAST)
    again = torch.nn.functional.adaptive_avg_pool2d(large[None], small.shape)[0]
    assert torch.allclose(again, small, atol=0.02)


def test_a_style_without_quiet_places_reaches_more_of_a_quiet_photo(engine, monkeypatch):
    monkeypatch.setattr(quiet, "FROM", 0)
    photo, style = picture(96, 128, block=96), picture(128, 128, 3, block=6)
    work = job(photo, style, iterations=6, size=128)
    less = paint(engine, work).picture.rgb
    monkeypatch.setattr(quiet, "LEAST", 1.0)
    more = paint(engine, work).picture.rgb
    apart = [float(np.square(x - photo.rgb).mean()) for x in (less, more)]
    assert apart[0] > apart[1]
