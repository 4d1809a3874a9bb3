"""The row that says which styles are shown, and takes in more of them: files and folders."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, Callable

from gi.repository import Gio, Gtk

from language.mnemonics import Mnemonics
from language.texts import N_, _
from widgets.file_dialog import ask
from widgets.folder_menu import FolderMenu
from widgets.style_shelf import ALL, FAVORITES, RECENT

OTHER = "other"
GROUPS = {
    "own": N_("My folders"),
    "shipped": N_("Included"),
    "layers": N_("Open layers"),
    OTHER: N_("Others"),
}


class StyleSources(Gtk.Box):
    """``looked`` is called when the user wants another view; ``choose`` is given the addresses of
    pictures to choose, ``add_folder`` and ``forget_folder`` a folder.
    """

    def __init__(
        self,
        keys: Mnemonics,
        looked: Callable[[], None],
        choose: Callable[[Sequence[str]], None],
        add_folder: Callable[[Path], None],
        forget_folder: Callable[[Path], None],
    ) -> None:
        super().__init__(spacing=4)
        self._choose, self._add_folder = choose, add_folder
        self.folders = FolderMenu(forget_folder)
        self._views = Gtk.ComboBoxText(hexpand=True)
        for view, name in (
            (ALL, _("All styles")),
            (FAVORITES, _("Favourites")),
            (RECENT, _("Used lately")),
        ):
            self._views.append(view, name)
        self.view = ALL
        self._views.connect("changed", lambda _combo: looked())
        self._views.get_accessible().set_name(_("Which styles to show"))
        self.pack_start(self._views, True, True, 0)
        actions = ((_("File…"), self._open_file), (_("Folder…"), self._open_folder))
        for text, action in actions:
            button = Gtk.Button(label=keys.label(text), use_underline=True)
            button.connect("clicked", action)
            self.pack_start(button, False, False, 0)
        self.pack_start(self.folders, False, False, 0)

    @property
    def view(self) -> str:
        """The view that the user wants."""
        return self._views.get_active_id() or ALL

    @view.setter
    def view(self, view: str) -> None:
        self._views.set_active_id(view)

    def offer_views(self, groups: Container[str]) -> None:
        """Lists groups of styles as views, too; one that was there stays."""
        listed = [row[1] for row in self._views.get_model()]
        for group, name in GROUPS.items():
            if group in groups and group not in listed:
                self._views.append(group, _(name))

    def _open_file(self, _button: Any) -> None:
        self.take(ask(self, _("Choose style pictures"), Gtk.FileChooserAction.OPEN))

    def _open_folder(self, _button: Any) -> None:
        action = Gtk.FileChooserAction.SELECT_FOLDER
        self.take(ask(self, _("Choose a folder of style pictures"), action))

    def dropped(self, _widget: Any, _context: Any, _x: int, _y: int, data: Any, *_: Any) -> None:
        """Files were let go of."""
        self.take(data.get_uris())

    def take(self, uris: Sequence[str]) -> None:
        """Chooses the pictures among files, and takes in folders."""
        files = [Gio.File.new_for_uri(uri) for uri in uris]
        folders = [f for f in files if f.query_file_type(0, None) == Gio.FileType.DIRECTORY]
        for folder in folders:
            if folder.get_path():
                self._add_folder(Path(folder.get_path()))
        # What a desktop has mounted (from a server, too) has a path of its own.
        others = [(f.get_path(), f.get_uri()) for f in files if f not in folders]
        pictures = [Path(path).as_uri() if path else uri for path, uri in others]
        if pictures:
            self._choose(pictures)
