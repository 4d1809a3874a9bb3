"""Style files told apart by their contents, so that a note need name no folder of this computer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import protocol
from disk.private import read_json, write_json
from disk.regular import is_regular, local_path, open_regular

LETTERS = 32
MOST_KNOWN = 1000


def fingerprint(uri: str) -> str:
    """That of a regular file on this computer; empty if it cannot be read."""
    path = local_path(uri)
    if path is None:
        return ""
    try:
        with open_regular(path) as stream:
            return protocol.fingerprint(stream)
    except (OSError, ValueError):
        return ""


class Known:
    """Where the files lie that were painted with, by their fingerprints; kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _read(self) -> dict[str, str]:
        found = read_json(self._path)
        entries = found.items() if isinstance(found, dict) else ()
        return {key: uri for key, uri in entries if isinstance(uri, str)}

    def uris(self) -> set[str]:
        """All addresses."""
        return set(self._read().values())

    def find(self, key: str) -> str:
        """The address of the file with this fingerprint, if it is still there; else empty."""
        uri = self._read().get(key, "")
        return uri if uri and is_regular(uri) and fingerprint(uri) == key else ""

    def add(self, uris: Iterable[str]) -> None:
        """Remembers files; those used longest ago make room."""
        new = {key: uri for uri in uris if (key := fingerprint(uri))}
        old = {key: uri for key, uri in self._read().items() if key not in new}
        kept = [*old.items(), *new.items()][-MOST_KNOWN:]
        write_json(self._path, dict(kept))
