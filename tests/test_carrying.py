"""What a result keeps of its photo's EXIF, XMP and resolution, read back by others' code."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, TiffImagePlugin

from styleengine.pictures import files
from styleengine.pictures.files import Picture
from tests.test_pictures import RGB8, RGB16, exactly, pillow, png, tiff

SUFFIXES = [".png", ".jpg", ".webp", ".tif"]
BASE, CAMERA, PLACE = ExifTags.Base, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo


def photo_exif(maker_note: int = 400) -> Image.Exif:
    """As a camera writes it, with a thumbnail in the second directory."""
    made = Image.Exif()
    made[BASE.Make], made[BASE.Model] = "NIKON", "D850"
    made[BASE.Orientation] = 6
    made[BASE.ImageDescription] = "By the lake"
    made[BASE.Copyright] = "A. Person"
    made[BASE.Software] = "Raw converter 5"
    made[BASE.XResolution] = made[BASE.YResolution] = TiffImagePlugin.IFDRational(300, 1)
    made[BASE.ResolutionUnit] = 2
    camera = made.get_ifd(CAMERA)
    camera.update(
        {
            BASE.ExifVersion: b"0232",
            BASE.DateTimeOriginal: "2024:05:06 07:08:09",
            BASE.FNumber: TiffImagePlugin.IFDRational(28, 10),
            BASE.ExposureBiasValue: TiffImagePlugin.IFDRational(-1, 3),
            BASE.ISOSpeedRatings: 640,
            BASE.MakerNote: b"Nikon\0" + bytes(maker_note),
            BASE.UserComment: b"ASCII\0\0\0hello",
            BASE.ColorSpace: 2,
            BASE.ExifImageWidth: 17,
            BASE.ExifImageHeight: 13,
        }
    )
    made[CAMERA] = camera
    place = made.get_ifd(PLACE)
    place.update({1: "N", 2: (51.0, 30.0, 12.5)})
    made[PLACE] = place
    thumbnail = pillow(RGB8, "JPEG")
    second = made.get_ifd(ExifTags.IFD.IFD1)
    second.update({BASE.Compression: 6, 513: 0, 514: len(thumbnail)})
    return made


XMP = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
 xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 tiff:Orientation="6" tiff:Make="NIKON" xmp:Rating="4" crs:Exposure2012="+1.0" hdrgm:Version="1.0"
 xmpMM:InstanceID="xmp.iid:1" exif:ColorSpace="2">
<dc:subject><rdf:Bag><rdf:li>lake &amp; fog \xc3\xa9</rdf:li></rdf:Bag></dc:subject>
<crs:ToneCurve><rdf:Seq><rdf:li>0, 0</rdf:li></rdf:Seq></crs:ToneCurve>
<xmp:Thumbnails><rdf:Alt><rdf:li>AAAA</rdf:li></rdf:Alt></xmp:Thumbnails>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def sources(exif: Image.Exif, xmp: bytes) -> dict[str, bytes]:
    bare = exif.tobytes().removeprefix(b"Exif\0\0")
    text = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    metre = struct.pack(">IIB", 11811, 11811, 1)
    loaded = Image.Exif()
    loaded.load(exif.tobytes())
    loaded[700] = xmp
    return {
        "jpg": pillow(RGB8, "JPEG", exif=exif, xmp=xmp[:60_000], dpi=(300, 300)),
        "png": png(RGB8, (b"pHYs", metre), (b"eXIf", bare), text),
        "png16": png(RGB16, (b"pHYs", metre), (b"eXIf", bare), text),
        "webp": pillow(RGB8, "WEBP", exif=exif, xmp=xmp),
        "tif": pillow(RGB8, "TIFF", exif=loaded, dpi=(300, 300)),
    }


def opened(path: Path) -> tuple[Image.Exif, bytes, tuple[float, float]]:
    """EXIF, XMP and dpi as Pillow finds them."""
    with Image.open(path) as image:
        exif = image.getexif()
        inner = {at: dict(exif.get_ifd(at)) for at in (CAMERA, PLACE, ExifTags.IFD.IFD1)}
        xmp = image.info.get("xmp") or b""
        xmp = xmp if isinstance(xmp, bytes) else xmp.encode()
        dpi = image.info.get("dpi") or (exif.get(BASE.XResolution), exif.get(BASE.YResolution))
        image.load()
    for at, values in inner.items():
        exif.get_ifd(at).update(values)
    return exif, xmp, dpi


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("source", ["jpg", "png", "png16", "webp", "tif"])
def test_exif_xmp_and_dpi_are_carried_over(tmp_path: Path, source: str, suffix: str) -> None:
    photo = files.decode(sources(photo_exif(), XMP)[source], "photo")
    assert (photo.width, photo.height) == (13, 17)  # turned
    path = tmp_path / f"out{suffix}"
    files.save(path, photo)
    exif, xmp, dpi = opened(path)
    assert (exif[BASE.Make], exif[BASE.Copyright]) == ("NIKON", "A. Person")
    assert exif[BASE.ImageDescription] == "By the lake"
    assert exif.get(BASE.Orientation, 1) == 1
    camera = exif.get_ifd(CAMERA)
    assert camera[BASE.DateTimeOriginal] == "2024:05:06 07:08:09"
    assert float(camera[BASE.FNumber]) == 2.8 and camera[BASE.ISOSpeedRatings] == 640
    assert float(camera[BASE.ExposureBiasValue]) == pytest.approx(-1 / 3)
    assert camera[BASE.MakerNote].startswith(b"Nikon\0")
    assert camera[BASE.UserComment] == b"ASCII\0\0\0hello"
    assert camera[BASE.ColorSpace] == 1
    assert (camera[BASE.ExifImageWidth], camera[BASE.ExifImageHeight]) == (13, 17)
    place = exif.get_ifd(PLACE)
    assert place[1] == "N" and [float(n) for n in place[2]] == [51.0, 30.0, 12.5]
    assert not exif.get_ifd(ExifTags.IFD.IFD1)
    assert [float(n) for n in dpi] == pytest.approx([300, 300], rel=1e-4)
    for kept in (b"lake &amp; fog \xc3\xa9", b'Rating="4"', b'Make="NIKON"', b"dc:subject"):
        assert kept in xmp
    for gone in (b"Orientation", b"crs", b"Thumbnails", b"InstanceID", b"hdrgm", b"ColorSpace"):
        assert gone not in xmp
    again = files.load(path)
    assert (again.width, again.height) == (13, 17)
    if suffix in (".png", ".tif") and source != "jpg":
        np.testing.assert_allclose(
            again.rgb, photo.rgb, atol=0.51 / (255 if photo.depth == 8 else 65535)
        )


def test_a_tiff_with_directories_is_still_a_sound_file(tmp_path: Path) -> None:
    photo = files.decode(sources(photo_exif(), XMP)["png16"], "photo")
    files.save(tmp_path / "a.tif", photo)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages.first
        codes = [tag.code for tag in page.tags]
        assert codes == sorted(codes) and len(set(codes)) == len(codes) and len(file.pages) == 1
        assert page.tags["ExifTag"].value["DateTimeOriginal"] == "2024:05:06 07:08:09"
        np.testing.assert_array_equal(page.asarray(), np.rint(photo.rgb * 65535))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_photo_that_says_nothing_gives_a_file_that_says_nothing(
    tmp_path: Path, suffix: str
) -> None:
    files.save(tmp_path / f"a{suffix}", files.decode(png(RGB8)))
    exif, xmp, _ = opened(tmp_path / f"a{suffix}")
    assert xmp == b"" and not exif.get_ifd(CAMERA) and BASE.Make not in exif


HOSTILE: list[Any] = [
    b"<x:xmpmeta",
    b"\xff\xfe",
    b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&a;</x:xmpmeta>',
    b"<a>" * 20_000,
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:ns0="q" xmlns:xml="r"/>',
    bytes(5 << 20),
    XMP.replace(b"</rdf:Bag>", b"<a>" * 100_000 + b"</a>" * 100_000 + b"</rdf:Bag>"),
]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_odd_metadata_costs_no_picture(tmp_path: Path, suffix: str, number: int) -> None:
    odd = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + HOSTILE[number])
    garbage = np.random.default_rng(number).bytes(300)
    for exif in (b"II*\0\x08\0\0\0" + garbage, garbage, photo_exif().tobytes()[6:200]):
        files.save(tmp_path / f"a{suffix}", files.decode(png(RGB8, odd, (b"eXIf", exif))))
        found = files.load(tmp_path / f"a{suffix}")
        if suffix in (".png", ".tif"):
            assert found.rgb.shape in (RGB8.shape, (17, 13, 3))
        if suffix == ".png" and found.rgb.shape == RGB8.shape:
            exactly(found, RGB8)


def test_what_is_too_long_for_a_jpeg_stays_behind(tmp_path: Path) -> None:
    exif, long = photo_exif(maker_note=64_000), XMP.replace(b"lake", b"lake " * 15_000)
    photo = files.decode(sources(photo_exif(), long)["png"], "photo")
    files.save(tmp_path / "a.jpg", photo)
    assert opened(tmp_path / "a.jpg")[1] == b""
    data = png(RGB8, (b"eXIf", exif.tobytes()[6:] + bytes(2000)))
    files.save(tmp_path / "b.png", files.decode(data))
    assert len(opened(tmp_path / "b.png")[0].get_ifd(CAMERA)[BASE.MakerNote]) > 60_000
    photo_exif_long = photo_exif(maker_note=64_900)
    files.save(
        tmp_path / "c.jpg", files.decode(png(RGB8, (b"eXIf", photo_exif_long.tobytes()[6:])))
    )
    found = opened(tmp_path / "c.jpg")[0]
    assert found[BASE.Make] == "NIKON" and BASE.MakerNote not in found.get_ifd(CAMERA)


def test_dpi_of_a_tiff_in_centimetres() -> None:
    data = tiff(RGB8, photometric="rgb", resolution=(118.11, 59.055), resolutionunit="CENTIMETER")
    assert files.decode(data).about.dpi == pytest.approx((300, 150), rel=1e-4)
    assert files.decode(tiff(RGB8, photometric="rgb")).about.dpi is None
    assert Picture(np.zeros((8, 8, 3), np.float32)).about.dpi is None


def test_where_faces_are_holds_only_for_a_photo_that_was_not_turned(tmp_path: Path) -> None:
    for orientation, kept in ((1, True), (6, False)):
        packet = (
            b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-'
            b'rdf-syntax-ns#"><rdf:Description xmlns:mwg-rs="http://www.metadataworkinggroup.com/'
            b'schemas/regions/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="3"'
            b' mwg-rs:Regions="face"/></rdf:RDF></x:xmpmeta>'
        )
        exif = Image.Exif()
        exif[BASE.Orientation] = orientation
        files.save(tmp_path / "a.jpg", files.decode(pillow(RGB8, "JPEG", exif=exif, xmp=packet)))
        xmp = opened(tmp_path / "a.jpg")[1]
        assert b"Rating" in xmp and (b"face" in xmp) == kept
