"""The language between the GIMP plug-in and the engine: settings, messages and their frames.

This file is the single source for both processes. It uses the standard library only and stays valid
for Python 3.9, because the installer copies it beside the plug-in, into GIMP's own Python.

A *frame* is one JSON object on one line. If it has ``"payload": N``, exactly N raw bytes follow.
Pixels travel as strips of whole rows: RGBA, sRGB-encoded, straight alpha, channels interleaved,
little-endian ``u8`` (0–255), ``u16`` (0–65535) or ``f32`` (0–1).

========  =========================================================================================
to        ``hello {protocol}`` · ``run {id, settings, content, styles, preview, series}`` ·
engine    ``style {id, index}`` + file bytes · ``pixels {id, of, index, y, rows}`` + strip ·
          ``seen {id}`` (the last preview was shown) · ``stop {id, keep}`` · end of file = quit now
from      ``ready {protocol, version, devices, capabilities, features, memory, accepts}`` ·
engine    ``progress {id, stage, scale, scales, step, steps, loss, eta_s, features,
          memory, done}`` ·
          ``preview {id, width, height}`` + RGBA u8 · ``result {id, width, height, dtype, seconds,
          settings, features, device}``, then its ``pixels {id, of: "result", y, rows}`` ·
          ``cancelled {id}`` · ``failed {id, code, message, hint}`` ·
          ``alive {}`` (every second of work, so that it can be told from silence)
any       ``sentences``: the texts for people in another form, see `with_sentences`
========  =========================================================================================

The ``content`` of ``run`` may have a ``dpi``, its pixels per inch on paper.
``run`` is followed by one ``style`` frame (or ``pixels`` with ``of: "style"``, for a style that
declares ``width``) per style, and by the strips of the content. A style that declares a
``mask {width, height, dtype, channels: 1}`` is painted only where that is not 0: its strips come as
``pixels`` with ``of: "mask"``, one sample a pixel, over the whole content, whatever its size. So
does the mask of what is held of the content, ``hold`` in ``run`` and in ``of``, which an engine
knows that lists "hold" in what it ``accepts``.
Of a ``spot {area, whole, size, parts}`` in ``run`` only this is painted, as it will be in the
whole picture, and is the result: ``area`` is [left, top, width, height] in a picture of ``whole``
[width, height], ``size`` [width, height] that of the result. The content then is the whole picture,
made smaller if it has more than `OVERVIEW_PX`; of such a one ``parts``, a list of
``{width, height, dtype, left, top}``, come at full size as ``pixels`` with ``of: "spot"``: first
the area with a margin, all that is needed. Its ``series`` is that of the quick preview that it goes
on from, which stays what is gone on from. An engine knows it that accepts "spot".
A quick preview may say what ``painting {settings, width, height}`` it is for; with the result then
comes an ``estimate {seconds, memory}`` of what that will take, seconds null while nobody knows.
Consecutive runs that have the same text as ``series`` follow each other, as the frames of an
animation do: each begins with the painting before, where its content has not changed. If ``run``
says ``steady: true``, it is painted as the run before was that said so, too, moved as the content
has moved since.
Unknown message types and unknown fields are ignored, so that either side may be a little newer than
the other.
"""

from __future__ import annotations

import dataclasses
import hashlib
import html
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import IO, Any

PROTOCOL = 1
HOLD, SPOT = "hold", "spot"
ACCEPTED = (HOLD, SPOT)
"""What this version's engine understands beyond the first one's language."""

CHANNELS = 4
SAMPLE_BYTES = {"u8": 1, "u16": 2, "f32": 4}
STRIP_BYTES = 4 << 20
PREVIEW_PX = 512
"""Long side of the dialog's previews. All larger pictures pass through that size while they are
painted, so that a preview becomes what it showed."""
OVERVIEW_PX = 1600
"""Long side of the content of a job that paints a spot, if the picture is larger: up to that scale
the network looks at shapes, far around a place."""
DRAFT_NETWORK = "built-in draft network"
"""What people read where the draft network is in use: in ``features``."""
MAX_HEADER = 1 << 20
MAX_PAYLOAD = 640 << 20


