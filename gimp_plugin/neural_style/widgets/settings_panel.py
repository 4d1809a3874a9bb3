"""The controls for `Settings`: made from its fields, each with its label, help and reset."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any, Callable

from gi.repository import Gdk, Gtk

from language.mnemonics import Mnemonics
from language.texts import MOST_NAME, _, shown
from protocol import Settings
from widgets.brush_unit import BrushUnit
from widgets.number import Number

WIDTH = "brush_mm"
MOST_OFFERED = 200
NAMES = {"style_loss": "style_losses", "features": "features"}  # in the engine's capabilities


class SettingsPanel(Gtk.Box):
    """Few controls, and the rest behind *Advanced*. A double click on a label or a slider resets.

    ``quality`` is one that stands elsewhere: it is about time, not about looks. ``changed`` is
    called when the user has changed something.
    """

    def __init__(self, keys: Mnemonics, changed: Callable[[], None]) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._changed, self._quiet = changed, False
        self._setters: dict[str, Callable[[Any], None]] = {}
        self._getters: dict[str, Callable[[], Any]] = {}
        self._combos: dict[str, Gtk.ComboBoxText] = {}
        self.columns = columns = Gtk.SizeGroup(mode=Gtk.SizeGroupMode.HORIZONTAL)
        plain, advanced = self._grid(), self._grid()
        shown = [f for f in fields(Settings) if not f.metadata["advanced"] and f.name != WIDTH]
        hidden = [f for f in fields(Settings) if f.metadata["advanced"]]
        self.pack_start(plain, False, False, 0)
        self.quality = Gtk.Grid(column_spacing=8)
        self._row(self.quality, shown[0], keys, None)
        for field in shown[1:]:
            self._row(plain, field, keys, columns)
        title = Gtk.Expander(label=keys.label(_("Advanced")), use_underline=True)
        for field in hidden:
            self._row(advanced, field, keys, columns)
        title.add(advanced)
        # What an expander hides the keyboard would still reach, and not leave again.
        advanced.show_all()
        advanced.set_no_show_all(True)
        advanced.hide()
        title.connect("notify::expanded", lambda *_: advanced.set_visible(title.get_expanded()))
        self.pack_start(title, False, False, 0)
        self.set(Settings())

    def get(self) -> Settings:
        """What is chosen."""
        return Settings(**{name: get() for name, get in self._getters.items()})

    def set(self, settings: Settings) -> None:
        """Shows other settings, without a word to ``changed``."""
        self._quiet = True
        for name, value in settings.to_dict().items():
            self._setters[name](value)
        self._quiet = False

    def offer(self, capabilities: dict[str, Any]) -> None:
        """Lists what the engine has to offer for the settings that name something of it."""
        self._quiet = True
        for name, kind in NAMES.items():
            offered, combo = capabilities.get(kind), self._combos.get(name)
            if isinstance(offered, dict) and combo is not None:
                text = self._getters[name]()
                combo.remove_all()
                names = [n for n in offered if n != "auto" and len(n) <= MOST_NAME]
                for entry in ("auto", *names[:MOST_OFFERED]):
                    combo.append_text(shown(entry))
                combo.get_child().set_text(text)
        self._quiet = False

    # --- rows ----------------------------------------------------------------------------------

    @staticmethod
    def _grid() -> Gtk.Grid:
        return Gtk.Grid(column_spacing=8, row_spacing=4, margin_top=2)

    def _tell(self, *_: object) -> None:
        if not self._quiet:
            self._changed()

    def _row(self, grid: Gtk.Grid, field: Field[Any], keys: Mnemonics, columns: Any) -> None:
        meta = field.metadata
        unit = "" if field.name == "style_scale" else meta["unit"]  # which is beside it
        text = _(meta["label"]) + (f" ({unit})" if unit else "")
        label = Gtk.Label(label=keys.label(text), use_underline=True, xalign=0.0)
        widget, target = self._widget(field)
        label.set_mnemonic_widget(target)
        area = Gtk.EventBox(visible_window=False)
        area.add(label)
        area.connect("button-press-event", self._reset_on_double_click, field)
        if columns is not None:
            columns.add_widget(area)
        help_text = _(meta["help"])
        if meta["low"] is not None:
            help_text += "\n" + _("Double-click to reset.")
        for each in (area, widget):
            each.set_tooltip_text(help_text)
        target.get_accessible().set_name(text)
        target.get_accessible().set_description(_(meta["help"]))
        row = len(grid.get_children()) // 2
        grid.attach(area, 0, row, 1, 1)
        grid.attach(widget, 1, row, 1, 1)

    def _reset_on_double_click(self, _widget: Any, event: Any, field: Field[Any]) -> bool:
        if event.type != Gdk.EventType._2BUTTON_PRESS:
            return False
        self._setters[field.name](field.default)
        self._tell()
        return True

    def _widget(self, field: Field[Any]) -> tuple[Gtk.Widget, Gtk.Widget]:
        """The control, and that part of it which takes the keyboard's focus."""
        if field.metadata["choices"]:
            return self._choice(field)
        if field.name in NAMES:
            return self._name(field)
        if isinstance(field.default, str):
            entry = Gtk.Entry(hexpand=True)
            entry.connect("changed", self._tell)
            self._getters[field.name], self._setters[field.name] = entry.get_text, entry.set_text
            return entry, entry
        return self._number(field)

    def _choice(self, field: Field[Any]) -> tuple[Gtk.Widget, Gtk.Widget]:
        combo = Gtk.ComboBoxText(hexpand=True)
        for value, label in field.metadata["choices"].items():
            combo.append(value, _(label))
        combo.connect("changed", self._tell)
        self._getters[field.name], self._setters[field.name] = (
            combo.get_active_id,
            combo.set_active_id,
        )
        return combo, combo

    def _name(self, field: Field[Any]) -> tuple[Gtk.Widget, Gtk.Widget]:
        combo = Gtk.ComboBoxText.new_with_entry()
        combo.set_hexpand(True)
        combo.append_text(field.default)
        entry = combo.get_child()
        entry.set_width_chars(8)
        combo.forall(_leave_out_button)
        entry.connect("changed", self._tell)
        self._combos[field.name] = combo
        self._getters[field.name], self._setters[field.name] = entry.get_text, entry.set_text
        return combo, entry

    def _number(self, field: Field[Any]) -> tuple[Gtk.Widget, Gtk.Widget]:
        meta, whole = field.metadata, isinstance(field.default, int)
        high = float(meta["high"])
        adjustment = Gtk.Adjustment(
            value=field.default, lower=meta["low"], upper=high, step_increment=1, page_increment=10
        )
        spin = Number(adjustment, whole)
        adjustment.connect("value-changed", self._tell)
        kind = int if whole else float
        self._getters[field.name] = lambda: kind(adjustment.get_value())
        self._setters[field.name] = adjustment.set_value
        if whole:
            spin.set_hexpand(True)
            return spin, spin
        box = Gtk.Box(spacing=4, hexpand=True)
        scale = Gtk.Scale(adjustment=adjustment, draw_value=False, hexpand=True)
        scale.set_size_request(90, -1)
        scale.set_can_focus(False)  # the number takes the same keys
        scale.connect("button-press-event", self._reset_on_double_click, field)
        box.pack_start(scale, True, True, 0)
        box.pack_start(spin, False, False, 0)
        return (self._with_unit(box), spin) if field.name == "style_scale" else (box, spin)

    def _with_unit(self, per_cent: Gtk.Widget) -> Gtk.Widget:
        """The control of the brush size with that of its width in millimetres."""
        width = next(field for field in fields(Settings) if field.name == WIDTH)
        unit = BrushUnit(per_cent, width, self._tell)
        self._getters[WIDTH], self._setters[WIDTH] = unit.get, unit.set
        return unit


def _leave_out_button(part: Gtk.Widget) -> None:
    """Lets the keyboard pass a list's button: it would lead back to the field, for ever, and
    Alt+Down opens the list as well."""
    if isinstance(part, Gtk.ToggleButton):
        part.set_can_focus(False)
    elif isinstance(part, Gtk.Box):
        part.forall(_leave_out_button)
