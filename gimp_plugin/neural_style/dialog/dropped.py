"""A painted file dropped on the picture: the dialog takes over what it was painted with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from gi.repository import Gdk, Gio, Gtk

from choice.painted import choice_in
from choice.trust import Chosen
from dataclasses import replace
from language.texts import _, shown


class Dropped:
    """Takes files that are dropped on the picture; calls ``changed`` if one says anything."""

    def __init__(self, window: Any, chosen: Chosen, changed: Callable[[], None]) -> None:
        self._window, self._chosen, self._changed = window, chosen, changed
        window.pane.drag_dest_set(Gtk.DestDefaults.ALL, [], Gdk.DragAction.COPY)
        window.pane.drag_dest_add_uri_targets()
        window.pane.connect("drag-data-received", self._received)

    def _received(self, _widget: Any, _context: Any, _x: int, _y: int, data: Any, *_: Any) -> None:
        # What a desktop has mounted has a path of its own.
        paths = [Gio.File.new_for_uri(uri).get_path() for uri in data.get_uris()]
        for path in [p for p in paths if p][:1]:
            self.take(Path(path))

    def take(self, path: Path) -> None:
        """Takes over what a file was painted with, or says that it does not tell."""
        window, choice = self._window, self._window.get_choice()
        try:
            found = choice_in(path, self._chosen, choice.settings)
        except OSError as error:
            text = _("“{file}” could not be read: {reason}.")
            reason = error.strerror or str(error)
            window.problem.say(shown(text.format(file=path.name, reason=reason)))
            return
        if found is None:
            text = _("“{file}” does not say how it was painted.")
            window.problem.say(shown(text.format(file=path.name)))
            return
        new, missing = found
        styles = new.styles or choice.styles
        window.set_choice(replace(new, styles=styles, hold=choice.hold))
        window.problem.hide_it()
        if missing:
            names = ", ".join(f"“{name}”" for name in missing)
            text = _(
                "Its settings are taken over, but these styles are not on the list: {names}. "
                "Add them with File… or Folder…."
            )
            window.problem.say(shown(text.format(names=names)))
        self._changed()
