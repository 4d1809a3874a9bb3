"""Faces are found, with their eyes and mouths, and nothing else is; and what is done about them."""

from __future__ import annotations

import dataclasses
import importlib.util
import types

import numpy as np
import pytest
import torch

from styleengine.networks import faces
from styleengine.networks.faces import Face, FaceFinder
from styleengine.pictures.picture import Picture
from styleengine.protocol import EngineError
from styleengine.scene import holding
from tests.helpers import TINY, job, paint, picture, shared_picture

BROWN, SKIN, DARK, WHITE, LIPS = (
    (0.22, 0.14, 0.10),
    (0.85, 0.66, 0.55),
    (0.12, 0.08, 0.07),
    (0.95, 0.93, 0.90),
    (0.62, 0.24, 0.24),
)
EYES, MOUTH = ((0.39, 0.475), (0.61, 0.475)), ((0.42, 0.72), (0.58, 0.72))


def drawn(side: int) -> np.ndarray:
    """A face, (side, side, 3), two thirds as tall as the picture, its parts at those places."""
    y, x = np.mgrid[0.5:side, 0.5:side] / side
    image = np.full((side, side, 3), (0.45, 0.50, 0.55))

    def put(cx: float, cy: float, wide: float, tall: float, blur: float, share: float, color):
        inside = (1 - np.hypot((x - cx) / wide, (y - cy) / tall)) / blur + 0.5
        weight = share * np.clip(inside, 0, 1)[..., None]
        image[:] = image * (1 - weight) + weight * np.array(color)

    put(0.5, 0.46, 0.34, 0.40, 0.08, 1, BROWN)  # hair
    put(0.5, 0.90, 0.16, 0.25, 0.08, 1, SKIN)
    put(0.5, 0.54, 0.26, 0.34, 0.08, 1, SKIN)
    put(0.5, 0.75, 0.22, 0.14, 1, 0.25, (0.60, 0.42, 0.36))
    put(0.5, 0.60, 0.035, 0.035, 1, 0.5, (0.70, 0.50, 0.42))
    for eye, side_of in zip(EYES, (-1, 1), strict=True):
        put(*eye, 0.085, 0.06, 1, 0.5, (0.55, 0.38, 0.32))
        put(eye[0], 0.42, 0.075, 0.014, 0.6, 1, (0.25, 0.16, 0.12))
        put(*eye, 0.055, 0.026, 0.3, 1, WHITE)
        put(*eye, 0.024, 0.026, 0.3, 1, DARK)
        put(0.5 + 0.03 * side_of, 0.62, 0.014, 0.01, 0.8, 1, (0.40, 0.25, 0.20))
    put(0.5, 0.72, 0.085, 0.026, 0.4, 1, LIPS)
    put(0.5, 0.717, 0.080, 0.005, 0.6, 1, (0.35, 0.12, 0.12))
    return image.astype(np.float32)


def tensor(rgb: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(rgb).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def finder():
    return FaceFinder()


@pytest.mark.parametrize("side", [40, 60, 100, 160, 300])
def test_a_drawn_face_is_found_with_its_eyes_and_mouth(finder, side):
    (face,) = finder.find(tensor(drawn(side)))
    assert face.sure > 0.95
    for found, there in ((face.eyes, EYES), (face.mouth, MOUTH)):
        np.testing.assert_allclose(found, there, atol=0.03)
    left, top, right, bottom = face.box
    assert 0.2 < left < 0.35 and 0.65 < right < 0.8
    assert 0.15 < top < 0.42 and 0.75 < bottom < 0.95


def test_faces_of_several_sizes_are_found_where_they_are(finder):
    rgb = np.full((240, 400, 3), 0.5, np.float32)
    places = [(0, 0, 160), (10, 180, 60), (90, 180, 40), (60, 240, 150)]
    for top, left, side in places:
        rgb[top : top + side, left : left + side] = drawn(side)
    found = finder.find(tensor(rgb))
    seen = sorted(np.mean(face.eyes, 0)[0] * 400 for face in found)
    assert seen == pytest.approx(sorted(left + side / 2 for _, left, side in places), abs=4)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("block", [5, 16])
def test_no_face_is_found_where_none_is(finder, seed, block):
    assert finder.find(tensor(picture(200, 260, seed, block).rgb)) == ()


@pytest.mark.parametrize("size", [(8, 8), (8, 300), (15, 40), (300, 11)])
def test_small_and_narrow_pictures_have_no_faces(finder, size):
    assert finder.find(torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))) == ()


