"""The quick previews: small paintings of what has just been chosen, shown at once."""

from __future__ import annotations

import time
from typing import Any, Callable

from choice.choice import Choice, quick
from dialog.subject import Subject
from engine.events import PictureSoFar
from engine.request import Request
from engine.session import Session
from engine.wording import estimate_of
from engine.work import QuickPreview
from pixels.canvas import MemoryCanvas
from pixels.layers import closing, on_paper
from pixels.style_pictures import load_hold, load_styles
from protocol import PREVIEW_PX, EngineError


class Previews:
    """Asks the session for a preview of each choice, and remembers which one came last."""

    def __init__(
        self, session: Session, subject: Subject, pane: Any, shown: Callable[[], None]
    ) -> None:
        """``shown`` is called when a finished one is in view."""
        self._session, self._subject, self._pane, self._shown = session, subject, pane, shown
        self.estimate = ""
        """What painting will take, in words; empty while nobody knows."""
        self._last: tuple[Choice | None, str] = (None, "")  # the one begun last, and its series
        self._finished: tuple[Choice | None, tuple[bytes, int, int]] = (None, (b"", 0, 0))

    def renew(self, choice: Choice) -> None:
        """Shows ``choice`` soon, if there is something to show."""
        if not choice.styles or self._subject.small is None or self._session.is_painting:
            return
        spec, data = self._subject.small
        image, view = self._subject.image, self._subject.view
        canvas, series = MemoryCanvas(), f"preview {time.time()}"

        def request() -> Request:
            self._last, self.estimate = (choice, series), ""
            styles = load_styles(choice.styles, image, view.shown, view.rect, True)
            strips = [(0, spec.height, data)]
            hold = load_hold(choice.hold, image, view.shown, view.rect, True)
            settings = closing(choice.settings, view.shown, view.rect)
            painting = settings, view.rect.width, view.rect.height
            dpi = on_paper(image, view.rect, spec)
            given = quick(settings), spec, strips, styles, PREVIEW_PX, series, hold, dpi
            return Request(*given, painting=painting)

        def so_far(picture: PictureSoFar) -> None:
            self._subject.show_painted(self._pane, picture.data, picture.width, picture.height)

        def done(info: dict[str, Any]) -> None:
            if not info.get("stopped"):
                self._finished = choice, canvas.picture()
                self.estimate = estimate_of(info)
            self._subject.show_painted(self._pane, *canvas.picture())
            self._shown()

        def given_up(problem: EngineError | None) -> None:
            if self._last == (choice, series):
                self._last = None, ""
            if problem is not None:  # what is seen is not what is chosen
                self._pane.show_painted(None)

        work = QuickPreview(request, canvas, so_far, done, given_up)
        self._session.preview(work)

    def series_of(self, choice: Choice) -> str:
        """The series that a painting of ``choice`` can go on with, to become what its preview has
        shown, or shows so far; empty if that was not the last one."""
        last, series = self._last
        return series if last == choice else ""

    def finished_series_of(self, choice: Choice) -> str:
        """The same if that preview has been finished; else empty."""
        return self.series_of(choice) if self._finished[0] == choice else ""

    def show_again(self, choice: Choice) -> None:
        """Shows the preview of ``choice`` as it was, or a new one."""
        finished, picture = self._finished
        if finished == choice:
            self._subject.show_painted(self._pane, *picture)
            self._shown()
        else:
            self.renew(choice)
