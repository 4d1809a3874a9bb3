"""A view of a picture, composed of what is known of it: small, in spots, or at any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from gi.repository import GdkPixbuf

from view.viewport import Area, Viewport
from widgets.cutout import pixbuf

Spot = Callable[[int, int, int, int, float], bytes]
"""RGBA u8 pixels of an area of a picture (x, y, width, height) after it was scaled."""
CHECK_SIZE, LIGHT, DARK = 8, 0x999999, 0x666666
SEEN_PIXELS = 2.0
"""Magnification from which on single pixels are shown as squares."""
EDGE, INNER = 0x202020FF, 0xF0F0F0FF
GRIP = (14, 44)  # of the divider, in pixels of a screen that is not dense


@dataclass(frozen=True)
class Patch:
    """A part of a picture that is known better: ``area`` in the picture's pixels."""

    area: Area
    picture: GdkPixbuf.Pixbuf


@dataclass(frozen=True)
class Painted:
    """What is known of a picture: a small one, ``spot`` that reads it at any size, and patches.

    ``over``: it lies over the one below, because it is only part of the region.
    """

    picture: GdkPixbuf.Pixbuf
    spot: Spot | None = None
    over: bool = False
    patches: Sequence[Patch] = field(default=())


def remembered(spot: Spot) -> Spot:
    """``spot`` that has the pixels of the last area still: a part of a large picture takes its
    time, and is drawn again for each picture so far, and wherever the divider is moved."""
    last: tuple[tuple[Any, ...], bytes] = (), b""

    def read(x: int, y: int, width: int, height: int, scale: float) -> bytes:
        nonlocal last
        area = x, y, width, height, scale
        if last[0] != area or not last[1]:
            last = area, spot(*area)
        return last[1]

    return read


def composed(view: Viewport, pictures: Sequence[Painted]) -> GdkPixbuf.Pixbuf:
    """What a viewport shows of pictures that lie on each other, on checks; of its window's size."""
    x, y, width, height = view.window
    canvas = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, False, 8, width, height)
    left, top = view.corner
    at = left - x, top - y
    for picture in pictures:
        _lay(canvas, picture, view, at, picture is pictures[0])
    return canvas


def _lay(
    canvas: GdkPixbuf.Pixbuf, what: Painted, view: Viewport, at: tuple[int, int], lowest: bool
) -> None:
    size = canvas.get_width(), canvas.get_height()
    data = _read(what, view, at, size)
    if data is not None:
        pixels, (x, y, width, height), magnified = data
        _put(canvas, pixels, (x, y), (width, height), lowest, magnified)
        return
    whole = view.size[0] * view.scale, view.size[1] * view.scale
    _put(canvas, what.picture, at, whole, lowest, 1.0)
    for patch in what.patches:
        x, y, width, height = patch.area
        there = round(at[0] + x * view.scale), round(at[1] + y * view.scale)
        across = width * view.scale, height * view.scale
        _put(canvas, patch.picture, there, across, False, across[0] / patch.picture.get_width())


def _read(
    what: Painted, view: Viewport, at: tuple[int, int], size: tuple[int, int]
) -> tuple[GdkPixbuf.Pixbuf, Area, float] | None:
    """What is seen read from the picture itself, and where on the canvas it goes.

    None if it cannot be read, or the small picture shows as much.
    """
    if what.spot is None or what.picture.get_width() >= view.size[0] * min(1.0, view.scale):
        return None
    if view.scale <= 1:
        found = what.spot(-at[0], -at[1], *size, view.scale)
        return (pixbuf(found, *size), (0, 0, *size), 1.0) if found else None
    x, y, width, height = view.seen
    found = what.spot(x, y, width, height, 1.0)
    there = round(at[0] + x * view.scale), round(at[1] + y * view.scale)
    across = round(width * view.scale), round(height * view.scale)
    return (pixbuf(found, width, height), (*there, *across), view.scale) if found else None


def _put(
    canvas: GdkPixbuf.Pixbuf,
    picture: GdkPixbuf.Pixbuf,
    at: tuple[float, float],
    size: tuple[float, float],
    lowest: bool,
    magnified: float,
) -> None:
    """Draws ``picture`` at a place of the canvas, in that size."""
    x, y = max(0, round(at[0])), max(0, round(at[1]))
    right = min(canvas.get_width(), round(at[0] + size[0]))
    bottom = min(canvas.get_height(), round(at[1] + size[1]))
    if right <= x or bottom <= y:
        return
    across, down = size[0] / picture.get_width(), size[1] / picture.get_height()
    place = (canvas, x, y, right - x, bottom - y, *at, across, down)
    sharp = magnified >= SEEN_PIXELS
    how = GdkPixbuf.InterpType.NEAREST if sharp else GdkPixbuf.InterpType.BILINEAR
    if lowest:
        picture.composite_color(*place, how, 255, x, y, CHECK_SIZE, LIGHT, DARK)
    else:
        picture.composite(*place, how, 255)


def split(
    left: GdkPixbuf.Pixbuf, right: GdkPixbuf.Pixbuf, at: int, factor: int = 1
) -> GdkPixbuf.Pixbuf:
    """Two pictures of one size side by side, with a divider between them ``at`` pixels from the
    left; its lines are ``factor`` pixels wide. Changes ``right``, which it returns."""
    width, height = right.get_width(), right.get_height()
    at = min(width, max(0, at))
    if at:
        left.copy_area(0, 0, at, height, right, 0, 0)
    bar, (wide, tall) = 2 * factor, (factor * side for side in GRIP)
    middle = (height - tall) // 2
    _fill(right, (at - bar, 0, 2 * bar, height), EDGE)
    _fill(right, (at - bar // 2, 0, bar, height), INNER)
    _fill(right, (at - wide // 2, middle, wide, tall), EDGE)
    edge = factor, wide - 2 * factor, tall - 2 * factor
    _fill(right, (at - wide // 2 + edge[0], middle + edge[0], edge[1], edge[2]), INNER)
    for line in (-1, 1):
        x = at + 2 * factor * line - factor // 2
        _fill(right, (x, middle + tall // 3, factor, tall // 3), EDGE)
    return right


def _fill(canvas: Any, area: Area, color: int) -> None:
    x, y = max(0, area[0]), max(0, area[1])
    right = min(canvas.get_width(), area[0] + area[2])
    bottom = min(canvas.get_height(), area[1] + area[3])
    if right > x and bottom > y:
        canvas.new_subpixbuf(x, y, right - x, bottom - y).fill(color)
