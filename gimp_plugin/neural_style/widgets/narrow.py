"""Lists that are no wider than they have to be, however long what they list."""

from __future__ import annotations

from gi.repository import Gtk, Pango

CHARS = 8


def narrowed(combo: Gtk.ComboBoxText) -> Gtk.ComboBoxText:
    """``combo``, whose names are cut short in the middle; its menu shows them in full."""
    for cell in combo.get_cells():
        cell.set_property("ellipsize", Pango.EllipsizeMode.MIDDLE)
        cell.set_property("width-chars", CHARS)
    combo.set_property("popup-fixed-width", False)
    return combo
