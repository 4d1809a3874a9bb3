"""How much of anything the engine takes: what is more is refused before it takes memory.

A painting that anybody wants stays far below; a file or a program that means harm runs into them.
"""

from __future__ import annotations

from styleengine.pictures.files import MAX_PIXELS, STYLE_PIXELS

JOBS = 16
"""Jobs at a time: arriving, waiting and being painted."""
STYLES = 64
"""Styles of a job."""
CONTENT_PIXELS = MAX_PIXELS
"""Pixels of a content, a style or a mask that is announced; styles and masks of more than
`STYLE_PIXELS` are made smaller as they come."""
ALL_STYLE_PIXELS = 40_000_000
"""Pixels that all styles of a job have together, once they are decoded."""
STYLE_BYTES = 640 << 20
"""Bytes of the files of a job's styles together."""
PARTS = 32
"""Parts that are sent of a picture of which a spot is to be painted."""
PARTS_PIXELS = 40_000_000
"""Pixels of all these parts together, and of a spot."""
SIDE = 1 << 20
"""Longest side of a picture of which a spot is to be painted."""
STRIP_BYTES = 64 << 20
"""Bytes of a strip of pixels: rows of half a million pixels, and more than one of them."""
ID_LENGTH = 200
NAME_LENGTH = 255
"""Characters of the name of a picture; the rest of a longer one is left out."""
SERIES_LENGTH = 1000
PATH_LENGTH = 4096
"""Characters of the name of a weight file."""
PREVIEW_SIDE = 2048
"""Long side of previews; more is cut down."""


def style_pixels(styles: int) -> int:
    """How many pixels each of so many styles may have."""
    return min(STYLE_PIXELS, ALL_STYLE_PIXELS // max(1, styles))
