"""What is carried over from a photo's file to that of its painting, as far as it still holds.

The result is upright, in sRGB, and none of the pixels that EXIF and XMP may bring along are its
own: orientation, colour space, thumbnails, edits of a raw converter and the like stay behind.
"""

from __future__ import annotations

import logging
import re
import struct
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO
from xml.etree import ElementTree

from PIL import Image, TiffImagePlugin

from styleengine.pictures import about as tags
from styleengine.pictures.about import About, metadata
from styleengine.protocol import PAINTED_NAME, PAINTED_PREFIX, PAINTED_SPACE

log = logging.getLogger(__name__)

_SRGB, _INCH = 1, 2
_OF_THE_OLD_PIXELS = (0x9101, 0x9102)  # components, compression: of the photo's JPEG

_XAP, _GOOGLE = "http://ns.adobe.com/xap/1.0/", "http://ns.google.com/photos/1.0/"
_TIFF, _PHOTOSHOP = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/photoshop/1.0/"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_LEFT_BEHIND = (
    "http://ns.adobe.com/camera-raw-settings/1.0/",
    f"{_XAP}mm/",  # names this very file, and its history
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.apple.com/HDRGainMap/1.0/",
    "http://ns.apple.com/pixeldatainfo/1.0/",
    "http://ns.adobe.com/xmp/note/",
    PAINTED_SPACE,
    *(_GOOGLE + name for name in ("camera/", "container/", "image/", "audio/", "depthmap/")),
)
_LEFT_BEHIND_TOO = (
    *(f"{{http://ns.adobe.com/exif/1.0/}}{n}" for n in ("ColorSpace", "NativeDigest")),
    *(f"{{http://ns.adobe.com/exif/1.0/}}Pixel{n}Dimension" for n in "XY"),
    *(f"{{{_PHOTOSHOP}}}{n}" for n in ("ColorMode", "ICCProfile", "History", "DocumentAncestors")),
    f"{{{_XAP}}}Thumbnails",
)
_OF_TIFF = ("Make", "Model", "Artist", "Copyright", "ImageDescription", "DateTime")
_PLACES = (  # of faces, in a picture that has not been turned
    "http://www.metadataworkinggroup.com/schemas/regions/",
    "http://ns.microsoft.com/photo/1.2/",
)


@dataclass(frozen=True)
class Carried:
    """What to write: tags of EXIF's first directory, of the camera and of the place; an XMP packet
    and pixels per inch. ``own_xmp`` is the packet without what was painted and how."""

    first: dict[int, Any] = field(default_factory=dict)
    camera: dict[int, Any] = field(default_factory=dict)
    place: dict[int, Any] = field(default_factory=dict)
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    own_xmp: bytes = b""

    def exif(self, *, resolution: bool = False) -> bytes:
        """A TIFF structure, empty where there is nothing to say; ``resolution``: with the dpi."""
        made = Image.Exif()
        made.update(self.first)
        if resolution and self.dpi is not None:
            x, y = self.dpi
            made.update({tags.X_RESOLUTION: x, tags.Y_RESOLUTION: y, tags.RESOLUTION_UNIT: _INCH})
        for at, values in ((tags.EXIF, self.camera), (tags.GPS, self.place)):
            if values:
                made.get_ifd(at).update(values)
                made[at] = made.get_ifd(at)
        return tags.encoded(made) if len(made) else b""

    def without_maker_note(self) -> Carried:
        """The camera maker's own notes can be longer than a JPEG may have."""
        camera = {k: v for k, v in self.camera.items() if k != tags.MAKER_NOTE}
        return replace(self, camera=camera)


def carried(about: About, width: int, height: int) -> Carried:
    """What of ``about`` holds for a result of this size; never raises."""
    try:
        first, camera, place = _exif(about.exif, width, height)
    except Exception as error:  # as in `metadata`: no picture is lost for this
        log.warning("EXIF data is left out: %s", error)
        first, camera, place = {}, {}, {}
    try:
        turned = metadata(about.exif, about.xmp).orientation != 1
        xmp = _xmp(about.xmp, turned=turned) if about.xmp else b""
    except Exception as error:  # RecursionError, too
        log.warning("XMP data is left out: %s", error)
        xmp = b""
    whole = _painted(xmp, about.painted) if about.painted else xmp
    return Carried(first, camera, place, whole, about.dpi, xmp)


