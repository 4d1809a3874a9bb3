"""Weight files in every layout, good and bad, and the choice between them."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
import torch.nn.functional as F

from styleengine.protocol import EngineError
from styleengine.weights import sources, store
from styleengine.weights.reading import load_file
from styleengine.weights.vgg_layout import BLOCKS, LAYERS, OXFORD_BIAS, Layer, fold, layers_of
from tests.file_server import Site, serving
from tests.patience import DEADLINE

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "vgg19" / "vgg19_notop_rebuilt.h5"
THIN = layers_of(tuple((convs, 4 + block) for block, (convs, _) in enumerate(BLOCKS)))
Arrays = dict[str, np.ndarray]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("STYLEENGINE_WEIGHTS", "STYLEENGINE_WEIGHTS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STYLEENGINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def drawn(layers: tuple[Layer, ...] = THIN, seed: int = 3) -> Arrays:
    rng = np.random.default_rng(seed)
    return {
        f"{layer.key}.{kind}": rng.standard_normal(shape, dtype=np.float32)
        for layer in layers
        for kind, shape in layer.shapes.items()
    }


def renamed(arrays: Arrays, name: Callable[[Layer, str], str]) -> Arrays:
    return {name(x, kind): arrays[f"{x.key}.{kind}"] for x in THIN for kind in x.shapes}


def tensors(arrays: Arrays) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(array) for key, array in arrays.items()}


def folded(arrays: Arrays, convention: str) -> Arrays:
    """An independent formula: the response to black and to each pure channel, per tap."""
    w = arrays["features.0.weight"].astype(np.float64)
    b = arrays["features.0.bias"].astype(np.float64)
    out_w, out_b = np.zeros_like(w), b.copy()
    for o, i, y, x in np.ndindex(*w.shape):
        if convention == "caffe":
            out_w[o, 2 - i, y, x] = 255 * w[o, i, y, x]
            out_b[o] -= (103.939, 116.779, 123.68)[i] * w[o, i, y, x]
        else:
            std, mean = (0.229, 0.224, 0.225)[i], (0.485, 0.456, 0.406)[i]
            out_w[o, i, y, x] = w[o, i, y, x] / std
            out_b[o] -= mean / std * w[o, i, y, x]
    return {**arrays, "features.0.weight": out_w, "features.0.bias": out_b}


def assert_same(found: Arrays, expected: Arrays, rtol: float = 1e-6) -> None:
    assert found.keys() == expected.keys()
    for key, array in found.items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, expected[key], rtol=rtol, atol=rtol, err_msg=key)


# --- layer table and folding ------------------------------------------------------------------


def test_layer_table_is_the_papers() -> None:
    """Sixteen convolutions, 20,024,384 parameters; a ReLU after each, a pooling per block."""
    assert [x.index for x in LAYERS] == [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
    assert sum(int(np.prod(s)) for x in LAYERS for s in x.shapes.values()) == 20_024_384


def test_layer_table_is_torchvisions() -> None:
    try:
        from torchvision import models
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        pytest.skip(f"torchvision cannot be imported here: {error}")
    with torch.device("meta"):
        theirs = models.vgg19().features.state_dict()
    ours = {f"{x.index}.{k}": shape for x in LAYERS for k, shape in x.shapes.items()}
    assert ours == {key: tuple(t.shape) for key, t in theirs.items()}
    assert [x.name for x in LAYERS if x.block == 4] == ["conv4_1", "conv4_2", "conv4_3", "conv4_4"]


@pytest.mark.parametrize("convention", ["caffe", "torchvision"])
def test_folding_is_exact_up_to_the_border(convention: str) -> None:
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((5, 3, 3, 3), dtype=np.float32)
    bias = rng.standard_normal(5, dtype=np.float32)
    rgb = torch.from_numpy(rng.random((1, 3, 9, 7)))
    if convention == "caffe":
        prepared = 255 * rgb.flip(1) - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    else:
        mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        prepared = (rgb - mean) / torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)

    def conv(x: torch.Tensor, w: np.ndarray, b: np.ndarray) -> torch.Tensor:
        padded = F.pad(x.double(), (1, 1, 1, 1), mode="replicate")
        return F.conv2d(padded, torch.from_numpy(w).double(), torch.from_numpy(b).double())

    expected = conv(prepared, weight, bias)
    found = conv(rgb, *fold(weight, bias, convention))
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


# --- layouts ----------------------------------------------------------------------------------


def keras_file(path: Path, arrays: Arrays, layers: tuple[Layer, ...], style: str = "old") -> Path:
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if style == "full" else file
        for x in layers:
            name = f"block{x.block}_conv{x.number}"
            group = root.create_group(name)
            if style != "old":
                group = group.create_group(name)
            names = (f"{name}_W_1:0", f"{name}_b_1:0") if style == "old" else ("kernel:0", "bias:0")
            kernel = arrays[f"{x.key}.weight"].transpose(2, 3, 1, 0)
            group.create_dataset(names[0], data=kernel)
            group.create_dataset(names[1], data=arrays[f"{x.key}.bias"])
    return path


@pytest.mark.parametrize("style", ["old", "new", "full"])
def test_keras(tmp_path: Path, style: str) -> None:
    arrays = drawn()
    loaded = load_file(keras_file(tmp_path / "w.h5", arrays, THIN, style), layers=THIN)
    assert loaded.convention == "caffe" and loaded.title == "Oxford VGG19 (w.h5)"
    assert_same(loaded.arrays, folded(arrays, "caffe"))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("shape", ["torchvision", "sequential", "checkpoint", "parallel"])
def test_torch(tmp_path: Path, shape: str, legacy: bool) -> None:
    arrays = drawn()
    content: dict[str, Any] = dict(tensors(arrays))
    if shape == "torchvision":
        content["classifier.0.weight"] = torch.zeros(7, 7)
    elif shape == "sequential":
        content = {key.removeprefix("features."): t for key, t in content.items()}
    elif shape == "checkpoint":
        content = {"epoch": 3, "state_dict": content}
    else:
        content = {f"module.{key}": t for key, t in content.items()}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    loaded = load_file(tmp_path / "w.pth", layers=THIN)
    assert loaded.convention == "torchvision" and loaded.title == "torchvision VGG19 (w.pth)"
    assert_same(loaded.arrays, folded(arrays, "torchvision"))


def test_gatys_names_mean_caffe(tmp_path: Path) -> None:
    arrays = drawn()
    torch.save(
        tensors(renamed(arrays, lambda x, kind: f"{x.name}.{kind}")), tmp_path / "vgg_conv.pth"
    )
    loaded = load_file(tmp_path / "vgg_conv.pth", layers=THIN)
    assert loaded.convention == "caffe"
    assert_same(loaded.arrays, folded(arrays, "caffe"))


def test_oxford_weights_are_known_by_their_biases(tmp_path: Path) -> None:
    """As in jcjohnson's conversion: torchvision's names, Caffe's input, here in half precision."""
    arrays = drawn()
    arrays["features.0.bias"][:4] = OXFORD_BIAS
    torch.save({k: t.half() for k, t in tensors(arrays).items()}, tmp_path / "w.pth")
    loaded = load_file(tmp_path / "w.pth", layers=THIN)
    assert loaded.convention == "caffe"
    assert_same(loaded.arrays, folded(arrays, "caffe"), rtol=2e-2)


