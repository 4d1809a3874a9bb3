"""What a painted layer remembers: its name, settings and styles."""

from __future__ import annotations

from collections.abc import Sequence

from gi.repository import Gimp

from choice.choice import Choice, StyleChoice
from choice.note import Made, note_from, note_text
from choice.styles import called

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


def made_of(layer: Gimp.Item) -> Made | None:
    """What the layer's note says it was made from; None if it is no painting."""
    try:
        return note_from(note_of(layer)).made
    except ValueError:
        return None


def subject_name(layer: Gimp.Layer) -> str:
    """The layer's name; of a painting that of what was painted first."""
    made = made_of(layer)
    return made.subject if made and made.subject else layer.get_name()


MOST_LETTERS = 200


def result_name(subject: str, styles: Sequence[StyleChoice], remark: str = "") -> str:
    """The name of the new layer: the style before what was painted, for GIMP's list is narrow; a
    ``remark`` in brackets, if there is one.
    """
    names = " + ".join(called(style) for style in styles)[:MOST_LETTERS]
    name = f"{names} ({remark}) – {subject}" if remark else f"{names} – {subject}"
    return name.encode("utf-8", "replace").decode()  # a file's name may be no text


def style_note(choice: Choice, layer: Gimp.Layer) -> str:
    """What a painted layer tells about itself: the choice, and the layer it was made from."""
    if not layer.is_valid():
        return note_text(choice, Made())
    size = layer.get_width(), layer.get_height()
    return note_text(choice, Made(layer.get_tattoo(), layer.get_name(), size, subject_name(layer)))
