"""The frames of a film, one after the other: what the next one is to be steady with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from styleengine.protocol import EngineError, Settings

if TYPE_CHECKING:
    from styleengine.jobs import Frame


class Film:
    """Remembers the last frame that was painted, or that was there already."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._frame: Frame | None = None
        self._there: tuple[Path, Path] | None = None

    def has(self, photo: Path, painting: Path) -> None:
        """A frame is there already, in these files."""
        self._there = photo, painting

    def painted(self, frame: Frame | None) -> None:
        """A frame was painted."""
        self._frame, self._there = frame, None

    def frame(self) -> Frame | None:
        """The one before; None at the beginning, or where its files cannot be read."""
        if self._there is not None:
            from styleengine.pictures.files import load
            from styleengine.planning.plan import WRAPS
            from styleengine.scene.steady import frame_of

            photo, painting = self._there
            try:
                content, painted = load(photo), load(painting)
            except EngineError:  # the next one then begins afresh
                self.painted(None)
            else:
                self.painted(frame_of(content, painted, WRAPS[self._settings.wrap]))
        return self._frame
