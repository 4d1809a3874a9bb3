"""Whole runs: what comes out, what each setting does, and how a run ends."""

from __future__ import annotations

import dataclasses
import gc

import numpy as np
import psutil
import pytest
import torch
from torch.nn import functional as F

from styleengine.descent.band_scaling import BandScaling
from styleengine.descent.pace import Pace
from styleengine.descent.painter import Painter
from styleengine.engine import Engine
from styleengine.jobs import Job, Preview, Result, Style
from styleengine.loss.tiled import Evaluation
from styleengine.machine import devices
from styleengine.networks import draft, precision
from styleengine.networks.draft import Draft
from styleengine.networks.trunk import Precision
from styleengine.pictures.files import Picture
from styleengine.planning.layout import Layout
from styleengine.planning.plan import make_plan
from styleengine.plugins.bundled import stretch_contrast
from styleengine.protocol import EngineError, Progress, Settings
from styleengine.scene.resample import resize, to_array, to_tensor
from styleengine.scene.scene import Scene
from tests.helpers import (
    TINY,
    events_of,
    gradient_energy,
    job,
    losses,
    luma,
    paint,
    picture,
    tinted,
    toy_plugins,
)
from tests.toy_plugin import Thin

STYLE = picture(48, 56, 9, block=4)


def content_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean squared difference of the thin network's features."""

    class Request:
        layers = ("thin1", "thin2")

    net = Thin(Request)
    x, y = (net(to_tensor(p))["thin2"] for p in (a, b))
    return float(F.mse_loss(x, y))


def failure(engine: Engine, work: Job) -> EngineError:
    with pytest.raises(EngineError) as caught:
        list(engine.run(work))
    error = caught.value
    assert error.code and error.message.endswith(".")
    return error


# --- the real network -----------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["draft", "fast", "best", "classic"])
def test_every_preset_paints_with_the_draft_network(plain_precision, preset):
    engine = Engine(toy_plugins())
    work = job(picture(40, 48), STYLE, preset=preset, size=48, iterations=7, features="draft")
    events = events_of(engine, work)
    result = events[-1]
    found = losses(events)
    assert len(found) == 7
    assert min(found) < 0.9 * found[0]
    assert result.picture.rgb.shape == (40, 48, 3)
    assert result.picture.rgb.dtype == np.float32
    assert result.picture.rgb.min() >= 0 and result.picture.rgb.max() <= 1
    assert np.isfinite(result.picture.rgb).all()
    assert "draft" in result.features and "CPU" in result.device and "float32" in result.device
    assert result.settings == work.settings
    assert not result.stopped and result.notes == ()
    assert np.abs(result.picture.rgb - work.content.rgb).mean() > 0.003


def test_a_style_too_narrow_for_the_network_is_widened(plain_precision):
    work = job(picture(40, 48), picture(8, 300), size=48, iterations=2, features="draft")
    assert np.isfinite(paint(Engine(toy_plugins()), work).picture.rgb).all()


# --- events ---------------------------------------------------------------------------------------


def test_events_come_in_order_and_count_the_steps(engine):
    work = job(picture(300, 200), size=256, iterations=6)
    events = events_of(engine, work)
    assert [e.stage for e in events[:-1]] == ["prepare", "prepare", *["paint"] * 6, "finish"]
    steps = [e for e in events if isinstance(e, Progress) and e.stage == "paint"]
    assert [e.step for e in steps] == list(range(1, 7))
    assert {e.steps for e in steps} == {6}
    assert [e.scale for e in steps] == sorted(e.scale for e in steps)
    assert {e.scales for e in steps} == {2}
    assert {e.features for e in steps} == {"thin test network"}
    assert {(e.height, e.width) for e in steps} == {(128, 85), (256, 171)}
    etas = [e.eta_s for e in steps]
    assert etas[:2] == [None, None] and all(eta >= 0 for eta in etas[2:])
    assert etas[-1] == pytest.approx(0, abs=1e-6)
    assert all(np.isfinite(e.loss) for e in steps)
    shares = [e.done for e in events[1:-1]]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
    assert {e.memory for e in events[1:-1]} == {events[1].memory}
    assert events[1].memory > psutil.Process().memory_info().rss / 2
    assert isinstance(events[-1], Result) and events[-1].seconds > 0


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("init", ["auto", "recolor", "content", "noise"])
def test_the_loss_falls_from_every_start_with_every_optimiser(engine, init, optimizer):
    found = losses(
        events_of(engine, job(picture(64, 64), init=init, optimizer=optimizer, iterations=15))
    )
    assert found[-1] < 0.8 * found[0]


