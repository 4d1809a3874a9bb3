"""The last results as thumbnails in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable

from gi.repository import Gdk, GdkPixbuf, Gtk

from language.texts import _
from widgets.device_pixels import image

THUMB_PX = 56
MOST_PX = 300  # then they scroll


@dataclass(frozen=True)
class Thumbnail:
    """A result: the caller's own object, a picture, a description. ``is_whole``: it can be inserted
    again; ``is_seen``: it is what the dialog shows; ``is_compared``: others are compared with it.
    """

    entry: Any
    picture: GdkPixbuf.Pixbuf
    text: str
    is_whole: bool = True
    is_seen: bool = False
    is_compared: bool = False


class HistoryBar(Gtk.Box):
    """Results, newest first. A click shows one; the right button, or the menu key, opens a menu.
    ``act`` gets what was chosen and the entry.
    """

    def __init__(self, act: Callable[[str, Any], None]) -> None:
        super().__init__(spacing=4, no_show_all=True)
        self._act = act
        self._box = Gtk.Box(spacing=4)
        frame = Gtk.ScrolledWindow()
        frame.set_policy(Gtk.PolicyType.AUTOMATIC, Gtk.PolicyType.NEVER)
        frame.set_propagate_natural_width(True)
        frame.set_max_content_width(MOST_PX)
        frame.add(self._box)
        self._label = Gtk.Label(label=_("Results"))
        self.pack_start(self._label, False, False, 0)
        self.pack_start(frame, True, True, 0)

    def show_entries(self, entries: Sequence[Thumbnail]) -> None:
        """Shows results in place of those before."""
        focused = [each.is_focus() for each in self._box.get_children()]
        for child in self._box.get_children():
            child.destroy()
        for each in entries:
            self._box.pack_start(self._button(each), False, False, 0)
        self._box.show_all()
        for widget in (self._label, self._box.get_parent().get_parent(), self):
            widget.show()
        self._box.get_parent().show()
        self.set_visible(bool(entries))
        buttons = self._box.get_children()
        if True in focused and buttons:
            buttons[min(focused.index(True), len(buttons) - 1)].grab_focus()

    def _button(self, thumbnail: Thumbnail) -> Gtk.Button:
        seen = thumbnail.is_seen
        button = Gtk.Button(relief=Gtk.ReliefStyle.NORMAL if seen else Gtk.ReliefStyle.NONE)
        button.set_image(image(thumbnail.picture, THUMB_PX, self.get_scale_factor()))
        hint = _("Click to see it; right click for more")
        button.set_tooltip_text(f"{thumbnail.text}\n{hint}")
        button.get_accessible().set_name(thumbnail.text)
        menu = self._menu(thumbnail)
        menu.attach_to_widget(button, None)

        def pressed(_button: Gtk.Button, event: Any) -> bool:
            if event.button != Gdk.BUTTON_SECONDARY:
                return False
            menu.popup_at_pointer(event)
            return True

        def asked(_button: Gtk.Button) -> bool:
            menu.popup_at_widget(button, Gdk.Gravity.NORTH_WEST, Gdk.Gravity.SOUTH_WEST, None)
            return True

        button.connect("clicked", lambda _button: self._act("show", thumbnail.entry))
        button.connect("button-press-event", pressed)
        button.connect("popup-menu", asked)
        return button

    def _menu(self, thumbnail: Thumbnail) -> Gtk.Menu:
        menu = Gtk.Menu()
        for name, label in (
            ("show", _("_Show")),
            ("use", _("_Use these settings")),
            ("insert", _("_Insert again")),
            ("compare", _("_Compare with this")),
            ("forget", _("_Forget")),
        ):
            if name == "compare":
                item = Gtk.CheckMenuItem(label=label, use_underline=True)
                item.set_active(thumbnail.is_compared)
                item.set_tooltip_text(_("Shows this one wherever the original would be shown"))
            else:
                item = Gtk.MenuItem(label=label, use_underline=True)
            item.set_sensitive(name != "insert" or thumbnail.is_whole)
            item.connect("activate", self._chosen, name, thumbnail.entry)
            menu.append(item)
        menu.show_all()
        return menu

    def _chosen(self, _item: Gtk.MenuItem, action: str, entry: Any) -> None:
        self._act(action, entry)
