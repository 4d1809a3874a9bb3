"""Results of an image for its next dialog: small pictures, and what they were painted with.

They hang on the image, as parasites that GIMP neither saves nor undoes, because they are to last
as long as the image is open, and no longer: files of our own would stay behind, hidden images
would take as much memory as the pictures have pixels, and both would outlive the image. A result at
its full size is the layer that was inserted, as long as that is there.
"""

from __future__ import annotations

import json
import time
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gi.repository import Gimp

from choice.note import note_from
from disk.private import plain_json

PREFIX = "neural-style-result-"
MOST_BYTES = 1 << 20
LONG_SIDE = 256
"""Of the pictures, in pixels: with eight the image has a megabyte more, and each takes a fiftieth
of a second on its way to GIMP."""


@dataclass(frozen=True)
class Kept:
    """A result: the note and the name of its layer, whose tattoo is ``layer``; the number of the
    ``source`` that it was painted from; a small picture, RGBA u8, that lies ``over`` the source if
    it is only part of it. ``key`` is its name among the image's results.
    """

    note: str
    name: str
    source: int
    layer: int
    size: tuple[int, int]
    data: bytes = field(repr=False)
    over: bool = False
    key: str = ""


def keep(image: Gimp.Image, result: Kept) -> str:
    """Hangs a result on its image; returns its key."""
    key = f"{PREFIX}{time.time_ns():020d}"
    about = {
        "note": result.note,
        "name": result.name,
        "source": result.source,
        "layer": result.layer,
        "size": list(result.size),
        "over": result.over,
    }
    data = json.dumps(about).encode() + b"\n" + zlib.compress(result.data, 1)
    if len(data) <= MOST_BYTES and image.is_valid():
        # GIMP's binding takes signed bytes.
        image.attach_parasite(Gimp.Parasite.new(key, 0, array("b", data)))
    return key


def forget(image: Gimp.Image, key: str) -> None:
    """Takes a result off its image."""
    if key and image.is_valid() and key in image.get_parasite_list():
        image.detach_parasite(key)


def kept(image: Gimp.Image, sources: set[int]) -> Iterator[Kept | None]:
    """The results of these layers, newest first, and None in place of others. What makes no sense
    is left out: an image file may have brought it along.
    """
    keys = [key for key in image.get_parasite_list() if key.startswith(PREFIX)]
    for key in sorted(keys, reverse=True):
        read = _read(key, image.get_parasite(key)) if image.is_valid() else None
        yield read if read is not None and read.source in sources else None


def _read(key: str, parasite: Gimp.Parasite | None) -> Kept | None:
    if parasite is None or parasite.is_persistent():
        return None
    head, _end, packed = array("b", parasite.get_data()).tobytes().partition(b"\n")
    try:
        values = plain_json(head)
        size = values["size"]
        width, height = (_whole(side, 1, LONG_SIDE) for side in size)
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(packed, 4 * width * height)
        if len(data) != 4 * width * height:
            return None
        note = _text(values["note"])
        note_from(note)
        return Kept(
            note=note,
            name=_text(values["name"]),
            source=_whole(values["source"], 1, 2**31),
            layer=_whole(values["layer"], 0, 2**32),
            size=(width, height),
            data=data,
            over=values["over"] is True,
            key=key,
        )
    except (ValueError, KeyError, TypeError, zlib.error):
        return None


def _whole(value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or not least <= value <= most:
        raise ValueError("not such a number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value
