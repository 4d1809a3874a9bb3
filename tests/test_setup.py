"""The set-up's decisions for every system: plain functions, told what they would find there."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tarfile
import threading
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import pytest

from setup import (
    children,
    files,
    flow,
    launcher,
    manifest,
    package,
    places,
    plugin_folder,
    probe,
    python,
    state,
    sweeping,
    torch_build,
)
from setup.in_thread import InThread
from setup.progress import Course
from setup.system import System, is_store_python, refusal, release_name, sandbox_of
from setup.talk import Step, Stopped, Talk
from setup.torch_build import Card
from setup.wish import Wish
from styleengine import EngineError
from tests.patience import wait_until

posix = pytest.mark.skipif(os.name != "posix", reason="a POSIX shell, links and signals")
INSTALL = Path(__file__).resolve().parents[1] / "install"
HOME = Path("/home/jane")


def linux(machine: str = "x86_64", **fields) -> System:
    return System("linux", machine, fields.pop("env", {}), HOME, **fields)


def mac(release=(15, 1), machine: str = "arm64") -> System:
    return System("darwin", machine, {}, HOME, release)


def windows(machine: str = "AMD64", **fields) -> System:
    return System("win32", machine, fields.pop("env", {}), HOME, **fields)


# --- where it says no -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "system",
    [linux(), linux("aarch64"), linux(sandbox="flatpak"), mac((14, 0)), mac((0, 0)), windows()],
)
def test_systems_that_pytorch_is_made_for_are_taken(system):
    assert refusal(system) is None


@pytest.mark.parametrize(
    ("system", "said", "step"),
    [
        (mac((13, 6)), "macOS 14 or newer, and this is macOS 13.6", "Update macOS"),
        (mac(machine="x86_64"), "Macs with an Intel processor", "another computer"),
        (windows("ARM64"), "Windows on ARM", "another computer"),
        (linux(is_musl=True), "musl", "Flatpak"),
        (linux(sandbox="snap"), "Snap", "Flatpak"),
        (linux("riscv64"), r"\(riscv64\)", "64-bit"),
        (linux("armv7l", bits=32), r"\(armv7l\)", "64-bit"),
        (
            windows(python=r"C:\Program Files\WindowsApps\PythonSoftwareFoundation.Python.3.12"),
            "Microsoft Store",
            "python.org",
        ),
    ],
)
def test_other_systems_are_refused_with_a_sentence_and_a_next_step(system, said, step):
    problem = refusal(system)
    assert problem and problem.code == "setup-unsupported"
    assert re.search(said, problem.message) and step in problem.hint
    assert problem.message.endswith(".") and problem.hint.endswith(".")


def test_what_shuts_a_gimp_in():
    assert sandbox_of({"SNAP": "/snap/gimp/1", "SNAP_NAME": "gimp"}, False) == "snap"
    assert sandbox_of({"SNAP": "/snap/x"}, False) == ""  # inherited from a terminal
    assert sandbox_of({}, True) == sandbox_of({"container": "flatpak"}, False) == "flatpak"
    assert sandbox_of({"APPIMAGE": "/x"}, False) == ""


def test_the_stores_python_is_known_by_its_place():
    apps = r"C:\Users\j\AppData\Local\Microsoft\WindowsApps\python.exe"
    assert is_store_python(apps) and is_store_python(apps.lower())
    assert not is_store_python(r"C:\Program Files\Python312\python.exe")
    assert not python.may_use_host(linux(sandbox="flatpak")) and python.may_use_host(linux())


def test_each_system_has_its_download():
    systems = [linux(), linux("aarch64"), windows(), mac()]
    names = ["linux-x86_64", "linux-aarch64", "windows-x86_64", "macos-arm64"]
    assert [release_name(each) for each in systems] == names


# --- where things go ------------------------------------------------------------------------------


def test_one_home_for_everything():
    share = HOME / ".local/share/gimp-neural-style"
    sandboxed = {"XDG_DATA_HOME": "/home/jane/.var/app/org.gimp.GIMP/data"}
    assert places.default_home(linux()) == share
    assert places.default_home(linux(env={"XDG_DATA_HOME": "/d"})) == Path("/d/gimp-neural-style")
    assert places.default_home(linux(env=sandboxed, sandbox="flatpak")) == share
    assert places.default_home(linux(env={"STYLEENGINE_HOME": "/x"})) == Path("/x")
    local = windows(env={"LOCALAPPDATA": "/local"})
    assert places.default_home(local) == Path("/local/gimp-neural-style")
    library = HOME / "Library/Application Support/gimp-neural-style"
    assert places.default_home(mac()) == library


LONGEST_IN_CACHE = 257 - len(r"C:\Users\\AppData\Local\gimp-neural-style\cache-00000000")
LONGEST_IN_ENGINE = 242 - len(r"C:\Users\\AppData\Local\gimp-neural-style\engine-0.1.0-1")
"""Letters of the longest paths below uv's cache and the environment, with torch 2.13's wheel."""


def test_no_path_is_too_long_for_windows():
    local = PureWindowsPath("C:/Users") / ("n" * 20) / "AppData/Local"
    system = System("win32", "AMD64", {"LOCALAPPDATA": str(local)}, HOME)
    home = places.default_home(system)
    cache = places.cache_folder(home, b"torch==2.13.0", system)
    assert re.fullmatch(r"gns-[0-9a-f]{4}", cache.name) and cache.parent == home.parent
    assert len(str(local / cache.name)) + LONGEST_IN_CACHE <= 259
    assert len(str(local / home.name / "e12")) + LONGEST_IN_ENGINE <= 259


def test_the_cache_is_known_again_and_nothing_else_beside_the_home_is():
    prefix = Path("/home/jane/.local/share/gimp-neural-style")
    one = places.cache_folder(prefix, b"a", linux(env={}))
    assert one.parent == prefix and places.is_cache(one, prefix)
    assert places.cache_folder(prefix, b"b", linux()) != one
    assert places.is_cache(prefix.parent / "gns-12ab", prefix)
    assert not places.is_cache(prefix.parent / "gnome-shell", prefix)
    assert not places.is_cache(prefix / "weights", prefix)


@pytest.mark.parametrize(
    ("given", "long"),
    [
        (r"C:\Users\j\a", r"\\?\C:\Users\j\a"),
        (r"C:\Users\j\..\a.", r"\\?\C:\Users\j\..\a."),
        (r"\\server\share\a", r"\\?\UNC\server\share\a"),
        (r"\\?\C:\a", r"\\?\C:\a"),
        (r"relative\a", r"relative\a"),
    ],
)
def test_long_paths_of_windows(given, long):
    assert files.long_path(given, "win32") == long
    assert files.long_path(given, "linux") == given


# --- PyTorch and the graphics card ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "card", "backend", "resolved", "uv"),
    [
        (linux(), Card(), "auto", "cpu", "cpu"),
        (linux(), Card("nvidia", "GeForce RTX 4070"), "auto", "cuda", "auto"),
        (linux(), Card("nvidia"), "cpu", "cpu", "cpu"),
        (linux(), Card("amd"), "auto", "rocm", "auto"),
        (linux(), Card("intel"), "auto", "cpu", "cpu"),
        (linux(), Card("intel"), "xpu", "xpu", "xpu"),
        (linux(), Card(), "cuda", "cuda", "cu130"),
        (windows(), Card("nvidia"), "cu126", "cuda", "cu126"),
        (windows(), Card("amd"), "auto", "cpu", "cpu"),
        (mac(), Card("apple"), "auto", "mps", ""),
    ],
)
def test_the_build_of_pytorch_follows_the_card(system, card, backend, resolved, uv):
    assert torch_build.resolved(backend, card, system) == resolved
    assert torch_build.for_uv(backend, card, system) == uv
    size = torch_build.size_of(backend, card, system)
    assert (size.needs >= 8e9) == (resolved in ("cuda", "rocm", "xpu")) and size.stays < size.needs
    assert all(torch_build.BACKENDS.fullmatch(each) for each in torch_build.choices(system))
    text = torch_build.in_words(backend, card, system)
    assert "PyTorch" in text and (resolved != "cuda" or card.name in text)


def a_file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_cards_are_found_in_what_linux_tells(tmp_path):
    assert torch_build.find_card(linux(), tmp_path) == Card()
    a_file(tmp_path / "sys/class/drm/card0/device/vendor", "0x8086\n")
    a_file(tmp_path / "sys/class/drm/card1/device/vendor", "0x1002\n")
    assert torch_build.find_card(linux(), tmp_path) == Card("intel")  # no ROCm for AMD's
    (tmp_path / "opt/rocm").mkdir(parents=True)
    assert torch_build.find_card(linux(), tmp_path) == Card("amd")
    about = "Model: \t\t NVIDIA GeForce RTX 4070\nIRQ:   \t\t 151\n"
    a_file(tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0/information", about)
    assert torch_build.find_card(linux(), tmp_path) == Card("nvidia", "NVIDIA GeForce RTX 4070")


def test_cards_as_windows_calls_them():
    names = ["Microsoft Remote Display", "AMD Radeon(TM) Graphics", "NVIDIA GeForce GTX 1060"]
    cards = [torch_build.card_named(name) for name in names]
    assert [card.maker for card in cards] == ["", "amd", "nvidia"]
    assert torch_build.best(cards).name == names[2]


# --- what the children get ------------------------------------------------------------------------


def test_an_appimages_variables_reach_no_child():
    appimage = {
        "LD_PRELOAD": "/tmp/.mount_GIMP/usr/lib/libglib.so",
        "LD_LIBRARY_PATH": "/tmp/.mount_GIMP/usr/lib",
        "PATH": "/tmp/.mount_GIMP/usr/bin:/usr/bin",
        "PYTHONHOME": "/tmp/.mount_GIMP/usr",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GI_TYPELIB_PATH": "/x",
        "GIO_MODULE_DIR": "/x",
        "XDG_DATA_DIRS": "/x",
        "OWD": "/home/jane",
        "VIRTUAL_ENV": "/x",
        "UV_PROJECT_ENVIRONMENT": "/x",
        "UV_PYTHON": "3.8",
        "PIP_TARGET": "/x",
    }
    wanted = {
        "HOME": "/home/jane",
        "https_proxy": "http://proxy",
        "NO_PROXY": "localhost",
        "UV_PYTHON_INSTALL_MIRROR": "file:///mirror",
        "UV_INDEX_URL": "https://mirror/simple",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "PIP_INDEX_URL": "https://mirror/simple",
    }
    got = children.child_environment({**appimage, **wanted}, UV_CACHE_DIR="/cache")
    assert {k: v for k, v in got.items() if k != "PATH"} == {**wanted, "UV_CACHE_DIR": "/cache"}
    assert ".mount" not in got["PATH"]


@posix
def test_a_child_really_runs_without_them(tmp_path):
    env = children.child_environment({**os.environ, "LD_PRELOAD": "/x.so", "PYTHONHOME": "/x"})
    code = "import os; print('LD_PRELOAD' in os.environ, 'PYTHONHOME' in os.environ)"
    assert children.output([sys.executable, "-c", code], env).stdout.split() == ["False", "False"]


class Told(Talk):
    """Remembers what was said; can be told to stop."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[Step] = []
        self.stop = threading.Event()

    def say(self, text):
        self.said.append(text)

    def step(self, step):
        self.steps.append(step)

    def stopped(self):
        return self.stop.is_set()


