"""The page that sets the engine up, repairs, updates and removes it, in a window of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gi.repository import GimpUi, Gtk

from dialog.guard import Guard
from dialog.stopwatch import Stopwatch
from engine.wording import duration, explained
from language.mnemonics import Mnemonics
from language.texts import N_, _
from setup import flow, torch_build
from setup.in_thread import InThread
from setup.package import Package
from setup.state import DEAD, MISSING, OTHER, READY, State, is_ours_to_set_up, look, package_of
from setup.system import System, refusal
from setup.talk import Step, Talk
from setup.wish import Wish
from widgets.notice import on_escape
from widgets.setup_view import SetupView

LOOK_MS = 100
SET_UP, REMOVE = 1, 2
ABOUT = {
    MISSING: N_(
        "Neural Style Transfer paints with an engine of its own, which is put into your home "
        "folder once and used by every GIMP of yours. GIMP stays usable meanwhile."
    ),
    DEAD: N_("Repairing makes a new engine; your settings, presets and the network stay."),
    OTHER: N_("Updating makes a new engine; your settings, presets and the network stay."),
    READY: "",
}


def ready(plugin: Path) -> bool:
    """Whether there is an engine to paint with; if not, shows the page that sees to it first.

    True, too, where the set-up cannot help: then starting the engine says what is wrong.
    """
    if not is_ours_to_set_up(plugin, os.environ):
        return True
    state = look(plugin, os.environ, System.current())
    return state.kind == READY or SetupPage(plugin, leaves=True).run()


def repaired(plugin: Path, problem: str) -> bool:
    """Shows the page because the engine does not start; whether there is a new one now."""
    if not is_ours_to_set_up(plugin, os.environ):
        return False
    return SetupPage(plugin, leaves=True, problem=problem).run()


class SetupPage:
    """The window from its opening to its end. ``leaves``: it closes when the engine is ready."""

    def __init__(self, plugin: Path, leaves: bool, problem: str = "") -> None:
        self._plugin, self._leaves = plugin, leaves
        self._system = System.current()
        self._package: Package | None = package_of(plugin)
        self._card = torch_build.find_card(self._system)
        self._is_ready = False
        self._work: InThread | None = None
        self._then: Callable[[], None] = lambda: None
        self._timer = 0
        self._closing = False
        self._guard = Guard(Stopwatch(), lambda problem: self._look(explained(problem)))
        GimpUi.init("neural-style")
        self.dialog = GimpUi.Dialog(title=_("Neural Style Transfer"), role="neural-style-setup")
        self.dialog.set_default_size(640, -1)
        self.view = SetupView()
        self._buttons()
        self.dialog.get_content_area().pack_start(self.view, True, True, 0)
        self.view.plan.on_build(self._show_space)
        self.dialog.connect("response", self._response)
        self.dialog.connect("delete-event", lambda *_event: True)  # `_end` says when it goes
        on_escape(self.dialog, self._cancel)
        self.dialog.get_content_area().show_all()
        self._look(problem)

    def _buttons(self) -> None:
        keys = Mnemonics()
        texts = keys.one_of(_("Set up"), _("Repair"), _("Update"))
        self._start_texts = {MISSING: texts[0], DEAD: texts[1], OTHER: texts[2], READY: texts[1]}
        close, cancel = keys.one_of(_("Close"), _("Cancel"))
        self._close_texts = {False: close, True: cancel}
        self._remove = self.dialog.add_button(keys.label(_("Remove…")), REMOVE)
        self._close = self.dialog.add_button(close, Gtk.ResponseType.CLOSE)
        self._start = self.dialog.add_button(texts[0], SET_UP)
        self._start.get_style_context().add_class("suggested-action")
        self.dialog.set_default_response(SET_UP)

    def run(self) -> bool:
        """Shows it until it is closed; whether the engine is ready."""
        self.dialog.show()
        Gtk.main()
        return self._is_ready

    # --- what there is -------------------------------------------------------------------------

    def _look(self, problem: str = "") -> None:
        """Shows the state as it is now."""
        self._state: State = look(self._plugin, os.environ, self._system)
        state = self._state
        refused = refusal(self._system)
        if not problem and refused:
            problem = explained(refused)
        self.view.say(state.text, _(ABOUT[state.kind]))
        self.view.show_problem(problem)
        plan = self.view.plan
        plan.where.set_text(str(state.home))
        plan.card.set_text(self._card.name or torch_build.BRANDS.get(self._card.maker, _("none")))
        package = self._package
        needs_network = not state.has_weights and not (package and package.weights)
        plan.offer([(name, self._build_text(name)) for name in self._builds()], needs_network)
        self._show_space()
        self._show(running=False)
        self._start.set_sensitive(refused is None and package is not None)
        self._start.set_label(self._start_texts[state.kind])
        self._start.grab_focus()

    def _builds(self) -> list[str]:
        return torch_build.choices(self._system)

    def _build_text(self, name: str) -> str:
        label = _(torch_build.LABELS[name])
        if name != "auto":
            return label
        return f"{label}: {torch_build.in_words(name, self._card, self._system)}"

    def _show_space(self) -> None:
        size = torch_build.size_of(self.view.plan.backend, self._card, self._system)
        free = shutil.disk_usage(flow.existing(self._state.home)).free
        text = _("{needs} GB are needed while it is set up, {free} GB are free")
        self.view.plan.space.set_text(
            text.format(needs=size.needs // torch_build.GB, free=f"{free / torch_build.GB:.1f}")
        )

    def _show(self, running: bool, ended: bool = False) -> None:
        """Either the plan with its buttons, or the course of what runs."""
        self.view.plan.set_visible(not running and not ended)
        self.view.course.set_visible(running or bool(self._work and self._work.said))
        self.view.course.bar.set_visible(running)
        self._start.set_visible(not running and not ended)
        self._remove.set_visible(not running and not ended and self._state.exists)
        self._close.set_label(self._close_texts[running])
        self._close.set_sensitive(True)

    # --- what the user does --------------------------------------------------------------------

    def _response(self, _dialog: Any, response: int) -> None:
        if response == SET_UP:
            self._set_up()
        elif response == REMOVE:
            self._ask_to_remove()
        elif not self._cancel():
            self._end()
        elif response == Gtk.ResponseType.DELETE_EVENT:
            self._closing = True

    def _set_up(self) -> None:
        plan, state = self.view.plan, self._state
        wish = Wish(
            state.home,
            plan.backend,
            folder=self._plugin,
            fetch_weights=plan.wants_network,
            again=state.kind == READY,
        )
        package, system = self._package, self._system
        assert package is not None
        heading = _("The painting engine is being set up.")
        self._begin(heading, lambda talk: flow.set_up(package, wish, talk, system), self._is_set_up)

    def _ask_to_remove(self) -> None:
        question = Gtk.MessageDialog(
            transient_for=self.dialog,
            modal=True,
            message_type=Gtk.MessageType.QUESTION,
            text=_("Remove Neural Style Transfer?"),
            secondary_text=_(
                "The engine, this filter, and its settings, presets and lists of styles go. Your "
                "pictures stay as they are."
            ),
        )
        keep = Gtk.CheckButton(label=_("Keep the pretrained network (80 MB)"), active=False)
        keep.set_visible(self._state.has_weights)
        question.get_message_area().add(keep)
        question.add_button(_("_Cancel"), Gtk.ResponseType.CANCEL)
        question.add_button(_("_Remove"), Gtk.ResponseType.OK)
        accepted = question.run() == Gtk.ResponseType.OK
        keeps = keep.get_active()
        question.destroy()
        if accepted:
            home = self._state.home
            heading = _("Neural Style Transfer is being removed.")
            work = lambda talk: flow.remove(home, talk, keep_weights=keeps)  # noqa: E731
            self._begin(heading, work, self._is_removed)

    def _begin(self, heading: str, work: Callable[[Talk], Any], then: Callable[[], None]) -> None:
        self.view.say(
            heading, _("GIMP stays usable meanwhile. What is there is kept if you cancel.")
        )
        self.view.show_problem("")
        self._work, self._then = InThread(work), then
        self.view.course.show_step(0.0, _("Beginning"))
        self._show(running=True)
        self._timer = self._timer or self._guard.every("set-up", LOOK_MS, self._watch)

    def _cancel(self) -> bool:
        """Asks what runs to end; False if nothing runs."""
        if not self._timer or self._work is None:
            return False
        self._work.stop()
        self._close.set_sensitive(False)
        return True

    # --- what comes of it ----------------------------------------------------------------------

    def _watch(self) -> bool:
        work = self._work
        assert work is not None
        ended = work.look()
        self.view.course.show_lines(work.said)
        if work.reached and not work.stopped():
            self.view.course.show_step(work.reached.fraction, in_words(work.reached))
        elif work.stopped():
            self.view.course.show_step(self.view.course.bar.get_fraction(), _("Stopping …"))
        if not ended:
            return True
        self._timer = 0
        if self._closing:
            self._end()
        elif work.problem:
            self._look(explained(work.problem))
        elif work.was_stopped:
            self._look()
            self.view.say(self._state.text, _("Stopped. What is there is kept: it goes on later."))
        else:
            self._then()
        return False

    def _is_set_up(self) -> None:
        self._is_ready = True
        if self._leaves:
            self._end()
            return
        self._look()

    def _is_removed(self) -> None:
        self._is_ready = False
        self.view.say(
            _("Neural Style Transfer is removed."),
            _("Its menu entries go when GIMP is started again."),
        )
        self._show(running=False, ended=True)

    def _end(self) -> None:
        self.dialog.destroy()
        Gtk.main_quit()


def in_words(step: Step) -> str:
    """Stage, megabytes and the time that is left."""
    text = step.stage
    if step.total:
        text = _("{stage}: {done} of {total} MB").format(
            stage=step.stage, done=round(step.done / 1e6), total=round(step.total / 1e6)
        )
    if step.seconds_left is None:
        return text
    return text + ", " + _("{time} left").format(time=duration(step.seconds_left))
