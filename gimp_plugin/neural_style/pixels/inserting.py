"""What the user gets: the engine's picture, collected in a hidden image, as a new layer."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from gi.repository import Gimp

from language.texts import _
from pixels.canvas import HiddenCanvas
from pixels.hidden import give_away
from pixels.layers import Source, whole
from pixels.notes import _attach
from pixels.origins import place_above
from pixels.placement import Placement, found
from pixels.private_copy import copy_of_layer
from pixels.rect import Rect
from pixels.tilewise import finished


@dataclass(frozen=True)
class Inserted:
    """The new layer, and what there is to say about it, if anything."""

    layer: Gimp.Layer
    remark: str = ""


def insert(
    source: Source, canvas: HiddenCanvas, name: str, note: str = "", shown: bool = False
) -> Inserted:
    """The finished picture as a new layer above its source, or in a new image.

    ``note`` goes with the layer (see `note_of`). The canvas keeps the picture.

    A source that was cropped, mirrored, turned, scaled or moved meanwhile is followed; if it cannot
    be found, or is gone, the layer lies where the source lay. A new image is made if the source's
    image was closed meanwhile, or has a palette, which would reduce a painting to its few colours;
    with a window if it is to be ``shown``. The source is left as it is.
    """
    return finished(inserting(source, canvas, name, note, shown))


def inserting(
    source: Source, canvas: HiddenCanvas, name: str, note: str = "", shown: bool = False
) -> Generator[None, None, Inserted]:
    """The same in small steps. The image changes in the last one only."""
    canvas.crop(source.painted)
    yield
    made: Gimp.Image | None = None
    try:
        while made is None:
            state = _state(source)
            spot = yield from _spot(source)
            made = canvas.copy()
            yield from _finish(made, source, spot)
            if _state(source) != state:  # the user has gone on
                made.delete()
                made = None
        picture = made.get_layers()[0]
        picture.set_name(name)
        image = source.image
        if image.is_valid() and image.get_base_type() != Gimp.ImageBaseType.INDEXED:
            # GIMP converts to the mode, precision and colour profile of the image.
            layer = Gimp.Layer.new_from_drawable(picture, image)
            layer.set_name(name)
            _attach(layer, note)
            _put_above(source, layer, spot)
            return Inserted(layer, spot.remark)
        _attach(picture, note)
        _complete(made, source, spot)
        given, made = made, None
        give_away(given, shown)
        return Inserted(picture, spot.remark)
    finally:
        if made is not None:
            made.delete()


@dataclass(frozen=True)
class _Spot:
    """Where the picture goes: ``rect`` in the image, of which ``cut`` is kept. ``place`` is what
    became of the source meanwhile, None if it is gone or nobody knows.
    """

    rect: Rect
    cut: Rect
    place: Placement | None = None
    remark: str = ""


def _is_there(source: Source) -> bool:
    return source.layer.is_valid() and source.layer.get_image() == source.image


def _corner(source: Source) -> tuple[int, int]:
    _ok, left, top = source.layer.get_offsets()
    return left, top


def _state(source: Source) -> tuple[object, ...]:
    """Another one if the source's place may be another one."""
    if not source.image.is_valid():
        return ()
    size = source.image.get_width(), source.image.get_height()
    return (size, whole(source.layer), _corner(source)) if _is_there(source) else size


def _spot(source: Source) -> Generator[None, None, _Spot]:
    as_it_was = source.painted.moved(*source.origin)
    spot = _Spot(as_it_was, as_it_was)
    if not source.image.is_valid():
        return spot
    lost = _Spot(
        as_it_was,
        as_it_was,
        None,
        _(
            "The image was changed while it was painted. "
            "The painting lies where the layer was before that."
        ),
    )
    if not _is_there(source):
        size = source.image.get_width(), source.image.get_height()
        return spot if size == source.canvas else lost
    left, top = _corner(source)
    if not source.copy.is_open:
        return lost
    now = copy_of_layer(source.layer)
    try:
        moved = left - source.origin[0], top - source.origin[1]
        place = yield from found(source.copy.drawable, now.drawable, moved)
        inside = whole(now.drawable)
    finally:
        now.close()
    if place is None:
        return lost
    rect = place.rect(source.painted)
    cut = rect.common(inside)
    if cut is None:  # all of it was cropped away
        return lost
    return _Spot(rect.moved(left, top), cut.moved(left, top), place)


def _finish(made: Gimp.Image, source: Source, spot: _Spot) -> Generator[None, None, None]:
    """Gives the picture the selection as its mask, and the size and turn that it needs."""
    if source.selection is not None:
        mask = made.get_layers()[0].create_mask(Gimp.AddMaskType.WHITE)
        yield from source.selection.put_into(mask)
        made.get_layers()[0].add_mask(mask)
    place, rect, cut = spot.place, spot.rect, spot.cut
    if place is not None and place.mirrored:
        made.flip(Gimp.OrientationType.HORIZONTAL)
        yield
    if place is not None and place.turns:
        turns = Gimp.RotationType
        made.rotate((turns.DEGREES90, turns.DEGREES180, turns.DEGREES270)[place.turns - 1])
        yield
    if (made.get_width(), made.get_height()) != (rect.width, rect.height):
        made.scale(rect.width, rect.height)
        yield
    if cut != rect:
        made.crop(cut.width, cut.height, cut.x - rect.x, cut.y - rect.y)


def _put_above(source: Source, layer: Gimp.Layer, spot: _Spot) -> None:
    image, below = source.image, source.layer
    parent, position, hiding = None, 0, None
    if _is_there(source):
        parent, position = below.get_parent(), place_above(image, below)
        hiding = below.get_mask() if below.get_apply_mask() else None
    image.undo_group_start()
    try:
        layer.set_offsets(spot.cut.x, spot.cut.y)
        image.insert_layer(layer, parent, position)
        if hiding is not None:  # what the layer's mask hides stays hidden
            if layer.get_mask() is None:
                layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
            left, top = _corner(source)
            dx, dy = left - spot.cut.x, top - spot.cut.y
            layer.get_mask().combine_masks(hiding, Gimp.ChannelOps.INTERSECT, dx, dy)
        if layer.get_mask() is not None:
            layer.set_edit_mask(False)
        image.set_selected_layers([layer])
    finally:
        image.undo_group_end()


def _complete(made: Gimp.Image, source: Source, spot: _Spot) -> None:
    """Makes the hidden image with the picture one that the user can have, above its source if that
    is still there.
    """
    picture = made.get_layers()[0]
    if source.image.is_valid() and _is_there(source):
        old = source.image
        copy = Gimp.Layer.new_from_drawable(source.layer, made)
        made.insert_layer(copy, None, 1)
        copy.set_name(source.name)
        copy.set_offsets(*_corner(source))
        picture.set_offsets(spot.cut.x, spot.cut.y)
        made.resize(old.get_width(), old.get_height(), 0, 0)
        _ok, x_dpi, y_dpi = old.get_resolution()
        made.set_resolution(x_dpi, y_dpi)
    if picture.get_mask() is not None:
        picture.set_edit_mask(False)
    made.set_selected_layers([picture])