@posix
def test_a_child_that_is_stopped_ends_at_once_and_is_gone(tmp_path):
    talk = Told()
    runner = children.Runner(tmp_path / "log", dict(os.environ), talk)
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(300)"
    caught = []

    def work():
        try:
            runner.attempt([sys.executable, "-c", code])
        except Stopped as stopped:
            caught.append(stopped)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: pid.exists() and pid.read_text(), "the child has begun")
    talk.stop.set()
    thread.join(30)
    assert caught and not thread.is_alive()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_what_a_child_prints_is_in_the_log_and_in_the_answer(tmp_path):
    runner = children.Runner(tmp_path / "log", dict(os.environ), Told())
    code = "import sys; print('größer'); sys.exit(3)"
    printed = runner.attempt([sys.executable, "-X", "utf8", "-c", code])
    assert printed.strip() == "größer"
    assert runner.attempt([sys.executable, "-c", "print('fine')"]) is None
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "größer" in log and "fine" in log and log.count("$ ") >= 2
    assert "nowhere: " in runner.attempt([tmp_path / "nowhere"])


# --- the bar --------------------------------------------------------------------------------------


def test_the_bar_goes_forward_and_tells_the_time_that_is_left(tmp_path):
    now, free, talk = [0.0], [10**10], Told()
    course = Course(
        talk, tmp_path, {"a": 100 * 10**6, "b": 300 * 10**6}, lambda: now[0], lambda _: free[0]
    )
    course.enter("a")
    assert talk.steps[-1].fraction == 0 and talk.steps[-1].seconds_left is None
    free[0] -= 50 * 10**6
    now[0] = 10
    course.look()
    last = talk.steps[-1]
    assert (last.stage, last.done, last.total) == ("a", 50 * 10**6, 100 * 10**6)
    assert last.fraction == pytest.approx(0.125) and last.seconds_left == pytest.approx(70)
    free[0] += 40 * 10**6  # somebody else has cleared up
    course.look()
    assert talk.steps[-1].fraction == pytest.approx(0.125)
    course.enter("b")
    assert talk.steps[-1].fraction == pytest.approx(0.25)
    course.tell(5, 10)
    assert talk.steps[-1].fraction == pytest.approx(0.625) and talk.steps[-1].total == 10
    free[0] -= 10**10
    course.look()
    assert talk.steps[-1].fraction < 1 and talk.steps[-1].done <= talk.steps[-1].total
    talk.stop.set()
    with pytest.raises(Stopped):
        course.look()


