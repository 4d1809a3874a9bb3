"""Fixtures for the tests in real GIMP: see `real_gimp`.

``NEURAL_STYLE_GIMP_ROOTS`` names the roots (``install/gimp_root.sh make``), separated by colons.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from lut_profile import expected_srgb, write_lut_profile  # noqa: E402
from real_gimp import DEADLINE_S, ROOTS, Gimp, reason_to_skip  # noqa: E402

A98 = "usr/share/color/icc/ghostscript/a98.icc"


def pytest_collection_modifyitems(items):
    """Everything here waits for GIMP; give it time on a busy machine."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(2 * DEADLINE_S))


@pytest.fixture(scope="session", params=ROOTS or [None], ids=lambda p: Path(p or "no-root").name)
def gimp(request, tmp_path_factory):
    """Each real GIMP in turn."""
    reason = reason_to_skip()
    if reason:
        pytest.skip(reason)
    return Gimp(Path(request.param), tmp_path_factory.mktemp(Path(request.param).name))


@pytest.fixture(scope="session")
def profiles(gimp):
    """ICC profiles, and the sRGB values that littleCMS gives for some of their colours."""
    colors = [[200, 130, 90], [110, 130, 170], [128, 128, 128], [120, 150, 110], [40, 40, 50]]
    lut = gimp.work / "lut.icc"
    write_lut_profile(lut)
    a98 = gimp.work / "a98.icc"
    shutil.copy(gimp.root / A98, a98)
    return {
        "colors": colors,
        "profiles": {
            path.stem: {"path": str(path), "srgb": expected_srgb(path, colors)}
            for path in (a98, lut)
        },
    }


@pytest.fixture(scope="session")
def artifacts():
    """Where screenshots and finished pictures are kept for people to look at."""
    folder = HERE / "artifacts"
    folder.mkdir(exist_ok=True)
    return folder
