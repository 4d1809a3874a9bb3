"""What the user has chosen: settings and styles, and how they are kept. Knows nothing of GIMP.

The same JSON object is the memory of the dialog, a preset, an entry of the history, and the note
that a painted layer carries.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from protocol import EngineError, Settings
from texts import _

MOST_RECENT = 24


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
    """Everything a run needs to know apart from the layer to paint."""

    settings: Settings = field(default_factory=Settings)
    styles: tuple[StyleChoice, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        files = [style.to_dict() for style in self.styles if style.uri]
        first = files[0]["uri"] if files else None
        return {**self.settings.to_dict(), "style": first, "styles": files}

    def with_settings(self, values: dict[str, Any]) -> Choice:
        """The same styles with those settings of ``values`` that are valid."""
        return replace(self, settings=valid_settings(values, self.settings))


def valid_settings(values: dict[str, Any], start: Settings | None = None) -> Settings:
    """``start`` (the defaults) with all of ``values`` that are known and valid."""
    settings = start or Settings()
    for each in fields(Settings):
        if each.name in values:
            with contextlib.suppress(EngineError):
                value = getattr(Settings.from_dict({each.name: values[each.name]}), each.name)
                settings = replace(settings, **{each.name: value})
    return settings


def choice_from(values: Any) -> Choice:
    """The choice in a JSON value, as far as it is valid: old and foreign files do no harm."""
    if not isinstance(values, dict):
        return Choice()
    entries = values.get("styles")
    if not isinstance(entries, list) or not entries:
        entries = [{"uri": values.get("style")}]
    styles = []
    for entry in entries:
        uri = entry.get("uri") if isinstance(entry, dict) else None
        if not isinstance(uri, str) or not uri:
            continue
        name, where, weight = entry.get("name"), entry.get("where"), entry.get("weight", 1.0)
        number = isinstance(weight, (int, float)) and 0 < weight <= 100
        styles.append(
            StyleChoice(
                uri,
                name=name if isinstance(name, str) else "",
                weight=float(weight) if number else 1.0,
                where=where if isinstance(where, str) else "",
            )
        )
    return Choice(valid_settings(values), tuple(styles))


def file_stem(uri: str) -> str:
    """The name of a file without its folder and ending."""
    return Path(unquote(urlsplit(uri).path)).stem


def blend_text(styles: Sequence[StyleChoice]) -> str:
    """Several styles, or one that is not everywhere, as one text; empty if there is no need."""
    files = [style.to_dict() for style in styles if style.uri]
    if not files or (len(styles) == 1 and not styles[0].where):
        return ""
    return json.dumps(files, ensure_ascii=False)


def blend_from(text: str) -> tuple[StyleChoice, ...]:
    """The styles in such a text; raises `EngineError` ("bad-setting")."""
    try:
        entries = json.loads(text)
    except ValueError:
        entries = None
    styles = choice_from({"styles": entries}).styles if isinstance(entries, list) else ()
    if not styles or len(styles) != len(entries):
        raise EngineError(
            "bad-setting",
            _("The blend is not a list of styles."),
            _('Write it like this: [{"uri": "file:///a.jpg", "weight": 2}, {"uri": …}]'),
        )
    return tuple(s if s.name else replace(s, name=file_stem(s.uri)) for s in styles)


# --- files ------------------------------------------------------------------------------------


def read_json(path: Path) -> Any:
    """The JSON value in a file; None if there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_json(path: Path, value: Any) -> None:
    """Replaces the file in one step; a full or read-only disk is no reason to stop."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(value, indent=1), encoding="utf-8")
        os.replace(part, path)


class Presets:
    """Named settings: those that come with the product, and the user's, which live elsewhere.

    Both files map names to settings (without styles). A user's preset hides a shipped one of the
    same name, and an update of the product never touches the user's file.
    """

    def __init__(self, shipped: Path, own: Path) -> None:
        self._shipped, self._own = shipped, own

    @staticmethod
    def _read(path: Path) -> dict[str, dict[str, Any]]:
        found = read_json(path)
        entries = found.items() if isinstance(found, dict) else ()
        return {name: values for name, values in entries if isinstance(values, dict)}

    def own_names(self) -> list[str]:
        """The user's presets."""
        return list(self._read(self._own))

    def shipped_names(self) -> list[str]:
        """The product's presets that no preset of the user hides."""
        own = self._read(self._own)
        return [name for name in self._read(self._shipped) if name not in own]

    def settings(self, name: str, current: Settings) -> Settings:
        """The settings called ``name``; what it does not mention is reset, except the device."""
        values = {**self._read(self._shipped), **self._read(self._own)}.get(name, {})
        return valid_settings(values, replace(Settings(), device=current.device))

    def save(self, name: str, settings: Settings) -> None:
        """Keeps the settings under ``name``, as far as they differ from the defaults."""
        plain = Settings().to_dict()
        kept = {k: v for k, v in settings.to_dict().items() if v != plain[k] and k != "device"}
        write_json(self._own, {**self._read(self._own), name: kept})

    def delete(self, name: str) -> None:
        """Forgets a preset of the user."""
        write_json(self._own, {k: v for k, v in self._read(self._own).items() if k != name})


class Recent:
    """The styles used last, newest first, as file addresses."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def uris(self) -> list[str]:
        """Their addresses."""
        found = read_json(self._path)
        uris = found if isinstance(found, list) else []
        return [uri for uri in uris if isinstance(uri, str)]

    def add(self, uris: list[str]) -> None:
        """Puts ``uris`` to the front."""
        kept = list(dict.fromkeys([*uris, *self.uris()]))
        write_json(self._path, kept[:MOST_RECENT])


# --- the quick preview ------------------------------------------------------------------------

PREVIEW_PX = 512


def quick(settings: Settings) -> Settings:
    """Cheap settings whose picture predicts that of ``settings``, which may go on from it.

    By the same network, because another one paints its large motifs elsewhere.
    """
    preset = "fast" if settings.preset == "best" else settings.preset
    preset = "draft" if preset == "classic" else preset
    return replace(settings, preset=preset, size=PREVIEW_PX, iterations=0)
