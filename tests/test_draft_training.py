"""The training of the draft network, on pictures so small that it takes seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from benchmarks import draft_samples, draft_training
from benchmarks.draft_pictures import Crops, read_folder
from styleengine.networks import draft
from tests.helpers import drawn_weights

SMALLER = ((32, 20), (48, 48), (96, 64), (128, 128), (160,))
"""Blocks of an earlier network: fewer channels, and fewer convolutions in a block."""


def pictures(folder):
    rng = np.random.default_rng(6)
    for k in range(3):
        coarse = rng.integers(0, 256, (9 + k, 12, 3)).astype(np.uint8)
        image = Image.fromarray(coarse).resize((240, 180), Image.Resampling.BICUBIC)
        image.save(folder / f"{k}.png")
    return folder


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Trains with little of everything and a drawn teacher; gives the arguments."""
    for name, value in (("SIZE", 64), ("CANVAS", 80), ("WINDOWS", {"relu1_1": 24})):
        monkeypatch.setattr(draft_samples, name, value)
    for name, value in (("FIRST", 6), ("STILL_ONLY", 2), ("REUSE", 1)):
        monkeypatch.setattr(draft_training, name, value)
    teacher = drawn_weights()
    monkeypatch.setattr(draft_training, "resolve", lambda: teacher)
    monkeypatch.setattr(draft_training, "own_drawings", list)  # they take long to draw
    (tmp_path / "pictures").mkdir()
    return [str(pictures(tmp_path / "pictures")), "--rate", "1e-3", "--seed", "5"]


def test_the_same_command_trains_the_same_network(small, tmp_path):
    for name in ("one", "two"):
        path = tmp_path / f"{name}.safetensors"
        assert draft_training.main([*small, "--steps", "3", "--out", str(path)]) == 0
    one, two = (load_file(tmp_path / f"{n}.safetensors") for n in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[k], two[k]) for k in one)
    draft.load(path=tmp_path / "one.safetensors")


@pytest.fixture
def batch(small):
    """A student and samples for it."""
    crops = Crops(read_folder(Path(small[0])), 5)
    pool = draft_samples.Pool(crops, draft_samples.Teacher(drawn_weights()), 8)
    for _ in range(4):
        pool.add_still()
    return draft_training.start(pool, 1), pool.batch(4)


def test_the_loss_is_relative_to_the_teachers_own_size(batch):
    student, samples = batch
    _, parts = draft_training.loss(student, samples)
    name = "relu4_1"
    with torch.no_grad():
        seen = student(torch.cat([s.seen for s in samples]))[name].double().numpy()
    q = student.net.maps[name].detach().double().numpy()
    ours = np.einsum("tc,nchw->nthw", q, seen)
    theirs = torch.cat([s.features[name] for s in samples]).double().numpy()
    error = ours - theirs
    pairs = theirs.reshape(4, -1)
    assert parts[f"features {name}"] == pytest.approx(
        (error**2).mean() / pairs.var(axis=1, ddof=1).mean(), rel=0.05
    )
    apart = np.diff(error.reshape(4, 2, -1), axis=1)[:, 0]
    moved = (np.diff(theirs.reshape(4, 2, -1), axis=1)[:, 0] ** 2).mean(1)
    moves = ((apart**2).mean(1) / (moved + 0.02 * moved.mean())).mean()
    assert parts[f"moves {name}"] == pytest.approx(moves, rel=0.05)


def test_a_step_down_the_loss_brings_the_network_nearer(batch):
    student, samples = batch
    optimizer = draft_training.Optimizer(student, 1e-4, 1e-4, 100)
    before = {n: p.detach().clone() for n, p in student.named_parameters()}
    values = []
    for _ in range(20):
        value, _ = draft_training.loss(student, samples)
        optimizer.step(value)
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in student.parameters())
        values.append(float(value.detach()))
    assert values[-1] < 0.95 * values[0]
    assert not any(torch.equal(p, before[n]) for n, p in student.named_parameters())


def test_what_lies_below_stays_as_it_is(small, tmp_path):
    first, second = (tmp_path / f"{n}.safetensors" for n in ("first", "second"))
    assert draft_training.main([*small, "--steps", "2", "--out", str(first)]) == 0
    more = ["--steps", "2", "--start", str(first), "--above", "relu3_1", "--out", str(second)]
    assert draft_training.main([*small, *more]) == 0
    old, new = (draft.load(path=p) for p in (first, second))
    image = torch.rand((1, 3, 48, 64), generator=torch.Generator().manual_seed(3))
    before, after = old(image), new(image)
    for name in draft.MAPPED:
        same = torch.equal(old.maps[name], new.maps[name]) and torch.equal(
            before[name], after[name]
        )
        assert same == (name in ("relu1_1", "relu2_1", "relu3_1")), name


def test_what_learns_starts_from_the_features_below(small, tmp_path):
    torch.manual_seed(4)
    net = draft_training.fresh()
    for q in net.maps.values():
        q.copy_(torch.randn(q.shape))
    student = draft_training.Student(net, "relu3_1")
    assert student.layers == ("relu4_1", "relu4_2", "relu5_1")
    crops = Crops(read_folder(Path(small[0])), 5)
    teacher = draft_samples.Teacher(drawn_weights(), student.layers)
    pool = draft_samples.Pool(crops, teacher, 8, student.below)
    pool.fill(2)
    (sample,) = pool.batch(1)
    assert sample.seen.shape == (2, 160, 16, 16) and set(sample.features) == set(student.layers)
    image = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(3))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = student(student.below(image))
    with torch.no_grad():
        wanted = net(image)
    for name in ("relu4_1", "relu5_1"):  # relu4_2 is mapped there
        error = (found[name].float() - wanted[name]).norm() / wanted[name].norm()
        assert float(error) < 0.02, name


def test_layers_below_are_those_of_a_network_that_learnt_before(small, tmp_path, capsys):
    with pytest.raises(SystemExit):
        draft_training.main([*small, "--above", "relu3_1", "--out", str(tmp_path / "x")])
    assert "--start" in capsys.readouterr().err


def test_a_grown_network_sees_what_it_saw_before(monkeypatch, tmp_path):
    with monkeypatch.context() as before:
        before.setattr(draft, "DRAFT_BLOCKS", SMALLER)
        torch.manual_seed(1)
        old = draft_training.fresh()
        for q in old.maps.values():
            q.copy_(torch.randn(q.shape))
        path = tmp_path / "old.safetensors"
        save_file({k: v.half().contiguous() for k, v in old.state_dict().items()}, path)
        old.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    grown = draft_training.copy_of(draft_training.grown(path, seed=2))
    image = torch.rand((1, 3, 48, 64), generator=torch.Generator().manual_seed(3))
    for name, seen in grown(image).items():
        known = old(image)[name]
        if name != draft.CONTENT_LAYER:  # that one is mapped already
            mapped = torch.einsum("tc,bchw->bthw", grown.maps[name], seen)
            known = torch.einsum("tc,bchw->bthw", old.maps[name], known)
            assert torch.allclose(mapped, known, rtol=1e-4, atol=1e-3)
        else:
            assert torch.allclose(seen, known, rtol=1e-4, atol=1e-3)
    # New channels are at work as soon as something asks for them.
    assert float(grown(image)["relu5_1"][:, 160:].abs().max()) > 0