MAX_VALUE = 2000
"""Characters of a value in a `Sentence`; the rest of a longer one is left out."""
MAX_CODE = 200
MAX_TEXT = 10_000
"""Characters of a whole `Sentence`."""

_HOLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Sentence:
    """What is said to the user: a ``template`` with ``{name}`` holes, and the ``values`` in them.

    Kept apart, so that whoever shows it can translate the template. A value is a text, or a
    sentence of its own; it is put in as it is, once, whatever signs it holds. A hole without a
    value stays. The whole is cut at `MAX_TEXT` characters, whatever the other side has put into
    each other.
    """

    template: str
    values: dict[str, str | Sentence] = field(default_factory=dict)

    @classmethod
    def of(cls, template: str, /, **values: Any) -> Sentence:
        """The sentence with ``values`` of any type."""
        return cls(template, {name: _value(value) for name, value in values.items()})

    def said(self, word: Callable[[str], str] = str) -> str:
        """The whole text, each template passed through ``word``, which may translate it."""

        texts: dict[str, str] = {}
        room = MAX_TEXT

        def filling(hole: re.Match[str]) -> str:
            nonlocal room
            name = hole[1]
            if room > 0 and name not in texts:
                value = self.values.get(name, hole[0])
                texts[name] = value.said(word) if isinstance(value, Sentence) else value
            text = texts.get(name, "")[: max(room, 0)]
            room -= len(text)
            return text

        return _HOLE.sub(filling, word(self.template))[:MAX_TEXT]

    def __str__(self) -> str:
        return self.said()

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        values = {
            name: value.to_dict() if isinstance(value, Sentence) else value
            for name, value in self.values.items()
        }
        return {"template": self.template, "values": values}


