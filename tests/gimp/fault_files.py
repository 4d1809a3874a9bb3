"""The user's own files as nobody wrote them, and what a stranger's layers say, for the dialog to
open with.
"""

from __future__ import annotations

import json
import os

SETTINGS = "gimp-settings.json"
LISTS = ("recent-styles.json", "style-folders.json", "favorite-styles.json")
FILES = (SETTINGS, "presets.json", *LISTS, "known-styles.json", "samples.json")

STRANGE = [
    *("file:///dev/zero", "http://[", "smb://x/y", "file:///", "file://%00", "/dev", "/proc/self"),
    *("", "~", "x" * 9000, "a\u202eb\nc", "<b>&amp;</b>", 5, None, True, {}, [[]], -1.5),
]
VALUES = {
    **{"strength": "much", "size": -4, "iterations": True, "seed": 1e300, "device": ["cpu"]},
    **{"preset": 7, "faces": {}, "keep_colors": "x" * 9000, "style_loss": "{0}", "unknown": 1},
    **{"features": "../../x", "brush_mm": None, "wrap": "\u202e", "hold": {"channel": -1}},
}
SAYS = {
    **{"styles": [{"uri": uri, "weight": -1, "name": uri} for uri in STRANGE], **VALUES},
    **{"painted-layer": 2**40, "painted-name": "x" * 9000, "painted-size": ["a", None]},
    **{"layers": STRANGE, "subject": {"a": 1}, "style": STRANGE, "file": 3, "print": 4},
}


def _nonsense(number, path):
    told = [
        *(b"[" * 100_000, b'{"a": ' + b"9" * 400 + b"}", b'["\\ud800"]', b'["a\\u0000b"]'),
        *(b"[NaN, Infinity]", b"\x00\xff\xfe", b'{"a":'),
    ]
    path.write_bytes(told[number % len(told)])


def _values(number, path):
    looks = {name: VALUES for name in ("", "x" * 9000, "<b>&", "a\u202e\n", "_", "{0}")}
    values = {SETTINGS: {**SAYS, "view": "x"}, "presets.json": looks, "samples.json": 7}
    values.update(dict.fromkeys(LISTS, STRANGE))
    known = {str(uri): uri for uri in STRANGE}
    path.write_text(json.dumps(values.get(path.name, known)))


def _no_files(number, path):
    path.unlink(missing_ok=True)
    make = (os.mkfifo, lambda p: p.mkdir(), lambda p: p.symlink_to("/dev/zero"))
    make[number % len(make)](path)


HOSTILE = {
    "nonsense in every file of settings": _nonsense,
    "strange values in every file of settings": _values,
    "pipes, folders and devices as settings": _no_files,
    "a stranger's notes and results": None,
}


def prepare(fault, home):
    """Makes the files what the fault says, before the dialog opens."""
    write = HOSTILE[fault]
    for number, name in enumerate(FILES if write else ()):
        write(number, home / name)


def clear(home):
    """Leaves none of them to the next row."""
    for path in home.glob("*.json*"):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
