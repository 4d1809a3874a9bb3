"""A job on its way in: its pictures arrive in pieces, over the protocol."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from styleengine.pictures.about import About
from styleengine.pictures.files import STYLE_PIXELS, decode
from styleengine.protocol import CHANNELS, HOLD, SPOT, EngineError, Sentence, Settings
from styleengine.serving import limits
from styleengine.serving.canvas import Canvas, canvas_of, is_whole
from styleengine.serving.spots import ArrivingSpot

if TYPE_CHECKING:
    from styleengine.jobs import Job

Stop = Literal["", "keep", "drop"]


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
    """A job on its way in: complete once every picture it announced has arrived.

    ``stop`` is what the other side asked for so far; `Inbox` guards it.
    """

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
    dpi: float | None = None
    spot: ArrivingSpot | None = None
    painting: tuple[Settings, int, int] | None = None
    steady: bool = False

    @classmethod
    def of(cls, header: dict[str, Any]) -> Incoming:
        """The job a ``run`` message announces; raises `EngineError`."""
        announced = header.get("content")
        content = canvas_of(announced, CHANNELS, keep=True)
        entries = header.get("styles")
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise EngineError("protocol", "A job without a list of styles was announced.")
        if len(entries) > limits.STYLES:
            raise EngineError("protocol", "A job of more than {n} styles.", n=limits.STYLES)
        most = limits.style_pixels(len(entries))
        settings, preview = header.get("settings", {}), header.get("preview", 0)
        hold, spot = header.get(HOLD), header.get(SPOT)
        if not isinstance(settings, dict):
            raise EngineError("protocol", "The settings of a job are not an object.")
        return cls(
            id=_text(header.get("id", ""), limits.ID_LENGTH),
            settings=Settings.from_dict(settings),
            content=content,
            name=_name(announced),
            styles=[_style(entry, most) for entry in entries],
            preview=max(0, min(preview, limits.PREVIEW_SIDE)) if is_whole(preview) else 0,
            weights=_text(header.get("weights") or "", limits.PATH_LENGTH) or None,
            series=_text(header.get("series") or "", limits.SERIES_LENGTH),
            hold=None if hold is None else canvas_of(hold, 1, STYLE_PIXELS),
            dpi=_resolution(announced),
            spot=None if spot is None else ArrivingSpot.of(spot),
            painting=_painting(header.get("painting")),
            steady=header.get("steady") is True,
        )

    def put(self, header: dict[str, Any], payload: bytes) -> None:
        """Takes in one ``style`` or ``pixels`` message; raises `EngineError`."""
        if header["type"] == "pixels" and header.get("of") == "content":
            self.content.put(header.get("y"), header.get("rows"), payload)
            return
        if header.get("of") == HOLD and self.hold is not None:
            self.hold.put(header.get("y"), header.get("rows"), payload)
            return
        if header.get("of") == SPOT and self.spot is not None:
            self.spot.put(header, payload)
            return
        index = header.get("index")
        if not is_whole(index) or not 0 <= index < len(self.styles):
            raise EngineError("protocol", "There is no style number {n}.", n=repr(index)[:40])
        style = self.styles[index]
        if header["type"] == "style":
            if isinstance(style.picture, Canvas):
                raise EngineError("protocol", "A file came for a style that announced pixels.")
            style.picture = payload
            files = (s.picture for s in self.styles if isinstance(s.picture, bytes))
            if sum(len(data) for data in files) > limits.STYLE_BYTES:
                raise EngineError(
                    "picture-too-large",
                    "{picture} takes too much memory to be made smaller.",
                    "Scale it down first.",
                    picture=Sentence("The style"),
                )
            return
        target = style.mask if header.get("of") == "mask" else style.picture
        if not isinstance(target, Canvas):
            raise EngineError("protocol", "Pixels came for a style that did not announce them.")
        target.put(header.get("y"), header.get("rows"), payload)

    @property
    def complete(self) -> bool:
        """Whether every announced picture is here."""
        whole = not self.content.missing and not (self.hold and self.hold.missing)
        whole = whole and (self.spot is None or self.spot.complete)
        return whole and all(style.complete for style in self.styles)

    def job(self) -> Job:
        """The engine's job; raises `EngineError` for pictures that cannot be decoded."""
        from styleengine.jobs import Job, Style

        styles, most = [], limits.style_pixels(len(self.styles))
        for style in self.styles:
            data, name = style.picture, style.name
            if isinstance(data, Canvas):
                picture = data.picture(name)
            else:
                picture = decode(data or b"", name, most)
            style.picture = None  # its bytes are not needed any more
            mask = None if style.mask is None else style.mask.rgb
            styles.append(Style(picture, style.weight, mask))
        content = self.content.picture(self.name)
        if self.dpi is not None:
            content = replace(content, about=About(dpi=(self.dpi, self.dpi)))
        return Job(
            content,
            tuple(styles),
            self.settings,
            self.preview,
            weights=self.weights,
            hold=None if self.hold is None else self.hold.rgb,
            spot=None if self.spot is None else self.spot.spot(self.name),
        )


def _style(entry: dict[str, Any], most: int) -> ArrivingStyle:
    picture = canvas_of(entry, CHANNELS, most) if "width" in entry else None
    given = entry.get("mask")
    mask = None if given is None else canvas_of(given, 1, most)
    weight = entry.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not _is_finite(weight):
        raise EngineError("protocol", "The weight of a style is not a number.")
    return ArrivingStyle(_name(entry), float(weight), picture, mask)


def _resolution(announced: Any) -> float | None:
    """Pixels per inch of the content, if they are said and make sense."""
    dpi = announced.get("dpi") if isinstance(announced, dict) else None
    if isinstance(dpi, bool) or not isinstance(dpi, int | float) or not 0.01 <= dpi <= 1e6:
        return None
    return float(dpi)


def _painting(announced: Any) -> tuple[Settings, int, int] | None:
    """The settings and the size of the painting that a quick preview is for, if it says so."""
    if not isinstance(announced, dict) or not isinstance(announced.get("settings"), dict):
        return None
    width, height = announced.get("width"), announced.get("height")
    if not is_whole(width) or not is_whole(height):
        return None
    if not (0 < width <= limits.SIDE and 0 < height <= limits.SIDE):
        return None
    return Settings.from_dict(announced["settings"]), width, height


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of 400 digits
        return False


def _name(announced: Any) -> str:
    """The name of a picture, which only messages show."""
    name = announced.get("name", "") if isinstance(announced, dict) else ""
    return str(name)[: limits.NAME_LENGTH] if isinstance(name, str | int | float) else ""


def _text(value: Any, most: int) -> str:
    """A short text; raises `EngineError` for anything else."""
    if is_whole(value) and abs(value) < 1 << 63:
        value = str(value)
    if not isinstance(value, str) or len(value) > most:
        raise EngineError(
            "protocol", "A job with a name that is no text of {n} characters.", n=most
        )
    return value
