"""Thumbnails of picture files."""

from __future__ import annotations

import queue
import threading
from typing import Any, Callable

from gi.repository import GdkPixbuf, GLib

from disk.regular import is_regular, local_path

THUMB_PX = 84
FINE_PX = 2 * THUMB_PX
"""Pixels that thumbnails are kept with: as many as a screen has for them at 200 %."""


class Thumbnails:
    """Makes thumbnails in a thread, because a large picture takes a while to decode."""

    def __init__(self) -> None:
        self._wanted: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._work, daemon=True).start()

    def make(self, uri: str, made: Callable[[GdkPixbuf.Pixbuf], None]) -> None:
        """Calls ``made`` from the main loop with the thumbnail, if there is one."""
        self._wanted.put((uri, made))

    def _work(self) -> None:
        while True:
            uri, made = self._wanted.get()
            picture = decoded(uri, FINE_PX, FINE_PX * 3 // 4)
            if picture is not None:
                GLib.idle_add(lambda done=made, result=picture: done(result) and False)


def decoded(uri: str, width: int, height: int) -> GdkPixbuf.Pixbuf | None:
    """A picture file, upright, within so many pixels; None if GTK cannot read it."""
    if not is_regular(uri):
        return None
    try:
        picture = GdkPixbuf.Pixbuf.new_from_file_at_scale(str(local_path(uri)), width, height, True)
    except (GLib.Error, ValueError):
        return None  # a kind of picture that only the engine can read
    return picture.apply_embedded_orientation() or picture
