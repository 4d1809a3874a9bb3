"""What a painted layer remembers: its name, settings and styles."""

from __future__ import annotations

from collections.abc import Sequence

from gi.repository import Gimp

from choice.choice import Choice, StyleChoice, file_stem
from choice.note import note_text

NOTE = "neural-style-settings"


def _attach(layer: Gimp.Layer, note: str) -> None:
    """Before the layer is in its image, so that it is no step of its own to undo."""
    if note:
        data = note.encode()
        layer.attach_parasite(Gimp.Parasite.new(NOTE, Gimp.PARASITE_PERSISTENT, data))


def note_of(layer: Gimp.Item) -> str:
    """The note that a painted layer carries; empty if it has none."""
    parasite = layer.get_parasite(NOTE)
    return bytes(parasite.get_data()).decode("utf-8", "replace") if parasite else ""


NAME_PART = " – style: "
MOST_LETTERS = 200


def result_name(layer: str, styles: Sequence[StyleChoice]) -> str:
    """The name of the new layer; that of a layer which is a result itself does not grow."""
    names = " + ".join(style.name or file_stem(style.uri) for style in styles)
    name = f"{layer.split(NAME_PART)[0]}{NAME_PART}{names[:MOST_LETTERS]}"
    return name.encode("utf-8", "replace").decode()  # a file's name may be no text


def style_note(choice: Choice, layer: Gimp.Layer) -> str:
    """What a painted layer tells about itself: the choice, and the layer it was made from."""
    tattoo = layer.get_tattoo() if layer.is_valid() else 0
    return note_text(choice, tattoo)
