"""What the user looks at closely is painted as the finished painting will have it, in its place."""

from __future__ import annotations

from typing import Any, Callable

from choice.choice import Choice
from dialog.previews import Previews
from dialog.subject import Subject
from engine.events import PictureSoFar
from engine.request import Part, Request, SpotPixels
from engine.session import Session
from engine.work import Ready, Spot
from pixels.canvas import MemoryCanvas
from pixels.layers import closing, on_paper
from pixels.style_pictures import load_hold, load_styles
from protocol import OVERVIEW_PX, PREVIEW_PX, SPOT, PictureSpec
from view.parts import covers, parts_of, spot_in
from view.viewport import Area
from widgets.composing import Patch
from widgets.cutout import pixbuf

WORTH_IT = 1.2
"""How much larger than in the quick preview a picture has to be seen for anything to be gained."""
MOST = 12
"""Spots kept; the oldest go."""


class Spots:
    """Asks the session for what is seen of a choice whose quick preview is finished, and keeps
    what came of that until the choice is another one."""

    def __init__(self, session: Session, subject: Subject, previews: Previews, pane: Any) -> None:
        self._session, self._subject = session, subject
        self._previews, self._pane = previews, pane
        self._of: tuple[Choice | None, str] = (None, "")
        self._done: list[tuple[Patch, float]] = []  # and the scale that it was painted for
        self._asked: tuple[Area, float] | None = None
        self._ready: tuple[Choice | None, str] = (None, "")  # what the engine has been readied for

    def renew(self, choice: Choice) -> None:
        """Shows what there is of ``choice``, and has painted what is seen, if that gains anything.
        To be called when the view has changed, or the preview is finished."""
        series = self._previews.finished_series_of(choice)
        if self._of != (choice, series):
            self._of, self._done, self._asked = (choice, series), [], None
        if (
            not series
            or self._session.is_painting
            or not self._is_due(choice, self._pane.view.scale)
        ):
            self._session.look_away()
            if not self._pane.is_read:
                self._pane.show_patches([])  # from afar they would stand out
            return
        self._pane.show_patches([patch for patch, _ in self._done])
        view = self._pane.view
        area, size = spot_in(view.seen, view.scale)
        scale = min(1.0, view.scale)
        known = (each for each, its in self._done if its >= scale * 0.99)
        if any(covers(patch.area, area) for patch in known):
            self._session.look_away()
        elif self._asked is None or self._asked != (area, scale):
            self._asked = area, scale
            self._session.look(self._spot(choice, series, area, size, scale))

    def readiness(self) -> Ready | None:
        """What makes the engine ready for the first spot, once for each finished preview; None if
        there will be none."""
        choice, series = self._of
        if choice is None or not series or self._ready == self._of or not self._is_due(choice, 1.0):
            return None
        self._ready = self._of
        if self._previews.finished_series_of(choice) != series:
            return None
        across, down = self._pane.view.size
        area, canvas = (across // 2, down // 2, 1, 1), MemoryCanvas()
        request = self._request(choice, series, area, (1, 1), True)
        return Ready(request, canvas, lambda picture: None, lambda info: None, lambda problem: None)

    def _is_due(self, choice: Choice, scale: float) -> bool:
        """Whether the quick preview shows less than can be seen at ``scale``."""
        if choice.settings.preset == "classic" or self._pane.is_read:
            return False
        if SPOT not in (self._session.ready.get("accepts") or ()):
            return False
        return min(1.0, scale) * max(self._pane.view.size) > WORTH_IT * PREVIEW_PX

    def _request(
        self, choice: Choice, series: str, area: Area, size: tuple[int, int], ready: bool = False
    ) -> Callable[[], Request]:
        image, view = self._subject.image, self._subject.view
        whole = view.rect.width, view.rect.height

        def request() -> Request:
            styles = load_styles(choice.styles, image, view.shown, view.rect, True)
            hold = load_hold(choice.hold, image, view.shown, view.rect, True)
            parts = [
                Part(part[0], part[1], PictureSpec(part[2], part[3]), view.part(part))
                for part in parts_of(whole, area)
            ]
            spec, strips = view.small(OVERVIEW_PX)
            spot = SpotPixels(area, whole, size, parts, ready)
            settings = closing(choice.settings, view.shown, view.rect)
            dpi = on_paper(image, view.rect, spec)
            given = settings, spec, strips, styles, max(size), series, hold, dpi
            return Request(*given, spot=spot)

        return request

    def _spot(
        self, choice: Choice, series: str, area: Area, size: tuple[int, int], scale: float
    ) -> Spot:
        canvas, request = MemoryCanvas(), self._request(choice, series, area, size)

        def so_far(picture: PictureSoFar) -> None:
            patch = self._patch(area, picture.data, picture.width, picture.height)
            self._pane.show_patches([*(each for each, _ in self._done), patch])

        def done(_info: dict[str, Any]) -> None:
            self._asked = None
            if self._of == (choice, series):
                patch = self._patch(area, *canvas.picture())
                self._done = [*self._done, (patch, scale)][-MOST:]
                self.renew(choice)

        def given_up(_problem: object) -> None:
            if self._asked == (area, scale):
                self._asked = None

        return Spot(request, canvas, so_far, done, given_up)

    def _patch(self, area: Area, data: bytes, width: int, height: int) -> Patch:
        picture, shape = pixbuf(data, width, height), self._subject.shape
        if shape is not None:
            across, down = self._pane.view.size
            part = area[0] / across, area[1] / down, area[2] / across, area[3] / down
            picture = shape.cut_part(picture, part)
        return Patch(area, picture)
