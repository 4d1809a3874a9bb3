"""The part of demo.sh after the installation; runs with the engine's Python."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from styleengine import EngineError, protocol
from styleengine.pictures import files
from styleengine.weights import store

sys.dont_write_bytecode = True
sys.modules["protocol"] = protocol  # the engine's own, and not one more
import profiles  # noqa: E402
from plugin_path import CHECKOUT, PLUGIN  # noqa: E402
from setup import files as setup_files  # noqa: E402
from setup import manifest, package  # noqa: E402

DEMO = CHECKOUT / "demo"
INSTALL = CHECKOUT / "install"
ROOT = CHECKOUT / ".gimp-roots" / "trixie"
PHOTO = INSTALL / "pictures" / "photo.jpg"
STYLE = PLUGIN / "styles" / "style-night.jpg"
HEIGHT, GAP = 540, 8


@dataclass(frozen=True)
class Gimp:
    """A GIMP 3: the start of a command line that runs a program of it, and its program."""

    start: tuple[str, ...]
    program: str
    is_disposable: bool

    def command(self, variables: dict[str, str], binds: Sequence[Path]) -> list[str]:
        """The command line of GIMP with environment ``variables``, seeing the paths ``binds``."""
        pairs = [f"{name}={value}" for name, value in variables.items()]
        if not self.is_disposable:
            return ["env", *pairs, self.program]
        words = list(self.start)
        for path in binds:
            words += ["--bind", str(path)]
        for pair in pairs:
            words += ["--env", pair]
        return [*words, "--", self.program]


def patiently(command: Sequence[str], log: Path) -> int:
    """Runs ``command`` into ``log``, counting the seconds on a terminal; returns its status."""
    started = time.monotonic()
    with open(log, "wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        while True:
            try:
                status = process.wait(1)
            except subprocess.TimeoutExpired:
                if sys.stdout.isatty():
                    print(f"\r  {time.monotonic() - started:.0f} s ", end="", flush=True)
                continue
            if sys.stdout.isatty():
                print("\r            \r", end="", flush=True)
            return status


def find_gimp() -> Gimp:
    """The system's GIMP if it is a GIMP 3, else one in a disposable root."""
    found = profiles.gimp_on_path()
    if found:
        return Gimp((), found[0], is_disposable=False)
    tool = str(INSTALL / "gimp_root.sh")
    if not ROOT.exists():
        print("This system has no GIMP 3; making a disposable Debian that has one …", flush=True)
    log = DEMO / "gimp-root.log"
    if patiently([tool, "make", "trixie", str(ROOT)], log):
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise EngineError(
            "demo",
            f"No GIMP 3 could be prepared: {''.join(last).removeprefix('gimp_root: ')}",
            "Or install GIMP 3 with your system's package manager, then run the demo again. "
            f"Details: {log}",
        )
    return Gimp((tool, "run", str(ROOT)), "gimp-console", is_disposable=True)


def inputs(given: Sequence[tuple[str, bytes]]) -> tuple[Path, Path]:
    """Copies of photo and style inside the demo folder: the given ones, or the project's own."""
    folder = DEMO / "input"
    copies = []
    given = given or [(path.name, path.read_bytes()) for path in (PHOTO, STYLE)]
    for place, (name, data) in zip(("photo", "style"), given, strict=True):
        copies.append(folder / place / name)
        copies[-1].parent.mkdir(parents=True)
        copies[-1].write_bytes(data)
    return copies[0], copies[1]


def contents(path: Path) -> tuple[str, bytes]:
    """Name and bytes of a picture; raises `EngineError` if the engine cannot read it."""
    files.load(path)
    return path.name, path.read_bytes()


def private_profile(prefix: Path) -> Path:
    """A GIMP profile for this demo with the installed plug-in; the user's stays as it is."""
    record = manifest.read(prefix)
    assert record, prefix
    installed = next(t for t in record.trees if Path(t).name == package.NAME)
    profile = DEMO / "gimp-profile"
    shutil.copytree(installed, profile / "plug-ins" / package.NAME)
    return profile


def interpreter_paths(prefix: Path) -> list[Path]:
    """What of this system the engine's Python needs beside ``prefix`` to run in another root."""
    system = sys.base_prefix == "/usr"
    base = {os.path.realpath(sys.executable) if system else sys.base_prefix}
    outside = (f for f in sys.path if os.path.isdir(f) and not Path(f).is_relative_to(prefix))
    inside_base = (str(INSTALL), *base)
    return [Path(p) for p in sorted(base | {f for f in outside if not f.startswith(inside_base)})]