def test_the_lowest_loss_is_what_comes_back(engine):
    # One step more at the end costs nothing: the last, unproven move is never the result.
    work = job(picture(64, 64), iterations=1, init="content")
    assert np.abs(paint(engine, work).picture.rgb - work.content.rgb).max() < 1e-6


def test_previews_come_as_asked(engine):
    work = dataclasses.replace(job(picture(60, 90), iterations=6), preview=32, preview_steps=2)
    previews = [e for e in engine.run(work) if isinstance(e, Preview)]
    assert [p.step for p in previews] == [2, 4, 6]
    assert {(p.picture.width, p.picture.height) for p in previews} == {(32, 22)}
    assert not any(isinstance(e, Preview) for e in engine.run(job(picture(60, 90))))


def test_the_first_preview_is_a_painted_picture(engine):
    for iterations in (1, 3, 30):
        content = picture(64, 64)
        work = job(content, size=64, iterations=iterations, init="content")
        first = next(
            e for e in engine.run(dataclasses.replace(work, preview=64)) if isinstance(e, Preview)
        )
        changed = np.abs(first.picture.rgb - content.rgb).mean()
        assert (iterations == 1) == (changed < 1e-3)
        assert first.step >= min(iterations, 3)


def test_what_is_loaded_ahead_is_not_loaded_again(monkeypatch):
    engine, work = Engine(toy_plugins()), job(picture(40, 40), iterations=2)
    engine.prepare(work.settings)
    monkeypatch.setattr("styleengine.networks.shelf.Trunk", lambda *_: pytest.fail("loaded again"))
    paint(engine, work)
    with pytest.raises(EngineError, match="nothing-of-that-name"):
        engine.prepare(Settings(features="nothing-of-that-name"))


def test_a_preview_looks_like_the_result(engine):
    content = picture(60, 90, alpha=alpha(60, 90))
    for keep_colors in ("off", "luminance"):
        work = job(content, size=90, keep_colors=keep_colors, iterations=5)
        work = dataclasses.replace(work, preview=500, preview_steps=5)
        *_, preview, _finish, result = engine.run(work)
        visible = content.alpha > 0
        shown, painted = preview.picture.rgb[visible], result.picture.rgb[visible]
        assert np.abs(shown - painted).mean() < 0.02
        np.testing.assert_allclose(preview.picture.alpha, content.alpha, atol=1e-6)


# --- the same again -------------------------------------------------------------------------------


@pytest.mark.parametrize("init", ["auto", "noise"])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_same_job_gives_the_same_bits(engine, init, optimizer):
    work = job(picture(70, 64), init=init, optimizer=optimizer)
    first = paint(engine, work).picture.rgb
    again = paint(engine, work).picture.rgb
    afresh = paint(Engine(toy_plugins()), work).picture.rgb
    assert np.array_equal(first, again)
    assert np.array_equal(first, afresh)


def test_another_seed_gives_another_picture_where_chance_takes_part(engine):
    results = {
        (init, seed): paint(engine, job(picture(64, 64), init=init, seed=seed)).picture.rgb
        for init in ("noise", "content")
        for seed in (0, 1)
    }
    assert np.abs(results["noise", 0] - results["noise", 1]).mean() > 0.02
    assert np.array_equal(results["content", 0], results["content", 1])


def test_a_run_does_not_change_its_pictures_or_torchs_state(engine):
    content = picture(64, 64, alpha=alpha(64, 64))
    paint(engine, job(content))  # loads the network
    before = content.rgb.copy(), content.alpha.copy(), STYLE.rgb.copy()
    state, grad = torch.random.get_rng_state(), torch.is_grad_enabled()
    paint(engine, job(content, STYLE, init="noise", postprocess="sharpen,contrast"))
    after = content.rgb, content.alpha, STYLE.rgb
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.is_grad_enabled() == grad


# --- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (8, 8, 64),
        (9, 512, 64),
        (512, 8, 64),
        (65, 47, 64),
        (33, 64, 200),
        (127, 131, 0),
        (20, 20, 8),
    ],
)
def test_pictures_of_every_shape_come_back_at_their_size(engine, height, width, size):
    content = picture(height, width, depth=16, name="odd")
    result = paint(engine, job(content, size=size))
    assert result.picture.rgb.shape == (height, width, 3)
    assert np.isfinite(result.picture.rgb).all()
    assert (result.picture.depth, result.picture.name) == (16, "odd")


