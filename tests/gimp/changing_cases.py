"""Runs within GIMP: the user goes on working on the image while it is read and painted.

The plug-in's own modules are used from this process, so that an edit comes exactly between two of
their steps. GIMP ends a process that reads what has changed under it: then all cases are missing.
"""
# ruff: noqa: F821

from gi.repository import Gegl, Gimp

with open(CONTEXT["helpers"], encoding="utf-8") as helpers:
    source = helpers.read()
exec(compile(source.replace("\ndef case_", "\ndef other_case_"), CONTEXT["helpers"], "exec"))

Gegl.init(None)
sys.path.insert(0, CONTEXT["plugin"])  # for what the modules import later
locate = plugin_module("pixels.layers").locate
style_pictures = plugin_module("pixels.style_pictures")
small = plugin_module("pixels.small")
choices = plugin_module("choice.choice")

WIDE, HIGH = 1500, 900  # several blocks of tiles, several strips


def photo():
    """An image larger than its layer, a selection with soft edges, a channel."""
    image = new_image(width=1700, height=1200)
    layer = Gimp.Layer.new(
        image, "Photo", WIDE, HIGH, Gimp.ImageType.RGBA_IMAGE, 100.0, Gimp.LayerMode.NORMAL
    )
    layer.set_offsets(60, 40)
    image.insert_layer(layer, None, 0)
    buffer = layer.get_buffer()
    data = pattern(250, 150)
    for y in range(0, HIGH, 150):
        for x in range(0, WIDE, 250):
            buffer.set(Gegl.Rectangle.new(x, y, 250, 150), "R'G'B'A u8", data)
    buffer.flush()
    del buffer
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 100, 1300, 700)
    Gimp.Selection.feather(image, 60)
    Gimp.Selection.save(image).set_name("Sky")
    image.set_selected_layers([layer])
    return image, layer


EDITS = {
    "crop": lambda image, layer: image.crop(900, 500, 300, 200),
    "scale": lambda image, layer: image.scale(800, 600),
    "rotate": lambda image, layer: image.rotate(Gimp.RotationType.DEGREES90),
    "flip": lambda image, layer: image.flip(Gimp.OrientationType.HORIZONTAL),
    "canvas": lambda image, layer: image.resize(3000, 2000, 500, 300),
    "layer to image size": lambda image, layer: layer.resize_to_image_size(),
    "layer boundary": lambda image, layer: layer.resize(700, 500, -100, -50),
    "grey": lambda image, layer: image.convert_grayscale(),
    "palette": lambda image, layer: image.convert_indexed(
        Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 8, False, False, ""
    ),
    "precision": lambda image, layer: image.convert_precision(Gimp.Precision.FLOAT_LINEAR),
    "shadow": lambda image, layer: filtered(layer, "gegl:dropshadow"),
    "painted over": lambda image, layer: layer.fill(Gimp.FillType.WHITE),
    "layer deleted": lambda image, layer: image.remove_layer(layer),
    "image closed": lambda image, layer: image.delete(),
}


def content(image, layer):
    source = locate(image, [layer])
    return source.reader().strips(), source.close


def selection(image, layer):
    source = locate(image, [layer])
    steps = source.selection.copy()
    width, height = source.painted.width, source.painted.height

    def parts():
        for _step in steps:
            yield 0, 0, b""
        yield 0, height, source.selection.spot(0, 0, width, height)

    return parts(), source.close


def style(image, layer, **where):
    choice = choices.StyleChoice(layer=layer.get_id(), name="Style", **where)
    rect = plugin_module("pixels.rect").Rect(0, 0, WIDE, HIGH)
    return style_pictures.load_styles([choice], image, layer, rect, False)[0]


def style_layer(image, layer):
    return style(image, layer).strips, lambda: None


def mask(image, layer):
    loaded = style(image, layer, where="Sky")
    next(iter(loaded.strips))  # closed with the last reference to it
    return loaded.mask.strips, lambda: None


def view(image, layer):
    look = small.LayerView(layer, plugin_module("pixels.layers").whole(layer))
    look.refresh()
    return look.small(512)[1], look.close


def undisturbed(read):
    image, layer = photo()
    parts, close = read(image, layer)
    data = b"".join(part for _y, _rows, part in parts)
    close()
    del parts
    image.delete()
    return data


def check_read_through(read):
    expected = undisturbed(read)
    assert len(set(expected)) > 20
    for name, edit in EDITS.items():
        image, layer = photo()
        parts, close = read(image, layer)
        got = bytearray()
        for _count in range(2):
            got += next(parts)[2]
        edit(image, layer)
        got += b"".join(part for _y, _rows, part in parts)
        close()
        del parts
        assert got == expected, name
        if image.is_valid():
            image.delete()
        assert not Gimp.get_images(), f"{name}: a hidden image was left behind"


def case_the_layer_is_read_whatever_happens_to_it():
    check_read_through(content)


def case_the_selection_is_copied_whatever_happens_to_it():
    check_read_through(selection)


def case_a_style_layer_is_read_whatever_happens_to_it():
    check_read_through(style_layer)


def case_the_place_of_a_style_is_read_whatever_happens_to_it():
    check_read_through(mask)


def case_the_dialog_looks_at_the_layer_whatever_happens_to_it():
    check_read_through(view)


def case_a_layer_that_is_gone_before_it_is_read():
    image, layer = photo()
    image.remove_layer(layer)
    look = small.LayerView.__new__(small.LayerView)
    look.shown, look._copy = layer, None
    try:
        look.refresh()
    except plugin_module("protocol").EngineError as problem:
        assert problem.code == "layer-gone" and "deleted" in problem.message
    else:
        raise AssertionError("nothing was said")
