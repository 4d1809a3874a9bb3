"""What a painted layer remembers, as a text that comes with the image, from whomever that is.

It goes wherever the image goes, and so names no folder of this computer: of a style file it keeps
the name and a fingerprint, by which the file is found again where it was chosen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Callable

from choice.choice import MOST_NAME, Choice, StyleChoice, choice_from, style_from
from choice.known import LETTERS, fingerprint
from disk.private import plain_json
from disk.regular import file_name

MOST_TATTOO = 2**32 - 1
MOST_FILES = 32

Finder = Callable[[str, str], str]
"""Where the file of a name and a fingerprint lies here: its address, empty if it is not known."""


@dataclass(frozen=True)
class Made:
    """What a painting was made from: the layer's tattoo (0 if that is unknown), name and size.

    ``subject`` is the name of the layer that was painted first, if that one is a painting itself.
    """

    tattoo: int = 0
    name: str = ""
    size: tuple[int, int] = (0, 0)
    subject: str = ""


@dataclass(frozen=True)
class Note:
    """The choice a layer was painted with, as far as a file tells, and what it was ``made`` from;
    ``lost`` are the names of style files that are not known here, ``layers`` those of styles that
    were layers, which nothing remembers.
    """

    choice: Choice
    made: Made = Made()
    layers: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def note_text(choice: Choice, made: Made) -> str:
    """The note as a text."""
    kept: dict[str, Any] = choice.to_dict()
    del kept["style"]
    kept["styles"] = [_without_folder(style) for style in choice.styles if style.uri]
    kept["painted-layer"] = made.tattoo
    kept["painted-name"], kept["painted-size"] = made.name[:MOST_NAME], list(made.size)
    kept["subject"] = made.subject[:MOST_NAME]
    layers = [style.name for style in choice.styles if style.layer]
    return json.dumps({**kept, "layers": layers} if layers else kept)


def _without_folder(style: StyleChoice) -> dict[str, Any]:
    kept = style.to_dict()
    name = file_name(kept.pop("uri")).encode("utf-8", "replace").decode()
    return {"file": name, "print": fingerprint(style.uri), **kept}


def _nowhere(_file: str, _key: str) -> str:
    return ""


def note_from(text: str, find: Finder = _nowhere) -> Note:
    """The note in a text, as far as it is valid. Raises ValueError if it is none at all.

    ``find`` tells where its style files lie. A note of an earlier version names addresses, which
    are taken as they are.
    """
    values = plain_json(text)
    if not isinstance(values, dict):
        raise ValueError("not a note")
    entries = values.get("styles")
    if isinstance(entries, list):
        entries = [_found(entry, find) for entry in entries[:MOST_FILES] if isinstance(entry, dict)]
        values = {**values, "styles": entries, "style": None}
    lost = [_name(entry) for entry in entries or () if not entry.get("uri")]
    return Note(choice_from(values), _made(values), _names(values.get("layers")), tuple(lost))


def _found(entry: dict[str, Any], find: Finder) -> dict[str, Any]:
    file, key = entry.get("file"), entry.get("print")
    if entry.get("uri") or not isinstance(file, str) or not isinstance(key, str):
        return entry
    return {**entry, "uri": find(file[:MOST_NAME], key[:LETTERS])}


def _name(entry: dict[str, Any]) -> str:
    style = style_from(entry)
    file = entry.get("file")
    return style.name or (file[:MOST_NAME] if isinstance(file, str) else "")


def _names(value: Any) -> tuple[str, ...]:
    texts = [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
    return tuple(name[:MOST_NAME] for name in texts[:MOST_FILES])


def _made(values: dict[str, Any]) -> Made:
    made, subject = Made(), values.get("subject")
    tattoo, name, size = (values.get(f"painted-{each}") for each in ("layer", "name", "size"))
    if isinstance(subject, str):
        made = replace(made, subject=subject[:MOST_NAME])
    if isinstance(tattoo, int) and _is_whole(tattoo) and 0 < tattoo <= MOST_TATTOO:
        made = replace(made, tattoo=tattoo)
    if isinstance(name, str):
        made = replace(made, name=name[:MOST_NAME])
    if isinstance(size, list) and len(size) == 2 and all(map(_is_whole, size)):
        made = replace(made, size=(size[0], size[1]))
    return made


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