def test_a_small_working_size_comes_back_large_and_sharp(engine):
    content = picture(320, 240, 2, block=20)
    result = paint(engine, job(content, size=64, iterations=3, strength=30)).picture.rgb
    assert result.shape == content.rgb.shape
    small = resize(to_tensor(result), (64, 48))
    blown_up = to_array(resize(small, (320, 240)))
    assert gradient_energy(result) > 1.3 * gradient_energy(blown_up)


def test_gray_pictures(engine):
    rgb = picture(64, 64).rgb
    gray = Picture(np.repeat(rgb.mean(2, keepdims=True), 3, 2))
    assert np.isfinite(paint(engine, job(gray)).picture.rgb).all()
    assert np.isfinite(paint(engine, job(picture(64, 64), gray)).picture.rgb).all()
    flat = Picture(np.full((32, 32, 3), 0.5, np.float32))
    assert np.isfinite(paint(engine, job(flat)).picture.rgb).all()
    assert np.isfinite(paint(engine, job(picture(64, 64), flat)).picture.rgb).all()
    # Kept colours of a gray photo are gray.
    kept = paint(engine, job(gray, keep_colors="luminance")).picture.rgb
    np.testing.assert_allclose(kept, kept[..., :1].repeat(3, 2), atol=1e-5)


# --- transparency ---------------------------------------------------------------------------------


def alpha(height: int, width: int) -> np.ndarray:
    """Opaque, with a transparent corner and a soft edge to it."""
    y, x = np.mgrid[:height, :width]
    soft = (y / height + x / width - 0.6) * 8
    return np.clip(soft, 0, 1).astype(np.float32)


SIZES_AND_WAYS = [
    {"size": 64},
    {"size": 90},
    {"size": 64, "init": "content"},
    {"size": 64, "keep_colors": "luminance"},
    {"size": 64, "preset": "classic"},
    {"size": 64, "postprocess": "sharpen"},
]


@pytest.mark.parametrize("way", SIZES_AND_WAYS, ids=str)
def test_hidden_colours_do_not_show_in_the_visible_part(engine, way):
    mask = alpha(72, 90)
    first, other = picture(72, 90, 3).rgb, picture(72, 90, 3).rgb.copy()
    first[mask == 0] = 0
    other[mask == 0] = np.random.default_rng(1).random((int((mask == 0).sum()), 3)) > 0.5
    results = [paint(engine, job(Picture(rgb, mask), **way)).picture for rgb in (first, other)]
    visible = mask > 0
    np.testing.assert_array_equal(results[0].rgb[visible], results[1].rgb[visible])


def test_alpha_and_hidden_colours_come_back_bit_for_bit(engine):
    mask = alpha(72, 90)
    content = picture(72, 90, 3, alpha=mask.copy())
    result = paint(engine, job(content, postprocess="negative,sharpen")).picture
    assert np.array_equal(result.alpha, mask)
    assert np.array_equal(result.rgb[mask == 0], content.rgb[mask == 0])
    assert not np.array_equal(result.rgb[mask > 0], content.rgb[mask > 0])


def test_hidden_colours_of_a_style_do_not_show(engine):
    mask = alpha(60, 50)
    results = []
    for hidden in (0.0, 1.0):
        rgb = picture(60, 50, 5).rgb
        rgb[mask == 0] = hidden
        results.append(paint(engine, job(picture(64, 64), Picture(rgb, mask))).picture.rgb)
    np.testing.assert_array_equal(*results)


def test_hardly_anything_visible_is_still_painted(engine):
    mask = np.zeros((200, 150), np.float32)
    mask[120, 70] = 1
    result = paint(engine, job(picture(200, 150, alpha=mask))).picture
    assert np.isfinite(result.rgb).all()
    faint = np.full((64, 64), 1e-3, np.float32)
    assert np.isfinite(paint(engine, job(picture(64, 64, alpha=faint))).picture.rgb).all()


def test_an_alpha_without_holes_changes_nothing(engine):
    opaque = paint(engine, job(picture(64, 64))).picture
    with_alpha = paint(engine, job(picture(64, 64, alpha=np.ones((64, 64), np.float32)))).picture
    assert np.array_equal(opaque.rgb, with_alpha.rgb)
    assert with_alpha.alpha is not None and opaque.alpha is None


# --- what the settings do -------------------------------------------------------------------------


def test_strength_moves_the_picture_away_from_the_photo(engine):
    content = picture(64, 64, 3)
    distances = [
        content_distance(
            paint(engine, job(content, init="content", strength=s, iterations=30)).picture.rgb,
            content.rgb,
        )
        for s in (0, 25, 50, 75, 100)
    ]
    assert distances == sorted(distances)
    assert distances[-1] > 2 * distances[0]


