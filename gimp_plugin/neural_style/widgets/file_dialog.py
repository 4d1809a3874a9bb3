"""The file dialogs: for style pictures and their folders, and for the network's file."""

from __future__ import annotations

from gi.repository import Gtk

from choice.styles import OTHER_SUFFIXES, SUFFIXES
from language.texts import _

NETWORKS = ".h5", ".safetensors", ".pth"
"""Endings of the files that the pretrained network comes in."""


def ask_network(parent: Gtk.Window, heading: str) -> str:
    """The path of the file that the user picks; empty for none."""
    dialog = Gtk.FileChooserNative.new(heading, parent, Gtk.FileChooserAction.OPEN, None, None)
    networks = Gtk.FileFilter()
    networks.set_name(_("Networks ({endings})").format(endings=", ".join(NETWORKS)))
    for ending in NETWORKS:
        networks.add_pattern(f"*{ending}")
    dialog.add_filter(networks)
    accepted = dialog.run() == Gtk.ResponseType.ACCEPT
    found = dialog.get_filename() if accepted else None
    dialog.destroy()
    return found or ""


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
