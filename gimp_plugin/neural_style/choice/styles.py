"""Where style pictures come from: shipped ones, the user's folders. Knows nothing of GIMP."""

from __future__ import annotations

from pathlib import Path

from choice.choice import StyleChoice, file_stem
from disk.regular import file_name
from language.texts import N_, _

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"}
"""What the engine decodes."""

OTHER_SUFFIXES = {
    *(".xcf", ".psd", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".exr", ".hdr", ".ora", ".svg"),
    *(".tga", ".pcx", ".ppm", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2"),
}
"""What GIMP opens for it, if it has been built so."""

MOST_PER_FOLDER = 500
SHIPPED = Path(__file__).resolve().parents[1] / "styles"

TITLES = {
    "style-cutpaper": N_("Paper cut"),
    "style-facets": N_("Facets"),
    "style-flowers": N_("Flowers"),
    "style-glass": N_("Stained glass"),
    "style-mosaic": N_("Mosaic"),
    "style-night": N_("Night"),
    "style-pastel": N_("Pastel"),
    "style-peacock": N_("Peacock"),
    "style-points": N_("Dots"),
    "style-watercolor": N_("Watercolour"),
    "style-wave": N_("Wave"),
    "style-woodcut": N_("Woodcut"),
}


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder, by name."""
    try:
        found = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()]
    except OSError:
        return []
    return sorted(found, key=lambda path: path.name.lower())[:MOST_PER_FOLDER]


def title(uri: str) -> str:
    """What the style is called: shipped ones in the user's language, others as their file."""
    stem = file_stem(uri)
    return _(TITLES[stem]) if stem in TITLES else stem


def called(style: StyleChoice) -> str:
    """What people call the style: one that came along in the user's language."""
    if style.uri and file_stem(style.uri) in TITLES:
        return title(style.uri)
    return style.name or file_stem(style.uri)


def at_hand(uri: str) -> str:
    """``uri``, or where a style that comes with the filter lies here, if ``uri`` is one of those.

    What another computer or an earlier installation remembers names another folder.
    """
    own = SHIPPED / Path(file_name(uri)).name
    return own.as_uri() if own.stem in TITLES and own.is_file() else uri


def choice_of(path: Path) -> StyleChoice:
    """The style in a file."""
    uri = path.absolute().as_uri()
    return StyleChoice(uri, name=title(uri))
