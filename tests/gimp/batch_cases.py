"""Runs within GIMP (python-fu-eval): each ``case_…`` asserts one thing about the plug-in.

The engine is tests/fake_engine.py, which inverts colours, so that every pixel can be predicted.
CONTEXT comes from conftest.py: folder, plugin, fake, real, colors, profiles.
"""
# ruff: noqa: F821, E402

import array
import importlib
import json
import os
import sys
import traceback
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp, Gio

FOLDER = Path(CONTEXT["folder"])
STYLE = FOLDER / "Großer Stil.png"
NONE = Gegl.AbyssPolicy.NONE
RGB, GRAY = Gimp.ImageBaseType.RGB, Gimp.ImageBaseType.GRAY
U8 = Gimp.Precision.U8_NON_LINEAR
W, H = 40, 30


def run_cases():
    STYLE.write_bytes(b"not decoded by the fake engine")
    with open(FOLDER / "results.jsonl", "w") as out:
        for name, case in list(globals().items()):
            if not name.startswith("case_"):
                continue
            use_fake()
            try:
                case()
                answer = ""
            except BaseException:
                answer = traceback.format_exc()
            print(json.dumps([name, answer]), file=out, flush=True)
            for image in Gimp.get_images():
                image.delete()


# --- helpers -----------------------------------------------------------------------------------


def use_command(*command, protocol=1):
    record = {"command": list(command), "protocol": protocol}
    Path(CONTEXT["plugin"], "engine.json").write_text(json.dumps(record))


def use_fake(mode=""):
    use_command(
        *["python3", CONTEXT["fake"], "--dump", str(FOLDER / "dump"), *[mode][: bool(mode)]]
    )


def sent():
    return json.loads((FOLDER / "dump" / "run.json").read_bytes())


def sent_pixels():
    return (FOLDER / "dump" / "content.raw").read_bytes()


def new_image(base=RGB, precision=U8, width=W, height=H):
    return Gimp.Image.new_with_precision(width, height, base, precision)


def new_layer(image, width=W, height=H, alpha=True, name="Photo", parent=None, position=0):
    gray = image.get_base_type() == GRAY
    kinds = Gimp.ImageType
    kind = (kinds.GRAYA_IMAGE if alpha else kinds.GRAY_IMAGE) if gray else (
        kinds.RGBA_IMAGE if alpha else kinds.RGB_IMAGE
    )  # fmt: skip
    layer = Gimp.Layer.new(image, name, width, height, kind, 100.0, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, parent, position)
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, width, height), "R'G'B'A u8", pattern(width, height, alpha))
    buffer.flush()
    return layer


def pattern(width, height, alpha=True):
    """Colours and alphas that differ from pixel to pixel, none of them in a corner of the range."""
    pixels = bytearray()
    for y in range(height):
        for x in range(width):
            a = 255 - (x * 5 + y * 3) % 128 if alpha else 255
            pixels += bytes((40 + (x * 7) % 180, 40 + (y * 11) % 180, 40 + (x * y) % 180, a))
    return bytes(pixels)


def pixels(drawable, form="R'G'B'A float", x=0, y=0, width=None, height=None):
    width, height = width or drawable.get_width(), height or drawable.get_height()
    data = drawable.get_buffer().get(Gegl.Rectangle.new(x, y, width, height), 1.0, form, NONE)
    kind = "f" if form.endswith("float") else "H" if form.endswith("u16") else "B"
    return array.array(kind, data)


def native(drawable):
    rect = Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
    return drawable.get_buffer().get(rect, 1.0, None, NONE)


def call(image, drawables, run_mode=Gimp.RunMode.NONINTERACTIVE, **arguments):
    """The status of a run, and its layer or its error text."""
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-neural-style")
    config = procedure.create_config()
    config.set_property("run-mode", run_mode)
    config.set_property("image", image)
    config.set_core_object_array("drawables", drawables)
    arguments.setdefault("style", STYLE)
    for name, value in arguments.items():
        if isinstance(value, Path):
            value = Gio.File.new_for_path(str(value))
        config.set_property(name.replace("_", "-"), value)
    values = procedure.run(config)
    return values.index(0), values.index(1) if values.length() > 1 else None


def painted(image, layer, **arguments):
    status, result = call(image, [layer], **arguments)
    assert status == Gimp.PDBStatusType.SUCCESS, result
    assert isinstance(result, Gimp.Layer) and result.is_valid()
    return result


def refused(image, drawables, *parts, **arguments):
    """The error text; nothing has changed."""
    before = [layer.get_id() for layer in image.get_layers()]
    images = len(Gimp.get_images())
    status, text = call(image, drawables, **arguments)
    assert status == Gimp.PDBStatusType.EXECUTION_ERROR, (status, text)
    assert [layer.get_id() for layer in image.get_layers()] == before
    assert len(Gimp.get_images()) == images
    with open(FOLDER / "messages.txt", "a") as out:
        print(text, end="\n\n", file=out)
    for part in parts:
        assert part in text, text
    return text


def assert_near(got, expected, tolerance):
    assert len(got) == len(expected), (len(got), len(expected))
    worst = max(range(len(got)), key=lambda i: abs(got[i] - expected[i]), default=0)
    difference = abs(got[worst] - expected[worst]) if len(got) else 0
    assert difference <= tolerance, (worst, got[worst], expected[worst])


def inverse(samples, top=1.0):
    result = array.array(samples.typecode, samples)
    for channel in range(3):
        values = [top - v for v in samples[channel::4]]
        result[channel::4] = array.array(samples.typecode, values)
    return result


def check_inverted(precision, base, alpha, dtype, form, tolerance):
    image = new_image(base, precision)
    layer = new_layer(image, alpha=alpha)
    before, seen = native(layer), pixels(layer)
    result = painted(image, layer)
    told = {**sent()["content"]}
    assert told.pop("dpi") > 0
    assert told == {"width": W, "height": H, "dtype": dtype}, told
    assert native(layer) == before, "the source has changed"
    assert result.has_alpha() and result.is_gray() == (base == GRAY)
    wanted = image.get_layers()[0].get_id() == result.get_id()
    assert wanted and len(image.get_layers()) == 2
    expected = inverse(seen)
    if form == "RGBA float":  # linear: compare where the image has its samples
        expected = array.array(
            "f", [v if i % 4 == 3 else linear(v) for i, v in enumerate(expected)]
        )
    assert_near(pixels(result, form), expected, tolerance)
    if dtype == "u8":
        assert pixels(result, "R'G'B'A u8") == inverse(pixels(layer, "R'G'B'A u8"), 255)
    if dtype == "u16":
        assert pixels(result, "R'G'B'A u16") == inverse(pixels(layer, "R'G'B'A u16"), 65535)


def linear(v):
    return v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4


# --- modes and precisions ------------------------------------------------------------------------

