"""What is painted: the layers that the dialog was opened for, and the picture of the first one."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Callable

from gi.repository import GdkPixbuf, Gimp

from dialog.guard import Guard, Steps
from language.texts import MOST_NAME, _, shown
from pixels.layers import from_below, measure
from pixels.origins import originals
from pixels.reading import native_form
from pixels.selection import selected
from pixels.small import LayerView, prepare_conversions, small_scale, small_spec
from protocol import PREVIEW_PX, EngineError, PictureSpec
from widgets.cutout import SMOOTH, Shape, pixbuf

SHARP_PX = 1024
"""Long side at which the original is shown: a view is drawn at once, and reading as much of a large
picture would take long."""


class Subject:
    """The layers to paint. Raises `EngineError` ("bad-layer") if the first cannot be painted.

    The first one is the lowest. Of ``selected`` paintings these are the layers that they were made
    from, until `paint_instead` is called. ``changed`` is called when the first layer's picture has
    been read, and is not what it was; ``sharper`` when it can be shown sharper.
    """

    def __init__(
        self,
        image: Gimp.Image,
        selected: Sequence[Gimp.Item],
        guard: Guard,
        changed: Callable[[], None],
        sharper: Callable[[], None],
    ) -> None:
        self.image, self._selected = image, from_below(image, selected)
        self.layers = from_below(image, originals(image, selected))
        self.are_paintings = self.layers != self._selected
        layer, _painted, seen_rect = measure(image, self.layers[:1])
        self.view = LayerView(layer, seen_rect)
        self.small: tuple[PictureSpec, bytes] | None = None
        self.shape: Shape | None = None  # of the selection, if there is one
        self._sharp: GdkPixbuf.Pixbuf | None = None
        self._changed, self._sharper, self._guard = changed, sharper, guard
        self._looking = Steps("look", guard)
        self._prepared = self._closed = False

    def start(self) -> None:
        """Makes ready for the first look, in a thread, and looks."""

        def ready() -> bool:
            self._prepared = True
            self.look()
            return False

        form, spec = native_form(self.view.shown), small_spec(self.view.rect, PREVIEW_PX)
        scale = small_scale(self.view.rect, spec)

        def prepare() -> None:
            try:
                prepare_conversions(form, scale)
            finally:
                self._guard.idle("look", ready)

        threading.Thread(target=prepare, daemon=True).start()

    def look(self) -> None:
        """Reads the first layer's picture, a block per call from the main loop."""
        if self._looking or not self._prepared or self._closed or not self.view.is_valid:
            return
        self._looking.add(self._look())

    def _look(self) -> Iterator[None]:
        with contextlib.suppress(EngineError):  # it is gone: said when they want to paint
            yield from self._read()

    def _read(self) -> Iterator[None]:
        self.view.refresh()
        yield
        spec, strips = self.view.small(PREVIEW_PX)
        read, mask = bytearray(), bytearray()
        for _y, _rows, part in strips:
            read += part
            yield
        if not Gimp.Selection.is_empty(self.image):
            scale = small_scale(self.view.rect, spec)
            _ok, left, top = self.view.shown.get_offsets()
            rect = self.view.rect.moved(left, top)
            area = round(rect.x * scale), round(rect.y * scale), spec.width, spec.height
            for _y, _rows, part in selected(self.image, area, scale):
                mask += part
                yield
            if len(mask) != spec.width * spec.height:
                return  # the image was closed
        before = self.small, self.shape.mask if self.shape else b""
        small, shape = (spec, bytes(read)), bytes(mask)
        if (small, shape) != before:
            self.small, self._sharp = small, None
            self.shape = Shape(shape, spec.width, spec.height) if shape else None
            self._changed()
        if self._sharp is None:
            yield
            yield from self._read_sharp()

    def _read_sharp(self) -> Iterator[None]:
        spec, strips = self.view.small(SHARP_PX)
        read = bytearray()
        for _y, _rows, part in strips:
            read += part
            yield
        self._sharp = pixbuf(bytes(read), spec.width, spec.height)
        self._sharper()

    def show_original(self, pane: Any) -> None:
        """Shows the first layer as it was read."""
        if self.small is not None:
            spec, data = self.small
            size = self.view.rect.width, self.view.rect.height
            if self._sharp is None:
                pane.show_original(pixbuf(data, spec.width, spec.height), size)
            else:
                pane.show_original(self._sharp, size, self.view.spot)

    def with_original(self, picture: GdkPixbuf.Pixbuf) -> GdkPixbuf.Pixbuf:
        """A picture that is only part of the region, on the original."""
        if self.small is None:
            return picture
        spec, data = self.small
        size = picture.get_width(), picture.get_height()
        below = pixbuf(data, spec.width, spec.height).scale_simple(*size, SMOOTH)
        picture.composite(below, 0, 0, *size, 0, 0, 1, 1, SMOOTH, 255)
        return below

    def show_painted(
        self, pane: Any, data: bytes, width: int, height: int, shaped: bool = True
    ) -> None:
        """Shows RGBA u8 pixels as the layer will have them: in the selection's shape, if there is
        one and ``shaped`` does not say that they belong to another layer."""
        picture = pixbuf(data, width, height)
        if self.shape is None or not shaped:
            pane.show_painted(picture)
        else:
            pane.show_painted(self.shape.cut(picture), over=True)

    def paint_instead(self, paintings: bool) -> None:
        """Paints the selected paintings themselves, or what they were made from."""
        chosen = [each for each in self._selected if each.is_valid()]
        found = chosen if paintings else originals(self.image, chosen)
        self.layers = from_below(self.image, found)
        self.look_again()

    @property
    def numbers(self) -> set[int]:
        """Those of the layers to paint."""
        return {layer.get_id() for layer in self.layers if layer.is_valid()}

    def check(self) -> None:
        """Sees to it that the layer can be painted, and is the one that is looked at. A selected
        one takes its place if all of the first ones are gone.

        Raises `EngineError` ("image-gone", "bad-layer").
        """
        if not self.image.is_valid():
            raise EngineError("image-gone", _("The image has been closed."))
        self.layers = [layer for layer in self.layers if layer.is_valid()]
        self.layers = self.layers or from_below(self.image, self.image.get_selected_layers())
        layer, _painted, seen = measure(self.image, self.layers[:1])
        if layer != self.view.shown or seen != self.view.rect:
            self._looking.stop()
            self.view.close()
            self.view, self.small, self.shape = LayerView(layer, seen), None, None
            self._sharp = None

    def look_again(self) -> None:
        """The user may have changed the layer, or the selection on it."""
        try:
            self.check()
        except EngineError:
            return  # said when they want to paint
        self.look()

    def close(self) -> None:
        """Ends the reading."""
        self._closed = True
        self._looking.stop()
        if self.image.is_valid():
            self.view.close()


def layers_in_words(layers: Sequence[Any], left: int = 0) -> str:
    """Which layers are painted, of which ``left`` are left, counting the one under way."""
    names = [each.get_name() for each in layers if each.is_valid()]
    if len(names) == 1:
        return _("Paints: {layer}").format(layer=shown(names[0], MOST_NAME))
    if left and len(names) == len(layers):
        place = len(layers) - left
        return _("Layer {k} of {n}: {layer}").format(
            k=place + 1, n=len(layers), layer=shown(names[place], MOST_NAME)
        )
    return _("Paints {n} layers, one after another").format(n=len(layers)) if names else ""
