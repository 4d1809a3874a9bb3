"""Runs within GIMP, sent there over D-Bus by gui_steps.py: does an ACTION, tells the state.

It is no menu entry, because GIMP's "repeat the last filter" must not repeat it.
"""
# ruff: noqa: F821

import json
import os
from pathlib import Path

from gi.repository import Gimp

# An image that goes after it was listed is none: GIMP would open a window that says so, over all.
Gimp.get_plug_in().set_pdb_error_handler(Gimp.PDBErrorHandler.PLUGIN)


def users_images():
    """The images that the user sees: not those that the plug-in hides, nor one it has just made
    and is about to."""
    seen = [i for i in Gimp.get_images() if i.get_parasite("neural-style-hidden") is None]
    return [i for i in seen if i.get_layers()]


def users_image():
    return users_images()[0]


def note_of(layer):
    note = layer.get_parasite("neural-style-settings")
    return json.loads(bytes(note.get_data())) if note else {}


def source_of(layer):
    """The layer it was painted from, if that is still there."""
    tattoo = note_of(layer).get("painted-layer", 0)
    return users_image().get_layer_by_tattoo(tattoo) if tattoo else None


def act():
    if ACTION == "close":
        number = 1
        while not Gimp.Display.id_is_valid(number):
            number += 1
        Gimp.Display.get_by_id(number).delete()
    elif ACTION == "delete-lowest-layer":
        image = users_image()
        image.remove_layer(image.get_layers()[-1])
        Gimp.displays_flush()
    elif ACTION == "note-of-a-stranger":
        stranger = Path(ANSWER).with_name("stranger.jpg").as_uri()
        note = json.dumps({"styles": [{"uri": stranger}], "strength": 20.0}).encode()
        layer = users_image().get_layers()[0]
        layer.attach_parasite(Gimp.Parasite.new("neural-style-settings", 1, note))
    elif ACTION == "select-two-layers":
        image = users_image()
        image.set_selected_layers([x for x in image.get_layers() if not source_of(x)][-2:])
    elif ACTION == "select-ellipse":
        image = users_image()
        w, h = image.get_width(), image.get_height()
        image.select_ellipse(Gimp.ChannelOps.REPLACE, w / 5, h / 5, 3 * w / 5, 3 * h / 5)
        Gimp.Selection.feather(image, w / 40)
        Gimp.displays_flush()
    elif ACTION == "select-none":
        Gimp.Selection.none(users_image())
        Gimp.displays_flush()
    elif ACTION == "group-and-channel":
        image = users_image()
        layers = image.get_layers()
        photo = [x for x in layers if not source_of(x)][-1]
        group = Gimp.GroupLayer.new(image, "Group")
        image.insert_layer(group, None, len(layers))
        image.reorder_item(photo, group, 0)
        w, h = image.get_width(), image.get_height()
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, w, h / 2)
        Gimp.Selection.save(image).set_name("Sky")
        Gimp.Selection.none(image)
        image.set_selected_layers([photo])  # it was the channel
        Gimp.displays_flush()
    elif ACTION == "select-top-layer":
        image = users_image()
        image.set_selected_layers(image.get_layers()[:1])


def describe(image):
    selected = {layer.get_id() for layer in image.get_selected_layers()}
    return [
        {
            "name": layer.get_name(),
            "selected": layer.get_id() in selected,
            "size": [layer.get_width(), layer.get_height()],
            "offsets": list(tuple(layer.get_offsets())[-2:]),
            "mask": layer.get_mask() is not None,
            "opacity": layer.get_opacity(),
            "within": [x.get_name() for x in layer.get_children()] if layer.is_group() else [],
            "made-from": note_of(layer).get("painted-name", ""),
        }
        for layer in image.get_layers()
    ]


act()
state = json.dumps([describe(image) for image in users_images()])
Path(ANSWER + ".part").write_text(state)
os.replace(ANSWER + ".part", ANSWER)
