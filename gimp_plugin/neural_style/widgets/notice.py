"""What the dialog has to say beside the work: problems, and offers."""

from __future__ import annotations

from typing import Any, Callable

from gi.repository import Gdk, Gtk

from language.texts import _


class Notice(Gtk.Revealer):
    """One message at the top of the dialog: a sentence, the next step, and buttons."""

    def __init__(self, kind: Gtk.MessageType) -> None:
        super().__init__(transition_type=Gtk.RevealerTransitionType.NONE, no_show_all=True)
        self._bar = Gtk.InfoBar(message_type=kind, show_close_button=False)
        self._text = Gtk.Label(xalign=0.0, wrap=True, selectable=True, max_width_chars=80)
        self._text.set_can_focus(False)
        self._progress = Gtk.ProgressBar(show_text=True, no_show_all=True)
        # Beside the text, as a bar has them, long buttons would leave it no room.
        self._buttons = Gtk.Box(spacing=6, halign=Gtk.Align.END)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=4)
        for each in (self._text, self._progress, self._buttons):
            box.add(each)
        self._bar.get_content_area().pack_start(box, True, True, 0)
        self._bar.show_all()
        self.add(self._bar)

    def add_button(self, label: str, action: Callable[[], None]) -> Gtk.Button:
        """A button in the message."""
        button = Gtk.Button(label=label, use_underline=True)
        button.connect("clicked", lambda _button: action())
        button.show()
        self._buttons.add(button)
        return button

    def say(self, text: str) -> None:
        """Shows the text."""
        self._text.set_text(text)
        self.show()
        self.set_reveal_child(True)

    def progress(self, fraction: float | None, text: str = "") -> None:
        """A progress bar in the message; None takes it away."""
        self._progress.set_visible(fraction is not None)
        if fraction is not None:
            self._progress.set_fraction(fraction)
            self._progress.set_text(text)

    def hide_it(self) -> None:
        """Takes the message away, and its room with it."""
        self.set_reveal_child(False)
        self.hide()


def copy_text(widget: Gtk.Widget, text: str) -> None:
    """Puts a text into the clipboard; it stays there when the dialog is gone, where that works."""
    clipboard = Gtk.Clipboard.get_default(widget.get_display())
    clipboard.set_text(text, -1)
    clipboard.store()


def ask_name(parent: Gtk.Window, heading: str, start: str) -> str:
    """A name that the user types; empty if they think better of it."""
    dialog = Gtk.Dialog(title=heading, transient_for=parent, modal=True, use_header_bar=0)
    dialog.add_button(_("_Cancel"), Gtk.ResponseType.CANCEL)
    dialog.add_button(_("_Save"), Gtk.ResponseType.OK)
    dialog.set_default_response(Gtk.ResponseType.OK)
    entry = Gtk.Entry(text=start, activates_default=True, margin=12, width_chars=28)
    entry.get_accessible().set_name(heading)
    dialog.get_content_area().add(entry)
    dialog.show_all()
    accepted = dialog.run() == Gtk.ResponseType.OK
    name = entry.get_text().strip()
    dialog.destroy()
    return name if accepted else ""


def confirmed(parent: Gtk.Window, question: str, yes: str, no: str = "") -> bool:
    """Whether the user says ``yes`` and not ``no`` (labels with their letters marked; without one
    it is Cancel); Return alone says no."""
    dialog = Gtk.MessageDialog(
        transient_for=parent, modal=True, message_type=Gtk.MessageType.QUESTION, text=question,
        destroy_with_parent=True,  # the image may be closed meanwhile
    )  # fmt: skip
    dialog.add_button(no or _("_Cancel"), Gtk.ResponseType.CANCEL)
    dialog.add_button(yes, Gtk.ResponseType.OK)
    dialog.set_default_response(Gtk.ResponseType.CANCEL)
    answer = dialog.run()
    dialog.destroy()
    return answer == Gtk.ResponseType.OK


def on_escape(window: Gtk.Dialog, action: Callable[[], bool]) -> None:
    """Calls ``action`` at the Escape key; if it returns False the window closes, wherever the
    keyboard is: a message with buttons would keep the key to itself.
    """

    def pressed(_window: Any, event: Any) -> bool:
        if event.keyval != Gdk.KEY_Escape:
            return False
        if not action():
            window.emit("close")
        return True

    window.connect("key-press-event", pressed)
