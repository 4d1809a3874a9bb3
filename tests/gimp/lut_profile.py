"""An ICC profile made of look-up tables, which GEGL cannot express, and what it means in sRGB."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

WHITE = np.array([0.9642, 1.0, 0.8249])
# A device of our own: wide primaries with red and green partly exchanged, and gamma 1.6.
TO_XYZ = np.array([[0.45, 0.38, 0.1342], [0.35, 0.58, 0.07], [0.04, 0.11, 0.6749]])
GAMMA = 1.6
GRID = 17


def _lab(rgb: np.ndarray) -> np.ndarray:
    t = (rgb**GAMMA) @ TO_XYZ.T / WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def _rgb(lab: np.ndarray) -> np.ndarray:
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)
    t = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    linear = (t * WHITE) @ np.linalg.inv(TO_XYZ).T
    return np.clip(linear, 0, 1) ** (1 / GAMMA)


def _mesh() -> np.ndarray:
    steps = np.linspace(0, 1, GRID)
    return np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1)


def _lut16(table: np.ndarray) -> bytes:
    header = b"mft2" + bytes(4) + struct.pack(">BBBB", 3, 3, GRID, 0)
    identity = struct.pack(">9i", *(65536 * v for v in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    ramp = struct.pack(">2H", 0, 65535) * 3
    samples = np.clip(np.rint(table * 65535), 0, 65535).astype(">u2").tobytes()
    return header + identity + struct.pack(">HH", 2, 2) + ramp + samples + ramp


def write_lut_profile(path: Path) -> None:
    """Writes the profile (ICC version 2, display RGB, Lab connection space)."""
    scale = np.array([65280 / 65535 / 100, 256 / 65535, 256 / 65535])
    to_lab = (_lab(_mesh()) + np.array([0, 128, 128])) * scale
    from_lab = _rgb(_mesh() / scale - np.array([0, 128, 128]))
    text = b"Test LUT profile\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text" + bytes(4) + b"No rights reserved\0",
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", *np.rint(WHITE * 65536).astype(int)),
        b"A2B0": _lut16(to_lab),
        b"B2A0": _lut16(from_lab),
    }
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        body += bytes(-len(body) % 4)
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data
    header = struct.pack(
        ">I4sI4s4s4s", start + len(body), b"lcms", 0x02400000, b"mntr", b"RGB ", b"Lab "
    )
    header += struct.pack(">6H", 2025, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += struct.pack(">3i", *np.rint(WHITE * 65536).astype(int))
    path.write_bytes(header.ljust(128, b"\0") + table + body)


def expected_srgb(profile: Path, colors: list[list[int]]) -> list[list[int]]:
    """The colours in sRGB, relative colorimetric, by littleCMS itself."""
    strip = Image.fromarray(np.array([colors], np.uint8), "RGB")
    converted = ImageCms.profileToProfile(
        strip,
        ImageCms.getOpenProfile(str(profile)),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return np.asarray(converted)[0].tolist()
