"""The user's own photo in every style: painted small while the engine has nothing else to do."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from typing import Any, Callable

from gi.repository import Gdk, GdkPixbuf, GLib, Gtk

from choice.kept import Switch
from dialog.sample_store import SampleStore
from dialog.subject import Subject
from engine.request import Request, StylePixels
from engine.work import Sample
from pixels.canvas import MemoryCanvas
from protocol import EngineError, PictureSpec, Settings
from widgets.cutout import pixbuf
from widgets.device_pixels import fitted
from widgets.style_browser import StyleBrowser
from widgets.thumbnails import FINE_PX, decoded

PHOTO_PX, STYLE_PX = 192, 256
STEPS = 12
CALM_S = 0.8
MOVES = "motion-notify-event", "button-press-event", "key-press-event", "scroll-event"
"""What the user does with the dialog ends a sample, and for `CALM_S` there is no other: the click
that may follow shall find an engine that is free."""
MOST_AT_ONCE = 48
"""Files that are read without a pause."""
LOOK_S = 0.3
"""So often it is looked for styles that have come into sight."""


class Samples:
    """Has a work ready for whoever asks `next`; each style is painted once for each photo.

    ``device`` says where to compute.
    """

    def __init__(
        self,
        subject: Subject,
        browser: StyleBrowser,
        switch: Switch,
        store: SampleStore,
        device: Callable[[], str],
        drop: Callable[[], None],
        dialog: Gtk.Window,
    ) -> None:
        self._subject, self._browser, self._device = subject, browser, device
        self._switch, self._store, self._drop = switch, store, drop
        self._made: dict[tuple[str, str], GdkPixbuf.Pixbuf] = {}
        self._photo: tuple[Any, str, PictureSpec, bytes] | None = None
        self._tried: set[tuple[str, str]] = set()
        self._calm = 0.0
        self._asked = ""  # the style that is being read
        self._style: tuple[str, PictureSpec, bytes] | None = None  # the one that has been
        self._wanted: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read_styles, daemon=True).start()
        browser.show_samples(switch.read())
        browser.sampled = self._switched
        dialog.add_events(Gdk.EventMask.POINTER_MOTION_MASK)
        for signal in MOVES:
            dialog.connect(signal, self._moved)

    # --- what the user does --------------------------------------------------------------------

    def _switched(self, wanted: bool) -> None:
        self._switch.write(wanted)
        if not wanted:
            self._drop()
            self._store.clear()

    def _moved(self, _dialog: Any, _event: Any) -> bool:
        self._calm = time.monotonic() + CALM_S
        self._drop()
        return False

    # --- the work ------------------------------------------------------------------------------

    def next(self) -> Sample | None:
        """A sample to paint now, if one is wanted and there is time for it."""
        if not self._browser.shows_samples or time.monotonic() < self._calm:
            return None
        photo = self._photo_now()
        if photo is None or self._asked:  # a style is being read
            return None
        key = next((k for k in self._browser.seen() if (photo[0], k) not in self._tried), "")
        if not key:
            self._calm = time.monotonic() + LOOK_S
            return None
        if self._shows_kept(photo[0], key):
            return None
        if self._style is None or self._style[0] != key:
            self._ask(key)
            return None
        (_key, spec, style), self._style = self._style, None
        self._tried.add((photo[0], key))
        return self._sample(photo, key, spec, style)

    def show_kept(self) -> None:
        """Shows what was painted of this photo before, while the engine may still be starting."""
        photo = self._photo_now() if self._browser.shows_samples else None
        if photo is not None:
            for key in self._browser.listed()[:MOST_AT_ONCE]:
                self._shows_kept(photo[0], key)

    def _shows_kept(self, photo: str, key: str) -> bool:
        kept = None if (photo, key) in self._tried else self._store.read(photo, key)
        if kept is not None:
            self._tried.add((photo, key))
            self._show(photo, key, kept)
        return kept is not None

    def _photo_now(self) -> tuple[str, PictureSpec, bytes] | None:
        """The layer, small, and what tells it apart."""
        small = self._subject.small
        if small is None:
            return None
        if self._photo is None or self._photo[0] is not small:
            spec, data = small
            scale = min(1.0, PHOTO_PX / max(spec.width, spec.height))
            size = [max(16, round(side * scale)) for side in (spec.width, spec.height)]
            picture = pixbuf(data, spec.width, spec.height)
            picture = picture.scale_simple(*size, GdkPixbuf.InterpType.BILINEAR)
            name = hashlib.sha256(data).hexdigest()
            self._photo = (small, name, *_pixels(picture))
            made = {key: thumb for (of, key), thumb in self._made.items() if of == name}
            self._browser.set_samples(made)
        return self._photo[1:]

    def _sample(
        self, photo: tuple[str, PictureSpec, bytes], key: str, spec: PictureSpec, style: bytes
    ) -> Sample:
        name, content, pixels = photo
        canvas = MemoryCanvas()

        def request() -> Request:
            settings = Settings(
                preset="draft", size=PHOTO_PX, iterations=STEPS, faces="paint",
                device=self._device(),
            )  # fmt: skip
            styles = (StylePixels(spec, [(0, spec.height, style)]),)
            return Request(settings, content, [(0, content.height, pixels)], styles)

        def done(info: dict[str, Any]) -> None:
            if info.get("stopped"):
                self._tried.discard((name, key))
                return
            data, width, height = canvas.picture()
            thumb = fitted(pixbuf(data, width, height), FINE_PX, FINE_PX * 3 // 4)
            self._show(name, key, thumb)
            self._store.write(name, key, thumb)

        def given_up(problem: EngineError | None) -> None:
            if problem is None:  # something else was asked for
                self._tried.discard((name, key))

        return Sample(request, canvas, lambda picture: None, done, given_up)

    def _show(self, photo: str, key: str, thumb: GdkPixbuf.Pixbuf) -> None:
        self._made[photo, key] = thumb
        if self._photo is not None and self._photo[1] == photo:
            self._browser.set_sample(key, thumb)

    # --- the styles, read in a thread -----------------------------------------------------------

    def _ask(self, key: str) -> None:
        style = self._browser.style(key)
        if style is not None:
            self._asked = key
            self._wanted.put(style.uri)  # empty for a layer, which no thread may read

    def _read_styles(self) -> None:
        while True:
            key = self._wanted.get()
            picture = decoded(key, STYLE_PX, STYLE_PX) if key else None
            GLib.idle_add(self._read, None if picture is None else _pixels(picture))

    def _read(self, pixels: tuple[PictureSpec, bytes] | None) -> bool:
        key, self._asked = self._asked, ""
        if pixels is not None:
            self._style = (key, *pixels)
        elif self._photo is not None:
            self._tried.add((self._photo[1], key))
        return False


def _pixels(picture: GdkPixbuf.Pixbuf) -> tuple[PictureSpec, bytes]:
    """A picture as RGBA u8."""
    whole = picture if picture.get_has_alpha() else picture.add_alpha(False, 0, 0, 0)
    width, height, row = whole.get_width(), whole.get_height(), whole.get_rowstride()
    data = whole.read_pixel_bytes().get_data()
    if row != 4 * width:
        data = b"".join(data[y * row : y * row + 4 * width] for y in range(height))
    return PictureSpec(width, height), bytes(data[: 4 * width * height])
