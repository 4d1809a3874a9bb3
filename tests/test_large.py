"""Runs in tiles, in regions and under transparency, by the whole engine."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
import torch

from styleengine.descent import band_scaling
from styleengine.descent.painter import Painter
from styleengine.jobs import Style
from styleengine.loss.painting import PaintObjective
from styleengine.loss.style_losses import GramLoss
from styleengine.networks.base import NETWORK_VALUES
from styleengine.planning import layout
from styleengine.planning.layout import Limits
from styleengine.planning.recipes import FAST
from styleengine.protocol import EngineError, Progress
from styleengine.scene.style_pictures import StyleTarget
from tests.helpers import PEAK, environment, events_of, job, losses, paint, picture, tinted
from tests.test_tiling import LAYERS, thin

STYLE = picture(48, 56, 9, block=4)


TILE = NETWORK_VALUES * 4 * 200**2
"""Bytes of a tile of 200 pixels a side, its margin included."""


@pytest.fixture
def cut(monkeypatch):
    """Limits that make the engine cut pictures above a few thousand pixels."""
    monkeypatch.setitem(layout.LIMITS, "cpu", Limits(1, 0, 1e12, TILE))


@pytest.fixture
def cramped(monkeypatch):
    """Limits that make it keep its vectors in float16 too."""
    monkeypatch.setitem(layout.LIMITS, "cpu", Limits(1, 0, 60 * 64 * 64, TILE))


def steps_of(events) -> list[Progress]:
    return [e for e in events if isinstance(e, Progress) and e.stage == "paint"]


# --- tiles ----------------------------------------------------------------------------------------


def test_a_picture_in_tiles_is_the_picture_in_one_piece(engine, request):
    work = job(picture(300, 410), STYLE, size=410, iterations=12)
    whole = events_of(engine, work)
    request.getfixturevalue("cut")
    tiled = events_of(engine, work)
    assert len(steps_of(tiled)) > 2 * len(steps_of(whole)) == 24  # it tells after each tile
    found = {e.step: e.loss for e in steps_of(tiled)}
    ours, expected = [found[k] for k in sorted(found) if k], losses(whole)
    assert ours[:9] == pytest.approx(expected[:9], rel=2e-4)
    assert ours == pytest.approx(expected, rel=3e-3)  # rounding grows from step to step
    difference = np.abs(tiled[-1].picture.rgb - whole[-1].picture.rgb)
    moved = np.abs(whole[-1].picture.rgb - work.content.rgb).mean()
    assert difference.mean() < 1e-3 * moved


def test_half_precision_and_a_short_history_get_as_far(engine, request, monkeypatch):
    monkeypatch.setattr(band_scaling, "DEVICES", ())  # there is none of it in half precision
    work = job(picture(300, 410), STYLE, size=410, iterations=20, init="content")
    whole = paint(engine, work).picture.rgb
    expected = losses(events_of(engine, work))[-1]
    request.getfixturevalue("cramped")
    events = events_of(engine, work)
    assert steps_of(events)[-1].loss < 1.2 * expected
    moved = np.abs(whole - work.content.rgb).mean()
    assert np.abs(events[-1].picture.rgb - whole).mean() < 0.3 * moved


@pytest.mark.parametrize("limits", ["cramped", "cut"])
def test_the_last_step_needs_no_gradient(engine, request, monkeypatch, limits):
    request.getfixturevalue(limits)
    work = job(picture(300, 410), STYLE, size=410, iterations=7)
    short = events_of(engine, work)
    monkeypatch.setattr(Painter, "_ends_unmoved", lambda self, scale: False)
    full = events_of(engine, work)
    assert len(steps_of(short)) < len(steps_of(full))  # it tells after each tile of a pass
    ours, expected = (
        {e.step: e.loss for e in steps_of(events) if e.step} for events in (short, full)
    )
    assert ours == pytest.approx(expected, rel=1e-4)
    # A move taken back leaves rounding, which grows from scale to scale.
    assert np.abs(short[-1].picture.rgb - full[-1].picture.rgb).max() < 1e-3


def test_progress_within_a_step_counts_up(engine, cramped):
    events = events_of(engine, job(picture(300, 410), STYLE, size=410, iterations=4))
    shares = [e.done for e in steps_of(events)]
    assert shares == sorted(shares) and len(set(shares)) > 20 and shares[-1] == 1


def test_a_stop_does_not_wait_for_the_end_of_a_step(engine, cramped):
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) == 60

    events = list(engine.run(job(picture(300, 410), STYLE, size=410, iterations=12), stop))
    assert events[-1].stopped and np.isfinite(events[-1].picture.rgb).all()
    assert len(asked) == 60
    last = steps_of(events)[-1]
    assert 0 < last.done < 1 and last.step < 12


def test_a_preview_comes_once_a_step_not_once_a_tile(engine, cramped):
    work = job(picture(300, 410), STYLE, size=410, iterations=8)
    work = dataclasses.replace(work, preview=100, preview_steps=1)
    previews = [e for e in events_of(engine, work) if type(e).__name__ == "Preview"]
    assert [p.step for p in previews] == list(range(1, 9))


def test_when_memory_runs_out_smaller_tiles_go_on_from_where_it_was(engine):
    content = picture(300, 410)
    expected = events_of(engine, job(content, STYLE, size=410, iterations=12))
    events = events_of(engine, job(content, STYLE, size=410, iterations=12, features="small"))
    result = events[-1]
    assert len(result.notes) == 1 and "tiles of" in str(result.notes[0])
    assert {e.step: e.loss for e in steps_of(events)}[12] == pytest.approx(
        losses(expected)[-1], rel=0.02
    )
    # A scale that fitted was not cut, and none was begun anew.
    assert sorted({e.step for e in steps_of(events)})[-1] == 12


def test_what_fits_in_no_tile_is_reported(engine):
    with pytest.raises(EngineError) as caught:
        list(engine.run(job(picture(64, 64), features="out-of-gpu")))
    assert caught.value.code == "out-of-memory"


GROWTH = f"""{PEAK}
import sys
from tests.helpers import job, paint, picture, toy_plugins
from styleengine.engine import Engine
paint(Engine(toy_plugins()), job(picture(450, 450), size=450, iterations=int(sys.argv[1])))
print(peak())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_does_not_grow_with_the_number_of_steps():
    import subprocess

    def peak(steps: int) -> int:
        command = [sys.executable, "-c", GROWTH, str(steps)]
        done = subprocess.run(command, capture_output=True, check=True, env=environment())
        return int(done.stdout.split()[-1])

    # 110 steps fill the minimiser's history; a picture kept at each further one would be 0.3 GB.
    assert peak(240) < 1.2 * peak(110)