SRGB, LINEAR = "R'G'B'A float", "RGBA float"
PRECISIONS = {
    "U8_NON_LINEAR": ("u8", SRGB, 1e-6),
    "U8_LINEAR": ("f32", LINEAR, 0.6 / 255),
    "U8_PERCEPTUAL": ("f32", SRGB, 0.6 / 255),
    "U16_NON_LINEAR": ("u16", SRGB, 1e-6),
    "U16_LINEAR": ("f32", LINEAR, 0.6 / 65535),
    "U32_NON_LINEAR": ("f32", SRGB, 1e-5),
    "U32_LINEAR": ("f32", LINEAR, 1e-5),
    "HALF_NON_LINEAR": ("f32", SRGB, 1e-3),
    "HALF_LINEAR": ("f32", LINEAR, 1e-3),
    "FLOAT_NON_LINEAR": ("f32", SRGB, 2e-6),
    "FLOAT_LINEAR": ("f32", LINEAR, 1e-5),
    "DOUBLE_LINEAR": ("f32", LINEAR, 1e-5),
}


def check_precisions(base, alpha, names=PRECISIONS):
    for name in names:
        try:
            check_inverted(getattr(Gimp.Precision, name), base, alpha, *adapted(name))
        except AssertionError as problem:
            raise AssertionError(f"{name}: {problem}") from problem


def adapted(name):
    dtype, form, tolerance = PRECISIONS[name]
    return dtype, form, tolerance


def case_rgb_with_alpha_in_all_precisions():
    check_precisions(RGB, True)


def case_rgb_without_alpha():
    check_precisions(RGB, False, ["U8_NON_LINEAR", "U16_NON_LINEAR", "FLOAT_LINEAR"])


def case_gray_with_alpha():
    check_precisions(GRAY, True, ["U8_NON_LINEAR", "U16_NON_LINEAR", "HALF_LINEAR", "FLOAT_LINEAR"])


def case_gray_without_alpha():
    check_precisions(GRAY, False, ["U8_NON_LINEAR", "FLOAT_NON_LINEAR"])


def case_transparent_pixels_keep_their_alpha():
    image = new_image()
    layer = new_layer(image)
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, W, 10), "R'G'B'A u8", bytes([90, 80, 70, 0]) * W * 10)
    buffer.flush()
    del buffer
    result = painted(image, layer)
    assert pixels(result)[3::4] == pixels(layer)[3::4]


def case_a_layer_of_several_strips():
    width, height = 1500, 1100  # 6.6 MB: two strips
    image = new_image(width=width, height=height)
    layer = Gimp.Layer.new(
        image, "big", width, height, Gimp.ImageType.RGB_IMAGE, 100.0, Gimp.LayerMode.NORMAL
    )
    image.insert_layer(layer, None, 0)
    data = bytes(range(251)) * (width * height * 3 // 251 + 1)
    rect = Gegl.Rectangle.new(0, 0, width, height)
    buffer = layer.get_buffer()
    buffer.set(rect, "R'G'B' u8", data[: width * height * 3])
    buffer.flush()
    del buffer
    result = painted(image, layer)
    table = bytes(255 - v for v in range(256))
    got = result.get_buffer().get(rect, 1.0, "R'G'B' u8", NONE)
    assert got == data[: width * height * 3].translate(table)


def case_one_pixel():
    image = new_image(width=1, height=1)
    layer = new_layer(image, 1, 1)
    result = painted(image, layer)
    assert pixels(result, "R'G'B'A u8") == inverse(pixels(layer, "R'G'B'A u8"), 255)


# --- colour profiles -----------------------------------------------------------------------------


def srgb_of(layer):
    """What GIMP's own colour management says about a layer's pixels."""
    image = new_image(precision=Gimp.Precision.FLOAT_NON_LINEAR)
    copy = Gimp.Layer.new_from_drawable(layer, image)
    image.insert_layer(copy, None, 0)
    values = pixels(copy)
    image.delete()
    return values


def colored_layer(name, precision=U8):
    image = new_image(precision=precision, width=len(CONTEXT["colors"]), height=1)
    layer = Gimp.Layer.new(
        image, "patches", len(CONTEXT["colors"]), 1, Gimp.ImageType.RGB_IMAGE, 100.0,
        Gimp.LayerMode.NORMAL,
    )  # fmt: skip
    image.insert_layer(layer, None, 0)
    buffer = layer.get_buffer()
    data = bytes(v for color in CONTEXT["colors"] for v in color)
    buffer.set(Gegl.Rectangle.new(0, 0, len(CONTEXT["colors"]), 1), "R'G'B' u8", data)
    buffer.flush()
    del buffer
    # Assigning (not converting) afterwards: these numbers are now colours of that profile.
    profile = Gimp.ColorProfile.new_from_file(Gio.File.new_for_path(profile_path(name)))
    assert image.set_color_profile(profile)
    return image, layer


def profile_path(name):
    return CONTEXT["profiles"][name]["path"]


def check_profile(name, precision, tolerance):
    image, layer = colored_layer(name, precision)
    before = native(layer)
    result = painted(image, layer)
    got = array.array(
        {"u8": "B", "u16": "H", "f32": "f"}[sent()["content"]["dtype"]], sent_pixels()
    )
    top = {"B": 255, "H": 65535, "f": 1.0}[got.typecode]
    values = [min(max(v / top * 255, 0), 255) for i, v in enumerate(got) if i % 4 < 3]
    expected = [v for color in CONTEXT["profiles"][name]["srgb"] for v in color]
    assert_near(values, expected, 2)
    assert native(layer) == before
    # Back in the image's own colours it has to look like what the engine returned.
    shown = srgb_of(result)
    wanted = [1 - v / top for i, v in enumerate(got) if i % 4 < 3]
    assert_near([v for i, v in enumerate(shown) if i % 4 < 3], wanted, tolerance)


def case_matrix_profile_u8():
    check_profile("a98", U8, 3 / 255)


def case_matrix_profile_float():
    check_profile("a98", Gimp.Precision.FLOAT_NON_LINEAR, 1e-3)


def case_lut_profile_u8():
    check_profile("lut", U8, 4 / 255)


def case_lut_profile_u16():
    check_profile("lut", Gimp.Precision.U16_NON_LINEAR, 4 / 255)


def case_lut_profile_with_selection():
    image, layer = colored_layer("lut")
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 1, 0, 3, 1)
    result = painted(image, layer)
    assert (result.get_width(), result.get_offsets()[1:]) == (3, (1, 0)) or (
        tuple(result.get_offsets())[-2:] == (1, 0)
    )
    got = sent_pixels()[4:16]
    shown = srgb_of(result)
    assert_near(shown[:3], [1 - v / 255 for v in got[:3]], 4 / 255)


def case_gray_profile():
    image = new_image(GRAY)
    layer = new_layer(image, alpha=False)
    seen = pixels(layer)
    assert image.set_color_profile(Gimp.ColorProfile.new_d50_gray_lab_trc())
    before, seen = seen, pixels(layer)
    assert max(abs(a - b) for a, b in zip(before, seen, strict=True)) > 0.02
    result = painted(image, layer)
    assert_near(pixels(result), inverse(seen), 2.5 / 255)


# --- what the user may have selected -------------------------------------------------------------


def offsets(item):
    return tuple(item.get_offsets())[-2:]


