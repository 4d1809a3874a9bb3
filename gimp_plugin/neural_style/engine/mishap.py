"""What nobody expected: it goes to the log, and the user is told where that is."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from engine.installed import log_file, write_log
from language.texts import N_
from protocol import EngineError

MOST_SHOWN = 200


def unexpected(error: BaseException) -> EngineError:
    """The error to show for an ``error`` that is none of ours; its traceback goes to the log."""
    if isinstance(error, EngineError):
        return error
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    log = write_log(log_file(os.environ), "".join(lines))
    hint = N_("Details: {file}") if log != Path(os.devnull) else ""
    reason = repr(error)[:MOST_SHOWN]
    return EngineError(
        "plug-in", N_("Something unexpected happened: {reason}."), hint, reason=reason, file=log
    )


def where(error: BaseException) -> tuple[str, int]:
    """The place in the code that an error comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    return (frames[-1].filename, frames[-1].lineno or 0) if frames else (sys.executable, 0)