def test_smoothness_takes_grain_away(engine):
    content = picture(64, 64, 3)
    variation = [
        gradient_energy(
            paint(engine, job(content, smoothness=s, init="noise", iterations=30)).picture.rgb
        )
        for s in (0, 20, 50, 100)
    ]
    assert variation == sorted(variation, reverse=True)
    assert variation[-1] < 0.5 * variation[0]


def test_brush_size_is_the_size_of_the_strokes(engine):
    # Stripes: their period in the painted picture follows the setting.
    stripes = np.zeros((128, 128, 3), np.float32)
    stripes[:, np.arange(128) % 16 < 8] = 1
    content = Picture(np.full((128, 128, 3), 0.5, np.float32))

    def fineness(scale: float) -> float:
        work = job(
            content, Picture(stripes), size=128, style_scale=scale, init="noise", strength=100,
            smoothness=0, iterations=40,
        )  # fmt: skip
        gray = paint(engine, work).picture.rgb.mean(2)
        gray = gray - gray.mean()
        power = np.abs(np.fft.fft2(gray)) ** 2
        f = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)[None, :])
        return float((power * f).sum() / power.sum())

    coarse, normal, fine = fineness(200), fineness(100), fineness(50)
    assert coarse <= normal < fine


def test_kept_colours_are_the_photos_under_new_light(engine):
    content = Picture(0.3 + 0.4 * picture(64, 64, 3).rgb)
    style = tinted((0.1, 0.2, 0.8))
    kept = paint(engine, job(content, style, keep_colors="luminance", iterations=20)).picture.rgb
    chroma = content.rgb - luma(content.rgb)[..., None]
    new_chroma = kept - luma(kept)[..., None]
    unclipped = (kept.min(2) > 1e-3) & (kept.max(2) < 1 - 1e-3)
    assert unclipped.mean() > 0.8
    np.testing.assert_allclose(new_chroma[unclipped], chroma[unclipped], atol=1e-4)
    fine = picture(64, 64, 9, block=2)
    work = job(content, fine, keep_colors="luminance", iterations=40, strength=95)
    assert np.abs(luma(paint(engine, work).picture.rgb) - luma(content.rgb)).mean() > 0.005
    painted = paint(engine, job(content, style, iterations=20)).picture.rgb
    assert painted[..., 2].mean() - painted[..., 0].mean() > 0.3  # the style's blue
    assert abs(kept.mean((0, 1)) - content.rgb.mean((0, 1))).max() < 0.15


def test_a_kept_palette_is_the_photos_in_statistics_but_not_place_by_place(engine):
    content = Picture(0.2 + 0.6 * picture(64, 64, 3).rgb)
    style = tinted((0.1, 0.2, 0.8))
    work = job(content, style, keep_colors="palette", iterations=30, strength=90)
    kept = paint(engine, work).picture.rgb
    painted = paint(engine, dataclasses.replace(work, settings=Settings(**{
        **dataclasses.asdict(work.settings), "keep_colors": "off",
    }))).picture.rgb  # fmt: skip

    def apart(rgb: np.ndarray) -> float:
        a, b = (np.cov(x.reshape(-1, 3).T) for x in (rgb, content.rgb))
        means = (rgb.mean((0, 1)) - content.rgb.mean((0, 1))) ** 2
        return float(means.sum() + np.abs(a - b).sum())

    assert apart(kept) < 0.2 * apart(painted)
    chroma = [x - luma(x)[..., None] for x in (kept, content.rgb)]
    assert np.abs(chroma[0] - chroma[1]).mean() > 0.01  # unlike with "luminance"


def test_kept_colours_take_the_strokes_of_a_style_but_not_its_brightness(engine):
    content = Picture(0.3 + 0.4 * picture(64, 64, 3).rgb)
    bright, dark = (Picture(0.2 * STYLE.rgb + np.float32(base)) for base in (0.75, 0.05))
    kept, painted = (
        [
            luma(paint(engine, job(content, s, keep_colors=k, strength=80)).picture.rgb).mean()
            for s in (bright, dark)
        ]
        for k in ("luminance", "off")
    )
    assert abs(kept[0] - kept[1]) < 0.02
    assert painted[0] - painted[1] > 0.4


