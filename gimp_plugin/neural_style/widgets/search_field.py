"""The field that searches a view of styles, with the keyboard alone if need be."""

from __future__ import annotations

from typing import Any, Callable

from gi.repository import Gdk, Gtk

from language.texts import _


class SearchField(Gtk.SearchEntry):
    """``searched`` is called when the words are others, ``take`` at Return. Escape takes the words
    away, and then goes back to the view, as the arrow down does.
    """

    def __init__(self, searched: Callable[[], None], take: Callable[[], None]) -> None:
        super().__init__(placeholder_text=_("Search"))
        self._view: Any = None
        self.get_accessible().set_name(_("Search the styles"))
        self.connect("changed", lambda _field: searched())
        self.connect("activate", lambda _field: take())
        self.connect("stop-search", self._end)
        self.connect("key-press-event", self._key)

    def listen_to(self, view: Gtk.Widget) -> None:
        """Letters that are typed while ``view`` has the keyboard are searched for."""
        self._view = view
        view.connect("key-press-event", self._typed)

    def leave(self) -> bool:
        """Escape, if it is meant for the field; False if the keyboard is elsewhere."""
        if self.has_focus():
            self._end(self)
            return True
        return False

    def _end(self, _field: Any) -> None:
        if self.get_text():
            self.set_text("")
        else:
            self._view.grab_focus()

    def _key(self, _field: Any, event: Any) -> bool:
        if event.keyval in (Gdk.KEY_Down, Gdk.KEY_KP_Down):
            self._view.grab_focus()
            return True
        return False

    def _typed(self, _view: Any, event: Any) -> bool:
        letter = Gdk.keyval_to_unicode(event.keyval)
        held = event.state & (Gdk.ModifierType.CONTROL_MASK | Gdk.ModifierType.MOD1_MASK)
        if held or letter <= ord(" ") or not chr(letter).isprintable():
            return False
        self.grab_focus_without_selecting()
        return bool(self.handle_event(event))
