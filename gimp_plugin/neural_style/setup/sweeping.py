"""What earlier set-ups left behind and nobody uses any more."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from engine.installed import RECORD
from setup import plugin_folder
from setup.files import remove_tree
from setup.manifest import Manifest, is_ours
from setup.package import NAME
from setup.places import is_cache

ENGINE = re.compile(r"e\d+|engine-.+")


def sweep(record: Manifest, *caches: Path) -> None:
    """Removes engines and staged plug-ins that are no longer referred to, and all caches but
    ``caches``.
    """
    prefix = Path(record.prefix)
    used = {record.engine, *_referred(record)}
    for tree in map(Path, list(record.trees)):
        engine = tree.parent == prefix and ENGINE.fullmatch(tree.name) and tree.name not in used
        cache = is_cache(tree, prefix) and tree not in caches
        staged = tree.name.startswith(f".{NAME}.")
        leftover = engine or cache or staged
        if not leftover or not is_ours(record, tree) or (engine and _in_use(tree)):
            continue
        with contextlib.suppress(OSError):  # in use (Windows); the next run tries again
            remove_tree(tree)
            record.disown(tree)


def _referred(record: Manifest) -> set[str]:
    """The engines that plug-ins point to: a set-up that was killed may have switched some."""
    prefix = Path(record.prefix)
    folders = [Path(t) for t in record.trees if Path(t).name == NAME]
    folders += [Path(f).parent for f in record.files if Path(f).name == RECORD]
    found = set()
    for folder in {*folders, prefix}:
        python = plugin_folder.engine_of(folder)
        if python and prefix in python.parents:
            found.add(python.relative_to(prefix).parts[0])
    return found


def _in_use(tree: Path) -> bool:
    """Whether a process runs from ``tree`` (Linux; elsewhere such files resist removal)."""
    needle = os.fsencode(tree) + b"/"
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if needle in entry.read_bytes():
                return True
    return False
