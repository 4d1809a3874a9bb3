"""A result: what it was made of and how it looks; of this dialog, or of an earlier one."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Callable

from gi.repository import Gimp

from choice.choice import Choice
from choice.note import Finder, Note, note_from
from pixels import inserting
from pixels.canvas import HiddenCanvas
from pixels.inserting import Inserted
from pixels.layers import Source
from pixels.notes import made_of, style_note
from pixels.origins import place_above
from pixels.private_copy import PrivateCopy, copy_of_layer
from pixels.results import Kept
from pixels.small import spot
from widgets.cutout import cut, pixbuf

Spot = Callable[[int, int, int, int, float], bytes]


class Entry:
    """A result. ``picture`` is a small one that lies ``over`` the source if it is only part of it;
    ``layers`` are those that were made of it, ``key`` is its name among the image's results.
    """

    picture: Any
    name: str
    over: bool
    pixels = 0
    """How many pixels are kept for it."""
    key = ""

    def __init__(self) -> None:
        self.layers: list[Gimp.Layer] = []

    @property
    def layer(self) -> Gimp.Layer | None:
        """The last of its layers that is in an image; the user may have removed others."""
        there = [layer for layer in self.layers if layer.is_valid()]
        return there[-1] if there else None

    @property
    def is_whole(self) -> bool:
        """Whether it can be inserted again."""
        return True

    def spot(self) -> Spot | None:
        """What reads it at any size; None if it is there only small."""
        raise NotImplementedError

    def inserting(self) -> Generator[None, None, Inserted]:
        """Makes it a new layer, in small steps."""
        raise NotImplementedError

    def note(self, find: Finder) -> Note:
        """What it was painted with; see `note_from`."""
        raise NotImplementedError

    def discard(self) -> None:
        """Nothing of it is needed any more."""


class Fresh(Entry):
    """A result of this dialog, with all its pixels."""

    def __init__(
        self, source: Source, canvas: HiddenCanvas, choice: Choice, picture: Any, name: str
    ) -> None:
        super().__init__()
        self.source, self.canvas, self.choice = source, canvas, choice
        self.picture, self.name, self.over = picture, name, source.selection is not None
        self.pixels = source.seen.width * source.seen.height

    def spot(self) -> Spot:
        """What reads it at any size."""
        layer, painted, seen = self.canvas.finish(), self.source.painted, self.source.seen
        selection = self.source.selection
        dx, dy = painted.x - seen.x, painted.y - seen.y

        def at_any_size(x: int, y: int, width: int, height: int, scale: float) -> bytes:
            left, top = (dx, dy) if self.canvas.is_cropped else (0, 0)
            corner = x - round(left * scale), y - round(top * scale)
            data = spot(layer, *corner, width, height, scale)
            if data and selection is not None:
                corner = x - round(dx * scale), y - round(dy * scale)
                mask = selection.spot(*corner, width, height, scale)
                data = cut(data, mask, width, height)
            return data

        return at_any_size

    def inserting(self) -> Generator[None, None, Inserted]:
        """Makes it a new layer, in small steps."""
        return inserting.inserting(self.source, self.canvas, self.name, self.note_text, shown=True)

    @property
    def note_text(self) -> str:
        """The note of its layer."""
        return style_note(self.choice, self.source.layer)

    def note(self, find: Finder) -> Note:
        """What it was painted with: the user's own choice."""
        return Note(self.choice)

    def discard(self) -> None:
        """Nothing of it is needed any more."""
        self.canvas.discard()
        self.source.close()


class Restored(Entry):
    """A result of an earlier dialog: small, or as large as its layer if that is still there."""

    def __init__(self, image: Gimp.Image, kept: Kept) -> None:
        super().__init__()
        self._image, self._kept = image, kept
        self.picture, self.name, self.over = pixbuf(kept.data, *kept.size), kept.name, kept.over
        self.key = kept.key
        layer = image.get_layer_by_tattoo(kept.layer) if kept.layer else None
        if layer is not None and made_of(layer) is not None:
            self.layers.append(layer)
        self._copy: PrivateCopy | None = None

    @property
    def is_whole(self) -> bool:
        """Whether its layer is still there."""
        return self.layer is not None

    def spot(self) -> Spot | None:
        """What reads its layer, if that is the whole picture."""
        layer = self.layer
        if self.over or layer is None:
            return None
        if self._copy is None:
            self._copy = copy_of_layer(layer)
        drawable = self._copy.drawable
        return lambda x, y, width, height, scale: spot(drawable, x, y, width, height, scale)

    def inserting(self) -> Generator[None, None, Inserted]:
        """Makes a copy of its layer."""
        yield
        image, layer = self._image, self.layer
        assert layer is not None
        source = Gimp.Item.get_by_id(self._kept.source)
        is_there = isinstance(source, Gimp.Layer) and source.is_valid()
        below = source if is_there and source.get_image() == image else layer
        copy = layer.copy()
        copy.set_name(self.name)
        image.undo_group_start()
        try:
            image.insert_layer(copy, below.get_parent(), place_above(image, below))
            image.set_selected_layers([copy])
        finally:
            image.undo_group_end()
        return Inserted(copy)

    def note(self, find: Finder) -> Note:
        """What it was painted with, as its parasite has it."""
        return note_from(self._kept.note, find)

    def discard(self) -> None:
        """Nothing of it is needed any more."""
        if self._copy is not None:
            self._copy.close()
            self._copy = None