def case_the_result_lies_above_its_source():
    image = new_image()
    bottom = new_layer(image, name="Bottom")
    source = new_layer(image, name="Portrait")
    top = new_layer(image, name="Top")
    source.set_offsets(-7, 12)
    result = painted(image, source)
    names = [layer.get_name() for layer in image.get_layers()]
    assert names == ["Top", "Großer Stil – Portrait", "Portrait", "Bottom"], names
    assert offsets(result) == (-7, 12)
    assert [s.get_id() for s in image.get_selected_layers()] == [result.get_id()]
    assert result.get_mask() is None
    assert (result.get_opacity(), result.get_mode()) == (100.0, Gimp.LayerMode.NORMAL)
    assert bottom.is_valid() and top.is_valid()


def case_a_second_result_gets_a_name_of_its_own():
    image = new_image()
    layer = new_layer(image)
    assert painted(image, layer).get_name() != painted(image, layer).get_name()


def case_a_result_can_be_painted_again():
    image = new_image()
    again = new_layer(image)
    for _time in range(3):
        again = painted(image, again)
    assert again.get_name().count(" – ") == 1, again.get_name()
    assert again.get_name().split(" #")[0].endswith(" – Photo"), again.get_name()


def case_a_new_painting_lies_above_the_earlier_ones_of_its_layer():
    image = new_image()
    layer = new_layer(image)
    first = painted(image, layer)
    stranger = new_layer(image, name="Text")
    second = painted(image, layer)
    third = painted(image, second)
    fourth = painted(image, layer)
    assert image.get_layers() == [stranger, fourth, third, second, first, layer]


def case_a_shipped_style_is_called_by_its_own_name():
    shipped = Path(CONTEXT["plugin"]) / "styles" / "style-pastel.jpg"
    image = new_image()
    status, result = call(image, [new_layer(image)], style=shipped)
    assert status == Gimp.PDBStatusType.SUCCESS, result
    assert result.get_name() == "Pastel – Photo", result.get_name()


def case_in_a_group():
    image = new_image(width=200, height=150)
    group = Gimp.GroupLayer.new(image, "Group")
    image.insert_layer(group, None, 0)
    new_layer(image, parent=group, name="Sister")
    layer = new_layer(image, parent=group, position=1)
    layer.set_offsets(31, -9)
    result = painted(image, layer)
    assert result.get_parent().get_id() == group.get_id()
    assert image.get_item_position(result) == 1 and image.get_item_position(layer) == 2
    assert offsets(result) == (31, -9)


def case_a_group():
    image = new_image(width=200, height=150)
    group = Gimp.GroupLayer.new(image, "Group")
    image.insert_layer(group, None, 0)
    child = new_layer(image, parent=group)
    child.set_offsets(20, 30)
    result = painted(image, group)
    assert result.get_parent() is None and not result.is_group()
    assert image.get_item_position(result) == 0 and offsets(result) == (20, 30)
    assert_near(pixels(result, "R'G'B'A u8"), inverse(pixels(child, "R'G'B'A u8"), 255), 1)


def case_a_group_with_a_filter_mask_and_opacity():
    image = new_image()
    group = Gimp.GroupLayer.new(image, "Group")
    image.insert_layer(group, None, 0)
    child = new_layer(image, parent=group, alpha=False)
    live = Gimp.DrawableFilter.new(group, "gegl:invert-gamma", "Invert")
    group.append_filter(live)
    group.set_opacity(50.0)
    mask = group.create_mask(Gimp.AddMaskType.BLACK)
    group.add_mask(mask)
    painted(image, group)
    expected = inverse(pixels(child, "R'G'B'A u8"), 255)
    assert_near(array.array("B", sent_pixels()), expected, 1)


def case_filters_that_look_around_and_along():
    image = new_image(width=300, height=200)
    layer = new_layer(image, 300, 200, alpha=False)
    for operation in ("gegl:gaussian-blur", "gegl:vignette", "gegl:invert-gamma"):
        layer.append_filter(Gimp.DrawableFilter.new(layer, operation, operation))
    layer.set_opacity(30.0)
    other = new_image(width=300, height=200)
    merged = Gimp.Layer.new_from_drawable(layer, other)
    other.insert_layer(merged, None, 0)
    merged.merge_filters()
    expected = pixels(merged, "R'G'B'A u8")
    painted(image, layer)
    assert_near(array.array("B", sent_pixels()), expected, 1)


def filtered(item, operation, **settings):
    """Puts a live filter on a layer or group."""
    live = Gimp.DrawableFilter.new(item, operation, operation)
    for name, value in settings.items():
        live.get_config().set_property(name.replace("_", "-"), value)
    item.append_filter(live)
    return item


FAR_FILTERS = {
    "gegl:dropshadow": {},
    "gegl:long-shadow": {},
    "gegl:gaussian-blur": {"std_dev_x": 9.0, "std_dev_y": 9.0, "clip_extent": False},
}


def shown(image, item):
    """The image's pixels where ``item`` lies, as GIMP itself shows them."""
    all_of_it = Gimp.Layer.new_from_visible(image, image, "shown")
    size = item.get_width(), item.get_height()
    return pixels(all_of_it, "R'G'B'A u8", *offsets(item), *size)


