"""The row that says what of the photo is held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from gi.repository import Gtk

from language.mnemonics import Mnemonics
from language.texts import _
from widgets.narrow import narrowed


class HoldRow(Gtk.Box):
    """A list of channels and layer masks. ``changed`` is called when the user has chosen."""

    def __init__(
        self, keys: Mnemonics, columns: Gtk.SizeGroup, changed: Callable[[], None]
    ) -> None:
        super().__init__(spacing=8)
        self._changed, self._quiet = changed, False
        self._channels: list[str] = []
        self._wanted = ""
        self._combo = narrowed(Gtk.ComboBoxText(hexpand=True))
        self._combo.connect("changed", self._picked)
        label = Gtk.Label(label=keys.label(_("Hold")), use_underline=True, xalign=0.0)
        label.set_mnemonic_widget(self._combo)
        columns.add_widget(label)
        text = _(
            "What of the photo stays what it is, in the style's strokes and colours: paint it "
            "white in a channel or a layer mask, gray for less, and choose that here."
        )
        self.set_tooltip_text(text)
        self._combo.get_accessible().set_name(_("Hold"))
        self._combo.get_accessible().set_description(text)
        self.pack_start(label, False, False, 0)
        self.pack_start(self._combo, True, True, 0)
        self._fill()

    def get(self) -> str:
        """The name of the channel; empty for none."""
        return self._wanted if self._wanted in self._channels else ""

    def set(self, name: str) -> None:
        """Chooses a channel, without a word to ``changed``; it may come later."""
        self._wanted = name
        self._fill()

    def set_channels(self, names: Sequence[str]) -> None:
        """The channels there are."""
        if list(names) != self._channels:
            self._channels = list(names)
            self._fill()

    def _fill(self) -> None:
        self._quiet = True
        self._combo.remove_all()
        self._combo.append("", _("Nothing in particular"))
        for channel in self._channels:
            self._combo.append(channel, channel)
        self._combo.set_active_id(self.get())
        self._combo.set_sensitive(bool(self._channels))
        self._quiet = False

    def _picked(self, combo: Any) -> None:
        if not self._quiet:
            self._wanted = combo.get_active_id() or ""
            self._changed()
