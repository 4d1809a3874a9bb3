"""What the user gets: the engine's picture, collected in a hidden image, as a new layer."""

from __future__ import annotations

from collections.abc import Generator

from gi.repository import Gimp

from pixels.canvas import HiddenCanvas
from pixels.hidden import give_away
from pixels.layers import Source
from pixels.notes import _attach
from pixels.tilewise import finished


def insert(source: Source, canvas: HiddenCanvas, name: str, note: str = "") -> Gimp.Layer:
    """The finished picture as a new layer above its source, or in a new image.

    ``note`` goes with the layer (see `note_of`). The canvas keeps the picture.

    A new image is made if the source's image was closed meanwhile, or has a palette, which would
    reduce a painting to its few colours. The source is left as it is.
    """
    return finished(inserting(source, canvas, name, note))


def inserting(
    source: Source, canvas: HiddenCanvas, name: str, note: str = ""
) -> Generator[None, None, Gimp.Layer]:
    """The same in small steps. The image changes in the last one only."""
    picture = canvas.crop(source.painted)
    yield
    if not source.image.is_valid():
        return (yield from _new_image(source, canvas, name, note, with_source=False))
    if source.image.get_base_type() == Gimp.ImageBaseType.INDEXED:
        there = source.layer.is_valid()
        return (yield from _new_image(source, canvas, name, note, with_source=there))
    # GIMP converts to the mode, precision and colour profile of the image.
    layer = Gimp.Layer.new_from_drawable(picture, source.image)
    layer.set_name(name)
    _attach(layer, note)
    mask = yield from _mask(layer, source)
    if not source.image.is_valid():  # closed meanwhile, and the new layer with it
        return (yield from _new_image(source, canvas, name, note, with_source=False))
    _put_above(source, layer, mask)
    return layer


def _put_above(source: Source, layer: Gimp.Layer, mask: Gimp.LayerMask | None) -> None:
    image, below = source.image, source.layer
    parent, position, (left, top) = None, 0, source.origin
    is_there = below.is_valid() and below.get_image() == image
    if is_there:
        parent, position = below.get_parent(), image.get_item_position(below)
        _ok, left, top = below.get_offsets()
    image.undo_group_start()
    try:
        layer.set_offsets(left + source.painted.x, top + source.painted.y)
        image.insert_layer(layer, parent, position)
        hides = is_there and below.get_apply_mask()
        _add_mask(layer, source, mask, below.get_mask() if hides else None)
        image.set_selected_layers([layer])
    finally:
        image.undo_group_end()


def _new_image(
    source: Source, canvas: HiddenCanvas, name: str, note: str, with_source: bool
) -> Generator[None, None, Gimp.Layer]:
    image = canvas.copy()
    picture = image.get_layers()[0]
    picture.set_name(name)
    _attach(picture, note)
    if with_source:
        below, old = source.layer, source.image
        copy = Gimp.Layer.new_from_drawable(below, image)
        image.insert_layer(copy, None, 1)
        copy.set_name(source.name)
        _ok, left, top = below.get_offsets()
        copy.set_offsets(left, top)
        picture.set_offsets(left + source.painted.x, top + source.painted.y)
        image.resize(old.get_width(), old.get_height(), 0, 0)
        _ok, x_dpi, y_dpi = old.get_resolution()
        image.set_resolution(x_dpi, y_dpi)
    mask = yield from _mask(picture, source)
    _add_mask(picture, source, mask, None)
    image.set_selected_layers([picture])
    give_away(image)
    return picture


def _mask(layer: Gimp.Layer, source: Source) -> Generator[None, None, Gimp.LayerMask | None]:
    """A mask for the layer that holds the selection, if there was one; not yet added to it."""
    if source.selection is None:
        return None
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    yield from source.selection.put_into(mask)
    return mask


def _add_mask(
    layer: Gimp.Layer,
    source: Source,
    mask: Gimp.LayerMask | None,
    mask_below: Gimp.LayerMask | None,
) -> None:
    """Hides what was not selected, and what the mask of the layer below hides."""
    if mask is None and mask_below is None:
        return
    mask = mask or layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    if mask_below is not None:
        mask.combine_masks(
            mask_below, Gimp.ChannelOps.INTERSECT, -source.painted.x, -source.painted.y
        )
    layer.set_edit_mask(False)
