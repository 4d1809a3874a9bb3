"""The window: what is where. Imported only when one is shown, because it needs a display."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from gi.repository import GimpUi, Gtk

from choice.choice import Choice
from dialog.actions import Actions
from language.mnemonics import Mnemonics
from language.texts import _
from widgets.history_bar import HistoryBar
from widgets.hold_row import HoldRow
from widgets.last_touch import LastTouch
from widgets.notice import Notice, on_escape
from widgets.picture_pane import Pane
from widgets.preset_row import PresetRow
from widgets.settings_panel import SettingsPanel
from widgets.style_browser import StyleBrowser
from widgets.subject_row import SubjectRow
from widgets.view_row import ViewRow

# GIMP's themes hardly show which thumbnail is chosen, or whether a button is pressed.
CSS = b"""
button.neural-style-toggle:checked { background-image: none; background-color: #2a76c6; }
button.neural-style-toggle:checked, button.neural-style-toggle:checked label {
  color: #ffffff; text-shadow: none;
}
frame.neural-style-picture > border { border: 2px solid transparent; border-radius: 2px; }
frame.neural-style-focused > border { border-color: #2a76c6; }
iconview.styles:selected { background-color: #2a76c6; color: #ffffff; border-radius: 4px; }
"""
SIZE = (1040, 680)
SIDE_PX = 400
RESULTS_PX = 60
EDGE_PX = 60  # around the window on a screen that is hardly larger


class Window:
    """The dialog's widgets."""

    def __init__(self, actions: Actions, presets: Any) -> None:
        self.actions = actions
        self.dialog = GimpUi.Dialog(title=_("Neural Style Transfer"), role="neural-style")
        display = self.dialog.get_display()
        room = (display.get_primary_monitor() or display.get_monitor(0)).get_workarea()
        self.dialog.set_default_size(
            min(SIZE[0], room.width - EDGE_PX), min(SIZE[1], room.height - EDGE_PX)
        )
        css = Gtk.CssProvider()
        css.load_from_data(CSS)
        priority = Gtk.STYLE_PROVIDER_PRIORITY_APPLICATION
        Gtk.StyleContext.add_provider_for_screen(self.dialog.get_screen(), css, priority)
        keys = Mnemonics()
        self._buttons(keys)
        self.subject = SubjectRow(keys, actions.paint_instead)
        self.pane = Pane(self._looked)
        self.view_row = ViewRow(keys, self.pane)
        self.caption = self.view_row.caption
        self._notices(keys)
        self.styles = StyleBrowser(
            keys, actions.choice_changed, actions.add_folder, actions.forget_folder
        )
        self.presets = PresetRow(keys, presets, self._preset_chosen)
        self.settings = SettingsPanel(keys, actions.choice_changed)
        self.hold = HoldRow(keys, self.settings.columns, actions.choice_changed)
        self.presets.get_settings = self.settings.get
        self._steady = Gtk.CheckButton(
            label=keys.label(_("Steady from layer to layer")), use_underline=True, active=True,
            no_show_all=True,
        )  # fmt: skip
        self._steady.set_tooltip_text(
            _(
                "Paints each layer as the one below it, moved as the picture has moved: the frames "
                "of an animation, the lowest first, do not flicker. Layers of another size begin "
                "afresh."
            )
        )
        self.history = HistoryBar(actions.history)
        self.touch = LastTouch(keys, actions.touch)
        self.question = Notice(Gtk.MessageType.QUESTION)
        self.question.add_button(keys.label(_("Use them")), self._agree)
        self.question.add_button(keys.label(_("Leave them out")), self.question.hide_it)
        self._agreed: Callable[[], None] = lambda: None
        self.bar = Gtk.ProgressBar(show_text=True, valign=Gtk.Align.CENTER)
        self.bar.set_ellipsize(3)
        content = self.dialog.get_content_area()
        content.set_spacing(4)
        content.set_border_width(8)
        content.pack_start(self._middle(), True, True, 0)
        content.pack_start(self._below(), False, False, 0)
        self._beside_paint()
        self.dialog.connect("response", self._response)
        self.dialog.connect("focus-in-event", self._focused)
        self.dialog.connect("delete-event", lambda *_: True)  # whoever answers to it may stay
        on_escape(self.dialog, self._escape)
        content.show_all()
        self.styles.take_focus()

    def _notices(self, keys: Mnemonics) -> None:
        self.problem = Notice(Gtk.MessageType.ERROR)
        self.set_up_button = self.problem.add_button(keys.label(_("Set up…")), self.actions.set_up)
        self.problem.add_button(keys.label(_("Copy report")), self.actions.copy_report)
        self.problem.add_button(keys.label(_("Dismiss")), self.problem.hide_it)
        self.offer = Notice(Gtk.MessageType.INFO)
        self.fetch_texts = keys.one_of(_("Download"), _("Stop the download"))
        self.fetch_button = self.offer.add_button(
            self.fetch_texts[0], lambda: self.actions.fetch(False)
        )
        own = keys.label(_("Use a file I have…"))
        self.file_button = self.offer.add_button(own, lambda: self.actions.fetch(True))

    def ask(self, text: str, agreed: Callable[[], None]) -> None:
        """Asks whether to do something, and calls ``agreed`` if the user says so."""
        self._agreed = agreed
        self.question.say(text)

    def _agree(self) -> None:
        self.question.hide_it()
        self._agreed()

    def _buttons(self, keys: Mnemonics) -> None:
        add = self.dialog.add_button
        close, cancel = keys.one_of(_("Close"), _("Cancel"))
        self._close_texts = {False: close, True: cancel}
        self._cancel = add(close, Gtk.ResponseType.CLOSE)
        self._keep = add(keys.label(_("Stop and keep")), Gtk.ResponseType.APPLY)
        self._start = add(keys.label(_("Paint")), Gtk.ResponseType.OK)
        self._keep.set_tooltip_text(_("Ends the painting now and makes what there is a new layer"))
        self._start.set_tooltip_text(_("Paints the layer at its full size, as a new layer"))
        self.dialog.set_default_response(Gtk.ResponseType.OK)
        self._start.get_style_context().add_class("suggested-action")

    def _below(self) -> Gtk.Widget:
        """The results and the bar, in one row whose height does not depend on either."""
        row = Gtk.Box(spacing=8, homogeneous=False)
        row.set_size_request(-1, RESULTS_PX)
        row.pack_start(self.history, False, False, 0)
        row.pack_start(self.bar, True, True, 0)
        row.pack_start(self.touch, False, False, 0)
        return row

    def _beside_paint(self) -> None:
        """The quality, and what that comes to, in the row of the buttons."""
        # A row of buttons gives no more than the least width, which is that of an ellipsis.
        self.estimate = Gtk.Label(xalign=0.0, ellipsize=3, width_chars=30)
        self.estimate.get_style_context().add_class("dim-label")
        self.estimate.set_tooltip_text(
            _("About how long painting will take, and how much memory at most")
        )
        box = Gtk.Box(spacing=8)
        box.pack_start(self.settings.quality, False, False, 0)
        box.pack_start(self.estimate, True, True, 0)
        buttons = self._start.get_parent()
        buttons.pack_start(box, True, True, 0)
        buttons.set_child_secondary(box, True)
        # All as wide as "Stop and keep", they would not fit a small screen in every language.
        for each in (box, self._keep):
            buttons.set_child_non_homogeneous(each, True)
        widths = []
        for text in (self._close_texts[True], self._close_texts[False]):
            self._cancel.set_label(text)
            widths.append(self._cancel.get_preferred_width()[1])
        self._cancel.set_size_request(max(widths), -1)  # whichever it says, nothing moves
        box.show_all()

    def show_estimate(self, text: str) -> None:
        """What painting will take; empty while nobody knows."""
        self.estimate.set_text(text)
        width = self.estimate.create_pango_layout(text).get_pixel_size()[0]
        if width > self.estimate.get_allocated_width():
            self.estimate.set_size_request(width, -1)

    def _middle(self) -> Gtk.Widget:
        left = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=4)
        frame = Gtk.Frame(shadow_type=Gtk.ShadowType.IN)
        # What there is to say lies over the picture, and moves nothing.
        over = Gtk.Overlay()
        over.add(self.pane)
        notices = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, valign=Gtk.Align.START)
        for notice in (self.problem, self.question, self.offer):
            notices.pack_start(notice, False, False, 0)
        over.add_overlay(notices)
        over.set_overlay_pass_through(notices, True)
        frame.add(over)
        self._show_focus(frame)
        left.pack_start(self.subject, False, False, 0)
        left.pack_start(frame, True, True, 0)
        left.pack_start(self.view_row, False, False, 0)
        left.pack_start(self._steady, False, False, 0)
        side = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6, margin_end=8)
        side.pack_start(self.styles, True, True, 0)
        side.pack_start(self.presets, False, False, 0)
        side.pack_start(self.hold, False, False, 0)
        side.pack_start(self.settings, False, False, 0)
        scroller = Gtk.ScrolledWindow()
        scroller.set_policy(Gtk.PolicyType.NEVER, Gtk.PolicyType.AUTOMATIC)
        scroller.set_overlay_scrolling(False)
        scroller.set_hexpand(False)  # the picture takes the room that is left
        scroller.set_size_request(SIDE_PX, -1)
        scroller.add(side)
        self._side = side
        middle = Gtk.Box(spacing=8)
        middle.pack_start(left, True, True, 0)
        middle.pack_start(scroller, False, False, 0)
        return middle

    def _show_focus(self, frame: Gtk.Frame) -> None:
        """Has the frame show that the picture, which hides its own edges, has the keyboard."""
        style = frame.get_style_context()
        style.add_class("neural-style-picture")
        for signal, change in (
            ("focus-in-event", style.add_class),
            ("focus-out-event", style.remove_class),
        ):
            self.pane.connect(signal, lambda _p, _e, change=change: change("neural-style-focused"))

    @property
    def is_steady(self) -> bool:
        """Whether each layer shall begin with the painting of the one before."""
        return self._steady.get_active()

    def offer_steady(self, several: bool) -> None:
        """Lets the user choose that, if there are several layers."""
        self._steady.set_visible(several)

    def _looked(self) -> None:
        self.view_row.tell()
        self.actions.looked()

    # --- the choice ----------------------------------------------------------------------------

    def get_choice(self) -> Choice:
        """What is chosen."""
        return Choice(self.settings.get(), self.styles.get(), self.hold.get())

    def set_choice(self, choice: Choice) -> None:
        """Shows another choice."""
        self.settings.set(choice.settings)
        self.styles.set(choice.styles)
        self.hold.set(choice.hold)
        self.presets.compare(choice.settings)

    def set_channels(self, names: Sequence[str]) -> None:
        """The channels that can say where a style goes, and what is held."""
        self.styles.set_channels(names)
        self.hold.set_channels(names)

    def _preset_chosen(self, settings: Any) -> None:
        self.settings.set(settings)
        self.actions.choice_changed()

    # --- the state -----------------------------------------------------------------------------

    def show_state(self, painting: bool, can_start: bool, can_keep: bool) -> None:
        """What can be done now."""
        self._side.set_sensitive(not painting)
        self.settings.quality.set_sensitive(not painting)
        self.history.set_sensitive(not painting)
        self.touch.set_sensitive(not painting)
        self._start.set_sensitive(can_start and not painting)
        self._keep.set_sensitive(can_keep)
        text = self._close_texts[painting]
        if self._cancel.get_label() != text:
            self._cancel.set_label(text)

    def show_progress(self, fraction: float | None, text: str) -> None:
        """How far it is; None for no one knows."""
        self.bar.set_text(text)
        if fraction is None:
            self.bar.pulse()
        else:
            self.bar.set_fraction(fraction)

    def _response(self, dialog: Any, response: int) -> None:
        if response == Gtk.ResponseType.OK:
            self.actions.start()
        elif response == Gtk.ResponseType.APPLY:
            self.actions.keep()
        elif response != Gtk.ResponseType.CLOSE or not self.actions.cancel():
            self.actions.leave(deliberate=True)

    def _escape(self) -> bool:
        if not self.styles.end_search():
            self.actions.leave(deliberate=False)
        return True

    def _focused(self, _dialog: Any, _event: Any) -> bool:
        self.actions.came_back()
        return False
