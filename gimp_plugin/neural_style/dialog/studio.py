"""Brings together the window, the session with the engine, and GIMP."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gi.repository import Gimp, GimpUi, GLib, Gtk

from choice.choice import Choice, choice_from, quick
from choice.kept import Presets, read_json, write_json
from dialog.catalog import Catalog
from dialog.delivery import SHOWN_PX, Delivery, Order
from dialog.offer import Offer
from dialog.report import compose
from dialog.status import in_words
from dialog.stopwatch import Stopwatch
from dialog.subject import Subject
from dialog.subject import in_words as in_words_of
from dialog.window import Window
from engine import installed
from engine.client import EngineClient, Preview
from engine.request import Request
from engine.session import Phase, Session, Work
from engine.wording import explained, notes_of
from language.texts import _
from pixels.canvas import HiddenCanvas, MemoryCanvas
from pixels.layers import locate
from pixels.style_pictures import load_styles
from protocol import PREVIEW_PX, EngineError
from widgets.cutout import pixbuf
from widgets.notice import copy_text

TICK_MS = 15
CHECK_MS = 500


class Studio:
    """The dialog from its opening to its end. Raises `EngineError` if there is nothing to paint."""

    def __init__(
        self,
        image: Gimp.Image,
        layers: Sequence[Gimp.Item],
        plugin_dir: Path,
        client: EngineClient,
        choice: Choice | None,
    ) -> None:
        self.image = image
        self.used: Choice | None = None
        self._previewed: tuple[Choice | None, str] = (None, "")
        """What the last finished preview was of, and its series."""
        self._installed = client.installed
        data = installed.data_dir(self._installed.environment)
        self._memory = installed.data_dir(os.environ) / "gimp-settings.json"
        self._watch = Stopwatch()
        self._timers: list[int] = []
        self._subject = Subject(image, layers, self._watch, self._layer_seen)
        self._subject.start()  # works while the window is made
        self._problem, self._offered = "", False
        GimpUi.init("neural-style")
        presets = Presets(plugin_dir / "presets.json", data / "presets.json")
        self.catalog = Catalog(image)
        self.window = Window(self, presets)
        start = lambda: EngineClient(self._installed)  # noqa: E731
        self.session = Session(start, self, client=client)
        self._delivery = Delivery(image, self.window, self._watch)
        self._offer = Offer(self.window, self._installed, self._network_came, self._show_problem)
        self.catalog.fill(self.window.styles)
        choice = choice or choice_from(read_json(self._memory))
        self.window.set_choice(self.catalog.present(choice))
        self.window.caption.set_text(in_words_of(layers))
        self.window.offer_steady(len(layers) > 1)

    @property
    def inserted(self) -> Gimp.Layer | None:
        """The last layer that came of it."""
        return self._delivery.inserted

    def run(self) -> None:
        """Shows the dialog until it is closed."""
        self._every("tick", TICK_MS, self.session.tick)
        self._every("check", CHECK_MS, self._check)
        self.session.warm_up()
        GimpUi.window_set_transient(self.window.dialog)
        self.window.dialog.show()
        self._offer.show_if_needed()
        Gtk.main()

    def _every(self, name: str, milliseconds: int, function: Any) -> None:
        timed = self._watch.timed(name, function)
        self._timers.append(GLib.timeout_add(milliseconds, lambda: timed() is not False))

    def _layer_seen(self) -> None:
        spec, data = self._subject.small
        view = self._subject.view
        size = view.rect.width, view.rect.height
        self.window.pane.show_original(pixbuf(data, spec.width, spec.height), size, view.spot)
        self._preview()

    def _check(self) -> None:
        if not self.image.is_valid():
            self.close()

    # --- what the user does --------------------------------------------------------------------

    def choice_changed(self) -> None:
        """Another style or setting: seen in a moment."""
        self.window.presets.compare(self.window.settings.get())
        self._show_state()
        self._preview()

    def _preview(self) -> None:
        choice = self.window.get_choice()
        if not choice.styles or self._subject.small is None or self.session.is_painting:
            return
        spec, data = self._subject.small
        view = self._subject.view
        canvas, series = MemoryCanvas(), f"preview {time.time()}"

        def request() -> Request:
            styles = load_styles(choice.styles, self.image, view.shown, view.rect, True)
            strips = [(0, spec.height, data)]
            return Request(quick(choice.settings), spec, strips, styles, PREVIEW_PX, series)

        self.session.preview(Work(request, canvas, True, (choice, series)))

    def start(self) -> None:
        """Paints the layers."""
        choice = self.window.get_choice()
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
        # The painting goes on from its preview, and so becomes what that has shown.
        steady = len(layers) > 1 and self.window.is_steady
        previewed, series = self._previewed
        if previewed != choice:
            series = f"series {time.time()}" if steady else ""
        self._begin(choice, layers, series, steady)

    def _begin(
        self, choice: Choice, layers: tuple[Gimp.Layer, ...], series: str, steady: bool
    ) -> None:
        try:
            source = locate(self.image, layers[:1])
        except EngineError as problem:
            self._show_problem(problem)
            return
        reader, canvas = source.reader(), HiddenCanvas(source.seen)
        self.window.caption.set_text(in_words_of(self._subject.layers, len(layers)))

        def request() -> Request:
            styles = load_styles(choice.styles, self.image, source.layer, source.seen, False)
            strips = reader.strips()
            return Request(choice.settings, reader.spec, strips, styles, SHOWN_PX, series)

        order = Order(source, choice, layers[1:], series if steady else "")
        selection = source.selection.copy() if source.selection else iter(())
        self.session.paint(Work(request, canvas, False, order, selection))

    def keep(self) -> None:
        """Stops with the picture so far."""
        self.session.keep()

    def cancel(self) -> bool:
        """Stops with nothing."""
        if not self.session.is_painting:
            return False
        self.session.cancel()
        return True

    def close(self) -> None:
        """Ends everything."""
        for timer in self._timers:
            GLib.source_remove(timer)
        self._timers.clear()
        self.window.dialog.hide()
        write_json(self._memory, self.window.get_choice().to_dict())
        self._offer.cancel()
        self.catalog.close()
        self.session.close()
        self._delivery.close()
        self._subject.close()
        log = installed.log_file(os.environ)
        installed.write_log(log, f"longest callbacks: {self._watch}")
        self.window.dialog.destroy()
        Gtk.main_quit()

    def came_back(self) -> None:
        """The user may have changed the layer meanwhile."""
        if not self.session.is_painting and self.image.is_valid():
            self._subject.look_again()
            self.window.styles.set_channels(self.catalog.channels())

    def fetch(self) -> None:
        """The pretrained network."""
        self._offer.toggle()

    def _network_came(self) -> None:
        self.session.restart()
        self._preview()

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

    def session_preview(self, work: Work, preview: Preview) -> None:
        """The picture so far."""
        self._show_so_far(work, preview.data, preview.width, preview.height)

    def _show_so_far(self, work: Work, data: bytes, width: int, height: int) -> None:
        picture, shape = pixbuf(data, width, height), self._subject.shape
        if shape is None or not (work.quick or work.note.source.layer == self._subject.view.shown):
            self.window.pane.show_painted(picture)
        else:  # the selection's shape, as the layer will have it
            self.window.pane.show_painted(shape.cut(picture), over=True)

    def session_done(self, work: Work, info: dict[str, Any]) -> None:
        """A picture is finished: shown, and if it was real work, inserted."""
        if work.quick:
            self._previewed = work.note
            self._show_so_far(work, *work.canvas.picture())
            return
        notes = notes_of(info)
        self.window.caption.set_text(" ".join(notes))
        self.window.caption.set_tooltip_text("\n".join(notes) or None)
        order = work.note
        rest = tuple(layer for layer in order.rest if layer.is_valid())

        def then() -> None:
            if rest:
                self._begin(order.choice, rest, order.series, bool(order.series))
            elif not notes:
                self.window.caption.set_text(in_words_of(self._subject.layers))

        self._delivery.deliver(order, work.canvas, then)

    def session_dropped(self, work: Work) -> None:
        """The work has ended with nothing."""
        if not work.quick:
            work.canvas.discard()
            work.note.source.close()
            self.window.pane.show_painted(None)

    def session_failed(self, work: Work | None, problem: EngineError) -> None:
        """Said in the dialog; the choice stays as it is."""
        if work is not None and not work.quick:
            work.canvas.discard()
            work.note.source.close()
        self._show_problem(problem)

    # --- what is shown -------------------------------------------------------------------------

    def _show_problem(self, problem: EngineError) -> None:
        self._problem = str(problem)  # in English, for whoever reads the report
        self.window.problem.say(explained(problem))

    def _show_state(self) -> None:
        choice = self.window.get_choice()
        progress, styles = self.session.progress, bool(choice.styles)
        can_keep = self.session.phase is Phase.PAINTING and progress is not None
        self.window.show_state(self.session.is_painting, styles, can_keep)
        self.window.show_progress(*in_words(self.session, styles, choice.settings.device))
        if self.session.ready and not self._offered:
            self._offered = True
            self.window.settings.offer(self.session.ready.get("capabilities", {}))

    def copy_report(self) -> None:
        """What somebody who helps needs to know, into the clipboard."""
        versions = {"GIMP": Gimp.version(), "Image": str(self._subject.view.rect)}
        settings = self.window.get_choice().settings.to_dict()
        log = self._installed.log
        text = compose(self._problem, versions, self.session.ready, settings, log, os.environ)
        copy_text(self.window.dialog, text)

    def history(self, action: str, entry: Any) -> None:
        """Does something with an earlier result."""
        if action == "use":
            self.window.set_choice(self.catalog.present(entry.choice))
            self.choice_changed()
        else:
            self._delivery.act(action, entry)
