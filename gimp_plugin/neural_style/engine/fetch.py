"""The pretrained network comes, by the engine's own command: downloaded, or from a file that the
user has. Knows nothing of GIMP.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.bound import start
from engine.installed import Installed
from language.texts import N_, _
from protocol import EngineError, Sentence, error_from

GOODBYE_S = 2.0
TRY_AGAIN = N_("Try again (what is there already is kept), or use a file that you have.")
OTHER_FILE = N_("Choose another file, or download the network.")


def fetch_command(serve: Sequence[str], file: Path | None = None) -> list[str]:
    """The command that downloads, or takes ``file``, from the command that serves (on another
    machine, too)."""
    if not serve or serve[-1] != "serve":
        raise EngineError(
            "engine-missing",
            _("This engine is started by a command that cannot download the network."),
            _("Run “styleengine weights fetch” where the engine is."),
        )
    action = ["fetch"] if file is None else ["import", str(file)]
    return [*serve[:-1], "weights", *action, "--progress", "json"]


@dataclass(frozen=True)
class Loaded:
    """So many bytes are here, of ``total`` (0 while unknown)."""

    done: int = 0
    total: int = 0


class Fetch:
    """A running download, or a ``file`` that is taken over. What is there of a download when it is
    cancelled is used by the next one.
    """

    def __init__(self, installed: Installed, file: Path | None = None) -> None:
        self.is_download = file is None
        self.state = Loaded()
        self._last_words: list[str] = []
        self._problem: EngineError | None = None
        try:
            self._process = start(
                fetch_command(installed.command, file),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(installed.environment),
            )
        except OSError as problem:
            text = _("The download could not be started ({reason}).")
            raise EngineError("download", text.format(reason=problem.strerror)) from None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._take(line)

    def _take(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").strip()
        try:
            told = json.loads(text)
            if told.get("type") == "failed":
                self._problem = error_from(told)
            else:
                self.state = Loaded(int(told["done"]), int(told["total"]))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            if text:
                self._last_words = [*self._last_words[-5:], text]

    @property
    def pid(self) -> int:
        """The process id of the command."""
        return self._process.pid

    def finished(self) -> bool:
        """Whether the network is there now; False while it is on its way.

        Raises `EngineError` ("download", "import") if it will not come.
        """
        status = self._process.poll()
        if status is None or self._reader.is_alive():
            return False
        if status == 0:
            return True
        said: Sentence | str = self._problem.sentence if self._problem else ""
        if not said:
            words = [w for w in self._last_words if w.startswith("Error:")]
            said = "".join(words[:1] or self._last_words[-1:]).replace("Error:", "", 1).strip()
        if self.is_download:
            failed, then = _("The download has failed."), _(TRY_AGAIN)
        else:
            failed, then = _("The file could not be taken over."), _(OTHER_FILE)
        raise EngineError("download" if self.is_download else "import", said or failed, then)

    def cancel(self) -> None:
        """Ends it."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(GOODBYE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(GOODBYE_S)
