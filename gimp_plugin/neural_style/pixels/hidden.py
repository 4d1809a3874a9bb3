"""Images without a display, which only this plug-in knows; marked, so that none stays behind.

At no moment is one without a mark, whenever its process is killed: each is the copy of an image
that has one, and the first of them has a name that is one (see `named`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from gi.repository import Gimp

from engine.lives import is_running
from pixels import named

MARK = "neural-style-hidden"
SEED = Path(__file__).resolve().with_name("seed.xcf")
"""An image of one pixel and no layer, RGB of 8 bits, 300 dpi."""

_seed: Gimp.Image | None = None


def hidden_image(
    width: int, height: int, base: Gimp.ImageBaseType, precision: Gimp.Precision
) -> Gimp.Image:
    """A new image without a display, profile and undo. The caller deletes it; `sweep` does so if
    the caller died.
    """
    image = copy_of(_marked())
    if precision != image.get_precision():
        image.convert_precision(precision)
    if base == Gimp.ImageBaseType.GRAY:
        image.convert_grayscale()
    image.resize(width, height, 0, 0)
    return image


def copy_of(image: Gimp.Image) -> Gimp.Image:
    """A copy of a hidden image, hidden as that is."""
    copy = image.duplicate()
    copy.undo_disable()
    return copy


def _marked() -> Gimp.Image:
    """What all others are copies of. It is not made while something is painted: GIMP's progress bar
    would end with the opening of it."""
    global _seed
    if _seed is None or not _seed.is_valid():
        _seed = named.load(SEED) or Gimp.Image.new(1, 1, Gimp.ImageBaseType.RGB)
        hide(_seed)
        _seed.undo_disable()
    return _seed


def hide(image: Gimp.Image) -> None:
    """Marks an image as one that ends with this process."""
    image.attach_parasite(Gimp.Parasite.new(MARK, 0, str(os.getpid()).encode()))


def give_away(image: Gimp.Image, shown: bool) -> None:
    """Takes the mark off an image that the user gets; one that is shown has a window before."""
    image.undo_enable()
    if shown:
        Gimp.Display.new(image)
    image.detach_parasite(MARK)


def sweep(own: bool = False) -> None:
    """Deletes the hidden images of runs that died; with ``own`` those of this process, too."""
    with _any_may_go():
        for image in Gimp.get_images():
            owner = _owner(image)
            if owner == os.getpid() if own else owner and not is_running(owner):
                image.delete()
    named.sweep()


def shown_images() -> list[Gimp.Image]:
    """The images that the user may have open. Those in which nothing can be undone are what
    plug-ins work on; GIMP tells nobody whether an image has a window.
    """
    with _any_may_go():
        return [each for each in Gimp.get_images() if each.undo_is_enabled() and not _owner(each)]


@contextlib.contextmanager
def _any_may_go() -> Iterator[None]:
    """An image may be deleted, by its user or another process, after it was listed: what is asked
    of it then comes to nothing here, where GIMP would open a window for the user to read of it.
    """
    plug_in = Gimp.get_plug_in()
    before = plug_in.get_pdb_error_handler()
    plug_in.set_pdb_error_handler(Gimp.PDBErrorHandler.PLUGIN)
    try:
        yield
    finally:
        plug_in.set_pdb_error_handler(before)


def _owner(image: Gimp.Image) -> int:
    """The process that a hidden image belongs to; 0 if the image is none of ours."""
    mark = image.get_parasite(MARK)
    text = bytes(mark.get_data()) if mark else b""
    return int(text) if text.isdigit() and len(text) < 12 else named.opener(image)