def _value(value: Any) -> str | Sentence:
    if isinstance(value, Sentence):
        return value
    text = str(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


class EngineError(Exception):
    """The one exception whose text is meant for the user.

    ``code`` is a stable, machine-readable name ("out-of-memory"), ``message`` one sentence that
    says what happened, ``hint`` the next step the user can take (may be empty). Both are templates
    whose ``{name}`` holes ``values`` fill, or a `Sentence` each.
    """

    def __init__(
        self, code: str, message: str | Sentence, hint: str | Sentence = "", /, **values: Any
    ) -> None:
        self.code = code
        self.sentence, self.next_step = (
            text if isinstance(text, Sentence) else Sentence.of(text, **values)
            for text in (message, hint)
        )
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """What happened, in English."""
        return str(self.sentence)

    @property
    def hint(self) -> str:
        """The next step, in English."""
        return str(self.next_step)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


# --- settings ---------------------------------------------------------------------------------


def option(
    default: Any,
    label: str,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: dict[str, str] | None = None,
    unit: str = "",
    advanced: bool = False,
) -> Any:
    """A field of `Settings`: its default and everything a user interface needs to show it.

    ``choices`` maps the accepted values to their labels; ``low`` and ``high`` are inclusive bounds.
    """
    metadata = {
        "label": label,
        "help": help,
        "low": low,
        "high": high,
        "choices": choices,
        "unit": unit,
        "advanced": advanced,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """Everything a user can choose about a run, apart from the pictures themselves.

    The command line, the arguments of the GIMP procedure, its dialog and the README's table of
    options are made from these fields.
    """

    preset: str = option(
        "fast",
        "Quality",
        "How much time the picture gets: Draft for a quick picture by the small built-in network, "
        "Fast for a good picture soon, Best for the finest one, Classic for the textbook method "
        "(Gatys et al., the Keras notebook).",
        choices={"draft": "Draft", "fast": "Fast", "best": "Best", "classic": "Classic"},
    )
    strength: float = option(
        50.0,
        "Strength",
        "How far the photo gives way to the style: 0 stays close to the photo, 100 lets the style "
        "take over.",
        low=0.0,
        high=100.0,
    )
    style_scale: float = option(
        100.0,
        "Brush size",
        "Size of the style's strokes and shapes on the photo: 100 shows the whole style picture at "
        "the photo's size, 50 halves its strokes.",
        low=10.0,
        high=400.0,
        unit="%",
    )
    brush_mm: float = option(
        0.0,
        "Brush width",
        "Width of the style's strokes on a print, by the photo's resolution: the same on a poster "
        "as on a postcard. 0 goes by the brush size.",
        low=0.0,
        high=200.0,
        unit="mm",
    )
    smoothness: float = option(
        20.0,
        "Smoothness",
        "Suppresses fine grain (total variation): 0 keeps all of it, 100 gives flat, calm areas.",
        low=0.0,
        high=100.0,
    )
    keep_colors: str = option(
        "off",
        "Keep colours",
        "Takes the colours from the style, or keeps the photo's: everywhere its own, painting "
        "light and dark only, or its palette, which the style's brush may spread anew.",
        choices={
            "off": "No, use the style's colours",
            "luminance": "Yes, paint light and dark only",
            "palette": "Yes, as a palette",
        },
    )
    faces: str = option(
        "keep",
        "Faces",
        "Keeps the eyes and mouths of people what they are, in the style's strokes and colours, or "
        "paints faces like everything else, which may cost a small one its eyes.",
        choices={"keep": "Keep eyes and mouth", "paint": "Paint like everything else"},
        advanced=True,
    )
    shapes: float = option(
        50.0,
        "Shapes",
        "Which of the style's marks count most: 0 its fine texture, 100 its large shapes.",
        low=0.0,
        high=100.0,
        advanced=True,
    )
    wrap: str = option(
        "none",
        "Wrap",
        "Lets edges meet without a seam: left and right of a panorama all around, or all four of a "
        "picture that is laid side by side, as in games, on cloth and on walls.",
        choices={"none": "No", "sideways": "Left and right", "both": "All four edges"},
        advanced=True,
    )
    size: int = option(
        0,
        "Working size",
        "Long side, in pixels, at which the picture is painted: a smaller one is quicker, and the "
        "result is enlarged to the photo's full size. 0 paints at full size (Draft: at most 1024).",
        low=0,
        high=16384,
        unit="px",
        advanced=True,
    )
    iterations: int = option(
        0,
        "Iterations",
        "Number of optimisation steps in all, spread over the scales. 0 chooses it by quality.",
        low=0,
        high=100000,
        advanced=True,
    )
    init: str = option(
        "auto",
        "Start from",
        "The picture the optimisation starts from.",
        choices={
            "auto": "Automatic",
            "recolor": "Photo in the style's colours",
            "content": "Photo",
            "noise": "Noise",
        },
        advanced=True,
    )
    seed: int = option(
        0,
        "Seed",
        "Another number gives another picture where chance takes part (start from noise); the same "
        "number repeats it.",
        low=0,
        high=2**31 - 1,
        advanced=True,
    )
    optimizer: str = option(
        "auto",
        "Optimiser",
        "The minimisation method.",
        choices={"auto": "Automatic", "lbfgs": "L-BFGS", "adam": "Adam"},
        advanced=True,
    )
    pooling: str = option(
        "max",
        "Pooling",
        "How the network reduces its maps: Max as trained, Average for softer texture.",
        choices={"max": "Max", "average": "Average"},
        advanced=True,
    )
    style_loss: str = option(
        "auto",
        "Style loss",
        "Name of the style loss; plug-ins of the engine may add more. auto takes the preset's.",
        advanced=True,
    )
    features: str = option(
        "auto",
        "Features",
        "The network that looks at the pictures: auto takes the pretrained VGG19 if it is "
        "installed, with the built-in draft network for the finest scales of large pictures, else "
        "the draft network alone; vgg19 and draft insist on theirs.",
        advanced=True,
    )
    postprocess: str = option(
        "",
        "Post-processing",
        "Names of post-processors, separated by commas, applied in this order to the finished "
        "picture.",
        advanced=True,
    )
    device: str = option(
        "auto",
        "Device",
        "Where to compute: auto, cpu, cuda, cuda:1, mps or xpu.",
        advanced=True,
    )

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, _checked(f, getattr(self, f.name)))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Settings:
        """Settings from a mapping; unknown names are ignored, bad values raise `EngineError`."""
        known = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in values.items() if k in known})

    def to_dict(self) -> dict[str, Any]:
        """All values as a JSON-ready mapping."""
        return dataclasses.asdict(self)

    def with_valid(self, values: dict[str, Any]) -> Settings:
        """These settings with all of ``values``, from whomever, that are known and valid."""
        found = self
        for f in fields(self):
            if f.name in values:
                try:
                    found = dataclasses.replace(found, **{f.name: values[f.name]})
                except EngineError:
                    continue
        return found


