"""Which layer a painting was made from, and which of a layer's neighbours are its paintings."""

from __future__ import annotations

from collections.abc import Sequence

from gi.repository import Gimp

from choice.choice import MOST_NAME
from pixels.layers import all_layers
from pixels.notes import made_of


def origin(image: Gimp.Image, layer: Gimp.Item) -> Gimp.Layer | None:
    """The layer that ``layer`` was painted from; None if it is no painting, or that one is gone.

    The tattoo tells; but in another image, into which a painting may have been copied, it is that
    of any layer, so that name or size must be the same, too. Else one layer of that name will do.
    """
    made = made_of(layer)
    if made is None:
        return None
    found = image.get_layer_by_tattoo(made.tattoo) if made.tattoo else None
    if found is not None and found != layer:
        size = found.get_width(), found.get_height()
        if not made.name or found.get_name()[:MOST_NAME] == made.name or size == made.size:
            return found
    named = [each for each in all_layers(image) if each.get_name()[:MOST_NAME] == made.name]
    return named[0] if made.name and len(named) == 1 and named[0] != layer else None


def originals(image: Gimp.Image, drawables: Sequence[Gimp.Item]) -> list[Gimp.Item]:
    """What to paint when ``drawables`` are selected: of paintings the layers they were made from,
    each once.
    """
    found: list[Gimp.Item] = []
    for each in drawables:
        layer = Gimp.Layer.from_mask(each) if isinstance(each, Gimp.LayerMask) else each
        first = origin(image, layer) if isinstance(layer, Gimp.Layer) else None
        if (first or each) not in found:
            found.append(first or each)
    return found


def meant(image: Gimp.Image, drawables: Sequence[Gimp.Item]) -> Sequence[Gimp.Item]:
    """What a person means who has ``drawables`` selected.

    A selection that was just saved as a channel is what GIMP has selected from then on, and no
    layer besides. Where there is only one photo there is no question.
    """
    if not drawables or any(type(each) is not Gimp.Channel for each in drawables):
        return drawables
    photos: list[Gimp.Item] = [each for each in all_layers(image) if not each.is_group()]
    for _ in photos:  # a painting may be one of a painting
        before, photos = photos, originals(image, photos)
        if photos == before:
            break
    return photos if len(photos) == 1 else drawables


def place_above(image: Gimp.Image, layer: Gimp.Layer) -> int:
    """The position for a new painting of ``layer`` among its siblings: above the earlier ones that
    lie on it, which would hide it.
    """
    parent, place = layer.get_parent(), image.get_item_position(layer)
    siblings = parent.get_children() if parent is not None else image.get_layers()
    family = [layer]
    while place > 0 and origin(image, siblings[place - 1]) in family:
        place -= 1
        family.append(siblings[place])
    return place
