"""What becomes of a finished picture: a new layer, a place in the history, a look at it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Callable, Optional

from gi.repository import Gimp

from choice.choice import Choice
from dialog.guard import Guard, Steps
from dialog.history import Entry, History
from pixels import inserting
from pixels.canvas import HiddenCanvas
from pixels.layers import Source
from pixels.notes import style_note
from pixels.small import small_picture, small_scale, spot
from widgets.cutout import Shape, cut, pixbuf

SHOWN_PX = 1024
Then = Callable[[Optional[Gimp.Layer]], None]


class Delivery:
    """Inserts results, in several callbacks of the main loop, because GIMP takes its time."""

    def __init__(self, image: Gimp.Image, window: Any, guard: Guard) -> None:
        self._image, self._window = image, window
        self._history = History(window.history)
        self._steps = Steps("deliver", guard)
        self.inserted: Gimp.Layer | None = None

    def deliver(
        self, source: Source, choice: Choice, canvas: HiddenCanvas, name: str, then: Then
    ) -> None:
        """Makes the picture on ``canvas`` a new layer called ``name``, shows it, and calls ``then``
        with the layer, None if something went wrong."""
        self._steps.add(self._deliver(source, choice, canvas, name, then))

    def _deliver(
        self, source: Source, choice: Choice, canvas: HiddenCanvas, name: str, then: Then
    ) -> Iterator[None]:
        try:
            yield from self._make(source, choice, canvas, name)
        except Exception:  # which is told by whoever takes the steps
            then(None)
            raise
        then(self.inserted)

    def _make(
        self, source: Source, choice: Choice, canvas: HiddenCanvas, name: str
    ) -> Iterator[None]:
        try:
            entry = yield from self._entry(source, choice, canvas, name)
        except Exception:
            canvas.discard()
            source.close()
            raise
        self._history.add(entry)
        self._show(entry)  # before GIMP is busy with its own windows
        yield
        yield from self._insert(entry)

    def _entry(
        self, source: Source, choice: Choice, canvas: HiddenCanvas, name: str
    ) -> Generator[None, None, Entry]:
        layer = canvas.finish()
        rect = source.seen.moved(-source.seen.x, -source.seen.y)
        spec, data = yield from small_picture(layer, rect, SHOWN_PX)
        picture = pixbuf(data, spec.width, spec.height)
        if source.selection is not None:
            scale = small_scale(rect, spec)
            dx, dy = source.painted.x - source.seen.x, source.painted.y - source.seen.y
            area = round(-dx * scale), round(-dy * scale), spec.width, spec.height
            mask = bytearray()
            for _y, _rows, part in source.selection.small(area, scale):
                mask += part
                yield
            picture = Shape(bytes(mask), spec.width, spec.height).cut(picture)
        return Entry(source, canvas, choice, picture, name)

    def _insert(self, entry: Entry) -> Iterator[None]:
        note = style_note(entry.choice, entry.source.layer)
        new = yield from inserting.inserting(entry.source, entry.canvas, entry.name, note)
        self.inserted = new.layer
        if new.remark:
            self._window.problem.say(new.remark)
        yield
        if self.inserted.get_image() != self._image:
            Gimp.Display.new(self.inserted.get_image())
        Gimp.displays_flush()

    def _show(self, entry: Entry) -> None:
        layer, painted, seen = entry.canvas.finish(), entry.source.painted, entry.source.seen
        selection = entry.source.selection
        dx, dy = painted.x - seen.x, painted.y - seen.y

        def at_any_size(x: int, y: int, width: int, height: int, scale: float) -> bytes:
            left, top = (dx, dy) if entry.canvas.is_cropped else (0, 0)
            corner = x - round(left * scale), y - round(top * scale)
            data = spot(layer, *corner, width, height, scale)
            if data and selection is not None:
                corner = x - round(dx * scale), y - round(dy * scale)
                mask = selection.spot(*corner, width, height, scale)
                data = cut(data, mask, width, height)
            return data

        over = selection is not None
        self._window.pane.show_painted(entry.picture, at_any_size, over)

    def act(self, action: str, entry: Entry) -> None:
        """Does something with an earlier result: "show", "insert" or "forget"."""
        if action == "show":
            self._show(entry)
        elif action == "insert":
            self._steps.add(self._insert(entry))
        elif action == "forget":
            self._steps.add(self._forget(entry))

    def _forget(self, entry: Entry) -> Iterator[None]:
        self._window.pane.show_painted(None)
        self._history.forget(entry)
        yield

    def close(self) -> None:
        """Finishes what has begun, and drops the history."""
        self._steps.finish()
        self._history.close()
