"""Which layer is painted; of a painting, whether itself."""

from __future__ import annotations

from typing import Callable

from gi.repository import Gtk, Pango

from language.mnemonics import Mnemonics
from language.texts import _


class SubjectRow(Gtk.Box):
    """A line of text, and for paintings the choice to paint them instead of what they were made
    from; ``changed`` is called when the user makes it.
    """

    def __init__(self, keys: Mnemonics, changed: Callable[[bool], None]) -> None:
        super().__init__(spacing=8)
        self._label = Gtk.Label(xalign=0.0, ellipsize=Pango.EllipsizeMode.MIDDLE)
        self._instead = Gtk.CheckButton(
            label=keys.label(_("Paint the painting instead")), use_underline=True, no_show_all=True
        )
        self._instead.set_tooltip_text(
            _(
                "The selected layer is a painting. Usually the layer that it was made from is "
                "painted anew."
            )
        )
        self._instead.connect("toggled", lambda button: changed(button.get_active()))
        self.pack_start(self._label, True, True, 0)
        self.pack_start(self._instead, False, False, 0)

    def say(self, text: str) -> None:
        """Shows the line."""
        self._label.set_text(text)
        self._label.set_tooltip_text(text)

    def offer(self, paintings: bool) -> None:
        """Whether there is a choice."""
        self._instead.set_visible(paintings)
