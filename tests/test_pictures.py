"""Pictures of every kind, written by independent encoders, against exact expected values."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import stat
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, JpegImagePlugin

from styleengine.pictures import decoding, files, saving
from styleengine.pictures.about import About
from styleengine.pictures.files import Picture
from styleengine.protocol import EngineError
from tests.helpers import PEAK

ROOT = Path(__file__).resolve().parents[1]
RNG = np.random.default_rng(11)
U8 = RNG.integers(0, 256, (13, 17, 4), dtype=np.uint8)
U16 = RNG.integers(0, 65536, (13, 17, 4), dtype=np.uint16)
RGB8, RGB16 = U8[..., :3], U16[..., :3]


def pillow(image: Image.Image | np.ndarray, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    if isinstance(image, np.ndarray):
        image = Image.fromarray(np.ascontiguousarray(image))
    image.save(out, kind, **options)
    return out.getvalue()


def png(pixels: np.ndarray, *chunks: tuple[bytes, bytes], bits: int = 0) -> bytes:
    """A PNG written from the specification: no filter, one IDAT. ``bits`` < 8 packs a gray."""
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    depth = bits or pixels.dtype.itemsize * 8
    if bits:
        rows = [np.packbits(_bits(row, bits)).tobytes() for row in pixels]
    else:
        rows = [row.astype(pixels.dtype.newbyteorder(">")).tobytes() for row in pixels]
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    every = [(b"IHDR", header), *chunks, (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in every
    )


def _bits(row: np.ndarray, bits: int) -> np.ndarray:
    return ((row[:, None] >> np.arange(bits - 1, -1, -1)) & 1).astype(np.uint8).ravel()


def tiff(pixels: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, **options)
    return out.getvalue()


def exactly(picture: Picture, rgb: np.ndarray, alpha: np.ndarray | None = None) -> None:
    """Equal to integer samples as far as float32 can say."""
    highest = np.iinfo(rgb.dtype).max
    assert picture.rgb.dtype == np.float32 and picture.rgb.flags.c_contiguous
    np.testing.assert_array_equal(np.rint(picture.rgb * np.float64(highest)), rgb)
    np.testing.assert_allclose(picture.rgb, rgb / highest, rtol=1e-7)
    if alpha is None:
        assert picture.alpha is None
    else:
        assert picture.alpha is not None and picture.alpha.dtype == np.float32
        np.testing.assert_array_equal(np.rint(picture.alpha * np.float64(highest)), alpha)


def gray(samples: np.ndarray) -> np.ndarray:
    return np.repeat(samples[..., None], 3, axis=2)


# --- PNG --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", [U8, U16], ids=["8", "16"])
def test_png_exact(pixels: np.ndarray) -> None:
    for channels in (1, 2, 3, 4):
        found = files.decode(png(pixels[..., :channels]))
        colors = gray(pixels[..., 0]) if channels < 3 else pixels[..., :3]
        alpha = pixels[..., channels - 1] if channels in (2, 4) else None
        exactly(found, colors, alpha)
        assert found.depth == pixels.dtype.itemsize * 8
        assert (found.width, found.height) == (17, 13)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_png_of_few_bits(bits: int) -> None:
    values = U8[..., 0] >> (8 - bits)
    found = files.decode(png(values, bits=bits))
    exactly(found, gray(values * np.uint8(255 // (2**bits - 1))))


@pytest.mark.parametrize("pixels", [U8, U16], ids=["8", "16"])
def test_png_with_one_transparent_color(pixels: np.ndarray) -> None:
    for channels in (1, 3):
        clear = pixels[3, 5, :channels]
        key = b"".join(struct.pack(">H", int(v)) for v in clear)
        found = files.decode(png(pixels[..., :channels], (b"tRNS", key)))
        gone = (pixels[..., :channels] == clear).all(axis=2)
        top = np.iinfo(pixels.dtype).max
        expected = gray(pixels[..., 0]) if channels == 1 else pixels[..., :3]
        exactly(found, expected, np.where(gone, 0, top).astype(pixels.dtype))


def test_palette_with_transparency() -> None:
    index = U8[..., 0] % 5
    colors = RNG.integers(0, 256, (5, 3), dtype=np.uint8)
    alphas = np.array([0, 128, 255, 7, 255], np.uint8)
    image = Image.fromarray(index, "L")
    image.putpalette(colors.tobytes())
    found = files.decode(pillow(image, "PNG", transparency=alphas.tobytes()))
    exactly(found, colors[index], alphas[index])
    found = files.decode(pillow(image, "GIF", transparency=1))
    assert found.alpha is not None
    np.testing.assert_array_equal(found.alpha, index != 1)


# --- TIFF -------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "packbits"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("pixels", [RGB8, RGB16], ids=["8", "16"])
def test_tiff_exact(pixels: np.ndarray, planar: str, compression: str | None) -> None:
    stored = pixels if planar == "contig" else np.moveaxis(pixels, -1, 0)
    data = tiff(stored, photometric="rgb", planarconfig=planar, compression=compression)
    found = files.decode(data)
    exactly(found, pixels)
    assert found.depth == pixels.dtype.itemsize * 8


@pytest.mark.parametrize("options", [{"byteorder": ">"}, {"bigtiff": True}, {"tile": (16, 16)}])
def test_tiff_variants(options: dict[str, Any]) -> None:
    exactly(files.decode(tiff(RGB16, photometric="rgb", **options)), RGB16)


def test_a_result_beyond_four_gigabytes_is_a_bigtiff(tmp_path: Path, monkeypatch: Any) -> None:
    about = About(exif=Image.Exif().tobytes(), dpi=(300.0, 300.0))
    picture = files.decode(tiff(RGB16, photometric="rgb"))
    picture = dataclasses.replace(picture, about=about)
    for most, head in ((RGB16.nbytes, b"II*\0"), (RGB16.nbytes - 1, b"II+\0")):
        monkeypatch.setattr(saving, "MOST_IN_TIFF", most)
        files.save(tmp_path / "out.tif", picture)
        assert (tmp_path / "out.tif").read_bytes()[:4] == head
        exactly(files.load(tmp_path / "out.tif"), RGB16)


def test_tiff_by_another_encoder() -> None:
    """Pillow's (libtiff): gray 16, packed 1 bit, palette, gray with alpha, predictor."""
    exactly(files.decode(pillow(U16[..., 0], "TIFF", compression="tiff_lzw")), gray(U16[..., 0]))
    bits = U8[..., 0] > 127
    found = files.decode(pillow(Image.fromarray(bits), "TIFF", compression="group4"))
    exactly(found, gray(bits.astype(np.uint8) * np.uint8(255)))
    palette = Image.fromarray(RGB8).quantize(16)
    exactly(files.decode(pillow(palette, "TIFF")), np.asarray(palette.convert("RGB")))
    two = Image.fromarray(U8[..., :2], "LA")
    exactly(files.decode(pillow(two, "TIFF")), gray(U8[..., 0]), U8[..., 1])
    options = {"compression": "tiff_adobe_deflate", "tiffinfo": {317: 2}}
    exactly(files.decode(pillow(RGB8, "TIFF", **options)), RGB8)


