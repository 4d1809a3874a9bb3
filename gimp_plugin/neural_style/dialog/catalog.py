"""The styles that the browser offers: where they are looked for, and in which groups they show."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gi.repository import Gimp

from choice.choice import Choice, StyleChoice
from choice.styles import SHIPPED, at_hand, choice_of, pictures_in, title
from choice.trust import Chosen, is_there
from dialog.guard import Guard, Steps
from dialog.subject import Subject
from disk.regular import is_regular
from engine import installed
from pixels.hidden import shown_images
from pixels.layers import all_layers
from pixels.style_pictures import places
from widgets.cutout import pixbuf
from widgets.style_browser import StyleBrowser
from widgets.thumbnails import FINE_PX


class Catalog:
    """Fills a `StyleBrowser`, and remembers what was used."""

    def __init__(self, image: Gimp.Image, guard: Guard, subject: Subject) -> None:
        self._image, self._subject = image, subject
        self.chosen = Chosen(installed.data_dir(os.environ))
        self._drawing = Steps("thumbnails", guard)

    def fill(self, browser: StyleBrowser) -> None:
        """Shows all groups; what is in two of them shows in the first."""
        folders = self.chosen.folders.read()
        own = [choice_of(p) for folder in folders for p in pictures_in(folder)]
        shipped = [choice_of(path) for path in pictures_in(SHIPPED)]
        known = {style.uri for style in (*own, *shipped)}
        favorites = [at_hand(uri) for uri in self.chosen.favorites.uris()]
        recent = [at_hand(uri) for uri in self.chosen.recent.uris()]
        loose = dict.fromkeys((*favorites, *recent))
        files = [StyleChoice(u, name=title(u)) for u in loose if u not in known and is_regular(u)]
        painted = self._subject.numbers
        layers = [style for style in _layers() if style.layer not in painted]
        groups = {"loose": files, "own": own, "shipped": shipped, "layers": layers}
        browser.set_groups(groups, favorites, recent)
        browser.folders.show_folders(folders)
        browser.star = lambda style, starred: self.chosen.favorites.set(style.uri, starred)
        browser.set(browser.get())  # what was in a folder that is gone stays chosen
        self._drawing.stop()
        self._drawing.add(self._draw(layers, browser))

    def _draw(self, layers: Sequence[StyleChoice], browser: StyleBrowser) -> Iterator[None]:
        """The thumbnails of layers."""
        for style in layers:
            layer = Gimp.Item.get_by_id(style.layer)
            picture = _thumbnail(layer) if layer is not None and layer.is_valid() else None
            if picture is not None:
                browser.set_picture(style.key, picture)
            yield

    def used(self, styles: Sequence[StyleChoice], browser: StyleBrowser) -> None:
        """Remembers what the user has painted with."""
        self.chosen.used(styles)
        browser.set_recent([at_hand(uri) for uri in self.chosen.recent.uris()])

    def close(self) -> None:
        """Draws no more."""
        self._drawing.stop()

    def forget_folder(self, folder: Path, browser: StyleBrowser) -> None:
        """Leaves out a folder of the user's; its files stay where they are."""
        self.chosen.folders.remove(folder)
        self.fill(browser)

    def add_folder(self, folder: Path, browser: StyleBrowser) -> None:
        """Takes in another folder of the user's."""
        self.chosen.folders.add(folder)
        self.fill(browser)

    def present(self, choice: Choice) -> Choice:
        """The choice without the styles whose files are gone, the others called by their names."""
        known = (s if s.layer else replace(s, uri=at_hand(s.uri)) for s in choice.styles)
        styles = [style for style in known if is_there(style)]
        named = (s if s.layer else replace(s, name=title(s.uri)) for s in styles)
        return replace(choice, styles=tuple(named))

    def channels(self) -> Sequence[str]:
        """What can say where a style goes."""
        return list(places(self._image))


def _layers() -> Iterator[StyleChoice]:
    """All layers of all open images."""

    for image in shown_images():
        for layer in all_layers(image):
            name = f"{layer.get_name()} ({image.get_name()})"
            yield StyleChoice(layer=layer.get_id(), name=name)


def _thumbnail(layer: Gimp.Layer) -> Any:
    # Unlike its pixbuf this is there for every precision.
    data, width, height, bpp = layer.get_thumbnail_data(FINE_PX, FINE_PX * 3 // 4)
    pixels = data.get_data() if data is not None else b""
    if bpp not in (1, 2, 3, 4) or len(pixels) != width * height * bpp:
        return None
    rgba = bytearray(b"\xff" * (4 * width * height))
    for channel in range(3):
        rgba[channel::4] = pixels[channel if bpp > 2 else 0 :: bpp]
    if bpp in (2, 4):
        rgba[3::4] = pixels[bpp - 1 :: bpp]
    return pixbuf(bytes(rgba), width, height)
