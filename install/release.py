"""Builds the release: one zip per system, the engine's wheel and source, and their checksums.

The same sources give the same bytes: names in order, the times of the last commit, no traces of the
computer. Started by release.sh.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from plugin_path import CHECKOUT
from protocol import EngineError
from setup import package, plugin_folder
from setup.files import sha256

MOST_BYTES = 60 * 10**6
"""A zip without the pretrained network must stay below."""
EARLIEST = 315532800  # 1980, where the times of zips begin


@dataclass(frozen=True)
class Target:
    """A system of the release: its name, and how uv calls its platform."""

    name: str
    platform: str
    macos: str = ""

    def environment(self) -> dict[str, str]:
        """What uv needs beside the platform's name."""
        return {**os.environ, **({"MACOSX_DEPLOYMENT_TARGET": self.macos} if self.macos else {})}


TARGETS = (
    Target("linux-x86_64", "x86_64-manylinux_2_28"),
    Target("linux-aarch64", "aarch64-manylinux_2_28"),
    Target("windows-x86_64", "x86_64-pc-windows-msvc"),
    Target("macos-arm64", "aarch64-apple-darwin", "14.0"),
)


def run(command: Sequence[object], what: str, env: dict[str, str] | None = None) -> None:
    """Runs a program quietly; raises `EngineError` with its last line if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        step = "Correct that, then run this again."
        raise EngineError("release", "{what} failed: {why}.", step, what=what, why=last[0].strip())


def uv_program() -> str:
    """uv, which builds and fetches. Raises `EngineError` where there is none."""
    found = shutil.which("uv")
    if found:
        return found
    raise EngineError(
        "release",
        "The program uv is missing.",
        "Install it (pip install uv), or run ./install/test.sh --quick, then run this again.",
    )


def epoch() -> int:
    """The time of all files in the release: $SOURCE_DATE_EPOCH, else that of the last commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not given:
        asked = ["git", "-C", str(CHECKOUT), "log", "-1", "--format=%ct"]
        try:
            given = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            given = ""  # a source distribution
    return max(int(given.strip() or EARLIEST), EARLIEST)


def build(folder: Path, uv: str, stamp: int) -> tuple[Path, Path]:
    """The engine's wheel and source distribution, made in ``folder``."""
    what = package.of_checkout(CHECKOUT)
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(stamp)}
    command = [uv, "build", "--quiet", "--out-dir", folder, "--python", sys.executable]
    run([*command, "--build-constraint", what.constraints, CHECKOUT], "Building the engine", env)
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


def fetch_uv(target: Target, what: package.Package, folder: Path, uv: str) -> Path:
    """The uv for ``target`` from its own wheel, whose checksum uv compares with the index's."""
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--target", folder, "--python", sys.executable]
    command += ["--python-platform", target.platform, what.pinned("uv")]
    run(command, f"Fetching uv for {target.name}", target.environment())
    name = "uv.exe" if target.name.startswith("windows") else "uv"
    return next(path for path in folder.rglob(name) if path.is_file() and path.parent != folder)


def converted(weights: Path, folder: Path) -> Path:
    """The pretrained network as the engine keeps it, from any file that it can read."""
    env = {**os.environ, "STYLEENGINE_HOME": str(folder), "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "styleengine", "weights", "import", weights.absolute()]
    run(command, f"Converting {weights}", env)
    return next((folder / "weights").glob("*.safetensors"))


def pack(folder: Path, target: Path, stamp: int) -> None:
    """``folder`` as a zip, with itself as its only entry at the top."""
    when = time.gmtime(stamp)[:6]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            info = zipfile.ZipInfo(name, when)
            info.create_system = 3  # Unix, which keeps the run bit
            runs = os.access(path, os.X_OK)
            info.external_attr = (0o100755 if runs else 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, path.read_bytes(), compresslevel=9)


def make(
    target: Target,
    what: package.Package,
    wheel: Path,
    scratch: Path,
    out: Path,
    stamp: int,
    uv: str,
) -> Path:
    """The zip for one system; ``uv`` empty leaves that program out."""
    work = scratch / target.name
    work.mkdir()
    licences: list[Path] = []
    if uv:
        program = fetch_uv(target, what, work / "uv", uv)
        licences = sorted((work / "uv").glob("uv-*.dist-info/**/LICENSE*"))
        what = replace(what, uv=program, uv_sha256=sha256(program))
    folder = work / package.NAME
    plugin_folder.fill(folder, replace(what, system=target.name), wheel)
    for licence in licences:
        shutil.copyfile(licence, folder / package.PAYLOAD / f"uv-{licence.name}")
    if uv:
        (folder / package.PAYLOAD / program.name).chmod(0o755)
    zipped = out / f"neural-style-{what.version}-{target.name}.zip"
    pack(folder, zipped, stamp)
    if not what.weights and zipped.stat().st_size > MOST_BYTES:
        size = f"{zipped.stat().st_size / 1e6:.0f}"
        step = "Find out what has grown."
        text = "{name} has {size} MB, and 60 are the most."
        raise EngineError("release", text, step, name=zipped.name, size=size)
    return zipped


def release(out: Path, names: Sequence[str], weights: Path | None, with_uv: bool) -> list[Path]:
    """Builds all of it into ``out``; returns the files. Raises `EngineError`."""
    uv, stamp = uv_program(), epoch()
    out.mkdir(parents=True, exist_ok=True)
    what = package.of_checkout(CHECKOUT)
    made = []
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        if weights:
            what = replace(what, weights=converted(weights, scratch / "home"))
        wheel, source = build(scratch / "built", uv, stamp)
        for target in (t for t in TARGETS if t.name in names):
            program = uv if with_uv else ""
            made.append(make(target, what, wheel, scratch, out, stamp, program))
            print(f"{made[-1]}  ({made[-1].stat().st_size / 1e6:.1f} MB)", flush=True)
        for path in (wheel, source):
            made.append(Path(shutil.copyfile(path, out / path.name)))
            print(f"{made[-1]}  ({made[-1].stat().st_size / 1e6:.1f} MB)", flush=True)
    sums = "".join(f"{sha256(path)}  {path.name}\n" for path in sorted(made))
    (out / "SHA256SUMS").write_text(sums, encoding="utf-8")
    return [*made, out / "SHA256SUMS"]


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="release.sh", description="Builds what people download.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the files go")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="put this network in, too")
    names = [target.name for target in TARGETS]
    parser.add_argument("--system", action="append", choices=names, help="only this (repeatable)")
    parser.add_argument("--no-uv", action="store_true", help="without uv, for tries")
    given = parser.parse_args(arguments)
    try:
        release(given.folder, given.system or names, given.weights, not given.no_uv)
    except EngineError as error:
        print(f"\nError: {error.message}\n{error.hint}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\nError: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
