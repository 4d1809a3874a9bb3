"""The released folder alone in a fresh profile: the set-up page in GIMP's own windows, and the
procedure without a dialog. Everything is really downloaded but Python and torch, which come from
this computer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from real_gimp import REPO, Gimp, case_names

sys.path.insert(0, str(REPO / "install"))
import release
import samples

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

HERE = Path(__file__).resolve().parent
STEPS = HERE / "setup_steps.py"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


@pytest.fixture(scope="session")
def offline(tmp_path_factory):
    """A folder with a Python's archive, and one with torch's wheel for it; skips without them."""
    links = [Path(f) for f in os.environ.get("PIP_FIND_LINKS", "").split()]
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    wheels = [p for folder in links for p in folder.glob(f"torch-*{tag}-*.whl")]
    if not wheels or sys.base_prefix == "/usr":
        pytest.skip(
            "needs PIP_FIND_LINKS with torch's wheel, and a Python that is not the system's"
        )
    folder = tmp_path_factory.mktemp("offline")
    for wheel in wheels:
        shutil.copy(wheel, folder)
    base = Path(sys.base_prefix)
    left_out = ("__pycache__", "test", "tests", "site-packages", "idlelib")

    def wanted(info):
        return None if any(p in left_out for p in Path(info.name).parts) else info

    with tarfile.open(folder / "cpython.tar.gz", "w:gz", compresslevel=1) as tar:
        tar.add(base / "bin", "python/bin", filter=wanted)
        tar.add(base / "lib", "python/lib", filter=wanted)
    return folder


@pytest.fixture(scope="session")
def zipped(tmp_path_factory):
    """This version's zip for Linux."""
    folder = tmp_path_factory.mktemp("release")
    try:
        made = release.release(folder, ["linux-x86_64"], None, True)
    except Exception as problem:
        pytest.skip(f"the release cannot be built here: {problem}")
    return made[0]


@pytest.fixture(scope="session")
def fresh(gimp, zipped, offline, tmp_path_factory):
    """GIMP with a profile that has nothing but the folder of the zip."""
    made = Gimp(gimp.root, tmp_path_factory.mktemp(f"fresh-{gimp.root.name}"))
    shutil.rmtree(made.plugin)
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(made.plugin.parent)
    (made.plugin / "neural_style.py").chmod(0o755)
    shutil.copytree(offline, made.work / "offline")
    if Path(CERTIFICATES).exists():
        shutil.copy(CERTIFICATES, made.work / "offline")
    return made


def environment(gimp, **more):
    """What is set where GIMP is started."""
    folder = gimp.work / "offline"
    values = {
        "UV_FIND_LINKS": folder,
        "STYLEENGINE_PYTHON_ARCHIVE": folder / "cpython.tar.gz",
        "SSL_CERT_FILE": folder / Path(CERTIFICATES).name,
        "OMP_NUM_THREADS": "1",
        **more,
    }
    return ["env", *(f"{name}={value}" for name, value in values.items())]


@pytest.fixture(scope="session")
def page(fresh, artifacts):
    """All steps in one GIMP; the screenshots are kept."""
    folder = fresh.work / "gui"
    folder.mkdir()
    from PIL import Image

    photo = Image.open(samples.SHIPPED_PHOTO)
    photo.thumbnail((480, 480))
    photo.save(folder / "lake.jpg")
    context = {
        "folder": folder, "plugin": fresh.plugin, "photo": folder / "lake.jpg",
        "style": samples.SHIPPED_STYLES / "style-wave.jpg", "probe": HERE / "gui_probe.py",
        "drag": HERE / "gui_drag.py", "size": 160,
    }  # fmt: skip
    (folder / "context.json").write_text(json.dumps(context, default=str))
    # A network that nobody can be asked for.
    set_ = environment(fresh, STYLEENGINE_WEIGHTS_URL="http://127.0.0.1:9/x#sha256=" + "0" * 64)
    done = fresh.run(*set_, "dbus-run-session", "--", "python3", STEPS, folder / "context.json")
    for picture in folder.glob("*.png"):
        shutil.copy(picture, artifacts / f"{picture.stem}-{fresh.version}.png")
    (folder / "driver.txt").write_text(done.stdout + done.stderr)
    results = folder / "results.jsonl"
    lines = results.read_text().splitlines() if results.exists() else []
    return {**dict(json.loads(line) for line in lines), "output": done.stdout + done.stderr}


