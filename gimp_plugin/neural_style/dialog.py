"""The settings dialog. Imported only when one is shown, because it needs a display."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, fields
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from arguments import STYLE, STYLE_LABEL, STYLE_LAYER, argument_name  # noqa: E402
from gi.repository import GdkPixbuf, Gimp, GimpUi, GLib, Gtk  # noqa: E402
from protocol import Settings  # noqa: E402

PICTURES = ("*.jpg", "*.jpeg", "*.png", "*.webp", "*.tif", "*.tiff", "*.bmp", "*.gif")
PREVIEW_PX = 256


BUILT_IN = (
    "The built-in draft network is in use: run the installer again and accept the download\n"
    "(80 MB) for finer pictures."
)


def ask(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, pretrained: bool) -> bool:
    """Lets the user change the values in ``config``; False if the dialog was cancelled.

    ``pretrained`` tells whether the pretrained network is installed; the dialog says so.
    """
    GimpUi.init("neural-style")
    dialog = GimpUi.ProcedureDialog.new(procedure, config, "Neural Style Transfer")
    dialog.set_ok_label("Stylis_e")
    # GIMP makes boxes for arguments only: this label stands in for one, and is never shown.
    placeholder = dialog.get_label("style-title", "", False, False)
    style_box = dialog.fill_box("style-box", ["style-title"])
    placeholder.set_no_show_all(True)
    placeholder.hide()
    columns = Gtk.SizeGroup(mode=Gtk.SizeGroupMode.HORIZONTAL)
    style_box.pack_start(_style_chooser(dialog, config, columns), True, True, 0)

    for field in fields(Settings):
        _add_widget(dialog, field, columns)
    basics = [argument_name(f) for f in fields(Settings) if not f.metadata["advanced"]]
    advanced = [argument_name(f) for f in fields(Settings) if f.metadata["advanced"]]
    dialog.get_label("advanced-title", "Advanced", False, False)
    dialog.fill_box("advanced-box", advanced)
    dialog.fill_expander("advanced", "advanced-title", False, "advanced-box")
    note = "Features: pretrained VGG19" if pretrained else BUILT_IN
    dialog.get_label("features-note", note, False, False).set_xalign(0.0)
    dialog.fill(["style-box", *basics, "advanced", "features-note"])
    accepted = dialog.run()
    dialog.destroy()
    return accepted


def _add_widget(dialog: GimpUi.ProcedureDialog, field: Field[Any], columns: Gtk.SizeGroup) -> None:
    # Explicit types: what GIMP takes by itself differs between 3.0 and 3.2.
    name, meta = argument_name(field), field.metadata
    if meta["choices"]:
        widget = dialog.get_widget(name, Gtk.ComboBox.__gtype__)
    elif isinstance(field.default, str):
        widget = dialog.get_widget(name, GimpUi.LabelEntry.__gtype__)
    elif isinstance(field.default, int):
        widget = dialog.get_widget(name, GimpUi.LabelSpin.__gtype__)
    else:
        widget = dialog.get_scale_entry(name, 1.0)
    widget.set_tooltip_text(meta["help"])
    if isinstance(widget, GimpUi.Labeled):
        columns.add_widget(widget.get_label())


def _style_chooser(
    dialog: GimpUi.ProcedureDialog, config: Gimp.ProcedureConfig, columns: Gtk.SizeGroup
) -> Gtk.Widget:
    """A file button and a list of the open layers; the one used last decides."""
    grid = Gtk.Grid(column_spacing=6, row_spacing=6)
    button = _file_button()
    layers = Gtk.ListStore(int, str)
    layers.append([0, "None"])
    for layer, title in _open_layers():
        layers.append([layer.get_id(), title])
    combo = Gtk.ComboBox(model=layers, hexpand=True)
    cell = Gtk.CellRendererText()
    combo.pack_start(cell, True)
    combo.add_attribute(cell, "text", 1)
    for row, (text, widget) in enumerate([(STYLE_LABEL, button), ("or a la_yer", combo)]):
        label = Gtk.Label(label=text, use_underline=True, mnemonic_widget=widget, xalign=0.0)
        columns.add_widget(label)
        grid.attach(label, 0, row, 1, 1)
        grid.attach(widget, 1, row, 1, 1)

    def show(*_: object) -> None:
        file, layer = config.get_property(STYLE), config.get_property(STYLE_LAYER)
        if file is None:
            button.unselect_all()
        elif button.get_file() is None or not button.get_file().equal(file):
            button.set_file(file)
        wanted = layer.get_id() if layer is not None and layer.is_valid() else 0
        rows = [number for number, row in enumerate(layers) if row[0] == wanted]
        combo.set_active(rows[0] if rows else 0)
        dialog.set_response_sensitive(Gtk.ResponseType.OK, bool(file or wanted))

    def file_set(_: object) -> None:
        config.set_property(STYLE_LAYER, None)
        config.set_property(STYLE, button.get_file())

    def layer_set(_: object) -> None:
        number = layers[combo.get_active()][0]
        chosen = Gimp.Item.get_by_id(number) if number else None
        if chosen != config.get_property(STYLE_LAYER):
            config.set_property(STYLE_LAYER, chosen)

    show()
    button.connect("file-set", file_set)
    combo.connect("changed", layer_set)
    config.connect(f"notify::{STYLE}", show)
    config.connect(f"notify::{STYLE_LAYER}", show)
    grid.show_all()
    return grid


def _file_button() -> Gtk.FileChooserButton:
    button = Gtk.FileChooserButton(title="Choose a style picture", hexpand=True)
    button.set_local_only(False)
    for title, patterns in (("Pictures", PICTURES), ("All files", ("*",))):
        file_filter = Gtk.FileFilter()
        file_filter.set_name(title)
        for pattern in patterns:
            file_filter.add_pattern(pattern)
            file_filter.add_pattern(pattern.upper())
        button.add_filter(file_filter)
    preview = Gtk.Image()
    button.set_preview_widget(preview)

    def update_preview(chooser: Gtk.FileChooser) -> None:
        path = chooser.get_preview_filename()
        try:
            pixbuf = GdkPixbuf.Pixbuf.new_from_file_at_size(path or "", PREVIEW_PX, PREVIEW_PX)
        except GLib.Error:
            pixbuf = None
        preview.set_from_pixbuf(pixbuf)
        chooser.set_preview_widget_active(pixbuf is not None)

    button.connect("update-preview", update_preview)
    return button


def _open_layers() -> Iterator[tuple[Gimp.Layer, str]]:
    """All layers of all open images, each with a title."""

    def walk(layers: list[Gimp.Layer]) -> Iterator[Gimp.Layer]:
        for layer in layers:
            yield layer
            if layer.is_group():
                yield from walk(layer.get_children())

    for image in Gimp.get_images():
        for layer in walk(image.get_layers()):
            yield layer, f"{image.get_name()}: {layer.get_name()}"