def case_filters_that_reach_beyond_the_layer():
    for operation, settings in FAR_FILTERS.items():
        image = new_image(width=300, height=200)
        layer = new_layer(image, 200, 100)
        layer.set_offsets(40, 50)
        buffer = layer.get_buffer()  # a hole, in which the shadow shows
        buffer.set(Gegl.Rectangle.new(60, 30, 80, 40), "R'G'B'A u8", bytes(4 * 80 * 40))
        buffer.flush()
        del buffer
        filtered(layer, operation, **settings)
        expected = shown(image, layer)
        result = painted(image, layer)
        assert_near(array.array("B", sent_pixels()), expected, 1)
        assert any(expected[3::4][i] not in (0, 255) for i in range(len(expected) // 4))
        assert offsets(result) == (40, 50)
        assert (result.get_width(), result.get_height()) == (200, 100)
        other = new_image()
        painted(other, new_layer(other), style=None, style_layer=layer)
        got = array.array("B", (FOLDER / "dump" / "style.raw").read_bytes())
        assert_near(got, expected, 1)
        assert len(Gimp.get_images()) == 2, "a hidden image was left behind"
        image.delete()
        other.delete()


def case_groups_with_shadows():
    for on_the_group in (False, True):
        image = new_image(width=300, height=200)
        group = Gimp.GroupLayer.new(image, "Group")
        image.insert_layer(group, None, 0)
        first = new_layer(image, 60, 50, parent=group)
        first.set_offsets(100, 90)
        second = new_layer(image, 30, 20, parent=group)
        second.set_offsets(30, 20)
        filtered(group if on_the_group else first, "gegl:dropshadow")
        expected = shown(image, group)
        result = painted(image, group)
        assert_near(array.array("B", sent_pixels()), expected, 1)
        assert offsets(result) == offsets(group) == (30, 20)
        assert len(Gimp.get_images()) == 1, "a hidden image was left behind"
        image.delete()


def case_a_group_in_an_image_with_a_lut_profile():
    image, layer = colored_layer("lut")
    group = Gimp.GroupLayer.new(image, "Group")
    image.insert_layer(group, None, 0)
    image.reorder_item(layer, group, 0)
    painted(image, group)
    values = [v for i, v in enumerate(sent_pixels()) if i % 4 < 3]
    expected = [v for color in CONTEXT["profiles"]["lut"]["srgb"] for v in color]
    assert_near(values, expected, 2)


def case_an_empty_group():
    image = new_image()
    group = Gimp.GroupLayer.new(image, "Group")
    image.insert_layer(group, None, 0)
    refused(image, [group], "group is empty", "Select")


def case_a_text_layer():
    image = new_image(width=200, height=100)
    fonts = Gimp.fonts_get_list("")
    text = Gimp.TextLayer.new(image, "Ay", fonts[0], 40.0, Gimp.Unit.pixel())
    image.insert_layer(text, None, 0)
    text.set_offsets(5, 6)
    before = native(text)
    result = painted(image, text)
    assert not isinstance(result, Gimp.TextLayer) and isinstance(text, Gimp.TextLayer)
    assert native(text) == before and offsets(result) == (5, 6)
    assert pixels(result)[3::4] == pixels(text)[3::4]


def case_a_text_layer_with_a_filter():
    image = new_image(width=200, height=100)
    text = Gimp.TextLayer.new(image, "Ay", Gimp.fonts_get_list("")[0], 40.0, Gimp.Unit.pixel())
    image.insert_layer(text, None, 0)
    text.append_filter(Gimp.DrawableFilter.new(text, "gegl:invert-gamma", "Invert"))
    painted(image, text)
    assert_near(array.array("B", sent_pixels()), inverse(pixels(text, "R'G'B'A u8"), 255), 1)


def case_a_vector_layer():
    if not hasattr(Gimp, "VectorLayer"):
        return  # GIMP 3.2 has them
    image = new_image()
    path = Gimp.Path.new(image, "Path")
    image.insert_path(path, None, 0)
    path.bezier_stroke_new_moveto(5, 5)
    stroke = path.get_strokes()[0] if path.get_strokes() else None
    if stroke is not None:
        path.bezier_stroke_lineto(stroke, 30, 20)
    layer = Gimp.VectorLayer.new(image, path)
    image.insert_layer(layer, None, 0)
    shown = pixels(layer, "R'G'B'A u8")
    result = painted(image, layer)
    assert not isinstance(result, Gimp.VectorLayer)
    assert isinstance(layer, Gimp.VectorLayer)
    layer.append_filter(Gimp.DrawableFilter.new(layer, "gegl:invert-gamma", "Invert"))
    painted(image, layer)
    assert_near(array.array("B", sent_pixels()), inverse(shown, 255), 1)


def case_the_mask_is_the_current_drawable():
    image = new_image()
    layer = new_layer(image)
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    result = painted(image, mask)
    assert pixels(result, "R'G'B'A u8") == inverse(pixels(layer, "R'G'B'A u8"), 255)


def fill_mask(mask, width, height):
    data = bytes((x * 3 + y) % 256 for y in range(height) for x in range(width))
    buffer = mask.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, width, height), "Y u8", data)
    buffer.flush()


def case_what_the_layers_mask_hides_stays_hidden():
    image = new_image()
    layer = new_layer(image)
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    fill_mask(mask, W, H)
    result = painted(image, layer)
    assert native(result.get_mask()) == native(mask)
    assert not result.get_edit_mask()
    layer.set_apply_mask(False)
    assert painted(image, layer).get_mask() is None


def case_locked_and_hidden_layers():
    image = new_image()
    layer = new_layer(image)
    before = native(layer)
    for lock in (layer.set_lock_content, layer.set_lock_position, layer.set_lock_alpha):
        lock(True)
    layer.set_visible(False)
    result = painted(image, layer)
    assert native(layer) == before and layer.get_lock_content()
    assert not result.get_lock_content() and result.get_visible()


def case_in_a_locked_group():
    image = new_image()
    group = Gimp.GroupLayer.new(image, "Group")
    image.insert_layer(group, None, 0)
    layer = new_layer(image, parent=group)
    group.set_lock_content(True)
    result = painted(image, layer)
    assert result.get_parent().get_id() == group.get_id()


def case_live_filters_are_seen_as_shown():
    image = new_image()
    layer = new_layer(image)
    before = native(layer)
    layer.append_filter(Gimp.DrawableFilter.new(layer, "gegl:invert-gamma", "Invert"))
    result = painted(image, layer)
    expected = inverse(pixels(layer, "R'G'B'A u8"), 255)
    assert_near(array.array("B", sent_pixels()), expected, 1)
    assert native(layer) == before and len(layer.get_filters()) == 1
    assert not result.get_filters()
    assert len(Gimp.get_images()) == 1, "a scratch image was left behind"


def case_no_layer():
    refused(new_image(), [], "No layer is selected")


def case_two_layers():
    image = new_image()
    one, two = new_layer(image, name="One"), new_layer(image, name="Two")
    status, last = call(image, [one, two])
    assert status == Gimp.PDBStatusType.SUCCESS, last
    names = [layer.get_name() for layer in image.get_layers()]
    style = f"{STYLE.stem} – "
    assert names == [f"{style}Two", "Two", f"{style}One", "One"], names
    assert last == image.get_layers()[0]
    assert {layer.get_name() for layer in image.get_selected_layers()} == {names[0], names[2]}


def case_the_lowest_layer_is_the_first_frame():
    image = new_image()
    low, group = new_layer(image, width=W), Gimp.GroupLayer.new(image, "Frame 2")
    image.insert_layer(group, None, 0)
    new_layer(image, width=W - 1, parent=group)
    top = new_layer(image, width=W - 2)
    for steady, last in ((True, top), (False, low)):
        status, result = call(image, [top, group, low], steady=steady)
        assert status == Gimp.PDBStatusType.SUCCESS, result
        assert sent()["content"]["width"] == last.get_width()
        assert image.get_item_position(result) < image.get_item_position(last)
    subject = plugin_module("dialog.subject").Subject(image, [top, group, low], None, None, None)
    assert subject.layers == [low, group, top] and not subject.are_paintings
    subject.close()


def case_two_layers_of_which_one_cannot_be_painted():
    image = new_image()
    empty = Gimp.GroupLayer.new(image, "Empty")
    image.insert_layer(empty, None, 0)
    refused(image, [new_layer(image), empty], "group is empty")


def case_a_channel():
    image = new_image()
    new_layer(image)
    channel = Gimp.Channel.new(image, "Channel", W, H, 50.0, Gimp.context_get_foreground())
    image.insert_channel(channel, None, 0)
    refused(image, [channel], "channel cannot be painted", "Select a layer")


def case_a_floating_selection():
    image = new_image()
    layer = new_layer(image)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 5, 5, 10, 10)
    floating = Gimp.Selection.float(image, [layer], 3, 3)
    refused(image, [floating], "floating selection", "Anchor")


# --- selections ----------------------------------------------------------------------------------


