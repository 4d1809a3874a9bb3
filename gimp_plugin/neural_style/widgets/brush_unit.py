"""The unit of the brush: per cent of the style picture, or millimetres on a print."""

from __future__ import annotations

from dataclasses import Field
from typing import Any, Callable

from gi.repository import Gtk

from language.texts import _
from widgets.number import Number

PER_CENT, MM = "%", "mm"
USUAL = 4.0
"""What the width is at first where millimetres are chosen."""


class BrushUnit(Gtk.Box):
    """Shows the control for per cent, or a number of millimetres, and which of them it is.

    ``changed`` is called when the user has changed the unit or the width.
    """

    def __init__(
        self, per_cent: Gtk.Widget, width: Field[Any], changed: Callable[..., None]
    ) -> None:
        super().__init__(spacing=4, hexpand=True)
        self._adjustment = Gtk.Adjustment(
            value=USUAL, lower=0.1, upper=width.metadata["high"], step_increment=0.5,
            page_increment=5,
        )  # fmt: skip
        number = Number(self._adjustment, whole=False)
        number.set_hexpand(True)
        number.get_accessible().set_name(_(width.metadata["label"]))
        number.set_tooltip_text(_(width.metadata["help"]))
        self._unit = Gtk.ComboBoxText()
        for unit in (PER_CENT, MM):
            self._unit.append(unit, unit)
        self._unit.get_accessible().set_name(_("Unit of the brush"))
        self._unit.set_tooltip_text(_(width.metadata["help"]))
        self._stack = Gtk.Stack(hexpand=True, vhomogeneous=False)
        for name, child in ((PER_CENT, per_cent), (MM, number)):
            child.show_all()
            self._stack.add_named(child, name)
        self.pack_start(self._stack, True, True, 0)
        self.pack_start(self._unit, False, False, 0)
        self.set(0.0)
        self._unit.connect("changed", self._chosen)
        for signal, source in (("changed", self._unit), ("value-changed", self._adjustment)):
            source.connect(signal, changed)

    def _chosen(self, unit: Gtk.ComboBoxText) -> None:
        self._stack.set_visible_child_name(unit.get_active_id())

    def get(self) -> float:
        """The width in millimetres; 0 where per cent are chosen."""
        return round(self._adjustment.get_value(), 2) if self._unit.get_active_id() == MM else 0.0

    def set(self, width: float) -> None:
        """Shows a width in millimetres, or per cent for 0."""
        if width:
            self._adjustment.set_value(width)
        self._unit.set_active_id(MM if width else PER_CENT)
        self._stack.set_visible_child_name(MM if width else PER_CENT)
