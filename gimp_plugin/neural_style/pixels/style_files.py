"""A style picture in a file: the engine decodes the usual kinds, GIMP all others that it opens."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from gi.repository import Gimp

from choice.styles import SUFFIXES
from disk.regular import local_path, open_regular, read_regular
from language.texts import _
from pixels.hidden import hide
from pixels.named import load
from pixels.private_copy import PrivateCopy, copy_of_layer
from protocol import EngineError

STYLE_BYTES = 512 << 20
HEAD_BYTES = 32

# How such files begin, whatever they are called: XCF, PSD, OpenEXR, JPEG XL; HEIC and AVIF.
OTHERS = (b"gimp xcf", b"8BPS", b"v/1\x01", b"\xff\x0a", b"\0\0\0\x0cJXL ")
BOXED = (b"ftyphei", b"ftyphev", b"ftypmif1", b"ftypmsf1", b"ftypavi")


MOST_OPENED = 4
_opened: dict[tuple[str, int, int], PrivateCopy | None] = {}


def style_path(uri: str) -> Path:
    """Where the file is; raises `EngineError` ("no-style") if that is not on this computer."""
    path = local_path(uri)
    if path is None:
        text = _("The style picture {file} is not a file on this computer.").format(file=uri)
        raise EngineError("no-style", text, _choose())
    return path


def is_for_gimp(path: Path) -> bool:
    """Whether the engine does not know this kind of file; raises `EngineError` ("no-style")."""
    try:
        with open_regular(path) as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as problem:
        raise _unreadable(path, problem) from None
    foreign = head.startswith(OTHERS) or head[4:].startswith(BOXED)
    return bool(head) and (foreign or path.suffix.lower() not in SUFFIXES)


def read_style(path: Path) -> bytes:
    """The file, byte by byte; raises `EngineError` ("no-style")."""
    try:
        data = read_regular(path, STYLE_BYTES)
    except OSError as problem:
        if problem.errno == errno.EFBIG:
            text = _("The style picture {file} is over 512 MB.").format(file=path)
            raise EngineError("no-style", text, _choose()) from None
        raise _unreadable(path, problem) from None
    if not data:
        text = _("The style picture {file} is empty.").format(file=path)
        raise EngineError("no-style", text, _choose())
    return data


def opened_by_gimp(path: Path) -> PrivateCopy | None:
    """The picture as GIMP shows it when it is opened; None if GIMP cannot open it.

    It is opened once, and again when the file has changed: large ones take their time, and for some
    GIMP starts another program.
    """
    found = os.stat(path)
    key = str(path), found.st_mtime_ns, found.st_size
    if key not in _opened:
        while len(_opened) >= MOST_OPENED:
            oldest = _opened.pop(next(iter(_opened)))
            if oldest is not None:
                oldest.close()
        _opened[key] = _open(path)
    kept = _opened[key]
    return copy_of_layer(kept.drawable) if kept is not None else None


def _open(path: Path) -> PrivateCopy | None:
    image = load(path)
    if image is None:
        return None
    hide(image)
    try:
        image.undo_disable()
        image.policy_rotate(False)
        layers = image.get_layers()
        if not layers:
            return None
        only = layers[0]
        plain = len(layers) == 1 and only.get_mask() is None and only.get_opacity() == 100.0
        if not plain:  # what of several layers is seen together
            only = Gimp.Layer.new_from_visible(image, image, "seen")
            image.insert_layer(only, None, 0)
        return copy_of_layer(only)
    finally:
        image.delete()


def _choose() -> str:
    return _("Choose the picture whose style shall be painted.")


def _unreadable(path: Path, problem: OSError) -> EngineError:
    text = _("The style picture cannot be read ({reason}).")
    reason = f"{path}: {problem.strerror or problem}"
    return EngineError("no-style", text.format(reason=reason), _choose())
