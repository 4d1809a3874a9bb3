"""Runs within GIMP: the plug-in with the real engine. Uses the helpers of batch_cases.py."""
# ruff: noqa: F821

import json
import subprocess
import threading
from pathlib import Path

from gi.repository import Gegl, Gimp, Gio

with open(CONTEXT["helpers"], encoding="utf-8") as helpers:
    source = helpers.read()
exec(compile(source.replace("\ndef case_", "\ndef other_case_"), CONTEXT["helpers"], "exec"))

QUICK = {"size": 64, "iterations": 4, "features": "draft"}
PICTURE = Path(CONTEXT["picture"])


def use_fake():  # called before each case
    use_command(*CONTEXT["engine"])


def check_painted(image, layer, **arguments):
    before = native(layer)
    result = painted(image, layer, style=PICTURE, **{**QUICK, **arguments})
    assert native(layer) == before, "the source has changed"
    assert result.get_name() == f"{PICTURE.stem} – {layer.get_name()}"
    seen, got = pixels(layer), pixels(result)
    if len(seen) == len(got):
        assert_near(got[3::4], seen[3::4], 0.6 / 255)
        change = sum(abs(a - b) for a, b in zip(seen, got, strict=True)) / len(got)
        assert change > 0.005, f"nothing was painted ({change})"
    values = [v for i, v in enumerate(got) if i % 4 < 3]
    assert max(values) - min(values) > 0.02, "the result is flat"
    return result


def case_rgb_u8():
    image = new_image(width=96, height=80)
    check_painted(image, new_layer(image, 96, 80))


def case_rgb_float_with_selection():
    image = new_image(precision=Gimp.Precision.FLOAT_LINEAR, width=200, height=150)
    layer = new_layer(image, 200, 150, alpha=False)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 20, 20, 90, 70)
    Gimp.Selection.feather(image, 10)
    width, height = layer.mask_intersect()[3:]
    result = check_painted(image, layer)
    assert (result.get_width(), result.get_height()) == (width, height)
    assert result.get_mask() is not None


def case_gray_u16():
    image = new_image(GRAY, Gimp.Precision.U16_NON_LINEAR, 96, 80)
    assert check_painted(image, new_layer(image, 96, 80)).is_gray()


def tinted_style(name, low, high):
    """A style picture of stripes between two colours."""
    image = new_image(width=96, height=96)
    layer = new_layer(image, 96, 96, alpha=False)
    rows = (
        bytes((*(high if (x // 6 + y // 12) % 2 else low), 255))
        for y in range(96)
        for x in range(96)
    )
    layer.get_buffer().set(Gegl.Rectangle.new(0, 0, 96, 96), "R'G'B'A u8", b"".join(rows))
    path = FOLDER / name
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(path)), None)
    image.delete()
    return path


def case_styles_in_regions():
    red = tinted_style("red.png", (120, 10, 10), (240, 60, 40))
    blue = tinted_style("blue.png", (10, 10, 120), (40, 60, 240))
    image = new_image(width=120, height=96)
    layer = new_layer(image, 120, 96, alpha=False)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 120, 48)
    sky = Gimp.Selection.save(image)
    sky.set_name("Sky")
    Gimp.Selection.none(image)
    image.set_selected_layers([layer])
    blend = [{"uri": red.as_uri(), "where": "Sky"}, {"uri": blue.as_uri()}]
    arguments = {**QUICK, "size": 120, "iterations": 16, "strength": 100.0}
    result = painted(image, layer, style=red, blend=json.dumps(blend), **arguments)
    above, below = (pixels(result, "R'G'B' u8", 0, y, 120, 32) for y in (4, 60))
    redness = [(sum(p[0::3]) - sum(p[2::3])) / len(p[0::3]) for p in (above, below)]
    assert redness[0] > 60 and redness[1] < -60, redness


def case_a_style_that_is_no_picture():
    bad = FOLDER / "notes.png"
    bad.write_text("This is not a picture.")
    image = new_image(width=96, height=80)
    refused(image, [new_layer(image, 96, 80)], "“notes” is not a picture", style=bad, **QUICK)


def case_unknown_device():
    image = new_image(width=96, height=80)
    arguments = {**QUICK, "device": "abacus"}
    refused(image, [new_layer(image, 96, 80)], "'abacus'", "auto", style=PICTURE, **arguments)


def case_the_real_engine_is_killed():
    killer = """
import os, pathlib, signal, time
while True:
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\\0")
        except OSError:
            continue
        if b"styleengine" in words and b"serve" in words:
            os.kill(int(entry.parent.name), signal.SIGKILL)
            raise SystemExit
    time.sleep(0.05)
"""
    process = subprocess.Popen(["python3", "-c", killer])
    image = new_image(width=96, height=80)
    try:
        text = refused(
            image, [new_layer(image, 96, 80)], "was killed", "smaller working size",
            style=PICTURE, **{**QUICK, "iterations": 100000},
        )  # fmt: skip
    finally:
        process.kill()
        process.wait()
    assert "Details: " in text


def plug_in_memory(stop, found):
    """Collects the largest resident memory, in MB, of the plug-in's processes until ``stop``."""
    while not stop.wait(0.02):
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                command = (status.parent / "cmdline").read_bytes()
                text = status.read_text()
            except OSError:
                continue  # it has just ended
            if b"neural_style.py" in command and "VmHWM" in text:
                peak = text.split("VmHWM:")[1].split()[0]
                found.append(int(peak) / 1000)


def case_24_megapixels_of_float_take_little_more_than_their_own_memory():
    width, height = 6000, 4000
    image = new_image(precision=Gimp.Precision.FLOAT_NON_LINEAR, width=width, height=height)
    layer = Gimp.Layer.new(
        image, "large", width, height, Gimp.ImageType.RGBA_IMAGE, 100.0, Gimp.LayerMode.NORMAL
    )
    image.insert_layer(layer, None, 0)
    layer.fill(Gimp.FillType.WHITE)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 1000, 500, 3000, 2500)
    layer.edit_fill(Gimp.FillType.FOREGROUND)
    Gimp.Selection.none(image)
    stop, found = threading.Event(), []
    watch = threading.Thread(target=plug_in_memory, args=(stop, found))
    watch.start()
    try:
        result = painted(image, layer, style=PICTURE, **QUICK)
    finally:
        stop.set()
        watch.join()
    assert (result.get_width(), result.get_height()) == (width, height)
    own = 16 * width * height / 1e6  # RGBA float, which GEGL may keep in its cache
    assert 10 < max(found) < own + 300, max(found)
