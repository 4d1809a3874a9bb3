"""Where the command puts its files: nothing that the user has not named is written over."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from styleengine.machine.files import cannot_write, replacing, require_place
from styleengine.pictures.files import Picture, save
from styleengine.protocol import EngineError, Sentence

_NAMES = 100_000


def default_output(photo: Path) -> Path:
    """``PHOTO-styled.png`` beside the photo, or the next name with a number that is free."""
    return next(name for name in _names(photo.parent / f"{photo.stem}-styled.png") if _free(name))


def require_other(path: Path, read: Iterable[str | Path]) -> None:
    """Raises "cannot-write" if what is written to ``path`` would take the place of what is read."""
    own = {os.path.realpath(each) for each in read}
    if os.path.realpath(path) in own:
        raise EngineError(
            "cannot-write",
            "“{name}” would be written over a file that is read.",
            "Choose another name.",
            name=path,
        )


def require_apart(picture: Path, trace: Path) -> None:
    """Raises "cannot-write" if a picture and its trace would be one file."""
    if os.path.realpath(trace) == os.path.realpath(picture):
        raise EngineError(
            "cannot-write",
            "“{name}” cannot be both the picture and the --trace.",
            "Choose another name for one of them.",
            name=trace,
        )


def numbered(output: Path, step: int) -> Path:
    """The name of a picture on the way to ``output``."""
    return output.with_name(f"{output.stem}-{step:05d}{output.suffix}")


def _names(path: Path) -> Iterator[Path]:
    yield path
    for number in range(2, _NAMES):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _free(path: Path) -> bool:
    return not os.path.lexists(path)


def save_new(path: Path, picture: Picture) -> Path:
    """Saves a picture under ``path`` or, if there is such a file by now, the next free name."""
    for name in _names(path):
        try:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # it is ours
        except FileExistsError:
            continue
        except OSError as error:
            raise cannot_write(name, error) from error
        try:
            save(name, picture)
        except BaseException:
            with contextlib.suppress(OSError):
                name.unlink()
            raise
        return name
    raise AssertionError("unreachable: there are not so many files")


def save_result(output: Path, picture: Picture, *, named: bool) -> Path:
    """Saves a result before anything else can go wrong; returns where it is.

    Under ``output`` where that is ``named`` by the user, else as `save_new`. A picture that cannot
    be saved there is kept elsewhere; see `rescued`.
    """
    try:
        if not named:
            return save_new(output, picture)
        save(output, picture)
    except EngineError as error:
        raise rescued(picture, error) from error
    return output


def rescued(picture: Picture, problem: EngineError) -> EngineError:
    """``problem``, after a picture that cannot be saved where it should be was kept elsewhere."""
    for folder in (Path.cwd(), Path.home(), Path(tempfile.gettempdir())):
        try:
            kept = save_new(folder / "styleengine-rescued.png", picture)
        except EngineError:
            continue
        kept_as = "The picture was kept as “{file}”."
        return EngineError(problem.code, problem.sentence, Sentence.of(kept_as, file=kept))
    return problem


def require_text_place(path: Path) -> None:
    """Raises the "cannot-write" that `write_text` would end in, as far as it can be known."""
    if _ordinary(path):
        require_place(path)


def write_text(path: Path, text: str) -> None:
    """Writes a text, the whole file or none; pipes and terminals, too, if they are named."""
    if _ordinary(path):
        with replacing(path) as file:
            file.write(text.encode())
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise cannot_write(path, error) from error


def _ordinary(path: Path) -> bool:
    return os.path.isfile(path) or os.path.isdir(path) or not os.path.exists(path)
