"""What becomes of a finished picture: a new layer, and a place among the results."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Callable, Optional

from gi.repository import Gimp

from choice.choice import Choice
from dialog.entries import Entry, Fresh
from dialog.guard import Guard, Steps
from dialog.results import Results
from pixels.canvas import HiddenCanvas
from pixels.layers import Source
from pixels.small import small_picture, small_scale
from widgets.cutout import Shape, pixbuf

SHOWN_PX = 1024
Then = Callable[[Optional[Gimp.Layer]], None]


class Delivery:
    """Inserts results, in several callbacks of the main loop, because GIMP takes its time."""

    def __init__(self, image: Gimp.Image, window: Any, guard: Guard, results: Results) -> None:
        self._image, self._window, self._results = image, window, results
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
        self._results.add(entry)  # and shown before GIMP is busy with its own windows
        yield
        yield from self._insert(entry)
        yield
        yield from self._results.keeping(entry)

    def _entry(
        self, source: Source, choice: Choice, canvas: HiddenCanvas, name: str
    ) -> Generator[None, None, Fresh]:
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
        return Fresh(source, canvas, choice, picture, name)

    def insert_again(self, entry: Entry) -> None:
        """Makes an earlier result a new layer once more."""
        if entry.is_whole:
            self._steps.add(self._insert(entry))

    def _insert(self, entry: Entry) -> Iterator[None]:
        new = yield from entry.inserting()
        self.inserted = new.layer
        self._results.inserted(entry, new.layer)
        if new.remark:
            self._window.problem.say(new.remark)
        yield
        Gimp.displays_flush()

    def close(self) -> None:
        """Finishes what has begun."""
        self._steps.finish()
