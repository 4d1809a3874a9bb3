"""The paintings: one layer after the other, each delivered before the next one begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Callable

from gi.repository import Gimp

from choice.choice import Choice
from dialog.delivery import SHOWN_PX, Delivery
from dialog.subject import Subject, layers_in_words
from engine.events import PictureSoFar
from engine.request import Request
from engine.session import Session
from engine.wording import notes_of
from engine.work import Painting
from pixels.canvas import HiddenCanvas
from pixels.layers import locate
from pixels.style_pictures import load_hold, load_styles
from protocol import EngineError


@dataclass(frozen=True)
class Order:
    """The layers still to paint, the choice made for them, and the engine's name for the series:
    what goes by one name goes on from the picture before."""

    choice: Choice
    layers: tuple[Gimp.Layer, ...]
    name: str


class Series:
    """Paints the layers of an order, and has the results delivered."""

    def __init__(
        self,
        session: Session,
        subject: Subject,
        delivery: Delivery,
        window: Any,
        failed: Callable[[EngineError], None],
    ) -> None:
        self._session, self._subject, self._delivery = session, subject, delivery
        self._window, self._failed = window, failed
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
            self._failed(problem)
            self._end()
            return
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
            settings, strips = order.choice.settings, reader.strips()
            return Request(settings, reader.spec, strips, styles, SHOWN_PX, order.name, hold)

        def so_far(picture: PictureSoFar) -> None:
            size, shaped = (picture.width, picture.height), source.layer == self._subject.view.shown
            self._subject.show_painted(self._window.pane, picture.data, *size, shaped)

        def done(info: dict[str, Any]) -> None:
            notes = notes_of(info)
            self._window.caption.set_text(" ".join(notes))
            self._window.caption.set_tooltip_text("\n".join(notes) or None)
            rest = replace(order, layers=order.layers[1:], name=order.name if steady else "")

            def then(well: bool) -> None:
                if well:
                    self._go_on(rest, steady)
                else:
                    self._end()

            self._delivery.deliver(source, order.choice, canvas, then)

        def given_up(problem: EngineError | None) -> None:
            canvas.discard()
            source.close()
            if problem is None:
                self._window.pane.show_painted(None)
            self._end()

        selection: Iterator[None] = source.selection.copy() if source.selection else iter(())
        return Painting(request, canvas, so_far, done, given_up, selection)

    def _go_on(self, order: Order, steady: bool) -> None:
        layers = tuple(layer for layer in order.layers if layer.is_valid())
        if layers:
            self.begin(replace(order, layers=layers), steady)
            return
        self._window.subject.say(layers_in_words(self._subject.layers))
        self._end()

    def _end(self) -> None:
        self._under_way = False
        actions, self._afterwards = self._afterwards, []
        for action in actions:
            action()