def _painted(packet: bytes, text: str) -> bytes:
    """The packet, which is ours or empty, with a description of how the picture was painted."""
    ElementTree.register_namespace(PAINTED_PREFIX, PAINTED_SPACE)
    ElementTree.register_namespace("rdf", _RDF[1:-1])
    ElementTree.register_namespace("x", "adobe:ns:meta/")
    root = ElementTree.fromstring(packet or b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
    rdf = next(root.iter(_RDF + "RDF"), None)
    if rdf is None:
        rdf = ElementTree.SubElement(root, _RDF + "RDF")
    named = {_RDF + "about": "", f"{{{PAINTED_SPACE}}}{PAINTED_NAME}": text}
    ElementTree.SubElement(rdf, _RDF + "Description", named)
    whole: bytes = ElementTree.tostring(root, encoding="utf-8")
    return whole


def _exif(
    exif: bytes, width: int, height: int
) -> tuple[dict[int, Any], dict[int, Any], dict[int, Any]]:
    if not exif:
        return {}, {}, {}
    found = Image.Exif()
    found.load(exif)
    first = {tag: found[tag] for tag in tags.KEPT if tag in found}
    camera, place = dict(found.get_ifd(tags.EXIF)), dict(found.get_ifd(tags.GPS))
    for tag in (*_OF_THE_OLD_PIXELS, tags.INTEROPERABILITY):
        camera.pop(tag, None)
    now = {tags.PIXEL_WIDTH: width, tags.PIXEL_HEIGHT: height, tags.COLOR_SPACE: _SRGB}
    camera.update({tag: value for tag, value in now.items() if tag in camera})
    return {**first, tags.ORIENTATION: 1}, camera, place


def _xmp(packet: bytes, *, turned: bool) -> bytes:
    """The packet without what no longer holds; b"" where nothing is left."""
    text = packet.decode("utf-8").strip("\ufeff\0 \r\n\t")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("a document type in XMP")
    for prefix, address in re.findall(r"xmlns:([A-Za-z][\w.-]*)\s*=\s*[\"']([^\"']+)[\"']", text):
        if not re.fullmatch(r"ns\d+", prefix):
            ElementTree.register_namespace(prefix, address)
    start = text.find("<x:xmpmeta")
    root = ElementTree.fromstring(text[max(0, start) :].partition("<?xpacket end")[0])
    some = False
    for rdf in root.iter(_RDF + "RDF"):
        for described in list(rdf):
            for name in [n for n in described.attrib if _is_past(n, turned=turned)]:
                del described.attrib[name]
            for child in [c for c in described if _is_past(c.tag, turned=turned)]:
                described.remove(child)
            if len(described) or any(not n.startswith(_RDF) for n in described.attrib):
                some = True
            else:
                rdf.remove(described)
    return ElementTree.tostring(root, encoding="utf-8") if some else b""


def _is_past(name: str, *, turned: bool) -> bool:
    space, _, local = name.removeprefix("{").partition("}")
    if space == _TIFF:
        return local not in _OF_TIFF
    gone = (*_LEFT_BEHIND, *(_PLACES if turned else ()))
    return space.startswith(gone) or name in _LEFT_BEHIND_TOO


def add_to_tiff(file: BinaryIO, what: Carried) -> None:
    """Adds EXIF's directories to a little-endian TIFF that is open for reading and writing.

    The first directory is written anew at the end; a BigTIFF is left as it is.
    """
    file.seek(0)
    head = file.read(8)
    if head[:4] != b"II*\0" or not (what.first or what.camera or what.place):
        return
    (at,) = struct.unpack("<I", head[4:])
    file.seek(at)
    old = file.read(12 * struct.unpack("<H", file.read(2))[0])
    first = {k: v for k, v in what.first.items() if k != tags.ORIENTATION}
    for tag, values in ((tags.EXIF, what.camera), (tags.GPS, what.place)):
        if values:
            first[tag] = _append(file, values)
    new = _append(file, first)
    file.seek(new)
    added = file.read(12 * struct.unpack("<H", file.read(2))[0])
    entries = [each[i : i + 12] for each in (old, added) for i in range(0, len(each), 12)]
    entries.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    end = _even_end(file)
    file.write(struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
    file.seek(4)
    file.write(struct.pack("<I", end))
    file.seek(0, 2)


def _append(file: BinaryIO, values: dict[int, Any]) -> int:
    """Writes a directory at the end of the file, and returns where."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(ifh=b"II*\0\0\0\0\0")
    for tag, value in values.items():
        directory[tag] = value
    at = _even_end(file)
    file.write(directory.tobytes(at))
    return at


def _even_end(file: BinaryIO) -> int:
    end = file.seek(0, 2)
    file.write(bytes(end % 2))
    return end + end % 2
