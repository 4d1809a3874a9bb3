"""The paintings: one layer after the other, each delivered before the next one begins."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Callable, Protocol

from gi.repository import Gimp

from choice.choice import Choice
from dialog.delivery import SHOWN_PX, Delivery
from dialog.outcome import in_short, reached, stopped_at
from dialog.subject import Subject, layers_in_words
from engine.events import PictureSoFar
from engine.request import Request
from engine.session import Session
from engine.wording import notes_of
from engine.work import Painting
from pixels.canvas import HiddenCanvas
from pixels.layers import closing, locate, on_paper
from pixels.notes import result_name
from pixels.style_pictures import load_hold, load_styles
from protocol import EngineError


@dataclass(frozen=True)
class Order:
    """The layers still to paint, the choice made for them, and the engine's name for the series:
    what goes by one name goes on from the picture before. ``since`` is when it was given, by the
    monotonic clock, ``added`` how many layers have come of it."""

    choice: Choice
    layers: tuple[Gimp.Layer, ...]
    name: str
    since: float
    added: int = 0


class Listener(Protocol):
    """Who wants to know how the paintings fare."""

    def session_changed(self) -> None:
        """There is another outcome."""

    def session_failed(self, problem: EngineError) -> None:
        """A painting could not begin."""

    def series_dropped(self) -> None:
        """A painting was cancelled."""


class Series:
    """Paints the layers of an order, and has the results delivered."""

    def __init__(
        self,
        session: Session,
        subject: Subject,
        delivery: Delivery,
        window: Any,
        listener: Listener,
    ) -> None:
        self.outcome = ""
        """What came of the order before, in words."""
        self._session, self._subject, self._delivery = session, subject, delivery
        self._window, self._listener = window, listener
        self._under_way = False
        self._afterwards: list[Callable[[], None]] = []

    def afterwards(self, action: Callable[[], None]) -> None:
        """Calls ``action`` as soon as nothing is painted or delivered: now, or later."""
        self._afterwards.append(action)
        if not self._under_way:
            self._end()

    def begin(self, order: Order, steady: bool) -> None:
        """Paints the first layer of the order, then the others; ``steady`` if each shall go on
        from the one before."""
        self._under_way = True
        try:
            painting = self._painting(order, steady)
        except EngineError as problem:
            self._listener.session_failed(problem)
            self._end()
            return
        self.outcome = ""
        self._window.subject.say(layers_in_words(self._subject.layers, len(order.layers)))
        self._session.paint(painting)

    def _painting(self, order: Order, steady: bool) -> Painting:
        """The first layer's painting, with everything as it is now. Raises `EngineError`."""
        source = locate(self._subject.image, order.layers[:1])
        around = source.image, source.layer, source.seen
        try:
            styles = load_styles(order.choice.styles, *around, small=False)
            hold = load_hold(order.choice.hold, *around, small=False)
        except EngineError:
            source.close()
            raise
        reader, canvas = source.reader(), HiddenCanvas(source.seen)

        def request() -> Request:
            settings = closing(order.choice.settings, source.layer, source.seen)
            dpi, strips = on_paper(source.image, source.seen, reader.spec), reader.strips()
            given = settings, reader.spec, strips, styles, SHOWN_PX, order.name, hold, dpi
            return Request(*given, steady=steady)

        def so_far(picture: PictureSoFar) -> None:
            size, shaped = (picture.width, picture.height), source.layer == self._subject.view.shown
            self._subject.show_painted(self._window.pane, picture.data, *size, shaped)

        def done(info: dict[str, Any]) -> None:
            notes = notes_of(info)
            self._window.caption.set_text(" ".join(notes))
            self._window.caption.set_tooltip_text("\n".join(notes) or None)
            stopped = reached(info)

            def then(layer: Gimp.Layer | None) -> None:
                if layer is None:
                    self._end()
                    return
                name, count = order.name if steady else "", order.added + 1
                seconds = time.monotonic() - order.since
                self.outcome = in_short(layer.get_name(), count, seconds, stopped)
                left = tuple(layer for layer in order.layers[1:] if layer.is_valid())
                self._go_on(replace(order, layers=left, name=name, added=count), steady)

            name = result_name(source.subject, order.choice.styles, stopped_at(stopped))
            self._delivery.deliver(source, order.choice, canvas, name, then)

        def given_up(problem: EngineError | None) -> None:
            canvas.discard()
            source.close()
            self._end()
            if problem is None:
                self._listener.series_dropped()

        selection: Iterator[None] = source.selection.copy() if source.selection else iter(())
        goes_on = bool(order.name)
        return Painting(request, canvas, so_far, done, given_up, selection, goes_on)

    def _go_on(self, order: Order, steady: bool) -> None:
        if order.layers:
            self.begin(order, steady)
            return
        self._window.subject.say(layers_in_words(self._subject.layers))
        self._end()

    def _end(self) -> None:
        self._under_way = False
        self._listener.session_changed()
        actions, self._afterwards = self._afterwards, []
        for action in actions:
            action()
