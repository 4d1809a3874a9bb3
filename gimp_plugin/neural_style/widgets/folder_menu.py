"""The menu that forgets the user's own folders of styles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from gi.repository import Gtk

from language.texts import _, shown


class FolderMenu(Gtk.MenuButton):
    """A button with the user's folders; ``forget`` gets the one that is chosen."""

    def __init__(self, forget: Callable[[Path], None]) -> None:
        super().__init__(no_show_all=True)
        self._forget = forget
        icon = Gtk.Image.new_from_icon_name("list-remove-symbolic", Gtk.IconSize.BUTTON)
        icon.show()
        self.set_image(icon)
        text = _("Remove one of my folders; its files stay where they are")
        self.set_tooltip_text(text)
        self.get_accessible().set_name(text)

    def show_folders(self, folders: Sequence[Path]) -> None:
        """Lists folders; without any there is no button."""
        menu = Gtk.Menu()
        for folder in folders:
            item = Gtk.MenuItem(label=_("Remove {folder}").format(folder=_short(folder)))
            item.connect("activate", lambda _item, chosen=folder: self._forget(chosen))
            menu.append(item)
        menu.show_all()
        self.set_popup(menu)
        self.set_visible(bool(folders))


def _short(folder: Path) -> str:
    try:
        return shown(str(Path("~") / folder.relative_to(Path.home())))
    except ValueError:
        return shown(str(folder))
