"""What is said about pictures that cannot be read, and what to do then."""

from __future__ import annotations

from typing import Any

from styleengine.pictures.png import SIGNATURE as PNG
from styleengine.pictures.tiff import TIFF
from styleengine.protocol import EngineError, Sentence

_PICTURES = (
    *(PNG, *TIFF, b"\xff\xd8\xff", b"GIF8", b"8BPS", b"v/1\x01", b"#?RADIANCE", b"P7\n", b"PF\n"),
)
_CAMERAS = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\0MRM")
"""What the raw data of cameras begins with that does not pass for TIFF."""


def called(name: str) -> Sentence:
    """How messages name a picture file."""
    return Sentence.of("“{name}”", name=name) if name else Sentence("The picture")


def bad(name: str, message: str, hint: str, **values: Any) -> EngineError:
    """The `EngineError` for a picture that cannot be read, ``{picture}`` in its ``message``."""
    return EngineError("bad-picture", message, hint, picture=called(name), **values)


def too_large(name: str, most: int) -> EngineError:
    """For a picture of more than ``most`` pixels."""
    return EngineError(
        "picture-too-large",
        "{picture} has more than {n} million pixels.",
        "Scale it down first.",
        picture=called(name),
        n=most // 1_000_000,
    )


def camera_data(name: str) -> EngineError:
    """For what a camera's sensor saw."""
    return bad(
        name,
        "{picture} is raw data of a camera, which has to be developed first.",
        "Open it in GIMP, or in darktable or RawTherapee, and export it as TIFF or JPEG.",
    )


def too_large_to_reduce(name: str) -> EngineError:
    """For a picture whose samples would take too much before there were fewer."""
    return EngineError(
        "picture-too-large",
        "{picture} takes too much memory to be made smaller.",
        "Scale it down first.",
        picture=called(name),
    )


def unknown(data: bytes, name: str) -> EngineError:
    """For what no reader knows, by how it begins."""
    hint = "Open it in GIMP and export it as PNG or JPEG."
    if data.startswith(_CAMERAS) or data[4:11] == b"ftypcrx":
        return camera_data(name)
    if data.startswith(b"gimp xcf "):
        return bad(name, "{picture} is a GIMP project, not a picture file.", hint)
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypheim", b"ftyphevc"):
        return bad(name, "{picture} is a HEIC picture, which cannot be read.", hint)
    if data.startswith(b"\xff\x0a") or data[4:8] == b"JXL ":
        return bad(name, "{picture} is a JPEG XL picture, which cannot be read.", hint)
    if data.startswith(_PICTURES) or data[4:12] == b"ftypavif":
        return bad(name, "{picture} is damaged, or a picture of a kind that cannot be read.", hint)
    return bad(name, "{picture} is not a picture.", "Choose a JPEG, PNG, WebP or TIFF file.")
