"""The row of named presets."""

from __future__ import annotations

from typing import Any, Callable

from gi.repository import Gtk

from choice.kept import Presets
from language.mnemonics import Mnemonics
from language.texts import N_, _
from protocol import Settings
from widgets.notice import ask_name

OWN, SHIPPED = "own:", "shipped:"
SHIPPED_NAMES = [  # the names in presets.json
    N_("Everything as it comes"),
    N_("Gentle, photo first"),
    N_("Bold, painting first"),
    N_("Fine brush"),
    N_("Broad brush"),
    N_("Portrait in its own colours"),
    N_("Only the palette"),
    N_("Best quality"),
]


class PresetRow(Gtk.Box):
    """A list of presets, with buttons to save and to delete the user's own."""

    def __init__(
        self, keys: Mnemonics, presets: Presets, chosen: Callable[[Settings], None]
    ) -> None:
        super().__init__(spacing=4)
        self._presets, self._chosen, self._quiet = presets, chosen, False
        self._start = ""  # the name to suggest: that of a preset which has been changed
        self.get_settings: Callable[[], Settings] = Settings
        self._combo = Gtk.ComboBoxText(hexpand=True)
        self._combo.connect("changed", self._picked)
        label = Gtk.Label(label=keys.label(_("Preset")), use_underline=True, xalign=0.0)
        label.set_mnemonic_widget(self._combo)
        self.pack_start(label, False, False, 0)
        self.pack_start(self._combo, True, True, 0)
        save = Gtk.Button.new_from_icon_name("document-save-as-symbolic", Gtk.IconSize.BUTTON)
        self._delete = Gtk.Button.new_from_icon_name("edit-delete-symbolic", Gtk.IconSize.BUTTON)
        for button, text, action in (
            (save, _("Save these settings as a preset"), self._save),
            (self._delete, _("Delete this preset"), self._remove),
        ):
            button.set_tooltip_text(text)
            button.get_accessible().set_name(text)
            button.connect("clicked", action)
            self.pack_start(button, False, False, 0)
        self._fill()

    def _fill(self, active: str = "") -> None:
        self._quiet = True
        self._combo.remove_all()
        self._combo.append("", "–")
        for name in self._presets.own_names():
            self._combo.append(OWN + name, name)
        for name in self._presets.shipped_names():
            self._combo.append(SHIPPED + name, _(name))
        self._combo.set_active_id(active)
        self._delete.set_sensitive(active.startswith(OWN))
        self._quiet = False

    def _picked(self, _combo: Any) -> None:
        active = self._combo.get_active_id() or ""
        self._delete.set_sensitive(active.startswith(OWN))
        if not self._quiet and active:
            name = active.split(":", 1)[1]
            self._chosen(self._presets.settings(name, self.get_settings()))

    def compare(self, settings: Settings) -> None:
        """Shows no preset any more when ``settings`` are not those of the one that was chosen."""
        active = self._combo.get_active_id() or ""
        if active and self._presets.settings(active.split(":", 1)[1], settings) != settings:
            self._start = active[len(OWN) :] if active.startswith(OWN) else ""
            self._quiet = True
            self._combo.set_active_id("")
            self._quiet = False

    def _save(self, _button: Any) -> None:
        active = self._combo.get_active_id() or ""
        start = active[len(OWN) :] if active.startswith(OWN) else self._start
        name = ask_name(self.get_toplevel(), _("Name of the preset"), start)
        if name:
            self._presets.save(name, self.get_settings())
            self._fill(OWN + name)

    def _remove(self, _button: Any) -> None:
        active = self._combo.get_active_id() or ""
        if active.startswith(OWN):
            self._presets.delete(active[len(OWN) :])
            self._fill()
