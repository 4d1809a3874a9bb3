"""What a painted layer remembers, as a text that comes with the image, from whomever that is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from choice.choice import MOST_NAME, Choice, choice_from
from disk.private import plain_json

MOST_TATTOO = 2**32 - 1


@dataclass(frozen=True)
class Note:
    """The choice a layer was painted with, as far as a file tells; ``painted_layer`` is the tattoo
    of the layer it was made from, 0 if that is unknown; ``layers`` are the names of styles that
    were layers, which nothing remembers.
    """

    choice: Choice
    painted_layer: int = 0
    layers: tuple[str, ...] = ()


def note_text(choice: Choice, painted_layer: int) -> str:
    """The note as a text."""
    kept: dict[str, Any] = {**choice.to_dict(), "painted-layer": painted_layer}
    layers = [style.name for style in choice.styles if style.layer]
    return json.dumps({**kept, "layers": layers} if layers else kept)


def note_from(text: str) -> Note:
    """The note in a text, as far as it is valid. Raises ValueError if it is none at all."""
    values = plain_json(text)
    if not isinstance(values, dict):
        raise ValueError("not a note")
    tattoo, names = values.get("painted-layer"), values.get("layers")
    if not isinstance(tattoo, int) or isinstance(tattoo, bool) or not 0 < tattoo <= MOST_TATTOO:
        tattoo = 0
    texts = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    layers = tuple(name[:MOST_NAME] for name in texts)
    return Note(choice_from(values), tattoo, layers)
