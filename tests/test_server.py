"""``styleengine serve`` as a real process: the whole protocol, its misuse, and its end."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from PIL import Image

from styleengine.pictures.picture import from_pixels, to_pixels
from styleengine.pictures.samples import integers_of
from styleengine.protocol import (
    PROTOCOL,
    PictureSpec,
    Settings,
    picture_spec,
    read_frame,
    write_frame,
)
from styleengine.serving import canvas as canvas_module
from styleengine.serving.canvas import Canvas
from tests.helpers import Serving, command, environment, install_package, picture, run_cli, tinted
from tests.patience import DEADLINE, wait_until

pytestmark = pytest.mark.usefixtures("plain_precision")

TOP = {"u8": 255, "u16": 65535, "f32": 1.0}
TYPES = {"u8": np.uint8, "u16": np.uint16, "f32": np.float32}
QUICK = {"features": "thin", "size": 48, "iterations": 4}
ENDLESS = {"iterations": 100_000, "optimizer": "adam"}  # which never converges


@pytest.fixture(scope="module")
def shared():
    """Holds the process of `engine`."""
    with contextlib.ExitStack() as stack:
        yield {"stack": stack, "serving": None}


@pytest.fixture
def engine(env, shared):
    """One process for all tests that leave it alive; they use different job ids."""
    if shared["serving"] is None or shared["serving"].process.poll() is not None:
        shared["serving"] = shared["stack"].enter_context(Serving(env))
        shared["serving"].hello()
    return shared["serving"]


@pytest.fixture
def own(env):
    """A process of the test's own."""
    with Serving(env) as serving:
        yield serving


def rgba(height: int, width: int, dtype: str = "u8", seed: int = 0) -> np.ndarray:
    """Pixels with alpha, some of it 0 over odd colours."""
    pixels = np.empty((height, width, 4), np.float64)
    pixels[..., :3] = picture(height, width, seed).rgb
    pixels[..., 3] = np.clip(np.linspace(-0.3, 1.5, width), 0, 1)
    scaled = pixels * TOP[dtype]
    return (scaled if dtype == "f32" else np.rint(scaled)).astype(TYPES[dtype])


