"""The file dialog for style pictures and their folders."""

from __future__ import annotations

from gi.repository import Gtk

from choice.styles import OTHER_SUFFIXES, SUFFIXES
from language.texts import _


def ask(parent: Gtk.Widget, heading: str, action: Gtk.FileChooserAction) -> list[str]:
    """The addresses that the user picks in a file dialog."""
    dialog = Gtk.FileChooserNative.new(heading, parent.get_toplevel(), action, None, None)
    dialog.set_select_multiple(action == Gtk.FileChooserAction.OPEN)
    dialog.set_local_only(False)
    if action == Gtk.FileChooserAction.OPEN:
        pictures = Gtk.FileFilter()
        pictures.set_name(_("Pictures"))
        for suffix in sorted(SUFFIXES | OTHER_SUFFIXES):
            pictures.add_pattern(f"*{suffix}")
            pictures.add_pattern(f"*{suffix.upper()}")
        dialog.add_filter(pictures)
    accepted = dialog.run() == Gtk.ResponseType.ACCEPT
    found = list(dialog.get_uris()) if accepted else []
    dialog.destroy()
    return found