# --- files ----------------------------------------------------------------------------------------


def fill(folder: Path, text: str) -> Path:
    folder.mkdir()
    for name in ("a.py", "b.py"):
        (folder / name).write_text(text)
    return folder


@posix
@pytest.mark.parametrize("exchanges", [True, False])
def test_a_folder_is_exchanged_as_a_whole(tmp_path, monkeypatch, exchanges):
    if not exchanges:
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    old, new = fill(tmp_path / "plug", "old"), fill(tmp_path / "new", "new")
    (old / "gone.py").write_text("")
    (old / "__pycache__").mkdir()
    files.put_in_place(new, old)
    assert {p.name: p.read_text() for p in old.iterdir()} == {"a.py": "new", "b.py": "new"}
    assert os.listdir(tmp_path) == ["plug"]


KILLED = """
import os, signal, sys
sys.path[:0] = [{plugin!r}]
from setup import files
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
{patch}
from pathlib import Path
files.put_in_place(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@posix
@pytest.mark.parametrize(
    "patch",
    [
        "files.remove_tree = die",
        "files._exchange = lambda *_: False; files.os.rename = die",
        "files._exchange = die",
    ],
)
def test_killed_while_it_is_exchanged_there_is_the_old_or_the_new(tmp_path, patch):
    folder, new = fill(tmp_path / "plug", "old"), fill(tmp_path / "new", "new")
    plugin = INSTALL.parent / "gimp_plugin/neural_style"
    script = KILLED.format(plugin=str(plugin), patch=patch)
    done = subprocess.run([sys.executable, "-c", script, new, folder], check=False)
    assert done.returncode == -signal.SIGKILL
    assert {p.read_text() for p in folder.iterdir()} in ({"old"}, {"new"})


def test_a_file_is_old_or_new_and_a_full_disk_leaves_the_old(tmp_path, monkeypatch):
    path = tmp_path / "engine.json"
    files.write_atomically(path, "old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomically(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["engine.json"]


def test_an_engine_that_a_plugin_points_to_is_never_swept_away(tmp_path):
    """A set-up that was killed between the switch of engine.json and its own record."""
    prefix = tmp_path / "prefix"
    record = manifest.open_prefix(prefix)
    for name in ("e1", "e2", "e3"):
        (prefix / name / "bin").mkdir(parents=True)
        record.own("trees", prefix / name)
    record.engine = "e1"
    folder = tmp_path / "plug-ins/neural_style"
    folder.mkdir(parents=True)
    text = plugin_folder.record(python.venv_python(prefix / "e2"), prefix, "1", "managed")
    plugin_folder.switch(folder, prefix, text, record)
    sweeping.sweep(record)
    assert sorted(p.name for p in prefix.glob("e?")) == ["e1", "e2"]


def test_where_the_plugins_folder_may_not_be_written_the_home_says_which_engine(
    tmp_path, monkeypatch
):
    prefix, folder = tmp_path / "prefix", tmp_path / "plug-ins/neural_style"
    folder.mkdir(parents=True)
    record = manifest.open_prefix(prefix)
    write = files.write_atomically

    def refused(path, data):
        if path.parent == folder:
            raise PermissionError(13, "Permission denied")
        write(path, data)

    monkeypatch.setattr(plugin_folder, "write_atomically", refused)
    found = plugin_folder.switch(folder, prefix, "{}", record)
    assert found == prefix / "engine.json" and found.read_text() == "{}"
    assert str(folder) not in record.trees, "what an administrator has put there stays"


# --- the command ----------------------------------------------------------------------------------


@posix
def test_the_command_starts_whatever_the_folders_are_called(tmp_path):
    prefix = tmp_path / "a $HOME \"b\" `c` 'd' ü"
    prefix.mkdir()
    program = prefix / "python"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$STYLEENGINE_HOME" "$@"\n')
    program.chmod(0o755)
    script = tmp_path / "styleengine"
    script.write_text(launcher.for_posix(prefix, program))
    env = {k: v for k, v in os.environ.items() if k != "STYLEENGINE_HOME"}
    done = subprocess.run(["sh", script, "run", "a b"], env=env, capture_output=True, text=True)
    home, *words = done.stdout.splitlines()
    assert home == str(prefix)
    assert words == [*shlex.split("-I -X utf8 -m styleengine run"), "a b"]


def test_the_batch_file_says_in_which_code_page_it_is():
    plain = launcher.for_windows(Path("C:/Users/jane/x"), Path("C:/Users/jane/x/python.exe"))
    assert plain.isascii() and b"chcp" not in plain
    named = launcher.for_windows(Path("C:/Users/Jürgen/100%"), Path("C:/Users/Jürgen/python.exe"))
    lines = named.decode("utf-8").split("\r\n")
    page = next(n for n, line in enumerate(lines) if line.startswith("chcp 65001"))
    first = next(n for n, line in enumerate(lines) if not line.isascii())
    assert page < first and "100%%" in lines[first]
    assert lines[-3].startswith("chcp %") and lines[-2].startswith("exit /b")
    assert named.count(b"\r\n") == named.count(b"\n")


# --- a Python from an archive ---------------------------------------------------------------------


def member(name: str, link: str = "", kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.linkname, info.type = link, kind
    return info


@pytest.mark.parametrize(
    ("entry", "safe"),
    [
        (member("python/bin/python3.12"), True),
        (member("python/bin/python3", "python3.12", tarfile.SYMTYPE), True),
        (member("python/lib/a", "../bin/b", tarfile.SYMTYPE), True),
        (member("python/../../etc/passwd"), False),
        (member("/etc/passwd"), False),
        (member("C:/Windows/x"), False),
        (member("other/x"), False),
        (member("python/x", "/etc", tarfile.SYMTYPE), False),
        (member("python/x", "../../etc", tarfile.SYMTYPE), False),
        (member("python/x", "/etc/passwd", tarfile.LNKTYPE), False),
        (member("python/fifo", kind=tarfile.FIFOTYPE), False),
    ],
)
def test_an_archive_of_python_stays_in_its_folder(entry, safe):
    assert python.is_safe(entry) == safe


def test_an_archive_that_holds_no_python_is_told(tmp_path):
    record = manifest.open_prefix(tmp_path / "prefix")
    runner = children.Runner(tmp_path / "log", dict(os.environ), Told())
    archive = tmp_path / "cpython.tar.gz"

    def find():
        return python.find_python(record, None, runner, linux(), archive)

    with pytest.raises(EngineError, match=r"cannot be used: No such file"):
        find()
    archive.write_bytes(b"not an archive")
    with pytest.raises(EngineError, match="cannot be used"):
        find()
    with tarfile.open(archive, "w:gz") as tar:
        info = member("python/README")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"hi"))
    with pytest.raises(EngineError, match=r"holds no Python 3.11 to 3.14") as caught:
        find()
    assert "install_only" in caught.value.hint
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(member("../evil"), io.BytesIO(b""))
    with pytest.raises(EngineError, match=r"it names \.\./evil"):
        find()
    assert not (tmp_path / "evil").exists()


def test_a_disk_that_fills_up_while_python_is_unpacked_is_told_as_that(tmp_path, monkeypatch):
    record = manifest.open_prefix(tmp_path / "prefix")
    runner = children.Runner(tmp_path / "log", dict(os.environ), Told())
    archive = tmp_path / "cpython.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(member("python/README"), io.BytesIO(b""))

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "extract", full)
    with pytest.raises(EngineError, match="the disk is full") as caught:
        python.find_python(record, None, runner, linux(), archive)
    assert caught.value.code == "setup-disk"


def test_in_a_flatpak_the_systems_python_is_no_way_out(tmp_path):
    record = manifest.open_prefix(tmp_path / "prefix")
    runner = children.Runner(tmp_path / "log", dict(os.environ), Told())
    with pytest.raises(EngineError, match="a Python of its own") as caught:
        python.find_python(record, None, runner, linux(sandbox="flatpak"), None)
    assert "UV_PYTHON_INSTALL_MIRROR" in caught.value.hint
    found = python.find_python(record, Path("uv"), runner, linux(), None)
    assert not found.managed and found.label == str(found.path)


def test_a_dll_that_is_missing_on_windows_gets_the_step_that_helps():
    reason = "OSError: [WinError 126] Error loading c10.dll or one of its dependencies. DLL"
    said = probe.does_not_start(reason, Path("log"), windows())
    assert "Visual C++" in said.hint
    assert "Visual C++" not in probe.does_not_start("OSError", Path("log"), linux()).hint


# --- install.ps1 ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def powershell():
    """The syntax tree of install.ps1."""
    tree_sitter = pytest.importorskip("tree_sitter")
    grammar = pytest.importorskip("tree_sitter_powershell")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    return parser.parse((INSTALL / "install.ps1").read_bytes()).root_node


def nodes(node, kind):
    """All nodes of one kind below ``node``."""
    found = [node] if node.type == kind else []
    return found + [each for child in node.children for each in nodes(child, kind)]


def test_install_ps1_is_powershell(powershell):
    assert not powershell.has_error
    names = [
        f.text.decode().split()[1].split("(")[0] for f in nodes(powershell, "function_statement")
    ]
    assert names == ["Test-Python", "Find-Python", "Get-Uv", "Start-Installer"]


def test_install_ps1_splats_lists_only(powershell):
    """``$program, $rest = $command`` leaves a text in $rest, whose letters become arguments."""
    made = {}
    for assignment in nodes(powershell, "assignment_expression"):
        left, right = assignment.children[0].text.decode(), assignment.children[-1].text.decode()
        assert "," not in left, left
        made.setdefault(left.strip(), []).append(right.strip())
    text = powershell.text.decode()
    splatted = set(re.findall(r"(?<=\s)@(\w+)", text))
    assert splatted == {"rest", "arguments"}
    for name in splatted:
        assert all(value.startswith("@(") for value in made[f"${name}"]), name


def test_install_ps1_keeps_its_window_until_it_is_read(powershell):
    last = powershell.text.decode().rstrip().splitlines()
    assert last[-1] == "exit $status"
    waiting = [n.text.decode() for n in nodes(powershell, "command") if b"Read-Host" in n.text]
    assert len(waiting) == 1
    # Nothing leaves before that.
    assert [n.text for n in nodes(powershell, "flow_control_statement")][-1] == b"exit $status"
    assert powershell.text.count(b"exit ") == 1 + powershell.text.count(b"sys.exit ")


# --- what there is, and what is asked for ---------------------------------------------------------


@pytest.fixture
def plugin_with_package(tmp_path):
    """A released plug-in's folder in a profile, without uv."""
    what = package.of_checkout(INSTALL.parent)
    wheel = tmp_path / f"styleengine-{what.version}-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    folder = tmp_path / "plug-ins/neural_style"
    plugin_folder.fill(folder, replace(what, system="linux-x86_64"), wheel)
    return folder


