"""What a picture's file says about it besides pixels: EXIF, XMP, resolution.

Nothing in here is worth losing a picture for: what cannot be read is left out and logged.
"""

from __future__ import annotations

import logging
import re
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image

log = logging.getLogger(__name__)

ORIENTATION, COLOR_SPACE, INTEROPERABILITY_INDEX = 0x0112, 0xA001, 0x0001
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
MAKER_NOTE, PIXEL_WIDTH, PIXEL_HEIGHT = 0x927C, 0xA002, 0xA003
XMP = 700

KEPT = (
    *(0x010E, 0x010F, 0x0110, 0x0132, 0x013B, 0x013C, 0x8298),  # description to copyright
    *(0x4746, 0x4749, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F),  # ratings, Windows' texts
)
"""Tags of the first directory that speak of the picture, not of how its file keeps the pixels."""
MOST_XMP = 4 << 20
"""Longer XMP is left out."""
CENTIMETRE = 3
"""EXIF's resolution unit for pixels per centimetre; others are taken for inches."""

_XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])\b")


@dataclass(frozen=True)
class About:
    """What is carried over to a result. ``exif`` is a TIFF structure of the tags in `KEPT`, the
    orientation, and the directories of the camera and of the place; ``xmp`` is the packet as it
    was; ``dpi`` are pixels per inch, across and down. ``painted`` is the text of the
    `protocol.Painting` that the picture is the result of; empty for none."""

    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    painted: str = ""


@dataclass(frozen=True)
class Metadata:
    """`About`, and what reading the pixels needs: ``orientation`` is EXIF's, 1–8."""

    about: About = About()
    orientation: int = 1
    adobe_rgb: bool = False


def metadata(exif: bytes, xmp: bytes, dpi: Any = None) -> Metadata:
    """What these say. ``exif`` is a TIFF structure, a whole TIFF file for instance.

    The orientation is EXIF's or, where that has none, XMP's (as exiv2 and GIMP have it). Adobe RGB
    is announced by DCF 2.0: colour space 2 (Adobe's) or interoperability index R03.
    """
    xmp = xmp if len(xmp) <= MOST_XMP else b""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks about odd metadata
            found = _parsed(exif)
            inner = {at: dict(found.get_ifd(at)) for at in (EXIF, GPS, INTEROPERABILITY)}
            _ = dict(found)  # all of it
        # Pillow looks for this one in a thumbnail's directory, too.
        index = inner[INTEROPERABILITY].get(INTEROPERABILITY_INDEX, "")
        adobe = inner[EXIF].get(COLOR_SPACE) == 2 or str(index).startswith("R03")
        orientation, kept = _whole(found.get(ORIENTATION)), _picked(found, inner)
        dpi = _resolution(dpi) or _resolution_of(found)
    except Exception as error:
        # Broken metadata raises anything; the pixels are worth having all the same.
        log.warning("ignoring unreadable EXIF data: %s", error)
        adobe, orientation, kept, dpi = False, 0, b"", _resolution(dpi)
    if not 1 <= orientation <= 8:
        turned = _XMP_ORIENTATION.search(xmp)
        orientation = int(turned[1]) if turned else 1
    return Metadata(About(kept, xmp, dpi), orientation, adobe)


def _parsed(exif: bytes) -> Image.Exif:
    found = Image.Exif()
    if exif:
        found.load(exif)
    return found


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _picked(found: Image.Exif, inner: dict[int, dict[int, Any]]) -> bytes:
    kept = Image.Exif()
    for tag in (*KEPT, ORIENTATION):
        if tag in found:
            kept[tag] = found[tag]
    for at in (EXIF, GPS):
        directory = {k: v for k, v in inner[at].items() if k != INTEROPERABILITY}
        if directory:
            kept.get_ifd(at).update(directory)
            kept[at] = kept.get_ifd(at)
    return encoded(kept) if len(kept) else b""


def encoded(exif: Image.Exif) -> bytes:
    """The TIFF structure of ``exif``, without the marker that JPEG puts before it."""
    return exif.tobytes().removeprefix(b"Exif\0\0")


def _resolution_of(found: Image.Exif) -> tuple[float, float] | None:
    x, y = found.get(X_RESOLUTION), found.get(Y_RESOLUTION)
    unit = found.get(RESOLUTION_UNIT, 2)
    if x is None or y is None or unit == 1:
        return None
    factor = 2.54 if unit == CENTIMETRE else 1.0
    return _resolution((float(x) * factor, float(y) * factor))


def _resolution(dpi: Any) -> tuple[float, float] | None:
    try:
        x, y = float(dpi[0]), float(dpi[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError):
        return None
    return (x, y) if 1 <= x <= 100_000 and 1 <= y <= 100_000 else None


def raw_profile(text: bytes) -> bytes:
    """The bytes in ImageMagick's "Raw profile type …": its name, its length, hexadecimal digits."""
    fields = text.split(None, 2)
    if len(fields) < 3 or not fields[1].isdigit():
        return b""
    try:
        return bytes.fromhex(fields[2].decode("ascii"))[: int(fields[1])]
    except (ValueError, UnicodeDecodeError):
        return b""
