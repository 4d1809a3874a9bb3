"""A job on its way in: its pictures arrive in pieces, over the protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from styleengine.machine.failures import out_of_memory
from styleengine.pictures.files import decode, from_pixels
from styleengine.pictures.picture import DEPTHS, SAMPLE_TYPES, Floats, Picture, to_unit
from styleengine.protocol import CHANNELS, HOLD, EngineError, PictureSpec, Settings, picture_spec

if TYPE_CHECKING:
    from styleengine.jobs import Job

MAX_PREVIEW = 2048

Stop = Literal["", "keep", "drop"]


@dataclass
class Canvas:
    """A picture that arrives in strips, each of which is converted as it comes.

    A mask, of one channel, is kept as the ``rgb`` (H, W) of a picture without colours.
    """

    spec: PictureSpec
    rgb: Floats = field(init=False)
    alpha: Floats | None = field(init=False, default=None)
    missing: int = field(init=False)

    def __post_init__(self) -> None:
        self.missing = self.spec.height
        colors = () if self.spec.channels == 1 else (3,)
        self.rgb = self._space(*colors)

    def put(self, y: Any, rows: Any, payload: bytes) -> None:
        """Takes in a strip; raises `EngineError` unless it is the next one, whole."""
        spec = self.spec
        expected = spec.height - self.missing
        whole = isinstance(y, int) and isinstance(rows, int)
        fits = whole and y == expected and 0 < rows <= self.missing
        if not fits or len(payload) != rows * spec.row_bytes:
            raise EngineError(
                "protocol", "A strip of pixels does not fit: row {y}, {rows} rows.", y=y, rows=rows
            )
        at = slice(y, y + rows)
        if spec.channels == 1:
            samples = np.frombuffer(payload, SAMPLE_TYPES[spec.dtype])
            self.rgb[at] = to_unit(samples.reshape(rows, spec.width))
        else:
            strip = from_pixels(payload, spec.width, rows, spec.dtype)
            self.rgb[at] = strip.rgb
            if strip.alpha is not None:
                if self.alpha is None:
                    self.alpha = self._space()
                    self.alpha.fill(1)
                self.alpha[at] = strip.alpha
        self.missing -= rows

    def picture(self, name: str) -> Picture:
        """The whole picture."""
        return Picture(self.rgb, self.alpha, DEPTHS[self.spec.dtype], name)

    def _space(self, *channels: int) -> Floats:
        try:
            return np.empty((self.spec.height, self.spec.width, *channels), np.float32)
        except (MemoryError, ValueError, OverflowError) as error:
            raise out_of_memory() from error


@dataclass
class ArrivingStyle:
    """A style on its way in: a file's bytes or a canvas of pixels, and perhaps a mask."""

    name: str
    weight: float
    picture: Canvas | bytes | None
    mask: Canvas | None = None

    @property
    def complete(self) -> bool:
        """Whether all of it is here."""
        canvases = [c for c in (self.picture, self.mask) if isinstance(c, Canvas)]
        return self.picture is not None and not any(c.missing for c in canvases)


@dataclass
class Incoming:
    """A job on its way in: complete once every picture it announced has arrived."""

    id: str
    settings: Settings
    content: Canvas
    name: str
    styles: list[ArrivingStyle]
    preview: int
    weights: str | None
    series: str = ""
    stop: Stop = ""
    hold: Canvas | None = None

    @classmethod
    def of(cls, header: dict[str, Any]) -> Incoming:
        """The job a ``run`` message announces; raises `EngineError`."""
        announced = header.get("content")
        content = _canvas(announced)
        styles = []
        entries = header.get("styles")
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise EngineError("protocol", "A job without a list of styles was announced.")
        for entry in entries:
            picture = _canvas(entry) if "width" in entry else None
            mask = _canvas(entry["mask"], 1) if entry.get("mask") is not None else None
            weight = entry.get("weight", 1.0)
            if isinstance(weight, bool) or not isinstance(weight, int | float):
                raise EngineError("protocol", "The weight of a style is not a number.")
            styles.append(ArrivingStyle(str(entry.get("name", "")), float(weight), picture, mask))
        preview = header.get("preview", 0)
        weights = header.get("weights")
        settings = header.get("settings", {})
        if not isinstance(settings, dict):
            raise EngineError("protocol", "The settings of a job are not an object.")
        return cls(
            id=str(header.get("id", "")),
            settings=Settings.from_dict(settings),
            content=content,
            name=str(announced.get("name", "")) if isinstance(announced, dict) else "",
            styles=styles,
            preview=min(preview, MAX_PREVIEW) if isinstance(preview, int) else 0,
            weights=weights if isinstance(weights, str) and weights else None,
            series=str(header.get("series") or ""),
            hold=_canvas(header[HOLD], 1) if header.get(HOLD) is not None else None,
        )

    def put(self, header: dict[str, Any], payload: bytes) -> None:
        """Takes in one ``style`` or ``pixels`` message; raises `EngineError`."""
        if header.get("of") == "content":
            self.content.put(header.get("y"), header.get("rows"), payload)
            return
        if header.get("of") == HOLD and self.hold is not None:
            self.hold.put(header.get("y"), header.get("rows"), payload)
            return
        index = header.get("index")
        if not isinstance(index, int) or not 0 <= index < len(self.styles):
            raise EngineError("protocol", "There is no style number {n}.", n=repr(index))
        style = self.styles[index]
        target = style.mask if header.get("of") == "mask" else style.picture
        if header["type"] == "style":
            style.picture = payload
        elif isinstance(target, Canvas):
            target.put(header.get("y"), header.get("rows"), payload)
        else:
            raise EngineError("protocol", "Pixels came for a style that did not announce them.")

    def asked(self) -> Stop:
        """What the other side asked for so far; another thread sets it."""
        return self.stop

    @property
    def complete(self) -> bool:
        """Whether every announced picture is here."""
        whole = not self.content.missing and not (self.hold and self.hold.missing)
        return whole and all(style.complete for style in self.styles)

    def job(self) -> Job:
        """The engine's job; raises `EngineError` for pictures that cannot be decoded."""
        from styleengine.jobs import Job, Style

        styles = []
        for style in self.styles:
            data, name = style.picture, style.name
            picture = data.picture(name) if isinstance(data, Canvas) else decode(data or b"", name)
            mask = None if style.mask is None else style.mask.rgb
            styles.append(Style(picture, style.weight, mask))
        content = self.content.picture(self.name)
        return Job(
            content,
            tuple(styles),
            self.settings,
            self.preview,
            weights=self.weights,
            hold=None if self.hold is None else self.hold.rgb,
        )


def _canvas(announced: Any, channels: int = CHANNELS) -> Canvas:
    spec = picture_spec(announced)
    if spec.channels != channels:
        raise EngineError("protocol", "A picture of {n} channels was announced.", n=spec.channels)
    return Canvas(spec)
