"""Plug-ins: real packages with entry points, good ones and broken ones."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import types
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from styleengine.engine import Engine
from styleengine.jobs import Result
from styleengine.networks.extractor import ExtractorRequest
from styleengine.networks.shelf import Shelf
from styleengine.pictures.picture import Picture
from styleengine.pictures.samples import kept
from styleengine.plugins import bundled
from styleengine.plugins.hookspecs import hookimpl
from styleengine.plugins.registry import Plugins, load_plugins
from styleengine.protocol import EngineError
from tests import toy_plugin
from tests.helpers import (
    ROOT,
    environment,
    install_package,
    job,
    paint,
    picture,
    run_cli,
    toy_plugins,
)

BUILT_IN = {
    "style_losses": {"covariance", "gram", "gram-moments"},
    "features": {"vgg19", "draft"},
    "postprocessors": {"contrast", "sharpen"},
}


def points(folder: Path):
    """The entry points of the packages installed in a folder."""
    return [p for d in distributions(path=[str(folder)]) for p in d.entry_points]


def loaded_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    monkeypatch.syspath_prepend(folder)
    return load_plugins(points(folder))


def built_ins_work(plugins: Plugins) -> bool:
    names = {kind: set(entries) for kind, entries in plugins.capabilities().items()}
    return "builtins" in plugins.loaded and all(BUILT_IN[kind] <= names[kind] for kind in BUILT_IN)


# --- good ones ------------------------------------------------------------------------------------


def test_the_plug_ins_of_the_documentation_paint():
    text = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    plugins = load_plugins(())
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL)):
        module = types.ModuleType(f"from_the_page_{number}")
        exec(block, module.__dict__)
        plugins.add(module.__name__, module)
    assert not plugins.broken and number
    work = job(picture(40, 48), features="small", style_loss="mean", iterations=3)
    assert np.isfinite(paint(Engine(plugins), work).picture.rgb).all()


def test_built_ins_come_through_the_same_hooks():
    plugins = load_plugins(())
    names = {kind: set(entries) for kind, entries in plugins.capabilities().items()}
    assert names == BUILT_IN
    assert all(label for entries in plugins.capabilities().values() for label in entries.values())
    assert not plugins.broken
    assert list(plugins.loaded) == ["builtins"]


def test_a_third_partys_loss_is_used_in_a_run_of_the_command(tmp_path):
    package = tmp_path / "package"
    source = (
        "import os\n"
        "from styleengine import GramLoss, hookimpl\n"
        "class Counting(GramLoss):\n"
        "    def distance(self, ours, target):\n"
        "        with open(os.environ['COUNT_FILE'], 'a') as file:\n"
        "            file.write('x')\n"
        "        return super().distance(ours, target) * 1000\n"
        "@hookimpl\n"
        "def register_style_losses(register):\n"
        "    register('counting', Counting, 'Counts')\n"
    )
    install_package(package, "counting-loss", source)
    install_package(package, "toy", ROOT / "tests" / "toy_plugin.py")
    env = environment(package, COUNT_FILE=str(tmp_path / "count"))
    for seed, name in enumerate(("photo", "style")):
        pixels = (picture(40, 48, seed).rgb * 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    traces = {}
    for loss in ("gram", "counting"):
        done = run_cli(
            "run", "photo.png", "--style", "style.png", "-o", f"{loss}.png", "--features", "thin",
            "--iterations", 3, "--init", "noise", "--style-loss", loss, "--trace", f"{loss}.json",
            env=env, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "thin test network" in done.stderr
        traces[loss] = json.loads((tmp_path / f"{loss}.json").read_text())
    calls = len((tmp_path / "count").read_text())
    assert calls == (3 + 3) * 2  # (steps + what the unit of each layer takes) × layers
    # Distances are measured in units of their own, so a thousandfold one changes nothing.
    first = {n: next(s["loss"] for s in t["steps"] if s["loss"]) for n, t in traces.items()}
    assert first["counting"] == pytest.approx(first["gram"], rel=1e-3)

    listed = run_cli("plugins", env=env)
    assert listed.returncode == 0
    assert "counting-loss (counting_loss)" in listed.stdout
    assert "Counts" in listed.stdout and "Test network thin" in listed.stdout


def test_an_entry_point_may_name_an_object(tmp_path, monkeypatch):
    source = (
        "from styleengine.plugins.hookspecs import hookimpl\n"
        "class Plugin:\n"
        "    @hookimpl\n"
        "    def register_postprocessors(self, register):\n"
        "        register('half', lambda result, content: result / 2, 'Half')\n"
        "plugin = Plugin()\n"
    )
    install_package(tmp_path, "half", source, "half:plugin")
    plugins = loaded_from(tmp_path, monkeypatch)
    assert plugins.loaded["half"] == "half:plugin"
    assert plugins.postprocessor("half")(np.ones(1), np.ones(1)) == 0.5


@pytest.mark.parametrize(
    ("switch", "expected"),
    [
        (None, {"one", "two"}),
        ("one", {"one"}),
        (" two , three", {"two"}),
        ("one,two", {"one", "two"}),
        ("", set()),
    ],
)
def test_the_switch_chooses_plug_ins(tmp_path, monkeypatch, switch, expected):
    source = (
        "from styleengine.plugins.hookspecs import hookimpl\n"
        "@hookimpl\n"
        "def register_postprocessors(register):\n"
        "    register(__name__, lambda result, content: result, 'Nothing')\n"
    )
    for name in ("one", "two"):
        install_package(tmp_path, name, source)
    if switch is None:
        monkeypatch.delenv("STYLEENGINE_PLUGINS", raising=False)
    else:
        monkeypatch.setenv("STYLEENGINE_PLUGINS", switch)
    plugins = loaded_from(tmp_path, monkeypatch)
    assert set(plugins.loaded) == {"builtins", *expected}
    assert set(plugins.postprocessors) == BUILT_IN["postprocessors"] | expected
    assert built_ins_work(plugins)


def test_unknown_names_are_answered_with_the_known_ones():
    plugins = load_plugins(())
    for find, known in (
        (plugins.style_loss, "gram"),
        (plugins.extractor, "draft"),
        (plugins.postprocessor, "sharpen"),
    ):
        with pytest.raises(EngineError) as caught:
            find("nice")
        assert caught.value.code == "unknown-name"
        assert "'nice'" in caught.value.message and known in caught.value.hint


# --- broken ones ----------------------------------------------------------------------------------

HEAD = "from styleengine.plugins.hookspecs import hookimpl\n"
POSTPROCESSOR = HEAD + "@hookimpl\ndef register_postprocessors(register):\n"
GOOD = POSTPROCESSOR + "    register({name!r}, max, 'x')\n"
BROKEN = {
    "syntax": "def (:\n",
    "missing": "import nothing_of_the_kind\n",
    "raises": "raise RuntimeError('at import')\n",
    "exits": "import sys\nsys.exit(3)\n",
    "argument": HEAD + "@hookimpl\ndef register_style_losses(registry):\n    pass\n",
    "taken": GOOD.format(name="sharpen"),
    "taken-later": POSTPROCESSOR
    + "    register('fresh', max, 'x')\n    register('sharpen', max, 'x')\n",
    "misspelt": HEAD + "@hookimpl\ndef register_style_loses(register):\n    pass\n",
    "call": HEAD + "@hookimpl\ndef register_style_losses(register):\n    register('only a name')\n",
    "hook-raises": HEAD + "@hookimpl\ndef register_extractors(register):\n    1 / 0\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plug_in_is_reported_and_the_others_work(tmp_path, monkeypatch, kind, caplog):
    install_package(tmp_path, f"broken-{kind}", BROKEN[kind])
    install_package(tmp_path, f"zz-good-{kind}", GOOD.format(name="good"))
    install_package(tmp_path, f"aa-good-{kind}", GOOD.format(name="better"))
    with caplog.at_level(logging.WARNING):
        plugins = loaded_from(tmp_path, monkeypatch)
    assert list(plugins.broken) == [f"broken-{kind}"]
    assert ": " in plugins.broken[f"broken-{kind}"]
    assert set(plugins.loaded) == {"builtins", f"zz-good-{kind}", f"aa-good-{kind}"}
    assert built_ins_work(plugins)
    assert set(plugins.postprocessors) == BUILT_IN["postprocessors"] | {"good", "better"}
    assert plugins.postprocessors["sharpen"][0] is bundled.sharpen
    assert any(f"broken-{kind}" in r.getMessage() for r in caplog.records)
    # Nothing of it is left behind to be called.
    assert f"broken-{kind}" not in [name for name, _ in plugins.manager.list_name_plugin()]


def test_a_package_whose_module_is_missing(tmp_path, monkeypatch):
    install_package(tmp_path, "ghost", "", "no_such_module")
    plugins = loaded_from(tmp_path, monkeypatch)
    assert "no_such_module" in plugins.broken["ghost"]
    assert built_ins_work(plugins)


def test_two_plug_ins_of_one_name_do_not_harm_the_first(tmp_path, monkeypatch):
    install_package(tmp_path / "a", "same", GOOD.format(name="first"))
    monkeypatch.syspath_prepend(tmp_path / "a")
    point = points(tmp_path / "a")[0]
    plugins = load_plugins([point])
    other = types.ModuleType("other")
    other.register_postprocessors = hookimpl(lambda register: register("second", max, "x"))
    plugins.add("same", other)
    plugins.add("builtins", types.ModuleType("impostor"))
    assert "first" in plugins.postprocessors and "second" not in plugins.postprocessors
    assert {"builtins", "same"} <= set(plugins.loaded)
    assert plugins.broken


def test_one_object_under_two_names_still_hears(tmp_path):
    heard = []
    plugins = load_plugins(())
    observer = types.ModuleType("observer")
    observer.observe = hookimpl(lambda event: heard.append(event))
    plugins.add("first", observer)
    plugins.add("second", observer)
    assert "first" in plugins.loaded
    plugins.observe(None, "event")
    assert heard == ["event"]


def test_the_command_lists_broken_plug_ins_and_says_so(tmp_path):
    for kind in ("missing", "taken", "exits"):
        install_package(tmp_path, f"broken-{kind}", BROKEN[kind])
    done = run_cli("plugins", env=environment(tmp_path))
    assert done.returncode == 1
    assert "broken-missing is broken: ModuleNotFoundError" in done.stdout
    assert "broken-taken is broken: ValueError: the name 'sharpen' is taken" in done.stdout
    assert "broken-exits is broken: SystemExit" in done.stdout
    assert "builtins (styleengine)" in done.stdout and "gram-moments" in done.stdout
    assert "Traceback" not in done.stdout


# --- observers ------------------------------------------------------------------------------------


def observer(function) -> types.ModuleType:
    module = types.ModuleType("observer")
    module.observe = hookimpl(function)
    return module


def test_observers_may_compute_with_a_photo_that_is_kept_in_its_bits(plain_precision):
    plugins, seen = toy_plugins(), []

    def watch(job, event):
        if isinstance(event, Result):
            seen.append((event.picture.rgb - job.content.rgb).dtype)

    plugins.add("watcher", observer(watch))
    work = job(picture(40, 40))
    bits = kept(np.rint(work.content.rgb * 255).astype(np.uint8))
    work = dataclasses.replace(work, content=Picture(bits))
    list(Engine(plugins).run(work))
    assert seen == [np.float32] and not plugins.broken


def test_observers_see_every_event_of_a_run(plain_precision):
    plugins = toy_plugins()
    seen = []
    plugins.add("watcher", observer(lambda job, event: seen.append((job, event))))
    work = job(picture(40, 40))
    events = list(Engine(plugins).run(work))
    assert [e for _, e in seen] == events
    assert all(j is work for j, _ in seen)


def test_an_observer_that_raises_is_dropped_and_the_run_goes_on(plain_precision, caplog):
    plugins = toy_plugins()
    seen, calls = [], []

    def bad(event):
        calls.append(event)
        raise KeyError("observer")

    plugins.add("first", observer(lambda event: seen.append(event)))
    plugins.add("bad", observer(bad))
    plugins.add("last", observer(lambda event: seen.append(event)))
    result = paint(Engine(plugins), job(picture(40, 40)))
    assert isinstance(result, Result)
    assert len(calls) == 1
    assert len(seen) == 2 * (2 + 4 + 1 + 1)
    assert plugins.broken == {"bad": "KeyError: 'observer'"}
    assert "bad" not in plugins.loaded and {"first", "last"} <= set(plugins.loaded)


def test_registering_a_plug_in_twice_by_hand_is_harmless():
    plugins = toy_plugins()
    plugins.add("toy", toy_plugin)
    assert "thin" in plugins.extractors
    assert "toy" in plugins.loaded


# --- the shelf ------------------------------------------------------------------------------------


def test_the_two_networks_used_last_stay_loaded(plain_precision):
    plugins, shelf, made = toy_plugins(), Shelf(), []
    entry = plugins.extractor("thin")

    def make(request):
        made.append(request.features)
        return entry.factory(request)

    def take(name):
        request = ExtractorRequest(toy_plugin.STYLE_LAYERS, "max", None, name)
        return shelf.take(dataclasses.replace(entry, factory=make), request, torch.device("cpu"))

    first = take("a")
    take("b")
    assert take("a") is first
    take("c")  # in the place of b
    made.clear()
    assert take("a") is first and not made
    take("b")
    assert set(made) == {"b"}


def test_what_is_no_network_of_ours_is_a_broken_plug_in():
    plugins = toy_plugins()
    entry = dataclasses.replace(plugins.extractor("thin"), factory=lambda request: object())
    request = ExtractorRequest(toy_plugin.STYLE_LAYERS, "max", None, "thing")
    with pytest.raises(EngineError) as caught:
        Shelf().take(entry, request, torch.device("cpu"))
    assert caught.value.code == "bad-plugin" and "styleengine.Network" in caught.value.message