def test_only_visible_light_is_matched(engine):
    mask = np.zeros((64, 64), np.float32)
    mask[:, :24] = 1
    mask[:, 24:] = 0.5  # half visible, and of another brightness
    rgb = picture(64, 64, 3).rgb * 0.3
    rgb[:, 24:] = 0.95
    work = job(Picture(rgb, mask), keep_colors="luminance")
    plan = make_plan(work.settings, 64, 64, engine.plugins.extractor("thin"))
    scene = Scene.of(work, plan, torch.device("cpu"))
    light = luma(to_array(scene.levels[-1]))
    assert float(scene.styles[0].image((64, 64)).mean()) == pytest.approx(
        np.average(light, weights=mask), abs=0.01
    )
    assert abs(np.average(light, weights=mask) - light.mean()) > 0.02


def test_shares_of_a_blend_shift_the_colours(engine):
    red, blue = tinted((0.75, 0.2, 0.2)), tinted((0.2, 0.2, 0.75), 2)
    content = picture(64, 64)
    redness = []
    for share in (1.0, 3.0, 1 / 3):
        styles = Style(red, share), Style(blue, 1.0)
        mean = paint(engine, job(content, *styles)).picture.rgb.mean((0, 1))
        redness.append(mean[0] - mean[2])
    equal, more, less = redness
    assert less + 0.05 < equal < more - 0.05
    only = [paint(engine, job(content, s)).picture.rgb.mean((0, 1)) for s in (red, blue)]
    assert only[0][0] - only[0][2] > more and only[1][0] - only[1][2] < less


def test_only_the_proportions_of_the_weights_count(engine):
    red, blue = tinted((0.75, 0.2, 0.2)), tinted((0.2, 0.2, 0.75), 2)
    small, large, largest = (
        paint(engine, job(picture(64, 64), Style(red, f), Style(blue, 2 * f))).picture.rgb
        for f in (0.5, 64.0, 2.0**1022)
    )
    np.testing.assert_allclose(small, large, atol=1e-6)
    np.testing.assert_allclose(small, largest, atol=1e-6)


def test_the_same_style_twice_is_that_style(engine):
    once = paint(engine, job(picture(64, 64), STYLE)).picture.rgb
    twice = paint(engine, job(picture(64, 64), STYLE, STYLE)).picture.rgb
    np.testing.assert_allclose(once, twice, atol=0.01)


@pytest.mark.parametrize("name", ["photo", "flat"])
def test_what_a_postprocessor_returns_is_not_written_into(engine, name):
    content = picture(48, 48, alpha=alpha(48, 48))
    region = np.zeros((48, 48), np.float32)
    region[:24] = 0.5
    before = content.rgb.copy()
    work = job(content, Style(STYLE, 1.0, region), postprocess=name)
    assert np.isfinite(paint(engine, work).picture.rgb).all()
    assert np.array_equal(content.rgb, before)


def test_postprocessors_work_in_the_order_given(engine):
    content = picture(64, 64)
    plain = paint(engine, job(content)).picture.rgb
    assert np.allclose(paint(engine, job(content, postprocess="negative")).picture.rgb, 1 - plain)
    twice = paint(engine, job(content, postprocess=" negative , negative,")).picture.rgb
    assert np.allclose(twice, plain, atol=1e-6)
    sharp = paint(engine, job(content, postprocess="sharpen")).picture.rgb
    assert gradient_energy(sharp) > 1.05 * gradient_energy(plain)
    stretched = paint(engine, job(content, postprocess="contrast")).picture.rgb
    assert stretched.std() > plain.std()
    assert np.mean((stretched == 0) | (stretched == 1)) == pytest.approx(0.01, abs=0.004)


def test_stretching_what_has_no_contrast_is_harmless():
    flat = np.full((16, 16, 3), 0.4, np.float32)
    assert np.isfinite(stretch_contrast(flat, flat)).all()


# --- stopping -------------------------------------------------------------------------------------


def test_stopping_keeps_what_there_is(engine):
    content = picture(128, 96)
    for after in (1, 4):
        seen: list[Progress] = []
        events = []
        for event in engine.run(job(content, iterations=50), lambda s=seen, n=after: len(s) >= n):
            events.append(event)
            if isinstance(event, Progress) and event.stage == "paint":
                seen.append(event)
        result = events[-1]
        assert isinstance(result, Result) and result.stopped
        assert result.picture.rgb.shape == (128, 96, 3)
        assert len(seen) == after


def test_a_stop_at_a_coarse_scale_skips_the_finer_ones(engine):
    work = job(picture(256, 256), size=256, iterations=20)
    events = list(engine.run(work, lambda: True))
    assert [e.scale for e in events[:-1]] == [0, 1, 1, 1]
    assert events[-1].stopped and events[-1].picture.rgb.shape == (256, 256, 3)


