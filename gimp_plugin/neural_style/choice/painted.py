"""What a picture file tells of how it was painted, as a choice of this computer's styles."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from choice.choice import Choice
from choice.styles import SHIPPED, choice_of, pictures_in
from choice.trust import Chosen
from dataclasses import replace
from disk.regular import local_path, open_regular
from protocol import PaintedStyle, Settings, painting_in

PIECE = 1 << 20


def choice_in(path: Path, chosen: Chosen, now: Settings) -> tuple[Choice, tuple[str, ...]] | None:
    """What the file was painted with, and the names of those of its styles that are not at hand.

    None if it does not say. The file may come from anybody: its settings are checked, and its
    styles are the very same files among those that were chosen on this computer, whatever else
    their names say. The device stays as it is ``now``. Raises OSError.
    """
    with open_regular(path) as file:
        painting = painting_in(file)
    if painting is None:
        return None
    settings = replace(painting.settings, device=now.device)
    found = {style: _at_hand(style, chosen) for style in painting.styles}
    there = [replace(choice_of(at), weight=s.weight) for s, at in found.items() if at is not None]
    return Choice(settings, tuple(there)), tuple(s.name for s, at in found.items() if at is None)


def _at_hand(style: PaintedStyle, chosen: Chosen) -> Path | None:
    for path in _files(chosen):
        if path.name == style.name:
            with contextlib.suppress(OSError):
                if _digest(path) == style.sha256:
                    return path
    return None


def _files(chosen: Chosen) -> Iterator[Path]:
    for folder in (SHIPPED, *chosen.folders.read()):
        yield from pictures_in(folder)
    for uri in chosen.recent.uris():
        path = local_path(uri)
        if path is not None:
            yield path


def _digest(path: Path) -> str:
    summed = hashlib.sha256()
    with open_regular(path) as file:
        while piece := file.read(PIECE):
            summed.update(piece)
    return summed.hexdigest()
