"""What would be lost if the dialog closed now, asked before it does."""

from __future__ import annotations

from language.texts import _


def question(painting: bool, results: bool, loose: bool, deliberate: bool) -> str:
    """What to ask before the dialog closes, empty for nothing: of a painting under way, of results
    that are in the image no more (``loose``), and of any if it was a key that is easily hit."""
    if painting:
        return _("The painting is not finished. Close the dialog, and lose it?")
    if loose:
        return _(
            "A result is not in the image any more. Close the dialog? "
            "Only a small picture of it will be left."
        )
    if results and not deliberate:
        return _(
            "Close the dialog? Its results are here again when you open it on this layer, "
            "until the image is closed."
        )
    return ""
