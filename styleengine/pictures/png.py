"""PNG files: their chunks, sorted into pixels and what is said about them (PNG specification 3).

A wrong checksum, an absurd size or nonsense in a chunk beside the picture costs that chunk only, as
with libpng; the pixels' own chunks must be right.
"""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from styleengine.pictures.about import Metadata, metadata, raw_profile

log = logging.getLogger(__name__)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PROFILE = 32 << 20
"""Bytes of a colour profile, unpacked; the largest printer profiles have a few millions."""
MOST_TEXT = 16 << 20
"""Bytes of a text that says something about the picture, unpacked."""

_PIXELS = (b"IHDR", b"PLTE", b"IDAT")
_GRAY, _RGB, _PALETTE = b"\0", b"\2", b"\3"
_CLEAR = {_GRAY: (2,), _RGB: (6,), _PALETTE: range(1, 257)}
"""How many bytes say which colours are transparent."""
_XMP = b"XML:com.adobe.xmp"
_RAW = b"Raw profile type "
_INCH = 0.0254

SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
D65 = (0.3127, 0.3290)


@dataclass
class Png:
    """``pixels`` is a PNG of nothing but the chunks that pixels need.

    ``tagged`` as in `Raw`.
    """

    pixels: bytes = b""
    profile: bytes = b""
    metadata: Metadata = field(default_factory=Metadata)
    tagged: bool = False


def read_png(data: bytes) -> Png:
    """Sorts the chunks of a PNG; what is wrong with its pixels is left for the decoder to find."""
    kept: list[bytes | memoryview] = [SIGNATURE]
    side: dict[bytes, bytes] = {}
    color = data[25:26]
    for name, body, whole in _chunks(data):
        if name == b"PLTE" and color != _PALETTE:
            continue  # which colours to use where there are few
        if name in _PIXELS:
            kept += [struct.pack(">I", len(body)), name, body, whole]
        elif zlib.crc32(body, zlib.crc32(name)) != struct.unpack(">I", whole)[0]:
            log.warning("ignoring a %s chunk with a wrong checksum", name.decode("latin-1"))
        elif name == b"tRNS":
            if len(body) in _CLEAR.get(color, ()) and b"tRNS" not in kept:
                kept += [struct.pack(">I", len(body)), name, body, whole]
        else:
            _note(side, name, bytes(body[: MOST_PROFILE + 100]))
    kept.append(b"\0\0\0\0IEND\xaeB`\x82")
    about = metadata(side.get(b"eXIf", b""), side.get(b"xmp", b""), _dpi(side.get(b"pHYs", b"")))
    profile = _profile(side, gray=color in (b"\0", b"\4"))
    return Png(b"".join(kept), profile, about, tagged=b"sRGB" in side or b"gAMA" in side)


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, bytes]]:
    """Name, content and checksum of each chunk.

    That of the pixels is a fresh one: zlib has its own, which tells damage from a picture whose
    every row is there although its file ends a little early.
    """
    view, at = memoryview(data), len(SIGNATURE)
    while at + 8 <= len(data):
        size, name = int.from_bytes(view[at : at + 4], "big"), bytes(view[at + 4 : at + 8])
        body, check = view[at + 8 : at + 8 + size], bytes(view[at + 8 + size : at + 12 + size])
        if name == b"IDAT":
            check = struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))
        elif len(check) < 4:
            return
        yield name, body, check
        if name == b"IEND":
            return
        at += 12 + size


def _note(side: dict[bytes, bytes], name: bytes, body: bytes) -> None:
    """Keeps what a side chunk says under its name; the first one counts."""
    if name in (b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"pHYs", b"eXIf"):
        side.setdefault(name, body)
    elif name in (b"tEXt", b"zTXt", b"iTXt"):
        key, _, rest = body.partition(b"\0")
        if (key == _XMP or key.startswith(_RAW)) and key not in side:
            side[key] = b""  # a second one is not even unpacked
            text = _text(name, rest)
            if key == _XMP:
                side.setdefault(b"xmp", text)
            elif key[len(_RAW) :].lower() in (b"exif", b"app1"):
                found = raw_profile(text).removeprefix(b"Exif\0\0")
                if found.startswith((b"II", b"MM")):
                    side.setdefault(b"eXIf", found)
            elif key[len(_RAW) :].lower() == b"xmp":
                side.setdefault(b"xmp", raw_profile(text))
            elif key[len(_RAW) :].lower() in (b"icc", b"icm"):
                side.setdefault(b"raw icc", raw_profile(text))


def _text(name: bytes, rest: bytes) -> bytes:
    """The text of a tEXt, zTXt or iTXt chunk after its keyword; b"" where it makes no sense."""
    if name == b"tEXt":
        return rest[:MOST_TEXT]
    if name == b"zTXt":
        return _unpacked(rest[1:], MOST_TEXT)
    packed = rest[:1] == b"\1"
    fields = rest[2:].split(b"\0", 2)  # language, translated keyword, text
    if len(fields) < 3:
        return b""
    return _unpacked(fields[2], MOST_TEXT) if packed else fields[2][:MOST_TEXT]


def _unpacked(packed: bytes, most: int) -> bytes:
    """At most ``most`` bytes; b"" for more, or for damaged ones."""
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(packed, most)
    except zlib.error as error:
        log.warning("ignoring a damaged chunk: %s", error)
        return b""
    return found if unpacker.eof else b""


def _profile(side: dict[bytes, bytes], *, gray: bool) -> bytes:
    """The colour profile: the one in the file, or one made from gAMA and cHRM, or none for sRGB.

    iCCP outranks sRGB, and that gAMA and cHRM (PNG specification 3, 4.3). As in GIMP, either alone
    goes with the curve or the primaries of sRGB.
    """
    if b"iCCP" in side:
        found = _unpacked(side[b"iCCP"].partition(b"\0")[2][1:], MOST_PROFILE)
        if found:
            return found
    if b"sRGB" in side:
        return b""
    if b"raw icc" in side:
        return side[b"raw icc"]
    gamma, points = side.get(b"gAMA", b""), side.get(b"cHRM", b"")
    exponent = int.from_bytes(gamma, "big") / 100_000 if len(gamma) == 4 else 0.0
    known = 0.1 <= exponent <= 10
    if not known and (gray or len(points) != 32):
        return b""
    where = [*D65, *SRGB_PRIMARIES]
    if len(points) == 32:
        where = [value / 100_000 for value in struct.unpack(">8I", points)]
    return _made(1 / exponent if known else None, where, gray=gray)


def _made(gamma: float | None, points: list[float], *, gray: bool) -> bytes:
    """A profile of white and primaries, (x, y) each; the curve is sRGB's for no ``gamma``."""
    white = (*points[:2], 1.0)
    curve = {"transferfunction": _srgb_curve()} if gamma is None else {"gamma": gamma}
    try:
        if gray:
            return bytes(imagecodecs.cms_profile("gray", whitepoint=white, **curve))
        primaries = [n for at in (2, 4, 6) for n in (*points[at : at + 2], 1.0)]
        return bytes(imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, **curve))
    except (imagecodecs.CmsError, ValueError) as error:
        log.warning("ignoring impossible primaries: %s", error)
        return b""


def _srgb_curve() -> NDArray[np.float32]:
    """From sRGB-encoded to linear light, in 4096 steps (IEC 61966-2-1)."""
    coded = np.linspace(0, 1, 4096)
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


def _dpi(body: bytes) -> tuple[float, float] | None:
    if len(body) != 9 or body[8] != 1:  # 1: per metre
        return None
    x, y = struct.unpack(">II", body[:8])
    return x * _INCH, y * _INCH
