"""The row of named presets."""

from __future__ import annotations

from typing import Any, Callable

from gi.repository import Gtk

from choice.kept import Presets, with_look
from language.mnemonics import Mnemonics
from language.texts import N_, _
from protocol import Settings
from widgets.notice import ask_name, confirmed

CUSTOM, OWN, SHIPPED = "custom", "own:", "shipped:"
SHIPPED_NAMES = [  # the names in presets.json
    N_("Defaults"),
    N_("Gentle, photo first"),
    N_("Bold, painting first"),
    N_("Fine brush"),
    N_("Broad brush"),
    N_("Portrait in its own colours"),
    N_("The photo's own palette"),
]


class PresetRow(Gtk.Box):
    """A list of presets, with buttons to save and to delete the user's own.

    It always shows the preset that the settings are those of, or *Custom*, which brings the user's
    settings back after a look at presets. ``chosen`` is given the settings of the preset.
    """

    def __init__(
        self, keys: Mnemonics, presets: Presets, chosen: Callable[[Settings], None]
    ) -> None:
        super().__init__(spacing=4)
        self._presets, self._chosen, self._quiet = presets, chosen, False
        self._suggested = ""  # the name to save under: that of a preset which has been changed
        self._custom: Settings | None = None
        self._looks: dict[str, Settings] = {}
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
            (save, _("Save this look as a preset"), self._save),
            (self._delete, _("Delete this preset"), self._remove),
        ):
            button.set_tooltip_text(text)
            button.get_accessible().set_name(text)
            button.connect("clicked", action)
            self.pack_start(button, False, False, 0)
        self._fill()
        self.compare(Settings())

    def _fill(self) -> None:
        """Lists the presets anew."""
        known = (OWN, self._presets.own()), (SHIPPED, self._presets.shipped())
        self._looks = {kind + name: each for kind, looks in known for name, each in looks.items()}
        self._quiet = True
        self._combo.remove_all()
        self._combo.append(CUSTOM, _("Custom"))
        for entry in self._looks:
            self._combo.append(entry, _shown(entry.split(":", 1)[1]))
        self._quiet = False

    def compare(self, settings: Settings) -> None:
        """Shows which preset the settings are those of."""
        look, before = with_look(Settings(), settings), self._active()
        same = [each for each, known in self._looks.items() if known == look]
        now = before if before in same else next(iter(same), CUSTOM)
        if now == CUSTOM:
            self._custom = look
            if before.startswith(OWN):
                self._suggested = before[len(OWN) :]
        self._show(now)

    def _active(self) -> str:
        return self._combo.get_active_id() or ""

    def _show(self, entry: str) -> None:
        self._quiet = True
        self._combo.set_active_id(entry)
        self._delete.set_sensitive(entry.startswith(OWN))
        self._quiet = False

    def _picked(self, _combo: Any) -> None:
        if self._quiet:
            return
        now, look = self.get_settings(), self._looks.get(self._active(), self._custom)
        if look is None:  # nothing of the user's own to go back to
            self.compare(now)
            return
        self._delete.set_sensitive(self._active().startswith(OWN))
        self._chosen(with_look(now, look))

    def _save(self, _button: Any) -> None:
        active, window = self._active(), self.get_toplevel()
        start = active[len(OWN) :] if active.startswith(OWN) else self._suggested
        typed = ask_name(window, _("Name of the preset"), _shown(start))
        if not typed:
            return
        names = [entry.split(":", 1)[1] for entry in self._looks]
        name = next((each for each in names if typed in (each, _shown(each))), typed)
        question = _("There is a preset “{name}” already. Replace it?")
        if name in names and not confirmed(window, question.format(name=typed), _("_Replace")):
            return
        self._presets.save(name, self.get_settings())
        self._fill()
        self._show(OWN + name)

    def _remove(self, _button: Any) -> None:
        active = self._active()
        if not active.startswith(OWN):
            return
        name = active[len(OWN) :]
        question = _("Delete the preset “{name}”?").format(name=_shown(name))
        if confirmed(self.get_toplevel(), question, _("_Delete")):
            self._presets.delete(name)
            self._fill()
            self.compare(self.get_settings())


def _shown(name: str) -> str:
    """The name in the user's language, if it is one that came along."""
    return _(name) if name in SHIPPED_NAMES else name
