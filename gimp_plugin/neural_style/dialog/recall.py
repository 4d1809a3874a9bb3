"""Taking over what a layer, or an earlier dialog, remembers. No file is read for it unasked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

from choice.note import Note
from choice.styles import at_hand
from dialog.catalog import Catalog
from disk.private import put_aside
from disk.regular import local_path
from language.texts import _, shown


def recall(note: Note, window: Any, catalog: Catalog, changed: Callable[[], None]) -> None:
    """Shows what a note says. It comes from whomever the image comes from: no file that was not
    chosen on this computer is read before the user agrees, and then ``changed`` is called.
    """
    there = catalog.present(note.choice)
    known = tuple(style for style in there.styles if catalog.chosen.knows(style))
    window.set_choice(replace(there, styles=known))
    files = [style for style in note.choice.styles if style.uri]
    gone = [style.name or style.uri for style in files if at_hand(style.uri) not in there.uris]
    left = (*gone, *note.lost, *note.layers)
    if left:
        names = ", ".join(f"“{name}”" for name in left)
        text = _("Styles that are not there any more are left out: {names}.")
        window.problem.say(shown(text.format(names=names)))
    if len(known) < len(there.styles):
        strange = [style for style in there.styles if style not in known]
        paths = ", ".join(str(local_path(style.uri)) for style in strange)
        text = _("This layer names pictures that were not chosen on this computer: {files}.")

        def agreed() -> None:
            window.set_choice(replace(window.get_choice(), styles=there.styles))
            changed()

        window.ask(shown(text.format(files=paths)), agreed)


def tell_what_was_put_aside(window: Any) -> None:
    """Says which of the user's own files could not be read."""
    lines = [
        _("“{file}” could not be read. It is put aside as “{other}”.").format(
            file=path.name.rsplit(".unreadable-", 1)[0], other=path
        )
        for path in put_aside()
    ]
    if lines:
        window.problem.say("\n".join(lines))
