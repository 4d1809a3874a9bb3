"""The pictures of a run: sizes of style pictures, and their grain where they are enlarged."""

import itertools

import numpy as np
import pytest
import torch

from styleengine.pictures.picture import Picture
from styleengine.planning.plan import make_plan
from styleengine.planning.spots import Area
from styleengine.plugins.registry import load_plugins
from styleengine.scene.grain import medians, without_grain
from styleengine.scene.scene import Scene
from styleengine.scene.style_pictures import ENLARGED, GRAIN_SEEN, UNSEEN, style_size
from tests.helpers import job, picture


@pytest.mark.parametrize(
    "own, wanted, content, size",
    [
        (2000, 512, 512, 512),  # made smaller
        (400, 1024, 1024, 400),  # enlarged, it would be seen to be blurred
        (800, 2400, 2400, (2400 * 800) ** 0.5),  # half the way
        (1280, 2600, 2600, (2600 * 1280) ** 0.5),
        (400, 1600, 1600, 400 * 1600 / UNSEEN),  # from there on little by little
        (256, 6000, 6000, 256 * ENLARGED),
        (6000, 24_000, 6000, 6000),  # brush of 400 %: no more pixels than the content has
        (500, 12_000, 3000, (3000 * 500) ** 0.5),
        (3000, 1500, 6000, 1500),  # brush of 25 %
    ],
)
def test_a_small_style_is_enlarged_half_the_way_where_the_content_is_large(
    own, wanted, content, size
):
    assert style_size(own, wanted, content) == pytest.approx(size)


def test_from_scale_to_scale_a_style_grows_and_never_leaps():
    for own in (100, 500, 1024, 3000):
        sizes = [style_size(own, n, n) for n in range(64, 10_000, 8)]
        assert all(a <= b <= a + 16 for a, b in itertools.pairwise(sizes))


def test_the_styles_of_a_scene_have_that_size():
    style = Picture(picture(60, 80).rgb)
    work = job(picture(30, 2400), style, size=0)
    entry = load_plugins(()).extractor("draft")
    scene = Scene.of(work, make_plan(work.settings, 2400, 30, entry), torch.device("cpu"))
    long_sides = [max(scene.targets(k)[0].image.shape[-2:]) for k in range(len(scene.plan.sizes))]
    assert [max(s) for s in scene.plan.sizes][-1] == 2400
    assert long_sides[-1] == round(80 * 2400 / UNSEEN)
    assert set(long_sides[:3]) == {80}


@pytest.mark.parametrize("height, width", [(1, 1), (1, 7), (5, 1), (9, 11), (600, 3)])
def test_medians_over_nine_pixels(height, width):
    image = torch.rand(1, 3, height, width)
    edged = np.pad(image[0].numpy(), ((0, 0), (1, 1), (1, 1)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(edged, (3, 3), (1, 2))
    wanted = np.median(windows, axis=(-2, -1))
    assert torch.equal(medians(image)[0], torch.from_numpy(wanted))


def test_of_a_grainy_picture_all_grain_is_taken_and_of_a_clean_one_little():
    seeds = torch.Generator().manual_seed(1)
    noise = torch.rand(1, 3, 90, 90, generator=seeds)
    assert torch.equal(without_grain(noise), medians(noise))
    squares = torch.rand(1, 3, 9, 9, generator=seeds).repeat_interleave(10, -1)
    clean = squares.repeat_interleave(10, -2)  # the median takes their corners
    lost = (without_grain(clean) - clean).abs().mean() / (medians(clean) - clean).abs().mean()
    assert 0 < lost < 0.2
    flat = torch.full((1, 3, 20, 20), 0.5)
    assert torch.equal(without_grain(flat), flat)


def speckled(preset="fast"):
    """A scene of 2400 px whose style, of 300 px, is gray but for one white pixel."""
    rgb = np.full((300, 300, 3), 0.5, np.float32)
    rgb[150, 150] = 1
    size = 0 if preset != "classic" else 2400
    work = job(picture(30, 2400), Picture(rgb), size=size, preset=preset)
    entry = load_plugins(()).extractor("draft")
    plan = make_plan(work.settings, 2400, 30, entry)
    return Scene.of(work, plan, torch.device("cpu"))


def test_a_style_that_is_enlarged_comes_without_its_specks_and_one_that_is_not_with_them():
    scene = speckled()
    images = [scene.targets(k)[0].image for k in range(len(scene.plan.sizes))]
    large = [max(image.shape[-2:]) > GRAIN_SEEN * 300 for image in images]
    assert large[-1] and not large[0]
    for image, without in zip(images, large, strict=True):
        assert torch.allclose(image, torch.tensor(0.5), atol=1e-6) == without


def test_the_parts_of_an_enlarged_style_are_those_of_its_picture():
    style = speckled().styles[0]
    size, area = (500, 500), Area(240, 240, 260, 260)
    ((cut, _),) = style.parts(size, [area])
    assert torch.allclose(cut, style.image(size)[..., 240:260, 240:260], atol=1e-6)


def test_classic_takes_a_style_as_it_is():
    assert float(speckled("classic").targets(0)[0].image.max()) > 0.6
