"""JPEG files (ITU-T T.81) that end early: is every row there, or is a part of the picture lost? And
those with damage beside the picture.
"""

from __future__ import annotations

from collections.abc import Iterator

END = b"\xff\xd9"
STUFF = (bytes(range(7, 250, 11)) * 40, bytes(range(249, 6, -13)) * 40)
"""Entropy-coded data without a 0xFF in it that belongs to no picture."""

_LEAST = ((0xE0, b"JFIF\0", 7), (0xE2, b"ICC_PROFILE\0", 14), (0xEE, b"Adobe", 12))
"""Of segments about the picture: the marker, how they begin, and of how many bytes they are."""

_START, _SCAN = 0xD8, 0xDA
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive: those that Huffman-code DCTs
_ALONE = (0x01, *range(0xD0, 0xD9))
_COEFFICIENTS = frozenset(range(64))


def sound(data: bytes) -> bytes:
    """The file without what is said about the picture in too few bytes, as libjpeg passes over it.

    Pillow gives such a file up. Of a file without any, the same object.
    """
    kept, at = [data[:2]], 2
    for marker, body, start, end in _segments(data):
        if any(marker == m and body.startswith(key) and len(body) < n for m, key, n in _LEAST):
            kept, at = [*kept, data[at:start]], end
        if marker == _SCAN:
            break
    return b"".join([*kept, data[at:]]) if at > 2 else data


def completed(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """The file with its end marker, and twice with nonsense before that; None if it has lost scans.

    Where all of the last scan is there, decoders skip the nonsense, and all three are the same
    picture. Where some is missing, they take it for pixels.
    """
    whole = data[:-1] if data.endswith(b"\xff") else data
    if not _has_every_scan(whole):
        return None
    return whole + END, whole + STUFF[0] + END, whole + STUFF[1] + END


def _has_every_scan(data: bytes) -> bool:
    """Whether the scans send every coefficient of every component to its last bit."""
    missing: dict[int, set[int]] = {}
    for marker, body, _start, _end in _segments(data):
        if marker in _FRAMES and len(body) >= 6:
            components = body[6 : 6 + 3 * body[5] : 3]
            missing = {c: set(_COEFFICIENTS) for c in components}
        elif marker == _SCAN and body and len(body) >= 4 + 2 * body[0]:
            count = body[0]
            first, last, bits = body[1 + 2 * count : 4 + 2 * count]
            if bits & 15 == 0:
                for component in body[1 : 1 + 2 * count : 2]:
                    missing.get(component, set()).difference_update(range(first, last + 1))
    return bool(missing) and not any(missing.values())


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """Marker and content of each segment, and where it begins and ends; entropy-coded data is
    passed over."""
    at = 0
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        marker = data[at + 1]
        if marker in (0x00, 0xFF) or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + size]
        if size < 2 or len(body) != size - 2:
            return
        yield marker, body, at, at + 2 + size
        at += 2 + size
