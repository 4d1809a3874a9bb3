"""The browser of styles: thumbnails to choose from, and how the chosen ones are blended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

from gi.repository import Gdk, GdkPixbuf, Gtk

from choice.choice import StyleChoice
from choice.styles import title
from language.mnemonics import Mnemonics
from language.texts import _
from widgets.blend_rows import BlendRows
from widgets.search_field import SearchField
from widgets.style_shelf import FAVORITES, KEY, RECENT, Shelf
from widgets.style_sources import OTHER, StyleSources
from widgets.thumbnail_view import ThumbnailView
from widgets.thumbnails import THUMB_PX


class StyleBrowser(Gtk.Box):
    """Thumbnails in groups. A click chooses, Ctrl and click adds to the blend; letters search.

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
        self._changed = changed
        self._chosen: dict[str, StyleChoice] = {}
        self._channels: list[str] = []
        self._quiet = False
        self._shelf = Shelf()
        self.star: Callable[[StyleChoice, bool], None] = lambda style, starred: None
        """Called when the user makes a style a favourite, or no longer."""
        self.sampled: Callable[[bool], None] = lambda wanted: None
        """Called when the user wants to see their photo in the styles, or no longer."""
        head = self._head(keys)
        self._sources = StyleSources(keys, self._look, self._choose, add_folder, forget_folder)
        self.folders = self._sources.folders
        self.pack_start(head, False, False, 0)
        self.pack_start(self._sources, False, False, 0)
        self.pack_start(self._icons(), True, True, 0)
        self._blend = BlendRows(self._blended)
        self.pack_start(self._blend, False, False, 0)
        self.drag_dest_set(Gtk.DestDefaults.ALL, [], Gdk.DragAction.COPY)
        self.drag_dest_add_uri_targets()
        self.connect("drag-data-received", self._sources.dropped)

    # --- the parts -----------------------------------------------------------------------------

    def _head(self, keys: Mnemonics) -> Gtk.Widget:
        row = Gtk.Box(spacing=4)
        label = Gtk.Label(label=keys.label(_("Style")), use_underline=True, xalign=0.0)
        self._label = label
        self._search = SearchField(self._look, self._take_found)
        row.pack_start(label, False, False, 0)
        row.pack_start(self._search, True, True, 0)
        self._sampling = Gtk.ToggleButton(label=keys.label(_("My photo")), use_underline=True)
        self._sampling.set_tooltip_text(
            _(
                "Shows your photo in each style, painted small while nothing else is to be done. "
                "Point at one to see the style itself."
            )
        )
        self._sampling.get_style_context().add_class("neural-style-toggle")
        self._sampling.connect("toggled", self._sampling_toggled)
        row.pack_start(self._sampling, False, False, 0)
        return row

    def _icons(self) -> Gtk.Widget:
        view = ThumbnailView(self._shelf, self._starred)
        view.connect("selection-changed", self._selected)
        self._search.listen_to(view)
        self._label.set_mnemonic_widget(view)
        self._view = view
        frame = Gtk.ScrolledWindow(shadow_type=Gtk.ShadowType.IN)
        frame.set_policy(Gtk.PolicyType.NEVER, Gtk.PolicyType.AUTOMATIC)
        frame.set_size_request(-1, 2 * THUMB_PX + 56)
        frame.add(view)
        self._nothing = Gtk.Label(wrap=True, justify=Gtk.Justification.CENTER, margin=12)
        self._nothing.set_max_width_chars(32)
        self._nothing.get_style_context().add_class("dim-label")
        self._nothing.set_no_show_all(True)
        overlay = Gtk.Overlay()
        overlay.add(frame)
        overlay.add_overlay(self._nothing)
        overlay.set_overlay_pass_through(self._nothing, True)
        return overlay

    # --- what there is -------------------------------------------------------------------------

    def set_groups(
        self,
        groups: Mapping[str, Iterable[StyleChoice]],
        favorites: Iterable[str],
        recent: Iterable[str],
    ) -> None:
        """Fills groups of styles; and which are favourites, and which were used lately, newest
        first: their keys."""
        with self._quietly():
            self._shelf.recent = list(recent)
            self._shelf.prefer(favorites)
            self._shelf.set_groups(groups)
            self._sources.offer_views(self._shelf.groups)
            self._show_selection()

    def set_recent(self, recent: Iterable[str]) -> None:
        """What was used lately is something else now."""
        self._shelf.recent = list(recent)
        if self._sources.view == RECENT:
            self._look()

    def set_channels(self, names: Sequence[str]) -> None:
        """The channels that can say where a style goes."""
        if list(names) != self._channels:
            self._channels = list(names)
            self._show_blend()

    def set_picture(self, key: str, picture: GdkPixbuf.Pixbuf) -> None:
        """The thumbnail of a style that came without one."""
        self._shelf.set_picture(key, picture)

    def _look(self) -> None:
        """Another view, or another search."""
        with self._quietly():
            self._shelf.show(self._sources.view, self._search.get_text())
            self._show_selection()

    @contextlib.contextmanager
    def _quietly(self) -> Iterator[None]:
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    # --- the user's photo in the styles ---------------------------------------------------------

    @property
    def shows_samples(self) -> bool:
        """Whether the user wants to see their photo in the styles."""
        return self._shelf.shows_samples

    def show_samples(self, wanted: bool) -> None:
        """Shows the user's photo in the styles, as far as it has been painted, or the styles."""
        self._shelf.shows_samples = wanted
        self._sampling.set_active(wanted)
        self._shelf.redraw()

    def set_samples(self, samples: dict[str, GdkPixbuf.Pixbuf]) -> None:
        """The user's photo in styles, by their keys; of the others there is none."""
        self._shelf.set_samples(samples)

    def set_sample(self, key: str, picture: GdkPixbuf.Pixbuf) -> None:
        """The same of one more."""
        self._shelf.set_sample(key, picture)

    def style(self, key: str) -> StyleChoice | None:
        """The style of this key."""
        return self._shelf.style(key)

    def listed(self) -> list[str]:
        """The keys of the styles of this view."""
        return [row[KEY] for row in self._shelf.rows]

    def seen(self) -> list[str]:
        """The keys of the styles that are in sight."""
        span = self._view.get_visible_range()
        first, last = (path.get_indices()[0] for path in span) if span else (0, -1)
        return [row[KEY] for place, row in enumerate(self._shelf.rows) if first <= place <= last]

    def _sampling_toggled(self, button: Any) -> None:
        wanted = button.get_active()
        if wanted != self._shelf.shows_samples:
            self.show_samples(wanted)
            self.sampled(wanted)

    # --- what is chosen ------------------------------------------------------------------------

    def get(self) -> tuple[StyleChoice, ...]:
        """The chosen styles."""
        return tuple(self._chosen.values())

    def set(self, styles: Iterable[StyleChoice]) -> None:
        """Chooses styles, without a word to ``changed``. Those not in any group become one."""
        with self._quietly():
            self._chosen = {style.key: style for style in styles}
            new = [s for s in self._chosen.values() if self._shelf.style(s.key) is None]
            if new:
                others = [*new, *self._shelf.styles_of("other")]
                self._shelf.set_groups({OTHER: others})
                self._sources.offer_views(self._shelf.groups)
            self._show_selection()
            self._show_blend()

    def _show_selection(self) -> None:
        self._view.unselect_all()
        for row in self._shelf.rows:
            if row[KEY] in self._chosen:
                self._view.select_path(row.path)
                self._view.scroll_to_path(row.path, False, 0.0, 0.0)
        self._say_why_there_is_nothing()

    def _say_why_there_is_nothing(self) -> None:
        text = ""
        if not len(self._shelf.rows):
            if self._search.get_text():
                text = _("No style here is called that.")
            elif self._sources.view == FAVORITES:
                text = _("Click the star of a style, and it will be found here.")
            elif self._sources.view == RECENT:
                text = _("The styles that you have painted with will be found here.")
        self._nothing.set_text(text)
        self._nothing.set_visible(bool(text))

    def _selected(self, view: Any) -> None:
        if self._quiet:
            return
        rows = self._shelf.rows
        keys = [rows[path][KEY] for path in reversed(view.get_selected_items())]
        visible = {row[KEY] for row in rows}
        hidden = [key for key in self._chosen if key not in visible]
        if self._adding():  # to what is chosen in the groups that are not shown
            keys = [*hidden, *keys]
        if not keys:  # a click beside the thumbnails
            with self._quietly():
                self._show_selection()
            return
        styles = {key: self._chosen.get(key) or self._shelf.style(key) for key in keys}
        chosen = {key: style for key, style in styles.items() if style is not None}
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
        self.set(StyleChoice(uri, name=title(uri)) for uri in uris)
        self._changed()

    # --- search and favourites -----------------------------------------------------------------

    def take_focus(self) -> None:
        """Gives the thumbnails the keyboard."""
        self._view.grab_focus()

    def end_search(self) -> bool:
        """The Escape key; False if it is not meant for the search."""
        return self._search.leave()

    def _take_found(self) -> None:
        """Chooses the first of what was found."""
        rows = self._shelf.rows
        if len(rows) and self._search.get_text():
            style = self._shelf.style(rows[0][KEY])
            self.set([style] if style else [])
            self._changed()

    def _starred(self, key: str) -> None:
        starred = key not in self._shelf.favorites
        with self._quietly():
            self._shelf.star(key, starred)
            self._show_selection()
        style = self._shelf.style(key)
        if style is not None:
            self.star(style, starred)

    # --- the blend -----------------------------------------------------------------------------

    def _show_blend(self) -> None:
        self._blend.show_styles(list(self._chosen.values()), self._channels)

    def _blended(self, style: StyleChoice) -> None:
        self._chosen[style.key] = style
        self._changed()
