"""The styles that come with the product: drawn by the project's own script, in the new engine."""

from __future__ import annotations

from pathlib import Path

from .base import CHECKOUT, say, version
from .manifest import Manifest, remove_tree
from .process import Runner

FOLDER = "styles"  # where the plug-in looks, below the engine's data
STAMP = "drawn-by"
LONG_SIDE = 1536
"""Large enough for the brushwork on a large photo, and drawn in a minute by two cores."""
SCRIPT = CHECKOUT / "install" / "samples.py"


def install(python: Path, record: Manifest, runner: Runner) -> None:
    """Draws the styles, unless this version's are there. The filter works without them, so a
    failure is told and no more.
    """
    folder = Path(record.prefix) / FOLDER
    staging = folder.with_name(FOLDER + ".new")
    stamp = folder / STAMP
    drawn_by = f"{version()}, {LONG_SIDE} pixels"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == drawn_by:
        return
    say("Drawing the styles that come with the filter (about a minute) …")
    try:
        record.own("trees", staging)
        record.own("trees", folder)
        remove_tree(staging)
        command = [python, "-E", "-s", SCRIPT, staging, "--styles", "--long-side", str(LONG_SIDE)]
        problem = runner.attempt(command)
        if problem:
            last = problem.strip().splitlines()[-1:]
            say(f"They could not be drawn ({''.join(last)}); the filter works without them.")
            remove_tree(staging)
            return
        (staging / STAMP).write_text(drawn_by, encoding="utf-8")
        remove_tree(folder)
        staging.rename(folder)
        record.disown(staging)
    except OSError as error:
        say(f"They could not be kept ({error.strerror}); the filter works without them.")
