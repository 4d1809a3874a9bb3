"""What a lying engine says instead of the truth, in each of its frames. Standard library only.

``holds`` is what must come of it: "sentence", the user reads one and nothing else happens, or
"result", because it does no harm.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

HUGE = int("9" * 400)
SURROGATE = "a \ud800 b"
LONG = "x" * 900_000


@dataclass(frozen=True)
class Lie:
    """What is said, at which moment, and what must come of it."""

    moment: str
    tell: Callable[..., None]
    holds: str


LIES: dict[str, Lie] = {}


def write(out: Any, kind: str, payload: bytes | None = None, **fields: Any) -> None:
    """A frame, whatever it says."""
    header = {"type": kind, **fields}
    if payload is not None:
        header.setdefault("payload", len(payload))
    out.write(json.dumps(header).encode() + b"\n" + (payload or b""))
    out.flush()


def ready(out: Any, **fields: Any) -> None:
    """The greeting, with other fields."""
    usual = {"protocol": 1, "version": "0", "devices": {"cpu": "CPU"}, "capabilities": {}}
    write(out, "ready", **{**usual, "accepts": ["hold"], "unknown": "ignored", **fields})


def _raw(moment: str, name: str, data: bytes, holds: str = "sentence") -> None:
    def tell(out: Any, *_context: Any) -> None:
        out.write(data)
        out.flush()

    LIES[f"{moment}: {name}"] = Lie(moment, tell, holds)


def _frame(moment: str, name: str, kind: str, holds: str = "sentence", **fields: Any) -> None:
    """A frame of the run; a field that is a function is given the shape of the picture."""

    def tell(out: Any, run: str = "", spec: Any = None) -> None:
        made = {k: v(spec) if callable(v) else v for k, v in fields.items()}
        payload = made.pop("data", None)
        write(out, kind, payload, **{"id": run, **made})

    LIES[f"{moment}: {name}"] = Lie(moment, tell, holds)


def _greeting(name: str, holds: str = "sentence", **fields: Any) -> None:
    LIES[f"greeting: {name}"] = Lie("greeting", lambda out: ready(out, **fields), holds)


NO_FRAMES = {
    "garbage": b"\x00\xff\x80" * 40 + b"\n",
    "text": b"Loading libraries ...\n",
    "empty line": b"\n",
    "a list": b"[1, 2]\n",
    "a string": b'"ready"\n',
    "no type": b'{"kind": "ready"}\n',
    "type is a number": b'{"type": 5}\n',
    "not JSON": b'{"type": "ready", }\n',
    "deep nesting": b"[" * 100_000 + b"\n",
    "a number of 9,000 digits": b'{"type": "x", "n": ' + b"9" * 9000 + b"}\n",
    "two megabytes without a line": b"a" * (2 << 20),
    "another encoding": '{"type": "ready"}\n'.encode("utf-16"),
    "data of -1 bytes": b'{"type": "x", "payload": -1}\n',
    "data of 2^62 bytes": b'{"type": "x", "payload": 4611686018427387904}\n',
    "data of true bytes": b'{"type": "x", "payload": true}\n',
    "data of NaN bytes": b'{"type": "x", "payload": NaN}\n',
    "data of 1.5 bytes": b'{"type": "x", "payload": 1.5}\n',
    "data as text": b'{"type": "x", "payload": "7"}\n',
}
for _name, _data in NO_FRAMES.items():
    for _moment in ("greeting", "painting", "strip"):
        _raw(_moment, _name, _data)

for _name, _value in {
    "none": None, "text": "one", "nan": math.nan, "list": [1], "negative": -3, "next": 2,
    "of 400 digits": HUGE, "half": 1.5,
}.items():  # fmt: skip
    _greeting(f"protocol {_name}", protocol=_value)
for _name, _value in {
    "text": "x", "number": 7, "list": [LONG], "none": None, "nested": {"cpu": {"a": [[[]]]}},
    "surrogate": {"cpu": SURROGATE}, "long": {"cpu": LONG},
}.items():  # fmt: skip
    _greeting(f"devices {_name}", "result", devices=_value)
    _greeting(f"capabilities {_name}", "result", capabilities=_value)
    _greeting(f"accepts {_name}", "result", accepts=_value)
_frame("greeting", "failed", "failed", message="I will not.", code="no", id="")
_frame("greeting", "failed without words", "failed", id="")
_frame("ready", "ready twice", "ready", "result", protocol=99)
_frame("ready", "result without a run", "result", id="run-1", width=4, height=4)
_frame("ready", "unknown types", "wonder", "result", data=b"1234")

for _field in ("step", "steps", "scale", "scales", "width", "height", "eta_s", "memory", "done"):
    for _name, _value in {
        "NaN": math.nan, "infinite": math.inf, "of 400 digits": HUGE, "text": "7", "list": [7],
        "true": True,
    }.items():  # fmt: skip
        _fields = {"stage": "paint", _field: _value}
        _frame("painting", f"progress {_field} {_name}", "progress", **_fields)
_frame("painting", "progress without a stage", "progress")
_frame("painting", "progress stage 7", "progress", stage=7)
_frame("painting", "progress backwards", "progress", "result", stage="paint", step=-9, steps=-3)
_frame("painting", "progress 9 of 0", "progress", "result", stage="paint", step=9, steps=0)
_frame("painting", "progress of another run", "progress", "result", id="run-77", step="x")
_frame("painting", "loss NaN", "progress", "result", stage="paint", step=1, steps=3, loss=math.nan)
_frame("painting", "features long", "progress", "result", stage="paint", features=LONG)
_frame("painting", "features surrogate", "progress", "result", stage="paint", features=SURROGATE)
_frame("painting", "cancelled unasked", "cancelled", "cancelled")
_frame("painting", "strip without a result", "pixels", "result", data=b"1234", y=0, rows=1)

_SIDES = {
    "0": 0, "negative": -4, "2^31": 2**31, "of 400 digits": HUGE, "1.5": 1.5, "text": "40",
    "true": True, "none": None, "NaN": math.nan,
}  # fmt: skip
for _name, _value in _SIDES.items():
    for _kind in ("preview", "result"):
        _frame("painting", f"{_kind} width {_name}", _kind, width=_value,
               height=lambda spec: spec.height, data=b"1234")  # fmt: skip
for _name, _value in {"other": "f16", "number": 8, "none": None, "list": ["u8"]}.items():
    _frame("painting", f"result dtype {_name}", "result", dtype=_value,
           width=lambda spec: spec.width, height=lambda spec: spec.height)  # fmt: skip
_SHAPE: dict[str, Any] = {"width": lambda spec: spec.width, "height": lambda spec: spec.height}
_frame("painting", "preview too short", "preview", **_SHAPE, data=b"1234")
_frame("painting", "preview too long", "preview", width=1, height=1, data=b"12345678")
_frame("painting", "preview without data", "preview", **_SHAPE)
_frame("painting", "preview in f32", "preview", width=1, height=1, dtype="f32", data=b"1" * 16)
_frame("painting", "preview of other shape", "preview", "result", width=3, height=1, data=b"1" * 12)
_frame("result", "result of another size", "result", width=3, height=2)
_frame("result", "result turned", "result", width=lambda s: s.height, height=lambda s: s.width)
_frame("result", "result of one channel", "result", **_SHAPE, channels=1)
_frame("strip", "a second result", "result", **_SHAPE)
_frame("end", "strips without end", "pixels", "result", y=0, rows=1,
       data=lambda spec: bytes(spec.row_bytes))  # fmt: skip
for _name, _value in {
    "y 1": {"y": 1}, "y -1": {"y": -1}, "y of 400 digits": {"y": HUGE}, "y text": {"y": "0"},
    "y none": {"y": None}, "rows 0": {"rows": 0}, "rows -1": {"rows": -1},
    "rows true": {"rows": True}, "rows beyond": {"rows": 10**6}, "rows text": {"rows": "1"},
    "too short": {"data": b"1234"}, "without data": {"data": b""}, "rows NaN": {"rows": math.nan},
}.items():  # fmt: skip
    _whole = {"y": 0, "rows": 1, "data": lambda spec: bytes(spec.row_bytes)}
    _frame("strip", f"strip {_name}", "pixels", of="result", **{**_whole, **_value})


def _floats(name: str, value: float) -> None:
    def tell(out: Any, run: str, spec: Any) -> None:
        shape = {"width": spec.width, "height": spec.height, "dtype": "f32"}
        write(out, "result", id=run, **shape)
        row = array("f", [value] * (4 * spec.width)).tobytes()
        write(out, "pixels", row, id=run, of="result", y=0, rows=1)

    LIES[f"result: pixels {name}"] = Lie("result", tell, "sentence")


_floats("NaN", math.nan)
_floats("infinite", math.inf)

for _name, _fields in {
    "without words": {},
    "message a list": {"message": ["a"], "hint": {"b": 1}},
    "message long": {"message": LONG},
    "code long": {"message": "No.", "code": LONG},
    "code a list": {"message": "No.", "code": [[["a"]]]},
    "surrogate": {"message": SURROGATE, "hint": SURROGATE},
    "markup": {"message": "<b>&amp;<a href='file:///'>No", "hint": "%s%n{0}{name}"},
    "control characters": {"message": "a\0b\x1b[2J\u202ec\r\n" * 9},
    "a template of attributes": {
        "message": "x",
        "sentences": {"message": {"template": "{a.__class__.__mro__}", "values": {"a": "b"}}},
    },
    "a template of endless width": {
        "message": "x",
        "sentences": {"message": {"template": "{a:>999999999999}", "values": {"a": "b"}}},
    },
    "a template without values": {
        "message": "x",
        "sentences": {"message": {"template": "{a} {b[0]} {", "values": {}}},
    },
    "templates in templates": {
        "message": "x",
        "sentences": {
            "message": {
                "template": "{a}" * 50_000,
                "values": {"a": {"template": "{b}" * 9000, "values": {"b": "c" * 9000}}},
            }
        },
    },
}.items():
    _frame("painting", f"failed {_name}", "failed", **_fields)

for _name, _value in {
    "many": ["A note."] * 50_000, "long": [LONG], "numbers": [1, None, {}], "text": LONG,
    "surrogate": [SURROGATE],
}.items():  # fmt: skip
    # Followed by the true result's strips, so that it must come of it.
    _frame("result", f"notes {_name}", "result", "result", **_SHAPE, notes=_value)


def _end(name: str, status: int) -> None:
    def tell(out: Any, *_context: Any) -> None:
        import os

        os._exit(status)

    for moment in ("greeting", "ready", "painting", "result", "strip"):
        LIES[f"{moment}: {name}"] = Lie(moment, tell, "sentence")


_end("ends without a word", 0)
_end("ends with status 3", 3)
