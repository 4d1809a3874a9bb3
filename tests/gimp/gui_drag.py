"""A window to drag file addresses from: `gui_drag.py URI...`. Runs within the root."""

import sys

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, Gtk  # noqa: E402

window = Gtk.Window(title="drag-from-here", default_width=120, default_height=80)
area = Gtk.EventBox()
area.drag_source_set(Gdk.ModifierType.BUTTON1_MASK, [], Gdk.DragAction.COPY)
area.drag_source_add_uri_targets()
area.connect("drag-data-get", lambda _area, _context, data, *_: data.set_uris(sys.argv[1:]))
window.add(area)
window.set_keep_above(True)
window.connect("destroy", Gtk.main_quit)
window.show_all()
window.move(1250, 20)
Gtk.main()
