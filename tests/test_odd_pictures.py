"""Picture files that other programs open and some refuse, and files that mean trouble."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from styleengine.pictures import files
from styleengine.protocol import EngineError
from tests.helpers import PEAK, environment
from tests.test_pictures import (
    RGB8,
    RGB16,
    RNG,
    U8,
    U16,
    adobe_profile,
    exactly,
    from_adobe,
    gray,
    pillow,
    png,
    refused,
    smooth,
    srgb_encoded,
    tiff,
)

Chunks = list[tuple[bytes, bytes, int]]


def chunks(data: bytes) -> Chunks:
    """Name, content and checksum of each chunk of a PNG."""
    found, at = [], 8
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        (check,) = struct.unpack(">I", data[at + 8 + size : at + 12 + size])
        found.append((name, data[at + 8 : at + 8 + size], check))
        at += 12 + size
    return found


def joined(parts: Chunks) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)
        for name, body, check in parts
    )


# --- PNG ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", [RGB8, RGB16], ids=["8", "16"])
def test_a_profile_of_more_than_a_megabyte_counts(pixels: np.ndarray) -> None:
    profile = adobe_profile() + RNG.bytes(1_600_000)
    profile = struct.pack(">I", len(profile)) + profile[4:]
    found = files.decode(png(pixels, (b"iCCP", b"printer\0\0" + zlib.compress(profile))))
    assert found.depth == pixels.dtype.itemsize * 8
    expected = from_adobe(pixels / np.iinfo(pixels.dtype).max)
    assert np.abs(found.rgb - expected)[expected > 0.02].max() < 1e-3


@pytest.mark.parametrize(
    "text",
    [
        lambda: (b"zTXt", b"workflow\0\0" + zlib.compress(RNG.bytes(3 << 20))),
        lambda: (b"tEXt", b"workflow\0" + b"word " * 500_000),
        lambda: (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(200 << 20))),
        lambda: (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(200 << 20))),
        lambda: (b"iCCP", b"bomb\0\0" + zlib.compress(bytes(200 << 20))),
        lambda: (b"iCCP", b"half\0\0" + zlib.compress(adobe_profile())[:200]),
        lambda: (b"npTc", bytes(40)),
    ],
    ids=["zTXt", "tEXt", "iTXt-bomb", "zTXt-bomb", "iCCP-bomb", "iCCP-half", "unknown"],
)
@pytest.mark.parametrize("pixels", [U8, U16], ids=["8", "16"])
def test_no_text_costs_the_picture(
    pixels: np.ndarray, text: Callable[[], tuple[bytes, bytes]]
) -> None:
    top = pixels[..., :3]
    exactly(files.decode(png(pixels, text())), top, pixels[..., 3])


@pytest.mark.parametrize("name", [b"pHYs", b"tEXt", b"gAMA", b"iCCP", b"eXIf", b"IEND", b"teSt"])
@pytest.mark.parametrize("pixels", [U8, U16], ids=["8", "16"])
def test_a_wrong_checksum_beside_the_pixels_is_no_damage(pixels: np.ndarray, name: bytes) -> None:
    body = {b"pHYs": struct.pack(">IIB", 2835, 2835, 1), b"gAMA": struct.pack(">I", 100_000)}
    extra = [] if name == b"IEND" else [(name, body.get(name, b"x\0\0" + bytes(9)))]
    parts = [(n, b, c ^ (n == name)) for n, b, c in chunks(png(pixels, *extra))]
    exactly(files.decode(joined(parts)), pixels[..., :3], pixels[..., 3])


@pytest.mark.parametrize("wrong", [0, 1])
@pytest.mark.parametrize("pixels", [RGB8, RGB16], ids=["8", "16"])
def test_colors_said_to_be_clear_in_a_wrong_way_are_none(pixels: np.ndarray, wrong: int) -> None:
    for size in (0, 1, 3, 6, 300) if wrong else (0, 1, 3, 300):
        for name in (b"tRNS", b"PLTE") if wrong else (b"tRNS",):
            parts = [
                (n, b, c ^ (wrong * (n == name)))
                for n, b, c in chunks(png(pixels, (name, bytes(size))))
            ]
            exactly(files.decode(joined(parts)), pixels)


@pytest.mark.parametrize("pixels", [U8, U16], ids=["8", "16"])
def test_the_pixels_of_a_png_must_be_right_and_complete(pixels: np.ndarray) -> None:
    whole = chunks(png(pixels))
    wrong = [(n, b, c ^ (n == b"IHDR")) for n, b, c in whole]
    assert "damaged" in refused(joined(wrong)).message
    exactly(files.decode(joined(whole[:-1])), pixels[..., :3], pixels[..., 3])  # no IEND
    body = whole[1][1]
    for lost in (20, len(body) // 2):
        assert "damaged" in refused(joined(whole[:-1])[: -4 - lost]).message


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("colors", [1, 3])
def test_gamma_and_primaries_count(depth: int, colors: int) -> None:
    pixels = {8: U8, 16: U16}[depth][..., :colors]
    unit = pixels / (2**depth - 1)
    linear = (b"gAMA", struct.pack(">I", 100_000))
    found = files.decode(png(pixels, linear)).rgb
    expected = np.broadcast_to(srgb_encoded(unit), found.shape)
    assert np.abs(found - expected)[unit.min(2) > 0.004].max() < 2e-3
    adobe = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
    wide = (b"cHRM", struct.pack(">8I", *adobe))
    power = (b"gAMA", struct.pack(">I", round(100_000 * 256 / 563)))
    found = files.decode(png(pixels, power, wide)).rgb
    expected = from_adobe(np.broadcast_to(unit, found.shape))
    assert np.abs(found - expected)[expected > 0.05].max() < 2e-3


def test_primaries_alone_go_with_the_curve_of_srgb() -> None:
    """As GIMP has it, which was asked."""
    points = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
    for pixels in (RGB8, RGB16):
        found = files.decode(png(pixels, (b"cHRM", struct.pack(">8I", *points)))).rgb
        unit = pixels / np.iinfo(pixels.dtype).max
        linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
        expected = from_adobe(linear, 1.0)
        assert np.abs(found - expected)[expected > 0.02].max() < 2e-3
    grays = png(U16[..., :1], (b"cHRM", struct.pack(">8I", *points)))
    exactly(files.decode(grays), gray(U16[..., 0]))


def test_gamma_that_does_not_count() -> None:
    """One beside sRGB or a profile, the primaries of sRGB without a curve, and nonsense."""
    linear = (b"gAMA", struct.pack(">I", 100_000))
    srgb = (b"sRGB", b"\0")
    same = (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    for given in ([same], [srgb, linear], [linear, srgb], [srgb, same]):
        exactly(files.decode(png(U16, *given)), RGB16, U16[..., 3])
    for bad in (b"", bytes(3), bytes(4), b"\xff" * 4):
        exactly(files.decode(png(U8, (b"gAMA", bad))), RGB8, U8[..., 3])
    profile = (b"iCCP", b"a\0\0" + zlib.compress(adobe_profile()))
    with_both = files.decode(png(U8, profile, linear)).rgb
    np.testing.assert_array_equal(with_both, files.decode(png(U8, profile)).rgb)


# --- JPEG -----------------------------------------------------------------------------------------

KINDS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 2},
    "subsampled": {"subsampling": 2},
}


def jpeg(kind: str, mode: str = "RGB") -> bytes:
    noise = RNG.integers(0, 256, (70, 90, 4), dtype=np.uint8)
    image = {
        "RGB": lambda: Image.fromarray(noise[..., :3]),
        "L": lambda: Image.fromarray(noise[..., 0]),
        "CMYK": lambda: Image.fromarray(noise, "CMYK"),
    }[mode]()
    return pillow(image, "JPEG", **{"quality": 90, **KINDS[kind]})


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_without_its_end_marker_is_whole(kind: str, mode: str) -> None:
    data = jpeg(kind, mode)
    assert data.endswith(b"\xff\xd9")
    whole = files.decode(data).rgb
    for cut in (data[:-2], data[:-1]):
        np.testing.assert_array_equal(files.decode(cut).rgb, whole)


@pytest.mark.parametrize(
    "marker, key", [(0xE0, b"JFIF\0"), (0xE2, b"ICC_PROFILE\0"), (0xEE, b"Adobe")]
)
def test_what_a_jpeg_says_in_too_few_bytes_does_not_count(marker: int, key: bytes) -> None:
    data = jpeg("baseline")
    for more in range(3):
        body = key + b"\xff" * more
        segment = struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
        for at in (2, 20):  # before and after the right JFIF
            odd = data[:at] + 2 * segment + data[at:]
            np.testing.assert_array_equal(files.decode(odd).rgb, files.decode(data).rgb)


@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_cut_inside_its_rows_is_not(kind: str) -> None:
    data = jpeg(kind)
    ends = [len(data) - 2 - lost for lost in (*range(3, 40, 3), 100, 300)]
    ends += [int(len(data) * share) for share in (0.2, 0.5, 0.7, 0.9)]
    for scan in range(len(data)):  # before, in and after each header of a scan
        if data[scan : scan + 2] == b"\xff\xda" and scan < ends[0]:
            ends += [scan, scan + 1, scan + 5, scan + 20]
    for end in ends:
        assert "damaged" in refused(data[:end], "x.jpg").message, (end, len(data))


# --- TIFF: pages ----------------------------------------------------------------------------------


def pages(*given: tuple[np.ndarray, dict], bigtiff: bool = False, byteorder: str = "<") -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out, bigtiff=bigtiff, byteorder=byteorder) as writer:
        for pixels, options in given:
            writer.write(pixels, **{"photometric": "rgb", "metadata": None, **options})
    return out.getvalue()


SMALL = np.zeros((9, 11, 3), np.uint8)
MASK = {"subfiletype": 4, "photometric": "minisblack"}
OLD = {"extratags": [(255, "H", 1, 2, True)]}


@pytest.mark.parametrize("first", [{"subfiletype": 1}, MASK, OLD])
@pytest.mark.parametrize("form", [{}, {"bigtiff": True}, {"byteorder": ">"}])
def test_the_full_page_is_read_not_its_thumbnail(first: dict, form: dict) -> None:
    extra = SMALL[..., 0] > 0 if first is MASK else SMALL
    for deep in (RGB8, RGB16):
        exactly(files.decode(pages((extra, first), (deep, {}), **form)), deep)
        inside = pages((extra, {**first, "subifds": 1}), (deep, {}), **form)
        exactly(files.decode(inside), deep)
    # One that goes to Pillow, at its own place in the file and with its own tags:
    bits = RGB8[..., 0] > 127
    fax = {"photometric": "palette", "colormap": np.tile(np.arange(256) * 257, (3, 1))}
    turned = {**fax, "extratags": [(274, "H", 1, 6, True)]}
    index = bits.astype(np.uint8) * np.uint8(255)
    found = files.decode(pages((extra, first), (index, turned), **form))
    exactly(found, gray(np.rot90(index, -1)))


def test_a_page_of_a_document_and_a_lone_thumbnail() -> None:
    exactly(files.decode(pages((RGB8, {}), (SMALL, {}))), RGB8)
    exactly(files.decode(pages((RGB8, {"subfiletype": 2}), (SMALL, {}))), RGB8)
    exactly(files.decode(pages((RGB8, {"subfiletype": 1}))), RGB8)


def test_raw_data_of_a_camera_gets_a_sentence() -> None:
    sensor = U16[..., 0]
    mosaic = {"photometric": 32803, "extratags": [(50706, "B", 4, b"\1\4\0\0", True)]}
    mosaic["extratags"] += [(33421, "H", 2, (2, 2), True), (33422, "B", 4, b"\0\1\1\2", True)]
    for data in (
        pages((SMALL, {"subfiletype": 1, "subifds": 1}), (sensor, mosaic)),
        pages((SMALL, {"subfiletype": 1}), (sensor, mosaic)),
        pages((sensor, mosaic)),
        pages((RGB16, {"photometric": 34892})),
        b"II*\0\x10\0\0\0CR\2\0" + bytes(400),
        b"FUJIFILMCCD-RAW 0201" + bytes(400),
        b"\0\0\0\x18ftypcrx " + bytes(400),
        b"IIRO\x08\0\0\0" + bytes(400),
        b"IIU\0\x18\0\0\0" + bytes(400),
    ):
        error = refused(data, "shot.dng")
        assert "raw data of a camera" in error.message and "darktable" in error.hint


# --- TIFF: lying byte counts ----------------------------------------------------------------------


def with_counts(data: bytes, counts: Callable[[int], int]) -> bytes:
    """The file with other StripByteCounts or TileByteCounts."""
    out = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages.first.tags
        tag = tags[279] if 279 in tags else tags[325]
        values = tag.value if isinstance(tag.value, tuple) else (tag.value,)
        code = {3: "H", 4: "I", 16: "Q"}[int(tag.dtype)]
        struct.pack_into(f"<{len(values)}{code}", out, tag.valueoffset, *map(counts, values))
    return bytes(out)


FORMS = {
    "strip": {},
    "strips": {"rowsperstrip": 4},
    "planes": {"planarconfig": "separate", "rowsperstrip": 4},
    "tiles": {"tile": (16, 16)},
    "deflate": {"compression": "deflate"},
    "lzw": {"compression": "lzw"},
    "packbits": {"compression": "packbits"},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pixels", [RGB8, RGB16], ids=["8", "16"])
def test_byte_counts_that_lie(form: str, pixels: np.ndarray) -> None:
    stored = np.moveaxis(pixels, -1, 0) if form == "planes" else pixels
    data = tiff(stored, photometric="rgb", metadata=None, **FORMS[form])
    plain = form in ("strip", "strips", "planes", "tiles")
    lies = [lambda n: n + 5000, lambda n: 0]
    for lie in lies + [lambda n: n // 2, lambda n: 1] * plain:
        exactly(files.decode(with_counts(data, lie)), pixels)
    # The directory stands before the pixels: a file that is cut has lost some of them.
    for lost in (4, len(data) // 4):
        for lie in (lambda n: n, *lies):
            assert "damaged" in refused(with_counts(data, lie)[:-lost]).message


# --- EXIF -----------------------------------------------------------------------------------------


def exif(**tags: object) -> Image.Exif:
    """EXIF with ``space`` (ColorSpace), ``index`` (Interoperability) or ``orientation``."""
    found = Image.Exif()
    inner: dict = {}
    if "space" in tags:
        inner[0xA001] = tags["space"]
    if "index" in tags:
        inner[0xA005] = {1: tags["index"], 2: b"0100"}
    if inner:
        found[0x8769] = inner
    if "orientation" in tags:
        found[0x0112] = tags["orientation"]
    read = Image.Exif()
    read.load(found.tobytes())
    return read


def bare(found: Image.Exif) -> bytes:
    return found.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("tags", [{"space": 2}, {"space": 65535, "index": "R03"}], ids=str)
def test_adobe_rgb_announced_by_exif(tags: dict) -> None:
    said = exif(**tags)
    for data, unit in (
        (png(RGB8, (b"eXIf", bare(said))), RGB8 / 255),
        (png(RGB16, (b"eXIf", bare(said))), RGB16 / 65535),
        (pillow(RGB8, "WEBP", lossless=True, exif=said), RGB8 / 255),
        *([] if "index" in tags else [(pillow(RGB8, "TIFF", exif=said), RGB8 / 255)]),
    ):  # Pillow loses the interoperability directory when it writes a TIFF
        expected = from_adobe(unit)
        assert np.abs(files.decode(data).rgb - expected)[expected > 0.02].max() < 1e-3
    same = pillow(smooth(), "JPEG", quality=95)
    found = files.decode(pillow(smooth(), "JPEG", quality=95, exif=said))
    expected = from_adobe(files.decode(same).rgb.astype(np.float64))
    assert np.abs(found.rgb - expected)[expected > 0.02].max() < 1e-3


def test_exif_does_not_overrule_what_the_file_says_of_its_colours() -> None:
    said = (b"eXIf", bare(exif(space=2)))
    exactly(files.decode(png(RGB16, said, (b"sRGB", b"\0"))), RGB16)
    exactly(files.decode(png(RGB8, (b"eXIf", bare(exif(space=1))))), RGB8)
    exactly(files.decode(png(RGB8, (b"eXIf", bare(exif(space=65535, index="R98"))))), RGB8)
    profile = adobe_profile(gamma=1.0)
    own = files.decode(tiff(RGB8, photometric="rgb", iccprofile=profile)).rgb
    both = pillow(RGB8, "TIFF", icc_profile=profile, exif=exif(space=2))
    np.testing.assert_array_equal(files.decode(both).rgb, own)
    grays = files.decode(pillow(U8[..., 0], "JPEG", quality=100, exif=exif(space=2)))
    assert np.abs(grays.rgb * 255 - gray(U8[..., 0])).mean() < 1


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" %s</rdf:RDF>'
    b"</x:xmpmeta>"
)
TURNED = [
    XMP % b'tiff:Orientation="6"/>',
    XMP % b"><tiff:Orientation>6</tiff:Orientation></rdf:Description>",
]


def raw_profile(kind: bytes, data: bytes) -> tuple[bytes, bytes]:
    """As ImageMagick writes it: name, length, and lines of 36 bytes in hexadecimal."""
    lines = [data[i : i + 36].hex() for i in range(0, len(data), 36)]
    text = f"\n{kind.decode()}\n{len(data):8}\n" + "\n".join(lines) + "\n"
    return b"zTXt", b"Raw profile type " + kind + b"\0\0" + zlib.compress(text.encode())


@pytest.mark.parametrize("xmp", TURNED, ids=["attribute", "element"])
def test_orientation_in_xmp(xmp: bytes) -> None:
    packed = (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp))
    plain = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    for pixels in (RGB8, RGB16, U8[..., :1], U16[..., :2]):
        upright = files.decode(png(pixels)).rgb
        for chunk in (packed, plain, raw_profile(b"xmp", xmp)):
            np.testing.assert_array_equal(
                files.decode(png(pixels, chunk)).rgb, np.rot90(upright, -1)
            )
        both = files.decode(png(pixels, plain, (b"eXIf", bare(exif(orientation=3)))))
        np.testing.assert_array_equal(both.rgb, upright[::-1, ::-1])  # EXIF comes first
    tag = [(700, "B", len(xmp), xmp, True)]
    for pixels in (RGB8, RGB16):
        found = files.decode(tiff(pixels, photometric="rgb", extratags=tag))
        exactly(found, np.rot90(pixels, -1))
    exactly(files.decode(pillow(RGB8, "WEBP", lossless=True, xmp=xmp)), np.rot90(RGB8, -1))
    found = files.decode(pillow(smooth(), "JPEG", xmp=xmp))
    assert (found.width, found.height) == (32, 48)


@pytest.mark.parametrize("kind", [b"exif", b"APP1"])
def test_orientation_in_a_raw_profile(kind: bytes) -> None:
    said = exif(orientation=6).tobytes()
    for pixels in (RGB8, RGB16):
        for data in (said, said.removeprefix(b"Exif\0\0")):
            exactly(files.decode(png(pixels, raw_profile(kind, data))), np.rot90(pixels, -1))
        broken = (b"tEXt", b"Raw profile type " + kind + b"\0\nexif\n  20\nzz")
        exactly(files.decode(png(pixels, broken)), pixels)


# --- larger than needed ---------------------------------------------------------------------------


@pytest.mark.parametrize("most", [13 * 17, 60, 20])
def test_a_picture_is_made_smaller_by_averaging(most: int) -> None:
    by = next(n for n in range(1, 9) if (13 // n) * (17 // n) <= most)
    h, w = 13 // by, 17 // by

    def mean(values: np.ndarray) -> np.ndarray:
        blocks = values[: h * by, : w * by].reshape(h, by, w, by, -1)
        return blocks.mean((1, 3))

    for data, pixels in (
        (png(U8), U8),
        (png(U16), U16),
        (tiff(U16, photometric="rgb", extrasamples=["unassalpha"]), U16),
        (pillow(U8, "WEBP", lossless=True, exact=True), U8),
    ):
        top = float(np.iinfo(pixels.dtype).max)
        found = files.decode(data, "x", most)
        assert found.rgb.shape == (h, w, 3) and found.alpha is not None
        cover = pixels[..., 3:] / top
        expected = mean(pixels[..., :3] / top * cover) / mean(cover)
        step = 1.6 / 255 if pixels.dtype == np.uint8 else 1e-4
        np.testing.assert_allclose(found.alpha, mean(cover)[..., 0], atol=step)
        seen = found.alpha > 0.3
        assert np.abs(found.rgb - expected)[seen].max() < 4 * step
    for data, expected in (
        (png(RGB8), RGB8 / 255),
        (png(U8[..., :1]), gray(U8[..., 0]) / 255),
        (pillow(Image.fromarray(U8[..., 0] > 127), "PNG"), gray(U8[..., 0] > 127)),
        (tiff(RGB16, photometric="rgb"), RGB16 / 65535),
    ):
        np.testing.assert_allclose(files.decode(data, "x", most).rgb, mean(expected), atol=3e-3)


def test_a_jpeg_is_made_smaller_while_it_is_decoded() -> None:
    whole = files.decode(pillow(smooth(320, 480), "JPEG", quality=95))
    small = files.decode(pillow(smooth(320, 480), "JPEG", quality=95), "x", 320 * 480 // 16)
    assert (small.width, small.height) == (120, 80)
    expected = whole.rgb.reshape(80, 4, 120, 4, 3).mean((1, 3))
    assert np.abs(small.rgb - expected).mean() < 0.01


_BOMB = f"""{PEAK}
import sys
from styleengine.pictures import files
from styleengine.protocol import EngineError
data = open(sys.argv[1], "rb").read()
try:
    found = files.decode(data, "bomb", 32_000_000)
    print(found.width, found.height, end=" ")
