"""Which paths the set-up made, so that exactly these can be removed again.

Every path is written down *before* it is made: a set-up that is killed leaves nothing behind that
the next one, or the removal, does not know about.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from language.texts import _
from protocol import EngineError
from setup.failures import of_system
from setup.files import remove_tree, write_atomically
from setup.places import is_cache

NAME = "manifest.json"
# Made by the engine and by the dialog when they run, not by the set-up.
RUNTIME = (
    "logs",
    "probes",
    "samples",
    # Files that could not be read are kept under longer names.
    "gimp-settings.json*",
    "presets.json*",
    "style-folders.json*",
    "recent-styles.json*",
    "known-styles.json*",
    "favorite-styles.json*",
    "samples.json*",
    "engine.json*",
)
WEIGHTS = "weights"
LOCK = "install.lock"
FILES = ("styleengine", "engine.json")
"""The names of single files that the set-up makes outside of its own directories."""


@dataclass
class Manifest:
    """``trees`` are whole directories of ours, ``files`` single files, ``dirs`` directories that
    are removed only when empty. ``engine`` is the name of the engine environment in use, ``python``
    what it runs on: "managed", or the path of the host's.
    """

    prefix: str
    engine: str = ""
    python: str = ""
    version: str = ""
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


def read(prefix: Path) -> Manifest | None:
    """The manifest in ``prefix``, or None if there is none."""
    try:
        values = json.loads((prefix / NAME).read_text(encoding="utf-8"))
        found = Manifest(**{**values, "prefix": str(prefix)})
        lists = (found.trees, found.files, found.dirs)
        if not all(isinstance(each, list) for each in lists):
            raise TypeError
        texts = [found.engine, found.python, found.version, *found.trees, *found.files]
        if not all(isinstance(text, str) for text in [*texts, *found.dirs]):
            raise TypeError
        return found
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise EngineError(
            "setup-permission",
            _("{file} cannot be read: {reason}.").format(file=prefix / NAME, reason=error.strerror),
            _("Set up as the user who did it the first time."),
        ) from None
    except (ValueError, TypeError, RecursionError):
        raise EngineError(
            "setup-failed",
            _("{file} is damaged.").format(file=prefix / NAME),
            _("Delete that file, then set up again."),
        ) from None


def open_prefix(prefix: Path) -> Manifest:
    """The manifest of ``prefix``, which is made if it is missing and refused if it is not ours."""
    found = read(prefix)
    if found:
        return found
    ours = (*RUNTIME, WEIGHTS, NAME + ".new", LOCK)
    try:
        missing = missing_dirs(prefix)
        names = [p.name for p in prefix.iterdir()] if prefix.is_dir() else []
        foreign = [n for n in names if not any(fnmatchcase(n, each) for each in ours)]
        if foreign:
            raise EngineError(
                "setup-permission",
                _("{folder} already holds other things ({name}).").format(
                    folder=prefix, name=sorted(foreign)[0]
                ),
                _("Choose an empty folder (--prefix, or the variable STYLEENGINE_HOME)."),
            )
        prefix.mkdir(parents=True, exist_ok=True)
        manifest = Manifest(str(prefix), dirs=[str(p) for p in missing])
        manifest.save()
    except OSError as error:
        problem = of_system(error, _("Setting up"), prefix)
        step = _("Choose another folder (--prefix, or the variable STYLEENGINE_HOME).")
        hint = problem.hint if problem.code == "setup-disk" else step
        raise EngineError(problem.code, problem.message, hint) from None
    return manifest


@contextlib.contextmanager
def lock(prefix: Path) -> Iterator[None]:
    """Keeps a second set-up out of ``prefix``; the system drops it when this process ends."""
    with open(prefix / LOCK, "a+b") as file:
        try:
            if sys.platform == "win32":
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise EngineError(
                "setup-busy",
                _("Another set-up in {folder} is running.").format(folder=prefix),
                _("Wait until it has finished."),
            ) from None
        yield


def is_ours(manifest: Manifest, tree: Path) -> bool:
    """Whether ``tree`` may be removed as a whole: a damaged manifest must not cost a home."""
    prefix = Path(manifest.prefix)
    in_profile = tree.parent.name == "plug-ins" and tree.name.strip(".").startswith("neural_style")
    return tree.parent == prefix or in_profile or is_cache(tree, prefix)


def remove_all(manifest: Manifest, *, keep_weights: bool) -> list[str]:
    """Removes all that the manifest lists and what the engine made in its prefix.

    Returns what could not be removed, as sentences.
    """
    prefix, problems = Path(manifest.prefix), []
    trees = [Path(t) for t in manifest.trees if is_ours(manifest, Path(t))]
    trees += [path for name in RUNTIME for path in prefix.glob(name)]
    trees += [] if keep_weights else [prefix / WEIGHTS]
    for path in trees + [Path(f) for f in manifest.files if Path(f).name in FILES]:
        try:
            remove_tree(path)
        except OSError as error:
            text = _("{file} could not be removed ({reason}).")
            problems.append(text.format(file=path, reason=error.strerror))
    return problems


def has_weights(prefix: Path) -> bool:
    """Whether there is a pretrained network (and not just the beginning of one)."""
    return any((prefix / WEIGHTS).glob("*.safetensors"))


def forget(manifest: Manifest) -> None:
    """After `remove_all`: removes the empty directories, the lock and the manifest itself.

    Where weights were kept, so is a manifest of the directories around them.
    """
    prefix = Path(manifest.prefix)
    with contextlib.suppress(FileNotFoundError):
        (prefix / LOCK).unlink()
    keeps = (prefix / WEIGHTS).exists()
    if not keeps:
        with contextlib.suppress(FileNotFoundError):
            (prefix / NAME).unlink()
    for path in sorted(map(Path, manifest.dirs), key=lambda p: -len(p.parts)):
        with contextlib.suppress(OSError):  # not empty: somebody else uses it by now
            path.rmdir()
    if keeps:
        manifest.trees, manifest.files, manifest.engine = [], [], ""
        manifest.python = manifest.version = ""
        manifest.dirs = [d for d in manifest.dirs if Path(d).is_dir()]
        manifest.save()