def test_known_file_names_decide(tmp_path: Path) -> None:
    torch.save(tensors(drawn()), tmp_path / "vgg19-d01eb7cb.pth")
    assert load_file(tmp_path / "vgg19-d01eb7cb.pth", layers=THIN).convention == "caffe"


def test_the_user_decides_over_everything(tmp_path: Path) -> None:
    arrays = drawn()
    path = keras_file(tmp_path / "w.h5", arrays, THIN)
    assert_same(load_file(path, "rgb01", THIN).arrays, arrays)
    with pytest.raises(EngineError, match="convention must be one of auto, caffe") as caught:
        load_file(path, "bgr", THIN)
    assert caught.value.code == "bad-setting"


def test_safetensors(tmp_path: Path) -> None:
    arrays = drawn()
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file({k: t.bfloat16() for k, t in tensors(arrays).items()}, path)
    assert_same(load_file(path, layers=THIN).arrays, folded(arrays, "torchvision"), rtol=3e-2)
    safetensors.numpy.save_file(arrays, path, {"convention": "caffe", "source": "mine"})
    loaded = load_file(path, layers=THIN)
    assert loaded.title == "mine"
    assert_same(loaded.arrays, folded(arrays, "caffe"))
    safetensors.numpy.save_file(arrays, path, {"convention": "nonsense"})
    assert load_file(path, layers=THIN).convention == "torchvision"


