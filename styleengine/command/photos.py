"""Which photos a command line means, and where the paintings of several go."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from styleengine.protocol import EngineError

SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))
"""What a name that ends with one of them means is a folder."""


@dataclass(frozen=True)
class Photos:
    """The files; ``several`` says that a folder or a pattern was named, or more than one file."""

    files: tuple[Path, ...]
    several: bool


def named(words: Sequence[str]) -> Photos:
    """The photos that ``words`` name: files, folders for all pictures in them, and patterns.

    What is there by that very name is meant itself, whatever signs it holds. Every file comes once.
    Raises `EngineError` ("no-such-file") where a folder is not there, or holds no picture, and
    where a pattern names none.
    """
    found: dict[str, Path] = {}
    several = len(words) > 1
    for word in words:
        if os.path.isdir(word):
            files, several = _pictures(Path(word)), True
        elif not os.path.lexists(word) and glob.has_magic(word):
            found_here = (Path(f) for f in glob.glob(word, recursive=True) if os.path.isfile(f))
            files = sorted(found_here, key=_in_order)
            several = True
        else:
            if word.endswith(SEPARATORS):
                text = "There is no folder “{name}”."
                raise EngineError("no-such-file", text, "Check the name.", name=word)
            files = [Path(word)] if word else []
        if not files:
            raise EngineError(
                "no-such-file",
                "There is no picture that “{name}” names.",
                "Check the name and the folder.",
                name=word,
            )
        for file in files:
            found.setdefault(os.path.realpath(file), file)
    return Photos(tuple(found.values()), several)


def _in_order(path: Path) -> list[tuple[str, int]]:
    """What sorts files as people count: 9 before 10."""
    parts = re.findall(r"(\D*)(\d*)", str(path))
    return [(text, int(number or -1)) for text, number in parts]


def _pictures(folder: Path) -> list[Path]:
    from styleengine.pictures.decoding import SUFFIXES

    try:
        found = sorted(folder.iterdir(), key=_in_order)
    except OSError as error:
        reason = error.strerror or str(error)
        text = "The folder “{name}” could not be read: {reason}."
        raise EngineError("cannot-read", text, name=folder, reason=reason) from error
    return [
        path
        for path in found
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]


def places(photos: Sequence[Path], folder: Path) -> list[Path]:
    """Where the painting of each photo goes in ``folder``: under its own name.

    A photo of a format that is not written becomes a PNG. Of the same names from several folders
    the second gets a number, and always the same. Raises `EngineError` ("cannot-write") where a
    painting would take the place of a photo.
    """
    from styleengine.pictures.saving import WRITTEN

    taken: set[str] = set()
    found = []
    for photo in photos:
        suffix = photo.suffix if photo.suffix.lower() in WRITTEN else ".png"
        name, number = f"{photo.stem}{suffix}", 2
        while name.casefold() in taken:  # one and the same on some systems
            name, number = f"{photo.stem}-{number}{suffix}", number + 1
        taken.add(name.casefold())
        found.append(folder / name)
    own = {os.path.realpath(photo) for photo in photos}
    for place in found:
        if os.path.realpath(place) in own:
            raise EngineError(
                "cannot-write",
                "“{name}” would be written over a photo.",
                "Choose another folder with -o.",
                name=place,
            )
    return found
