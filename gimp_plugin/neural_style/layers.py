"""What the user hands us, as pixels: a drawable is checked, measured and read in strips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import blocks
import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp, GLib  # noqa: E402
from protocol import SAMPLE_BYTES, EngineError, PictureSpec  # noqa: E402
from selection import Selection  # noqa: E402
from texts import _  # noqa: E402

FORMATS = {"u8": "R'G'B'A u8", "u16": "R'G'B'A u16", "f32": "R'G'B'A float"}
MARGIN_PX = 64
MARGIN_PART = 0.15


@dataclass(frozen=True)
class Rect:
    """A rectangle in pixels; of a layer unless said otherwise."""

    x: int
    y: int
    width: int
    height: int

    def gegl(self) -> Gegl.Rectangle:
        """The same for GEGL."""
        return Gegl.Rectangle.new(self.x, self.y, self.width, self.height)

    def moved(self, dx: int, dy: int) -> Rect:
        """The rectangle in coordinates whose origin is at (-dx, -dy)."""
        return Rect(self.x + dx, self.y + dy, self.width, self.height)

    def grown(self, margin: int, inside: Rect) -> Rect:
        """The rectangle with a margin on each side, as far as there is room in ``inside``."""
        left, top = max(self.x - margin, inside.x), max(self.y - margin, inside.y)
        right = min(self.x + self.width + margin, inside.x + inside.width)
        bottom = min(self.y + self.height + margin, inside.y + inside.height)
        return Rect(left, top, right - left, bottom - top)


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


class Reader:
    """The pixels of part of a layer as the user sees them: sRGB, straight alpha, filters included.

    Layer masks, opacity and mode are not applied.
    """

    def __init__(self, layer: Gimp.Layer, rect: Rect, dtype: str) -> None:
        self.spec = PictureSpec(rect.width, rect.height, dtype)
        self._layer = layer
        self._rect = rect

    def strips(self) -> Iterator[blocks.Part]:
        """Consecutive strips, each as its first row, number of rows, and bytes.

        Those without rows only say that reading takes its time.
        """
        layer, scratch = self._layer, None
        if needs_scratch(layer):
            scratch = scratch_image(self.spec, layer.get_width(), layer.get_height())
            layer = seen_copy(layer, scratch)
        try:
            rect, dtype = self._rect, self.spec.dtype
            area = rect.x, rect.y, rect.width, rect.height
            pixel = self.spec.channels * SAMPLE_BYTES[dtype]
            none = Gegl.AbyssPolicy.NONE
            parts = blocks.read(layer.get_buffer(), area, 1.0, FORMATS[dtype], pixel, none)
            yield from while_there(layer, parts)
        finally:
            if scratch is not None:
                scratch.delete()


def while_there(
    drawable: Gimp.Drawable, parts: Iterator[blocks.Part], gone: EngineError | None = None
) -> Iterator[blocks.Part]:
    """``parts`` of a drawable; raises ``gone`` ("layer-gone") when it is not there any more.

    GIMP kills a plug-in that touches its pixels then.
    """
    while True:
        if not drawable.is_valid():
            text = _("The layer was deleted while it was being read.")
            raise gone or EngineError("layer-gone", text)
        part = next(parts, None)
        if part is None:
            return
        yield part


def needs_scratch(layer: Gimp.Layer) -> bool:
    """Whether reading the layer's buffer would not give what the user sees.

    That is so if it has live filters, or an ICC profile that GEGL cannot express (look-up tables)
    and passes over silently. GIMP itself converts both when it copies the layer to another image.
    """
    return bool(layer.get_filters()) or not gegl_knows_profile(layer.get_image())


def seen_copy(layer: Gimp.Layer, image: Gimp.Image) -> Gimp.GroupLayer:
    """A drawable in another image with the layer's pixels, its filters applied but nothing else.

    It is a group, because GIMP works out a group's pixels where and when they are read. Merging the
    filters would do so for the whole layer at once, and GIMP would stand still.
    """
    group = Gimp.GroupLayer.new(image, "seen")
    image.insert_layer(group, None, 0)
    copy = Gimp.Layer.new_from_drawable(layer, image)
    image.insert_layer(copy, group, 0)
    copy.set_mode(Gimp.LayerMode.NORMAL)
    copy.set_opacity(100.0)
    copy.set_visible(True)
    copy.set_offsets(0, 0)
    if copy.get_mask() is not None:
        copy.remove_mask(Gimp.MaskApplyMode.DISCARD)
    return group


def gegl_knows_profile(image: Gimp.Image) -> bool:
    """Whether GEGL can convert from and to the colour profile of the image."""
    profile = image.get_color_profile()
    if profile is None:
        return True
    try:
        profile.get_space(Gimp.ColorRenderingIntent.RELATIVE_COLORIMETRIC)
    except GLib.Error:
        return False
    return True


def scratch_image(spec: PictureSpec, width: int, height: int) -> Gimp.Image:
    """An sRGB image without a display, with the sample type of ``spec``. The caller deletes it."""
    precision = {
        "u8": Gimp.Precision.U8_NON_LINEAR,
        "u16": Gimp.Precision.U16_NON_LINEAR,
        "f32": Gimp.Precision.FLOAT_NON_LINEAR,
    }[spec.dtype]
    image = Gimp.Image.new_with_precision(width, height, Gimp.ImageBaseType.RGB, precision)
    image.undo_disable()
    return image


def native_form(layer: Gimp.Layer) -> str:
    """The name of the pixel format in which GIMP keeps the layer, apart from its colour space."""
    precision = Gimp.Precision(layer.get_image().get_precision()).value_nick
    kind, curve = precision.split("-", 1)
    names = {"u8": "u8", "u16": "u16", "u32": "u32", "half": "half", "float": "float"}
    mark = {"linear": "", "perceptual": "~"}.get(curve, "'")
    letters = "Y" if layer.is_gray() else "RGB"
    model = "".join(letter + mark for letter in letters) + ("A" if layer.has_alpha() else "")
    return f"{model} {names.get(kind, 'float')}"


def sample_type(image: Gimp.Image) -> str:
    """The sample type that carries the image's pixels without loss."""
    return {
        Gimp.Precision.U8_NON_LINEAR: "u8",
        Gimp.Precision.U16_NON_LINEAR: "u16",
    }.get(image.get_precision(), "f32")


