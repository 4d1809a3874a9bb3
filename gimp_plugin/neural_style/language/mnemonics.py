"""Underlined letters for a keyboard, none of them twice, in any language. Knows nothing of GTK."""

from __future__ import annotations

from collections.abc import Iterable

SPARE = "abcdefghijklmnopqrstuvwxyz0123456789"


class Mnemonics:
    """Hands out letters; ask for the important labels first."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {letter.lower() for letter in taken}

    def label(self, text: str) -> str:
        """The text with an underscore before a letter that no other label has.

        A label without a free letter, as in Chinese, gets one in brackets behind it, as is usual
        there; a label with Latin letters that are all taken stays without.
        """
        plain = text.replace("_", "__")
        for index, letter in enumerate(plain):
            if letter.isascii() and letter.isalpha() and letter.lower() not in self._taken:
                self._taken.add(letter.lower())
                return f"{plain[:index]}_{plain[index:]}"
        if any(letter.isascii() and letter.isalpha() for letter in plain):
            return plain
        for letter in SPARE:
            if letter not in self._taken:
                self._taken.add(letter)
                end = plain[-1] if plain[-1] in "…:：" else ""
                return f"{plain[: len(plain) - len(end)]}(_{letter.upper()}){end}"
        return plain

    def one_of(self, *texts: str) -> tuple[str, ...]:
        """Labels that share a letter where they can, because only one of them is ever shown."""
        first = self.label(texts[0])
        letter = first[first.find("_") + 1].lower() if "_" in first else ""
        others = []
        for text in texts[1:]:
            at = text.lower().find(letter) if letter else -1
            if at >= 0 and "_" not in text:
                others.append(f"{text[:at]}_{text[at:]}")
            elif letter and not any(c.isascii() and c.isalpha() for c in text):
                others.append(f"{text}(_{letter.upper()})")
            else:
                others.append(self.label(text))
        return first, *others