# --- files that will not do -------------------------------------------------------------------


def refused(path: Path, layers: tuple[Layer, ...] = THIN, code: str = "bad-weights") -> str:
    """The message for a file, checked to have a next step and to leave no trace in the store."""
    before = sorted(store.stored_path().parent.rglob("*"))
    with pytest.raises(EngineError) as caught:
        store.import_file(path, layers=layers)
    assert caught.value.code == code
    assert caught.value.message.endswith(".") and "weights import FILE" in caught.value.hint
    assert sorted(store.stored_path().parent.rglob("*")) == before
    return caught.value.message


def saved(path: Path, arrays: Arrays) -> Path:
    torch.save(tensors(arrays), path)
    return path


def test_missing_folder_empty_and_foreign_files(tmp_path: Path) -> None:
    assert "There is no weight file" in refused(tmp_path / "no.pth", code="no-such-file")
    assert "is a folder" in refused(tmp_path, code="cannot-read")
    (tmp_path / "e.h5").touch()
    assert refused(tmp_path / "e.h5") == "“e.h5” is empty."
    (tmp_path / "t.h5").write_text("<html>404 not found</html>")
    assert "is not a weight file" in refused(tmp_path / "t.h5")
    torch.save({"a": torch.zeros(3)}, tmp_path / "a.pth")
    assert "holds no VGG19" in refused(tmp_path / "a.pth")
    torch.save([1, 2], tmp_path / "l.pth")
    assert "holds no VGG19" in refused(tmp_path / "l.pth")


def test_missing_layer_wrong_shape_nan(tmp_path: Path) -> None:
    arrays = drawn()
    less = {k: v for k, v in arrays.items() if not k.startswith("features.21.")}
    message = refused(saved(tmp_path / "w.pth", less))
    assert message == "“w.pth” is not a complete VGG19: it lacks conv4_2."
    wide = {**arrays, "features.2.weight": np.zeros((4, 4, 5, 5), np.float32)}
    message = refused(saved(tmp_path / "w.pth", wide))
    assert message.endswith("the weight of conv1_2 is 4×4×5×5 instead of 4×4×3×3.")
    for value in (np.nan, np.inf, -1e30):
        arrays["features.34.bias"][1] = value
        message = refused(saved(tmp_path / "w.pth", arrays))
        assert "the bias of conv5_4 holds values that cannot be right" in message


def test_other_networks_are_named(tmp_path: Path) -> None:
    vgg16 = layers_of(tuple((min(n, 3), 4 + b) for b, (n, _) in enumerate(BLOCKS)))
    arrays = drawn(vgg16)
    message = refused(saved(tmp_path / "w.pth", arrays))
    assert message.startswith("“w.pth” is a VGG16, not a VGG19: it lacks conv3_")
    message = refused(keras_file(tmp_path / "w.h5", arrays, vgg16))
    assert message == "“w.h5” is a VGG16, not a VGG19: it lacks conv3_4, conv4_4, conv5_4."
    normed = {**drawn(), "features.1.running_mean": np.zeros(4, np.float32)}
    assert "batch normalisation" in refused(saved(tmp_path / "w.pth", normed))
    message = refused(saved(tmp_path / "w.pth", drawn()), LAYERS)
    assert "the weight of conv1_1 is 4×3×3×3 instead of 64×3×3×3" in message


