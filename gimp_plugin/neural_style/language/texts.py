"""The texts in the user's language: gettext catalogues beside the plug-in. Knows nothing of GIMP.

The catalogues are ``po/<language>.po``; they are compiled in memory as they are read, so that
neither the installer nor a translator needs any tool.
"""

from __future__ import annotations

import ast
import gettext
import io
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

MOST_NAME = 80
"""Characters of a name: of a style, a network, a device."""
MOST_SHOWN = 600
"""Characters of a text that a dialog still has room for."""
FOLDER = Path(__file__).resolve().parent / "po"

_catalogue: gettext.NullTranslations = gettext.NullTranslations()


def use(languages: Iterable[str]) -> None:
    """Takes the first catalogue there is for ``languages`` ("de_AT.UTF-8", "de", …), best first."""
    global _catalogue
    _catalogue = gettext.NullTranslations()
    for language in languages:
        name = language.split(".")[0].split("@")[0]
        if name in ("C", "POSIX") or name.split("_")[0] == "en":
            return
        for candidate in (name, name.split("_")[0]):
            path = FOLDER / f"{candidate}.po"
            if path.is_file():
                _catalogue = catalogue(read_po(path.read_text(encoding="utf-8")))
                return


def _(text: str) -> str:
    """``text`` in the user's language."""
    return _catalogue.gettext(text) if text else ""


def found_in_english(text: str, label: str) -> str:
    """``text``, what a translated menu entry does, with the entry's English ``label`` at its end.

    Tutorials call it by that, and GIMP's search looks through labels and these texts alone.
    """
    if _(label) == label:
        return text
    return f"{text} ({label.replace('_', '').rstrip('…')})"


def N_(text: str) -> str:
    """Marks a text that is translated later, where it is shown."""
    return text


def shown(text: str, most: int = MOST_SHOWN) -> str:
    """A text of any origin as GTK and GIMP take it: whole characters only, and no end of them."""
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
    return text if len(text) <= most else text[: most - 1] + "…"


def read_po(source: str) -> dict[str, str]:
    """The messages of a .po file: text to translation. Untranslated and fuzzy ones are left out."""
    messages: dict[str, str] = {}
    entry = {"msgid": "", "msgstr": ""}
    field, fuzzy = "", False
    for line in [*source.splitlines(), ""]:
        line = line.strip()
        if not line:
            if entry["msgstr"] and not fuzzy:
                messages[entry["msgid"]] = entry["msgstr"]
            entry, field, fuzzy = {"msgid": "", "msgstr": ""}, "", False
        elif line.startswith("#"):
            fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
        else:
            if not line.startswith('"'):
                field, line = line.split(None, 1)
            entry[field] = entry.get(field, "") + ast.literal_eval(line)
    return messages


def catalogue(messages: Mapping[str, str]) -> gettext.GNUTranslations:
    """The compiled catalogue of ``messages``, in the format of GNU's .mo files."""
    entries = sorted((key.encode(), value.encode()) for key, value in messages.items())
    count, start = len(entries), 28
    texts = b""
    tables: tuple[list[int], list[int]] = ([], [])
    offset = start + 16 * count
    for column in (0, 1):
        for entry in entries:
            tables[column].extend((len(entry[column]), offset + len(texts)))
            texts += entry[column] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, count, start, start + 8 * count, 0, offset)
    numbers = struct.pack(f"<{4 * count}I", *tables[0], *tables[1])
    return gettext.GNUTranslations(io.BytesIO(head + numbers + texts))
