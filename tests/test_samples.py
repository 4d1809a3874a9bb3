"""The sample pictures: the same on every run, full of detail and colour, and unlike one another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import samples

SIZE = 128
PICTURES = samples.PHOTOS | samples.STYLES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pictures, drawn once through the command line's own entry."""
    out = tmp_path_factory.mktemp("samples")
    assert samples.main([str(out), "--long-side", str(SIZE), "--all"]) == 0
    return out


def read(path: Path) -> np.ndarray:
    """Float64 0-1 pixels of a written picture."""
    with Image.open(path) as picture:
        assert picture.mode == "RGB"
        return np.asarray(picture, np.float64) / 255


def detail(rgb: np.ndarray, scale: int) -> float:
    """Standard deviation of the differences between neighbouring ``scale``-pixel blocks."""
    gray = rgb.mean(axis=2)
    rows, columns = (side // scale for side in gray.shape)
    blocks = gray[: rows * scale, : columns * scale]
    means = blocks.reshape(rows, scale, columns, scale).mean(axis=(1, 3))
    return float(np.concatenate([np.diff(means, axis=k).ravel() for k in (0, 1)]).std())


def statistics(rgb: np.ndarray) -> np.ndarray:
    """What a glance tells apart: mean colour, spread of colour, detail at three scales."""
    fine = [4 * detail(rgb, scale) for scale in (1, 4, 12)]
    return np.concatenate([rgb.mean(axis=(0, 1)), rgb.std(axis=(0, 1)), fine])


def test_all_draws_every_picture_at_the_size_asked_for(folder: Path) -> None:
    """Each name in the list becomes a file whose long side is the one asked for."""
    assert {p.name for p in folder.iterdir()} == set(PICTURES)
    assert len(samples.STYLES) >= 6
    for path in folder.iterdir():
        with Image.open(path) as picture:
            assert max(picture.size) == SIZE, path.name


def test_the_default_is_one_photo_and_one_style_and_always_the_same(
    folder: Path, tmp_path: Path
) -> None:
    """Without --all only the demonstration's pair is drawn; a second run gives the same bytes."""
    out = tmp_path / "new" / "folder"
    assert samples.main([str(out), "--long-side", str(SIZE)]) == 0
    assert {p.name for p in out.iterdir()} == {"photo.jpg", "style.jpg"}
    for path in out.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


@pytest.mark.parametrize("name", list(PICTURES))
def test_pictures_have_detail_colour_and_tone(folder: Path, name: str) -> None:
    """VGG needs edges at every scale; nothing may be flat, washed out or clipped."""
    rgb = read(folder / name)
    for scale, least in ((1, 0.02), (3, 0.02), (8, 0.015)):
        assert detail(rgb, scale) > least, scale
    clipped = np.mean((rgb.max(axis=2) <= 3 / 255) | (rgb.min(axis=2) >= 252 / 255))
    assert clipped < 0.2
    low, high = np.percentile(rgb.mean(axis=2), (2, 98))
    assert high - low > 0.35
    bins = (rgb * 7.999).astype(int) @ (64, 8, 1)
    shares = np.bincount(bins.ravel(), minlength=512) / bins.size
    richness = np.exp(-np.sum(shares[shares > 0] * np.log(shares[shares > 0])))
    assert richness > 12  # as many as 12 equally frequent colours
    # No quarter of the picture is an empty area.
    rows, columns = rgb.shape[0] // 4, rgb.shape[1] // 4
    busy = [
        detail(rgb[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns], 1)
        for i in range(4)
        for j in range(4)
    ]
    assert np.median(busy) > 0.015


def test_styles_differ_from_one_another(folder: Path) -> None:
    """No two styles have nearly the same colours and texture."""
    known = {name: statistics(read(folder / name)) for name in samples.STYLES}
    names = list(known)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            assert np.abs(known[one] - known[other]).sum() > 0.25, (one, other)


def test_what_ships_is_drawn_by_the_scripts_as_they_are(folder: Path) -> None:
    """Every style and the photo lie in the project, large, and each is most like its own script."""
    files = samples.shipped()
    assert sum(path.stat().st_size for path in files) <= 6_000_000
    drawn = {PICTURES[path.name]: read(path) for path in folder.iterdir()}
    drawn = {module: drawn[module] for module in files.values()}
    for path, module in files.items():
        height, width = drawn[module].shape[:2]
        with Image.open(path) as picture:
            assert max(picture.size) == samples.SHIPPED_SIDE and picture.mode == "RGB"
            small = np.asarray(picture.resize((width, height), Image.Resampling.BOX)) / 255
        apart = {n: np.abs(coarse(small) - coarse(d)).mean() for n, d in drawn.items()}
        assert min(apart, key=lambda n: apart[n]) == module


def coarse(rgb: np.ndarray) -> np.ndarray:
    """Mean colours of a grid of 8 x 8 areas."""
    rows, columns = rgb.shape[0] // 8, rgb.shape[1] // 8
    return rgb[: 8 * rows, : 8 * columns].reshape(8, rows, 8, columns, 3).mean(axis=(1, 3))


def test_a_senseless_size_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A size that cannot be drawn ends with a sentence and writes nothing."""
    with pytest.raises(SystemExit):
        samples.main([str(tmp_path / "none"), "--long-side", "7"])
    assert "between" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        samples.main([])
    assert "--ship" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_the_finest_grain_can_be_written(tmp_path: Path) -> None:
    grain = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    for ship in (False, True):
        samples.save(Image.fromarray(grain), tmp_path / "grain.jpg", ship)
        assert read(tmp_path / "grain.jpg").shape == (300, 300, 3)
