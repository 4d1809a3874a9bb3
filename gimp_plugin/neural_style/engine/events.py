"""What comes of a run while it lasts, and what of the engine's frames counts as such."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from typing import Any, Union

import protocol
from protocol import EngineError, PictureSpec, Progress

LARGE = 1e15
NUMBERS = ("scale", "scales", "step", "steps", "width", "height", "eta_s", "memory", "done")


@dataclass(frozen=True)
class Idle:
    """Nothing has happened for a while."""


@dataclass(frozen=True)
class Sent:
    """Another part of the pictures is on its way to the engine, or has been read."""


@dataclass(frozen=True)
class PictureSoFar:
    """The picture so far, RGBA u8."""

    width: int
    height: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class ResultStart:
    """The result is coming: its shape, and what the engine tells about it."""

    spec: PictureSpec
    info: dict[str, Any]


@dataclass(frozen=True)
class ResultStrip:
    """Rows of the result, from ``y`` on."""

    y: int
    rows: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Done:
    """The whole result has been handed over."""


@dataclass(frozen=True)
class Cancelled:
    """The engine has dropped the run, as asked."""


Event = Union[Progress, Idle, Sent, PictureSoFar, ResultStart, ResultStrip, Done, Cancelled]

# Each of these raises `EngineError` ("protocol") when the frame makes no sense.


def progress_of(header: dict[str, Any]) -> Progress:
    """How far the engine says that it is."""
    found = protocol.progress_from({"stage": None, **header})
    numbers = [getattr(found, name) for name in NUMBERS]
    if not isinstance(found.stage, str) or not isinstance(found.features, str):
        raise EngineError("protocol", "A progress without a stage.")
    if not all(number is None or is_number(number) for number in numbers):
        raise EngineError("protocol", "A progress that is no number.")
    return found


def picture_so_far(header: dict[str, Any], data: bytes) -> PictureSoFar:
    """A picture that comes at once: what it is said to be must go with its pixels."""
    spec = _rgba(header)
    if (len(data), spec.dtype) != (spec.height * spec.row_bytes, "u8"):
        raise EngineError("protocol", "A picture so far that is none.")
    return PictureSoFar(spec.width, spec.height, data)


def result_start(size: tuple[int, int], header: dict[str, Any]) -> ResultStart:
    """The announcement of a result, which has to have the ``size`` (width, height)."""
    spec = _rgba(header)
    if (spec.width, spec.height) != size:
        text = f"A result of {spec.width} × {spec.height} pixels instead of {size}."
        raise EngineError("protocol", text)
    return ResultStart(spec, header)


def result_strip(spec: PictureSpec, row: int, header: Any, data: bytes) -> ResultStrip:
    """Rows of the result ``spec``, which have to begin at ``row``."""
    y, rows = header.get("y"), header.get("rows")
    whole = type(rows) is int and 0 < rows <= spec.height - row
    if not whole or y != row or len(data) != rows * spec.row_bytes:
        raise EngineError("protocol", f"Wrong strip: {header} at row {row}.")
    if spec.dtype == "f32" and not math.isfinite(sum(array("f", data))):
        raise EngineError("protocol", f"Not a number in the strip at row {y}.")
    return ResultStrip(y, rows, data)


def _rgba(header: dict[str, Any]) -> PictureSpec:
    spec = protocol.picture_spec(header)
    if spec.channels != protocol.CHANNELS:
        raise EngineError("protocol", "The result is no RGBA picture.")
    return spec


def is_number(value: Any) -> bool:
    """Whether something that came as JSON is a number of ordinary size, and no NaN."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return known and -LARGE < value < LARGE  # false for NaN, too