@pytest.mark.gui
@pytest.mark.parametrize("name", case_names(STEPS, "step_"))
def test_step(page, name):
    assert name in page, "an earlier step failed\n" + page["output"][-3000:]
    assert not page[name], page[name]


# --- without a dialog -----------------------------------------------------------------------------

ACT = """
import json
from gi.repository import Gimp
procedure = Gimp.get_pdb().lookup_procedure("plug-in-neural-style-setup")
config = procedure.create_config()
values = {{"run-mode": Gimp.RunMode.NONINTERACTIVE, "action": {action!r}, "network": False}}
for name, value in values.items():
    config.set_property(name, value)
answer = procedure.run(config)
told = answer.index(1) if answer.length() > 1 else ""
good = answer.index(0) == Gimp.PDBStatusType.SUCCESS
open({told!r}, "w", encoding="utf-8").write(json.dumps([good, told]))
"""


class Console:
    """The procedure in gimp-console, in the fresh profile."""

    def __init__(self, gimp, artifacts):
        self.gimp = gimp
        self.home = gimp.home / "engine"
        self.record = gimp.plugin / "engine.json"
        self.messages = artifacts / f"messages-setup-{gimp.version}.txt"
        self.messages.unlink(missing_ok=True)

    def act(self, action, *before, **env):
        """Whether it succeeded, and what it said."""
        told = self.gimp.work / "told.json"
        told.unlink(missing_ok=True)
        source = ACT.format(action=action, told=str(told))
        done = self.gimp.run(
            *before, *environment(self.gimp, **env), "gimp-console", "-i",
            "--batch-interpreter=python-fu-eval", "-b", source, "--quit",
        )  # fmt: skip
        assert told.exists(), done.stdout + done.stderr
        good, text = json.loads(told.read_text(encoding="utf-8"))
        with open(self.messages, "a", encoding="utf-8") as out:
            out.write(f"{action} {' '.join(before)} {env}: {good} {text}\n\n")
        return good, text or ""


@pytest.fixture(scope="session")
def console(fresh, artifacts, request):
    # The page's steps, if they run at all, are over by then.
    return Console(fresh, artifacts)


def failed(console, said, *before, **env):
    """A set-up that fails with a sentence and a step, and leaves no engine behind."""
    good, text = console.act("set-up", *before, **env)
    assert not good
    sentence, step = text.split("\n")
    assert said in sentence and sentence.endswith(".") and len(step) > 20, text
    assert not console.record.exists()
    return text


def test_what_goes_wrong_is_said_and_the_next_one_succeeds(console, tmp_path):
    network = "the internet could not be reached"
    failed(console, network, "unshare", "--net")
    proxy = failed(console, "the proxy", HTTPS_PROXY="http://jane:secret@127.0.0.1:9")
    assert "http://127.0.0.1:9" in proxy and "secret" not in proxy
    failed(console, "certificate", SSL_CERT_FILE="/etc/hostname", UV_SYSTEM_CERTS="0")
    failed(console, "cannot be used", STYLEENGINE_PYTHON_ARCHIVE="/nowhere/python.tar.gz")
    small = console.gimp.work / "small"
    small.mkdir()
    for options, said in (("size=60m", "GB of disk space"), ("nr_inodes=4000", "disk is full")):
        mount = ["mount", "-t", "tmpfs", "-o", f"size=20g,{options}", "tmpfs", small]
        subprocess.run(mount, check=True)
        try:
            failed(console, said, STYLEENGINE_HOME=small / "engine")
        finally:
            subprocess.run(["umount", small], check=True)
    good, text = console.act("set-up", LD_PRELOAD="/usr/lib/x86_64-linux-gnu/libgegl-0.4.so.0")
    assert good, text
    told = json.loads(console.record.read_text())
    assert told["home"] == str(console.home) and told["python"] == "managed"
    engine = told["command"][0]
    good, text = console.act("set-up")
    assert good and json.loads(console.record.read_text())["command"][0] == engine, "adopted"
    good, text = console.act("repair")
    assert good and json.loads(console.record.read_text())["command"][0] != engine
    assert len(list(console.home.glob("e[0-9]*"))) == 1
    good, text = console.act("remove")
    assert good, text
    assert not console.home.exists() and not console.gimp.plugin.exists()
