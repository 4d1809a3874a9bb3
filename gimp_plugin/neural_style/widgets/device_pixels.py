"""Small pictures in the screen's own pixels, also where each of GTK's is several of them.

A pixbuf's pixels would be enlarged there; those of an icon are the screen's, where its longer side
is as long as the icon's size says.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

from gi.repository import GdkPixbuf, Gtk


def fitted(picture: GdkPixbuf.Pixbuf, width: int, height: int) -> GdkPixbuf.Pixbuf:
    """``picture`` as large as fits into so many pixels."""
    scale = min(width / picture.get_width(), height / picture.get_height())
    size = [max(1, round(side * scale)) for side in (picture.get_width(), picture.get_height())]
    return picture.scale_simple(*size, GdkPixbuf.InterpType.BILINEAR)


def framed(picture: GdkPixbuf.Pixbuf, width: int, height: int) -> GdkPixbuf.Pixbuf:
    """``picture`` in the middle of a transparent one of that size, which holds it."""
    frame = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, True, 8, width, height)
    frame.fill(0)
    own = picture.get_width(), picture.get_height()
    place = (width - own[0]) // 2, (height - own[1]) // 2
    picture.copy_area(0, 0, *own, frame, *place)
    return frame


def image(picture: GdkPixbuf.Pixbuf, side: int, factor: int) -> Gtk.Image:
    """A widget that shows ``picture``, its longer side as long as ``side`` of GTK's pixels."""
    small = fitted(picture, side * factor, side * factor)
    if factor == 1:
        return Gtk.Image.new_from_pixbuf(small)
    found = Gtk.Image.new_from_gicon(small, Gtk.IconSize.DIALOG)
    found.set_pixel_size(side)
    return found


@functools.cache
def icon_size(side: int) -> Any:
    """A size of icons that cells may have: the only way to tell theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GTK deprecates it and has no other
        return Gtk.IconSize.register(f"neural-style-{side}", side, side)
