"""A picture in the shape of the selection, as the finished layer will show. Knows nothing of GIMP.

All that passes over pixels is done by GdkPixbuf, because Python would take too long.
"""

from __future__ import annotations

from gi.repository import GdkPixbuf, GLib

COMPLEMENT = bytes(range(255, -1, -1))
SMOOTH = GdkPixbuf.InterpType.BILINEAR


def pixbuf(data: bytes, width: int, height: int) -> GdkPixbuf.Pixbuf:
    """A pixbuf of RGBA u8 pixels."""
    colors = GdkPixbuf.Colorspace.RGB
    return GdkPixbuf.Pixbuf.new_from_bytes(
        GLib.Bytes.new(data), colors, True, 8, width, height, 4 * width
    )


def _sheet(values: bytes, width: int, height: int) -> GdkPixbuf.Pixbuf:
    """A black picture of this alpha."""
    data = bytearray(4 * width * height)
    data[3::4] = values
    return pixbuf(bytes(data), width, height)


def _alpha(picture: GdkPixbuf.Pixbuf) -> bytes:
    return picture.read_pixel_bytes().get_data()[3::4]


def product(one: bytes, other: bytes, width: int, height: int) -> bytes:
    """The product of two masks, u8, within a step or two."""
    if one.count(255) == len(one):
        return other
    # What is laid over something hides it: (1 - result) = (1 - one) · (1 - other).
    below, above = (
        _sheet(each.translate(COMPLEMENT), width, height).copy() for each in (one, other)
    )
    above.composite(below, 0, 0, width, height, 0, 0, 1, 1, GdkPixbuf.InterpType.NEAREST, 255)
    return _alpha(below).translate(COMPLEMENT)


def cut(data: bytes, mask: bytes, width: int, height: int) -> bytes:
    """RGBA u8 pixels, transparent where the u8 mask of the same size is 0."""
    pixels = bytearray(data)
    pixels[3::4] = product(bytes(pixels[3::4]), mask, width, height)
    return bytes(pixels)


class Shape:
    """A mask, u8, 0 outside of the selection; it fits pictures of any size."""

    def __init__(self, mask: bytes, width: int, height: int) -> None:
        self.mask = mask
        self._sheet = _sheet(mask, width, height)

    def cut(self, picture: GdkPixbuf.Pixbuf) -> GdkPixbuf.Pixbuf:
        """An RGBA picture in this shape."""
        return self.cut_part(picture, (0.0, 0.0, 1.0, 1.0))

    def cut_part(
        self, picture: GdkPixbuf.Pixbuf, area: tuple[float, float, float, float]
    ) -> GdkPixbuf.Pixbuf:
        """The same of a picture of an ``area`` (left, top, width, height, 0–1) of all."""
        width, height = picture.get_width(), picture.get_height()
        sheet, (left, top, across, down) = self._sheet, area
        scale_x = width / (across * sheet.get_width())
        scale_y = height / (down * sheet.get_height())
        if (scale_x, scale_y, left, top) != (1.0, 1.0, 0.0, 0.0):
            there = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, True, 8, width, height)
            corner = -left * scale_x * sheet.get_width(), -top * scale_y * sheet.get_height()
            sheet.scale(there, 0, 0, width, height, *corner, scale_x, scale_y, SMOOTH)
            sheet = there
        data = cut(picture.read_pixel_bytes().get_data(), _alpha(sheet), width, height)
        return pixbuf(data, width, height)
