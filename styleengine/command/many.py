"""Many photos in one go: one engine, a folder of paintings, and an account of what went wrong."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from styleengine.command.asked import Asked, asked, files_read
from styleengine.command.film import Film
from styleengine.command.photos import places
from styleengine.command.places import numbered, require_other, save_new, save_result
from styleengine.command.terminal import console, tell
from styleengine.command.watching import Watch
from styleengine.machine.files import cannot_write
from styleengine.protocol import EngineError
from styleengine.together.launch import LOST, is_first, is_several, tells
from styleengine.together.sharing import SharingOut

if TYPE_CHECKING:
    from styleengine.engine import Engine
    from styleengine.jobs import Preview

INTERRUPTED = 130
"""The exit status that a shell gives to a program ended by Ctrl-C."""
OF_THE_PHOTO = frozenset(
    [
        *("no-such-file", "cannot-read", "bad-picture", "picture-too-large", "picture-too-small"),
        *("picture-empty", "out-of-memory", "cannot-tile", "diverged", "cannot-write"),
    ]
)
"""Codes of errors that the next photo need not meet. All others end the whole run."""


def paint_many(args: argparse.Namespace, photos: Sequence[Path], output: str | None) -> int:
    """Paints ``photos`` into the folder ``output``; the exit status: 1 if any could not be."""
    from styleengine.engine import Engine

    if output is None:
        raise EngineError(
            "bad-setting",
            "Several photos were given, but no folder for their paintings.",
            "Name one with -o.",
        )
    if args.trace:
        raise EngineError("bad-setting", "--trace takes one photo.", "Leave it out for several.")
    if args.steady and is_several():
        raise EngineError(
            "bad-setting",
            "Each of steady frames needs the one before: several processes cannot share them.",
            "Start it without torchrun, or leave --steady out.",
        )
    folder = Path(output)
    pairs = list(zip(photos, places(photos, folder), strict=True))
    for _photo, target in pairs:
        require_other(target, files_read(args, []))
    sharing = SharingOut(pairs)
    todo = [pair for pair in pairs if args.overwrite or _is_new(pair)]
    there = len(photos) - len(todo)
    failures: list[tuple[Path, EngineError]] = []
    painted, stopped, gave_up = 0, False, False
    untold: EngineError | None = None
    try:
        if todo:
            _make(folder)
            ask, engine = asked(args, photos), Engine()
            film = Film(ask.settings) if args.steady else None
            with Watch(args.quiet, len(todo)) as watch:
                for photo, target in sharing:
                    if not args.overwrite and not _is_new((photo, target)):
                        if film is not None:
                            film.has(photo, target)
                        continue
                    try:
                        done = _paint(args, ask, engine, watch, photo, target, film)
                    except _Failed as failed:
                        failures.append((photo, failed.problem))
                        if not args.quiet:
                            watch.say(f"{photo}: {failed.problem.message}")
                    else:
                        painted += done
                    if watch.interrupted:
                        stopped = True
                        break
                    watch.passed()
    except EngineError as problem:
        if problem.code == LOST:
            _account(True, painted, there, len(photos), failures)
            raise _lost() from problem
        if not is_several():
            raise
        # Now: torchrun ends the others, with what they have begun, when one ends with an error.
        if tells(problem):
            tell(problem)
        else:
            untold = problem
        sharing.give_up()
        gave_up = True
    finally:
        if not is_several():
            _account(args.quiet, painted, there, len(photos), failures)
    if is_several():
        painted = sharing.total(painted)
        if untold is not None and not sharing.first_gave_up():  # it is not what all have met
            tell(untold)
        _account(args.quiet or not is_first(), painted, there, len(photos), failures)
    if stopped and is_first():
        console.print("Stopped. The same command goes on where this one ended.")
    status = INTERRUPTED if stopped else int(bool(failures or gave_up))
    sharing.part(status)
    return status


def _lost() -> EngineError:
    return EngineError(
        LOST,
        "A process of this run was lost, or all were told to end: the pictures at hand are not "
        "finished.",
        "The same command goes on where this one ended.",
    )


class _Failed(Exception):
    """A photo that could not be painted, where the next one may."""

    def __init__(self, problem: EngineError) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _is_new(pair: tuple[Path, Path]) -> bool:
    return not pair[1].exists()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _paint(
    args: argparse.Namespace,
    ask: Asked,
    engine: Engine,
    watch: Watch,
    photo: Path,
    target: Path,
    film: Film | None,
) -> bool:
    """Paints one photo; whether it was painted, which it is not where Ctrl-C came.

    Half a painting under its name would be taken for a whole one the next time. Raises `_Failed`,
    and `EngineError` where the next photo would fare no better.
    """
    from styleengine.pictures.files import load, require_writable

    def keep(preview: Preview) -> None:
        save_new(numbered(target, preview.step), preview.picture)

    try:
        content = load(photo, keep=True)
        require_writable(target, (content.width, content.height))
        job = ask.job(content, film is not None, film.frame() if film is not None else None)
        result = watch.paint(engine, job, photo.name, keep=keep)
    except EngineError as problem:
        if problem.code in OF_THE_PHOTO:
            raise _Failed(problem) from problem
        raise
    if result.stopped:
        return False
    picture = ask.told(result.picture)
    # What raises here, a full disk, the next photo would find no better.
    save_result(target, picture, named=True)
    if film is not None:
        film.painted(result.frame)
    if not args.quiet:
        watch.say(f"{target}: {picture.width} × {picture.height} px in {result.seconds:.1f} s")
        for line in result.notes:
            watch.say(f"  Note: {line}")
    return True


def _account(
    quiet: bool, painted: int, there: int, photos: int, failures: list[tuple[Path, EngineError]]
) -> None:
    if not quiet:
        before = f", {there} there already" if there else ""
        console.print(f"{painted} of {photos} painted{before}.")
    if failures:
        console.print("Not painted:" if len(failures) > 1 else "One was not painted:")
    for photo, problem in failures:
        console.print(f"  {photo}: {problem}", soft_wrap=True)