def an_engine(home: Path, name: str = "e1") -> Path:
    """A file where the engine's Python would be."""
    path = python.venv_python(home / name)
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_state_says_what_there_is(plugin_with_package, tmp_path):
    plugin, home = plugin_with_package, tmp_path / "home"
    env = {"HOME": str(tmp_path), "STYLEENGINE_HOME": str(home)}
    wanted = package.version_of(plugin)

    def kind(system=None) -> str:
        found = state.look(plugin, env, system or linux())
        assert found.text.endswith(".") and found.home == home and found.wanted == wanted
        return found.kind

    def record(version=wanted, base="managed", **more):
        values = json.loads(
            plugin_folder.record(python.venv_python(home / "e1"), home, version, base)
        )
        (plugin / "engine.json").write_text(json.dumps({**values, **more}))

    assert kind() == state.MISSING
    record()
    assert kind() == state.DEAD
    an_engine(home)
    assert kind() == state.READY
    record("0.0.1")
    assert kind() == state.OTHER
    record(protocol=999)
    assert kind() == state.OTHER
    (home / "e1").rename(home / "gone")
    record(base="/usr/bin/python3")
    assert "cannot see" in state.look(plugin, env, linux(sandbox="flatpak")).text
    (plugin / "engine.json").write_text("{")
    assert kind() in (state.MISSING, state.DEAD)
    if hasattr(os, "mkfifo"):  # which would be waited for without end
        (plugin / "engine.json").unlink()
        os.mkfifo(plugin / "engine.json")
        assert kind() in (state.MISSING, state.DEAD)
    (plugin / "engine.json").unlink()
    (home / "engine.json").write_text(
        plugin_folder.record(home / "gone/bin/python", home, wanted, "managed")
    )
    assert kind() == state.READY, "an administrator's plug-in finds its engine in the user's home"


