"""The browser of styles: thumbnails to choose from, and how the chosen ones are blended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Callable

from gi.repository import Gdk, GdkPixbuf, Gio, GLib, Gtk, Pango

from choice.choice import StyleChoice
from choice.styles import title
from language.mnemonics import Mnemonics
from language.texts import MOST_NAME, _, shown
from widgets.file_dialog import ask
from widgets.folder_menu import FolderMenu
from widgets.number import Number
from widgets.thumbnails import THUMB_PX, Thumbnails

MOST_HINT = 300  # characters
URIS = 0  # the drop's own number
KEY, PICTURE, TITLE, HINT, GROUP = range(5)
ALL = "all"


class StyleBrowser(Gtk.Box):
    """Thumbnails in groups. A click chooses, Ctrl and click adds to the blend.

    ``changed`` is called when another style, weight or place is chosen; ``add_folder`` and
    ``forget_folder`` when the user has picked a folder.
    """

    def __init__(
        self,
        keys: Mnemonics,
        changed: Callable[[], None],
        add_folder: Callable[[Path], None],
        forget_folder: Callable[[Path], None],
    ) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=4)
        self._changed, self._add_folder = changed, add_folder
        self._chosen: dict[str, StyleChoice] = {}
        self._known: dict[str, StyleChoice] = {}
        self._channels: list[str] = []
        self._quiet = False
        self._thumbs = Thumbnails()
        self._made_before: dict[str, GdkPixbuf.Pixbuf] = {}
        self.folders = FolderMenu(forget_folder)
        self._store = Gtk.ListStore(str, GdkPixbuf.Pixbuf, str, str, str)
        self._filter = self._store.filter_new()
        self._filter.set_visible_func(self._is_visible)
        self.pack_start(self._head(keys), False, False, 0)
        self.pack_start(self._icons(), True, True, 0)
        self._blend = Gtk.Grid(column_spacing=6, row_spacing=2)
        self.pack_start(self._blend, False, False, 0)
        self.drag_dest_set(Gtk.DestDefaults.ALL, [], Gdk.DragAction.COPY)
        self.drag_dest_add_uri_targets()
        self.connect("drag-data-received", self._dropped)

    # --- the parts -----------------------------------------------------------------------------

    def _head(self, keys: Mnemonics) -> Gtk.Widget:
        row = Gtk.Box(spacing=4)
        self._group = Gtk.ComboBoxText(hexpand=True)
        self._group.append(ALL, _("All styles"))
        self._group.set_active_id(ALL)
        self._group.connect("changed", self._filter_changed)
        label = Gtk.Label(label=keys.label(_("Style")), use_underline=True, xalign=0.0)
        self._label = label
        row.pack_start(label, False, False, 0)
        row.pack_start(self._group, True, True, 0)
        self._group.get_accessible().set_name(_("Which styles to show"))
        actions = ((_("File…"), self._open_file), (_("Folder…"), self._open_folder))
        for text, action in actions:
            button = Gtk.Button(label=keys.label(text), use_underline=True)
            button.connect("clicked", action)
            row.pack_start(button, False, False, 0)
        row.pack_start(self.folders, False, False, 0)
        return row

    def _icons(self) -> Gtk.Widget:
        view = Gtk.IconView(model=self._filter, margin=2)
        picture = Gtk.CellRendererPixbuf(height=THUMB_PX * 3 // 4, width=THUMB_PX)
        text = Gtk.CellRendererText(ellipsize=Pango.EllipsizeMode.END, xalign=0.5, scale=0.85)
        text.set_fixed_size(THUMB_PX, -1)
        for cell, attribute, column in ((picture, "pixbuf", PICTURE), (text, "text", TITLE)):
            view.pack_start(cell, False)
            view.add_attribute(cell, attribute, column)
        view.set_tooltip_column(HINT)
        view.set_selection_mode(Gtk.SelectionMode.MULTIPLE)
        for spacing in (view.set_row_spacing, view.set_column_spacing):
            spacing(2)
        view.set_item_padding(4)
        view.connect("selection-changed", self._selected)
        view.get_accessible().set_name(_("Styles"))
        self._label.set_mnemonic_widget(view)
        view.get_style_context().add_class("styles")
        self._view = view
        frame = Gtk.ScrolledWindow(shadow_type=Gtk.ShadowType.IN)
        frame.set_policy(Gtk.PolicyType.NEVER, Gtk.PolicyType.AUTOMATIC)
        frame.set_size_request(-1, 2 * THUMB_PX + 56)
        frame.add(view)
        return frame

    # --- what there is -------------------------------------------------------------------------

    def set_group(
        self, group: str, heading: str, styles: Iterable[tuple[StyleChoice, Any]]
    ) -> None:
        """Fills a group of styles. With each style comes its thumbnail, None to make it later."""
        self._quiet = True
        for row in [r for r in self._store if r[GROUP] == group]:
            self._known.pop(row[KEY], None)
            self._store.remove(row.iter)
        listed = {row[KEY] for row in self._store}
        for style, picture in styles:
            if style.key in listed:
                continue
            self._known[style.key] = style
            name = shown(style.name or title(style.uri), MOST_NAME)
            address = GLib.Uri.unescape_string(style.uri, None) or name
            hint = GLib.markup_escape_text(shown(address, MOST_HINT))
            empty = picture or self._made_before.get(style.key) or _blank()
            row = self._store.append([style.key, empty, name, hint, group])
            if picture is None and style.uri and style.key not in self._made_before:
                reference = Gtk.TreeRowReference.new(self._store, self._store.get_path(row))
                self._thumbs.make(style.uri, partial(self._made, reference))
        groups = [self._group.get_model()[i][1] for i in range(len(self._group.get_model()))]
        if group not in groups and any(r[GROUP] == group for r in self._store):
            self._group.append(group, heading)
        self._show_selection()
        self._quiet = False

    def set_channels(self, names: Sequence[str]) -> None:
        """The channels that can say where a style goes."""
        if list(names) != self._channels:
            self._channels = list(names)
            self._show_blend()

    def set_picture(self, key: str, picture: GdkPixbuf.Pixbuf) -> None:
        """The thumbnail of a style that came without one."""
        for row in self._store:
            if row[KEY] == key:
                row[PICTURE] = picture

    def _made(self, reference: Any, picture: GdkPixbuf.Pixbuf) -> None:
        if reference.valid():
            row = self._store[reference.get_path()]
            row[PICTURE] = self._made_before[row[KEY]] = picture

    def _is_visible(self, model: Any, row: Any, _data: Any) -> bool:
        group = self._group.get_active_id()
        return group in (ALL, None) or model[row][GROUP] == group

    def _filter_changed(self, _combo: Any) -> None:
        self._quiet = True
        self._filter.refilter()
        self._show_selection()
        self._quiet = False

    # --- what is chosen ------------------------------------------------------------------------

    def get(self) -> tuple[StyleChoice, ...]:
        """The chosen styles."""
        return tuple(self._chosen.values())

    def set(self, styles: Iterable[StyleChoice]) -> None:
        """Chooses styles, without a word to ``changed``. Those not in any group become one."""
        self._quiet = True
        self._chosen = {style.key: style for style in styles}
        new = [s for s in self._chosen.values() if s.key not in self._known]
        if new:
            known = [s for s in self._known.values() if self._group_of(s.key) == "other"]
            self.set_group("other", _("Others"), [(s, None) for s in [*new, *known]])
            self._quiet = True
        self._show_selection()
        self._show_blend()
        self._quiet = False

    def _group_of(self, key: str) -> str:
        return next((row[GROUP] for row in self._store if row[KEY] == key), "")

    def _show_selection(self) -> None:
        self._view.unselect_all()
        for row in self._filter:
            if row[KEY] in self._chosen:
                self._view.select_path(row.path)
                self._view.scroll_to_path(row.path, False, 0.0, 0.0)

    def _selected(self, view: Any) -> None:
        if self._quiet:
            return
        keys = [self._filter[path][KEY] for path in reversed(view.get_selected_items())]
        visible = {row[KEY] for row in self._filter}
        hidden = [key for key in self._chosen if key not in visible]
        if self._adding():  # to what is chosen in the groups that are not shown
            keys = [*hidden, *keys]
        if not keys:  # a click beside the thumbnails
            self._quiet = True
            self._show_selection()
            self._quiet = False
            return
        chosen = {key: self._chosen.get(key) or self._known[key] for key in keys}
        if chosen == self._chosen:
            return
        if len(chosen) == 1:
            chosen = {key: replace(s, weight=1.0) for key, s in chosen.items()}
        self._chosen = chosen
        self._show_blend()
        self._changed()

    @staticmethod
    def _adding() -> bool:
        """Whether the user holds a key down that adds to what is chosen."""
        found, state = Gtk.get_current_event_state()
        return found and bool(state & (Gdk.ModifierType.CONTROL_MASK | Gdk.ModifierType.SHIFT_MASK))

    def _choose(self, uris: Sequence[str]) -> None:
        # What a desktop has mounted (from a server, too) has a path of its own.
        paths = (Gio.File.new_for_uri(uri).get_path() for uri in uris)
        local = [Path(p).as_uri() if p else u for p, u in zip(paths, uris)]
        self.set(StyleChoice(uri, name=title(uri)) for uri in local)
        self._changed()

    # --- the blend -----------------------------------------------------------------------------

    def _show_blend(self) -> None:
        """A row for each chosen style, if there is more to say than which one it is."""
        for child in self._blend.get_children():
            child.destroy()
        if len(self._chosen) < 2 and not (self._chosen and self._channels):
            self._blend.hide()
            return
        elsewhere = any(style.where for style in self._chosen.values())
        for row, style in enumerate(self._chosen.values()):
            name = Gtk.Label(label=style.name, xalign=0.0, hexpand=True)
            name.set_ellipsize(Pango.EllipsizeMode.MIDDLE)
            share = Gtk.Adjustment(
                value=style.weight, lower=0.1, upper=10.0, step_increment=0.1, page_increment=1.0
            )
            weight = Number(share, whole=False)
            weight.set_tooltip_text(_("The share of this style in the blend"))
            weight.set_sensitive(len(self._chosen) > 1)
            weight.get_accessible().set_name(_("Weight of {style}").format(style=style.name))
            weight.connect("value-changed", self._weighed, style.key)
            self._blend.attach(name, 0, row, 1, 1)
            self._blend.attach(weight, 1, row, 1, 1)
            if self._channels:
                place = Gtk.ComboBoxText()
                place.append("", _("Elsewhere") if elsewhere else _("Everywhere"))
                for channel in self._channels:
                    place.append(channel, channel)
                place.set_active_id(style.where if style.where in self._channels else "")
                place.set_tooltip_text(_("The channel that says where this style is painted"))
                place.get_accessible().set_name(_("Place of {style}").format(style=style.name))
                place.connect("changed", self._placed, style.key)
                self._blend.attach(place, 2, row, 1, 1)
        self._blend.show_all()

    def _weighed(self, spin: Any, key: str) -> None:
        self._chosen[key] = replace(self._chosen[key], weight=round(spin.get_value(), 2))
        self._changed()

    def _placed(self, combo: Any, key: str) -> None:
        self._chosen[key] = replace(self._chosen[key], where=combo.get_active_id() or "")
        GLib.idle_add(self._show_blend)  # not while its own signal runs
        self._changed()

    # --- files ---------------------------------------------------------------------------------

    def _open_file(self, _button: Any) -> None:
        found = ask(self, _("Choose style pictures"), Gtk.FileChooserAction.OPEN)
        if found:
            self._choose(found)

    def _open_folder(self, _button: Any) -> None:
        action = Gtk.FileChooserAction.SELECT_FOLDER
        for uri in ask(self, _("Choose a folder of style pictures"), action):
            path = Gio.File.new_for_uri(uri).get_path()
            if path:
                self._add_folder(Path(path))

    def _dropped(self, _widget: Any, _context: Any, _x: int, _y: int, data: Any, *_: Any) -> None:
        self.take(data.get_uris())

    def take(self, uris: Sequence[str]) -> None:
        """Chooses the pictures among dropped files, and takes in dropped folders."""
        files = [Gio.File.new_for_uri(uri) for uri in uris]
        folders = [f for f in files if f.query_file_type(0, None) == Gio.FileType.DIRECTORY]
        for folder in folders:
            if folder.get_path():
                self._add_folder(Path(folder.get_path()))
        pictures = [f.get_uri() for f in files if f not in folders]
        if pictures:
            self._choose(pictures)


def _blank() -> GdkPixbuf.Pixbuf:
    blank = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, True, 8, THUMB_PX, THUMB_PX * 3 // 4)
    blank.fill(0x80808030)
    return blank