def png(height: int = 40, width: int = 44, seed: int = 5) -> bytes:
    out = io.BytesIO()
    Image.fromarray((picture(height, width, seed).rgb * 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def spec_of(pixels: np.ndarray) -> dict:
    names = {np.dtype(v): k for k, v in TYPES.items()}
    return {"width": pixels.shape[1], "height": pixels.shape[0], "dtype": names[pixels.dtype]}


def send_pixels(serving: Serving, job: str, pixels: np.ndarray, rows: int = 0, **of) -> None:
    for y in range(0, len(pixels), rows or len(pixels)):
        strip = pixels[y : y + (rows or len(pixels))]
        header = {"type": "pixels", "id": job, "y": y, "rows": len(strip), **of}
        serving.send(header, np.ascontiguousarray(strip).tobytes())


def start(
    serving: Serving, job: str, pixels: np.ndarray, styles=None, preview: int = 0, **settings
) -> None:
    """Sends a whole job; ``styles`` are bytes of files or arrays of pixels."""
    styles = [png()] if styles is None else styles
    announced = [{"name": "s", **({} if isinstance(s, bytes) else spec_of(s))} for s in styles]
    serving.send(
        {
            "type": "run",
            "id": job,
            "settings": {**QUICK, **settings},
            "content": spec_of(pixels),
            "styles": announced,
            "preview": preview,
        }
    )
    for i, style in enumerate(styles):
        if isinstance(style, bytes):
            serving.send({"type": "style", "id": job, "index": i}, style)
        else:
            send_pixels(serving, job, style, of="style", index=i)
    send_pixels(serving, job, pixels, 13, of="content")


def result_of(serving: Serving, job: str) -> tuple[dict, np.ndarray]:
    """The result's header and its pixels, put together from the strips."""
    header, _ = serving.until("result", "failed", "cancelled", id=job)
    assert header["type"] == "result", header
    spec = picture_spec(header)
    data = b""
    row = 0
    while row < spec.height:
        frame = serving.next()
        assert frame is not None
        strip, payload = frame
        assert (strip["type"], strip["id"], strip["of"]) == ("pixels", job, "result")
        assert strip["y"] == row
        assert len(payload) == strip["rows"] * spec.row_bytes
        data += payload
        row += strip["rows"]
    assert row == spec.height
    return header, np.frombuffer(data, TYPES[spec.dtype]).reshape(spec.height, spec.width, 4)


def failure_of(serving: Serving, job: str) -> dict:
    header, _ = serving.until("result", "failed", id=job)
    assert header["type"] == "failed", header
    assert header["code"] and header["message"].endswith(".")
    return header


def works(serving: Serving, job: str) -> bool:
    """Whether the process still paints."""
    start(serving, job, rgba(40, 40))
    return result_of(serving, job)[1].shape == (40, 40, 4)


# --- greeting -------------------------------------------------------------------------------------


def test_ready_says_what_the_engine_can_do(own):
    header = own.hello()
    assert header["protocol"] == PROTOCOL
    assert header["version"]
    assert "cpu" in header["devices"] and "CPU" in header["devices"]["cpu"]
    assert header["capabilities"]["style_losses"]["gram"]
    assert header["capabilities"]["features"]["thin"] == "Test network thin"
    assert "sharpen" in header["capabilities"]["postprocessors"]
    assert header["memory"] > 1 << 20
    assert "draft" in header["features"]
    assert header["broken_plugins"] == {}


def test_broken_plug_ins_are_named_in_the_greeting(tmp_path):
    install_package(tmp_path, "wreck", "raise RuntimeError('wrecked')\n")
    with Serving(environment(tmp_path)) as serving:
        assert "wrecked" in serving.hello()["broken_plugins"]["wreck"]


def test_a_torch_that_cannot_be_loaded_is_named(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch_cpu.so: no such file')\n")
    with Serving(environment(tmp_path)) as serving:
        serving.send({"type": "hello", "protocol": PROTOCOL})
        header, _ = serving.until("ready", "failed")
        assert (header["type"], header["code"]) == ("failed", "broken-install")
        assert "libtorch_cpu.so" in header["message"] and "installer" in header["hint"]
        start(serving, "1", rgba(40, 40))
        assert failure_of(serving, "1")["code"] == "broken-install"
    done = run_cli("doctor", env=environment(tmp_path))
    assert done.returncode == 1 and "BAD  torch: ImportError: libtorch_cpu.so" in done.stdout


@pytest.mark.parametrize(
    ("theirs", "old"), [(PROTOCOL - 1, "GIMP plug-in"), (PROTOCOL + 1, "engine")]
)
def test_another_protocol_is_answered_with_the_side_to_upgrade(own, theirs, old):
    own.send({"type": "hello", "protocol": theirs})
    header, _ = own.until("failed")
    assert header["code"] == "protocol-version"
    assert header["message"].startswith(f"The {old} is older")
    assert "install" in header["hint"]
    start(own, "1", rgba(40, 40))
    assert failure_of(own, "1")["code"] == "protocol"  # and no job is taken after that


def test_a_job_before_the_greeting_is_refused(own):
    start(own, "1", rgba(40, 40))
    assert failure_of(own, "1")["code"] == "protocol"
    own.hello()
    assert works(own, "2")


# --- jobs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u8", "u16", "f32"])
def test_a_job_comes_back_in_its_own_sample_type(engine, dtype):
    pixels = rgba(45, 57, dtype)
    start(engine, f"type-{dtype}", pixels, seed=3)
    header, result = result_of(engine, f"type-{dtype}")
    assert (header["width"], header["height"], header["dtype"]) == (57, 45, dtype)
    assert header["settings"] == Settings(**QUICK, seed=3).to_dict()
    assert header["features"] == "thin test network" and "CPU" in header["device"]
    assert header["seconds"] > 0
    assert (header["stopped"], header["notes"]) == (False, [])
    np.testing.assert_array_equal(result[..., 3], pixels[..., 3])
    hidden = pixels[..., 3] == 0
    assert hidden.any()
    np.testing.assert_array_equal(result[hidden], pixels[hidden])
    assert np.abs(result[~hidden][:, :3] / TOP[dtype] - pixels[~hidden][:, :3] / TOP[dtype]).max()


def test_progress_comes_for_every_step(engine):
    start(engine, "progress", rgba(40, 40), iterations=5)
    steps = []
    while (frame := engine.next()) and frame[0]["type"] == "progress":
        steps.append(frame[0])
    assert frame[0]["type"] == "result"
    assert {s["id"] for s in steps} == {"progress"}
    assert [s["stage"] for s in steps] == ["prepare", "prepare", *["paint"] * 5, "finish"]
    assert [s["step"] for s in steps[2:-1]] == [1, 2, 3, 4, 5]
    assert all(isinstance(s["loss"], float) for s in steps[2:-1])
    engine.until("pixels", id="progress")


def test_a_picture_of_many_strips(engine):
    pixels = rgba(1100, 1000, "u8")  # 4.4 MB: more than one strip each way
    assert len(list(PictureSpec(1000, 1100, "u8").strips())) == 2
    start(engine, "large", pixels, iterations=2)
    _, result = result_of(engine, "large")
    assert result.shape == pixels.shape
    np.testing.assert_array_equal(result[..., 3], pixels[..., 3])


def test_styles_as_file_and_as_pixels_give_the_same(engine):
    pixels = rgba(40, 40)
    style = np.asarray(Image.open(io.BytesIO(png())).convert("RGBA"))
    start(engine, "file", pixels, [png()])
    start(engine, "pixels", pixels, [style])  # queued behind the first
    _, one = result_of(engine, "file")
    _, two = result_of(engine, "pixels")
    np.testing.assert_array_equal(one, two)


def test_several_styles_and_jobs_in_a_row(engine):
    for i in range(3):
        styles = [png(seed=1), rgba(30, 50, "u16", seed=2), png(seed=3)][: i + 1]
        start(engine, f"row-{i}", rgba(40, 40), styles)
    results = [result_of(engine, f"row-{i}")[1] for i in range(3)]
    assert not np.array_equal(results[0], results[1])


def test_newer_fields_and_messages_are_ignored(engine):
    engine.send({"type": "dance", "id": "newer", "steps": [1, 2]}, b"with a payload")
    engine.send({"type": "stop", "id": "nobody's"})
    engine.send({"type": "seen", "id": "nobody's"})
    engine.send({"type": "pixels", "id": "nobody's", "of": "content", "y": 0, "rows": 1}, b"x")
    pixels = rgba(40, 40)
    engine.send(
        {
            "type": "run",
            "id": "newer",
            "mood": "sunny",
            "settings": {**QUICK, "of_tomorrow": 5},
            "content": {**spec_of(pixels), "gamma": 1},
            "styles": [{"name": "s", "era": "baroque"}],
        }
    )
    engine.send({"type": "style", "id": "newer", "index": 0, "x": 1}, png())
    send_pixels(engine, "newer", pixels, of="content", x=1)
    assert result_of(engine, "newer")[1].shape == (40, 40, 4)


def test_prints_of_a_plug_in_do_not_get_into_the_stream(engine):
    assert works(engine, "prints")  # every frame of it was a frame
    for text in (b"a stray print from an observer", b"a stray write to file descriptor 1"):
        wait_until(
            lambda text=text: any(text in line for line in engine.log), "it arrives in the log"
        )


def test_a_loss_that_is_not_a_number_does_not_end_the_job(engine):
    start(engine, "nan", rgba(40, 40), features="unwell-for-a-while", iterations=30)
    header, _ = result_of(engine, "nan")
    assert "Adam" in header["notes"][0]


# --- pictures on their way in ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u8", "u16", "f32"])
def test_strips_make_the_same_picture_as_the_whole(dtype):
    pixels = rgba(50, 40, dtype)
    pixels[:26, :, 3] = TOP[dtype]  # the alpha only begins to matter in the third strip
    spec = PictureSpec(40, 50, dtype)
    canvas = Canvas(spec)
    for y in range(0, 50, 13):
        strip = pixels[y : y + 13]
        canvas.put(y, len(strip), strip.tobytes())
    whole = from_pixels(pixels, 40, 50, dtype)
    found = canvas.picture("name")
    np.testing.assert_array_equal(found.rgb, whole.rgb)
    np.testing.assert_array_equal(found.alpha, whole.alpha)
    assert (found.depth, found.name, canvas.missing) == (whole.depth, "name", 0)
    pixels[..., 3] = TOP[dtype]
    opaque = Canvas(spec)
    opaque.put(0, 50, pixels.tobytes())
    assert opaque.picture("").alpha is None


@pytest.mark.parametrize("dtype", ["u8", "u16", "f32"])
def test_a_large_content_stays_in_its_bits_and_is_the_same_picture(dtype, monkeypatch):
    monkeypatch.setattr(canvas_module, "LARGE", 40 * 50)
    pixels = rgba(50, 40, dtype)
    pixels[:26, :, 3] = TOP[dtype]
    canvas = Canvas(PictureSpec(40, 50, dtype), keep=True)
    for y in range(0, 50, 13):
        strip = pixels[y : y + 13]
        canvas.put(y, len(strip), strip.tobytes())
    whole, found = from_pixels(pixels, 40, 50, dtype), canvas.picture("name")
    np.testing.assert_array_equal(found.rgb, whole.rgb)
    np.testing.assert_array_equal(found.alpha, whole.alpha)
    kept = integers_of(found.rgb)
    assert (kept is None) == (dtype == "f32")
    if kept is not None:
        np.testing.assert_array_equal(kept, pixels[..., :3])


def test_a_network_that_cannot_be_loaded_ahead_fails_its_own_job_only_once(engine):
    start(engine, "odd", rgba(40, 40), features="nothing-of-that-name")
    header, _ = engine.until("failed")
    assert header["id"] == "odd" and "nothing-of-that-name" in header["message"]
    start(engine, "even", rgba(40, 40))
    header, _ = engine.until("failed", "result")
    assert (header["type"], header["id"]) == ("result", "even")


# --- previews -------------------------------------------------------------------------------------


def test_no_preview_comes_before_the_last_one_was_seen(own):
    own.hello()
    start(own, "1", rgba(60, 90), preview=32, **ENDLESS)
    header, payload = own.until("preview")
    assert (header["width"], header["height"]) == (32, 21)
    assert len(payload) == 32 * 21 * 4
    since = time.monotonic()
    while time.monotonic() - since < 1.0:  # more than two intervals
        frame = own.next()
        assert frame and frame[0]["type"] == "progress"
    own.send({"type": "seen", "id": "1"})
    second, _ = own.until("preview")
    assert second["step"] > header["step"]
    own.send({"type": "stop", "id": "1", "keep": False})
    assert own.until("cancelled", "result")[0]["type"] == "cancelled"
    start(own, "2", rgba(60, 90), preview=32)  # unseen previews of the last job do not count
    assert own.until("preview", "result")[0]["type"] == "preview"


def test_previews_carry_the_alpha(engine):
    pixels = rgba(48, 48)
    start(engine, "alpha", pixels, preview=48)
    header, payload = engine.until("preview", id="alpha")
    shown = np.frombuffer(payload, np.uint8).reshape(header["height"], header["width"], 4)
    np.testing.assert_array_equal(shown[..., 3], pixels[..., 3])
    result_of(engine, "alpha")


# --- stopping -------------------------------------------------------------------------------------


def test_stop_keeps_what_there_is(engine):
    start(engine, "keep", rgba(40, 40), **ENDLESS)
    engine.until("progress", step=3)
    engine.send({"type": "stop", "id": "keep", "keep": True})
    header, result = result_of(engine, "keep")
    assert header["stopped"] is True
    assert result.shape == (40, 40, 4)


def test_stop_drops_when_asked_to_and_the_next_job_runs(engine):
    start(engine, "drop", rgba(40, 40), **ENDLESS)
    start(engine, "after", rgba(40, 40))
    engine.until("progress", id="drop", step=3)
    engine.send({"type": "stop", "id": "drop", "keep": False})
    while (frame := engine.next()) and frame[0]["type"] != "cancelled":
        assert frame[0]["type"] == "progress" and frame[0]["id"] == "drop"
    assert frame[0]["id"] == "drop"
    assert result_of(engine, "after")[0]["stopped"] is False


def test_a_job_that_waits_or_still_arrives_can_be_dropped(engine):
    start(engine, "busy", rgba(40, 40), **ENDLESS)
    start(engine, "waiting", rgba(40, 40))
    pixels = rgba(40, 40)
    engine.send(
        {"type": "run", "id": "arriving", "settings": QUICK, "content": spec_of(pixels),
         "styles": [{"name": "s"}]}
    )  # fmt: skip
    for job in ("arriving", "waiting", "busy"):
        engine.send({"type": "stop", "id": job, "keep": False})
    cancelled = [engine.until("cancelled")[0]["id"] for _ in range(3)]
    assert sorted(cancelled) == ["arriving", "busy", "waiting"]
    send_pixels(engine, "arriving", pixels, of="content")  # too late: ignored
    assert works(engine, "after all")


# --- jobs that cannot be done ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "settings", "styles"),
    [
        ("bad-setting", {"strength": 200}, None),
        ("bad-setting", {"preset": "quick"}, None),
        ("no-device", {"device": "cuda:77"}, None),
        ("unknown-name", {"features": "nice"}, None),
        ("no-weights", {"features": "vgg19"}, None),
        ("out-of-memory", {"features": "greedy"}, None),
        ("diverged", {"features": "unwell-for-good"}, None),
        ("bad-plugin", {"features": "buggy"}, None),
        ("internal", {"features": "buggy-later"}, None),
        ("bad-picture", {}, [b"not a picture"]),
        ("bad-picture", {}, [png()[:200]]),
        ("bad-picture", {}, [b""]),
        ("no-style", {}, []),
        ("picture-too-small", {}, [png(4, 40)]),
    ],
)
def test_a_job_that_cannot_be_done_fails_with_a_sentence(engine, code, settings, styles):
    job = f"{code}-{settings}-{len(styles or [])}-{(styles or [b''])[0][:9]!r}"
    start(engine, job, rgba(40, 40), styles, **{"iterations": 20, **settings})
    assert failure_of(engine, job)["code"] == code
    assert works(engine, f"after {job}")


def test_a_fully_transparent_layer(engine):
    pixels = rgba(40, 40)
    pixels[..., 3] = 0
    start(engine, "empty", pixels)
    assert failure_of(engine, "empty")["code"] == "picture-empty"


CONTENT = {"width": 40, "height": 40}
MALFORMED = {
    "no content": {"content": None},
    "content is a list": {"content": [40, 40]},
    "no width": {"content": {"height": 40}},
    "no such type": {"content": {**CONTENT, "dtype": "f64"}},
    "type is a list": {"content": {**CONTENT, "dtype": []}},
    "negative": {"content": {"width": -40, "height": 40}},
    "larger than any memory": {"content": {"width": 1 << 24, "height": 1 << 24}},
    "larger than any number": {"content": {"width": 1 << 70, "height": 40}},
    "no styles": {"styles": None},
    "styles are texts": {"styles": ["s"]},
    "weight is a text": {"styles": [{"weight": "2"}]},
    "style of no size": {"styles": [{"width": 0, "height": 3}]},
    "settings are a list": {"settings": []},
    "settings of wrong type": {"settings": {"size": "large"}},
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_job_is_refused_and_the_engine_lives(engine, kind):
    job = {"type": "run", "id": kind, "settings": QUICK, "content": CONTENT, "styles": [{}]}
    engine.send({**job, **MALFORMED[kind]})
    code = failure_of(engine, kind)["code"]
    assert code in {"protocol", "bad-setting", "picture-too-large"}
    engine.send({"type": "style", "id": kind, "index": 0}, png())  # was on its way
    assert works(engine, f"after {kind}")


def test_runs_of_a_series_follow_each_other(own):
    own.hello()
    settings = {**QUICK, "init": "noise", "iterations": 2}
    content, style = to_pixels(picture(48, 64), "u8"), to_pixels(tinted((0.8, 0.1, 0.1)), "u8")
    found = []
    for number, series in enumerate(["", "a", "", "a", "b", ""]):
        job = f"series-{number}"
        own.send({
            "type": "run", "id": job, "settings": settings, "content": spec_of(content),
            "styles": [spec_of(style)], "series": series,
        })  # fmt: skip
        send_pixels(own, job, style, of="style", index=0)
        send_pixels(own, job, content, of="content")
        found.append(result_of(own, job)[1])
    same = [np.array_equal(each, found[0]) for each in found]
    assert same == [True, True, True, False, True, True], "what stands for itself ends no series"


def test_steady_runs_are_painted_as_the_one_before(own):
    own.hello()
    settings = {**QUICK, "init": "noise", "iterations": 6}
    style = to_pixels(tinted((0.8, 0.1, 0.1)), "u8")
    apart = {}
    for steady in (False, True):
        found = []
        for number in range(2):
            job = f"steady-{steady}-{number}"
            moved = np.roll(to_pixels(picture(48, 64, block=11), "u8"), 2 * number, 1)
            own.send({
                "type": "run", "id": job, "settings": {**settings, "seed": number},
                "content": spec_of(moved), "styles": [spec_of(style)],
                "series": f"film {steady}", "steady": steady,
            })  # fmt: skip
            send_pixels(own, job, style, of="style", index=0)
            send_pixels(own, job, moved, of="content")
            found.append(result_of(own, job)[1].astype(float))
        apart[steady] = np.abs(np.roll(found[0], 2, 1) - found[1])[8:-8, 8:-8].mean()
    assert apart[True] < 0.5 * apart[False], apart


@pytest.mark.parametrize("dtype", ["u8", "u16", "f32"])
def test_a_mask_arrives_in_strips_of_one_channel(engine, dtype):
    tints = [tinted((0.8, 0.1, 0.1)), tinted((0.1, 0.1, 0.8))]
    styles = [to_pixels(tint, "u8") for tint in tints]
    mask = np.zeros((30, 60), TYPES[dtype])
    mask[:, :30] = TOP[dtype]
    about = {"width": 60, "height": 30, "dtype": dtype, "channels": 1}
    content = to_pixels(picture(48, 64), "u8")
    job = f"mask-{dtype}"
    engine.send({
        "type": "run", "id": job, "settings": {**QUICK, "iterations": 12, "strength": 100},
        "content": spec_of(content),
        "styles": [{**spec_of(styles[0]), "mask": about}, spec_of(styles[1])],
    })  # fmt: skip
    send_pixels(engine, job, content, of="content")
    for index, style in enumerate(styles):
        send_pixels(engine, job, style, of="style", index=index)
    send_pixels(engine, job, mask, 7, of="mask", index=0)  # only now all is there
    _, pixels = result_of(engine, job)
    rgb = pixels[..., :3].astype(float)
    left, right = rgb[:, :16].mean((0, 1)), rgb[:, -16:].mean((0, 1))
    assert left[0] - left[2] > 50 and right[2] - right[0] > 50


@pytest.mark.parametrize("dtype", ["u8", "f32"])
def test_what_is_held_arrives_as_a_mask(engine, dtype):
    assert "hold" in engine.hello()["accepts"]
    style, content = to_pixels(tinted((0.8, 0.1, 0.1)), "u8"), to_pixels(picture(48, 64), "u8")
    settings = {**QUICK, "iterations": 12, "strength": 100}
    found = []
    for held in (0, TOP[dtype]):
        mask = np.full((30, 60), held, TYPES[dtype])
        job = f"hold-{dtype}-{held}"
        engine.send({
            "type": "run", "id": job, "settings": settings, "content": spec_of(content),
            "styles": [spec_of(style)],
            "hold": {"width": 60, "height": 30, "dtype": dtype, "channels": 1},
        })  # fmt: skip
        send_pixels(engine, job, style, of="style", index=0)
        send_pixels(engine, job, content, of="content")
        send_pixels(engine, job, mask, 7, of="hold")  # only now all is there
        found.append(result_of(engine, job)[1])
    assert not np.array_equal(*found)


SPOT = {"area": [20, 10, 40, 30], "whole": [128, 96], "size": [40, 30]}


def test_a_spot_arrives_with_its_parts(engine):
    assert "spot" in engine.hello()["accepts"]
    style, content = to_pixels(tinted((0.8, 0.1, 0.1)), "u8"), to_pixels(picture(48, 64), "u8")
    part = to_pixels(picture(60, 80, seed=2), "u8")
    parts = [{**spec_of(part), "left": 4, "top": 0}, {**spec_of(part), "left": 40, "top": 30}]
    engine.send({
        "type": "run", "id": "spot", "settings": QUICK, "content": spec_of(content),
        "styles": [spec_of(style)], "spot": {**SPOT, "parts": parts},
    })  # fmt: skip
    send_pixels(engine, "spot", style, of="style", index=0)
    send_pixels(engine, "spot", content, of="content")
    for index in range(2):
        send_pixels(engine, "spot", part, 17, of="spot", index=index)
    header, pixels = result_of(engine, "spot")
    assert (header["width"], header["height"]) == (40, 30) and pixels.shape == (30, 40, 4)


def test_getting_ready_for_spots_gives_way_and_a_spot_can_follow(engine):
    """In the order in which a dialog asks."""
    style, content = to_pixels(tinted((0.8, 0.1, 0.1)), "u8"), to_pixels(picture(48, 64), "u8")
    part = to_pixels(picture(560, 560, seed=2), "u8")
    whole = {"whole": [5600, 4200], "parts": [{**spec_of(part), "left": 0, "top": 0}]}
    settings = {**QUICK, "size": 0, "iterations": 0}

    def ask(job, spot=None):
        more = {} if spot is None else {"spot": {**whole, **spot}}
        engine.send({
            "type": "run", "id": job, "settings": settings if spot else {**settings, "size": 512},
            "content": spec_of(content), "styles": [spec_of(style)], "series": "preview", **more,
        })  # fmt: skip
        send_pixels(engine, job, style, of="style", index=0)
        send_pixels(engine, job, content, of="content")
        if spot is not None:
            send_pixels(engine, job, part, of="spot", index=0)

    ask("preview")
    result_of(engine, "preview")
    pixel = {"area": [200, 200, 1, 1], "size": [1, 1], "ready": True}
    ask("dropped", pixel)
    engine.until("progress", "dropped")
    engine.send({"type": "stop", "id": "dropped", "keep": False})
    engine.until("cancelled", "dropped")
    ask("ready", pixel)
    assert result_of(engine, "ready")[1].shape == (1, 1, 4)
    ask("spot", {"area": [200, 200, 64, 48], "size": [64, 48]})
    assert result_of(engine, "spot")[1].shape == (48, 64, 4)


@pytest.mark.parametrize(
    "spot",
    [
        5,
        {},
        {**SPOT, "area": [20, 10, 40]},
        {**SPOT, "whole": [0, 96]},
        {**SPOT, "size": [1e9, 30]},
        {**SPOT, "area": [120, 10, 40, 30]},
        {**SPOT, "parts": [{"width": 4, "height": 4}]},
        {**SPOT, "parts": 7},
        {**SPOT, "parts": [{"width": 9000, "height": 9000, "left": 0, "top": 0}]},
    ],
)
def test_a_spot_that_is_none_fails_the_job(engine, spot):
    job = f"no-spot-{spot}"
    run = {"type": "run", "id": job, "settings": QUICK, "content": CONTENT, "styles": [{}]}
    engine.send({**run, "spot": spot})
    if isinstance(spot, dict) and spot.get("area") == [120, 10, 40, 30]:  # that of a whole picture
        send_pixels(engine, job, rgba(CONTENT["height"], CONTENT["width"]), of="content")
        engine.send({"type": "style", "id": job, "index": 0}, png())
    assert failure_of(engine, job)["code"] == "protocol"


def test_a_preview_tells_what_its_painting_will_take(engine):
    style, content = to_pixels(tinted((0.8, 0.1, 0.1)), "u8"), to_pixels(picture(48, 64), "u8")
    painting = {"settings": {**QUICK, "size": 0}, "width": 1024, "height": 768}
    for job, given in (("told", {"painting": painting}), ("not", {})):
        engine.send({
            "type": "run", "id": job, "settings": QUICK, "content": spec_of(content),
            "styles": [spec_of(style)], **given,
        })  # fmt: skip
        send_pixels(engine, job, style, of="style", index=0)
        send_pixels(engine, job, content, of="content")
        header, _ = result_of(engine, job)
        assert ("estimate" in header) == bool(given)
        if given:
            assert header["estimate"]["memory"] > 4 * 1024 * 768


@pytest.mark.parametrize("of", ["mask", "hold"])
@pytest.mark.parametrize("mask", [{"width": 4, "height": 4}, {}, {"width": 0, "height": 3}, 5])
def test_a_mask_that_is_none_fails_the_job(engine, mask, of):
    styles = [{"mask": mask}] if of == "mask" else [{}]
    job = f"no-{of}-{mask}"
    run = {"type": "run", "id": job, "settings": QUICK, "content": CONTENT, "styles": styles}
    engine.send(run if of == "mask" else {**run, "hold": mask})
    assert failure_of(engine, job)["code"] == "protocol"


STRIP = rgba(10, 40).tobytes()


@pytest.mark.parametrize(
    "header",
    [
        {"of": "content", "y": 5, "rows": 10},
        {"of": "content", "y": 0, "rows": 11},
        {"of": "content", "y": 0, "rows": 9},
        {"of": "content", "y": 0, "rows": 41},
        {"of": "content", "y": -10, "rows": 10},
        {"of": "content", "y": 0, "rows": 0},
        {"of": "content", "y": 0, "rows": -10},
        {"of": "content", "y": "0", "rows": "10"},
        {"of": "content", "y": 0.0, "rows": 10},
        {"of": "content"},
        {"of": "style", "index": 0, "y": 0, "rows": 10},
        {"of": "style", "index": 7, "y": 0, "rows": 10},
        {"of": "style", "y": 0, "rows": 10},
        {"of": "style", "index": True, "y": 0, "rows": 10},
        {"of": "mask", "y": 0, "rows": 10},
        {"of": "hold", "y": 0, "rows": 10},
        {"of": "mask", "index": 0, "y": 0, "rows": 10},
    ],
    ids=str,
)
def test_a_strip_that_does_not_fit_fails_its_job_only(engine, header):
    job = f"strip-{header}"
    engine.send({"type": "run", "id": job, "settings": QUICK, "content": CONTENT, "styles": [{}]})
    engine.send({"type": "pixels", "id": job, **header}, STRIP)
    assert failure_of(engine, job)["code"] == "protocol"
    engine.send({"type": "style", "id": job, "index": 0}, png())  # what was on its way
    send_pixels(engine, job, rgba(40, 40), of="content")
    start(engine, f"after {job}", rgba(40, 40))
    while (frame := engine.next()) and frame[0]["type"] != "result":
        assert frame[0]["id"] == f"after {job}"  # nothing more of the failed one
    engine.until("pixels")


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\xff" * 50 + b"\n", b"{}\n", b"[" * 9000 + b"\n"]
)
def test_garbage_is_answered_and_ends_the_process(own, garbage):
    own.hello()
    own.send_raw(garbage)
    assert own.until("failed")[0]["code"] == "protocol"
    assert own.next() is None
    assert own.ended() == 0


# --- the end --------------------------------------------------------------------------------------


def test_the_end_of_the_stream_ends_an_idle_engine(own):
    own.hello()
    own.close_stdin()
    assert own.ended() == 0
    assert b"Traceback" not in b"".join(own.log)


@pytest.mark.parametrize("features", ["thin", "slow"])
def test_the_end_of_the_stream_ends_the_engine_in_the_middle_of_a_run(own, features):
    own.hello()
    start(own, "1", rgba(40, 40), features=features, **ENDLESS)
    own.until("progress", step=1)
    own.close_stdin()
    assert own.ended() == 0


def test_an_end_inside_a_message_ends_the_engine(own):
    own.hello()
    own.send_raw(b'{"type":"style","id":"1","payload":1000}\nabc')
    own.close_stdin()
    assert own.ended() == 0


def test_a_reader_that_goes_away_ends_the_engine(env):
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        command("serve"), env=env, stdin=subprocess.PIPE, stdout=theirs, stderr=subprocess.DEVNULL
    )
    try:
        os.close(theirs)
        write_frame(process.stdin, {"type": "hello", "protocol": PROTOCOL})
        with os.fdopen(ours, "rb") as stream:
            while (kind := read_frame(stream)[0]["type"]) == "alive":
                pass
            assert kind == "ready"
        write_frame(process.stdin, {"type": "hello", "protocol": PROTOCOL})
        process.wait(DEADLINE)
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr)
print(child.pid, file=sys.stderr, flush=True)
child.wait()
"""


@pytest.mark.skipif(os.name == "nt", reason="on Windows the pipe's end is the only sign")
def test_the_death_of_the_parent_ends_the_engine_though_the_pipe_stays_open(env):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *command("serve")],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        engine = psutil.Process(int(parent.stderr.readline()))
        parent.stdin.write(b'{"type":"hello","protocol":%d}\n' % PROTOCOL)
        parent.stdin.flush()
        while b'"alive"' in (line := parent.stdout.readline()):
            pass
        assert b'"ready"' in line
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait(DEADLINE)
        wait_until(
            lambda: not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE,
            "the engine ends",
        )
    finally:
        parent.kill()
        for stream in (parent.stdin, parent.stdout, parent.stderr):
            stream.close()


def test_the_engine_is_polite_to_other_programs(own):
    own.hello()
    if hasattr(os, "getpriority"):
        here = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, own.process.pid) > here or here >= 15