except EngineError as error:
    print(error.code, end=" ")
print(peak() >> 20)
"""


def bilevel(side: int) -> bytes:
    row = b"\0" + bytes(-(-side // 8))
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    parts = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", body)]
    return joined([(n, b, zlib.crc32(n + b)) for n, b in [*parts, (b"IEND", b"")]])


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_style_bomb_takes_little_memory(tmp_path: Path) -> None:
    def decoded(data: bytes) -> list[str]:
        (tmp_path / "bomb").write_bytes(data)
        done = subprocess.run(
            [sys.executable, "-c", _BOMB, str(tmp_path / "bomb")],
            env=environment(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        *answer, peak = done.stdout.split()
        assert int(peak) < 1000, done.stdout
        return answer

    assert decoded(bilevel(17_000)) == ["4250", "4250"]
    assert decoded(bilevel(30_000)) == ["picture-too-large"]
    colors = joined(
        [
            (n, struct.pack(">IIBBBBB", 17_000, 17_000, 8, 2, 0, 0, 0) if n == b"IHDR" else b, c)
            for n, b, c in chunks(bilevel(17_000))
        ]
    )
    head = colors[12:29]
    colors = colors[:29] + struct.pack(">I", zlib.crc32(head)) + colors[33:]
    assert decoded(colors) == ["picture-too-large"]
    with pytest.raises(EngineError, match="too much memory to be made smaller"):
        files.decode(colors, "bomb", 32_000_000)


def test_a_thousand_packed_texts_are_unpacked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from styleengine.pictures import png as reader

    unpacked = []
    monkeypatch.setattr(reader, "_unpacked", lambda data, most: unpacked.append(most) or b"")
    text = (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(1000)))
    exactly(files.decode(png(RGB8, *[text] * 1000)), RGB8)
    assert len(unpacked) == 1


@pytest.mark.parametrize("form", [{}, {"bigtiff": True}, {"byteorder": ">"}], ids=str)
def test_what_a_tiff_says_of_itself(form: dict) -> None:
    said = {
        "extratags": [(274, "H", 1, 6, True), (271, "s", 0, "NIKON", True)],
        "resolution": (118.11, 59.055),
        "resolutionunit": "CENTIMETER",
    }
    found = files.decode(pages((RGB16, said), **form))
    exactly(found, np.rot90(RGB16, -1))
    assert found.about.dpi == pytest.approx((300, 150), rel=1e-4)
    kept = Image.Exif()
    kept.load(found.about.exif)
    assert kept[271] == "NIKON"
