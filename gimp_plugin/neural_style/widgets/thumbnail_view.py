"""The thumbnails of a shelf of styles, each with a star to click."""

from __future__ import annotations

from typing import Any, Callable

from gi.repository import Gdk, Gtk, Pango

from language.texts import _
from widgets.device_pixels import icon_size
from widgets.stars import STAR_PX
from widgets.style_shelf import HINT, KEY, PICTURE, TITLE, Shelf
from widgets.thumbnails import THUMB_PX


class ThumbnailView(Gtk.IconView):
    """``star`` is called with the key of a style whose star is clicked, or which is starred in the
    menu of the right mouse button and of the menu key.
    """

    def __init__(self, shelf: Shelf, star: Callable[[str], None]) -> None:
        super().__init__(model=shelf.rows, margin=2)
        self._shelf, self._star = shelf, star
        self._menu: Gtk.Menu | None = None
        self._picture = Gtk.CellRendererPixbuf(height=THUMB_PX * 3 // 4, width=THUMB_PX)
        text = Gtk.CellRendererText(ellipsize=Pango.EllipsizeMode.END, xalign=0.5, scale=0.85)
        text.set_fixed_size(THUMB_PX, -1)
        for cell in (self._picture, text):
            self.pack_start(cell, False)
        self.add_attribute(text, "text", TITLE)
        self._scaled()
        self.connect("notify::scale-factor", lambda _view, _what: self._scaled())
        self.set_tooltip_column(HINT)
        self.set_selection_mode(Gtk.SelectionMode.MULTIPLE)
        for spacing in (self.set_row_spacing, self.set_column_spacing):
            spacing(2)
        self.set_item_padding(4)
        self.get_accessible().set_name(_("Styles"))
        self.get_style_context().add_class("styles")
        self.add_events(Gdk.EventMask.POINTER_MOTION_MASK | Gdk.EventMask.LEAVE_NOTIFY_MASK)
        self.connect("motion-notify-event", self._moved)
        self.connect("leave-notify-event", lambda _view, _event: shelf.point_at(""))
        self.connect("button-press-event", self._pressed)
        self.connect("popup-menu", self._menu_key)

    def _scaled(self) -> None:
        """Thumbnails in the pixels of the screen that they are on."""
        factor = self.get_scale_factor()
        self.clear_attributes(self._picture)
        if factor > 1:
            self._picture.set_property("stock-size", icon_size(THUMB_PX))
        self.add_attribute(self._picture, "pixbuf" if factor == 1 else "gicon", PICTURE)
        self._shelf.draw_for(factor)

    def _key_at(self, event: Any) -> str:
        path = self.get_path_at_pos(int(event.x), int(event.y))
        return "" if path is None else self.get_model()[path][KEY]

    def _moved(self, _view: Any, event: Any) -> bool:
        key = self._key_at(event)
        if key != self._shelf.pointed:
            self._shelf.point_at(key)
        return False

    def on_star(self, x: float, y: float) -> str:
        """The key of the style whose star is at a point of the view; empty for none."""
        path = self.get_path_at_pos(int(x), int(y))
        if path is None:
            return ""
        key = self.get_model()[path][KEY]
        found, cell = self.get_cell_rect(path, self._picture)
        left, top = self.convert_widget_to_bin_window_coords(cell.x, cell.y)
        width, height = self._shelf.picture_size(key)
        right, upper = left + (cell.width + width) / 2, top + (cell.height - height) / 2
        inside = 0 <= right - x <= STAR_PX and 0 <= y - upper <= STAR_PX
        return key if found and inside and self._shelf.can_be_starred(key) else ""

    def _pressed(self, _view: Any, event: Any) -> bool:
        if event.type != Gdk.EventType.BUTTON_PRESS:
            return False
        if event.button == Gdk.BUTTON_SECONDARY:
            return self._open_menu(self._key_at(event), event)
        key = self.on_star(event.x, event.y) if event.button == Gdk.BUTTON_PRIMARY else ""
        if key:
            self._star(key)
        return bool(key)

    def _menu_key(self, _view: Any) -> bool:
        found, path, _cell = self.get_cursor()
        paths = [path] if found else self.get_selected_items()
        return bool(paths) and self._open_menu(self.get_model()[paths[0]][KEY], None)

    def _open_menu(self, key: str, event: Any) -> bool:
        if not self._shelf.can_be_starred(key):
            return False
        favorite = key in self._shelf.favorites
        text = _("Remove from favourites") if favorite else _("Add to favourites")
        item = Gtk.MenuItem(label=text)
        item.connect("activate", lambda _item: self._star(key))
        self._menu = Gtk.Menu(attach_widget=self)
        self._menu.append(item)
        self._menu.show_all()
        if event is None:
            self._menu.popup_at_widget(self, Gdk.Gravity.CENTER, Gdk.Gravity.CENTER, None)
            self._menu.select_first(False)
        else:
            self._menu.popup_at_pointer(event)
        return True