@pytest.mark.parametrize(
    "name, size, eyes, mouth",
    [  # looked up on the photos, at that size
        ("astronaut.png", (512, 512), ((204, 102), (246, 104)), ((203, 140), (247, 140))),
        ("grace_hopper.jpg", (512, 437), ((188, 162), (261, 160)), ((200, 238), (259, 235))),
    ],
)
def test_the_eyes_of_real_people_are_found(finder, name, size, eyes, mouth):
    (face,) = finder.find(shared_picture(f"content/{name}", size))
    unit = np.array(size[::-1])
    np.testing.assert_allclose(np.array(face.eyes) * unit, eyes, atol=5)
    np.testing.assert_allclose(np.array(face.mouth) * unit, mouth, atol=6)


@pytest.mark.parametrize(
    "name", ["chelsea.png", "coffee.png", "rocket.jpg", "tubingen.jpg", "hoovertowernight.jpg"]
)
def test_a_cat_a_cup_a_rocket_and_houses_are_no_faces(finder, name):
    assert finder.find(shared_picture(f"content/{name}", (340, 512))) == ()


def test_the_faces_of_a_picture_are_looked_for_once(monkeypatch):
    asked = []
    monkeypatch.setattr(faces, "load", lambda: "nets")
    monkeypatch.setattr(faces, "detect", lambda nets, image: asked.append(image.shape) or ())
    own = FaceFinder()
    first, other = torch.zeros(1, 3, 20, 30), torch.ones(1, 3, 20, 30)
    for image in (first, first.clone(), other, first, first.reshape(1, 3, 30, 20)):
        own.find(image)
    assert [tuple(shape[2:]) for shape in asked] == [(20, 30), (20, 30), (30, 20)]


@pytest.mark.parametrize("there", [True, False])
def test_without_the_weights_the_error_says_what_to_do(monkeypatch, tmp_path, there):
    spec = types.SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec if there else None)
    with pytest.raises(EngineError, match="faces is missing") as caught:
        faces.load()
    assert caught.value.code == "broken-install" and "installer" in caught.value.hint


# --- what is held for them ------------------------------------------------------------------------

FACE = Face((0.25, 0.25, 0.75, 0.9), EYES, (0.5, 0.6), MOUTH, 0.99)


def test_eyes_and_mouth_are_held_more_than_the_face_and_the_rest_not_at_all():
    held = holding.of_faces([FACE], (100, 100))
    for x, y in (*EYES, (0.5, 0.72)):
        assert held[round(100 * y), round(100 * x)] == pytest.approx(holding.PARTS)
    cheek = float(held[63, 36])
    assert 0 < cheek < holding.PARTS / 2
    for x, y in ((2, 2), (97, 50), (3, 97), (50, 3)):
        assert held[y, x] == 0
    assert float((held[1:] - held[:-1]).abs().max()) < holding.PARTS / 2  # soft


@pytest.mark.parametrize(
    "tall, weight", [(12, 0.0), (24, 1.0), (40, 1.6), (80, 1.0), (192, 0.5), (500, 0.25)]
)
def test_the_smaller_a_face_the_more_it_is_held_and_the_smallest_not_at_all(tall, weight):
    size = round(tall / 0.65)
    held = holding.of_faces([FACE], (size, size))
    if weight == 0:
        assert held is None
    else:
        assert float(held.max()) == pytest.approx(weight * holding.PARTS, rel=0.1)


def test_without_faces_nothing_is_held():
    assert holding.of_faces([], (50, 50)) is None


# --- runs -----------------------------------------------------------------------------------------

NOISE = {**TINY, "init": "noise", "strength": 100.0, "iterations": 8}


def test_where_no_face_is_the_setting_changes_nothing(engine):
    work = job(picture(64, 80))
    kept, painted = (
        paint(
            engine, dataclasses.replace(work, settings=dataclasses.replace(work.settings, faces=f))
        )
        for f in ("keep", "paint")
    )
    assert np.array_equal(kept.picture.rgb, painted.picture.rgb)


def test_a_face_is_painted_otherwise_than_the_rest_only_if_it_is_to_be_kept(engine):
    work = job(Picture(drawn(64)), strength=90)
    kept, painted = (
        paint(
            engine, dataclasses.replace(work, settings=dataclasses.replace(work.settings, faces=f))
        ).picture.rgb
        for f in ("keep", "paint")
    )
    apart = np.abs(kept - painted).mean(2)
    held = holding.of_faces(FaceFinder().find(tensor(drawn(64))), (64, 64)).numpy()
    assert apart[held > 0.9 * holding.PARTS].mean() > 2 * apart[held == 0].mean() > 0