# --- regions --------------------------------------------------------------------------------------

RED, BLUE = (0.8, 0.2, 0.2), (0.2, 0.2, 0.8)


def left(height: int = 96, width: int = 128, part: float = 0.5) -> np.ndarray:
    mask = np.zeros((height, width), np.float32)
    mask[:, : round(part * width)] = 1
    return mask


def halves(engine, *styles: Style, **settings) -> tuple[np.ndarray, np.ndarray]:
    """Mean colours of the left and right of what comes out, away from the middle."""
    settings = {"strength": 100, "iterations": 20, **settings}
    rgb = paint(engine, job(picture(96, 128), *styles, **settings)).picture.rgb
    return rgb[:, :48].mean((0, 1)), rgb[:, -48:].mean((0, 1))


@pytest.mark.parametrize("masked_side", ["left", "right"])
def test_each_style_is_painted_in_its_region_and_the_other_elsewhere(engine, masked_side):
    mask = left() if masked_side == "left" else 1 - left()
    found = halves(engine, Style(tinted(RED), 1.0, mask), Style(tinted(BLUE)))
    there, elsewhere = found if masked_side == "left" else found[::-1]
    assert there[0] > there[2] + 0.2
    assert elsewhere[2] > elsewhere[0] + 0.2


def test_a_mask_of_another_size_covers_the_whole_photo(engine):
    large = halves(engine, Style(tinted(RED), 1.0, left()), Style(tinted(BLUE)))
    small = halves(engine, Style(tinted(RED), 1.0, left(12, 16)), Style(tinted(BLUE)))
    np.testing.assert_allclose(small, large, atol=0.05)