def case_a_feathered_selection():
    image = new_image(width=400, height=300)
    layer = new_layer(image, 380, 280)
    layer.set_offsets(15, 10)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 150, 100, 90, 70)
    Gimp.Selection.feather(image, 20)
    selection = native(image.get_selection())
    _, x, y, width, height = layer.mask_intersect()
    reference = layer.create_mask(Gimp.AddMaskType.SELECTION)
    area = Gegl.Rectangle.new(x, y, width, height)
    wanted = reference.get_buffer().get(area, 1.0, "Y u8", NONE)
    assert 0 < min(v for v in wanted if v) < 255, "no soft edge"
    before = native(layer)

    result = painted(image, layer)
    assert (result.get_width(), result.get_height()) == (width, height)
    assert offsets(result) == (15 + x, 10 + y)
    mask = result.get_mask()
    whole = Gegl.Rectangle.new(0, 0, width, height)
    assert mask.get_buffer().get(whole, 1.0, "Y u8", NONE) == wanted
    assert not result.get_edit_mask()
    assert native(image.get_selection()) == selection and native(layer) == before
    content = sent()["content"]
    assert (content["width"], content["height"]) == (width + 128, height + 128), content
    seen = pixels(layer, "R'G'B'A u8", x, y, width, height)
    assert pixels(result, "R'G'B'A u8") == inverse(seen, 255)
    margin = layer.get_buffer().get(
        Gegl.Rectangle.new(x - 64, y - 64, width + 128, height + 128), 1.0, "R'G'B'A u8", NONE
    )
    assert sent_pixels() == margin


def case_a_selection_in_float_is_copied_exactly():
    image = new_image(precision=Gimp.Precision.FLOAT_LINEAR)
    layer = new_layer(image)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 8, 6, 20, 15)
    Gimp.Selection.feather(image, 5)
    _, x, y, width, height = layer.mask_intersect()
    reference = layer.create_mask(Gimp.AddMaskType.SELECTION)
    area = Gegl.Rectangle.new(x, y, width, height)
    wanted = reference.get_buffer().get(area, 1.0, "Y float", NONE)
    result = painted(image, layer)
    whole = Gegl.Rectangle.new(0, 0, width, height)
    assert result.get_mask().get_buffer().get(whole, 1.0, "Y float", NONE) == wanted


def case_a_selection_that_reaches_beyond_the_layer():
    image = new_image(width=300, height=300)
    layer = new_layer(image)
    layer.set_offsets(100, 100)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 90, 95, 30, 25)
    result = painted(image, layer)
    assert (result.get_width(), result.get_height()) == (20, 20) and offsets(result) == (100, 100)
    assert (sent()["content"]["width"], sent()["content"]["height"]) == (W, H)
    assert set(native(result.get_mask())) == {255}
    seen = pixels(layer, "R'G'B'A u8", 0, 0, 20, 20)
    assert pixels(result, "R'G'B'A u8") == inverse(seen, 255)


def case_a_selection_and_a_mask():
    image = new_image(width=200, height=200)
    layer = new_layer(image, 200, 200)
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    fill_mask(mask, 200, 200)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 50, 60, 40, 30)
    result = painted(image, layer)
    wanted = mask.get_buffer().get(Gegl.Rectangle.new(50, 60, 40, 30), 1.0, "Y u8", NONE)
    whole = Gegl.Rectangle.new(0, 0, 40, 30)
    assert result.get_mask().get_buffer().get(whole, 1.0, "Y u8", NONE) == wanted


def case_outside_of_the_selection_the_image_stays_bit_for_bit():
    for precision in (U8, Gimp.Precision.FLOAT_LINEAR):
        image = new_image(width=300, height=200, precision=precision)
        layer = new_layer(image, 300, 200)
        mask = layer.create_mask(Gimp.AddMaskType.WHITE)
        layer.add_mask(mask)
        fill_mask(mask, 300, 200)
        before = native(Gimp.Layer.new_from_visible(image, image, "before"))
        image.select_ellipse(Gimp.ChannelOps.REPLACE, 80, 50, 100, 80)
        Gimp.Selection.feather(image, 30)
        chosen = pixels(image.get_selection(), "Y float")
        painted(image, layer)
        Gimp.Selection.none(image)
        after = native(Gimp.Layer.new_from_visible(image, image, "after"))
        size = len(before) // len(chosen)
        same = [before[i : i + size] == after[i : i + size] for i in range(0, len(before), size)]
        assert all(each for each, value in zip(same, chosen, strict=True) if value == 0)
        assert sum(not each for each in same) > 3000, "nothing was painted"
        image.delete()


def case_a_selection_beside_the_layer():
    image = new_image(width=300, height=300)
    layer = new_layer(image)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 200, 200, 30, 25)
    refused(image, [layer], "does not touch the layer", "select nothing")


# --- indexed images ------------------------------------------------------------------------------


def indexed():
    image = new_image(width=60, height=50)
    layer = new_layer(image, alpha=False, name="Poster")
    layer.set_offsets(9, 4)
    image.convert_indexed(
        Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 8, False, False, ""
    )
    return image, image.get_layers()[0]


def case_an_indexed_image_gets_a_new_rgb_image():
    image, layer = indexed()
    before, seen = native(layer), pixels(layer, "R'G'B'A u8")
    result = painted(image, layer)
    made = result.get_image()
    assert made.get_id() != image.get_id() and made.get_base_type() == RGB
    assert [item.get_name() for item in made.get_layers()] == [
        "Großer Stil – Poster",
        "Poster",
    ]
    assert pixels(result, "R'G'B'A u8") == inverse(seen, 255)
    copy = made.get_layers()[1]
    assert pixels(copy, "R'G'B'A u8") == seen
    assert offsets(result) == offsets(copy) == (9, 4)
    assert (made.get_width(), made.get_height()) == (60, 50)
    assert native(layer) == before and len(image.get_layers()) == 1
    assert image.get_base_type() == Gimp.ImageBaseType.INDEXED


def case_an_indexed_image_with_a_selection():
    image, layer = indexed()
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 15, 10, 20, 16)
    _, x, y, width, height = layer.mask_intersect()
    reference = layer.create_mask(Gimp.AddMaskType.SELECTION)
    wanted = reference.get_buffer().get(Gegl.Rectangle.new(x, y, width, height), 1.0, "Y u8", NONE)
    result = painted(image, layer)
    assert (result.get_width(), result.get_height()) == (width, height)
    assert offsets(result) == (9 + x, 4 + y)
    whole = Gegl.Rectangle.new(0, 0, width, height)
    assert result.get_mask().get_buffer().get(whole, 1.0, "Y u8", NONE) == wanted


# --- settings and styles -------------------------------------------------------------------------


def case_the_settings_reach_the_engine():
    image = new_image()
    layer = new_layer(image)
    painted(image, layer)
    defaults = sent()["settings"]
    chosen = {
        "preset": "best", "strength": 12.5, "keep_colors": "luminance", "size": 640,
        "seed": 2**31 - 1, "style_loss": "gram", "features": "draft", "postprocess": "grain",
        "device": "cpu",
    }  # fmt: skip
    painted(image, layer, **chosen)
    assert sent()["settings"] == {**defaults, **chosen}
    assert plugin_module("protocol").Settings().to_dict() == defaults


def case_only_a_whole_layer_closes():
    image = new_image(width=200, height=100)
    layer = new_layer(image, 200, 100)
    painted(image, layer, wrap="both")
    assert sent()["settings"]["wrap"] == "both"
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 5, 5)
    painted(image, layer, wrap="both")
    assert sent()["settings"]["wrap"] == "none" and sent()["content"]["width"] < 100


