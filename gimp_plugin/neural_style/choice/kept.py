"""What is kept from one use to the next: presets, recent styles, folders of styles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from disk.private import read_json, write_json
from disk.regular import local_path
from protocol import Settings

MOST_RECENT = 24
MOST_FAVORITES = 500
NO_LOOKS = "preset", "wrap", "size", "iterations", "device"
"""Settings of time, use and machine: presets say nothing about them, whatever their files hold."""


def with_look(settings: Settings, look: Settings) -> Settings:
    """``look`` with the quality, size, iterations and device of ``settings``."""
    return replace(look, **{name: getattr(settings, name) for name in NO_LOOKS})


class Presets:
    """Named looks: those that come with the product, and the user's, which live elsewhere.

    Both files map names to settings (without styles, and without `NO_LOOKS`). A user's preset hides
    a shipped one of the same name, and an update of the product never touches the user's file.
    """

    def __init__(self, shipped: Path, own: Path) -> None:
        self._shipped, self._own = shipped, own

    @staticmethod
    def _read(path: Path) -> dict[str, dict[str, Any]]:
        found = read_json(path)
        entries = found.items() if isinstance(found, dict) else ()
        return {name: values for name, values in entries if isinstance(values, dict)}

    def own(self) -> dict[str, Settings]:
        """The user's presets, by name; what one does not mention is as in the defaults."""
        return self._looks(self._read(self._own))

    def shipped(self) -> dict[str, Settings]:
        """The product's presets that no preset of the user hides."""
        own = self._read(self._own)
        shipped = self._read(self._shipped)
        return self._looks({name: each for name, each in shipped.items() if name not in own})

    @staticmethod
    def _looks(presets: dict[str, dict[str, Any]]) -> dict[str, Settings]:
        plain = Settings()
        return {name: with_look(plain, plain.with_valid(each)) for name, each in presets.items()}

    def save(self, name: str, settings: Settings) -> None:
        """Keeps the look of ``settings`` under ``name``, as far as it differs from the defaults."""
        plain, look = Settings().to_dict(), with_look(Settings(), settings).to_dict()
        kept = {name: value for name, value in look.items() if value != plain[name]}
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
        return _texts(self._path)

    def add(self, uris: list[str]) -> None:
        """Puts ``uris`` to the front."""
        kept = list(dict.fromkeys([*uris, *self.uris()]))
        write_json(self._path, kept[:MOST_RECENT])


class Favorites:
    """The styles that the user has starred, in that order, as file addresses."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def uris(self) -> list[str]:
        """Their addresses."""
        return _texts(self._path)

    def set(self, uri: str, starred: bool) -> None:
        """Makes a style a favourite, or no longer."""
        others = [each for each in self.uris() if each != uri]
        write_json(self._path, ([*others, uri] if starred else others)[-MOST_FAVORITES:])


@dataclass(frozen=True)
class Switch:
    """Something that is on unless the user has switched it off, kept in a file."""

    path: Path

    def read(self) -> bool:
        """Whether it is on."""
        return read_json(self.path) is not False

    def write(self, on: bool) -> None:
        """Switches it."""
        write_json(self.path, on)


@dataclass(frozen=True)
class Folders:
    """The user's own folders of pictures, kept in a file."""

    path: Path

    def read(self) -> list[Path]:
        """The folders, in the order they were added."""
        return [local_path(text) or Path(text) for text in _texts(self.path)]

    def add(self, folder: Path) -> None:
        """Adds a folder."""
        self._write([*self.read(), folder])

    def remove(self, folder: Path) -> None:
        """Forgets a folder; its files stay as they are."""
        self._write([each for each in self.read() if each != folder])

    def _write(self, folders: Iterable[Path]) -> None:
        write_json(self.path, list(dict.fromkeys(_as_text(folder) for folder in folders)))


def _texts(path: Path) -> list[str]:
    """The texts in a list kept in a file."""
    found = read_json(path)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _as_text(folder: Path) -> str:
    """The folder's path; as an address if its name is no text, as JSON then holds none either."""
    try:
        str(folder).encode("utf-8")
    except UnicodeEncodeError:
        return folder.as_uri()
    return str(folder)
