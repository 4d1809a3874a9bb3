"""The release: the same bytes twice, one folder per zip that can set itself up, wheels for all."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import release
from setup import package
from setup.files import sha256

CHECKOUT = Path(__file__).resolve().parents[1]
CONSTRAINTS = CHECKOUT / "install/constraints.txt"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="release.sh is a shell script")


def uv() -> str:
    found = shutil.which(
        "uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if not found:
        pytest.skip("uv is not installed")
    return found


@pytest.fixture(scope="module")
def network():
    """Whether uv reaches a registry; skips with what it said if not."""
    asked = [uv(), "pip", "compile", "--quiet", "--no-cache", "--no-deps", "-"]
    done = subprocess.run(asked, input="pluggy", capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        pytest.skip(f"no registry of packages can be reached: {''.join(last)}")


def built(folder: Path, *options: str) -> Path:
    path = f"{Path(uv()).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-B", CHECKOUT / "install/release.py", folder, *options],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_twice_the_same_bytes_and_one_whole_folder_in_the_zip(network, tmp_path):
    options = ("--no-uv", "--system", "linux-x86_64")
    one, two = built(tmp_path / "one", *options), built(tmp_path / "two", *options)
    names = sorted(p.name for p in one.iterdir())
    assert names == sorted(p.name for p in two.iterdir())
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    version = package.of_checkout(CHECKOUT).version
    zipped = one / f"neural-style-{version}-linux-x86_64.zip"
    sums = dict(line.split("  ")[::-1] for line in (one / "SHA256SUMS").read_text().splitlines())
    assert sums == {n: sha256(one / n) for n in names if n != "SHA256SUMS"}
    assert {Path(n).suffix for n in sums} == {".zip", ".whl", ".gz"}
    with zipfile.ZipFile(zipped) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        archive.extractall(tmp_path / "plug-ins")
    assert {name.split("/")[0] for name in entries} == {"neural_style"}
    runs = [n for n, info in entries.items() if info.external_attr >> 16 & stat.S_IXUSR]
    assert runs == ["neural_style/neural_style.py"]
    folder = tmp_path / "plug-ins/neural_style"
    found = package.of_folder(folder)
    assert (found.version, found.system, found.uv) == (version, "linux-x86_64", None)
    source = CHECKOUT / "gimp_plugin/neural_style"
    for path in source.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert (folder / path.relative_to(source)).read_bytes() == path.read_bytes()
    protocol = CHECKOUT / "styleengine/protocol.py"
    assert (folder / "protocol.py").read_bytes() == protocol.read_bytes()
    assert "MIT" in (folder / "LICENSE").read_text()
    with zipfile.ZipFile(found.engine) as wheel:
        inside = wheel.namelist()
    assert {"styleengine/protocol.py", "styleengine/networks/draft.safetensors"} <= set(inside)
    assert not [n for n in inside if n.startswith(("tests/", "gimp_plugin/"))]


@pytest.mark.slow
@pytest.mark.parametrize("target", release.TARGETS, ids=lambda target: target.name)
def test_each_zip_brings_its_own_systems_uv(network, tmp_path, target):
    what = package.of_checkout(CHECKOUT)
    wheel = tmp_path / f"styleengine-{what.version}-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    made = release.make(target, what, wheel, tmp_path, tmp_path, release.EARLIEST, uv())
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path / "plug-ins")
    found = package.of_folder(tmp_path / "plug-ins/neural_style")
    assert found.uv and sha256(found.uv) == found.uv_sha256
    kind = {
        "linux-x86_64": b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        "linux-aarch64": b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        "windows-x86_64": b"MZ",
        "macos-arm64": bytes.fromhex("cffaedfe0c000001"),
    }[target.name]
    program = found.uv.read_bytes()
    assert program.startswith(kind)
    if target.name.startswith("linux"):
        machine = int.from_bytes(program[18:20], "little")  # of the ELF header
        assert machine == {"linux-x86_64": 62, "linux-aarch64": 183}[target.name]
    assert list(found.uv.parent.glob("uv-LICENSE*"))
    assert made.stat().st_size < release.MOST_BYTES


PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
NEEDED = PROJECT["project"]["dependencies"]
PACKAGES = {re.split(r"[^\w-]", line)[0] for line in NEEDED}


def resolved(platform: str, version: str, macos: str = "") -> subprocess.CompletedProcess[str]:
    """uv's choice of wheels for a platform, as the set-up asks for them."""
    env = {**os.environ, **({"MACOSX_DEPLOYMENT_TARGET": macos} if macos else {})}
    extra = ("msvc-runtime",) if "windows" in platform else ()
    command = [uv(), "pip", "compile", "--quiet", "--only-binary", ":all:", "-"]
    command += ["--constraint", CONSTRAINTS, "--python-platform", platform]
    command += ["--python-version", version, "--no-header", "--no-annotate"]
    return subprocess.run(
        command,
        input="\n".join([*NEEDED, *extra]),
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("target", release.TARGETS, ids=lambda target: target.name)
def test_there_are_wheels_for_every_pin_on_every_system_of_the_release(network, target):
    done = resolved(target.platform, "3.12", target.macos)
    assert done.returncode == 0, done.stderr
    pins = {line.split(" ;")[0] for line in CONSTRAINTS.read_text().splitlines() if "==" in line}
    chosen = {line.split(" ;")[0].strip() for line in done.stdout.splitlines() if "==" in line}
    named = {line.split("==")[0] for line in pins}
    assert {line.split("==")[0] for line in chosen} >= PACKAGES
    assert {line for line in chosen if line.split("==")[0] in named} <= pins


@pytest.mark.parametrize(
    ("platform", "macos"),
    [
        ("aarch64-apple-darwin", "13.0"),
        ("x86_64-apple-darwin", "14.0"),
        ("x86_64-unknown-linux-musl", ""),
    ],
)
def test_there_are_none_where_the_set_up_refuses(network, platform, macos):
    done = resolved(platform, "3.12", macos)
    assert done.returncode != 0 and "wheel" in done.stderr


def test_what_cannot_be_built_is_told(tmp_path):
    done = subprocess.run(
        [sys.executable, "-B", CHECKOUT / "install/release.py", tmp_path / "out"],
        env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.strip().startswith("Error: The program uv is missing.")


def test_the_release_names_what_the_set_up_asks_for():
    from setup.system import System, release_name

    home = Path("/")
    systems = [
        System("linux", "x86_64", {}, home),
        System("linux", "aarch64", {}, home),
        System("win32", "AMD64", {}, home),
        System("darwin", "arm64", {}, home),
    ]
    assert [release_name(s) for s in systems] == [t.name for t in release.TARGETS]
    assert json.loads(package.facts("1", "w"))["version"] == "1"
