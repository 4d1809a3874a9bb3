"""The row below the picture: how close one looks, and what beside the painting."""

from __future__ import annotations

from typing import Any

from gi.repository import Gtk

from language.mnemonics import Mnemonics
from language.texts import _
from widgets.picture_pane import ACTUAL, CLOSER, FARTHER, WHOLE, Pane


class ViewRow(Gtk.Box):
    """Buttons for a `Pane`; ``caption`` is what there is to say about the picture."""

    def __init__(self, keys: Mnemonics, pane: Pane) -> None:
        super().__init__(spacing=4)
        self._pane, self._quiet = pane, False
        out = self._button("−", FARTHER, _("Zoom out (minus, or Ctrl and the wheel)"))
        self._zoom = Gtk.Label(width_chars=6)
        closer = self._button("+", CLOSER, _("Zoom in (plus, or Ctrl and the wheel)"))
        self._full = self._toggle(
            keys.label(_("Full size")),
            _(
                "One pixel of the layer per pixel of the screen, painted for real where you look; "
                "drag to move it. Or double-click a spot."
            ),
        )
        self._full.connect("toggled", self._full_toggled)
        self._original = self._toggle(
            keys.label(_("Original")),
            _("Or hold the mouse button, or the space bar, on the picture."),
        )
        self._original.connect("toggled", lambda b: pane.pin_original(b.get_active()))
        split = self._toggle(
            keys.label(_("Before and after")),
            _("The original at the left of a line that you can drag, or move with Shift and the "
              "arrow keys."),
        )  # fmt: skip
        split.connect("toggled", lambda button: pane.divide(button.get_active()))
        self.caption = Gtk.Label(xalign=1.0, ellipsize=3)
        self.caption.get_style_context().add_class("dim-label")
        zoom = Gtk.Box()
        for each in (out, self._zoom, closer):
            zoom.pack_start(each, False, False, 0)
        for each in (zoom, self._full, self._original, split):
            self.pack_start(each, False, False, 0)
        self.pack_start(self.caption, True, True, 0)
        self.tell()

    def unpin(self) -> None:
        """Shows the painting again."""
        self._original.set_active(False)

    def tell(self) -> None:
        """Says how close one looks."""
        view = self._pane.view
        self._zoom.set_text(_("{n} %").format(n=round(100 * view.scale)))
        self._quiet = True
        self._full.set_active(view.zoom == 1.0)
        self._quiet = False

    def _full_toggled(self, button: Any) -> None:
        if not self._quiet:
            self._pane.do(ACTUAL if button.get_active() else WHOLE)

    def _button(self, label: str, what: str, tip: str) -> Gtk.Button:
        button = Gtk.Button(label=label)
        button.set_tooltip_text(tip)
        button.get_accessible().set_name(tip)
        button.connect("clicked", lambda _button: self._pane.do(what))
        return button

    @staticmethod
    def _toggle(label: str, tip: str) -> Gtk.ToggleButton:
        button = Gtk.ToggleButton(label=label, use_underline=True)
        button.set_tooltip_text(tip)
        button.get_style_context().add_class("neural-style-toggle")
        return button
