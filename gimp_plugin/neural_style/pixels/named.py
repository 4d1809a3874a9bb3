"""Files opened under a name that says by which process: the image is known for that one's from its
first moment on. Between a call that makes an image and one that marks it, a process may die.

The name is that of a link to the file's folder, so that what belongs to the file lies beside it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gi.repository import Gimp, Gio

from engine.lives import is_running

NAME = "neural-style-{}-"
OURS = re.compile(r"neural-style-(\d{1,11})-[^-]+")
LINK = "file"


def load(path: Path) -> Gimp.Image | None:
    """A file's image, whose `opener` is this process; None if GIMP cannot open it.

    Where no link can be made, as on a disk without room for one, it is opened by its own name.
    """
    with _other_name(path) as name:
        return Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(str(name)))


def opener(image: Gimp.Image) -> int:
    """The process that has opened an image by `load`; 0 if none has."""
    file = image.get_file()
    name = file.get_path() if file is not None else None
    if not name:
        return 0
    folder = Path(name).parent
    found = OURS.fullmatch(folder.parent.name)
    return int(found[1]) if found and folder.name == LINK else 0


def sweep() -> None:
    """Removes the links of processes that died."""
    with contextlib.suppress(OSError):
        for folder in list(Path(tempfile.gettempdir()).glob(NAME.format("*") + "*")):
            found = OURS.fullmatch(folder.name)
            if found and not is_running(int(found[1])):
                _remove(folder)


@contextlib.contextmanager
def _other_name(path: Path) -> Iterator[Path]:
    folder = None
    try:
        with contextlib.suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix=NAME.format(os.getpid())))
            _link(folder / LINK, path.parent.absolute())
        linked = folder / LINK / path.name if folder is not None else path
        yield linked if linked.exists() else path
    finally:
        if folder is not None:
            _remove(folder)


def _link(link: Path, folder: Path) -> None:
    if sys.platform == "win32":
        import _winapi  # a junction: symbolic links are for administrators there

        _winapi.CreateJunction(str(folder), str(link))
    else:
        os.symlink(folder, link)


def _remove(folder: Path) -> None:
    link = folder / LINK
    with contextlib.suppress(OSError):  # a folder of another user's, too
        if sys.platform == "win32" and link.exists():
            os.rmdir(link)
        elif link.is_symlink():
            link.unlink()
        os.rmdir(folder)
