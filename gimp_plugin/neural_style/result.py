"""What the user gets: the engine's picture, collected in a hidden image, as a new layer."""

from __future__ import annotations

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp  # noqa: E402
from layers import FORMATS, Rect, Source, scratch_image  # noqa: E402
from protocol import EngineError, PictureSpec  # noqa: E402


class HiddenCanvas:
    """Takes the result into an image without a display, so that an early end leaves no trace."""

    def __init__(self, seen: Rect) -> None:
        self._seen = seen
        self._spec: PictureSpec | None = None
        self.image: Gimp.Image | None = None

    def begin(self, spec: PictureSpec) -> None:
        """Makes the image; raises `EngineError` if the engine's picture has another size."""
        if (spec.width, spec.height) != (self._seen.width, self._seen.height):
            raise EngineError(
                "protocol",
                f"The painting engine returned {spec.width} × {spec.height} pixels instead of "
                f"{self._seen.width} × {self._seen.height}.",
                "Run the installer of Neural Style Transfer again.",
            )
        self._spec = spec
        self.image = scratch_image(spec, spec.width, spec.height)
        layer = Gimp.Layer.new(
            self.image,
            "result",
            spec.width,
            spec.height,
            Gimp.ImageType.RGBA_IMAGE,
            100.0,
            Gimp.LayerMode.NORMAL,
        )
        self.image.insert_layer(layer, None, 0)
        self._buffer = layer.get_buffer()

    def write(self, y: int, rows: int, data: bytes) -> None:
        """Puts some rows into it."""
        strip = Rect(0, y, self._seen.width, rows)
        self._buffer.set(strip.gegl(), FORMATS[self._spec.dtype], data)
        self._buffer.flush()  # otherwise the tiles pile up in this process

    def crop(self, rect: Rect) -> Gimp.Layer:
        """Ends the writing and cuts the picture to ``rect`` (of the layer); returns its layer."""
        self._buffer.flush()
        self._buffer = None
        inside = rect.moved(-self._seen.x, -self._seen.y)
        self.image.crop(inside.width, inside.height, inside.x, inside.y)
        return self.image.get_layers()[0]

    def release(self) -> Gimp.Image:
        """Hands the image over to somebody who keeps it."""
        image, self.image = self.image, None
        return image

    def discard(self) -> None:
        """Deletes the image, if there is one."""
        self._buffer = None
        if self.image is not None:
            self.image.delete()
            self.image = None


def insert(source: Source, canvas: HiddenCanvas, name: str) -> Gimp.Layer:
    """The finished picture as a new layer above its source, or in a new image.

    A new image is made if the source's image was closed meanwhile, or has a palette, which would
    reduce a painting to its few colours. The source is left as it is.
    """
    picture = canvas.crop(source.painted)
    if not source.image.is_valid():
        return _new_image(source, canvas, picture, name, with_source=False)
    if source.image.get_base_type() == Gimp.ImageBaseType.INDEXED:
        return _new_image(source, canvas, picture, name, with_source=source.layer.is_valid())
    return _new_layer(source, picture, name)


def _new_layer(source: Source, picture: Gimp.Layer, name: str) -> Gimp.Layer:
    image, below = source.image, source.layer
    parent, position, (left, top) = None, 0, source.origin
    is_there = below.is_valid() and below.get_image() == image
    if is_there:
        parent, position = below.get_parent(), image.get_item_position(below)
        _, left, top = below.get_offsets()
    image.undo_group_start()
    try:
        # GIMP converts to the mode, precision and colour profile of the image.
        layer = Gimp.Layer.new_from_drawable(picture, image)
        layer.set_name(name)
        layer.set_offsets(left + source.painted.x, top + source.painted.y)
        image.insert_layer(layer, parent, position)
        hides = is_there and below.get_apply_mask()
        _add_mask(layer, source, below.get_mask() if hides else None)
        image.set_selected_layers([layer])
    finally:
        image.undo_group_end()
    return layer


def _new_image(
    source: Source, canvas: HiddenCanvas, picture: Gimp.Layer, name: str, with_source: bool
) -> Gimp.Layer:
    image = canvas.release()
    picture.set_name(name)
    if with_source:
        below, old = source.layer, source.image
        copy = Gimp.Layer.new_from_drawable(below, image)
        image.insert_layer(copy, None, 1)
        copy.set_name(source.name)
        _, left, top = below.get_offsets()
        copy.set_offsets(left, top)
        picture.set_offsets(left + source.painted.x, top + source.painted.y)
        image.resize(old.get_width(), old.get_height(), 0, 0)
        _, x_dpi, y_dpi = old.get_resolution()
        image.set_resolution(x_dpi, y_dpi)
    _add_mask(picture, source, None)
    image.set_selected_layers([picture])
    image.undo_enable()
    return picture


def _add_mask(layer: Gimp.Layer, source: Source, mask_below: Gimp.LayerMask | None) -> None:
    """Hides what was not selected, and what the mask of the layer below hides."""
    if source.selection is None and mask_below is None:
        return
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    if source.selection is not None:
        area = Rect(0, 0, source.painted.width, source.painted.height).gegl()
        buffer = mask.get_buffer()
        source.selection.copy(area, Gegl.AbyssPolicy.NONE, buffer, area)
        buffer.flush()
        mask.update(0, 0, source.painted.width, source.painted.height)
    if mask_below is not None:
        mask.combine_masks(
            mask_below, Gimp.ChannelOps.INTERSECT, -source.painted.x, -source.painted.y
        )
    layer.set_edit_mask(False)