def whole(layer: Gimp.Layer) -> Rect:
    """All of a layer."""
    return Rect(0, 0, layer.get_width(), layer.get_height())


@dataclass(frozen=True)
class Source:
    """The part of a layer to paint, as it was when the run started.

    ``painted`` is what the new layer covers, ``seen`` what the engine gets: a margin more, so that
    the strokes at the border know what comes next. ``selection`` holds the selection's values on
    ``painted`` (from 0, 0) once it has been copied, None without a selection. ``origin`` is the
    layer's place in the image.
    """

    image: Gimp.Image
    layer: Gimp.Layer
    name: str
    origin: tuple[int, int]
    painted: Rect
    seen: Rect
    selection: Selection | None

    def reader(self) -> Reader:
        """What the engine gets."""
        return Reader(self.layer, self.seen, sample_type(self.image))


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


def locate(image: Gimp.Image, drawables: Sequence[Gimp.Item]) -> Source:
    """Checks what the user has selected, and notes what may change during the run; the selection
    is still to be copied (`Selection.copy`).

    Raises `EngineError` ("bad-layer").
    """
    layer, painted, seen = measure(image, drawables)
    _ok, left, top = layer.get_offsets()
    selection = None
    if not Gimp.Selection.is_empty(image):
        place = painted.moved(left, top)
        selection = Selection(image, (place.x, place.y, place.width, place.height))
    return Source(image, layer, layer.get_name(), (left, top), painted, seen, selection)


def open_source(image: Gimp.Image, drawables: Sequence[Gimp.Item]) -> Source:
    """The same, with the selection copied; takes its time if that is large."""
    source = locate(image, drawables)
    if source.selection is not None:
        for _step in source.selection.copy():
            pass
    return source
