"""The picture at the left of the dialog: original or painted, fitted or at full size."""

from __future__ import annotations

from typing import Any, Callable

from gi.repository import Gdk, GdkPixbuf, GLib, Gtk

from language.texts import _
from widgets.cutout import pixbuf

Spot = Callable[[int, int, int, int], bytes]
LEAST = (240, 180)
MOST_MAGNIFIED = 4.0
CHECK_SIZE, LIGHT, DARK = 8, 0x999999, 0x666666
DRAG_PX = 4
ZOOM_KEYS = {
    Gdk.KEY_plus: True, Gdk.KEY_KP_Add: True, Gdk.KEY_equal: True,
    Gdk.KEY_minus: False, Gdk.KEY_KP_Subtract: False,
}  # fmt: skip


class Pane(Gtk.Layout):
    """Shows a region of ``size`` pixels. The original is shown while the mouse button or the space
    bar is held down; a double click, the wheel, plus and minus zoom, dragging and arrow keys move.
    """

    def __init__(self, zoomed: Callable[[bool], None]) -> None:
        super().__init__(can_focus=True)
        self.set_size_request(*LEAST)
        self._image = Gtk.Image()
        self.put(self._image, 0, 0)
        self._zoomed = zoomed
        self._size = (1, 1)
        self._pictures: dict[str, GdkPixbuf.Pixbuf | None] = {"original": None, "painted": None}
        self._spots: dict[str, Spot | None] = {"original": None, "painted": None}
        self._over = self._full = False
        self._center = (0.5, 0.5)  # of the region, at full size
        self._held = self._pinned = False
        self._pressed: tuple[float, float, tuple[float, float]] | None = None
        self._drawn: Any = None
        masks = Gdk.EventMask
        self.add_events(
            masks.BUTTON_PRESS_MASK
            | masks.BUTTON_RELEASE_MASK
            | masks.BUTTON1_MOTION_MASK
            | masks.SCROLL_MASK
            | masks.KEY_PRESS_MASK
            | masks.KEY_RELEASE_MASK
        )
        self.connect("size-allocate", self._allocated)
        self.connect("button-press-event", self._press)
        self.connect("button-release-event", self._release)
        self.connect("motion-notify-event", self._motion)
        self.connect("scroll-event", self._scroll)
        self.connect("key-press-event", self._key, True)
        self.connect("key-release-event", self._key, False)
        self.get_accessible().set_name(_("Preview"))

    # --- what is shown -------------------------------------------------------------------------

    def show_original(self, picture: GdkPixbuf.Pixbuf, size: tuple[int, int], spot: Spot) -> None:
        """The layer's own picture, of a region of ``size`` pixels."""
        self._pictures["original"], self._size = picture, size
        self._spots["original"] = spot
        self.draw()

    def show_painted(
        self, picture: GdkPixbuf.Pixbuf | None, spot: Spot | None = None, over: bool = False
    ) -> None:
        """The painting so far, None for none; ``spot`` reads it at full size if that is there.

        ``over``: it lies over the original, because it is only part of the region.
        """
        self._pictures["painted"], self._spots["painted"] = picture, spot
        self._over = over
        self.draw()

    def pin_original(self, pinned: bool) -> None:
        """Keeps the original in view."""
        self._pinned = pinned
        self.draw()

    def zoom(self, full: bool, at: tuple[float, float] | None = None) -> None:
        """Full size, around a point of the region (0–1 each), or the whole region."""
        if at is not None:
            self._center = at
        if full != self._full:
            self._full = full
            self._zoomed(full)
        self.draw()

    # --- drawing -------------------------------------------------------------------------------

    def _frame(self) -> tuple[float, float, float]:
        """The scale, and where the region's corner is in the widget."""
        width, height = self.get_allocated_width(), self.get_allocated_height()
        w, h = self._size
        scale = 1.0 if self._full else min(width / w, height / h, MOST_MAGNIFIED)
        corner = []
        for room, side, center in ((width, w, self._center[0]), (height, h, self._center[1])):
            shown = side * scale
            if shown <= room:
                corner.append((room - shown) / 2)
            else:
                corner.append(min(0.0, max(room - shown, room / 2 - center * shown)))
        return scale, round(corner[0]), round(corner[1])

    def draw(self) -> None:
        """Draws what is to be seen now."""
        shown = ["original", "painted"] if self._over else ["painted"]
        if self._held or self._pinned or self._pictures["painted"] is None:
            shown = ["original"]
        width, height = self.get_allocated_width(), self.get_allocated_height()
        if self._pictures[shown[-1]] is None or width < 2 or height < 2:
            return
        scale, left, top = self._frame()
        x, y = max(0, int(left)), max(0, int(top))
        w = min(width - x, max(1, round(self._size[0] * scale) + min(0, int(left))))
        h = min(height - y, max(1, round(self._size[1] * scale) + min(0, int(top))))
        canvas = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, False, 8, w, h)
        for which in shown:
            self._lay(which, canvas, (x, y), (scale, left, top), which == shown[0])
        self._image.set_from_pixbuf(canvas)
        self.move(self._image, x, y)

    def _lay(
        self,
        which: str,
        canvas: GdkPixbuf.Pixbuf,
        corner: tuple[int, int],
        frame: tuple[float, float, float],
        lowest: bool,
    ) -> None:
        """Lays a picture on the canvas, whose corner is at ``corner``; the lowest on checks."""
        picture, spot = self._pictures[which], self._spots[which]
        (x, y), (scale, left, top) = corner, frame
        w, h = canvas.get_width(), canvas.get_height()
        if picture is None:
            return
        if self._full and spot is not None:
            data = spot(x - int(left), y - int(top), w, h)
            if data:
                picture, left, top, scale = pixbuf(data, w, h), x, y, 0.0
        across = self._size[0] * scale / picture.get_width() if scale else 1.0
        down = self._size[1] * scale / picture.get_height() if scale else 1.0
        place = (canvas, 0, 0, w, h, left - x, top - y, across, down)
        smooth = GdkPixbuf.InterpType.BILINEAR
        if lowest:
            picture.composite_color(*place, smooth, 255, x, y, CHECK_SIZE, LIGHT, DARK)
        else:
            picture.composite(*place, smooth, 255)

    def _allocated(self, _widget: Any, allocation: Any) -> None:
        # The picture we set changes our own allocation in no way, but GTK tells it again.
        if self._drawn != (allocation.width, allocation.height):
            self._drawn = (allocation.width, allocation.height)
            GLib.idle_add(self.draw)

    # --- the hand ------------------------------------------------------------------------------

    def _hold(self, held: bool) -> None:
        if held != self._held:
            self._held = held
            self.draw()

    def _point(self, x: float, y: float) -> tuple[float, float]:
        """The point of the region under a point of the widget, 0–1 each."""
        scale, left, top = self._frame()
        w, h = self._size[0] * scale, self._size[1] * scale
        return min(1.0, max(0.0, (x - left) / w)), min(1.0, max(0.0, (y - top) / h))

    def _press(self, _widget: Any, event: Any) -> bool:
        if event.button != 1:
            return False
        self.grab_focus()
        if event.type == Gdk.EventType._2BUTTON_PRESS:
            self._hold(False)
            self.zoom(not self._full, self._point(event.x, event.y))
        elif event.type == Gdk.EventType.BUTTON_PRESS:
            self._pressed = (event.x, event.y, self._center)
            self._hold(True)
        return True

    def _motion(self, _widget: Any, event: Any) -> bool:
        if self._pressed is None or not self._full:
            return False
        x, y, center = self._pressed
        if self._held and abs(event.x - x) + abs(event.y - y) < DRAG_PX:
            return True
        self._held = False
        self._center = (
            min(1.0, max(0.0, center[0] - (event.x - x) / self._size[0])),
            min(1.0, max(0.0, center[1] - (event.y - y) / self._size[1])),
        )
        self.draw()
        return True

    def _release(self, _widget: Any, _event: Any) -> bool:
        self._pressed = None
        self._hold(False)
        return True

    def _scroll(self, _widget: Any, event: Any) -> bool:
        if event.direction == Gdk.ScrollDirection.UP and not self._full:
            self.zoom(True, self._point(event.x, event.y))
        elif event.direction == Gdk.ScrollDirection.DOWN and self._full:
            self.zoom(False)
        return True

    def _key(self, _widget: Any, event: Any, down: bool) -> bool:
        steps = {Gdk.KEY_Left: (-1, 0), Gdk.KEY_Right: (1, 0), Gdk.KEY_Up: (0, -1),
                 Gdk.KEY_Down: (0, 1)}  # fmt: skip
        if event.keyval == Gdk.KEY_space:
            self._hold(down)
            return True
        if event.keyval in ZOOM_KEYS:
            if down:
                self.zoom(ZOOM_KEYS[event.keyval])
            return True
        if self._full and event.keyval in steps:
            if down:
                dx, dy = steps[event.keyval]
                w, h = self._size
                x, y = self._center[0] + 64 * dx / w, self._center[1] + 64 * dy / h
                self.zoom(True, (min(1.0, max(0.0, x)), min(1.0, max(0.0, y))))
            return True
        return False