def _checked(f: Any, value: Any) -> Any:
    """``value`` in the type of the field ``f``; raises `EngineError` ("bad-setting") otherwise."""
    kind, meta = type(f.default), f.metadata
    name = f.name.replace("_", "-")

    def bad(expected: str, **values: Any) -> EngineError:
        return EngineError(
            "bad-setting",
            "{name} must be {expected}, not {value}.",
            name=name,
            expected=Sentence.of(expected, **values),
            value=_shown(value),
        )

    if kind is str:
        if not isinstance(value, str):
            raise bad("a text")
        if meta["choices"] and value not in meta["choices"]:
            raise bad("one of {names}", names=", ".join(meta["choices"]))
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise bad("a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise bad("a number")
    if not meta["low"] <= value <= meta["high"]:  # whole numbers may have any number of digits
        raise bad(
            "between {low} and {high}", low=f"{meta['low']:.10g}", high=f"{meta['high']:.10g}"
        )
    if kind is int and value != int(value):
        raise bad("a whole number")
    return kind(value)


def _shown(value: Any) -> str:
    """What a message says of a value; Python writes out no whole number of 5000 digits."""
    if isinstance(value, int) and value.bit_length() > 64:
        return f"{Decimal(value):.3e}"
    return repr(value) if isinstance(value, (str, int, float)) else type(value).__name__


# --- how a file was painted -------------------------------------------------------------------

PAINTED_SPACE, PAINTED_PREFIX, PAINTED_NAME = "urn:gimp-neural-style:1/", "NeuralStyle", "painted"
"""Namespace, prefix and name of the property in a file's XMP that says how it was painted."""
LOOKED_AT = 4 << 20
"""Bytes at the beginning and at the end of a file among which that property is looked for."""
_PAINTED = re.compile(
    rb"""NeuralStyle:painted(?:\s*=\s*"([^"<]{2,65536})"|\s*=\s*'([^'<]{2,65536})'|>([^<]{2,65536})</)"""
)


@dataclass(frozen=True)
class PaintedStyle:
    """What is told of a style: the name of its file (without the folder), its `fingerprint`, and
    its share."""

    file: str
    key: str = ""
    weight: float = 1.0


@dataclass(frozen=True)
class Painting:
    """How a file was painted: what can be told without telling of the computer it was done on.

    ``masks`` says that masks had a part in it, which do not travel.
    """

    settings: Settings = field(default_factory=Settings)
    styles: tuple[PaintedStyle, ...] = ()
    masks: bool = False

    def text(self) -> str:
        """One line of JSON, in the form of the notes of painted layers."""
        kept = self.settings.to_dict()
        del kept["device"]
        kept["styles"] = [{"file": s.file, "print": s.key, "weight": s.weight} for s in self.styles]
        return json.dumps({**kept, "masks": self.masks})


def painting_from(text: str) -> Painting:
    """The painting in a text that may come from anybody, as far as it is valid."""
    try:
        found = json.loads(text)
    except (RecursionError, ValueError):
        found = None
    values = found if isinstance(found, dict) else {}
    styles = values.get("styles")
    entries = [e for e in styles if isinstance(e, dict)] if isinstance(styles, list) else []
    settings = Settings().with_valid({**values, "device": "auto"})
    return Painting(settings, tuple(map(_painted_style, entries[:64])), values.get("masks") is True)


def _painted_style(entry: dict[str, Any]) -> PaintedStyle:
    file, key, weight = (str(entry.get(name, "")) for name in ("file", "print", "weight"))
    file = re.split(r"[/\\\0]", file)[-1][:255].encode("utf-8", "replace").decode()
    number = re.fullmatch(r"\d{1,3}(\.\d{1,20})?", weight)
    return PaintedStyle(
        "" if file in (".", "..") else file,
        key if re.fullmatch("[0-9a-f]{32}", key) else "",
        min(max(float(weight), 0.01), 100.0) if number else 1.0,
    )


def painted_text(file: IO[bytes]) -> str | None:
    """What a picture file (PNG, JPEG, TIFF, WebP) says of how it was painted; None if nothing.

    XMP lies in these files as it is, so that no decoder need look at a stranger's file.
    """
    size = file.seek(0, 2)
    for start in dict.fromkeys((0, max(0, size - LOOKED_AT))):
        file.seek(start)
        found = _PAINTED.search(file.read(LOOKED_AT))
        if found:
            written = next(part for part in found.groups() if part is not None)
            return html.unescape(written.decode("utf-8", "replace"))
    return None


PART = 64 << 10


def fingerprint(file: IO[bytes]) -> str:
    """The start of the SHA-256 of a file's size, its first and its last 64 KB: quickly made of the
    largest file, and the same wherever a copy of it lies."""
    size = file.seek(0, 2)
    file.seek(0)
    found = hashlib.sha256(b"%d\n" % size)
    found.update(file.read(PART))
    file.seek(max(PART, size - PART))
    found.update(file.read(PART))
    return found.hexdigest()[:32]


# --- messages ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """One step done. ``stage`` is "prepare", "paint" or "finish"; scales and steps count from 1.

    ``step``/``steps`` count over the whole run, ``eta_s`` is the estimated time left in seconds
    (None while unknown), ``loss`` the loss of this step (None outside the optimisation), ``width``
    and ``height`` the pixels of the scale being worked on, ``features`` says in words which network
    is in use (empty until it is loaded), ``memory`` about how many bytes the engine will take at
    most (None while unknown), ``done`` the share of the work that is done, 0–1. The last
    "prepare" tells what the run will need; a large picture has several "paint" within a step.
    """

    stage: str
    scale: int = 0
    scales: int = 0
    step: int = 0
    steps: int = 0
    width: int = 0
    height: int = 0
    loss: float | None = None
    eta_s: float | None = None
    features: str = ""
    memory: int | None = None
    done: float | None = None

    @property
    def fraction(self) -> float:
        """How much of the run is done, 0–1: in time, as far as that is known, or in steps."""
        if self.done is not None:
            return self.done
        return self.step / self.steps if self.steps else 0.0


def message(event: Any, **extra: Any) -> dict[str, Any]:
    """The JSON form of a message dataclass: its fields plus ``type``, its name in lower case."""
    return {"type": type(event).__name__.lower(), **dataclasses.asdict(event), **extra}


def progress_from(header: dict[str, Any]) -> Progress:
    """The `Progress` in a ``progress`` header, whatever else that header holds."""
    return Progress(**{f.name: header[f.name] for f in fields(Progress) if f.name in header})


def with_sentences(header: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """``header`` with ``fields`` that hold sentences, alone, in a list or as values of a mapping.

    Each is there in English under its own name, for whoever reads no more, and as template and
    values in the same place below ``sentences``.
    """
    english = {name: _each(value, str) for name, value in fields.items()}
    apart = {name: _each(value, Sentence.to_dict) for name, value in fields.items()}
    return {**header, **english, "sentences": apart}


def _each(value: Any, form: Callable[[Sentence], Any]) -> Any:
    if isinstance(value, dict):
        return {key: form(sentence) for key, sentence in value.items()}
    return form(value) if isinstance(value, Sentence) else [form(sentence) for sentence in value]


def sentence_at(header: dict[str, Any], *path: Any) -> Sentence:
    """The sentence in a field of ``header``, or in an entry of it; English if no more came along.

    Empty if there is no text at ``path``.
    """
    apart, english = _entry(header.get("sentences"), path), _entry(header, path)
    return _sentence_from(apart) or Sentence(english if isinstance(english, str) else "")


def _entry(value: Any, path: Sequence[Any]) -> Any:
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def _sentence_from(value: Any, depth: int = 4) -> Sentence | None:
    template, values = _entry(value, ["template"]), _entry(value, ["values"])
    if not isinstance(template, str) or not isinstance(values, dict) or not depth:
        return None
    inner = {name: _sentence_from(each, depth - 1) or _value(each) for name, each in values.items()}
    return Sentence(template, inner)


def failed(error: EngineError, job_id: str = "") -> dict[str, Any]:
    """The ``failed`` message for an error."""
    header = {"type": "failed", "id": job_id, "code": error.code}
    return with_sentences(header, message=error.sentence, hint=error.next_step)


def error_from(header: dict[str, Any]) -> EngineError:
    """The error in a ``failed`` message."""
    message, hint = sentence_at(header, "message"), sentence_at(header, "hint")
    code = header.get("code")
    return EngineError(code[:MAX_CODE] if isinstance(code, str) else "engine", message, hint)


@dataclass(frozen=True)
class PictureSpec:
    """Shape and sample type of a picture that travels as ``pixels`` strips.

    ``channels`` is 4 for RGBA, or 1 for a mask.
    """

    width: int
    height: int
    dtype: str = "u8"
    channels: int = CHANNELS

    def __post_init__(self) -> None:
        whole = all(
            isinstance(n, int) and not isinstance(n, bool) and n > 0
            for n in (self.width, self.height, self.channels)
        )
        known = isinstance(self.dtype, str) and self.dtype in SAMPLE_BYTES
        if not whole or not known or self.channels not in (1, CHANNELS):
            raise EngineError(
                "protocol",
                "Not a picture: {width}×{height} {dtype}.",
                width=self.width,
                height=self.height,
                dtype=self.dtype,
            )

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of pixels."""
        return self.width * self.channels * SAMPLE_BYTES[self.dtype]

    def strips(self) -> Iterator[tuple[int, int]]:
        """``(y, rows)`` of consecutive strips of about 4 MB that cover the picture."""
        rows = max(1, STRIP_BYTES // self.row_bytes)
        for y in range(0, self.height, rows):
            yield y, min(rows, self.height - y)


def picture_spec(header: Any) -> PictureSpec:
    """The `PictureSpec` in a JSON object; raises `EngineError` ("protocol") if there is none."""
    if not isinstance(header, dict):
        raise EngineError("protocol", "A picture without width and height was announced.")
    return PictureSpec(
        header.get("width", 0),
        header.get("height", 0),
        header.get("dtype", "u8"),
        header.get("channels", CHANNELS),
    )


# --- frames -----------------------------------------------------------------------------------


def write_frame(stream: IO[bytes], header: dict[str, Any], payload: Any = None) -> None:
    """Writes one frame, flushed. ``payload`` is bytes-like; NaN and infinity raise ValueError."""
    if payload is not None:
        header = {**header, "payload": len(memoryview(payload).cast("B"))}
    line = json.dumps(header, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    stream.write(line.encode("ascii") + b"\n")
    if payload is not None:
        stream.write(payload)
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """The next frame as ``(header, payload)``, or None at a clean end of the stream.

    Raises `EngineError` ("protocol") for anything that is not a frame, and for an end inside one.
    """
    line = stream.readline(MAX_HEADER)
    if not line:
        return None
    if not line.endswith(b"\n"):
        raise EngineError("protocol", "The stream ended, or went on too long, inside a message.")
    try:
        header = json.loads(line)
    except (ValueError, RecursionError):
        raise EngineError("protocol", "Not a message: {line}.", line=repr(line[:80])) from None
    if not isinstance(header, dict) or not isinstance(header.get("type"), str):
        raise EngineError("protocol", "A message without a type: {line}.", line=repr(line[:80]))
    size = header.get("payload", 0)
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_PAYLOAD:
        raise EngineError("protocol", "A message announced {size} bytes of data.", size=repr(size))
    payload = stream.read(size) if size else b""
    if len(payload) != size:
        raise EngineError("protocol", "The stream ended inside the data of a message.")
    return header, payload


def check_protocol(theirs: Any, *, engine_is_asking: bool) -> None:
    """Raises `EngineError` ("protocol-version") that says which side to upgrade."""
    if theirs == PROTOCOL:
        return
    we_are_newer = not isinstance(theirs, int) or theirs < PROTOCOL
    newer_is_engine = we_are_newer == engine_is_asking
    sides = Sentence("GIMP plug-in"), Sentence("engine")
    old, new = sides if newer_is_engine else reversed(sides)
    numbers = (theirs, PROTOCOL) if we_are_newer else (PROTOCOL, theirs)
    raise EngineError(
        "protocol-version",
        "The {old} is older than the {new} (protocol {first} and {second}).",
        "Run the installer again; it updates both.",
        old=old,
        new=new,
        first=numbers[0],
        second=numbers[1],
    )
