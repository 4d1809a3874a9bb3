"""Frames for ``styleengine serve`` that are nearly right, or not at all, from a seed.

Run by `tests.test_fuzzing`; by hand, for long: ``NEURAL_STYLE_FUZZ_FRAMES=200000 pytest
tests/test_fuzzing.py``.
"""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.test_odd_pictures import bilevel, jpeg
from tests.test_server import QUICK, png, rgba

Frame = tuple[dict[str, Any], bytes | None]

VALUES: list[Any] = [
    *(0, 1, -1, 2, 3, 7, 40, 255, 65_535, 2**31, 2**63, 2**70, -(2**70), int("9" * 400)),
    *(0.0, -0.0, 0.5, 1e308, -1e308, 5e-324, float("inf"), float("nan")),
    *(True, False, None, "", "x", "0", "40", "u8", "u16", "f32", "content", "style", "mask"),
    *("\ud800", "\0", "a\0b", "../../../etc/passwd", "/dev/zero", "/dev/stdin", "~", "x" * 5000),
    *("{name}", "%s%n", "<b>", "\u202e", "\n\r\t", "hold"),
    *([], [[]], [1, 2, 3], {}, {"width": 4}, {"a": {"b": {"c": []}}}, [{}] * 100),
]
"""What a field may hold instead of what it should."""

KINDS = ("run", "style", "pixels", "stop", "seen", "hello", "alive", "ready", "result", "", "x")
FIELDS = (
    *("id", "type", "of", "index", "y", "rows", "settings", "content", "styles", "preview"),
    *("series", "weights", "keep", "protocol", "mask", "hold", "width", "height", "dtype", "name"),
    *("channels", "weight", "sentences", "payload "),
)
SETTINGS = (
    *("preset", "strength", "style_scale", "smoothness", "keep_colors", "shapes", "init", "seed"),
    *("optimizer", "pooling", "style_loss", "postprocess", "device", "size", "iterations"),
)
SIDES = (8, 9, 16, 33, 40)


