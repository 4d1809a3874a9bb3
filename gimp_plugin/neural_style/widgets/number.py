"""A field for a number, which takes a decimal comma as it takes a point."""

from __future__ import annotations

import locale
from typing import Any

from gi.repository import Gtk


class Number(Gtk.SpinButton):
    """Shows an adjustment's value, if it is not ``whole`` with one decimal where it has one.

    GTK's own field, told to take numbers alone, makes 625 of "62,5" where the language writes a
    point. Letters are not taken.
    """

    def __init__(self, adjustment: Gtk.Adjustment, whole: bool) -> None:
        super().__init__(adjustment=adjustment, digits=0 if whole else 1)
        self.set_width_chars(4)
        self.connect("changed", self._typed)
        self.connect("output", self._show)
        self._show(self)  # GTK has written the value its own way

    def _typed(self, _entry: Any) -> None:
        place, text = self.get_position(), self.get_text()
        ours = _in_this_language("".join(c for c in text if c.isdigit() or c in ",.-"))
        if ours != text:
            self.set_text(ours)
            # This is said before the cursor moves on.
            self.set_position(place + 1 - len(text) + len(ours))

    def _show(self, _spin: Any) -> bool:
        """Writes the value without ".0"; True, as GTK need not do it."""
        text = f"{self.get_value():.{self.get_digits()}f}"
        text = _in_this_language(text[:-2] if text.endswith(".0") else text)
        if self.get_text() != text:
            self.set_text(text)
        return True


def _in_this_language(number: str) -> str:
    point = locale.localeconv()["decimal_point"]
    return number.replace(",", point).replace(".", point)