def test_a_stopped_run_is_the_beginning_of_the_whole_one(engine):
    content = picture(64, 64)
    stopped_after: list[int] = []

    def stop() -> bool:
        stopped_after.append(1)
        return len(stopped_after) == 6

    stopped = events_of(engine, job(content, iterations=30), should_stop=stop)
    whole = events_of(engine, job(content, iterations=30))
    assert losses(stopped) == losses(whole)[:6]


def test_closing_the_run_drops_it_and_the_engine_works_on(engine):
    run = engine.run(job(picture(64, 64), iterations=50))
    for event in run:
        if isinstance(event, Progress) and event.step == 2:
            break
    run.close()
    assert next(run, None) is None
    del run
    gc.collect()
    assert paint(engine, job(picture(64, 64))).picture.rgb.shape == (64, 64, 3)


class Scripted:
    """Stands for the scene and for the objective: losses as given, and what was asked about."""

    def __init__(self, *losses: float) -> None:
        self.losses = list(losses)
        self.asked: list[torch.Tensor] = []

    def start(self, scale: int, before: torch.Tensor | None) -> torch.Tensor:
        return torch.full((1, 3, 16, 16), 0.5)

    def evaluate(self, image: torch.Tensor, dtype: torch.dtype, *, slope: bool) -> Evaluation:
        self.asked.append(image.clone())
        loss = self.losses[len(self.asked) - 1]
        gradient = torch.linspace(1, 2, 768).view_as(image) * (0.9 ** len(self.asked))
        yield from ()
        return loss, gradient.to(dtype) * (float("nan") if np.isnan(loss) else 1)


def painted_by(
    engine: Engine,
    script: Scripted,
    rounds: int | None = None,
    narrow: bool = False,
    **options: str,
) -> Painter:
    settings = Settings(**{**TINY, "size": 16, "iterations": len(script.losses), **options})
    plan = make_plan(settings, 16, 16, engine.plugins.extractor("thin"))
    plan = dataclasses.replace(plan, round_steps=rounds)
    layouts = [Layout(None, narrow, 10, 0, 1.0)]
    painter = Painter(plan, layouts, Pace(plan, layouts), lambda: False)
    painter.begin(0, script)
    assert sum(1 for _ in painter.paint(script)) <= len(script.losses)
    return painter


def test_the_best_picture_is_kept_not_the_last(engine):
    script = Scripted(3.0, 1.0, 2.0, 1.5)
    assert torch.equal(painted_by(engine, script).picture, script.asked[1])


def test_the_best_picture_is_that_of_all_rounds(engine):
    script = Scripted(3.0, 1.0, 2.0, 1.5, 1.2, 1.1)
    assert torch.equal(painted_by(engine, script, rounds=3).picture, script.asked[1])


def test_the_rescue_starts_from_the_best_picture(engine):
    nan = float("nan")
    script = Scripted(3.0, 1.0, 2.0, *[nan] * 7, 0.9, 0.8)
    painter = painted_by(engine, script)
    assert len(painter.notes) == 1
    assert not torch.equal(script.asked[2], script.asked[1])
    assert torch.equal(script.asked[10], script.asked[1])
    assert torch.isfinite(painter.picture).all()


@pytest.mark.parametrize("rounds", [None, 10])
@pytest.mark.parametrize("narrow", [False, True])
def test_what_has_come_down_to_rounding_is_kept_and_the_scale_ends(engine, narrow, rounds):
    # The first picture is the minimum; any step from it raises the loss with its square.
    script = Scripted(1e-14, *(10.0 ** -(2 + 2 * k) for k in range(6)), *[1.0] * 13)
    painter = painted_by(engine, script, narrow=narrow, rounds=rounds)
    assert len(script.asked) == 7
    assert painter.notes == []
    assert painter.pace.step == 20 and painter.pace.progress("paint").done == 1
    torch.testing.assert_close(painter.release(), script.asked[0], rtol=0, atol=1e-6)


FLAT = Picture(np.full((24, 32, 3), (0.4, 0.2, 0.7), np.float32))
BLACK = Picture(np.zeros((24, 24, 3), np.float32))
UNMOVED = {
    "photo": picture(40, 48),
    "tiny": Picture(FLAT.rgb[:8, :9]),
    "flat": FLAT,
    "black": BLACK,
}