def case_a_layer_as_the_style():
    image, other = new_image(), new_image(precision=Gimp.Precision.FLOAT_LINEAR)
    style = new_layer(other, 20, 10, name="Canvas")
    result = painted(image, new_layer(image), style=None, style_layer=style)
    assert result.get_name() == "Canvas – Photo"
    got = array.array("B", (FOLDER / "dump" / "style.raw").read_bytes())
    assert_near(got, pixels(style, "R'G'B'A u8"), 1)
    assert sent()["styles"] == [{"name": "Canvas", "width": 20, "height": 10, "dtype": "u8"}]


def case_the_style_file_arrives_byte_by_byte():
    image = new_image()
    painted(image, new_layer(image))
    assert (FOLDER / "dump" / "style.raw").read_bytes() == STYLE.read_bytes()


def case_no_style():
    image = new_image()
    refused(image, [new_layer(image)], "No style picture was chosen.\nChoose", style=None)


def case_a_style_that_does_not_exist():
    image = new_image()
    gone = FOLDER / "gone.png"
    refused(image, [new_layer(image)], "style picture cannot be read", "gone.png", style=gone)


def case_files_that_only_gimp_opens_are_the_same_as_their_layers():
    for suffix, precision in ((".xcf", U8), (".psd", U8), (".exr", Gimp.Precision.FLOAT_LINEAR)):
        image = new_image(precision=precision)
        layer = new_layer(image, alpha=False)
        file = FOLDER / f"Gemälde{suffix}"
        where = Gio.File.new_for_path(str(file))
        assert Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, where, None)
        if suffix == ".psd":
            file = file.rename(FOLDER / "Gemälde.jpg")  # what it is counts, not its name
        painted(image, layer, style=file)
        shape = {"width": W, "height": H, "dtype": "u8"}
        assert sent()["styles"] == [{"name": "Gemälde", **shape}], sent()["styles"]
        by_file = (FOLDER / "dump" / "style.raw").read_bytes()
        where = Gio.File.new_for_path(str(file))
        opened = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, where)
        painted(image, layer, style=None, style_layer=opened.get_layers()[0])
        assert (FOLDER / "dump" / "style.raw").read_bytes() == by_file
        assert_near(array.array("B", by_file), pixels(layer, "R'G'B'A u8"), 1)
        opened.delete()
        assert len(Gimp.get_images()) == 1, "a hidden image was left behind"
        image.delete()


def case_a_file_of_several_layers_is_seen_as_a_whole():
    image = new_image()
    new_layer(image, alpha=False)
    veil = new_layer(image, 20, 10)
    veil.set_opacity(40.0)
    veil.set_offsets(7, 5)
    file = FOLDER / "Lagen.xcf"
    where = Gio.File.new_for_path(str(file))
    assert Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, where, None)
    expected = shown(image, image.get_layers()[-1])
    painted(image, image.get_layers()[-1], style=file)
    got = array.array("B", (FOLDER / "dump" / "style.raw").read_bytes())
    assert_near(got, expected, 1)


def case_a_file_that_nobody_opens():
    image = new_image()
    odd = FOLDER / "notes.abc"
    odd.write_bytes(b"This is not a picture.")
    painted(image, new_layer(image), style=odd)  # the engine has the last word
    assert (FOLDER / "dump" / "style.raw").read_bytes() == odd.read_bytes()


def case_the_mask_of_a_layer_in_a_group_is_a_place():
    image = new_image()
    group = Gimp.GroupLayer.new(image, "Group")
    image.insert_layer(group, None, 0)
    inner = Gimp.GroupLayer.new(image, "Inner")
    image.insert_layer(inner, group, 0)
    layer = new_layer(image, parent=inner)
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    fill_mask(mask, W, H)
    painted(image, layer, hold="Mask of Photo")
    assert (FOLDER / "dump" / "mask-hold.raw").read_bytes() == native(mask)


def case_a_huge_style_layer_is_reduced():
    other = new_image(width=9000, height=7000)
    style = Gimp.Layer.new(
        other, "Huge", 9000, 7000, Gimp.ImageType.RGB_IMAGE, 100.0, Gimp.LayerMode.NORMAL
    )
    other.insert_layer(style, None, 0)
    style.fill(Gimp.FillType.WHITE)
    image = new_image()
    painted(image, new_layer(image), style=None, style_layer=style)
    entry = sent()["styles"][0]
    assert 31e6 < entry["width"] * entry["height"] <= 32e6, entry
    assert abs(entry["width"] / entry["height"] - 9 / 7) < 0.001


def case_a_huge_file_and_a_pipe_as_the_style():
    image = new_image()
    layer = new_layer(image)
    pipe, huge = FOLDER / "pipe.png", FOLDER / "huge.png"
    os.mkfifo(pipe)  # whoever opens it waits for ever
    with open(huge, "wb") as stream:
        stream.truncate(600 << 20)
    refused(image, [layer], "cannot be read", "pipe.png", "not a regular file", style=pipe)
    refused(image, [layer], "huge.png is over 512 MB", style=huge)
    name = "a" * 300 + ".png"
    refused(image, [layer], "cannot be read", style=FOLDER / name)


def case_a_folder_as_the_style():
    image = new_image()
    refused(image, [new_layer(image)], "style picture cannot be read", style=FOLDER)


def case_an_empty_style():
    image = new_image()
    empty = FOLDER / "empty.png"
    empty.write_bytes(b"")
    refused(image, [new_layer(image)], "empty.png is empty", style=empty)


def plugin_module(name):
    sys.path.insert(0, CONTEXT["plugin"])
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(CONTEXT["plugin"])


def note_of(layer):
    return json.loads(bytes(layer.get_parasite("neural-style-settings").get_data()))


def paint_again(image, layer):
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-neural-style-again")
    config = procedure.create_config()
    config.set_property("image", image)
    config.set_core_object_array("drawables", [layer])
    values = procedure.run(config)
    return values.index(0), values.index(1) if values.length() > 1 else None


def case_a_painted_layer_remembers_and_is_painted_again():
    image = new_image()
    other = new_layer(image, name="Other")
    layer = new_layer(image)
    result = painted(image, layer, strength=33.0, seed=7)
    note = note_of(result)
    assert (note["strength"], note["seed"]) == (33.0, 7), note
    (style,) = note["styles"]
    assert style["file"] == STYLE.name and len(style["print"]) == 32, style
    assert str(STYLE.parent) not in str(note) and "file:" not in str(note), "a folder of ours"
    image.reorder_item(result, None, 2)  # where it lies does not matter
    status, again = paint_again(image, result)
    assert status == Gimp.PDBStatusType.SUCCESS, again
    assert sent()["settings"]["strength"] == 33.0 and sent()["settings"]["seed"] == 7
    assert image.get_item_position(again) == image.get_item_position(layer) - 1
    assert pixels(again) == pixels(result) and note_of(again) == note
    assert pixels(other) == pixels(layer)  # both still as they were drawn

    image.remove_layer(layer)  # then the one below it counts
    image.reorder_item(again, None, 0)
    status, third = paint_again(image, again)
    assert status == Gimp.PDBStatusType.SUCCESS, third

    copy = FOLDER / "remembered.xcf"
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(copy)), None)
    loaded = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(str(copy)))
    assert note_of(loaded.get_layers()[0])["strength"] == 33.0


