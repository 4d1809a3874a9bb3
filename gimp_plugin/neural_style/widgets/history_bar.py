"""The last results as thumbnails in a row."""

from __future__ import annotations

from typing import Any, Callable

from gi.repository import GdkPixbuf, Gtk

from language.texts import _

THUMB_PX = 56


class HistoryBar(Gtk.Box):
    """Results, newest first; each opens a menu. ``act`` gets what was chosen and the entry."""

    def __init__(self, act: Callable[[str, Any], None]) -> None:
        super().__init__(spacing=4, no_show_all=True)
        self._act = act
        self._box = Gtk.Box(spacing=4)
        frame = Gtk.ScrolledWindow()
        frame.set_policy(Gtk.PolicyType.AUTOMATIC, Gtk.PolicyType.NEVER)
        frame.add(self._box)
        self._label = Gtk.Label(label=_("Results"))
        self.pack_start(self._label, False, False, 0)
        self.pack_start(frame, True, True, 0)

    def show_entries(self, entries: list[tuple[Any, GdkPixbuf.Pixbuf, str]]) -> None:
        """Shows entries: the caller's own object, a thumbnail and a description of each."""
        for child in self._box.get_children():
            child.destroy()
        for entry, picture, text in entries:
            button = Gtk.MenuButton(relief=Gtk.ReliefStyle.NONE)
            button.set_image(Gtk.Image.new_from_pixbuf(_fitted(picture)))
            button.set_tooltip_text(text)
            button.get_accessible().set_name(text)
            button.set_popup(self._menu(entry))
            self._box.pack_start(button, False, False, 0)
        self._box.show_all()
        for widget in (self._label, self._box.get_parent().get_parent(), self):
            widget.show()
        self._box.get_parent().show()
        self.set_visible(bool(entries))

    def _menu(self, entry: Any) -> Gtk.Menu:
        menu = Gtk.Menu()
        for name, label in (
            ("show", _("_Show")),
            ("use", _("_Use these settings")),
            ("insert", _("_Insert again")),
            ("forget", _("_Forget")),
        ):
            item = Gtk.MenuItem(label=label, use_underline=True)
            item.connect("activate", lambda _item, chosen=name: self._act(chosen, entry))
            menu.append(item)
        menu.show_all()
        return menu


def _fitted(picture: GdkPixbuf.Pixbuf) -> GdkPixbuf.Pixbuf:
    scale = THUMB_PX / max(picture.get_width(), picture.get_height())
    size = [max(1, round(side * scale)) for side in (picture.get_width(), picture.get_height())]
    return picture.scale_simple(*size, GdkPixbuf.InterpType.BILINEAR)
