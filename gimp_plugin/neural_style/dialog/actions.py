"""What the user can do in the window."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol


class Actions(Protocol):
    """What the user can do; the window only says that they have."""

    def choice_changed(self) -> None:
        """Another style or setting."""

    def paint_instead(self, paintings: bool) -> None:
        """Paint the paintings themselves, or what they were made from."""

    def start(self) -> None:
        """Paint."""

    def keep(self) -> None:
        """Stop, and keep the picture so far."""

    def cancel(self) -> bool:
        """Stop, and keep nothing; False if there was nothing to stop."""

    def leave(self, deliberate: bool) -> None:
        """Close; by a key that is easily hit if not ``deliberate``."""

    def came_back(self) -> None:
        """The window is in use again: the layer may have changed meanwhile."""

    def looked(self) -> None:
        """Another part of the picture, or at another size."""

    def set_up(self) -> None:
        """See to the engine."""

    def copy_report(self) -> None:
        """What somebody who helps needs to know."""

    def fetch(self, from_file: bool) -> None:
        """Download the pretrained network, or stop doing so; or take a file that is there."""

    def add_folder(self, folder: Path) -> None:
        """Look for styles in a folder."""

    def forget_folder(self, folder: Path) -> None:
        """Look there no more."""

    def history(self, action: str, entry: Any) -> None:
        """Do something with an earlier result."""

    def touch(self) -> None:
        """Change the opacity or the mode of the finished layer."""