def paint(gimp: Gimp, prefix: Path, photo: Path, style: Path) -> dict[str, object]:
    """Has GIMP run the filter; returns what it told. Raises `EngineError`."""
    job = {
        "photo": str(photo),
        "style": str(style),
        "xcf": str(DEMO / "result.xcf"),
        "png": str(DEMO / "result.png"),
        "told": str(DEMO / "told.json"),
    }
    (DEMO / "job.json").write_text(json.dumps(job), encoding="utf-8")
    script = shutil.copy(INSTALL / "demo_in_gimp.py", DEMO)
    profile = private_profile(prefix)
    variables = {"GIMP3_DIRECTORY": str(profile), "DEMO_JOB": str(DEMO / "job.json")}
    binds = [DEMO, prefix, *interpreter_paths(prefix)]
    own = os.environ.get(store.FILE_VARIABLE)
    if own:
        variables[store.FILE_VARIABLE] = str(Path(own).expanduser().absolute())
        binds.append(Path(variables[store.FILE_VARIABLE]))
    command = gimp.command(variables, binds)
    command += ["--no-interface", "--batch-interpreter=python-fu-eval", "--quit"]
    command += ["-b", f"exec(compile(open({script!r}, encoding='utf-8').read(), 'demo', 'exec'))"]
    patiently(command, DEMO / "gimp.log")
    try:
        told: dict[str, object] = json.loads((DEMO / "told.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EngineError("demo", "GIMP did not run.", f"See {DEMO / 'gimp.log'}.") from None
    if "error" in told:
        raise EngineError("demo", f"GIMP says: {told['error']}", f"See {DEMO / 'gimp.log'}.")
    return told


def side_by_side(paths: Sequence[Path], target: Path) -> None:
    """The pictures at one height, next to each other on white, as ``target``."""
    pictures = []
    for path in paths:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
        width = max(1, round(picture.width * HEIGHT / picture.height))
        pictures.append(picture.resize((width, HEIGHT), Image.Resampling.LANCZOS))
    total = sum(p.width for p in pictures) + GAP * (len(pictures) - 1)
    sheet = Image.new("RGB", (total, HEIGHT), "white")
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + GAP
    sheet.save(target)


def run(given: Sequence[Path], install_seconds: float) -> None:
    """The demo. Raises `EngineError`."""
    prefix = Path(sys.prefix).parent
    os.environ["STYLEENGINE_HOME"] = str(prefix)
    times = {"installing": install_seconds}

    def timed(what: str, started: float) -> None:
        times[what] = time.monotonic() - started

    started = time.monotonic()
    pictures = [contents(path) for path in given]  # they may lie in the folder that is cleared
    DEMO.mkdir(exist_ok=True)
    for name in ("input", "gimp-profile", "told.json", "result.png", "result.xcf"):
        setup_files.remove_tree(DEMO / name)
    photo, style = inputs(pictures)
    timed("pictures", started)
    started = time.monotonic()
    gimp = find_gimp()
    timed("getting GIMP", started)
    features = store.status()
    if features.problem:
        raise EngineError("demo", features.problem, f"Correct {store.FILE_VARIABLE}, or unset it.")
    print(f"Painting in GIMP: {photo.name} in the style of {style.name} …", flush=True)
    told = paint(gimp, prefix, photo, style)
    times["painting"] = float(str(told["seconds"]))
    side_by_side([photo, style, DEMO / "result.png"], DEMO / "before-after.png")
    width, height = told["size"]  # type: ignore[misc]
    where = "in a disposable Debian root" if gimp.is_disposable else "of this system"
    print()
    print(
        f"GIMP {told['gimp']} ({where}) opened {photo.name}, ran plug-in-neural-style on its layer"
    )
    print(f"with {style.name}, and got the layer “{told['painted']}” ({width} × {height} px).")
    print(f"Layers:   {', '.join(told['layers'])}")  # type: ignore[arg-type]
    print(f"Features: {features.source}")
    print("Time:     " + ", ".join(f"{what} {spent:.1f} s" for what, spent in times.items()))
    for name in ("result.png", "result.xcf", "before-after.png"):
        print(f"  {DEMO / name}")


def main() -> int:
    """Runs the demo; returns the exit status."""
    parser = argparse.ArgumentParser(prog="demo.sh", description="Shows the filter in GIMP 3.")
    parser.add_argument("--install-seconds", type=float, default=0.0)
    parser.add_argument("pictures", nargs="*", type=Path, metavar="PHOTO STYLE")
    args = parser.parse_args()
    try:
        run(args.pictures, args.install_seconds)
    except EngineError as error:
        print(f"\nError: {error.message}\n{error.hint}".rstrip(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
