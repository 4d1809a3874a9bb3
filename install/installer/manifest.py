"""Which paths the installer made, so that exactly these can be removed again.

Every path is written down *before* it is made: an installer that is killed leaves nothing behind
that the next run, or ``--uninstall``, does not know about.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .base import InstallError

NAME = "manifest.json"
# Made by the engine and by the dialog when they run, not by the installer.
RUNTIME = (
    "logs",
    "probes",
    "gimp-settings.json",
    "presets.json",
    "style-folders.json",
    "recent-styles.json",
)
WEIGHTS = "weights"


@dataclass
class Manifest:
    """``trees`` are whole directories of ours, ``files`` single files, ``dirs`` directories that
    are removed only when empty. ``engine`` is the name of the engine environment in use.
    """

    prefix: str
    engine: str = ""
    trees: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    dirs: list[str] = field(default_factory=list)

    def save(self) -> None:
        """Writes it into the prefix, in one step."""
        write_atomically(Path(self.prefix) / NAME, json.dumps(asdict(self), indent=1) + "\n")

    def own(self, kind: str, path: Path) -> None:
        """Notes that ``path`` is ours (``kind``: "trees", "files" or "dirs") and saves."""
        paths: list[str] = getattr(self, kind)
        if str(path) not in paths:
            paths.append(str(path))
            self.save()

    def disown(self, path: Path) -> None:
        """Forgets ``path``, which no longer exists, and saves."""
        for paths in (self.trees, self.files, self.dirs):
            while str(path) in paths:
                paths.remove(str(path))
        self.save()

    def make_dir(self, path: Path) -> None:
        """Makes ``path`` and its parents, noting those that were not there."""
        for missing in missing_dirs(path):
            self.own("dirs", missing)
            missing.mkdir(exist_ok=True)


def missing_dirs(path: Path) -> list[Path]:
    """The directories to make so that ``path`` exists, outermost first."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    return missing[::-1]


def write_atomically(path: Path, text: str) -> None:
    """Writes ``path`` so that a reader sees the old or the new text, never a part of it."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def read(prefix: Path) -> Manifest | None:
    """The manifest in ``prefix``, or None if there is none."""
    try:
        values = json.loads((prefix / NAME).read_text(encoding="utf-8"))
        return Manifest(**{**values, "prefix": str(prefix)})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InstallError(
            f"{prefix / NAME} cannot be read ({error.strerror}).",
            "Run the installer as the user who installed it.",
        ) from None
    except (ValueError, TypeError):
        raise InstallError(
            f"{prefix / NAME} is damaged.", "Delete that file and run the installer again."
        ) from None


def open_prefix(prefix: Path) -> Manifest:
    """The manifest of ``prefix``, which is made if it is missing and refused if it is not ours."""
    found = read(prefix)
    if found:
        return found
    ours = {*RUNTIME, WEIGHTS, NAME + ".new", "install.lock"}
    try:
        missing = missing_dirs(prefix)
        foreign = {p.name for p in prefix.iterdir()} - ours if prefix.is_dir() else set()
        if foreign:
            raise InstallError(
                f"{prefix} already holds other things ({sorted(foreign)[0]}).",
                "Choose an empty folder with --prefix.",
            )
        prefix.mkdir(parents=True, exist_ok=True)
        manifest = Manifest(str(prefix), dirs=[str(p) for p in missing])
        manifest.save()
    except OSError as error:
        raise InstallError(
            f"{prefix} cannot be written to ({error.strerror}).",
            "Choose another folder with --prefix DIR.",
        ) from None
    return manifest


@contextlib.contextmanager
def lock(prefix: Path):  # type: ignore[no-untyped-def]
    """Keeps a second installer out of ``prefix``; the system drops it when this process ends."""
    with open(prefix / "install.lock", "a+b") as file:
        try:
            if sys.platform == "win32":
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InstallError(
                f"Another installation into {prefix} is running.", "Wait until it has finished."
            ) from None
        yield


def remove_tree(path: Path) -> None:
    """Removes a directory of ours (or a file or link in its place), if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def is_ours(manifest: Manifest, tree: Path) -> bool:
    """Whether ``tree`` may be removed as a whole: a damaged manifest must not cost a home."""
    in_prefix = tree.parent == Path(manifest.prefix)
    in_profile = tree.parent.name == "plug-ins" and tree.name.strip(".").startswith("neural_style")
    return in_prefix or in_profile


def remove_all(manifest: Manifest, *, keep_weights: bool) -> list[str]:
    """Removes all that the manifest lists and what the engine made in its prefix.

    Returns what could not be removed, as sentences.
    """
    prefix, problems = Path(manifest.prefix), []
    trees = [Path(t) for t in manifest.trees if is_ours(manifest, Path(t))]
    trees += [prefix / name for name in RUNTIME] + ([] if keep_weights else [prefix / WEIGHTS])
    for path in trees + [Path(f) for f in manifest.files]:
        try:
            remove_tree(path)
        except OSError as error:
            problems.append(f"{path} could not be removed ({error.strerror}).")
    return problems


def has_weights(prefix: Path) -> bool:
    """Whether there is a pretrained network (and not just the beginning of one)."""
    return any((prefix / WEIGHTS).glob("*.safetensors"))


def forget(manifest: Manifest) -> None:
    """After `remove_all`: removes the empty directories, the lock and the manifest itself.

    Where weights were kept, so is a manifest of the directories around them.
    """
    prefix = Path(manifest.prefix)
    (prefix / "install.lock").unlink(missing_ok=True)
    if not (prefix / WEIGHTS).exists():
        (prefix / NAME).unlink(missing_ok=True)
    for path in sorted(map(Path, manifest.dirs), key=lambda p: -len(p.parts)):
        with contextlib.suppress(OSError):  # not empty: somebody else uses it by now
            path.rmdir()
    if (prefix / WEIGHTS).exists():
        manifest.trees, manifest.files, manifest.engine = [], [], ""
        manifest.dirs = [d for d in manifest.dirs if Path(d).is_dir()]
        manifest.save()