@dataclass
class Fuzzer:
    """Endless frames; ``ids`` are those of the jobs begun so far."""

    seed: int
    ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.files = [png(), png(9, 8), jpeg("baseline"), jpeg("progressive"), b"", b"x"]
        self.files += [bilevel(17_000), bilevel(4000), riddle(60_000), b"\xff\xd8\xff", b"II*\0"]

    def frames(self) -> Iterator[Frame]:
        """Frames, each a whole one, whatever it says."""
        while True:
            job = list(self._job())
            if self.random.random() < 0.15:
                self.random.shuffle(job)
            for header, payload in job:
                if self.random.random() < 0.12:
                    header = self._changed(header)
                    self._note(header)
                if payload and self.random.random() < 0.15:
                    payload = self._damaged(payload)
                if self.random.random() < 0.03:
                    continue
                yield header, payload
                if self.random.random() < 0.03:
                    yield header, payload
                if self.random.random() < 0.05:
                    yield self._odd()
            if self.random.random() < 0.9:  # or it paints to its end
                yield {"type": "stop", "id": self.ids[-1], "keep": self.random.random() < 0.3}, None

    def _note(self, header: dict[str, Any]) -> None:
        """A job that got another name has to be stopped by it."""
        name = header.get("id")
        if header.get("type") == "run" and isinstance(name, str) and name not in self.ids[-9:]:
            self.ids.insert(len(self.ids) - 1, name)

    def garbage(self) -> bytes:
        """Bytes that are no frames at all."""
        r = self.random
        line = json.dumps({"type": r.choice(KINDS), "id": "1"}).encode()
        return r.choice(
            [
                r.randbytes(r.randrange(1, 3000)),
                b"\n" * r.randrange(1, 9),
                line,  # without its end
                line[: r.randrange(1, len(line))] + b"\n",
                b'{"type":"style","payload":%d}\n' % r.choice([-1, 10**9, 2**70, 5]),
                b'{"type":"run","payload":1e9}\n',
                b'{"type":"x","n":' + b"9" * 6000 + b"}\n",
                b"[" * r.choice([10, 900, 100_000]) + b"\n",
                b'{"a":' * 3000 + b"\n",
                b"a" * (2 << 20),
                '{"type":"Ünïcödé\ud7ff"}\n'.encode("utf-16"),
            ]
        )

    def _job(self) -> Iterator[Frame]:
        r = self.random
        name = f"job-{len(self.ids)}" if r.random() < 0.97 or not self.ids else r.choice(self.ids)
        self.ids.append(name)
        height, width = r.choice(SIDES), r.choice(SIDES)
        dtype = r.choice(["u8", "u16", "f32"])
        settings: dict[str, Any] = {**QUICK, "iterations": r.randrange(1, 4)}
        for key in r.sample(SETTINGS, r.choice([0, 0, 0, 1, 2])):
            settings[key] = r.choice(VALUES)
        content = rgba(height, width, dtype)
        styles: list[dict[str, Any]] = []
        parts: list[Frame] = []
        for index in range(r.choice([0, 1, 1, 1, 1, 2, 3])):
            entry: dict[str, Any] = {"name": f"s{index}", "weight": r.choice([1.0, 2, 0.1])}
            if r.random() < 0.5:
                entry |= {"width": 12, "height": 10}
                about = {"of": "style", "index": index, "y": 0, "rows": 10}
                parts.append(({"type": "pixels", "id": name, **about}, rgba(10, 12).tobytes()))
            else:
                parts.append(({"type": "style", "id": name, "index": index}, r.choice(self.files)))
            if r.random() < 0.2:
                entry["mask"] = {"width": 6, "height": 4, "dtype": "u8", "channels": 1}
                about = {"of": "mask", "index": index, "y": 0, "rows": 4}
                parts.append(({"type": "pixels", "id": name, **about}, r.randbytes(24)))
            styles.append(entry)
        yield (
            {
                "type": "run",
                "id": name,
                "settings": settings,
                "content": {"width": width, "height": height, "dtype": dtype},
                "styles": styles,
                "preview": r.choice([0, 0, 32]),
                "series": r.choice(["", "", "a"]),
            },
            None,
        )
        yield from parts
        rows = r.randrange(1, height + 1)
        for y in range(0, height, rows):
            strip = content[y : y + rows]
            about = {"of": "content", "y": y, "rows": len(strip)}
            yield {"type": "pixels", "id": name, **about}, strip.tobytes()

    def _changed(self, header: dict[str, Any]) -> dict[str, Any]:
        """The header with a value, somewhere in it, that is another, or gone."""
        changed: Any = json.loads(json.dumps(header))
        place = changed
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                return dict(changed)
            key = self.random.choice(keys)
            if isinstance(place[key], (dict, list)) and self.random.random() < 0.7:
                place = place[key]
                continue
            what = self.random.random()
            if what < 0.15:
                del place[key]
            elif what < 0.3 and isinstance(place, dict):
                place[self.random.choice(FIELDS)] = self.random.choice(VALUES)
            else:
                place[key] = self.random.choice(VALUES)
            return dict(changed)

    def _damaged(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self.random.randrange(1, 5)):
            changed[self.random.randrange(len(changed))] = self.random.randrange(256)
        what = self.random.random()
        if what < 0.2:
            return bytes(changed[: self.random.randrange(len(changed))])
        return bytes(changed) + (self.random.randbytes(9) if what < 0.3 else b"")

    def _odd(self) -> Frame:
        header = {"type": self.random.choice(KINDS), "id": self.random.choice(self.ids)}
        for name in self.random.sample(FIELDS, self.random.randrange(4)):
            if name != "type":
                header[name] = self.random.choice(VALUES)
        return header, self.random.choice([None, b"", self.random.randbytes(20)])


def line_of(header: dict[str, Any], payload: bytes | None) -> bytes:
    """A frame as bytes; unlike `protocol.write_frame`, with NaN and whatever else Python has."""
    header = {key: value for key, value in header.items() if key != "payload"}
    if not isinstance(header.get("type"), str):  # would end the stream, see `Fuzzer.garbage`
        header["type"] = "x"
    if payload is not None:
        header["payload"] = len(payload)
    return json.dumps(header).encode() + b"\n" + (payload or b"")


def riddle(side: int) -> bytes:
    """A PNG of a few bytes that claims to be enormous."""
    head = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    chunk = b"IHDR" + head
    size, check = struct.pack(">I", 13), struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + size + chunk + check