def case_what_a_painting_was_made_from_is_found_as_long_as_it_is_there():
    origin = plugin_module("pixels.origins").origin
    image = new_image()
    layer = new_layer(image)
    result = painted(image, layer)
    assert origin(image, result) == layer and origin(image, layer) is None
    layer.set_name("Renamed")
    layer.set_offsets(3, 4)
    assert origin(image, result) == layer

    other = new_image(width=2 * W)  # where other layers have the tattoos
    for name in ("One", "Two", "Three", "Four"):
        new_layer(other, width=2 * W, name=name)
    copy = Gimp.Layer.new_from_drawable(result, other)
    other.insert_layer(copy, None, 0)
    assert origin(other, copy) is None
    photo = new_layer(other, name="Photo", position=4)
    assert origin(other, copy) == photo, "there is one of that name"
    new_layer(other, name="Photo", position=4).set_name("Photo")
    image.remove_layer(layer)
    assert origin(image, result) is None


def case_repeat_paints_what_the_selected_painting_was_made_from():
    image = new_image()
    layer = new_layer(image)
    first = painted(image, layer)
    wanted = sent_pixels()
    status, second = call(image, [first], Gimp.RunMode.WITH_LAST_VALS)
    assert status == Gimp.PDBStatusType.SUCCESS, second
    assert sent_pixels() == wanted and pixels(second) == pixels(first)
    assert image.get_layers() == [second, first, layer]
    status, third = call(image, [second, first, layer], Gimp.RunMode.WITH_LAST_VALS)
    assert status == Gimp.PDBStatusType.SUCCESS, third
    assert image.get_layers() == [third, second, first, layer], "once"
    painted(image, first)  # a script means what it says
    assert sent_pixels() != wanted


def case_a_channel_just_saved_stands_for_the_only_photo():
    image = new_image()
    layer = new_layer(image)
    first = painted(image, layer)
    wanted = sent_pixels()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 5, 5, 10, 10)
    channel = Gimp.Selection.save(image)
    Gimp.Selection.none(image)
    assert image.get_selected_drawables() == [channel]
    status, second = call(image, [channel], Gimp.RunMode.WITH_LAST_VALS)
    assert status == Gimp.PDBStatusType.SUCCESS, second
    assert sent_pixels() == wanted
    assert image.get_layers() == [second, first, layer]
    new_layer(image, name="Another")
    status, text = call(image, [channel], Gimp.RunMode.WITH_LAST_VALS)
    assert status == Gimp.PDBStatusType.EXECUTION_ERROR and "channel cannot" in text, text


def case_results_hang_on_their_image_and_are_not_saved():
    results = plugin_module("pixels.results")
    image = new_image()
    layer, other = new_layer(image), new_layer(image)
    image.clean_all()
    data = bytes(range(256)) * 2
    kept = [
        results.Kept("{}", f"Wave {k} – Öl", source.get_id(), 7, (16, 8), data, k == 1)
        for k, source in enumerate((layer, layer, other))
    ]
    keys = [results.keep(image, each) for each in kept]
    assert not image.is_dirty(), "nothing of the user's has changed"
    found = [each for each in results.kept(image, {layer.get_id()}) if each]
    assert [(e.name, e.data, e.over, e.key) for e in found] == [
        ("Wave 1 – Öl", data, True, keys[1]), ("Wave 0 – Öl", data, False, keys[0])
    ]  # fmt: skip
    results.forget(image, keys[0])
    results.forget(image, keys[0])
    assert len([each for each in results.kept(image, {layer.get_id()}) if each]) == 1
    path = Gio.File.new_for_path(str(FOLDER / "with-results.xcf"))
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, path, None)
    loaded = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, path)
    assert not [name for name in loaded.get_parasite_list() if name.startswith(results.PREFIX)]


def case_results_of_strangers_do_no_harm():
    results = plugin_module("pixels.results")
    image = new_image()
    layer = new_layer(image)
    kept = results.Kept("{}", "Wave", layer.get_id(), 7, (16, 8), bytes(512))
    key = results.keep(image, kept)
    good = array.array("b", image.get_parasite(key).get_data()).tobytes()
    head, _, packed = good.partition(b"\n")
    for bad in (
        b"", b"\n", b"nonsense\n" + packed, head, head + b"\nnot packed",
        head.replace(b"16", b"16000000") + b"\n" + packed, head.replace(b"16", b"-1") + packed,
        head.replace(b'"Wave"', b"7") + b"\n" + packed, b"[" * 100_000 + b"\n" + packed,
        head.replace(b'"{}"', b'"[]"') + b"\n" + packed,
    ):  # fmt: skip
        image.attach_parasite(Gimp.Parasite.new(key, 0, array.array("b", bad)))
        assert [each for each in results.kept(image, {layer.get_id()}) if each] == [], bad[:80]
    flags = Gimp.PARASITE_PERSISTENT  # as a file has brought it along
    image.attach_parasite(Gimp.Parasite.new(key, flags, array.array("b", good)))
    assert [each for each in results.kept(image, {layer.get_id()}) if each] == []


def case_the_last_touch():
    last_touch = plugin_module("pixels.last_touch")
    image = new_image()
    layer = new_layer(image)
    last_touch.touch(layer, 35.0, "multiply")
    assert layer.get_mode() == Gimp.LayerMode.MULTIPLY and last_touch.look(layer)[1] == "multiply"
    assert abs(layer.get_opacity() - 35.0) < 0.5 and image.undo_is_enabled()
    layer.set_mode(Gimp.LayerMode.DIFFERENCE)
    last_touch.touch(layer, 100.0, "")
    assert layer.get_mode() == Gimp.LayerMode.DIFFERENCE and last_touch.look(layer) == (100.0, "")


def noted(image, note):
    """A layer with a note from somebody else."""
    layer = new_layer(image)
    layer.attach_parasite(Gimp.Parasite.new("neural-style-settings", 1, note.encode()))
    return layer


def case_a_note_of_a_stranger_has_no_file_read():
    secret, pipe = FOLDER / "secret.png", FOLDER / "pipe"
    secret.write_bytes(b"what nobody has chosen")
    os.mkfifo(pipe)
    addresses = [secret.as_uri(), pipe.as_uri(), "file:///dev/zero", "http://[", "smb://host/a"]
    for address in addresses:
        note = {"styles": [{"uri": address}], "painted-layer": 2**40}
        image = new_image()
        status, text = paint_again(image, noted(image, json.dumps(note)))
        assert status == Gimp.PDBStatusType.EXECUTION_ERROR, address
        assert "was not chosen on this computer" in text, text
        assert len(image.get_layers()) == 1


def case_a_note_that_makes_no_sense_is_none():
    for note in ("[" * 100_000, '{"seed": ' + "9" * 400 + "}", '{"style": "\\ud800"}', "7"):
        image = new_image()
        status, text = paint_again(image, noted(image, note))
        assert status == Gimp.PDBStatusType.EXECUTION_ERROR
        assert "was not painted by" in text, text