def test_the_set_up_keeps_out_where_the_user_has_an_engine_of_their_own(
    plugin_with_package, tmp_path
):
    assert state.is_ours_to_set_up(plugin_with_package, {})
    named = {"STYLEENGINE_COMMAND": "ssh box styleengine serve"}
    assert not state.is_ours_to_set_up(plugin_with_package, named)
    assert not state.is_ours_to_set_up(INSTALL.parent / "gimp_plugin/neural_style", {})


def test_another_systems_download_is_told_before_anything_is_made(plugin_with_package, tmp_path):
    what = package.of_folder(plugin_with_package)
    wish = Wish(tmp_path / "home")
    with pytest.raises(EngineError, match=r"for linux-x86_64, but this computer is windows-x86_64"):
        flow.set_up(what, wish, Talk(), windows())
    with pytest.raises(EngineError, match="macOS 14"):
        flow.set_up(what, wish, Talk(), mac((13, 0)))
    assert not (tmp_path / "home").exists()


def test_a_damaged_uv_is_told(plugin_with_package, tmp_path):
    payload = plugin_with_package / "payload"
    (payload / "uv").write_bytes(b"half")
    facts = json.loads((payload / "package.json").read_text())
    facts.update(uv="uv", uv_sha256="0" * 64)
    (payload / "package.json").write_text(json.dumps(facts))
    what = package.of_folder(plugin_with_package)
    with pytest.raises(EngineError, match="uv that came with this filter is damaged") as caught:
        flow.set_up(what, Wish(tmp_path / "home", folder=plugin_with_package), Talk(), linux())
    assert "Download" in caught.value.hint
    assert not (plugin_with_package / "engine.json").exists()


def test_a_set_up_in_a_thread_tells_stops_and_fails():
    def work(talk):
        talk.say("one")
        talk.step(Step("stage", 1, 2, 0.5))
        while True:
            talk.check()

    thread = InThread(work)
    wait_until(lambda: thread.look() or thread.said, "the first line")
    assert thread.said == ["one"] and thread.reached.fraction == 0.5
    thread.stop()
    wait_until(thread.look, "the end")
    assert thread.was_stopped and thread.problem is None

    def ends(action):
        thread = InThread(action)
        wait_until(thread.look, "the end")
        return thread

    assert ends(lambda talk: 7).outcome == 7

    def refuses(talk):
        raise EngineError("setup-disk", "Full.", "Clear up.")

    assert ends(refuses).problem.hint == "Clear up."
    unforeseen = ends(lambda talk: 1 / 0)
    assert "ZeroDivisionError" in unforeseen.problem.message
    log = Path(unforeseen.problem.hint.removeprefix("Details: "))
    assert "1 / 0" in log.read_text(encoding="utf-8")