def test_tiff_alpha() -> None:
    straight = tiff(U16, photometric="rgb", extrasamples=["unassalpha"])
    exactly(files.decode(straight), RGB16, U16[..., 3])
    unstated = tiff(U16, photometric="rgb", extrasamples=["unspecified"])
    exactly(files.decode(unstated), RGB16, U16[..., 3])
    nothing = np.dstack([RGB16, np.zeros_like(U16[..., 0])])
    exactly(files.decode(tiff(nothing, photometric="rgb", extrasamples=["unspecified"])), RGB16)

    alpha = np.maximum(U16[..., 3:], 2000)
    alpha[0, 0] = 0
    premultiplied = np.rint(RGB16 * (alpha / 65535)).astype(np.uint16)
    stored = np.dstack([premultiplied, alpha])
    found = files.decode(tiff(stored, photometric="rgb", extrasamples=["assocalpha"]))
    assert found.depth == 16 and found.alpha is not None
    visible = alpha[..., 0] > 0
    error = np.abs(found.rgb - RGB16 / 65535)[visible]
    assert (error <= 0.51 / alpha[visible]).all()
    assert not found.rgb[0, 0].any()


def test_tiff_float_and_wide_integers() -> None:
    values = RNG.random((13, 17, 3)).astype(np.float32)
    values[0, 0] = (-0.5, 1.5, np.nan)
    found = files.decode(tiff(values, photometric="rgb", compression="deflate", predictor=True))
    assert found.depth == 32
    np.testing.assert_array_equal(found.rgb[0, 0], (0, 1, 0))
    np.testing.assert_array_equal(found.rgb[1:], values[1:])
    half = files.decode(tiff(values[1:].astype(np.float16), photometric="rgb"))
    np.testing.assert_array_equal(half.rgb, values[1:].astype(np.float16))
    wide = RNG.integers(0, 2**32, (13, 17, 3), dtype=np.uint32)
    found = files.decode(tiff(wide, photometric="rgb"))
    np.testing.assert_allclose(found.rgb, wide / (2**32 - 1), rtol=1e-7)
    assert found.depth == 16


def test_tiff_white_is_zero() -> None:
    found = files.decode(tiff(U16[..., 0], photometric="miniswhite"))
    exactly(found, gray(65535 - U16[..., 0]))


@pytest.mark.parametrize("pixels", [U8, U16], ids=["8", "16"])
def test_cmyk_without_profile(pixels: np.ndarray) -> None:
    found = files.decode(tiff(pixels, photometric="separated"))
    ink = pixels / np.iinfo(pixels.dtype).max
    np.testing.assert_allclose(found.rgb, (1 - ink[..., :3]) * (1 - ink[..., 3:]), atol=1e-6)
    assert found.alpha is None


# --- other formats ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["BMP", "TGA", "PPM", "PCX", "SGI", "QOI", "JPEG2000"])
def test_other_lossless_formats(kind: str) -> None:
    exactly(files.decode(pillow(RGB8, kind)), RGB8)


def test_webp() -> None:
    data = pillow(U8, "WEBP", lossless=True, exact=True)
    exactly(files.decode(data), RGB8, U8[..., 3])


