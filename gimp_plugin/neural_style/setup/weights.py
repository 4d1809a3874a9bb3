"""The pretrained network, as a part of the set-up: brought along, imported, or downloaded."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from engine.fetch import Fetch
from engine.installed import ENGINE_ARGUMENTS, Installed
from language.texts import _
from protocol import EngineError
from setup import manifest
from setup.children import POLL_S, Runner
from setup.package import Package
from setup.progress import Course
from setup.wish import Wish


def provide(wish: Wish, package: Package, python: Path, runner: Runner, course: Course) -> None:
    """Sees to the network. That it cannot be had is said and no more: the filter works without.

    Raises `EngineError` if a file that the user named cannot be taken.
    """
    talk, prefix = runner.talk, wish.prefix
    if wish.weights:
        _import(wish.weights, python, runner)
        return
    if manifest.has_weights(prefix):
        return  # from an earlier installation
    if package.weights:
        _take_along(package.weights, prefix)
        return
    wanted = wish.fetch_weights
    if wanted is None:
        wanted = talk.ask(
            _(
                "The filter paints best with the pretrained VGG19 network (80 MB download).\n"
                "Download it now?"
            ),
            True,
        )
    if not wanted:
        talk.say(_("Going on without the pretrained network; it can be downloaded later."))
        return
    try:
        _fetch(python, runner, course)
    except EngineError as problem:
        talk.say(problem.sentence.said(_))
        talk.say(_("The filter works without the pretrained network; it can be downloaded later."))


def _import(file: Path, python: Path, runner: Runner) -> None:
    command = [python, *ENGINE_ARGUMENTS[:-1], "weights", "import", file.absolute()]
    printed = runner.attempt(command)
    if printed:
        words = [w for w in printed.splitlines() if w.startswith("Error:")]
        said = (words or ["Error: "])[0].replace("Error:", "", 1).strip()
        raise EngineError(
            "setup-failed",
            said or _("{file} could not be taken over as weights.").format(file=file),
            _("Correct --weights, or leave it out."),
        )


def _take_along(file: Path, prefix: Path) -> None:
    folder = prefix / manifest.WEIGHTS
    folder.mkdir(exist_ok=True)
    new = folder / f"{file.name}.new"
    shutil.copyfile(file, new)
    new.replace(folder / file.name)


def _fetch(python: Path, runner: Runner, course: Course) -> None:
    runner.talk.say(_("Downloading the pretrained network …"))
    fetch = Fetch(Installed((str(python), *ENGINE_ARGUMENTS), dict(runner.env), runner.log))
    try:
        while not fetch.finished():
            course.tell(fetch.state.done, fetch.state.total)
            time.sleep(POLL_S)
    finally:
        fetch.cancel()
