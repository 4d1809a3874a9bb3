"""What the output of a failed program means to the user."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from pathlib import Path

from language.texts import _
from protocol import EngineError

NETWORK = re.compile(
    r"dns error|resolv|client error \(Connect\)|NewConnectionError|timed? ?out|connection (refused"
    r"|reset|closed|aborted)|network is unreachable|error sending request|error decoding response"
    r"|proxy|Could not fetch URL|No matching distribution found for (hatchling|torch)"
    r"|Network connectivity is disabled",
    re.IGNORECASE,
)
FULL = re.compile(r"No space left on device|not enough space|os error (28|112)\b|Errno 28|ENOSPC")
CERTIFICATE = re.compile(r"certificate|UnknownIssuer|SSLError", re.IGNORECASE)
DENIED = re.compile(r"Permission denied|Access is denied|os error (5|13|30)\b|Read-only file")


def explain(printed: str, what: str, log: Path, env: Mapping[str, str]) -> EngineError:
    """The sentence and the next step for what a program ``printed`` before it failed."""
    again = _("Set up again: it goes on where it was.")
    details = _("{step} Details: {file}")
    if FULL.search(printed):
        return disk_full(what)
    if CERTIFICATE.search(printed):
        step = _("Set SSL_CERT_FILE to your organisation's certificate file.") + " " + again
        text = _("{what} failed because the server's certificate is not trusted.")
        return EngineError(
            "setup-certificate", text.format(what=what), details.format(step=step, file=log)
        )
    if NETWORK.search(printed):
        proxy = env.get("HTTPS_PROXY") or env.get("https_proxy")
        text = _("{what} failed because the internet could not be reached.").format(what=what)
        step = _("Check the connection.") + " " + again
        if proxy:
            text = _("{what} failed because the proxy {proxy} could not be passed.").format(
                what=what, proxy=_without_password(proxy)
            )
            step = _("Check the proxy's settings (HTTPS_PROXY).") + " " + again
        return EngineError("setup-network", text, details.format(step=step, file=log))
    if DENIED.search(printed):
        text = _("{what} failed because a file may not be written.").format(what=what)
        step = _("Close other programs that use the engine, then set up again.")
        return EngineError("setup-permission", text, details.format(step=step, file=log))
    text = _("{what} failed: {reason}.").format(what=what, reason=_heart(printed))
    return EngineError("setup-failed", text, details.format(step=again, file=log))


def disk_full(what: str) -> EngineError:
    """The disk is full."""
    return EngineError(
        "setup-disk",
        _("{what} failed because the disk is full.").format(what=what),
        _("Free some space, then set up again: what is there is kept."),
    )


def of_system(error: OSError, what: str, place: Path) -> EngineError:
    """What an error of the system's own at ``place`` means."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return disk_full(what)
    reason = error.strerror or str(error)
    return EngineError(
        "setup-permission",
        _("{place} cannot be written to ({reason}).").format(place=place, reason=reason),
        _("Give your user the right to write there, then set up again."),
    )


def _heart(printed: str) -> str:
    """The line that says most: the innermost cause that a tool names, else its last line."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    causes = [line for line in lines if re.match(r"(error|cause):", line, re.IGNORECASE)]
    line = (causes or lines or [_("no message")])[-1]
    return re.sub(r"^(error|cause): *", "", line, flags=re.IGNORECASE)[:200].rstrip(".")


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)
