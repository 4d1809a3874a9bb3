"""Images without a display, which only this plug-in knows; marked, so that none stays behind."""

from __future__ import annotations

import os

from gi.repository import Gimp

from engine.lives import is_running

MARK = "neural-style-hidden"


def hidden_image(
    width: int, height: int, base: Gimp.ImageBaseType, precision: Gimp.Precision
) -> Gimp.Image:
    """A new image without a display, profile and undo. The caller deletes it; `sweep` does so if
    the caller died.
    """
    image = Gimp.Image.new_with_precision(width, height, base, precision)
    hide(image)  # at once: it is swept up only if it is known for ours
    image.undo_disable()
    return image


def hide(image: Gimp.Image) -> None:
    """Marks an image as one that ends with this process."""
    image.attach_parasite(Gimp.Parasite.new(MARK, 0, str(os.getpid()).encode()))


def give_away(image: Gimp.Image) -> None:
    """Takes the mark off an image that the user gets."""
    image.detach_parasite(MARK)
    image.undo_enable()


def sweep(own: bool = False) -> None:
    """Deletes the hidden images of runs that died; with ``own`` those of this process, too."""
    for image in Gimp.get_images():
        owner = _owner(image)
        if owner == os.getpid() if own else owner and not is_running(owner):
            image.delete()


def shown_images() -> list[Gimp.Image]:
    """The images that the user may have open. Those in which nothing can be undone are what
    plug-ins work on; GIMP tells nobody whether an image has a window.
    """
    return [each for each in Gimp.get_images() if each.undo_is_enabled() and not _owner(each)]


def _owner(image: Gimp.Image) -> int:
    """The process that a hidden image belongs to; 0 if the image is none of ours."""
    mark = image.get_parasite(MARK)
    text = bytes(mark.get_data()) if mark else b""
    return int(text) if text.isdigit() and len(text) < 12 else 0
