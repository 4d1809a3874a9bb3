"""Why a mirror could not serve a download, in sentences that can be translated."""

from __future__ import annotations

import errno
import socket
import ssl
import urllib.error
from collections.abc import Sequence

from styleengine.protocol import Sentence

OFFLINE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)


class MirrorFailedError(Exception):
    """This mirror cannot serve; the sentence, with the host's name, goes into the message."""

    def __init__(self, sentence: Sentence) -> None:
        self.sentence = sentence
        super().__init__(str(sentence))


class BrokenError(MirrorFailedError):
    """The connection broke; another attempt may go on from there."""


class StaleError(MirrorFailedError):
    """What is there already is not the beginning of what this mirror has now."""


class WrongError(MirrorFailedError):
    """The mirror serves something else than the file we know."""


def why(error: Exception, host: str) -> Sentence:
    """A failed connection, in words."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    offline = isinstance(reason, OSError) and reason.errno in OFFLINE
    if offline or isinstance(reason, socket.gaierror):
        return Sentence.of("{host} cannot be found (is there an internet connection?)", host=host)
    if isinstance(reason, ConnectionRefusedError):
        return Sentence.of("{host} refuses the connection", host=host)
    if isinstance(reason, TimeoutError):
        return Sentence.of("{host} does not answer", host=host)
    if isinstance(reason, ssl.SSLCertVerificationError):
        text = "the identity of {host} cannot be verified ({reason})"
        return Sentence.of(text, host=host, reason=reason.verify_message)
    return Sentence.of("{host} cannot be reached ({reason})", host=host, reason=reason)


def together(reasons: Sequence[Sentence]) -> Sentence:
    """Several reasons as one text, semicolons between them."""
    names = [f"reason{number}" for number in range(len(reasons))]
    return Sentence(
        "; ".join(f"{{{name}}}" for name in names), dict(zip(names, reasons, strict=True))
    )
