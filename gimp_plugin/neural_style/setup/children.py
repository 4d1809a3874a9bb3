"""The programs that do the work: uv and the engine's Python. What they print goes into a log."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import bound
from engine.installed import clean_environment
from setup.failures import CERTIFICATE, FULL, NETWORK, explain
from setup.talk import Talk

POLL_S = 0.1
GOODBYE_S = 5.0

# Beside what the engine may inherit. GIMP's and an AppImage's own variables (LD_PRELOAD, PATH,
# PYTHONHOME …) would lead a Python or uv to libraries and packages that are not theirs.
PASSED = re.compile(
    "UV_.+|PIP_.+|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NETRC", re.IGNORECASE
)
FOREIGN = re.compile(
    "PIP_(TARGET|PREFIX|USER|ROOT)|UV_(PROJECT.*|TARGET|PREFIX|SYSTEM_PYTHON|WORKING_DIR.*"
    "|CONSTRAINT|OVERRIDE|BUILD_CONSTRAINT|PYTHON|NO_BINARY|LINK_MODE|INTERNAL.*)"
)


def child_environment(environment: Mapping[str, str], **extra: str) -> dict[str, str]:
    """What uv and the engine's Python get of ``environment``, and ``extra``."""
    passed = {
        name: value
        for name, value in environment.items()
        if PASSED.fullmatch(name) and not FOREIGN.fullmatch(name)
    }
    return {**clean_environment(environment), **passed, **extra}


def output(
    command: Sequence[object], env: Mapping[str, str], timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """A short program's output. Raises `OSError` and `subprocess.TimeoutExpired`."""
    return subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        env=dict(env),
        check=False,
        **bound.apart(),
    )


@dataclass(frozen=True)
class Runner:
    """Runs commands with ``env``, appending all they print to ``log``. Each can be stopped by the
    user at any moment: then `talk.Stopped` is raised, with the command ended.
    """

    log: Path
    env: Mapping[str, str]
    talk: Talk
    look: Callable[[], None] = lambda: None
    """Called several times a second while a command runs."""

    def with_env(self, **extra: str) -> Runner:
        """The same, with more environment variables."""
        return Runner(self.log, {**self.env, **extra}, self.talk, self.look)

    def watched(self, look: Callable[[], None]) -> Runner:
        """The same, with ``look`` called while commands run."""
        return Runner(self.log, self.env, self.talk, look)

    def attempt(self, command: Sequence[object], *, timeout: float | None = None) -> str | None:
        """Runs ``command``; None if it succeeded, else what it printed."""
        # uv trusts the system's certificates, which include those of companies and virus scanners;
        # a bare system has none, and uv its own.
        system = self.with_env(UV_SYSTEM_CERTS="1", UV_NATIVE_TLS="1")
        printed = system._once(command, timeout)
        if printed and CERTIFICATE.search(printed):
            printed = self._once(command, timeout)
        return printed

    def _once(self, command: Sequence[object], timeout: float | None) -> str | None:
        words = [str(word) for word in command]
        self.talk.check()
        with open(self.log, "a+b") as log:
            log.write(("$ " + " ".join(words) + "\n").encode("utf-8", "replace"))
            log.flush()
            start = log.seek(0, 2)
            try:
                process = bound.start(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=dict(self.env),
                )
            except OSError as error:
                return f"{words[0]}: {error.strerror}"
            try:
                status = self._wait(process, timeout)
            finally:
                end(process)
            log.seek(start)
            printed = log.read().decode("utf-8", "replace")
        if status is None:
            return f"{words[0]}: timed out after {timeout:g} s"
        return None if status == 0 else printed or f"{words[0]}: exit status {status}"

    def _wait(self, process: subprocess.Popen[bytes], timeout: float | None) -> int | None:
        begun = time.monotonic()
        while True:
            try:
                return process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                self.talk.check()
                self.look()
                if timeout and time.monotonic() - begun > timeout:
                    return None

    def run(self, command: Sequence[object], what: str) -> None:
        """Runs ``command``, again if the network failed; raises `EngineError` if it fails.

        ``what`` begins the sentence: "Installing PyTorch".
        """
        printed = self.attempt(command)
        if printed and NETWORK.search(printed) and not FULL.search(printed):
            printed = self.attempt(command)
        if printed:
            raise explain(printed, what, self.log, self.env)


def end(process: subprocess.Popen[Any]) -> None:
    """Ends a program that still runs."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GOODBYE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
