"""The results below the picture: shown, compared, given a last touch, and there again next time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gi.repository import GdkPixbuf, Gimp

from dialog.entries import Entry, Fresh, Restored
from dialog.guard import Guard, Steps
from dialog.history import History
from dialog.subject import Subject
from pixels import last_touch, results

SMOOTH = GdkPixbuf.InterpType.BILINEAR


class Results:
    """The results of the layers to paint, of this dialog and of earlier ones on the image."""

    def __init__(self, image: Gimp.Image, window: Any, subject: Subject, guard: Guard) -> None:
        self._image, self._window, self._subject, self._guard = image, window, subject, guard
        self._history = History(window.history)
        self._steps = Steps("restore", guard)
        self._touching = 0

    def __bool__(self) -> bool:
        return bool(self._history.entries)

    @property
    def are_loose(self) -> bool:
        """Whether there is one of this dialog that the image has no layer of."""
        return any(each.pixels and each.layer is None for each in self._history.entries)

    def restore(self) -> None:
        """Brings back what earlier dialogs have made of these layers."""
        self._steps.stop()
        self._steps.add(self._restore())

    def _restore(self) -> Iterator[None]:
        for kept in results.kept(self._image, self._subject.numbers):
            if kept is not None and not any(e.key == kept.key for e in self._history.entries):
                self._history.add_earlier(Restored(self._image, kept))
                self._show_touch()
            yield

    def add(self, entry: Entry) -> None:
        """Puts a new result in front and shows it."""
        for gone in self._history.add(entry):
            results.forget(self._image, gone.key)
        self.show(entry)

    def keeping(self, entry: Fresh) -> Iterator[None]:
        """Hangs a new result on the image, for the next dialog; in small steps."""
        layer, picture = entry.layer, entry.picture
        if layer is None or layer.get_image() != self._image:
            return
        scale = min(1.0, results.LONG_SIDE / max(picture.get_width(), picture.get_height()))
        size = tuple(max(1, round(n * scale)) for n in (picture.get_width(), picture.get_height()))
        small = picture.scale_simple(*size, SMOOTH)
        source = entry.source.layer.get_id() if entry.source.layer.is_valid() else 0
        if source and small.get_rowstride() == 4 * size[0]:
            data = small.read_pixel_bytes().get_data()
            yield
            tattoo = layer.get_tattoo()
            kept = results.Kept(entry.note_text, entry.name, source, tattoo, size, data, entry.over)
            entry.key = results.keep(self._image, kept)

    def act(self, action: str, entry: Entry) -> None:
        """Does something with a result: "show", "compare" or "forget"."""
        {"show": self.show, "compare": self.compare, "forget": self.forget}[action](entry)

    def inserted(self, entry: Entry, layer: Gimp.Layer) -> None:
        """A result has become a layer."""
        entry.layers.append(layer)
        self._show_touch()

    def show(self, entry: Entry) -> None:
        """Shows a result in place of the preview."""
        self._history.seen = entry
        self._window.pane.show_painted(entry.picture, entry.spot(), entry.over)
        self._history.show()
        self._show_touch()

    def preview_seen(self) -> None:
        """A preview is shown in place of a result."""
        if self._history.seen is not None:
            self._history.seen = None
            self._history.show()
            self._show_touch()

    def forget(self, entry: Entry) -> None:
        """Drops a result; its layer stays."""
        if self._history.seen is entry:
            self._window.pane.show_painted(None)
        compared = self._history.compared is entry
        self._history.forget(entry)
        results.forget(self._image, entry.key)
        if compared:
            self._subject.show_original(self._window.pane)
        self._show_touch()

    def compare(self, entry: Entry) -> None:
        """Shows a result wherever the original would be shown, or that one again."""
        pane, rect = self._window.pane, self._subject.view.rect
        if self._history.compared is entry:
            self._history.compared = None
            self._subject.show_original(pane)
        else:
            self._history.compared = entry
            picture = self._subject.with_original(entry.picture) if entry.over else entry.picture
            reading = None if entry.over else entry.spot()
            pane.show_original(picture, (rect.width, rect.height), reading)
        self._history.show()

    def original_seen(self) -> None:
        """The original is shown in its own place again."""
        if self._history.compared is not None:
            self._history.compared = None
            self._history.show()

    # --- the last touch ------------------------------------------------------------------------

    @property
    def _touched(self) -> Gimp.Layer | None:
        """The layer that is given it: that of the result shown, else of the newest."""
        entry = self._history.seen or next(iter(self._history.entries), None)
        return None if entry is None else entry.layer

    def _show_touch(self) -> None:
        layer = self._touched
        self._window.touch.set_visible(layer is not None)
        if layer is not None:
            self._window.touch.show_layer(*last_touch.look(layer))

    def look_again(self) -> None:
        """The user may have changed the layer, or removed it."""
        if not self._touching:  # a click that brings the dialog forward moves the control first
            self._show_touch()

    def touch(self) -> None:
        """The user moves the controls: as often as GIMP has followed, it goes on."""
        if not self._touching:
            self._touching = self._guard.idle("touch", self._touch)

    def _touch(self) -> bool:
        self._touching = 0
        layer = self._touched
        if layer is not None:
            last_touch.touch(layer, *self._window.touch.get())
        return False

    def close(self) -> None:
        """Lets go of everything; what is kept on the image stays."""
        self._steps.stop()
        self._history.close()
