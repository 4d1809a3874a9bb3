"""The installer: real runs of install.py in a fake home, borrowing this interpreter's torch."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import profiles
from setup import environment, flow, manifest, package, places, plugin_folder
from setup.failures import explain
from setup.system import System
from setup.talk import Stopped, Talk
from setup.wish import Wish
from styleengine import EngineError, protocol
from tests.patience import DEADLINE

CHECKOUT = Path(__file__).resolve().parents[1]
INSTALL = CHECKOUT / "install"
PACKAGE = package.of_checkout(CHECKOUT)

posix = pytest.mark.skipif(os.name != "posix", reason="a POSIX shell and signals")

# --- where GIMP's profiles are --------------------------------------------------------------------


def a_system(home, platform="linux", **env):
    return System(platform, "x86_64", env, home)


def make_dirs(base, *names):
    for name in names:
        (base / name).mkdir(parents=True)
    return base


def test_linux_profiles_of_every_kind_are_found_in_order(tmp_path):
    make_dirs(tmp_path / ".config/GIMP", "3.10", "3.2", "3.0", "2.10", "3.2-old", "tmp")
    make_dirs(tmp_path / ".var/app/org.gimp.GIMP/config/GIMP", "3.0")
    found = places.found_profiles(a_system(tmp_path))
    assert [str(p.relative_to(tmp_path)) for p in found] == [
        ".config/GIMP/3.0",
        ".config/GIMP/3.2",
        ".config/GIMP/3.10",
        ".var/app/org.gimp.GIMP/config/GIMP/3.0",
    ]


def test_xdg_config_home_is_searched_beside_the_config_folder_that_flatpak_uses(tmp_path):
    make_dirs(tmp_path / "elsewhere/GIMP", "3.2")
    make_dirs(tmp_path / ".config/GIMP", "3.0")
    system = a_system(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "elsewhere"))
    found = places.found_profiles(system)
    assert found == [tmp_path / "elsewhere/GIMP/3.2", tmp_path / ".config/GIMP/3.0"]
    assert places.profile_bases(system)[0] == tmp_path / "elsewhere/GIMP"


@pytest.mark.parametrize(
    ("platform", "env", "base"),
    [
        ("win32", {"APPDATA": "{home}/Roaming"}, "Roaming/GIMP"),
        ("win32", {}, "AppData/Roaming/GIMP"),
        ("darwin", {"XDG_CONFIG_HOME": "{home}/x"}, "Library/Application Support/GIMP"),
    ],
)
def test_profiles_on_windows_and_macos(tmp_path, platform, env, base):
    system = a_system(tmp_path, platform, **{k: v.format(home=tmp_path) for k, v in env.items()})
    make_dirs(tmp_path / base, "3.0", "3.2")
    assert places.found_profiles(system) == [tmp_path / base / "3.0", tmp_path / base / "3.2"]


def test_gimps_own_variable_replaces_all_profiles(tmp_path):
    make_dirs(tmp_path / ".config/GIMP", "3.0")
    absolute = a_system(tmp_path, GIMP3_DIRECTORY=str(tmp_path / "mine"))
    relative = a_system(tmp_path, GIMP3_DIRECTORY="mine")
    assert places.found_profiles(absolute) == [tmp_path / "mine"]
    assert places.found_profiles(relative) == [tmp_path / "mine"]


def a_gimp(folder, text, makes=""):
    """A program that says it is a GIMP, and makes a profile when it is started."""
    path = folder / "gimp-console"
    make = f"[ $1 = --version ] || mkdir -p '{makes}'\n" if makes else ""
    path.write_text(f"#!/bin/sh\n{make}echo '{text}'\n")
    path.chmod(0o755)
    return path


@posix
def test_without_any_gimp_the_tested_versions_get_a_profile(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    wanted, remark = profiles.wanted_profiles(a_system(tmp_path))
    assert wanted == [tmp_path / ".config/GIMP/3.0", tmp_path / ".config/GIMP/3.2"]
    assert "No GIMP 3 was found" in remark


@posix
def test_an_old_gimp_does_not_count(tmp_path, monkeypatch):
    a_gimp(tmp_path, "GNU Image Manipulation Program version 2.10.34")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert profiles.gimp_on_path() is None


@posix
def test_a_gimp_that_was_never_started_makes_its_profile_itself(tmp_path, monkeypatch):
    make_dirs(tmp_path / ".config/GIMP", "3.0")
    new = tmp_path / ".config/GIMP/3.4"
    a_gimp(tmp_path, "GNU Image Manipulation Program version 3.4.2", makes=new)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    wanted, remark = profiles.wanted_profiles(a_system(tmp_path))
    assert wanted == [tmp_path / ".config/GIMP/3.0", new]
    assert new.is_dir() and remark == ""


def test_the_snap_is_named_as_unsupported(tmp_path):
    assert profiles.snap(a_system(tmp_path)) == ""
    make_dirs(tmp_path, "snap/gimp")
    assert "snap" in profiles.snap(a_system(tmp_path))


# --- the plug-in's files --------------------------------------------------------------------------


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / f"styleengine-{PACKAGE.version}-py3-none-any.whl"
    path.write_bytes(b"a wheel")
    return path


def put(profile, record, wheel, python="/e/bin/python"):
    text = plugin_folder.record(Path(python), Path(record.prefix), PACKAGE.version, "managed")
    return plugin_folder.put(profile, PACKAGE, wheel, text, record)


def test_the_plugin_is_whole_executable_and_knows_the_engine(tmp_path, wheel):
    record = manifest.open_prefix(tmp_path / "prefix")
    folder = put(tmp_path / "profile", record, wheel)
    assert folder == tmp_path / "profile/plug-ins/neural_style"
    script = folder / "neural_style.py"
    assert script.stat().st_mode & stat.S_IXUSR or os.name != "posix"
    source = CHECKOUT / "gimp_plugin/neural_style"
    kinds = (".py", ".po", ".json", ".jpg")
    own = {p.relative_to(source) for p in source.rglob("*") if p.suffix in kinds}
    some = ("engine/client.py", "setup/flow.py", "language/po/de.po", "styles/style-night.jpg")
    assert {Path(name) for name in some} <= own
    there = {p.relative_to(folder) for p in folder.rglob("*") if p.is_file()}
    assert own | {Path("protocol.py"), Path("engine.json")} <= there
    original = CHECKOUT / "styleengine/protocol.py"
    assert (folder / "protocol.py").read_bytes() == original.read_bytes()
    told = json.loads((folder / "engine.json").read_text(encoding="utf-8"))
    assert told["command"] == [
        *(str(Path("/e/bin/python")), "-I", "-u", "-X", "utf8", "-m", "styleengine", "serve")
    ]
    assert told["protocol"] == protocol.PROTOCOL and told["version"] == PACKAGE.version
    assert told["home"] == str(tmp_path / "prefix")
    assert os.listdir(folder.parent) == ["neural_style"]


def test_a_plugin_from_a_checkout_can_set_itself_up_again(tmp_path, wheel):
    record = manifest.open_prefix(tmp_path / "prefix")
    found = package.of_folder(put(tmp_path / "profile", record, wheel))
    assert found.version == PACKAGE.version and found.is_built
    assert found.engine.read_bytes() == b"a wheel" and found.uv is None
    assert found.constraints.read_bytes() == PACKAGE.constraints.read_bytes()
    again = put_from(found, tmp_path / "other", record)
    assert all(p.read_bytes() == (again / name).read_bytes() for name, p in found.files().items())


def put_from(found, profile, record):
    return plugin_folder.put(profile, found, found.engine, "{}", record)


def test_a_folder_that_lacks_a_part_is_told(tmp_path, wheel):
    record = manifest.open_prefix(tmp_path / "prefix")
    folder = put(tmp_path / "profile", record, wheel)
    (folder / "payload" / wheel.name).unlink()
    with pytest.raises(EngineError, match="is not complete") as caught:
        package.of_folder(folder)
    assert caught.value.code == "setup-incomplete" and "Download" in caught.value.hint
    facts = json.loads((folder / "payload/package.json").read_text())
    outside = json.dumps({**facts, "wheel": "../neural_style.py"})
    (folder / "payload/package.json").write_text(outside)
    with pytest.raises(EngineError, match="is not complete"):
        package.of_folder(folder)


def test_an_update_replaces_the_plugin_and_drops_files_it_no_longer_has(tmp_path, wheel):
    record = manifest.open_prefix(tmp_path / "prefix")
    folder = put(tmp_path, record, wheel, "old")
    (folder / "gone.py").write_text("")
    (folder / "arguments.py").write_text("# old")
    put(tmp_path, record, wheel, "new")
    assert not (folder / "gone.py").exists()
    source = CHECKOUT / "gimp_plugin/neural_style/arguments.py"
    assert (folder / "arguments.py").read_bytes() == source.read_bytes()
    assert json.loads((folder / "engine.json").read_text())["command"][0] == "new"
    assert os.listdir(folder.parent) == ["neural_style"]


def test_somebody_elses_plugin_of_the_same_name_is_left_alone(tmp_path, wheel):
    foreign = make_dirs(tmp_path, "plug-ins/neural_style") / "plug-ins/neural_style/neural_style.py"
    foreign.write_text("theirs")
    record = manifest.open_prefix(tmp_path / "prefix")
    with pytest.raises(EngineError, match="another plug-in of the same name"):
        put(tmp_path, record, wheel)
    assert foreign.read_text() == "theirs"
    assert str(foreign.parent) not in record.trees


# --- refusals -------------------------------------------------------------------------------------


def test_a_folder_with_other_things_is_refused_as_prefix(tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(EngineError, match=r"already holds other things \(thesis.txt\)"):
        manifest.open_prefix(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_prefix_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="cannot be written to") as caught:
        manifest.open_prefix(tmp_path / "file" / "prefix")
    assert "--prefix" in caught.value.hint


def test_a_disk_that_is_too_small_is_told_before_anything_is_downloaded(tmp_path):
    with pytest.raises(EngineError, match="GB of disk space") as caught:
        environment.check_disk(tmp_path, 10**18)
    assert caught.value.code == "setup-disk" and "Free some space" in caught.value.hint


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("error: No space left on device (os error 28)", "the disk is full"),
        ("cause: client error (Connect)\ncause: dns error", "internet could not be reached"),
        ("ReadTimeoutError: Read timed out.", "internet could not be reached"),
        ("invalid peer certificate: UnknownIssuer", "certificate is not trusted"),
        ("error: Permission denied (os error 13)", "may not be written"),
        ("something\n  went wrong.\n", "failed: went wrong"),
        ("error: no\n  cause: no file\n\nhint: try\n", "failed: no file"),
    ],
)
def test_what_tools_print_becomes_one_sentence(tmp_path, printed, said):
    error = explain(printed, "Installing PyTorch", tmp_path / "log", {})
    assert error.message.startswith("Installing PyTorch failed") and said in error.message
    assert error.message.count(". ") == 0
    assert error.code == "setup-disk" or str(tmp_path / "log") in error.hint


def test_a_proxy_is_named_without_its_password(tmp_path):
    env = {"HTTPS_PROXY": "http://jane:secret@proxy:3128"}
    error = explain("dns error", "Installing PyTorch", tmp_path / "log", env)
    assert "the proxy http://proxy:3128" in error.message and "secret" not in str(error)


def test_a_damaged_manifest_never_costs_more_than_the_prefix(tmp_path):
    record = manifest.open_prefix(tmp_path / "prefix")
    precious = make_dirs(tmp_path, "home/plug-ins/others") / "home"
    record.trees += [str(precious), str(precious / "plug-ins/others"), str(tmp_path)]
    manifest.remove_all(record, keep_weights=False)
    assert (precious / "plug-ins/others").is_dir()


@posix
def test_two_installers_do_not_run_at_once(tmp_path):
    manifest.open_prefix(tmp_path / "p")
    with (
        manifest.lock(tmp_path / "p"),
        pytest.raises(EngineError, match="Another set-up"),
        manifest.lock(tmp_path / "p"),
    ):
        pass


# --- real runs ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uv_cache(tmp_path_factory):
    """Downloads shared by the runs of this module (the tool that builds our own package)."""
    return os.environ.get("UV_CACHE_DIR") or str(tmp_path_factory.mktemp("uv-cache"))


class Home:
    """A fake home, and the installer run in it."""

    def __init__(self, path: Path, uv_cache: str) -> None:
        self.path = path
        self.prefix = path / ".local/share/gimp-neural-style"
        kept = {k: v for k, v in os.environ.items() if k.startswith(("UV_", "PIP_", "SSL_"))}
        (path.parent / "tools").mkdir()
        uv = shutil.which("uv", path=str(Path(sys.executable).parent))
        if uv:
            (path.parent / "tools/uv").symlink_to(uv)
        self.env = {
            **kept,
            "HOME": str(path),
            "PATH": f"{path.parent / 'tools'}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "UV_CACHE_DIR": uv_cache,
        }

    def command(self, *options: object) -> list[str]:
        script = str(INSTALL / "install.py")
        return [sys.executable, "-E", "-s", script, *map(str, options)]

    def run(self, *options: object, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*options),
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )

    def install(self, *options: object, **env: str) -> subprocess.CompletedProcess[str]:
        always = ("--use-python", sys.executable, "--no-fetch-weights")
        done = self.run(*always, *options, **env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def engine(self) -> str:
        return json.loads((self.prefix / "manifest.json").read_text())["engine"]

    def engines(self) -> list[str]:
        return sorted(p.name for p in self.prefix.glob("e[0-9]*"))

    def record(self, gimp: str = "3.0") -> dict[str, object]:
        folder = self.path / ".config/GIMP" / gimp / "plug-ins/neural_style"
        return json.loads((folder / "engine.json").read_text())

    def answers(self) -> bool:
        """Whether the engine that GIMP would start says that it is ready."""
        command = self.record()["command"]
        assert isinstance(command, list)
        hello = json.dumps({"type": "hello", "protocol": self.record()["protocol"]}) + "\n"
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=self.env
        ) as process:
            assert process.stdin and process.stdout
            process.stdin.write(hello.encode())
            process.stdin.flush()
            kinds = (json.loads(line)["type"] for line in process.stdout)
            return next((kind for kind in kinds if kind != "alive"), "") == "ready"


@pytest.fixture
def home(tmp_path, uv_cache):
    # a name that is hard on scripts
    path = tmp_path / "Žofie's home"
    path.mkdir()
    return Home(path, uv_cache)


def tree(path: Path) -> dict[str, str]:
    """Every path below ``path``, with the contents of files and targets of links."""
    found = {}
    for entry in path.rglob("*"):
        if entry.is_symlink():
            kind = os.readlink(entry)
        elif entry.is_dir():
            kind = "directory"
        else:
            kind = hashlib.sha256(entry.read_bytes()).hexdigest()
        found[str(entry.relative_to(path))] = kind
    return found


def a_users_home(home: Home) -> dict[str, str]:
    """Fills a home with what its user has; returns its `tree`."""
    make_dirs(home.path, ".config/GIMP/3.0/plug-ins/other", ".local/share/fonts", ".local/bin")
    (home.path / ".config/GIMP/3.0/pluginrc").write_text("GIMP's own")
    (home.path / ".config/GIMP/3.0/plug-ins/other/other.py").write_text("another plug-in")
    (home.path / "photo.jpg").write_bytes(b"\xff\xd8")
    return tree(home.path)


@posix
def test_install_paints_and_uninstall_leaves_the_home_as_it_was(home):
    # on the PATH, and no uv there
    home.env["PATH"] = f"{home.path / '.local/bin'}:/usr/bin:/bin"
    before = a_users_home(home)
    done = home.install()
    assert "Features:    built-in draft network" in done.stdout
    after = tree(home.path)
    assert before.items() <= after.items(), "what was there is untouched, pluginrc included"
    assert home.answers()
    launcher = home.path / ".local/bin/styleengine"
    shown = subprocess.run([launcher, "--version"], env=home.env, capture_output=True, text=True)
    assert shown.stdout.split()[-1] == PACKAGE.version
    # as GIMP and the engine leave things behind when they run
    (home.path / ".config/GIMP/3.0/plug-ins/neural_style/__pycache__").mkdir()
    (home.prefix / "logs/engine.log").write_text("")
    make_dirs(home.prefix, "weights")
    (home.prefix / "weights/vgg19.part").write_text("a download that was given up")
    removed = home.run("--uninstall")
    assert removed.returncode == 0, removed.stderr
    assert tree(home.path) == before


@posix
def test_uninstall_keeps_weights_until_told_otherwise(home):
    home.install()
    weights = home.prefix / "weights/vgg19.safetensors"
    weights.parent.mkdir(exist_ok=True)
    weights.write_bytes(b"80 MB")
    done = home.run("--uninstall")
    assert done.returncode == 0 and "The network stays in" in done.stdout
    assert weights.read_bytes() == b"80 MB"
    assert {p.name for p in home.prefix.iterdir()} == {"weights", "manifest.json"}
    assert os.listdir(home.path) == [".local"], "no empty GIMP profiles"
    assert home.run("--uninstall", "--all").returncode == 0
    assert tree(home.path) == {}


@posix
def test_running_it_again_repairs_and_leaves_one_engine(home):
    home.install("--prefix", home.prefix)
    first = home.engine()
    package = next((home.prefix / first).rglob("styleengine/serving/server.py"))
    package.unlink()
    folder = home.path / ".config/GIMP/3.2/plug-ins/neural_style"
    (folder / "neural_style.py").chmod(0o644)
    (home.prefix / "weights").mkdir()
    (home.prefix / "weights/mine").write_text("")
    home.install()
    assert home.engines() == [home.engine()] != [first]
    assert home.answers()
    assert (folder / "neural_style.py").stat().st_mode & stat.S_IXUSR
    assert (home.prefix / "weights/mine").exists()


def wait_for(condition, process):
    """Waits until ``condition()`` or the end of ``process``."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert process.poll() is None, "the installer ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)


