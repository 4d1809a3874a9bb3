"""Runs within GIMP, in both processes of fault_agent.py: images, edits of them, and our plug-in."""

import array
import hashlib
import json
import zlib

from gi.repository import Gegl, Gimp, Gio

RGB, U8 = Gimp.ImageBaseType.RGB, Gimp.Precision.U8_NON_LINEAR
NONE = Gegl.AbyssPolicy.NONE
MARK, NOTE = "neural-style-hidden", "neural-style-settings"
LARGE = (2000, 1800)  # more than fits into pipe and queues
SMALL = (240, 160)
DISPLAYS = []


def users():
    """The images that are not ours."""
    return [image for image in Gimp.get_images() if not is_ours(image)]


def is_ours(image):
    """Whether it has our mark, or is opened just now and will have it."""
    file = image.get_file() if image.is_valid() else None
    named = file is not None and "/neural-style-" in file.get_path()
    return named or (image.is_valid() and image.get_parasite(MARK) is not None)


def hidden():
    return len(Gimp.get_images()) - len(users())


def new_image(size, shown):
    """An image with a photo above a background, a channel, an undo step, and a display."""
    width, height = size
    image = Gimp.Image.new_with_precision(width + 40, height + 30, RGB, U8)
    for name in ("Background", "Photo"):
        layer = Gimp.Layer.new(
            image, name, width, height, Gimp.ImageType.RGBA_IMAGE, 100.0, Gimp.LayerMode.NORMAL
        )
        image.insert_layer(layer, None, 0)
        layer.set_offsets(20, 10)
        # In red and green no place is like another; blue says where it is when made small, too.
        red = bytes(x * 7 % 17 for x in range(width))
        green = bytes(x * 5 % 13 for x in range(width))
        blue = [bytes(100 * x // width + more for x in range(width)) for more in range(120)]
        data, row = bytearray(), bytearray(b"\xff" * 4 * width)
        for y in range(height):
            shift = y * y * 31 % width
            row[0::4] = red[shift:] + red[:shift]
            row[1::4] = green[shift:] + green[:shift]
            row[2::4] = blue[120 * y // height]
            data += row
        buffer = layer.get_buffer()
        buffer.set(Gegl.Rectangle.new(0, 0, width, height), "R'G'B'A u8", bytes(data))
        buffer.flush()
        del buffer
    channel = Gimp.Channel.new(image, "Sky", width, height // 2, 50.0, Gegl.Color.new("red"))
    image.insert_channel(channel, None, 0)
    image.set_selected_layers([layer])
    if shown:
        DISPLAYS.append(Gimp.Display.new(image))
    image.clean_all()
    return image.get_id(), layer.get_id()


def delete_all():
    """Closes what the user has open."""
    highest = max((display.get_id() for display in DISPLAYS), default=0)
    for number in range(max(1, highest - 9), highest + 9):  # the plug-in may have made one, too
        if Gimp.Display.id_is_valid(number):
            Gimp.Display.get_by_id(number).delete()
    for image in users():
        if image.is_valid():
            image.delete()


def snapshot():
    """All that the user has."""
    found = []
    for image in users():
        try:
            found.append(seen(image))
        except AttributeError:  # it has just gone: a copy that had no mark yet
            assert not image.is_valid()
    return found


def seen(image):
    selection = image.get_selection()
    return {
        "id": image.get_id(),
        "size": [image.get_width(), image.get_height()],
        "kind": [int(image.get_base_type()), int(image.get_precision())],
        "layers": [seen_layer(layer) for layer in image.get_layers()],
        "channels": [[c.get_name(), digest(c)] for c in image.get_channels()],
        "selection": digest(selection),
    }


def seen_layer(layer):
    group = layer.is_group()
    return {
        "name": layer.get_name(),
        "ours": layer.get_parasite(NOTE) is not None,
        "size": [layer.get_width(), layer.get_height()],
        "offsets": list(tuple(layer.get_offsets())[-2:]),
        "visible": layer.get_visible(),
        "filters": len(layer.get_filters()),
        "children": [seen_layer(each) for each in layer.get_children()] if group else [],
        "pixels": "" if group else digest(layer),
    }


def digest(drawable):
    rect = Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
    return hashlib.sha1(drawable.get_buffer().get(rect, 1.0, None, NONE)).hexdigest()[:12]


def shadow(image, layer):
    made = Gimp.DrawableFilter.new(layer, "gegl:dropshadow", "shadow")
    layer.append_filter(made)


def mode(image, layer):
    image.convert_indexed(
        Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 8, False, False, ""
    )


def close_image(image, layer):
    delete_all()


def grouped(image, layer):
    group = Gimp.GroupLayer.new(image, "Group")
    image.insert_layer(group, None, 0)
    image.reorder_item(layer, group, 0)


EDITS = {
    "crop": lambda image, layer: image.crop(150, 100, 30, 20),
    "canvas size": lambda image, layer: image.resize(900, 700, 50, 30),
    "image scaled": lambda image, layer: image.scale(
        image.get_width() // 2, image.get_height() // 2
    ),
    "image turned": lambda image, layer: image.rotate(Gimp.RotationType.DEGREES90),
    "image flipped": lambda image, layer: image.flip(Gimp.OrientationType.HORIZONTAL),
    "layer to image size": lambda image, layer: layer.resize_to_image_size(),
    "layer moved": lambda image, layer: layer.set_offsets(-11, 33),
    "layer deleted": lambda image, layer: image.remove_layer(layer),
    "layer painted over": lambda image, layer: layer.fill(Gimp.FillType.WHITE),
    "layer hidden": lambda image, layer: layer.set_visible(False),
    "layer locked": lambda image, layer: layer.set_lock_content(True),
    "layer into a group": grouped,
    "layer mask": lambda image, layer: layer.add_mask(layer.create_mask(Gimp.AddMaskType.BLACK)),
    "live filter": shadow,
    "merged": lambda image, layer: image.flatten(),
    "greyscale": lambda image, layer: image.convert_grayscale(),
    "palette": mode,
    "precision": lambda image, layer: image.convert_precision(Gimp.Precision.FLOAT_LINEAR),
    "profile": lambda image, layer: image.set_color_profile(Gimp.ColorProfile.new_rgb_adobe()),
    "selection": lambda image, layer: image.select_rectangle(
        Gimp.ChannelOps.REPLACE, 30, 30, 50, 40
    ),
    "channel deleted": lambda image, layer: image.remove_channel(image.get_channels()[0]),
    "image closed": close_image,
}


def edit(name, image, layer):
    """Does it; what there is then counts as what the user has."""
    image, layer = Gimp.Image.get_by_id(image), Gimp.Item.get_by_id(layer)
    EDITS[name](image, layer)
    Gimp.displays_flush()
    for each in users():
        each.clean_all()


def run(image, layer, interactive, procedure="plug-in-neural-style", **arguments):
    """Our plug-in, to its end; the status, and the text or whether there is a layer."""
    procedure = Gimp.get_pdb().lookup_procedure(procedure)
    config = procedure.create_config()
    mode = Gimp.RunMode.INTERACTIVE if interactive else Gimp.RunMode.NONINTERACTIVE
    config.set_property("run-mode", mode)
    config.set_property("image", Gimp.Image.get_by_id(image))
    config.set_core_object_array("drawables", [Gimp.Item.get_by_id(layer)])
    for name, value in arguments.items():
        if name == "style":
            value = Gio.File.new_for_path(value)
        config.set_property(name.replace("_", "-"), value)
    values = procedure.run(config)
    told = values.index(1) if values.length() > 1 else None
    return [int(values.index(0)), told if isinstance(told, str) else told is not None]


def is_inverse(image, layer):
    """Whether the topmost layer is the negative of one, as the scripted engine paints."""
    new, layer = Gimp.Image.get_by_id(image).get_layers()[0], Gimp.Item.get_by_id(layer)
    ours, theirs = (
        array.array(
            "B",
            each.get_buffer().get(
                Gegl.Rectangle.new(0, 0, layer.get_width(), 9), 1.0, "R'G'B' u8", NONE
            ),
        )
        for each in (new, layer)
    )
    return all(abs(255 - a - b) <= 2 for a, b in zip(ours, theirs, strict=True))


def strange(image, layer, says):
    """Gives a layer a stranger's note, and its image a stranger's results."""
    image, layer = Gimp.Image.get_by_id(image), Gimp.Item.get_by_id(layer)
    layer.attach_parasite(Gimp.Parasite.new(NOTE, 1, says.encode()))
    about = {"note": says, "name": "x" * 9000, "source": layer.get_tattoo(), "layer": -1}
    head = json.dumps({**about, "size": [1, 1]}).encode() + b"\n"
    bomb = b"{}\n" + zlib.compress(bytes(9 << 20))
    for number, data in enumerate((head + zlib.compress(bytes(4)), b"\n", b"[" * 99_999, bomb)):
        name = f"neural-style-result-{number:020d}"
        image.attach_parasite(Gimp.Parasite.new(name, 0, array.array("b", data)))
    image.clean_all()
