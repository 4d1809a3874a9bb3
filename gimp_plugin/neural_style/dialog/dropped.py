"""A painted file dropped on the picture: the dialog takes over what it was painted with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

from gi.repository import Gdk, Gio, Gtk

from choice.note import Note, note_from
from dialog.catalog import Catalog
from disk.regular import open_regular
from language.texts import _, shown
from protocol import painted_text


class Dropped:
    """Takes files that are dropped on the picture; calls ``changed`` if one says anything."""

    def __init__(self, window: Any, catalog: Catalog, changed: Callable[[], None]) -> None:
        self._window, self._catalog, self._changed = window, catalog, changed
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
        try:
            note = self._note(path)
        except OSError as error:
            text = _("“{file}” could not be read: {reason}.")
            reason = error.strerror or str(error)
            self._window.problem.say(shown(text.format(file=path.name, reason=reason)))
        except ValueError:
            text = _("“{file}” does not say how it was painted.")
            self._window.problem.say(shown(text.format(file=path.name)))
        else:
            self._show(note)

    def _note(self, path: Path) -> Note:
        with open_regular(path) as file:
            return note_from(painted_text(file) or "", self._catalog.chosen.find)

    def _show(self, note: Note) -> None:
        """The file may come from anybody: no style is read that was not chosen on this computer,
        and where to compute is no matter of looks."""
        window, now = self._window, self._window.get_choice()
        there = self._catalog.present(note.choice).styles
        styles = tuple(style for style in there if self._catalog.chosen.knows(style))
        settings = replace(note.choice.settings, device=now.settings.device)
        window.set_choice(replace(now, settings=settings, styles=styles or now.styles))
        window.problem.hide_it()
        if note.lost:
            names = ", ".join(f"“{name}”" for name in note.lost)
            text = _(
                "Its settings are taken over, but these styles are not on the list: {names}. "
                "Add them with File… or Folder…."
            )
            window.problem.say(shown(text.format(names=names)))
        self._changed()
