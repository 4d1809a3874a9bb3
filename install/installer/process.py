"""Runs the programs that do the work, into a log file, and explains how they failed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .base import InstallError

# Would lead a Python, uv or pip of ours to somebody else's packages, or change how they behave.
FOREIGN = (
    *("PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "CONDA_PREFIX"),
    *("PIP_TARGET", "PIP_PREFIX", "PIP_USER", "UV_PROJECT_ENVIRONMENT", "UV_TARGET"),
)

NETWORK = re.compile(
    r"dns error|resolv|client error \(Connect\)|NewConnectionError|timed? ?out|connection (refused"
    r"|reset|closed|aborted)|network is unreachable|error sending request|error decoding response"
    r"|proxy|Could not fetch URL|No matching distribution found for (hatchling|torch)",
    re.IGNORECASE,
)
FULL = re.compile(r"No space left on device|not enough space|os error (28|112)\b|Errno 28|ENOSPC")
CERTIFICATE = re.compile(r"certificate|UnknownIssuer|SSLError", re.IGNORECASE)


def clean_env(**extra: str) -> dict[str, str]:
    """This process's environment without what misleads a Python, and with ``extra``."""
    return {k: v for k, v in os.environ.items() if k not in FOREIGN} | extra


@dataclass(frozen=True)
class Runner:
    """Runs commands with ``env``, appending all they print to ``log``."""

    log: Path
    env: Mapping[str, str]

    def with_env(self, **extra: str) -> Runner:
        """The same, with more environment variables."""
        return Runner(self.log, {**self.env, **extra})

    def attempt(
        self, command: Sequence[str | Path], *, timeout: float | None = None, watch: str = ""
    ) -> str | None:
        """Runs ``command``; None if it succeeded, else what it printed.

        ``watch`` (what is being done) shows on a terminal how much has been written meanwhile.
        """
        # uv trusts the system's certificates, which include those of companies and virus scanners;
        # a bare system has none, and uv its own.
        system = self.with_env(UV_SYSTEM_CERTS="1", UV_NATIVE_TLS="1")
        printed = system._once(command, timeout, watch)
        if printed and CERTIFICATE.search(printed):
            printed = self._once(command, timeout, watch)
        return printed

    def _once(self, command: Sequence[str | Path], timeout: float | None, watch: str) -> str | None:
        words = [str(word) for word in command]
        with open(self.log, "a+b") as log:
            log.write(("$ " + " ".join(words) + "\n").encode("utf-8", "replace"))
            log.flush()
            start = log.seek(0, 2)
            try:
                process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=dict(self.env),
                )
            except OSError as error:
                return f"{words[0]}: {error.strerror}"
            try:
                status = _wait(process, timeout, watch, self.log.parent)
            except subprocess.TimeoutExpired:
                return f"{words[0]}: timed out after {timeout:g} s"
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            log.seek(start)
            printed = log.read().decode("utf-8", "replace")
        return None if status == 0 else printed or f"{words[0]}: exit status {status}"

    def run(self, command: Sequence[str | Path], what: str, *, watch: str = "") -> None:
        """Runs ``command``, again if the network failed; raises `InstallError` if it fails."""
        printed = self.attempt(command, watch=watch)
        if printed and NETWORK.search(printed) and not FULL.search(printed):
            time.sleep(2)
            printed = self.attempt(command, watch=watch)
        if printed:
            raise self.explain(printed, what)

    def explain(self, printed: str, what: str) -> InstallError:
        """What a failed command's output means to the user."""
        again = f"What is there is kept: run the installer again. Details: {self.log}"
        if FULL.search(printed):
            return InstallError(
                f"{what} failed because the disk is full.",
                "Free some space, or choose another disk with --prefix DIR, and run the installer "
                f"again. Details: {self.log}",
            )
        if CERTIFICATE.search(printed):
            return InstallError(
                f"{what} failed because the server's certificate is not trusted.",
                "Set SSL_CERT_FILE to your organisation's certificate file. " + again,
            )
        if NETWORK.search(printed):
            proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
            through = f" (through the proxy {_without_password(proxy)})" if proxy else ""
            return InstallError(
                f"{what} failed because the internet could not be reached{through}.",
                "Check the connection. " + again,
            )
        return InstallError(f"{what} failed: {_heart(printed)}.", again)


def _heart(printed: str) -> str:
    """The line that says most: the innermost cause that a tool names, else its last line."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    causes = [line for line in lines if re.match(r"(error|cause):", line, re.IGNORECASE)]
    line = (causes or lines or ["no message"])[-1]
    return re.sub(r"^(error|cause): *", "", line, flags=re.IGNORECASE)[:200].rstrip(".")


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def _wait(process: subprocess.Popen[bytes], timeout: float | None, watch: str, disk: Path) -> int:
    """Waits for the end, counting on a terminal how much of ``disk`` gets used meanwhile."""
    if not watch or not sys.stdout.isatty():
        return process.wait(timeout)
    start, free = time.monotonic(), shutil.disk_usage(disk).free
    while True:
        try:
            status = process.wait(1)
        except subprocess.TimeoutExpired:
            if timeout and time.monotonic() - start > timeout:
                raise
            used = max(0, free - shutil.disk_usage(disk).free)
            seconds = int(time.monotonic() - start)
            print(f"\r  {watch}: {used / 1e9:.1f} GB, {seconds} s ", end="", flush=True)
            continue
        print("\r" + " " * 70 + "\r", end="", flush=True)
        return status