@pytest.mark.parametrize("kind", ["h5", "pth", "legacy.pth", "safetensors"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_truncated(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / f"w.{kind}"
    if kind == "h5":
        keras_file(path, drawn(), THIN)
    elif kind == "safetensors":
        safetensors.numpy.save_file(drawn(), path)
    else:
        torch.save(tensors(drawn()), path, _use_new_zipfile_serialization=kind == "pth")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert "is damaged" in refused(path)


class Bomb:
    """Unpickling it makes a file, through a function that pickle is happy to call."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.mark),))


@pytest.mark.parametrize("how", ["bare", "zip", "legacy", "beside the weights"])
def test_pickle_bomb_is_not_executed(tmp_path: Path, how: str) -> None:
    mark, path = tmp_path / "executed", tmp_path / "w.pth"
    content = {**tensors(drawn()), "extra": Bomb(mark)} if how.startswith("beside") else Bomb(mark)
    if how == "bare":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how != "legacy")
    assert "it was not opened, because it could run a program" in refused(path)
    assert not mark.exists()
    torch.load(path, weights_only=False) if how != "bare" else pickle.loads(path.read_bytes())
    assert mark.exists()  # the bomb was live


# --- the store and the choice -----------------------------------------------------------------


def test_nothing_installed() -> None:
    assert not store.installed()
    with pytest.raises(EngineError, match="styleengine weights fetch") as caught:
        store.resolve()
    assert caught.value.code == "no-weights"
    found = store.status()
    assert (found.name, found.origin, found.path) == ("draft", "built-in", None)
    assert "Creative Commons" in found.licence


def test_import_then_resolve_and_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """At full width: what goes in as Keras comes out of the store, and is preferred rightly."""
    arrays = drawn(LAYERS)
    found = store.import_file(keras_file(tmp_path / "mine.h5", arrays, LAYERS))
    assert (found.name, found.origin) == ("vgg19", "stored")
    assert found.source == "Oxford VGG19 (mine.h5)" and "Creative Commons" in found.licence
    assert found.path == home / "weights" / "vgg19.safetensors"
    assert found.path.stat().st_size == pytest.approx(80_100_000, rel=0.001)

    assert store.installed()
    stored = store.resolve()
    assert stored.source == "Oxford VGG19 (mine.h5)"
    expected = folded({k: v for k, v in arrays.items() if k.startswith("features.0.")}, "caffe")
    for key, tensor in stored.tensors.items():
        np.testing.assert_allclose(tensor.numpy(), expected.get(key, arrays[key]), rtol=1e-6)

    # Its own format is understood again, as a file that the user names.
    copy = found.path.rename(tmp_path / "copy.safetensors")
    monkeypatch.setenv("STYLEENGINE_WEIGHTS", str(copy))
    assert (store.status().origin, store.status().problem) == ("file", "")
    named = store.resolve()
    assert all(torch.equal(named.tensors[k], t) for k, t in stored.tensors.items())

    # A file that was asked for and is not there is never passed over in silence.
    copy.unlink()
    assert store.installed()
    assert "There is no weight file" in store.status().problem
    with pytest.raises(EngineError) as caught:
        store.resolve()
    assert caught.value.code == "no-such-file"


def test_damaged_store_is_said_and_survives_failed_imports(tmp_path: Path) -> None:
    store.import_file(saved(tmp_path / "w.pth", drawn()), layers=THIN)
    before = store.stored_path().read_bytes()
    bad = saved(tmp_path / "bad.pth", {"features.0.weight": np.zeros((4, 3, 3, 3), np.float32)})
    refused(bad)
    assert store.stored_path().read_bytes() == before
    with pytest.raises(EngineError, match="is damaged") as caught:  # thin: not a VGG19 to run with
        store.resolve()
    assert caught.value.code == "bad-weights"
    for broken in (before[:-10], before[:5], b"", b"x" * 1000):
        store.stored_path().write_bytes(broken)
        assert "is damaged" in store.status().problem
        with pytest.raises(EngineError, match="is damaged"):
            store.resolve()


def test_unwritable_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STYLEENGINE_HOME", str(tmp_path / "file"))
    with pytest.raises(EngineError, match="could not be made") as caught:
        store.import_file(saved(tmp_path / "w.pth", drawn()), layers=THIN)
    assert caught.value.code == "cannot-write" and "STYLEENGINE_HOME" in caught.value.hint


def test_status_needs_no_torch() -> None:
    code = (
        "import sys; from styleengine.weights import store; store.status();"
        "sys.exit(any(m in sys.modules for m in ('torch', 'PIL', 'h5py')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.skipif(not SHARED.exists(), reason=f"{SHARED} is not here")
def test_the_real_thing() -> None:
    found = store.resolve(str(SHARED))
    assert found.source == f"Oxford VGG19 ({SHARED.name})"
    with h5py.File(SHARED) as file:
        group = file["block1_conv1"]
        kernel = group["block1_conv1_W_1:0"][()].astype(np.float64)
        bias = group["block1_conv1_b_1:0"][()].astype(np.float64)
    pixel = np.array([200.0, 90.0, 30.0])  # RGB, 0–255; a flat picture
    bgr = pixel[::-1] - (103.939, 116.779, 123.68)
    expected = np.einsum("yxio,i->o", kernel, bgr) + bias
    weight = found.tensors["features.0.weight"].double().numpy()
    offset = found.tensors["features.0.bias"].double().numpy()
    response = np.einsum("oiyx,i->o", weight, pixel / 255) + offset
    np.testing.assert_allclose(response, expected, rtol=1e-5, atol=1e-4)


# --- fetching ---------------------------------------------------------------------------------


def thin_source(site: Site, title: str = "Thin VGG19") -> sources.Source:
    return sources.Source("thin", title, "for tests", "thin.h5", site.remote())


def test_the_published_constants() -> None:
    """The file that Keras' own code asks for, and torchvision's file name with its hash."""
    keras, vision = sources.KERAS, sources.TORCHVISION
    assert keras.remote.digest == "253f8cb515780f3b799900260a226db6"
    assert (keras.remote.algorithm, keras.remote.size) == ("md5", 80_134_624)
    assert all(u.endswith(f"/{keras.file_name}") for u in keras.remote.urls)
    assert vision.file_name == f"vgg19-{vision.remote.digest}.pth"


def test_fetch_converts_stores_and_tidies_up(tmp_path: Path, home: Path) -> None:
    arrays = drawn()
    body = keras_file(tmp_path / "k.h5", arrays, THIN).read_bytes()
    with serving(Site(body, cut=[20_000])) as site:
        found = store.fetch(thin_source(site), layers=THIN)
    assert (found.source, found.licence) == ("Thin VGG19", "for tests")
    assert sorted(p.name for p in (home / "weights").iterdir()) == [".lock", "vgg19.safetensors"]
    assert_same(safetensors.numpy.load_file(store.stored_path()), folded(arrays, "caffe"))


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_fetch_from_a_mirror_with_its_own_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    body = saved(tmp_path / "m.pth", drawn()).read_bytes()
    digest = hashlib.new(algorithm, body).hexdigest()
    with serving(Site(body)) as site:
        monkeypatch.setenv("STYLEENGINE_WEIGHTS_URL", f"{site.url('my.pth')}#{algorithm}={digest}")
        found = store.fetch(layers=THIN)
        assert found.source == "torchvision VGG19 (my.pth)"
        wrong = f"{site.url('my.pth')}#{algorithm}={digest[::-1]}"
        before = store.stored_path().read_bytes()
        with pytest.raises(EngineError, match="wrong checksum") as caught:
            store.fetch(url=wrong, layers=THIN)
        assert caught.value.code == "bad-download"
        assert store.stored_path().read_bytes() == before
        # Without a hash a mirror must hold the original, whose size is known.
        with pytest.raises(EngineError, match="instead of 80134624"):
            store.fetch(url=site.url(), layers=THIN)


@pytest.mark.parametrize("fragment", ["md5=123", "sha1=" + "0" * 40, "foo", "md5="])
def test_mirror_with_a_malformed_hash(fragment: str) -> None:
    with pytest.raises(EngineError, match="does not end in a hash"):
        store.fetch(url=f"http://127.0.0.1:9/w.h5#{fragment}")


def test_unknown_source() -> None:
    with pytest.raises(EngineError, match="there are keras, torchvision") as caught:
        store.fetch("oxford")
    assert caught.value.code == "bad-setting"


def test_fetch_of_something_else(tmp_path: Path, home: Path) -> None:
    store.import_file(saved(tmp_path / "w.pth", drawn()), layers=THIN)
    before = store.stored_path().read_bytes()
    with serving(Site(b"\x89HDF\r\n\x1a\n but no more")) as site, pytest.raises(EngineError) as e:
        store.fetch(thin_source(site), layers=THIN)
    assert e.value.code == "bad-weights" and "“thin.h5” is damaged" in e.value.message
    assert store.stored_path().read_bytes() == before
    assert sorted(p.name for p in (home / "weights").iterdir()) == [".lock", "vgg19.safetensors"]


_FETCH = """
import sys
from styleengine.weights import sources, store
from styleengine.weights.download import Remote
from styleengine.weights.vgg_layout import BLOCKS, layers_of
thin = layers_of(tuple((convs, 4 + block) for block, (convs, _) in enumerate(BLOCKS)))
remote = Remote((sys.argv[1],), "sha256", sys.argv[2], int(sys.argv[3]))
store.fetch(sources.Source("t", "Thin", "", "thin.h5", remote), layers=thin)
"""


def fetching(site: Site) -> subprocess.Popen[str]:
    remote = site.remote()
    arguments = [remote.urls[0], remote.digest, str(remote.size)]
    return subprocess.Popen([sys.executable, "-c", _FETCH, *arguments], cwd=ROOT, text=True)


def until(condition: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end and child.poll() is None


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process with a POSIX signal")
def test_two_processes_and_a_killed_one(tmp_path: Path, home: Path) -> None:
    body = keras_file(tmp_path / "k.h5", drawn(), THIN).read_bytes()
    part = home / "weights" / "thin.h5.part"
    with serving(Site(body, hold_after=10_000)) as site:
        with fetching(site) as child:
            until(lambda: part.exists() and part.stat().st_size == 10_000, child)
            with pytest.raises(EngineError) as caught:
                store.fetch(thin_source(site), layers=THIN)
            assert caught.value.code == "download-running"
            assert part.stat().st_size == 10_000
            child.kill()
        # The lock died with its owner, what it had received did not.
        site.release.set()
        store.fetch(thin_source(site), layers=THIN)
        assert site.requests == [None, "bytes=10000-"]
    assert_same(safetensors.numpy.load_file(store.stored_path()), folded(drawn(), "caffe"))


def test_stored_weights_that_hold_no_number_are_damaged() -> None:
    """Not to be found out by a painting that goes astray, or is black."""
    from safetensors.numpy import save_file

    arrays = drawn(LAYERS)
    path = store.stored_path()
    path.parent.mkdir(parents=True)
    metadata = {"format": store.FORMAT, "source": "x"}
    save_file(arrays, path, metadata)
    assert store.resolve().source == "x"
    for value in (float("nan"), float("inf")):
        odd = arrays["features.28.weight"].copy()
        odd[5, 6, 1, 1] = value
        save_file({**arrays, "features.28.weight": odd}, path, metadata)
        with pytest.raises(EngineError) as caught:
            store.resolve()
        assert caught.value.code == "bad-weights" and "damaged" in caught.value.message


@pytest.mark.skipif(os.name == "nt", reason="needs FIFOs and /dev")
def test_weights_that_are_no_file_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", tmp_path / "pipe"):
        for use in (store.resolve, store.import_file):
            with pytest.raises(EngineError) as caught:
                use(str(path))
            assert caught.value.code == "cannot-read"
            assert "is a device or a pipe, not a file" in caught.value.message
    with open(tmp_path / "huge.h5", "wb") as file:
        file.truncate(5 << 30)
    with pytest.raises(EngineError, match="larger than any file of a VGG19"):
        store.resolve(str(tmp_path / "huge.h5"))
