"""What the user hands us, as pixels: a drawable is checked, measured and read in strips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gi.repository import Gimp

from language.texts import _
from pixels.notes import subject_name
from pixels.private_copy import PrivateCopy, copy_of_layer, sample_type
from pixels.reading import Reader
from pixels.rect import Rect
from pixels.selection import Selection
from protocol import EngineError, PictureSpec, Settings

MARGIN_PX = 64
MARGIN_PART = 0.15


def layer_to_paint(image: Gimp.Image, drawables: Sequence[Gimp.Item]) -> Gimp.Layer:
    """The one layer that the call means; raises `EngineError` ("bad-layer") if there is none.

    The menu allows nothing else, but scripts may call with anything.
    """
    if not drawables:
        raise EngineError("bad-layer", _("No layer is selected."), _("Select the layer to paint."))
    if len(drawables) > 1:
        raise EngineError(
            "bad-layer",
            _("{n} layers are selected.").format(n=len(drawables)),
            _("Select a single layer, or merge them into one."),
        )
    drawable = drawables[0]
    if isinstance(drawable, Gimp.LayerMask):
        drawable = Gimp.Layer.from_mask(drawable)
    if not isinstance(drawable, Gimp.Layer):
        raise EngineError(
            "bad-layer",
            _("A channel cannot be painted."),
            _("Select a layer in the Layers dialog."),
        )
    if image.get_floating_sel() is not None:
        raise EngineError(
            "bad-layer",
            _("There is a floating selection."),
            _("Anchor it or turn it into a layer (Layer menu), then try again."),
        )
    if drawable.is_group() and not drawable.get_children():
        raise EngineError(
            "bad-layer",
            _("The layer group is empty."),
            _("Select a layer, or a group with layers."),
        )
    return drawable


def all_layers(image: Gimp.Image) -> Iterator[Gimp.Layer]:
    """The layers from top to bottom, those within groups after their group."""

    def walk(layers: Sequence[Gimp.Layer]) -> Iterator[Gimp.Layer]:
        for layer in layers:
            yield layer
            if layer.is_group():
                yield from walk(layer.get_children())

    return walk(image.get_layers())


def from_below(image: Gimp.Image, drawables: Sequence[Gimp.Item]) -> list[Gimp.Item]:
    """``drawables`` as GIMP plays them as an animation: the lowest layer first. What is no layer of
    the image comes last."""
    if len(drawables) < 2:
        return list(drawables)
    places = {layer.get_id(): place for place, layer in enumerate(all_layers(image))}

    def place(drawable: Gimp.Item) -> int:
        is_mask = isinstance(drawable, Gimp.LayerMask)
        layer = Gimp.Layer.from_mask(drawable) if is_mask else drawable
        return places.get(layer.get_id(), -1)

    return sorted(drawables, key=place, reverse=True)


def whole(layer: Gimp.Drawable) -> Rect:
    """All of a layer."""
    return Rect(0, 0, layer.get_width(), layer.get_height())


@dataclass(frozen=True)
class Source:
    """The part of a layer to paint, as it was when the run started.

    ``copy`` is the layer as it was then, ``subject`` its name, or of a painting that of what was
    painted first. ``painted`` is what the new layer covers, ``seen`` what
    the engine gets: a margin more, so that the strokes at the border know what comes next.
    ``selection`` holds the selection's values on ``painted`` (from 0, 0) once it has been copied,
    None without a selection. ``origin`` is the layer's place in the image, whose size ``canvas``
    is.
    """

    image: Gimp.Image
    layer: Gimp.Layer
    copy: PrivateCopy
    name: str
    subject: str
    origin: tuple[int, int]
    canvas: tuple[int, int]
    painted: Rect
    seen: Rect
    selection: Selection | None

    def reader(self) -> Reader:
        """What the engine gets."""
        return Reader(self.copy, self.seen, sample_type(self.image))

    def close(self) -> None:
        """Nothing of it is to be read any more."""
        self.copy.close()
        if self.selection is not None:
            self.selection.close()


def measure(image: Gimp.Image, drawables: Sequence[Gimp.Item]) -> tuple[Gimp.Layer, Rect, Rect]:
    """The layer that the user has selected, what of it is painted, and what the engine sees.

    Raises `EngineError` ("bad-layer").
    """
    layer = layer_to_paint(image, drawables)
    touched, x, y, width, height = layer.mask_intersect()
    if not touched:
        raise EngineError(
            "bad-layer",
            _("The selection does not touch the layer."),
            _("Move the selection onto the layer, or select nothing to paint all of it."),
        )
    painted = Rect(x, y, width, height)
    if Gimp.Selection.is_empty(image):
        return layer, painted, painted
    margin = max(MARGIN_PX, round(MARGIN_PART * max(width, height)))
    return layer, painted, painted.grown(margin, whole(layer))


def closing(settings: Settings, layer: Gimp.Drawable, seen: Rect) -> Settings:
    """``settings`` for a part of a layer: only a whole one has edges that can meet."""
    return settings if seen == whole(layer) else replace(settings, wrap="none")


def on_paper(image: Gimp.Image, seen: Rect, spec: PictureSpec) -> float:
    """Pixels per inch at which a picture of the shape ``spec`` covers ``seen`` of the image."""
    _ok, across, _down = image.get_resolution()
    return across * spec.width / seen.width


def locate(image: Gimp.Image, drawables: Sequence[Gimp.Item]) -> Source:
    """Checks what the user has selected, and notes what may change during the run; the selection
    is still to be copied (`Selection.copy`). The caller closes the source.

    Raises `EngineError` ("bad-layer", "layer-gone").
    """
    layer, painted, seen = measure(image, drawables)
    _ok, left, top = layer.get_offsets()
    copy, selection = copy_of_layer(layer), None
    if not Gimp.Selection.is_empty(image):
        place = painted.moved(left, top)
        selection = Selection(image, (place.x, place.y, place.width, place.height))
    canvas = image.get_width(), image.get_height()
    name = layer.get_name()
    subject, origin = subject_name(layer), (left, top)
    return Source(image, layer, copy, name, subject, origin, canvas, painted, seen, selection)


def open_source(image: Gimp.Image, drawables: Sequence[Gimp.Item]) -> Source:
    """The same, with the selection copied; takes its time if that is large."""
    source = locate(image, drawables)
    if source.selection is not None:
        for _step in source.selection.copy():
            pass
    return source
