"""The styles that the browser has: in groups, in views of them, and as thumbnails."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from gi.repository import GdkPixbuf, GLib, Gtk

from choice.choice import StyleChoice
from choice.styles import title
from disk.regular import file_name, local_path
from language.texts import MOST_NAME, shown
from widgets.device_pixels import fitted, framed
from widgets.stars import with_star
from widgets.thumbnails import THUMB_PX, Thumbnails

MOST_HINT = 300  # characters
KEY, PICTURE, TITLE, HINT = range(4)
ALL, FAVORITES, RECENT = "all", "favorites", "recent"


@dataclass(frozen=True)
class Entry:
    """A style on the shelf; ``words`` is what it is found by."""

    style: StyleChoice
    group: str
    name: str
    hint: str
    words: str


class Shelf:
    """``rows`` is the model of what is to be seen: those of a view that hold all words of a search.

    A view is a group, all of them, the favourites, or what was used lately, newest first. Unlike a
    filter of GTK's over all rows, which counts its rows wrongly below an icon view, ``rows`` has no
    others.
    """

    def __init__(self) -> None:
        self.rows = Gtk.ListStore(str, GdkPixbuf.Pixbuf, str, str)
        self.favorites: set[str] = set()
        self.recent: list[str] = []
        self.pointed = ""
        """The style under the pointer, which shows that it can be starred; empty for none."""
        self._entries: dict[str, Entry] = {}
        self._first: set[str] = set()  # the favourites when the styles were put in order
        self._iters: dict[str, Gtk.TreeIter] = {}
        self._factor = 1
        self._pictures: dict[str, GdkPixbuf.Pixbuf] = {}  # thumbnails without a star
        self._samples: dict[str, GdkPixbuf.Pixbuf] = {}  # the user's photo in the style
        self.shows_samples = False
        self._asked: set[str] = set()
        self._thumbs = Thumbnails()
        self._view, self._search = ALL, ""

    # --- what there is -------------------------------------------------------------------------

    def set_groups(self, groups: Mapping[str, Iterable[StyleChoice]]) -> None:
        """Fills groups. Thumbnails of files are made soon; those of layers come later."""
        self._entries = {k: e for k, e in self._entries.items() if e.group not in groups}
        for group, styles in groups.items():
            for style in styles:
                if style.key not in self._entries:
                    self._entries[style.key] = _entry(style, group)
                if style.uri and style.key not in self._asked:
                    self._asked.add(style.key)
                    self._thumbs.make(style.uri, partial(self.set_picture, style.key))
        self.refresh()

    def prefer(self, keys: Iterable[str]) -> None:
        """The favourites; they come first when the styles are next put in order."""
        self.favorites = set(keys)
        self._first = set(self.favorites)

    def style(self, key: str) -> StyleChoice | None:
        """The style of this key."""
        return self._entries[key].style if key in self._entries else None

    @property
    def groups(self) -> set[str]:
        """The groups that hold a style."""
        return {entry.group for entry in self._entries.values()}

    def styles_of(self, group: str) -> list[StyleChoice]:
        """The styles in a group."""
        return [entry.style for entry in self._entries.values() if entry.group == group]

    # --- what is seen --------------------------------------------------------------------------

    def show(self, view: str, search: str) -> None:
        """Shows a view, and of that what holds all the words of ``search``."""
        self._view, self._search = view, search
        self.prefer(self.favorites)
        self.refresh()

    def refresh(self) -> None:
        """Looks anew which styles are to be seen."""
        words = folded(self._search).split()
        keys = [k for k in self._in_view() if all(w in self._entries[k].words for w in words)]
        if keys == list(self._iters):
            self.redraw()
            return
        self.rows.clear()
        self._iters = {}
        for key in keys:
            entry = self._entries[key]
            row = [key, self._picture(key), entry.name, entry.hint]
            self._iters[key] = self.rows.append(row)

    def _in_view(self) -> list[str]:
        if self._view == RECENT:
            return [key for key in self.recent if key in self._entries]
        entries = sorted(self._entries.items(), key=lambda item: item[0] not in self._first)
        if self._view == FAVORITES:
            return [key for key, _entry in entries if key in self.favorites]
        return [key for key, entry in entries if self._view in (ALL, entry.group)]

    # --- thumbnails ----------------------------------------------------------------------------

    def set_picture(self, key: str, picture: GdkPixbuf.Pixbuf) -> None:
        """The thumbnail of a style."""
        self._pictures[key] = picture
        self._draw(key)

    def set_samples(self, samples: dict[str, GdkPixbuf.Pixbuf]) -> None:
        """The user's photo in some styles, to be shown in place of their thumbnails; of the others
        there is none."""
        self._samples = dict(samples)
        self.redraw()

    def set_sample(self, key: str, picture: GdkPixbuf.Pixbuf) -> None:
        """The same of one style more."""
        self._samples[key] = picture
        self._draw(key)

    def draw_for(self, factor: int) -> None:
        """Draws all for a screen that has so many pixels, each way, for one of GTK's."""
        self._factor = factor
        self.redraw()

    def redraw(self) -> None:
        """Draws all thumbnails anew."""
        for key in self._iters:
            self._draw(key)

    def point_at(self, key: str) -> None:
        """The pointer is over a style; empty for none."""
        before, self.pointed = self.pointed, key
        for each in {before, key}:
            self._draw(each)

    def star(self, key: str, starred: bool) -> None:
        """Makes a style a favourite, or no longer."""
        (self.favorites.add if starred else self.favorites.discard)(key)
        self.refresh()

    def can_be_starred(self, key: str) -> bool:
        """Whether the style can be a favourite: a layer is gone with its image."""
        style = self.style(key)
        return style is not None and bool(style.uri)

    def picture_size(self, key: str) -> tuple[int, int]:
        """Width and height of a style's thumbnail, in GTK's pixels."""
        picture = self._fitted(key)
        return picture.get_width() // self._factor, picture.get_height() // self._factor

    def _draw(self, key: str) -> None:
        if key in self._iters:
            self.rows[self._iters[key]][PICTURE] = self._picture(key)

    def _picture(self, key: str) -> GdkPixbuf.Pixbuf:
        picture, starred = self._fitted(key), key in self.favorites
        if starred or (key == self.pointed and self.can_be_starred(key)):
            picture = with_star(picture, starred, self._factor)
        return picture if self._factor == 1 else framed(picture, *self._room)

    @property
    def _room(self) -> tuple[int, int]:
        return THUMB_PX * self._factor, THUMB_PX * 3 // 4 * self._factor

    def _fitted(self, key: str) -> GdkPixbuf.Pixbuf:
        return fitted(self._shown(key), *self._room)

    def _shown(self, key: str) -> GdkPixbuf.Pixbuf:
        """A thumbnail: of the style that is pointed at the style itself."""
        sample = self._samples.get(key) if self.shows_samples and key != self.pointed else None
        return sample or self._pictures.get(key) or _blank()


def _entry(style: StyleChoice, group: str) -> Entry:
    name = shown(style.name or title(style.uri), MOST_NAME)
    hint = GLib.markup_escape_text(shown(_hint(name, style.uri, group), MOST_HINT))
    return Entry(style, group, name, hint, folded(f"{name} {file_name(style.uri)}"))


def folded(text: str) -> str:
    """A text as searches compare it: without accents and capitals."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(c for c in apart if not unicodedata.combining(c)).casefold()


@cache
def _blank() -> GdkPixbuf.Pixbuf:
    blank = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, True, 8, THUMB_PX, THUMB_PX * 3 // 4)
    blank.fill(0x80808030)
    return blank


def _hint(name: str, uri: str, group: str) -> str:
    """What is said of a style: its name, and of a file of the user's where it is."""
    path = local_path(uri) if uri and group != "shipped" else None
    if path is None:
        return name
    home = Path.home()
    return f"{name}\n{Path('~') / path.relative_to(home) if home in path.parents else path}"
