"""How the finished layer lies on what is below it: opacity and mode."""

from __future__ import annotations

from typing import Callable

from gi.repository import Gtk

from language.mnemonics import Mnemonics
from language.texts import N_, _

MODES = {
    "normal": N_("Normal"),
    "darken": N_("Darken only"),
    "multiply": N_("Multiply"),
    "lighten": N_("Lighten only"),
    "screen": N_("Screen"),
    "overlay": N_("Overlay"),
    "soft-light": N_("Soft light"),
    "hard-light": N_("Hard light"),
    "color": N_("Colours only"),
    "luminance": N_("Brightness only"),
}
SLIDER_PX = 120


class LastTouch(Gtk.Box):
    """Controls for one layer; ``changed`` is called when the user has moved them."""

    def __init__(self, keys: Mnemonics, changed: Callable[[], None]) -> None:
        super().__init__(spacing=4, no_show_all=True, valign=Gtk.Align.CENTER)
        self._quiet = False
        self._changed = changed
        self._mode = Gtk.ComboBoxText()
        for name, label in MODES.items():
            self._mode.append(name, _(label))
        self._mode.set_tooltip_text(_("How the new layer is blended with what is below it"))
        self._opacity = Gtk.Scale.new_with_range(Gtk.Orientation.HORIZONTAL, 0, 100, 1)
        self._opacity.set_value_pos(Gtk.PositionType.RIGHT)
        self._opacity.set_size_request(SLIDER_PX, -1)
        self._opacity.set_tooltip_text(_("How much of the new layer covers what is below it"))
        label = Gtk.Label(label=keys.label(_("Opacity")), use_underline=True)
        label.set_mnemonic_widget(self._opacity)
        self._mode.connect("changed", self._moved)
        self._opacity.connect("value-changed", self._moved)
        self._mode.get_accessible().set_name(_("Layer mode"))
        for each in (self._mode, label, self._opacity):
            each.show()
            self.pack_start(each, False, False, 0)

    def show_layer(self, opacity: float, mode: str) -> None:
        """Shows how a layer is; of a ``mode`` that is not on the list nothing."""
        self._quiet = True
        if round(opacity) != round(self._opacity.get_value()):
            self._opacity.set_value(opacity)
        if mode != (self._mode.get_active_id() or ""):
            self._mode.set_active_id(mode or None)
        self._quiet = False

    def get(self) -> tuple[float, str]:
        """The opacity, 0–100, and the name of the mode, empty if there is none on the list."""
        return self._opacity.get_value(), self._mode.get_active_id() or ""

    def _moved(self, _widget: Gtk.Widget) -> None:
        if not self._quiet:
            self._changed()
