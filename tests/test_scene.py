"""The pictures of a run: sizes of style pictures."""

import itertools

import pytest
import torch

from styleengine.pictures.picture import Picture
from styleengine.planning.plan import make_plan
from styleengine.plugins.registry import load_plugins
from styleengine.scene.scene import ENLARGED, UNSEEN, Scene, style_size
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