KILL_AT = {
    "while the environment is built": lambda home, old: len(home.engines()) > 1,
    "while it is tested": lambda home, old: any(
        home.prefix.glob("e2/lib/*/site-packages/styleengine/serving/server.py")
    ),
    "after the first plug-in was switched": lambda home, old: home.record("3.0") != old,
}


@posix
@pytest.mark.parametrize("moment", KILL_AT)
def test_an_installer_killed_midway_leaves_a_working_engine(home, moment):
    home.install()
    old = home.record()
    options = ("--use-python", sys.executable, "--no-fetch-weights")
    with open(home.path / "out", "wb") as out:
        process = subprocess.Popen(
            home.command(*options), env=home.env, stdout=out, stderr=out, start_new_session=True
        )
        try:
            wait_for(lambda: KILL_AT[moment](home, old), process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert home.answers()
    home.install()
    assert home.answers()
    assert home.engines() == [home.engine()]
    assert not list(home.path.rglob(".neural_style.*"))
    assert home.run("--uninstall", "--all").returncode == 0
    assert not home.prefix.exists()


@posix
def test_a_new_engine_that_fails_its_test_is_not_switched_to(home, tmp_path):
    home.install()
    old, record = home.engine(), home.record()
    broken = tmp_path / "checkout"
    for name in ("styleengine", "gimp_plugin", "install"):
        shutil.copytree(
            CHECKOUT / name, broken / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(CHECKOUT / name, broken)
    (broken / "styleengine/serving/server.py").write_text("raise RuntimeError('out of order')\n")
    script = str(broken / "install/install.py")
    done = subprocess.run(
        [sys.executable, script, "--use-python", sys.executable, "--no-fetch-weights"],
        env=home.env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Error: The engine failed its test" in done.stderr
    assert "Traceback" not in done.stderr
    assert (home.engine(), home.record()) == (old, record)
    assert home.answers()


@posix
def test_named_profiles_and_a_prefix_of_ones_own(home, tmp_path):
    prefix, profile = tmp_path / "my engine", tmp_path / "my profile"
    home.install("--prefix", prefix, "--gimp-dir", profile)
    assert (profile / "plug-ins/neural_style/neural_style.py").is_file()
    assert tree(home.path) == {}
    python = home.run("--prefix", prefix, "--print-python").stdout.strip()
    where = subprocess.run(
        [prefix / "bin/styleengine", "weights", "status"],
        env=home.env,
        capture_output=True,
        text=True,
    )
    assert where.returncode == 0, where.stderr
    assert Path(python).is_relative_to(prefix)
    assert home.run("--prefix", prefix, "--uninstall").returncode == 0
    assert not prefix.exists() and not profile.exists()


@posix
@pytest.mark.parametrize(
    ("options", "message", "step"),
    [
        (
            ["--use-python", "/nowhere/python"],
            "There is no Python at /nowhere/python.",
            "--use-python",
        ),
        (
            ["--weights", "/nowhere/vgg.h5"],
            "There is no weights file /nowhere/vgg.h5.",
            "--weights",
        ),
        (["--prefix", "/dev/null/x"], "/dev/null/x cannot be written to", "--prefix"),
        (["--uninstall"], "Nothing is installed in", "--prefix"),
        (["--print-python"], "Nothing is installed in", "install.sh"),
    ],
)
def test_bad_input_gets_a_sentence_and_a_next_step(home, options, message, step):
    done = home.run(*options)
    assert done.returncode == 1
    first, second = done.stderr.strip().splitlines()[:2]
    assert first.startswith(f"Error: {message}") and first.endswith(".")
    assert step in second
    assert home.engines() == []


@posix
def test_a_backend_that_does_not_exist_is_refused(home):
    done = home.run("--backend", "quantum")
    assert done.returncode == 2 and "quantum" in done.stderr
    assert tree(home.path) == {}


@posix
def test_sudo_is_refused(home):
    done = home.run(SUDO_USER="anna")
    assert done.returncode == 1 and "for root instead of anna" in done.stderr
    assert tree(home.path) == {}


@posix
def test_a_python_without_torch_is_refused_as_lender(home, tmp_path):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    done = home.run("--use-python", bare / "bin/python")
    assert done.returncode == 1
    assert "No module named 'torch'" in done.stderr and "Traceback" not in done.stderr


@posix
def test_the_shell_script_says_what_is_missing_on_a_system_without_python(home, tmp_path):
    tools = make_dirs(tmp_path, "bin") / "bin"
    for name in ("dirname", "mktemp", "rm", "sh", "env"):
        (tools / name).symlink_to(shutil.which(name))
    # somebody who may not install packages
    (tools / "id").write_text("#!/bin/sh\necho 1000\n")
    (tools / "id").chmod(0o755)
    done = subprocess.run(
        ["sh", INSTALL / "install.sh"],
        env={**home.env, "PATH": str(tools)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No Python 3.9 or newer was found")
    assert "apt install python3" in done.stderr


@posix
def test_the_shell_script_passes_its_arguments_on(home):
    done = subprocess.run(
        ["sh", INSTALL / "install.sh", "--prefix", home.path / "a b", "--uninstall"],
        env=home.env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and f"Nothing is installed in {home.path / 'a b'}." in done.stderr


# --- the same code, called as the dialog calls it -------------------------------------------------


class Stopping(Talk):
    """A user who cancels as soon as a stage begins."""

    def __init__(self, stage: str) -> None:
        self.stage, self.seen = stage, []

    def step(self, step):
        self.seen.append(step.stage)

    def stopped(self):
        return self.stage in self.seen


STAGES = ["Getting Python", "Installing PyTorch", "Installing the engine", "Testing the engine"]


@posix
@pytest.mark.parametrize("stage", STAGES)
def test_cancelled_in_any_stage_the_old_engine_stays_and_the_next_one_succeeds(home, stage):
    home.install()
    old, record = home.engine(), home.record()
    profiles_ = tuple(places.found_profiles(a_system(home.path)))
    system = System("linux", platform.machine(), home.env, home.path)
    wish = Wish(
        home.prefix, profiles=profiles_, use_python=Path(sys.executable), fetch_weights=False
    )
    with pytest.raises(Stopped):
        flow.set_up(PACKAGE, wish, Stopping(stage), system)
    assert (home.engine(), home.record()) == (old, record)
    assert home.answers()
    outcome = flow.set_up(PACKAGE, wish, Talk(), system)
    assert set(outcome.folders) == {p / "plug-ins/neural_style" for p in profiles_}
    assert home.engines() == [home.engine()] != [old] and home.answers()


@posix
def test_a_second_gimp_takes_the_engine_that_is_there_and_an_update_takes_all_along(home, tmp_path):
    home.install()
    engine = home.engine()
    system = System("linux", platform.machine(), home.env, home.path)
    first = home.path / ".config/GIMP/3.0/plug-ins/neural_style"
    second = tmp_path / "plug-ins/neural_style"
    shutil.copytree(first, second)
    (second / "engine.json").unlink()
    wish = Wish(home.prefix, folder=second, fetch_weights=False, again=False)
    outcome = flow.set_up(package.of_folder(second), wish, Talk(), system)
    assert outcome.folders == (second,) and home.engine() == engine
    assert json.loads((second / "engine.json").read_text()) == home.record()
    # A newer plug-in in the second GIMP: its set-up brings the first one along.
    facts = json.loads((second / "payload/package.json").read_text())
    (second / "payload/package.json").write_text(json.dumps({**facts, "version": "99"}))
    (second / "arguments.py").write_text("# newer\n")
    newer = replace(package.of_folder(second), version="99")
    wish = replace(wish, use_python=Path(sys.executable))
    outcome = flow.set_up(newer, wish, Talk(), system)
    assert set(outcome.folders) >= {first, second}
    assert (first / "arguments.py").read_text() == "# newer\n"
    told = [json.loads((f / "engine.json").read_text()) for f in (first, second)]
    assert told[0] == told[1] and told[0]["version"] == "99" and home.engine() != engine
    assert home.engines() == [home.engine()]
    flow.remove(home.prefix, Talk(), keep_weights=False)
    assert not (second.exists() or first.exists() or home.prefix.exists())