def case_a_style_that_is_no_regular_file_is_said():
    for path in (FOLDER, Path("/dev/zero")):
        image = new_image()
        status, text = call(image, [new_layer(image)], style=path)
        assert status == Gimp.PDBStatusType.EXECUTION_ERROR, path
        assert "cannot be read" in text and str(path) in text, text


def case_a_layer_that_was_not_painted_cannot_be_painted_again():
    image = new_image()
    status, text = paint_again(image, new_layer(image))
    assert status == Gimp.PDBStatusType.EXECUTION_ERROR
    assert "was not painted by" in text, text
    assert len(image.get_layers()) == 1


def case_several_styles_and_their_places():
    image = new_image()
    layer = new_layer(image)
    sky = Gimp.Channel.new(image, "Sky", W, H, 50.0, Gegl.Color.new("red"))
    image.insert_channel(sky, None, 0)
    half = Gegl.Rectangle.new(0, 0, W, H // 2)
    buffer = sky.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, W, H), "Y u8", bytes(W * H))
    buffer.set(half, "Y u8", b"\xff" * (W * (H // 2)))
    buffer.flush()
    second = FOLDER / "second.png"
    second.write_bytes(b"another style")
    blend = [{"uri": STYLE.as_uri(), "weight": 2.5, "where": "Sky"}, {"uri": second.as_uri()}]
    result = painted(image, layer, style=None, blend=json.dumps(blend))
    first, other = sent()["styles"]
    assert (first["name"], first["weight"]) == (STYLE.stem, 2.5), first
    assert first["mask"] == {"width": W, "height": H, "dtype": "u8", "channels": 1}
    assert other == {"name": "second"}
    mask = (FOLDER / "dump" / "mask-0.raw").read_bytes()
    assert mask == b"\xff" * (W * (H // 2)) + bytes(W * (H - H // 2))
    assert result.get_name() == f"{STYLE.stem} + second – Photo"
    named = [style["file"] for style in note_of(result)["styles"]]
    assert named == [STYLE.name, second.name], named
    refused(image, [layer], "no channel Sea", style=None, blend=json.dumps(
        [{"uri": STYLE.as_uri(), "where": "Sea"}]))  # fmt: skip
    refused(image, [layer], "blend is not a list", style=None, blend="nonsense")


def case_what_a_channel_holds():
    image = new_image()
    layer = new_layer(image)
    face = Gimp.Channel.new(image, "Face", W, H, 50.0, Gegl.Color.new("red"))
    image.insert_channel(face, None, 0)
    held = bytes(W * (H // 2)) + b"\x80" * (W * (H - H // 2))
    buffer = face.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, W, H), "Y' u8", held)  # as it is painted
    buffer.flush()
    result = painted(image, layer, hold="Face")
    assert sent()["hold"] == {"width": W, "height": H, "dtype": "u8", "channels": 1}
    assert (FOLDER / "dump" / "mask-hold.raw").read_bytes() == held
    assert note_of(result)["hold"] == "Face"
    paint_again(image, result)
    assert "hold" in sent()
    painted(image, layer)
    assert "hold" not in sent()
    refused(image, [layer], "no channel Hat", "what shall be held", hold="Hat")
    use_fake("holds-nothing")
    refused(image, [layer], "engine is older", "Run the installer", hold="Face")


def case_what_a_layer_mask_holds():
    image = new_image()
    layer = new_layer(image)
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    painted(image, layer, hold="Mask of Photo", faces="paint")
    assert (FOLDER / "dump" / "mask-hold.raw").read_bytes() == b"\xff" * (W * H)
    assert sent()["settings"]["faces"] == "paint"


def case_the_place_of_a_style_has_soft_edges():
    for precision in (U8, Gimp.Precision.U16_NON_LINEAR, Gimp.Precision.FLOAT_LINEAR):
        image = new_image(precision=precision)
        layer = new_layer(image)
        image.select_ellipse(Gimp.ChannelOps.REPLACE, 8, 6, 20, 15)
        Gimp.Selection.feather(image, 6)
        wanted = pixels(image.get_selection(), "Y u8")
        Gimp.Selection.save(image).set_name("Sky")
        Gimp.Selection.none(image)
        blend = [{"uri": STYLE.as_uri(), "where": "Sky"}]
        painted(image, layer, style=None, blend=json.dumps(blend))
        got = array.array("B", (FOLDER / "dump" / "mask-0.raw").read_bytes())
        assert len(set(wanted)) > 20
        assert_near(got, wanted, 1)


def case_last_values_of_a_first_run():
    image = new_image()
    mode = Gimp.RunMode.WITH_LAST_VALS
    status, text = call(image, [new_layer(image)], run_mode=mode, style=None)
    assert status == Gimp.PDBStatusType.EXECUTION_ERROR and "No style" in text, (status, text)


# --- an engine in trouble ------------------------------------------------------------------------


def trouble(mode, *parts):
    """What the user reads when the engine behaves badly."""
    image = new_image()
    layer = new_layer(image)
    if mode.startswith("fake:"):
        bad = FOLDER / "bad.png"
        bad.write_bytes(mode.encode())
        return refused(image, [layer], *parts, style=bad)
    use_fake(mode)
    return refused(image, [layer], *parts)


def case_engine_not_installed():
    Path(CONTEXT["plugin"], "engine.json").unlink()
    image = new_image()
    refused(image, [new_layer(image)], "engine is not installed.\nChoose “Neural Style: Set Up")


def case_engine_removed():
    use_command("/nowhere/bin/python", "-m", "styleengine")
    image = new_image()
    refused(
        image, [new_layer(image)], "not at /nowhere/bin/python any more", "Set Up, Repair, Remove"
    )


def case_engine_record_of_another_protocol():
    use_command("python3", protocol=99)
    image = new_image()
    refused(image, [new_layer(image)], "is older than", "Run the installer")


def case_engine_dies_at_the_start():
    text = trouble("die-at-start", "No module named 'torch'", "Set Up, Repair, Remove", "Details: ")
    assert "Traceback" in Path(text.rsplit("Details: ", 1)[1]).read_text()


def case_engine_dies_in_the_run():
    trouble("fake:die", "the brush broke", "Details: ")


def case_engine_dies_amid_the_result():
    trouble("fake:half-result", "out of paint")


def case_engine_is_killed():
    trouble("fake:kill", "was killed, probably because memory ran out", "smaller working size")


def case_engine_crashes():
    trouble("fake:segfault", "SIGSEGV")


def case_engine_of_another_protocol():
    trouble("too-new", "GIMP plug-in is older", "Run the installer")
    trouble("too-old", "engine is older", "Run the installer")


def case_engine_talks_garbage():
    trouble("fake:garbage", "does not understand")
    trouble("garbage-at-start", "does not understand")


def case_engine_reports_a_failure():
    trouble("fake:failed", "The style is not a picture.\nChoose another style.")


def case_an_unexpected_exception():
    module = Path(CONTEXT["plugin"], "unattended.py")
    source = module.read_text()
    module.write_text(source + "\n\ndef paint_all(*_):\n    raise ValueError('a\\udce4b')\n")
    try:
        image = new_image()
        text = refused(image, [new_layer(image)], "Something unexpected happened: ValueError")
    finally:
        module.write_text(source)
    assert "Traceback" in Path(text.rsplit("Details: ", 1)[1]).read_text()
