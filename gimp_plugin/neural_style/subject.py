"""What is painted: the layers that the dialog was opened for, and the picture of the first one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Callable

import gi

gi.require_version("Gimp", "3.0")
from choice import PREVIEW_PX  # noqa: E402
from gi.repository import Gimp, GLib  # noqa: E402
from layers import measure  # noqa: E402
from protocol import EngineError, PictureSpec  # noqa: E402
from stopwatch import Stopwatch  # noqa: E402
from texts import _  # noqa: E402
from view import LayerView, prepare_conversions  # noqa: E402


class Subject:
    """The layers to paint. Raises `EngineError` ("bad-layer") if the first cannot be painted.

    ``seen`` is called when the first layer's picture has been read, and is not what it was before.
    """

    def __init__(
        self,
        image: Gimp.Image,
        layers: Sequence[Gimp.Item],
        watch: Stopwatch,
        seen: Callable[[], None],
    ) -> None:
        self.image, self.layers = image, list(layers)
        layer, _painted, seen_rect = measure(image, self.layers[:1])
        self.view = LayerView(layer, seen_rect)
        self.small: tuple[PictureSpec, bytes] | None = None
        self._watch, self._seen = watch, seen
        self._timer = 0
        self._prepared = self._closed = False

    def start(self) -> None:
        """Makes ready for the first look, in a thread, and looks."""

        def ready() -> bool:
            self._prepared = True
            self.look()
            return False

        def prepare() -> None:
            prepare_conversions()
            GLib.idle_add(ready)

        threading.Thread(target=prepare, daemon=True).start()

    def look(self) -> None:
        """Reads the first layer's picture, a strip per call from the main loop."""
        if self._timer or not self._prepared or self._closed or not self.view.is_valid:
            return
        spec, strips = self.view.small(PREVIEW_PX)
        read = bytearray()

        def step() -> bool:
            try:
                strip = next(strips, None)
            except EngineError:
                self._timer = 0
                return False
            if strip is not None:
                read.extend(strip[2])
                return True
            self._timer = 0
            if (spec, read) != self.small:
                self.small = spec, bytes(read)
                self._seen()
            return False

        self._timer = GLib.idle_add(self._watch.timed("look", step))

    def check(self) -> None:
        """Sees to it that the layer can be painted, and is the one that is looked at. A selected
        one takes its place if all of the first ones are gone.

        Raises `EngineError` ("image-gone", "bad-layer").
        """
        if not self.image.is_valid():
            raise EngineError("image-gone", _("The image has been closed."))
        self.layers = [layer for layer in self.layers if layer.is_valid()]
        self.layers = self.layers or list(self.image.get_selected_layers())
        layer, _painted, seen = measure(self.image, self.layers[:1])
        if layer != self.view.shown or seen != self.view.rect:
            self._stop_looking()
            self.view.close()
            self.view, self.small = LayerView(layer, seen), None

    def look_again(self) -> None:
        """The user may have changed the layer, or the selection on it."""
        try:
            self.check()
        except EngineError:
            return  # said when they want to paint
        self.look()

    def _stop_looking(self) -> None:
        if self._timer:
            GLib.source_remove(self._timer)
            self._timer = 0

    def close(self) -> None:
        """Ends the reading."""
        self._closed = True
        self._stop_looking()
        if self.image.is_valid():
            self.view.close()


def in_words(layers: Sequence[Any], left: int = 0) -> str:
    """What there is to say about them, of which ``left`` are not painted yet; empty for one."""
    if len(layers) < 2:
        return ""
    if left:
        number = len(layers) - left + 1
        return _("Layer {k} of {n}").format(k=number, n=len(layers))
    return _("{n} layers are painted one after another.").format(n=len(layers))
