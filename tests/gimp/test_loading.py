"""A picture file looks the same to the engine as it does in GIMP."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from styleengine.pictures import files
from tests import test_odd_pictures as odd
from tests.test_pictures import adobe_profile, pillow, png, tiff

pytestmark = pytest.mark.gimp

HERE = Path(__file__).resolve().parent
SRGB = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
ADOBE = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)


def ramp(dtype: type = np.uint8) -> np.ndarray:
    """Colours of every lightness, (16, 16, 3)."""
    first = np.arange(256).reshape(16, 16)
    colors = np.stack([first, 255 - first, first // 2 + 40], -1)
    return colors.astype(dtype) * dtype(257 if dtype is np.uint16 else 1)


def gamma(value: int) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", value)


def points(*values: int) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *values)


def made() -> dict[str, bytes]:
    deep, profile = ramp(np.uint16), adobe_profile()
    iccp = (b"iCCP", b"adobe\0\0" + zlib.compress(profile))
    said = {"by-space": {"space": 2}, "by-index": {"space": 65535, "index": "R03"}}
    wide = deep.astype(np.float32) / 65535
    found = {
        "plain.png": png(ramp()),
        "plain-16.png": png(deep),
        "usual-gamma.png": png(ramp(), gamma(45455)),
        "usual-both.png": png(ramp(), gamma(45455), points(*SRGB)),
        "linear.png": png(ramp(), gamma(100_000)),
        "linear-16.png": png(deep, gamma(100_000), points(*SRGB)),
        "gamma-1.8.png": png(ramp(), gamma(55_556)),
        "adobe-by-chunks.png": png(ramp(), gamma(45_470), points(*ADOBE)),
        "primaries-alone.png": png(ramp(), points(*ADOBE)),
        "linear-gray.png": png(ramp()[..., :1], gamma(100_000)),
        "srgb-before-gamma.png": png(ramp(), (b"sRGB", b"\0"), gamma(100_000)),
        "profile.png": png(deep, iccp),
        "profile.tif": tiff(deep, photometric="rgb", iccprofile=profile),
        "float.tif": tiff(wide, photometric="rgb", iccprofile=profile),
        "thumbnail.tif": odd.pages((odd.SMALL, {"subfiletype": 1}), (ramp(), {})),
        "byte-counts.tif": odd.with_counts(
            tiff(ramp(), photometric="rgb", metadata=None), lambda n: n + 5000
        ),
        "end.jpg": pillow(ramp(), "JPEG", quality=100, subsampling=0)[:-2],
    }
    for name, tags in said.items():
        exif = odd.exif(**tags)
        found[f"{name}.jpg"] = pillow(ramp(), "JPEG", quality=100, subsampling=0, exif=exif)
        found[f"{name}.png"] = png(ramp(), (b"eXIf", odd.bare(exif)))
    return found


@pytest.fixture(scope="session")
def loaded(gimp) -> Path:
    """The folder with what GIMP has seen."""
    pictures = gimp.work / "pictures"
    pictures.mkdir()
    for name, data in made().items():
        (pictures / name).write_bytes(data)
    answers = gimp.python_cases(HERE / "loading_cases.py", pictures=pictures)
    assert "all" in answers, answers["console"]
    return gimp.work / "loading_cases"


@pytest.mark.parametrize("name", made())
def test_a_file_has_the_colours_that_gimp_gives_it(gimp, loaded, name):
    ours = np.rint(files.load(gimp.work / "pictures" / name).rgb * 255)
    theirs = np.frombuffer((loaded / f"{name}.raw").read_bytes(), np.uint8).reshape(ours.shape)
    apart = np.abs(ours - theirs)
    # JPEG decoders differ by a level or three; near black a step of the profile's table is seen.
    assert apart.max() <= (4 if name.endswith("jpg") else 2) and apart.mean() < 0.1
