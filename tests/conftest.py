"""What all tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from styleengine import protocol
from styleengine.machine.openmp import wait_briefly

# Before torch is imported, as the command does: beside other work two threads that spin for each
# other take ten times as long.
wait_briefly()

# The installer puts a copy of the protocol beside the plug-in; here it is the original.
sys.modules["protocol"] = protocol

GIMP_TESTS = Path(__file__).resolve().parent / "gimp"
MUST_HAVE_GIMP = os.environ.get("NEURAL_STYLE_REQUIRE_GIMP") == "1"


def pytest_addoption(parser):
    parser.addoption(
        "--by-hand", action="store_true", help="also what takes many minutes or downloads much"
    )


@pytest.hookimpl(tryfirst=True)  # before xdist asks for it
def pytest_collection_modifyitems(config, items):
    """Says what belongs together where several processes share the tests, a file, or all in the
    same GIMP; and leaves out what is run by hand before a release, pytest tells how many."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            gimp = getattr(item, "callspec", None) and item.callspec.params.get("gimp")
            item.add_marker(pytest.mark.xdist_group(str(gimp or item.path)))
    if config.getoption("--by-hand"):
        return
    by_hand = [item for item in items if item.get_closest_marker("by_hand")]
    if by_hand:
        config.hook.pytest_deselected(items=by_hand)
        items[:] = [item for item in items if item not in by_hand]


def pytest_make_parametrize_id(val, argname):
    """The name of the argument for what is too long, or too raw, to be read in a test's name.

    A file that was made while the tests were collected may have the time of day in it, as a colour
    profile has: named by its bytes, the test has another name in each process that shares the
    tests, and none is run.
    """
    too_long = isinstance(val, str) and len(val) > 100
    return argname if too_long or isinstance(val, bytes) else None


def pytest_terminal_summary(terminalreporter):
    """Tells how much of the fault suite (tests/faults/table.py) was tried, and how much held."""
    outcomes = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            outcomes.setdefault(report.nodeid, set()).add(outcome)
    if any("tests/faults/" in name or "test_faults.py" in name for name in outcomes):
        terminalreporter.write_line(count_of_faults(outcomes))


def count_of_faults(outcomes):
    """A line about the table, from the outcomes of the tests that have run."""
    sys.path.append(str(GIMP_TESTS.parent / "faults"))
    import table

    held = tried = 0
    for row in table.ROWS:
        found = [outcome for name, outcome in outcomes.items() if row.is_shown_by(name)]
        tried += bool(found)
        held += bool(found) and all(outcome == {"passed"} for outcome in found)
    return f"faults: {held} of {tried} held, of {len(table.ROWS)} in tests/faults/table.py"


@pytest.fixture(scope="session", autouse=True)
def own_data_directory(tmp_path_factory):
    """Keeps the user's weights, logs and settings out of the tests, and the tests out of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("STYLEENGINE_")]:
            patch.delenv(name)
        home = tmp_path_factory.mktemp("data")
        patch.setenv("STYLEENGINE_HOME", str(home))
        yield home


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Makes a skipped test in real GIMP a failure where these tests have to run."""
    report = yield
    expected = hasattr(report, "wasxfail")
    if MUST_HAVE_GIMP and report.skipped and not expected and GIMP_TESTS in item.path.parents:
        report.outcome = "failed"
        report.longrepr = f"Skipped, although NEURAL_STYLE_REQUIRE_GIMP=1: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def plain_precision(own_data_directory):
    """One thread and plain float32, as if the engine's probe had chosen it, here and in children.

    What the probe chooses depends on timings, so it is no base for comparisons; it has its own
    tests.
    """
    import torch

    from styleengine.machine import folders
    from styleengine.networks import draft, precision
    from tests import toy_plugin

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folders.probe_dir().mkdir(parents=True, exist_ok=True)
    toys = [name for name, thing in vars(toy_plugin).items() if isinstance(thing, type)]
    for kind in ("vgg19", draft.load().kind, *toys):
        fingerprint = precision._fingerprint(torch.device("cpu"), kind)
        (folders.probe_dir() / f"{fingerprint}.json").write_text('{"precision": "float32"}')
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def engine(plain_precision):
    """An engine with the built-ins and the thin networks of `tests.toy_plugin`."""
    from styleengine.engine import Engine
    from tests.helpers import toy_plugins

    return Engine(toy_plugins())


@pytest.fixture(scope="module")
def env(tmp_path_factory, plain_precision):
    """The environment of a command in which `tests.toy_plugin` is an installed package: thin
    networks, and an observer that prints at every event."""
    from tests.helpers import ROOT, environment, install_package

    package = tmp_path_factory.mktemp("package")
    return environment(install_package(package, "toy", ROOT / "tests" / "toy_plugin.py"))
