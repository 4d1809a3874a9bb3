"""Which files may be read without asking: those that the user has chosen on this computer.

A note comes with an image, from whomever that is; it may name any file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from choice.choice import StyleChoice
from choice.kept import Folders, Recent
from choice.styles import SHIPPED, at_hand
from disk.regular import is_regular, local_path


class Chosen:
    """What was chosen here: ``own`` is the folder in which the user's lists are kept."""

    def __init__(self, own: Path) -> None:
        self.folders = Folders(own / "style-folders.json")
        self.recent = Recent(own / "recent-styles.json")
        self._called = Recent(own / "called-styles.json")

    def knows(self, style: StyleChoice) -> bool:
        """Whether the style is a layer, comes along, was used before (in a call of the user's own
        scripts, too), or lies in the user's folders."""
        if style.layer:
            return True
        path = local_path(at_hand(style.uri))
        if path is None:
            return False
        folders = {os.path.abspath(folder) for folder in (SHIPPED, *self.folders.read())}
        used = (*self.recent.uris(), *self._called.uris())
        return style.uri in used or os.path.abspath(path.parent) in folders

    def used(self, styles: Iterable[StyleChoice]) -> None:
        """Remembers what the user has painted with, and lists it."""
        self.recent.add([style.uri for style in styles if style.uri])

    def called(self, styles: Iterable[StyleChoice]) -> None:
        """Remembers what a call has painted with, which nobody wants listed."""
        new = [style.uri for style in styles if style.uri and not self.knows(style)]
        if new:
            self._called.add(new)


def is_there(style: StyleChoice) -> bool:
    """Whether a style can be read: a layer, or a regular file on this computer."""
    return bool(style.layer) or is_regular(style.uri)
