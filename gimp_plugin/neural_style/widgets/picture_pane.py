"""The picture at the left of the dialog: original or painted, or both, at any zoom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Callable

from gi.repository import Gdk, GdkPixbuf, GLib, Gtk

from language.texts import _
from view.viewport import Point, Viewport
from widgets.composing import Painted, Patch, Spot, composed, remembered, split

LEAST = (240, 160)
DRAG_PX, NEAR_PX = 4, 12
ARROW_PX, DIVIDER_STEP = 64, 0.05
CLOSER, FARTHER, WHOLE, ACTUAL = "closer", "farther", "whole", "actual"
KEYS = {
    Gdk.KEY_plus: CLOSER, Gdk.KEY_KP_Add: CLOSER, Gdk.KEY_equal: CLOSER,
    Gdk.KEY_minus: FARTHER, Gdk.KEY_KP_Subtract: FARTHER,
    Gdk.KEY_0: WHOLE, Gdk.KEY_KP_0: WHOLE, Gdk.KEY_1: ACTUAL, Gdk.KEY_KP_1: ACTUAL,
}  # fmt: skip
ARROWS = {Gdk.KEY_Left: (-1, 0), Gdk.KEY_Right: (1, 0), Gdk.KEY_Up: (0, -1), Gdk.KEY_Down: (0, 1)}


class Pane(Gtk.Layout):
    """Shows a region of ``size`` pixels. The original is shown while the mouse button or the space
    bar is held down, or at the left of a divider; a double click, Ctrl and the wheel, plus and
    minus zoom, dragging, the wheel and arrow keys move, with Shift the divider.

    ``looked`` is called whenever another part is seen, or at another zoom.
    """

    def __init__(self, looked: Callable[[], None]) -> None:
        super().__init__(can_focus=True)
        self.set_size_request(*LEAST)
        self._image = Gtk.Image()
        self.put(self._image, 0, 0)
        self._looked = looked
        self.view = Viewport()
        self._original: Painted | None = None
        self._painted: Painted | None = None
        self._held = self._pinned = False
        self._divider: float | None = None  # 0–1 of what is seen of the picture
        self._pressed: tuple[float, float, Viewport] | None = None
        self._dragged = False  # the divider
        self._pointing = False  # at the divider, as the pointer shows
        masks = Gdk.EventMask
        self.add_events(
            masks.BUTTON_PRESS_MASK
            | masks.BUTTON_RELEASE_MASK
            | masks.BUTTON1_MOTION_MASK
            | masks.POINTER_MOTION_MASK
            | masks.SCROLL_MASK
            | masks.SMOOTH_SCROLL_MASK
            | masks.KEY_PRESS_MASK
            | masks.KEY_RELEASE_MASK
        )
        self.connect("size-allocate", self._allocated)
        self.connect("notify::scale-factor", lambda *_: GLib.idle_add(self._resized))
        self.connect("button-press-event", self._press)
        self.connect("button-release-event", self._release)
        self.connect("motion-notify-event", self._motion)
        self.connect("scroll-event", self._scroll)
        self.connect("key-press-event", self._key, True)
        self.connect("key-release-event", self._key, False)
        self.get_accessible().set_name(_("Preview"))

    # --- what is shown -------------------------------------------------------------------------

    def show_original(
        self, picture: GdkPixbuf.Pixbuf, size: tuple[int, int], spot: Spot | None = None
    ) -> None:
        """The layer's own picture, of a region of ``size`` pixels; ``spot`` as below."""
        self._original = Painted(picture, None if spot is None else remembered(spot))
        self._see(replace(self.view, size=size))

    def show_painted(
        self, picture: GdkPixbuf.Pixbuf | None, spot: Spot | None = None, over: bool = False
    ) -> None:
        """The painting so far, None for none; ``spot`` reads it at any size if that is there.

        ``over``: it lies over the original, because it is only part of the region.
        """
        read = None if spot is None else remembered(spot)
        self._painted = None if picture is None else Painted(picture, read, over)
        self.draw()

    def show_patches(self, patches: Sequence[Patch]) -> None:
        """The parts of the painting that are known at a larger size, the last on top."""
        known = tuple(patches)
        if self._painted is not None and known != self._painted.patches:
            self._painted = replace(self._painted, patches=known)
            self.draw()

    @property
    def is_read(self) -> bool:
        """Whether what is shown as painted can be read at any size: nothing better is to come."""
        return self._painted is None or self._painted.spot is not None

    def pin_original(self, pinned: bool) -> None:
        """Keeps the original in view."""
        self._pinned = pinned
        self.draw()

    def divide(self, divided: bool) -> None:
        """Shows the original at the left of a divider, and the painting at its right."""
        self._divider = 0.5 if divided else None
        self.draw()

    def zoom(self, zoom: float | None, at: Point | None = None) -> None:
        """Device pixels for a pixel of the picture, around a point of the widget; None for all."""
        self._see(self.view.zoomed(zoom, at))

    def do(self, what: str, at: Point | None = None) -> None:
        """Zooms `CLOSER` or `FARTHER`, to the `WHOLE` or to `ACTUAL` pixels."""
        zooms = {WHOLE: None, ACTUAL: 1.0}
        self.zoom(zooms[what] if what in zooms else self.view.stepped(what == CLOSER), at)

    def _see(self, view: Viewport) -> None:
        changed, self.view = view != self.view, view
        self.draw()
        if changed:
            self._looked()

    # --- drawing -------------------------------------------------------------------------------

    def draw(self) -> None:
        """Draws what is to be seen now."""
        original, painted = self._original, self._painted
        if original is None or min(self.view.room) < 2:
            return
        own = [original]
        new = own if painted is None else [original, painted] if painted.over else [painted]
        x, y, width, _height = self.view.window
        if self._held or self._pinned or painted is None:
            canvas = composed(self.view, own)
        elif self._divider is None:
            canvas = composed(self.view, new)
        else:
            at = round(width * self._divider)
            sides = composed(self.view, own), composed(self.view, new)
            canvas = split(*sides, at, self.get_scale_factor())
        self._show(canvas, x, y)

    def _show(self, canvas: GdkPixbuf.Pixbuf, x: int, y: int) -> None:
        factor = self.get_scale_factor()
        if factor == 1:
            self._image.set_from_pixbuf(canvas)
        else:
            # A pixbuf's pixels would be enlarged; those of an icon of this size are the screen's.
            # Its longer side decides, and has to be a whole number of GTK's pixels.
            width, height = canvas.get_width(), canvas.get_height()
            width, height = (max(1, side // factor) * factor for side in (width, height))
            whole = canvas.new_subpixbuf(0, 0, min(width, canvas.get_width()), min(
                height, canvas.get_height()))  # fmt: skip
            self._image.set_from_gicon(whole, Gtk.IconSize.DIALOG)
            self._image.set_pixel_size(max(width, height) // factor)
        self.move(self._image, x // factor, y // factor)

    def _allocated(self, _widget: Any, _allocation: Any) -> None:
        # The picture we set changes our own allocation in no way, but GTK tells it again.
        if self._room() != self.view.room:
            GLib.idle_add(self._resized)

    def _resized(self) -> None:
        self._see(replace(self.view, room=self._room()))

    def _room(self) -> tuple[int, int]:
        factor = self.get_scale_factor()
        return self.get_allocated_width() * factor, self.get_allocated_height() * factor

    # --- the hand ------------------------------------------------------------------------------

    def _hold(self, held: bool) -> None:
        if held != self._held:
            self._held = held
            self.draw()

    def _at(self, event: Any) -> Point:
        factor = self.get_scale_factor()
        return event.x * factor, event.y * factor

    def _is_near_divider(self, x: float) -> bool:
        if self._divider is None or self._pinned or self._painted is None:
            return False
        left, _y, width, _h = self.view.window
        return abs(x - left - self._divider * width) <= NEAR_PX * self.get_scale_factor()

    def _move_divider(self, to: float) -> None:
        self._divider = min(1.0, max(0.0, to))
        self.draw()

    def _press(self, _widget: Any, event: Any) -> bool:
        if event.button != 1:
            return False
        self.grab_focus()
        at = self._at(event)
        if event.type == Gdk.EventType._2BUTTON_PRESS and not self._dragged:
            self._hold(False)
            self.zoom(1.0 if self.view.zoom is None else None, at)
        elif event.type == Gdk.EventType.BUTTON_PRESS:
            self._pressed = (*at, self.view)
            self._dragged = self._is_near_divider(at[0])
            if not self._dragged:
                self._hold(True)
        return True

    def _motion(self, _widget: Any, event: Any) -> bool:
        x, y = self._at(event)
        if self._pressed is None:
            self._point_at(self._is_near_divider(x))
            return False
        if self._dragged:
            left, _y, width, _h = self.view.window
            self._move_divider((x - left) / width)
            return True
        dx, dy = x - self._pressed[0], y - self._pressed[1]
        far = abs(dx) + abs(dy) >= DRAG_PX * self.get_scale_factor()
        if self.view.zoom is None or (self._held and not far):
            return True
        self._held = False
        self._see(self._pressed[2].moved(dx, dy))
        return True

    def _point_at(self, divider: bool) -> None:
        window = self.get_bin_window()
        if window is not None and divider != self._pointing:
            self._pointing = divider
            name = "col-resize" if divider else "default"
            window.set_cursor(Gdk.Cursor.new_from_name(self.get_display(), name))

    def _release(self, _widget: Any, _event: Any) -> bool:
        self._pressed = None
        self._hold(False)
        return True

    def _scroll(self, _widget: Any, event: Any) -> bool:
        smooth, dx, dy = event.get_scroll_deltas()
        if not smooth:
            directions = Gdk.ScrollDirection
            dx = {directions.LEFT: -1.0, directions.RIGHT: 1.0}.get(event.direction, 0.0)
            dy = {directions.UP: -1.0, directions.DOWN: 1.0}.get(event.direction, 0.0)
        if event.state & Gdk.ModifierType.CONTROL_MASK:
            if dy:
                self.do(CLOSER if dy < 0 else FARTHER, self._at(event))
        elif self.view.zoom is not None:
            if event.state & Gdk.ModifierType.SHIFT_MASK:
                dx, dy = dy, dx
            self._see(self.view.moved(-ARROW_PX * dx, -ARROW_PX * dy))
        return True

    def _key(self, _widget: Any, event: Any, down: bool) -> bool:
        if event.keyval == Gdk.KEY_space:
            self._hold(down)
        elif event.keyval in KEYS and not event.state & Gdk.ModifierType.MOD1_MASK:
            if down:
                self.do(KEYS[event.keyval])
        elif event.keyval in ARROWS:
            dx, dy = ARROWS[event.keyval]
            if self._divider is not None and event.state & Gdk.ModifierType.SHIFT_MASK and dx:
                if down:
                    self._move_divider(self._divider + dx * DIVIDER_STEP)
            elif self.view.zoom is None:
                return False
            elif down:
                self._see(self.view.moved(-ARROW_PX * dx, -ARROW_PX * dy))
        else:
            return False
        return True
