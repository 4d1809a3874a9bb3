"""The user's photos in their styles, as thumbnails, kept from one use to the next."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from gi.repository import GdkPixbuf, GLib

from disk.private import write_bytes
from disk.regular import local_path, read_regular

MOST_FILES, MOST_BYTES = 1000, 1 << 20
RECIPE = "2"
"""Another one when samples come to look different."""


class SampleStore:
    """Thumbnails in a folder of their own, by what tells a photo apart and by the style's file.

    The names of the files tell nothing of either.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, photo: str, style: str) -> GdkPixbuf.Pixbuf | None:
        """The photo in the style at this address, if it is there."""
        place = self._place(photo, style)
        if place is None:
            return None
        loader = GdkPixbuf.PixbufLoader()
        try:
            loader.write(read_regular(place, MOST_BYTES))
            loader.close()
        except (OSError, GLib.Error):
            with contextlib.suppress(GLib.Error):
                loader.close()
            return None
        return loader.get_pixbuf()

    def write(self, photo: str, style: str, picture: GdkPixbuf.Pixbuf) -> None:
        """Keeps it; those kept longest make room."""
        place = self._place(photo, style)
        if place is None:
            return
        done, data = picture.save_to_bufferv("png", [], [])
        if done:
            write_bytes(place, bytes(data))
            for old in self._by_age()[MOST_FILES:]:
                self._remove(old)

    def clear(self) -> None:
        """Forgets all."""
        for each in self._by_age():
            self._remove(each)

    def _by_age(self) -> list[Path]:
        """All files, the youngest first."""
        with contextlib.suppress(OSError):
            files = [entry for entry in os.scandir(self._folder) if entry.is_file()]
            files.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
            return [Path(entry.path) for entry in files]
        return []

    @staticmethod
    def _remove(path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()

    def _place(self, photo: str, style: str) -> Path | None:
        path = local_path(style)
        try:
            found = os.stat(path) if path is not None else None
        except OSError:
            found = None
        if found is None:
            return None
        about = "\0".join((RECIPE, photo, style, str(found.st_size), str(found.st_mtime_ns)))
        name = hashlib.sha256(about.encode("utf-8", "surrogateescape")).hexdigest()[:40]
        return self._folder / f"{name}.png"
