"""Brings together the window, the session with the engine, and GIMP."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gi.repository import Gimp, GimpUi, GLib, Gtk

from choice.choice import Choice, choice_from
from choice.kept import Presets, Switch
from choice.note import Note
from dialog.catalog import Catalog
from dialog.delivery import Delivery
from dialog.dropped import Dropped
from dialog.guard import Guard
from dialog.leaving import question
from dialog.offer import Offer
from dialog.previews import Previews
from dialog.recall import recall, tell_what_was_put_aside
from dialog.report import compose
from dialog.results import Results
from dialog.sample_store import SampleStore
from dialog.samples import Samples
from dialog.series import Order, Series
from dialog.spots import Spots
from dialog.status import in_words
from dialog.stopwatch import Stopwatch
from dialog.subject import Subject, layers_in_words
from dialog.window import Window
from disk.private import read_json, write_json
from engine import installed
from engine.client import EngineClient
from engine.lives import Parent
from engine.phase import Phase
from engine.session import Session
from engine.wording import explained
from language.texts import _, shown
from protocol import EngineError
from widgets.notice import confirmed, copy_text

TICK_MS = 15
CHECK_MS = 500
MOST_REPORT = 100_000  # characters
SET_UP_HELPS = ("engine-missing", "engine-died", "protocol", "protocol-version")
"""Problems of an engine that has not started which a new one may not have."""


class Studio:
    """The dialog from its opening to its end. Raises `EngineError` if there is nothing to paint."""

    def __init__(
        self,
        image: Gimp.Image,
        layers: Sequence[Gimp.Item],
        plugin_dir: Path,
        client: EngineClient,
        note: Note | None,
    ) -> None:
        self.image = image
        self.used: Choice | None = None
        self.steady = True
        self.wants_set_up = ""
        """The problem for which the user wants the engine repaired."""
        self._installed = client.installed
        data = installed.data_dir(self._installed.environment)
        self._memory = installed.data_dir(os.environ) / "gimp-settings.json"
        self._watch = Stopwatch()
        self._guard = Guard(self._watch, self._show_problem)
        self._sources: list[int] = []
        self._subject = Subject(
            image, layers, self._guard, self._layer_seen, self._layer_seen_sharper
        )
        self._subject.start()  # works while the window is made
        self._problem, self._offered, self._gimp = "", False, Parent()
        self._ready_to_look = False
        GimpUi.init("neural-style")
        presets = Presets(plugin_dir / "presets.json", data / "presets.json")
        self.catalog = Catalog(image, self._guard, self._subject)
        self.window = Window(self, presets)
        start = lambda: EngineClient(self._installed)  # noqa: E731
        self.session = Session(start, self, client=client)
        self.results = Results(image, self.window, self._subject, self._guard)
        self._delivery = Delivery(image, self.window, self._guard, self.results)
        pane = self.window.pane
        self.previews = Previews(self.session, self._subject, pane, self.looked)
        self.spots = Spots(self.session, self._subject, self.previews, pane)
        self.series = Series(self.session, self._subject, self._delivery, self.window, self)
        self._offer = Offer(
            self.window, self._installed, self._guard, self._network_came, self._show_problem
        )
        Dropped(self.window, self.catalog, self.choice_changed)
        self.catalog.fill(self.window.styles)
        self._samples = Samples(
            self._subject, self.window.styles, Switch(data / "samples.json"),
            SampleStore(data / "samples"),
            lambda: self.window.settings.get().device, self.session.drop_sample,
            self.window.dialog,
        )  # fmt: skip
        self.session.idle = lambda: self.spots.readiness() or self._samples.next()
        choice = note.choice if note else choice_from(read_json(self._memory))
        self.window.set_channels(self.catalog.channels())
        if note:
            recall(note, self.window, self.catalog, self.choice_changed)
        else:
            self.window.set_choice(self.catalog.present(choice))
        self.window.subject.offer(self._subject.are_paintings)
        self._show_subject()
        self.results.restore()
        tell_what_was_put_aside(self.window)
        self._ready_to_look = True

    @property
    def inserted(self) -> Gimp.Layer | None:
        """The last layer that came of it."""
        return self._delivery.inserted

    def run(self) -> None:
        """Shows the dialog until it is closed."""
        self._guard.watch_handlers()
        self._sources.append(self._guard.every("tick", TICK_MS, self.session.tick))
        self._sources.append(self._guard.every("check", CHECK_MS, self._check))
        self.session.warm_up()
        GimpUi.window_set_transient(self.window.dialog)
        self.window.dialog.show()
        Gtk.main()

    def _layer_seen_sharper(self) -> None:
        self._subject.show_original(self.window.pane)
        self.results.original_seen()

    def _layer_seen(self) -> None:
        self._layer_seen_sharper()
        self._preview()
        self._samples.show_kept()

    def _check(self) -> None:
        if self._gimp.is_gone:  # no call of it would return, and no exit handler may call it
            self.session.abandon()
            os._exit(1)
        if not self.image.is_valid():
            self.close()

    # --- what the user does --------------------------------------------------------------------

    def choice_changed(self) -> None:
        """Another style or setting: seen in a moment."""
        self.window.presets.compare(self.window.settings.get())
        self.series.outcome = ""
        self._show_state()
        self._preview()

    def _preview(self) -> None:
        self.results.preview_seen()
        self.previews.renew(self.window.get_choice())

    def paint_instead(self, paintings: bool) -> None:
        """The paintings themselves are painted, or what they were made from."""
        self._subject.paint_instead(paintings)
        self.catalog.fill(self.window.styles)
        self._show_subject()
        self.results.restore()

    def _show_subject(self) -> None:
        self.window.subject.say(layers_in_words(self._subject.layers))
        self.window.offer_steady(len(self._subject.layers) > 1)

    def looked(self) -> None:
        """Another part of the picture, or a finished preview of it: soon seen as it will be."""
        if self._ready_to_look:
            self.spots.renew(self.window.get_choice())

    def start(self) -> None:
        """Paints the layers."""
        choice = self.window.get_choice()
        self.window.view_row.unpin()
        self.window.problem.hide_it()
        try:
            self._subject.check()
            if not choice.styles:
                raise EngineError("no-style", _("Choose a style first."))
        except EngineError as problem:
            self._show_problem(problem)
            return
        self.used = choice
        write_json(self._memory, choice.to_dict())
        self.catalog.used(choice.styles, self.window.styles)
        layers = tuple(self._subject.layers)
        self.steady = self.window.is_steady
        steady = len(layers) > 1 and self.steady
        # The painting goes on from its preview, and so becomes what that has shown.
        name = self.previews.series_of(choice) or (f"series {time.time()}" if steady else "")
        self.series.begin(Order(choice, layers, name, time.monotonic()), steady)

    def keep(self) -> None:
        """Stops with the picture so far."""
        self.session.keep()

    def cancel(self) -> bool:
        """Stops with nothing."""
        if not self.session.is_painting:
            return False
        self.session.cancel()
        return True

    def leave(self, deliberate: bool) -> None:
        """Closes, if the user wants what that means. A key first cancels the painting."""
        if not deliberate and self.cancel():
            return
        loose, painting = self.results.are_loose, self.session.is_painting
        asked = question(painting, bool(self.results), loose, deliberate)
        stay = _("_Keep painting") if painting else ""
        if not asked or confirmed(self.window.dialog, asked, _("C_lose"), stay):
            self.close()

    def close(self) -> None:
        """Ends everything."""
        sources, self._sources = self._sources, []
        for source in sources:
            GLib.source_remove(source)
        self.window.dialog.hide()
        write_json(self._memory, self.window.get_choice().to_dict())
        parts = self._offer, self.catalog, self.session, self._delivery, self.results, self._subject
        for part in parts:
            try:
                part.close()
            except Exception as error:  # the others are closed all the same
                self._guard.tell(error)
        log = installed.log_file(os.environ)
        installed.write_log(log, f"longest callbacks: {self._watch}")
        self.window.dialog.destroy()
        Gtk.main_quit()

    def came_back(self) -> None:
        """The user may have changed the layer meanwhile."""
        if not self.session.is_painting and self.image.is_valid():
            self._subject.look_again()
            self._show_subject()
            self.results.look_again()
            self.window.set_channels(self.catalog.channels())

    def fetch(self, from_file: bool) -> None:
        """The pretrained network."""
        (self._offer.take_file if from_file else self._offer.toggle)()

    def _network_came(self) -> None:
        def renew() -> None:
            self.session.restart()
            self._preview()

        self.series.afterwards(renew)  # a painting is not ended for it

    def add_folder(self, folder: Path) -> None:
        """Styles of the user's own."""
        self.catalog.add_folder(folder, self.window.styles)

    def forget_folder(self, folder: Path) -> None:
        """The folder is listed no more."""
        self.catalog.forget_folder(folder, self.window.styles)

    # --- what the session tells ----------------------------------------------------------------

    def session_changed(self) -> None:
        """The phase or the progress is another one."""
        self._show_state()

    def series_dropped(self) -> None:
        """What was seen before is to be seen again."""
        self.previews.show_again(self.window.get_choice())

    def session_failed(self, problem: EngineError) -> None:
        """Said in the dialog; the choice stays as it is."""
        self._show_problem(problem)

    # --- what is shown -------------------------------------------------------------------------

    def _show_problem(self, problem: EngineError) -> None:
        self._problem = str(problem)  # in English, for whoever reads the report
        self.window.set_up_button.set_visible(
            problem.code in SET_UP_HELPS and not self.session.ready
        )
        self.window.problem.say(explained(problem))

    def _show_state(self) -> None:
        choice = self.window.get_choice()
        progress, styles = self.session.progress, bool(choice.styles)
        can_keep = self.session.phase is Phase.PAINTING and progress is not None
        self.window.show_state(self.session.is_painting, styles, can_keep)
        self.window.show_progress(
            *in_words(self.session, styles, choice.settings.device, self.series.outcome)
        )
        self.window.show_estimate(self.previews.estimate)
        if self.session.ready and not self._offered:
            self._offered = True
            self._offer.show_if_needed(self.session.ready)
            capabilities = self.session.ready.get("capabilities")
            self.window.settings.offer(capabilities if isinstance(capabilities, dict) else {})

    def set_up(self) -> None:
        """The page that repairs the engine takes over."""
        self.wants_set_up = self._problem
        self.close()

    def copy_report(self) -> None:
        """What somebody who helps needs to know, into the clipboard."""
        versions = {"GIMP": Gimp.version(), "Image": str(self._subject.view.rect)}
        settings = self.window.get_choice().settings.to_dict()
        log = self._installed.log
        text = compose(self._problem, versions, self.session.ready, settings, log, os.environ)
        copy_text(self.window.dialog, shown(text, MOST_REPORT))

    def history(self, action: str, entry: Any) -> None:
        """Does something with an earlier result."""
        if action == "use":
            note = entry.note(self.catalog.chosen.find)
            recall(note, self.window, self.catalog, self.choice_changed)
            self.choice_changed()
        elif action == "insert":
            self._delivery.insert_again(entry)
        else:
            self.results.act(action, entry)

    def touch(self) -> None:
        """The last touch to the finished layer."""
        self.results.touch()