@pytest.mark.parametrize("name", UNMOVED)
@pytest.mark.parametrize("preset", ["fast", "best"])
@pytest.mark.parametrize("smoothness", [0.0, 10.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_photo_in_its_own_style_stays_as_it_is_without_a_word(
    name, preset, smoothness, dtype, plain_precision, monkeypatch
):
    given, precision = UNMOVED[name], Precision(dtype, channels_last=True)
    monkeypatch.setattr("styleengine.networks.shelf.choose_precision", lambda *_: precision)
    work = job(given, given, preset=preset, smoothness=smoothness, size=48, iterations=40)
    result = paint(Engine(toy_plugins()), work)
    assert result.notes == ()
    apart = float(np.sqrt(np.mean((result.picture.rgb - given.rgb) ** 2)))
    assert apart < (0.005 if smoothness == 0 else 0.05)  # what smooths it does move it


@pytest.mark.parametrize(
    ("narrow", "options", "wanted"),
    [(False, {}, True), (True, {}, False), (False, {"preset": "classic"}, False)],
)
def test_the_curvature_is_guessed_by_bands_but_for_large_pictures_and_the_notebooks_method(
    engine, monkeypatch, narrow, options, wanted
):
    made = []

    class Noted(BandScaling):
        def __init__(self, size, *arguments):
            made.append(size)
            super().__init__(size, *arguments)

    monkeypatch.setattr("styleengine.descent.band_scaling.BandScaling", Noted)
    painted_by(engine, Scripted(3.0, 2.0, 1.0), narrow=narrow, **options)
    assert made == ([(16, 16)] if wanted else [])


@pytest.mark.parametrize("narrow", [False, True])
def test_the_last_unproven_move_is_not_in_what_is_released(engine, narrow):
    script = Scripted(3.0, 2.0, 1.0)
    painter = painted_by(engine, script, narrow=narrow)
    torch.testing.assert_close(painter.release(), script.asked[2], rtol=0, atol=1e-6)


# --- when things go wrong -------------------------------------------------------------------------


def test_one_bad_evaluation_is_survived_without_a_word(engine):
    events = events_of(engine, job(picture(64, 64), features="unwell-once", iterations=20))
    found = [x for x in losses(events) if x is not None]
    assert np.isfinite(found).all()  # what JSON cannot say is not reported
    assert found[-1] < found[0]
    assert events[-1].notes == ()
    assert np.isfinite(events[-1].picture.rgb).all()


def test_adam_takes_over_from_the_last_good_picture(engine):
    work = job(picture(64, 64), features="unwell-for-a-while", iterations=40)
    events = events_of(engine, work)
    result = events[-1]
    assert len(result.notes) == 1 and "Adam" in str(result.notes[0])
    found = [x for x in losses(events) if x is not None]
    assert np.isfinite(found).all()
    assert found[-1] < found[0]
    assert np.isfinite(result.picture.rgb).all() and result.picture.rgb.std() > 0.01


@pytest.mark.parametrize("name", ["unwell-for-good", "unwell-from-the-start"])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_network_that_stays_ill_is_an_error(engine, name, optimizer):
    error = failure(engine, job(picture(64, 64), features=name, optimizer=optimizer, iterations=40))
    assert error.code == "diverged" and error.hint


@pytest.mark.parametrize("name", ["greedy", "greedy-in-numpy", "out-of-gpu"])
def test_too_little_memory_is_said_and_the_engine_works_on(engine, name):
    error = failure(engine, job(picture(64, 64), features=name))
    assert error.code == "out-of-memory" and "smaller" in error.hint
    assert paint(engine, job(picture(64, 64))).picture.rgb.shape == (64, 64, 3)


def test_the_mistake_of_a_plug_in_is_said_to_be_one(engine):
    error = failure(engine, job(picture(64, 64), features="buggy"))
    assert error.code == "bad-plugin" and "buggy" in error.message
    assert "IndexError" in str(error) and "a mistake of the plug-in's author" in str(error)


@pytest.mark.parametrize("name", ["cut", "blame"])
def test_a_bad_postprocessor_is_named(engine, name):
    error = failure(engine, job(picture(64, 64), postprocess=name))
    assert error.code == "bad-plugin" and name in error.message


HOLE = np.zeros((64, 64), np.float32)


@pytest.mark.parametrize(
    ("code", "work"),
    [
        ("no-style", Job(picture(64, 64), (), Settings(**TINY))),
        ("picture-empty", job(picture(64, 64, alpha=HOLE))),
        ("picture-empty", job(picture(64, 64), picture(64, 64, alpha=HOLE))),
        ("picture-too-small", job(picture(7, 64))),
        ("picture-too-small", job(picture(64, 64), picture(64, 5))),
        ("bad-setting", job(picture(64, 64), Style(STYLE, 0.0))),
        ("bad-setting", job(picture(64, 64), Style(STYLE, -1.0))),
        ("bad-setting", job(picture(64, 64), Style(STYLE, float("nan")))),
        ("bad-setting", job(picture(64, 64), Style(STYLE, float("inf")))),
        ("bad-setting", job(picture(64, 64), STYLE, STYLE, preset="classic")),
        ("no-device", job(picture(64, 64), device="tpu")),
        ("unknown-name", job(picture(64, 64), features="resnet")),
        ("unknown-name", job(picture(64, 64), style_loss="nice")),
        ("unknown-name", job(picture(64, 64), style_loss="nice", preset="classic")),
        ("unknown-name", job(picture(64, 64), postprocess="sharpen,nice")),
        ("no-weights", job(picture(64, 64), features="vgg19")),
    ],
)
def test_what_cannot_be_painted_is_refused_with_a_sentence(engine, code, work):
    error = failure(engine, work)
    assert error.code == code
    for name in ("tpu", "resnet", "nice"):
        if name in vars(work.settings).values():
            assert repr(name) in error.message


def test_refusals_come_before_the_work(engine):
    run = engine.run(job(picture(64, 64), postprocess="nice", iterations=1000))
    assert next(run) == Progress("prepare")
    with pytest.raises(EngineError):
        next(run)


# --- features and weights -------------------------------------------------------------------------


def test_pooling_changes_the_picture(plain_precision):
    engine = Engine(toy_plugins())
    tiny = {"size": 32, "iterations": 3, "features": "draft", "init": "content"}
    results = [
        paint(engine, job(picture(32, 32), **tiny, **more)).picture.rgb
        for more in ({}, {"pooling": "average"})
    ]
    assert not np.array_equal(results[0], results[1])


def test_the_network_stays_loaded_from_run_to_run(engine, monkeypatch):
    work = job(picture(64, 64))
    paint(engine, work)
    entry = engine.plugins.extractors["thin"]
    broken = dataclasses.replace(entry, factory=lambda request: pytest.fail("loaded again"))
    monkeypatch.setitem(engine.plugins.extractors, "thin", broken)
    settings = dataclasses.replace(work.settings, seed=work.settings.seed + 1)
    paint(engine, dataclasses.replace(work, content=picture(48, 64, 3), settings=settings))


@pytest.mark.parametrize("features", ["auto", "vgg19"])
def test_fine_scales_of_large_pictures_are_looked_at_by_the_draft(
    monkeypatch, plain_precision, features
):
    engine, looks = Engine(toy_plugins()), []

    class Watched(Draft):
        def some(self, image, layers):
            if torch.is_grad_enabled():
                looks.append((self.name, max(image.shape), len(layers)))
            return super().some(image, layers)

    def make(request):
        net = Watched(request.layers)
        net.load_state_dict(draft.load(request.layers).state_dict())
        net.measure()
        net.name = request.features
        return net

    for name in ("vgg19", "draft"):
        entry = dataclasses.replace(engine.plugins.extractors["draft"], factory=make)
        monkeypatch.setitem(engine.plugins.extractors, name, entry)
    work = job(picture(16, 1700), features=features, size=0, iterations=10, init="content")
    found = paint(engine, dataclasses.replace(work, weights="mine.h5"))
    assert {(n, s, k) for n, s, k in looks if s > 1600} == {
        ("draft" if features == "auto" else "vgg19", 1700, 3)
    }
    assert {n for n, s, _ in looks if 64 < s <= 1600} == {"vgg19"}
    assert np.isfinite(found.picture.rgb).all()


def test_a_weight_file_that_is_none_is_an_error(engine, tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(b"not weights")
    work = dataclasses.replace(job(picture(64, 64), features="auto"), weights=str(path))
    error = failure(engine, work)
    assert "w.pth" in error.message


def test_a_device_that_computes_nonsense_is_left_for_the_processor(engine, monkeypatch):
    meta, choose = torch.device("meta"), precision.choose_precision

    def refuse(make, device, kind):
        if device == meta:
            raise EngineError(precision.WRONG_DEVICE, "The device 'meta' computes wrong gradients.")
        return choose(make, device, kind)

    monkeypatch.setattr(devices, "pick", lambda name: meta)
    monkeypatch.setattr("styleengine.networks.shelf.choose_precision", refuse)
    found = paint(engine, job(picture(40, 48)))
    assert "CPU" in found.device
    assert [n for n in map(str, found.notes) if "'meta'" in n and "processor" in n]
    with pytest.raises(EngineError) as caught:
        paint(engine, job(picture(40, 48), device="meta"))
    assert caught.value.code == precision.WRONG_DEVICE
