"""A drawable read strip by strip, as the user sees it."""

from __future__ import annotations

from collections.abc import Iterator

from gi.repository import Gegl, Gimp, GLib

from language.texts import _
from pixels import tilewise
from pixels.rect import Rect
from protocol import SAMPLE_BYTES, EngineError, PictureSpec

FORMATS = {"u8": "R'G'B'A u8", "u16": "R'G'B'A u16", "f32": "R'G'B'A float"}


class Reader:
    """The pixels of part of a layer as the user sees them: sRGB, straight alpha, filters included.

    Layer masks, opacity and mode are not applied.
    """

    def __init__(self, layer: Gimp.Layer, rect: Rect, dtype: str) -> None:
        self.spec = PictureSpec(rect.width, rect.height, dtype)
        self._layer = layer
        self._rect = rect

    def strips(self) -> Iterator[tilewise.Part]:
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
            parts = tilewise.read(layer.get_buffer(), area, 1.0, FORMATS[dtype], pixel, none)
            yield from while_there(layer, parts)
        finally:
            if scratch is not None:
                scratch.delete()


def while_there(
    drawable: Gimp.Drawable, parts: Iterator[tilewise.Part], gone: EngineError | None = None
) -> Iterator[tilewise.Part]:
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
