"""How the chosen styles are blended: for each its share, and the place where it is painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Callable

from gi.repository import GLib, Gtk, Pango

from choice.choice import StyleChoice
from language.texts import _
from widgets.narrow import narrowed
from widgets.number import Number


class BlendRows(Gtk.Grid):
    """A row for each chosen style, if there is more to say than which one it is.

    ``changed`` is given a style with another weight or place.
    """

    def __init__(self, changed: Callable[[StyleChoice], None]) -> None:
        super().__init__(column_spacing=6, row_spacing=2)
        self._changed = changed
        self._styles: list[StyleChoice] = []
        self._channels: Sequence[str] = ()

    def show_styles(self, styles: Sequence[StyleChoice], channels: Sequence[str]) -> None:
        """Shows what is chosen, and the channels that can say where a style goes."""
        self._styles, self._channels = list(styles), channels
        self._renew()

    def _renew(self) -> None:
        for child in self.get_children():
            child.destroy()
        styles, channels = self._styles, self._channels
        if len(styles) < 2 and not (styles and channels):
            self.hide()
            return
        elsewhere = any(style.where for style in styles)
        for row, style in enumerate(styles):
            name = Gtk.Label(label=style.name, xalign=0.0, hexpand=True, width_chars=10)
            name.set_ellipsize(Pango.EllipsizeMode.MIDDLE)
            share = Gtk.Adjustment(
                value=style.weight, lower=0.1, upper=10.0, step_increment=0.1, page_increment=1.0
            )
            weight = Number(share, whole=False)
            weight.set_tooltip_text(_("The share of this style in the blend"))
            weight.set_sensitive(len(styles) > 1)
            weight.get_accessible().set_name(_("Weight of {style}").format(style=style.name))
            weight.connect("value-changed", self._weighed, row)
            self.attach(name, 0, row, 1, 1)
            self.attach(weight, 1, row, 1, 1)
            if channels:
                place = narrowed(Gtk.ComboBoxText())
                place.append("", _("Elsewhere") if elsewhere else _("Everywhere"))
                for channel in channels:
                    place.append(channel, channel)
                place.set_active_id(style.where if style.where in channels else "")
                place.set_tooltip_text(_("The channel that says where this style is painted"))
                place.get_accessible().set_name(_("Place of {style}").format(style=style.name))
                place.connect("changed", self._placed, row)
                self.attach(place, 2, row, 1, 1)
        self.show_all()

    def _weighed(self, spin: Any, row: int) -> None:
        self._set(row, replace(self._styles[row], weight=round(spin.get_value(), 2)))

    def _placed(self, combo: Any, row: int) -> None:
        GLib.idle_add(self._renew)  # not while its own signal runs
        self._set(row, replace(self._styles[row], where=combo.get_active_id() or ""))

    def _set(self, row: int, style: StyleChoice) -> None:
        self._styles[row] = style
        self._changed(style)
