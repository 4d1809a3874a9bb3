"""The offer to get the pretrained network, in the dialog: from the internet, or from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from gi.repository import GLib

from dialog.guard import Guard
from engine.fetch import Fetch
from engine.installed import Installed
from engine.wording import explained
from language.texts import _
from protocol import DRAFT_NETWORK, EngineError
from widgets.file_dialog import ask_network

CHECK_MS = 200


class Offer:
    """Says that the network is missing, and gets it if wanted: then ``came`` is called."""

    def __init__(
        self,
        window: Any,
        installed: Installed,
        guard: Guard,
        came: Callable[[], None],
        failed: Callable[[EngineError], None],
    ) -> None:
        self._window, self._installed, self._guard = window, installed, guard
        self._came, self._failed = came, failed
        self._fetch: Fetch | None = None
        self._timer = 0

    def show_if_needed(self, ready: dict[str, Any]) -> None:
        """Makes the offer, if the engine (on whatever computer) says that it has no other network
        than the built-in one."""
        if ready.get("features") == DRAFT_NETWORK:
            self._window.offer.say(
                _(
                    "The built-in network is in use. The pretrained one (80 MB) knows more about "
                    "shapes and paints finer pictures."
                )
            )

    def toggle(self) -> None:
        """Starts the download, or stops it."""
        if self._fetch is not None:
            self.cancel()
        else:
            self._start(None, _("Connecting"))

    def take_file(self) -> None:
        """Takes the network from a file of the user's."""
        path = ask_network(self._window.dialog, _("Choose the file of the network VGG19"))
        if path and self._fetch is None:
            self._start(Path(path), _("Taking the file over"))

    def _start(self, file: Path | None, text: str) -> None:
        try:
            self._fetch = Fetch(self._installed, file)
        except EngineError as problem:
            self._failed(problem)
            return
        self._window.fetch_button.set_label(self._window.fetch_texts[file is None])
        self._window.fetch_button.set_sensitive(file is None)
        self._window.file_button.set_sensitive(False)
        self._window.offer.progress(0.0, text)
        self._timer = self._guard.every("download", CHECK_MS, self._check)

    def _check(self) -> bool:
        assert self._fetch is not None
        try:
            finished = self._fetch.finished()
        except EngineError as problem:
            self._end()
            self._window.offer.say(explained(problem))  # the buttons for what comes next are there
            return False
        if finished:
            self._end()
            self._window.offer.hide_it()
            self._came()
            return False
        state = self._fetch.state
        if state.total:
            mb = _("{done} of {total} MB").format(
                done=round(state.done / 1e6), total=round(state.total / 1e6)
            )
            self._window.offer.progress(state.done / state.total, mb)
        return True

    def _end(self) -> None:
        self._fetch, self._timer = None, 0
        self._window.fetch_button.set_label(self._window.fetch_texts[0])
        for button in (self._window.fetch_button, self._window.file_button):
            button.set_sensitive(True)
        self._window.offer.progress(None)

    def close(self) -> None:
        """The same, for good."""
        self.cancel()

    def cancel(self) -> None:
        """Ends the download, if there is one."""
        if self._fetch is not None:
            GLib.source_remove(self._timer)
            self._fetch.cancel()
            self._end()