def test_where_no_style_is_the_photo_stays_close_to_itself(engine):
    content = picture(96, 128)
    painted, rest = halves(engine, Style(tinted(RED), 1.0, left()))
    before = content.rgb[:, :48].mean((0, 1)), content.rgb[:, -48:].mean((0, 1))
    assert painted[0] - painted[2] > before[0][0] - before[0][2] + 0.2
    np.testing.assert_allclose(rest, before[1], atol=0.05)


def test_a_soft_border_blends(engine):
    ramp = np.linspace(1, 0, 128, dtype=np.float32)[None].repeat(96, 0)
    work = job(picture(96, 128), Style(tinted(RED), 1.0, ramp), Style(tinted(BLUE)), strength=100)
    rgb = paint(engine, work).picture.rgb
    redness = (rgb[..., 0] - rgb[..., 2]).mean(0)
    columns = [redness[k : k + 16].mean() for k in (0, 56, 112)]
    assert columns[0] > columns[1] > columns[2]


def test_an_empty_mask_leaves_the_picture_to_the_other_styles(engine):
    nowhere = Style(tinted(RED), 1.0, np.zeros((8, 8), np.float32))
    both = paint(engine, job(picture(64, 64), nowhere, Style(STYLE)))
    alone = paint(engine, job(picture(64, 64), Style(STYLE)))
    np.testing.assert_allclose(both.picture.rgb, alone.picture.rgb, atol=1e-3)


def test_only_empty_masks_leave_the_photo(engine):
    content = picture(64, 64)
    nowhere = Style(tinted(RED), 1.0, np.zeros((8, 8), np.float32))
    rgb = paint(engine, job(content, nowhere, smoothness=0)).picture.rgb
    np.testing.assert_allclose(rgb, content.rgb, atol=0.02)


@pytest.mark.parametrize("mask", [np.zeros((4, 4, 3)), np.full((4, 4), np.nan), np.zeros((0, 4))])
def test_what_is_no_mask_is_refused(engine, mask):
    with pytest.raises(EngineError) as caught:
        list(engine.run(job(picture(64, 64), Style(STYLE, 1.0, mask))))
    assert caught.value.code == "bad-setting"


def test_classic_paints_no_regions(engine):
    with pytest.raises(EngineError) as caught:
        list(engine.run(job(picture(64, 64), Style(STYLE, 1.0, left()), preset="classic")))
    assert caught.value.code == "bad-setting"


# --- transparency ---------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [None, 64])
def test_hidden_pixels_get_no_gradient_and_faint_ones_weigh_little(side):
    torch.manual_seed(0)
    alpha = torch.ones(100, 140, dtype=torch.float64)
    alpha[:, 70:] = 0
    content, image, style = (torch.rand(1, 3, 100, 140, dtype=torch.float64) for _ in range(3))
    net = thin(LAYERS)

    def gradient(alpha):
        args = net, FAST, GramLoss(), content, [StyleTarget(style)], alpha
        return PaintObjective(*args, side=side)(image)[1]

    found = gradient(alpha)
    assert float(found[..., 70:].abs().max()) == 0
    assert float(found[..., :70].abs().max()) > 0
    alpha[:, 70:] = 1e-9  # nearly nothing, and then no edge in the statistics either
    faint = gradient(alpha)
    torch.testing.assert_close(faint[..., :70], found[..., :70], rtol=1e-4, atol=1e-9)