def smooth(height: int = 32, width: int = 48) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 5, y * 7, 255 - x * 2 - y * 3], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
def test_lossy_formats(kind: str) -> None:
    found = files.decode(pillow(smooth(), kind, quality=95))
    assert np.abs(found.rgb * 255 - smooth()).mean() < 2


def test_gray_and_cmyk_jpeg() -> None:
    found = files.decode(pillow(smooth()[..., 0], "JPEG", quality=98))
    assert np.abs(found.rgb * 255 - gray(smooth()[..., 0])).mean() < 2
    cmyk = np.dstack([smooth(), np.full((32, 48), 60, np.uint8)])
    found = files.decode(pillow(Image.fromarray(cmyk, "CMYK"), "JPEG", quality=98))
    expected = (1 - cmyk[..., :3] / 255) * (1 - 60 / 255)
    assert np.abs(found.rgb - expected).mean() * 255 < 2


def test_photoshop_composite() -> None:
    """A minimal PSD: header, three empty sections, raw planes."""
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 13, 17, 8, 3) + bytes(12)
    data = header + struct.pack(">H", 0) + np.moveaxis(RGB8, -1, 0).tobytes()
    exactly(files.decode(data, "work.psd"), RGB8)


def test_first_frame_of_an_animation() -> None:
    frames = [Image.fromarray(np.full((9, 9, 3), v, np.uint8)) for v in (40, 200)]
    data = pillow(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert files.decode(data).rgb[0, 0, 0] == pytest.approx(40 / 255)


# --- orientation ------------------------------------------------------------------------------

CORNERS = {  # EXIF 2.3, tag 0x0112: where the stored row 0 and column 0 are to be seen
    **{1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left")},
    **{5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom")},
}


def seen(picture: Picture, side: str) -> np.ndarray:
    rgb = picture.rgb
    return {"top": rgb[0], "bottom": rgb[-1], "left": rgb[:, 0], "right": rgb[:, -1]}[side]


@pytest.mark.parametrize("orientation", CORNERS)
@pytest.mark.parametrize("kind", ["jpg", "png", "png16", "webp", "tif", "tif16", "palette.tif"])
def test_orientation(kind: str, orientation: int) -> None:
    """Stored row 0 is red, stored column 0 blue; the tag says at which sides they belong."""
    pixels = np.full((24, 40, 3), 128, np.uint8)
    pixels[:8] = (255, 0, 0)
    pixels[8:, :8] = (0, 0, 255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    tag = [(274, "H", 1, orientation, True)]
    wide = pixels.astype(np.uint16) * 257
    data = {
        "jpg": lambda: pillow(pixels, "JPEG", exif=exif, quality=95, subsampling=0),
        "png": lambda: pillow(pixels, "PNG", exif=exif),
        "png16": lambda: png(wide, (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))),
        "webp": lambda: pillow(pixels, "WEBP", lossless=True, exif=exif),
        "tif": lambda: tiff(pixels, photometric="rgb", extratags=tag),
        "tif16": lambda: tiff(wide, photometric="rgb", extratags=tag),
        "palette.tif": lambda: pillow(
            Image.fromarray(pixels).quantize(8), "TIFF", tiffinfo={274: orientation}
        ),
    }[kind]()
    found = files.decode(data)
    assert (found.width, found.height) == ((40, 24) if orientation < 5 else (24, 40))
    row, column = CORNERS[orientation]
    assert seen(found, row)[:, 0].min() > 0.9 and seen(found, row)[:, 2].max() < 0.1
    middle = seen(found, column)[len(seen(found, column)) // 2]
    assert middle[2] > 0.9 and middle[0] < 0.1


def test_broken_exif_costs_nothing() -> None:
    data = bytearray(pillow(smooth(), "JPEG", quality=95, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    assert files.decode(bytes(data)).width == 48
    assert files.decode(pillow(RGB8, "PNG", exif=b"nonsense")).width == 17


# --- colour -----------------------------------------------------------------------------------


def adobe_profile(gamma: float = 563 / 256) -> bytes:
    """Adobe RGB (1998)'s primaries, white D65, written by LittleCMS."""
    primaries = (0.64, 0.33, 1.0, 0.21, 0.71, 1.0, 0.15, 0.06, 1.0)
    white = (0.3127, 0.3290, 1.0)
    profile = imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, gamma=gamma)
    return bytes(profile)


def rgb_to_xyz(primaries: list[tuple[float, float]]) -> np.ndarray:
    """The matrix of linear RGB with these primaries and white D65, Y = 1."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    return columns * np.linalg.solve(columns, white)


def srgb_encoded(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def from_adobe(unit: np.ndarray, gamma: float = 563 / 256) -> np.ndarray:
    """Adobe RGB to sRGB in float64; both have the same white, so nothing is adapted."""
    adobe = rgb_to_xyz([(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)])
    srgb = rgb_to_xyz([(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)])
    return srgb_encoded(unit**gamma @ (np.linalg.inv(srgb) @ adobe).T)


# The last digits of sRGB's white and primaries differ between their definitions, by about 1e-4.
@pytest.mark.parametrize(
    ("kind", "tolerance"), [("png8", 8e-4), ("png16", 4e-4), ("tif16", 4e-4), ("tif32", 4e-4)]
)
def test_adobe_rgb_to_srgb(kind: str, tolerance: float) -> None:
    profile = adobe_profile()
    iccp = (b"iCCP", b"adobe\0\0" + zlib.compress(profile))
    data, unit = {
        "png8": lambda: (png(U8, iccp), RGB8 / 255),
        "png16": lambda: (png(U16, iccp), RGB16 / 65535),
        "tif16": lambda: (tiff(RGB16, photometric="rgb", iccprofile=profile), RGB16 / 65535),
        "tif32": lambda: (
            tiff((RGB16 / 65535).astype(np.float32), photometric="rgb", iccprofile=profile),
            RGB16 / 65535,
        ),
    }[kind]()
    found = files.decode(data)
    expected = from_adobe(unit)
    assert np.abs(expected - unit).max() > 0.1  # the profile matters
    # Near black sRGB's slope makes much of the profile's rounding; elsewhere it is tight.
    dark = expected < 0.02
    error = np.abs(found.rgb - expected)
    assert error[~dark].max() < tolerance and error[dark].max() < 5e-3
    if kind.startswith("png"):
        assert found.alpha is not None
        top = 255 if kind == "png8" else 65535
        np.testing.assert_allclose(
            found.alpha, (U8 if top == 255 else U16)[..., 3] / top, rtol=1e-6
        )


def test_linear_16_bit_keeps_its_shadows() -> None:
    """Linear light needs all 16 bits: neighbouring dark values stay apart, in order."""
    ramp = np.arange(0, 2048, dtype=np.uint16).reshape(32, 64)
    pixels = gray(ramp)
    primaries = (0.64, 0.33, 1.0, 0.30, 0.60, 1.0, 0.15, 0.06, 1.0)
    profile = imagecodecs.cms_profile(
        "rgb", whitepoint=(0.3127, 0.3290, 1.0), primaries=primaries, gamma=1.0
    )
    found = files.decode(tiff(pixels, photometric="rgb", iccprofile=bytes(profile)))
    values = found.rgb[..., 1].ravel().astype(np.float64)
    assert (np.diff(values) > 0).all()
    np.testing.assert_allclose(values, srgb_encoded(ramp.ravel() / 65535), atol=3e-4)


def test_gray_profile() -> None:
    profile = imagecodecs.cms_profile("gray", whitepoint=(0.3127, 0.3290, 1.0), gamma=1.8)
    data = png(U16[..., :1], (b"iCCP", b"gray\0\0" + zlib.compress(bytes(profile))))
    found = files.decode(data)
    expected = gray(srgb_encoded((U16[..., 0] / 65535) ** 1.8))
    assert found.depth == 16
    np.testing.assert_allclose(found.rgb, expected, atol=2e-3)


def cmyk_profile() -> bytes:
    """A printer profile from the ICC specification: one 2×2×2×2 table of colours in Lab.

    The sixteen corners are the colours of (1-ink)·(1-black) with yellow's blue raised to 0.4, so
    that it differs from the conversion without a profile.
    """
    corners = np.stack(np.meshgrid(*[[0.0, 1.0]] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    rgb = cmyk_corners(corners)
    d50 = np.array([0.9642, 1.0, 0.8249])
    xyz = (rgb**2.2) @ SRGB_D50.T / d50
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)
    coded = np.stack([lab[:, 0] * 652.8, (lab[:, 1] + 128) * 256, (lab[:, 2] + 128) * 256], 1)
    table = np.clip(np.rint(coded), 0, 65535).astype(">u2").tobytes()
    identity = np.array([65536, 0, 0, 0, 65536, 0, 0, 0, 65536], ">i4").tobytes()
    line = np.array([0, 65535], ">u2").tobytes()
    lut = b"mft2" + bytes(4) + bytes([4, 3, 2, 0]) + identity + struct.pack(">HH", 2, 2)
    lut += line * 4 + table + line * 3
    white = b"XYZ " + bytes(4) + np.rint(d50 * 65536).astype(">i4").tobytes()
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags, body = b"", b""
    start = 128 + 4 + 12 * 3
    for name, data in ((b"A2B0", lut), (b"wtpt", white), (b"desc", text)):
        tags += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(
        ">I4sI4s4s4s", start + len(body), b"test", 0x02400000, b"prtr", b"CMYK", b"Lab "
    )
    head += bytes(12) + b"acsp" + bytes(28) + np.rint(d50 * 65536).astype(">i4").tobytes()
    return head.ljust(128, b"\0") + struct.pack(">I", 3) + tags + body


SRGB_D50 = np.array(  # linear sRGB to XYZ, adapted to D50 (Bradford), as in sRGB's ICC profiles
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)


def cmyk_corners(ink: np.ndarray) -> np.ndarray:
    rgb = (1 - ink[..., :3]) * (1 - ink[..., 3:])
    rgb[..., 2] = np.maximum(rgb[..., 2], 0.4 * (1 - ink[..., 3]))
    return rgb


@pytest.mark.parametrize("kind", ["jpg", "tif8", "tif16"])
def test_cmyk_with_profile(kind: str) -> None:
    corners = np.stack(np.meshgrid(*[[0.0, 1.0]] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    ink = np.repeat(np.repeat(corners[None], 16, axis=0), 16, axis=1)  # one 16×16 block a corner
    profile = cmyk_profile()
    eight = (ink * 255).astype(np.uint8)
    data = {
        "jpg": lambda: pillow(
            Image.fromarray(eight, "CMYK"), "JPEG", quality=100, icc_profile=profile
        ),
        "tif8": lambda: tiff(eight, photometric="separated", iccprofile=profile),
        "tif16": lambda: tiff(
            (ink * 65535).astype(np.uint16), photometric="separated", iccprofile=profile
        ),
    }[kind]()
    found = files.decode(data).rgb[8, 8::16]
    expected = srgb_encoded(cmyk_corners(corners) ** 2.2)
    np.testing.assert_allclose(found, expected, atol=0.02)
    yellow = corners.tolist().index([0, 0, 1, 0])
    assert found[yellow, 2] > 0.3  # without the profile it would be 0


def test_srgb_profile_changes_nothing() -> None:
    from styleengine.pictures.icc import srgb_profile

    data = png(U16, (b"iCCP", b"srgb\0\0" + zlib.compress(srgb_profile())))
    exactly(files.decode(data), RGB16, U16[..., 3])


@pytest.mark.parametrize(
    "profile",
    [b"not a profile", cmyk_profile(), adobe_profile()[:300]],
    ids=["nonsense", "for ink", "half"],
)
def test_useless_profile_is_ignored(profile: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Nonsense, a profile for another kind of picture, half a profile."""
    exactly(files.decode(tiff(RGB8, photometric="rgb", iccprofile=profile)), RGB8)
    assert "colour profile is damaged" in caplog.text


# --- what cannot be read ----------------------------------------------------------------------


def refused(data: bytes, name: str = "munch.png", code: str = "bad-picture") -> EngineError:
    with pytest.raises(EngineError) as caught:
        files.decode(data, name)
    error = caught.value
    assert error.code == code and f"“{name}”" in error.message and error.hint
    assert error.message.endswith(".") and error.hint.endswith(".")
    return error


def test_what_is_no_picture() -> None:
    assert refused(b"").message == "“munch.png” is empty."
    for data in (
        b"hello, world\n",
        b"<svg/>",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        bytes(99),
    ):
        assert refused(data).message == "“munch.png” is not a picture."
    assert "GIMP project" in refused(b"gimp xcf v011\0" + bytes(40), "a.xcf").message
    assert "HEIC" in refused(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "a.heic").message
    assert "JPEG XL" in refused(bytes(imagecodecs.jpegxl_encode(RGB8)), "a.jxl").message
    assert "of a kind that cannot be read" in refused(b"v/1\x01" + bytes(99), "a.exr").message
    floats = tiff(np.zeros((9, 9), np.float32), photometric="minisblack")
    entry = struct.pack("<HHIH", 258, 3, 1, 32)  # BitsPerSample
    assert entry in floats
    odd = floats.replace(entry, struct.pack("<HHIH", 258, 3, 1, 24))
    assert "of a kind that cannot be read" in refused(odd, "f24.tif").message
    complex_tiff = tiff(np.zeros((9, 9), np.complex64))
    assert "of a kind that cannot be read" in refused(complex_tiff, "fft.tif").message


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "png16", "WEBP", "GIF", "BMP", "AVIF", "JPEG2000", "TIFF", "tiff16"]
)
def test_truncated(kind: str, share: float) -> None:
    noise = RNG.integers(0, 65536, (60, 60, 3), dtype=np.uint16)
    if kind == "png16":
        data = png(noise)
    elif kind == "tiff16":
        data = tiff(noise, photometric="rgb", compression="deflate", rowsperstrip=8)
    else:
        data = pillow((noise >> 8).astype(np.uint8), kind)
    message = refused(data[: int(share * len(data))]).message
    assert "is damaged" in message


def test_corrupt_inside() -> None:
    noise = RNG.integers(0, 256, (60, 60, 3), dtype=np.uint8)
    for data in (
        png(noise),
        png(noise.astype(np.uint16) * 257),
        tiff(noise, photometric="rgb", compression="deflate"),
        tiff(noise, photometric="rgb", compression="lzw"),
    ):
        broken = bytearray(data)
        broken[2000:4000] = b"\xff" * 2000
        assert "is damaged" in refused(bytes(broken)).message


def bomb(width: int, height: int) -> bytes:
    data = bytearray(png(np.zeros((2, 2, 3), np.uint8)))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def test_picture_bombs() -> None:
    expected = "“munch.png” has more than 300 million pixels."
    assert refused(bomb(60_000, 60_000), code="picture-too-large").message == expected
    assert refused(bomb(300_000_001, 1), code="picture-too-large").message == expected
    assert "damaged" in refused(bomb(30_000, 10_000)).message  # just allowed, but nothing in it
    data = bytearray(tiff(np.zeros((2, 2, 3), np.uint8), photometric="rgb"))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages.first.tags
        places = [tags[256].valueoffset, tags[257].valueoffset]
        size = tags[256].dtype
    for place in places:
        struct.pack_into("<I" if size == 4 else "<H", data, place, 60_000)
    assert refused(bytes(data), code="picture-too-large").message == expected
    inner = bomb(60_000, 60_000)
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(inner), 22) + inner
    assert refused(icon, code="picture-too-large").message == expected


@pytest.mark.parametrize("seed", range(4))
def test_any_bytes_give_a_picture_or_an_answer(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files damaged at random: nothing but a sound picture or an `EngineError` comes out."""
    monkeypatch.setattr(decoding, "MAX_PIXELS", 1_000_000)
    rng = np.random.default_rng(seed)
    profile = adobe_profile()
    whole = [
        png(U8, (b"iCCP", b"a\0\0" + zlib.compress(profile))),
        png(U16),
        pillow(RGB8, "JPEG", icc_profile=profile),
        pillow(U8, "WEBP"),
        pillow(RGB8, "GIF"),
        tiff(U16, photometric="rgb", extrasamples=["assocalpha"], compression="deflate"),
        tiff(U8, photometric="separated", iccprofile=cmyk_profile()),
        pillow(Image.fromarray(RGB8).quantize(8), "TIFF"),
    ]
    read = 0
    for data in whole * 25:
        broken = bytearray(data)
        for _ in range(rng.integers(1, 5)):
            broken[rng.integers(min(len(broken), 500))] = rng.integers(256)
        try:
            found = files.decode(bytes(broken))
        except EngineError as error:
            assert error.code in ("bad-picture", "picture-too-large")
        else:
            read += 1
            assert found.rgb.shape == (found.height, found.width, 3)
            assert found.rgb.min() >= 0 and found.rgb.max() <= 1
    assert 10 < read < 190


def test_pillows_own_limit_is_left_alone() -> None:
    before = Image.MAX_IMAGE_PIXELS
    files.decode(pillow(RGB8, "PNG"))
    refused(bomb(60_000, 60_000), code="picture-too-large")
    assert before == Image.MAX_IMAGE_PIXELS


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    def failure(path: Path) -> EngineError:
        with pytest.raises(EngineError) as caught:
            files.load(path)
        assert str(path) in caught.value.message and caught.value.hint
        return caught.value

    assert failure(tmp_path / "no.png").code == "no-such-file"
    (tmp_path / "a.txt").touch()
    assert failure(tmp_path / "a.txt" / "b.png").code == "no-such-file"
    assert failure(tmp_path).message.endswith("is a folder.")
    if os.path.exists("/dev/zero"):
        assert failure(Path("/dev/zero")).message.endswith("is a device or a pipe, not a file.")
    if os.name != "nt" and os.geteuid() != 0:
        (tmp_path / "a.txt").chmod(0)
        assert failure(tmp_path / "a.txt").message.startswith("You may not read")


_FORBIDDEN = """
import os
from styleengine.pictures import files as images
from styleengine.protocol import EngineError
os.chdir({folder!r})  # the folders above are for root alone; hold on to this one
os.setegid(65534)
os.seteuid(65534)
try:
    images.load("secret.png")
except EngineError as error:
    print(error.code, error.message)
"""


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="drops root's rights")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(pillow(RGB8, "PNG"))
    path.chmod(0)
    code = _FORBIDDEN.format(folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "cannot-read You may not read “secret.png”.\n", done.stderr


def test_a_single_pixel_is_written_in_every_format(tmp_path: Path) -> None:
    for suffix in ("png", "tif", "jpg", "webp"):
        files.save(tmp_path / f"one.{suffix}", Picture(np.ones((1, 1, 3), np.float32)))
        assert (files.load(tmp_path / f"one.{suffix}").rgb == 1).all()


def test_names() -> None:
    data = pillow(RGB8, "PNG")
    for given, name in {"a.b.PNG": "a.b", "v1.2 sketch": "v1.2 sketch", "dir/x.tif": "x"}.items():
        assert files.decode(data, given).name == name


@pytest.mark.parametrize(("role", "word"), [("content", "photo"), ("style", "style")])
def test_require_usable(role: str, word: str) -> None:
    def made(height: int, width: int, alpha: np.ndarray | None = None) -> Picture:
        return Picture(np.zeros((height, width, 3), np.float32), alpha, name="thin")

    files.require_usable(made(8, 8), role)
    files.require_usable(made(8, 8, np.eye(8, dtype=np.float32)), role)
    for size in ((1, 500), (500, 1), (7, 8)):
        with pytest.raises(EngineError, match=f"The {word} “thin” is only") as caught:
            files.require_usable(made(*size), role)
        assert caught.value.code == "picture-too-small"
    with pytest.raises(EngineError, match="completely transparent") as caught:
        files.require_usable(made(9, 9, np.zeros((9, 9), np.float32)), role)
    assert caught.value.code == "picture-empty"


GRAY = np.full((9, 9, 3), 0.5, np.float32)


@pytest.mark.parametrize(
    "wrong",
    [
        Picture((GRAY * 255).astype(np.uint8)),
        Picture(GRAY * 255),
        Picture(GRAY.astype(np.float64)),
        Picture(np.where(np.eye(9)[..., None] > 0, np.float32("nan"), GRAY)),
        Picture(GRAY[..., 0]),
        Picture(np.full((9, 9, 4), 0.5, np.float32)),
        Picture(GRAY, np.ones((9, 8), np.float32)),
        Picture(GRAY, np.full((9, 9), 255, np.float32)),
    ],
)
def test_a_picture_made_by_hand_has_to_be_one(wrong: Picture) -> None:
    with pytest.raises(EngineError, match="not made of float32 samples from 0 to 1") as caught:
        files.require_usable(wrong, "style")
    assert caught.value.code == "bad-picture"
    files.require_usable(Picture(GRAY * 2.2), "style")  # sharpened: a little above 1


# --- pixels of the protocol -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u8", "u16", "f32"])
def test_pixels_round_trip(dtype: str) -> None:
    kind = {"u8": "<u1", "u16": "<u2", "f32": "<f4"}[dtype]
    pixels = (U8 if dtype == "u8" else U16).astype(kind)
    if dtype == "f32":
        pixels = (pixels / np.float32(65535)).astype(kind)
    for data in (pixels.tobytes(), bytearray(pixels.tobytes()), memoryview(pixels), pixels):
        picture = files.from_pixels(data, 17, 13, dtype)
        assert picture.depth == {"u8": 8, "u16": 16, "f32": 32}[dtype]
        back = files.to_pixels(picture, dtype)
        assert back.dtype == np.dtype(kind) and back.flags.c_contiguous
        np.testing.assert_array_equal(back, pixels)


def test_pixels_opaque_and_out_of_range() -> None:
    opaque = U8.copy()
    opaque[..., 3] = 255
    picture = files.from_pixels(opaque.tobytes(), 17, 13, "u8")
    assert picture.alpha is None
    np.testing.assert_array_equal(files.to_pixels(picture, "u8"), opaque)
    wild = np.zeros((8, 8, 4), np.float32)
    wild[0, 0] = (-1, 2, np.nan, 0.5)
    np.testing.assert_array_equal(files.from_pixels(wild, 8, 8, "f32").rgb[0, 0], (0, 1, 0))
    rgb = np.tile(np.array([-0.1, 1.7, np.nan], np.float32), (8, 8, 1))
    for dtype, top in {"u8": 255, "u16": 65535, "f32": 1}.items():
        out = files.to_pixels(Picture(rgb), dtype)
        np.testing.assert_array_equal(out[0, 0], (0, top, 0, top))


@pytest.mark.parametrize(("dtype", "top"), [("u8", 255), ("u16", 65535)])
def test_pixels_are_rounded_to_nearest(dtype: str, top: int) -> None:
    values = np.array([10.4, 10.6, top - 0.6], np.float64)
    rgb = np.tile((values / top).astype(np.float32), (8, 8, 1))
    out = files.to_pixels(Picture(rgb, rgb[..., 1]), dtype)
    np.testing.assert_array_equal(out[3, 3], (10, 11, top - 1, 11))


def test_pixels_of_the_wrong_amount() -> None:
    for data in (bytes(17 * 13 * 4 - 1), b"", bytes(17 * 13 * 4 + 1)):
        with pytest.raises(EngineError) as caught:
            files.from_pixels(data, 17, 13, "u8")
        assert caught.value.code == "protocol"


def test_conversions_of_more_than_one_strip() -> None:
    pixels = RNG.integers(0, 65536, (1300, 1700, 4), dtype=np.uint16)
    picture = files.from_pixels(pixels, 1700, 1300, "u16")
    np.testing.assert_array_equal(files.to_pixels(picture, "u16"), pixels)


# --- saving -----------------------------------------------------------------------------------


def picture(depth: int, alpha: bool = True) -> Picture:
    source = U8 if depth == 8 else U16
    unit = (source / np.float32(np.iinfo(source.dtype).max)).astype(np.float32)
    return Picture(unit[..., :3].copy(), unit[..., 3].copy() if alpha else None, depth)


def read_png(path: Path) -> np.ndarray:
    """libpng through imagecodecs; the decoder under test is not involved."""
    return np.asarray(imagecodecs.png_decode(path.read_bytes()))


@pytest.mark.parametrize("depth", [8, 16, 32])
@pytest.mark.parametrize("alpha", [True, False])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
def test_save_exactly(tmp_path: Path, suffix: str, alpha: bool, depth: int) -> None:
    path = tmp_path / f"out{suffix}"
    files.save(path, picture(depth, alpha))
    found = read_png(path) if suffix == ".png" else tifffile.imread(path)
    expected = (U8 if depth == 8 else U16)[..., : 4 if alpha else 3]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    assert os.listdir(tmp_path) == [path.name]
    again = files.load(path)
    assert again.depth == min(depth, 16) and again.name == "out"
    exactly(again, expected[..., :3], expected[..., 3] if alpha else None)


def test_saved_files_say_srgb(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif", "a.jpg", "a.webp"):
        files.save(tmp_path / name, picture(8, False))
        with Image.open(tmp_path / name) as image:
            image.load()
            if name == "a.png":
                assert image.info["srgb"] == 0
            else:
                assert "sRGB".encode("utf-16-be") in image.info["icc_profile"]
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages.first
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert "ImageDescription" not in page.tags


def test_save_jpeg(tmp_path: Path) -> None:
    rgb = (smooth() / 255).astype(np.float32)
    files.save(tmp_path / "a.jpg", Picture(rgb, None, 16))
    with Image.open(tmp_path / "a.jpg") as image:
        assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4
        assert np.abs(np.asarray(image, float) - smooth()).mean() < 1.5
    fade = np.linspace(0, 1, 48, dtype=np.float32)[None].repeat(32, axis=0)
    files.save(tmp_path / "b.jpeg", Picture(rgb, fade))
    with Image.open(tmp_path / "b.jpeg") as image:
        on_white = 255 * (rgb * fade[..., None] + 1 - fade[..., None])
        assert np.abs(np.asarray(image, float) - on_white).mean() < 1.5


def test_save_webp(tmp_path: Path) -> None:
    rgb = (smooth() / 255).astype(np.float32)
    alpha = np.zeros((32, 48), np.float32)
    alpha[8:] = 1
    files.save(tmp_path / "a.webp", Picture(rgb, alpha))
    found = files.load(tmp_path / "a.webp")
    assert found.alpha is not None
    np.testing.assert_array_equal(found.alpha, alpha)
    assert np.abs(found.rgb - rgb)[8:].mean() * 255 < 4


def unwritable(path: Path, what: Picture | None = None) -> str:
    with pytest.raises(EngineError) as caught:
        files.save(path, what or picture(8))
    assert caught.value.code == "cannot-write" and caught.value.hint.endswith(".")
    return caught.value.message


def test_cannot_write(tmp_path: Path) -> None:
    assert "a .bmp file says no known picture format" in unwritable(tmp_path / "a.bmp")
    assert "a name without an ending" in unwritable(tmp_path / "a")
    assert "does not exist" in unwritable(tmp_path / "no" / "a.png")
    (tmp_path / "d.png").mkdir()
    assert "there is a folder of that name" in unwritable(tmp_path / "d.png")
    (tmp_path / "f").touch()
    assert "is not a folder" in unwritable(tmp_path / "f" / "a.png")
    assert "the name is too long" in unwritable(tmp_path / ("n" * 300 + ".png"))
    wide = Picture(np.zeros((1, 20_000, 3), np.float32))
    assert "at most 16383 pixels" in unwritable(tmp_path / "a.webp", wide)
    assert sorted(os.listdir(tmp_path)) == ["d.png", "f"]
    for name in ("a.bmp", "no/a.png", "d.png"):
        with pytest.raises(EngineError) as caught:
            files.require_writable(tmp_path / name)
        assert caught.value.code == "cannot-write"
    files.require_writable(tmp_path / "fine.png")
    assert sorted(os.listdir(tmp_path)) == ["d.png", "f"]


_LIMITED = """
import resource, signal, sys
import numpy as np
from styleengine.pictures import files as images
from styleengine.protocol import EngineError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
noise = np.random.default_rng(0).random((300, 300, 3), dtype=np.float32)
try:
    images.save(sys.argv[1], images.Picture(noise, None, 16))
except EngineError as error:
    print(error.code, error.message)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE is POSIX")
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp"])
def test_full_disk_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    """The limit on file sizes stands in for a full disk: write() fails half-way."""
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"the old picture")
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.startswith(f"cannot-write “a.{suffix}” could not be written:"), done.stderr
    assert path.read_bytes() == b"the old picture"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
def test_read_only_disk(tmp_path: Path) -> None:
    mount = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"']
    mount.append(str(tmp_path))
    if subprocess.run([*mount, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    done = subprocess.run(
        [*mount, sys.executable, "-c", _LIMITED, str(tmp_path / "a.png")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "could not be written: the disk is read-only." in done.stdout, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links are POSIX")
def test_mode_and_links_are_respected(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        files.save(tmp_path / "new.png", picture(8))
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o640
    (tmp_path / "new.png").chmod(0o604)
    (tmp_path / "link.png").symlink_to("new.png")
    files.save(tmp_path / "link.png", picture(16))
    assert (tmp_path / "link.png").is_symlink()
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o604
    assert read_png(tmp_path / "new.png").dtype == np.uint16


_LARGE = f"""{PEAK}
import sys
from styleengine.pictures import files as images
images.decode(open(sys.argv[2], "rb").read())  # what the decoders need once
before = peak()
picture = images.load(sys.argv[1])
after = peak()
print((after - before) / (picture.width * picture.height))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize(("kind", "limit"), [("png8", 20), ("png16", 20), ("tif16", 26)])
def test_large_pictures_are_not_copied_needlessly(tmp_path: Path, kind: str, limit: int) -> None:
    """Peak bytes per pixel: 12 of the result, the decoder's samples, and little besides."""
    side = 4000
    ramp = np.arange(side, dtype=np.uint16)
    pixels = np.broadcast_to(ramp[None, :, None], (side, side, 3))
    path, small = tmp_path / "large", tmp_path / "small"
    write = {
        "png8": lambda p: imagecodecs.png_encode(np.ascontiguousarray(p >> 4).astype(np.uint8), 1),
        "png16": lambda p: imagecodecs.png_encode(np.ascontiguousarray(p), 1),
        "tif16": lambda p: tiff(p, photometric="rgb"),
    }[kind]
    path.write_bytes(write(pixels))
    small.write_bytes(write(pixels[:8, :8]))
    done = subprocess.run(
        [sys.executable, "-c", _LARGE, str(path), str(small)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) < limit
