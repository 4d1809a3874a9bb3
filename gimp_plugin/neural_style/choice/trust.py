"""Which files may be read without asking: those that the user has chosen on this computer.

A note comes with an image, from whomever that is; it may name any file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from choice.choice import StyleChoice
from choice.kept import Favorites, Folders, Recent
from choice.known import Known, fingerprint
from choice.styles import SHIPPED, TITLES, at_hand
from disk.regular import file_name, is_regular, local_path


class Chosen:
    """What was chosen here: ``own`` is the folder in which the user's lists are kept."""

    def __init__(self, own: Path) -> None:
        self.folders = Folders(own / "style-folders.json")
        self.recent = Recent(own / "recent-styles.json")
        self.favorites = Favorites(own / "favorite-styles.json")
        self.known = Known(own / "known-styles.json")

    def knows(self, style: StyleChoice) -> bool:
        """Whether the style is a layer, comes along, was starred or used before (in a call of the
        user's own scripts, too), or lies in the user's folders."""
        if style.layer:
            return True
        path = local_path(at_hand(style.uri))
        if path is None:
            return False
        folders = {os.path.abspath(folder) for folder in (SHIPPED, *self.folders.read())}
        used = {*self.recent.uris(), *self.favorites.uris(), *self.known.uris()}
        return style.uri in used or os.path.abspath(path.parent) in folders

    def find(self, file: str, key: str) -> str:
        """Where the file of this name and fingerprint lies, as far as it was chosen here, or came
        along; empty if there is none.
        """
        name = os.path.basename(file)
        shipped = (SHIPPED / name).as_uri() if Path(name).stem in TITLES else ""
        if not key:
            return shipped if is_regular(shipped) else ""
        known = self.known.find(key)
        if known:
            return known
        recent = [uri for uri in self.recent.uris() if file_name(uri) == name]
        own = [(folder / name).as_uri() for folder in self.folders.read() if folder.is_absolute()]
        found = [uri for uri in (*recent, *own, shipped) if fingerprint(uri) == key]
        # One that came along may look a little different in another version.
        return found[0] if found else shipped if is_regular(shipped) else ""

    def used(self, styles: Iterable[StyleChoice]) -> None:
        """Remembers what the user has painted with, and lists it."""
        uris = [style.uri for style in styles if style.uri]
        self.recent.add(uris)
        self.known.add(uris)

    def called(self, styles: Iterable[StyleChoice]) -> None:
        """Remembers what a call has painted with, which nobody wants listed."""
        self.known.add([style.uri for style in styles if style.uri])


def is_there(style: StyleChoice) -> bool:
    """Whether a style can be read: a layer, or a regular file on this computer."""
    return bool(style.layer) or is_regular(style.uri)
