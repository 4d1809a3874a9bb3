"""What the user has chosen: settings and styles, and how they are kept. Knows nothing of GIMP.

The same JSON object is the memory of the dialog, a preset, an entry of the history, and the note
that a painted layer carries.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from disk.private import plain_json
from disk.regular import file_name
from language.texts import _
from protocol import PREVIEW_PX, EngineError, Settings

MOST_NAME = 200
MOST_ADDRESS = 4096
MOST_STYLES = 32


@dataclass(frozen=True)
class StyleChoice:
    """One style: a file (``uri``) or an open layer (its number), and how it is used.

    ``weight`` is its share in a blend. ``where`` is the name of the channel that says where the
    style is painted, empty for everywhere.
    """

    uri: str = ""
    layer: int = 0
    name: str = ""
    weight: float = 1.0
    where: str = ""

    @property
    def key(self) -> str:
        """What tells styles apart, however they are used."""
        return self.uri or f"layer:{self.layer}"

    def to_dict(self) -> dict[str, Any]:
        """All that a later session can use; the number of a layer means nothing then."""
        kept = {"uri": self.uri, "name": self.name, "weight": self.weight}
        return {**kept, "where": self.where} if self.where else kept


@dataclass(frozen=True)
class Choice:
    """Everything a run needs to know apart from the layer to paint.

    ``hold`` is the name of the channel that says what of the layer stays what it is; empty for
    none.
    """

    settings: Settings = field(default_factory=Settings)
    styles: tuple[StyleChoice, ...] = ()
    hold: str = ""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        files = [style.to_dict() for style in self.styles if style.uri]
        first = files[0]["uri"] if files else None
        kept = {**self.settings.to_dict(), "style": first, "styles": files}
        return {**kept, "hold": self.hold} if self.hold else kept

    @property
    def uris(self) -> set[str]:
        """The addresses of all files."""
        return {style.uri for style in self.styles if style.uri}

    def with_settings(self, values: dict[str, Any]) -> Choice:
        """The same styles with those settings of ``values`` that are valid."""
        return replace(self, settings=self.settings.with_valid(values))


def choice_from(values: Any) -> Choice:
    """The choice in a JSON value, as far as it is valid: old and foreign files do no harm."""
    if not isinstance(values, dict):
        return Choice()
    entries = values.get("styles")
    if not isinstance(entries, list) or not entries:
        entries = [{"uri": values.get("style")}]
    styles = [style_from(entry) for entry in entries[:MOST_STYLES] if isinstance(entry, dict)]
    files = tuple(style for style in styles if style.uri)
    return Choice(Settings().with_valid(values), files, _text(values.get("hold"), MOST_ADDRESS))


def style_from(entry: dict[str, Any]) -> StyleChoice:
    """The style file in a JSON object, as far as it is valid; without an address if that is not."""
    weight = entry.get("weight", 1.0)
    number = isinstance(weight, (int, float)) and 0 < weight <= 100
    uri = _text(entry.get("uri"), MOST_ADDRESS + 1)
    return StyleChoice(
        uri if len(uri) <= MOST_ADDRESS else "",
        name=_text(entry.get("name"), MOST_NAME),
        weight=float(weight) if number else 1.0,
        where=_text(entry.get("where"), MOST_ADDRESS),
    )


def _text(value: Any, most: int) -> str:
    return value[:most] if isinstance(value, str) else ""


def file_stem(uri: str) -> str:
    """The name of a file without its folder and ending."""
    return Path(file_name(uri)).stem


def blend_text(styles: Sequence[StyleChoice]) -> str:
    """Several styles, or one that is not everywhere, as one text; empty if there is no need.

    The number of a layer goes with the process that gave it: GIMP, whose child this one is.
    """
    if not styles or (len(styles) == 1 and not styles[0].where):
        return ""
    entries = [
        {**style.to_dict(), "layer": style.layer, "gimp": os.getppid()}
        if style.layer
        else style.to_dict()
        for style in styles
    ]
    return json.dumps(entries, ensure_ascii=False)


def blend_from(text: str) -> tuple[StyleChoice, ...]:
    """The styles in such a text; raises `EngineError` ("bad-setting", "no-style")."""
    try:
        entries = plain_json(text)
    except ValueError:
        entries = None
    found = entries if isinstance(entries, list) else []
    styles = [_blended(entry) for entry in found[:MOST_STYLES] if isinstance(entry, dict)]
    if not styles or len(styles) != len(found) or not all(s.uri or s.layer for s in styles):
        raise EngineError(
            "bad-setting",
            _("The blend is not a list of styles."),
            _('Write it like this: [{"uri": "file:///a.jpg", "weight": 2}, {"uri": …}]'),
        )
    return tuple(s if s.name else replace(s, name=file_stem(s.uri)) for s in styles)


def _blended(entry: dict[str, Any]) -> StyleChoice:
    style, layer = style_from(entry), entry.get("layer")
    if not isinstance(layer, int) or isinstance(layer, bool) or style.uri:
        return style
    if entry.get("gimp") != os.getppid() or not 0 < layer < 2**31:
        raise EngineError(
            "no-style",
            _("The layer that was the style is not there any more."),
            _("Choose the picture whose style shall be painted."),
        )
    return replace(style, layer=layer)


# --- the quick preview ------------------------------------------------------------------------


def quick(settings: Settings) -> Settings:
    """Cheap settings whose picture predicts that of ``settings``, which may go on from it.

    By the same network, because another one paints its large motifs elsewhere.
    """
    preset = "fast" if settings.preset == "best" else settings.preset
    preset = "draft" if preset == "classic" else preset
    return replace(settings, preset=preset, size=PREVIEW_PX, iterations=0)
