"""A layer or channel as it is now, in a hidden image: whatever becomes of it, the copy stays.

GIMP ends a plug-in that reads a drawable which has another size or format by then, or is gone.
Copying costs milliseconds and hardly any memory, for GIMP shares the tiles until one is changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from gi.repository import Gimp, GLib

from language.texts import _
from pixels.hidden import hidden_image
from protocol import EngineError

PRECISIONS = {
    "u8": Gimp.Precision.U8_NON_LINEAR,
    "u16": Gimp.Precision.U16_NON_LINEAR,
    "f32": Gimp.Precision.FLOAT_NON_LINEAR,
}


@dataclass(frozen=True)
class PrivateCopy:
    """A hidden image, and the drawable in it that is to be read: it has the size of the original,
    and its own corner at 0, 0. Of a channel ``form`` is the format in which its values are read.
    """

    image: Gimp.Image
    drawable: Gimp.Drawable
    form: str = "Y u8"

    @property
    def is_open(self) -> bool:
        """Whether it is still there."""
        return self.image.is_valid()

    def close(self) -> None:
        """Deletes the copy; a second time does nothing."""
        if self.image.is_valid():
            self.image.delete()


def copy_of_layer(layer: Gimp.Layer) -> PrivateCopy:
    """The layer as the user sees it, in its own mode, precision and colours: its filters are
    applied, but not its mask, opacity and mode. Raises `EngineError` ("layer-gone").

    A layer in an image with a palette becomes RGB. One with an ICC profile that GEGL cannot express
    (look-up tables), and would pass over silently, becomes sRGB: GIMP itself converts it.
    """
    if not layer.is_valid():
        raise EngineError("layer-gone", _("The layer was deleted while it was being read."))
    source = layer.get_image()
    base, precision = source.get_base_type(), source.get_precision()
    profile = source.get_color_profile()
    if base == Gimp.ImageBaseType.INDEXED:
        base, precision = Gimp.ImageBaseType.RGB, PRECISIONS["u8"]
    if not gegl_knows(profile):
        base, profile = Gimp.ImageBaseType.RGB, None
        precision = PRECISIONS[sample_type(source)]
    image = hidden_image(source.get_width(), source.get_height(), base, precision)
    if profile is not None:
        image.set_color_profile(profile)
    _ok, x_dpi, y_dpi = source.get_resolution()
    image.set_resolution(x_dpi, y_dpi)  # for texts, whose sizes are in points
    copy = Gimp.Layer.new_from_drawable(layer, image)
    if layer.is_group() or layer.get_filters():
        return PrivateCopy(image, _worked_out(copy, image))
    image.insert_layer(copy, None, 0)
    return PrivateCopy(image, copy)


def _worked_out(copy: Gimp.Layer, image: Gimp.Image) -> Gimp.GroupLayer:
    """A group with nothing in it but the copy: the buffer of a group holds what filters make.

    GIMP works out a group's pixels where and when they are read. Merging the filters would do so
    for the whole layer at once, and GIMP would stand still.
    """
    group = Gimp.GroupLayer.new(image, "seen")
    image.insert_layer(group, None, 0)
    image.insert_layer(copy, group, 0)
    copy.set_mode(Gimp.LayerMode.NORMAL)
    copy.set_opacity(100.0)
    copy.set_visible(True)
    if copy.get_mask() is not None:
        copy.remove_mask(Gimp.MaskApplyMode.DISCARD)
    # A shadow that reaches beyond the layer makes the group's buffer larger than GIMP says the
    # group is, and then no plug-in can read it. A mask cuts the shadow off at the layer's edge. It
    # is made for a plain layer, because GIMP 3.2 makes that of a group as large as the shadow.
    size = copy.get_width(), copy.get_height()
    kind, mode = copy.type_with_alpha(), Gimp.LayerMode.NORMAL
    plain = Gimp.Layer.new(image, "edge", *size, kind, 100.0, mode)
    copy.add_mask(plain.create_mask(Gimp.AddMaskType.WHITE))
    plain.delete()
    return group


def copy_of_channel(channel: Gimp.Channel) -> PrivateCopy:
    """The exact values of a channel, selection or layer mask.

    GIMP keeps them in linear grey; but channels, of which the user's are none of the others, as
    they are painted, in the usual images of 8 bits.
    """
    precision = channel.get_image().get_precision()
    own = not isinstance(channel, (Gimp.LayerMask, Gimp.Selection))
    form = "Y' u8" if own and precision == PRECISIONS["u8"] else "Y u8"
    if form == "Y u8":
        kind = Gimp.Precision(precision).value_nick.split("-", 1)[0]
        precision = getattr(Gimp.Precision, f"{kind.upper()}_LINEAR")
    size = channel.get_width(), channel.get_height()
    image = hidden_image(*size, Gimp.ImageBaseType.GRAY, precision)
    copy = Gimp.Layer.new_from_drawable(channel, image)
    image.insert_layer(copy, None, 0)
    return PrivateCopy(image, copy, form)


def gegl_knows(profile: Gimp.ColorProfile | None) -> bool:
    """Whether GEGL can convert from and to a colour profile; None is sRGB."""
    if profile is None:
        return True
    try:
        profile.get_space(Gimp.ColorRenderingIntent.RELATIVE_COLORIMETRIC)
    except GLib.Error:
        return False
    return True


def sample_type(image: Gimp.Image) -> str:
    """The sample type that carries the image's pixels without loss."""
    exact = {value: name for name, value in PRECISIONS.items()}
    return exact.get(image.get_precision(), "f32")
