"""Downloads that can be interrupted: resumed, verified, and complete or not there at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import json
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from styleengine.machine.files import cannot_write
from styleengine.protocol import EngineError, Sentence
from styleengine.weights.reasons import (
    BrokenError,
    MirrorFailedError,
    StaleError,
    WrongError,
    together,
    why,
)

TIMEOUT_S = 30.0
CHUNK = 1 << 18
ATTEMPTS = 20
"""Connections per mirror at most; each must have brought something to be followed by another."""
MAX_UNKNOWN = 2 << 30
"""Where neither we nor the server know the size, more than this is refused."""

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all; 0 while unknown)."""


@dataclass(frozen=True)
class Remote:
    """One file on the web, the same at every one of ``urls``.

    ``digest`` is the hexadecimal ``algorithm`` hash, or its beginning; ``size`` in bytes, None when
    only the server knows.
    """

    urls: tuple[str, ...]
    algorithm: str
    digest: str
    size: int | None = None


def download(
    remote: Remote, target: Path, progress: Progress | None = None, spare: int = 0
) -> None:
    """Makes ``target`` the verified file; goes on with what an interrupted download left.

    The unfinished file is ``target`` + ".part" and stays for the next attempt, unless the disk is
    full or its content proved wrong. ``spare`` bytes must be free besides. Raises `EngineError`:
    "download-failed" (no mirror can be reached or has it), "bad-download" (length or hash is not
    what it must be), "disk-full", "cannot-write".
    """
    if target.is_file() and _matches(remote, target):
        return
    part = target.with_name(target.name + ".part")
    reasons: list[Sentence] = []
    corrupt = False
    with _writing(part):
        for url in remote.urls:
            try:
                _from_mirror(url, remote, part, progress or _silent, spare)
            except MirrorFailedError as error:
                corrupt = corrupt or isinstance(error, WrongError)
                reasons.append(error.sentence)
                continue
            os.replace(part, target)
            _note(part).unlink(missing_ok=True)
            return
    raise EngineError(
        "bad-download" if corrupt else "download-failed",
        "The download failed: {reasons}.",
        "Try again later (it goes on where it stopped), or download {address} with a browser and "
        "run `styleengine weights import FILE` on it.",
        reasons=together(reasons),
        address=remote.urls[0],
    )


def _silent(done: int, total: int) -> None:
    """The progress callback of those who do not care."""


def _note(part: Path) -> Path:
    """Beside an unfinished file: which version of it, from where."""
    return part.with_name(part.name + ".json")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(part: Path) -> Iterator[None]:
    """Turns a failure to write into an `EngineError`; a full disk gets its room back."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)):
            _discard(part)
            raise _disk_full(part.parent) from error
        raise cannot_write(part, error) from error


def _disk_full(folder: Path, need: int = 0) -> EngineError:
    text = "There is not enough room in {folder}."
    return EngineError(
        "disk-full",
        "There is not enough room in {folder} ({n} MB are needed)." if need else text,
        "Make room and try again, set STYLEENGINE_HOME to a folder on another disk, or run "
        "`styleengine weights import FILE` on a copy you have.",
        folder=folder,
        n=f"{need / 1e6:.0f}",
    )


def _matches(remote: Remote, path: Path) -> bool:
    if remote.size is not None and path.stat().st_size != remote.size:
        return False
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, remote.algorithm).hexdigest()
    return digest.startswith(remote.digest.lower())


def _from_mirror(url: str, remote: Remote, part: Path, progress: Progress, spare: int) -> None:
    """Completes and verifies ``part`` from one mirror, over as many connections as it takes."""
    inherited = _size(part) > 0
    for _attempt in range(ATTEMPTS):
        before = _size(part)
        try:
            _transfer(url, remote, part, progress, spare)
        except BrokenError:
            if _size(part) <= before:
                raise
            continue
        except StaleError:
            _discard(part)
            inherited = False
            continue
        if _matches(remote, part):
            return
        _discard(part)
        if not inherited:
            text = "{host} sent a file that is not the right one (wrong checksum)"
            raise WrongError(Sentence.of(text, host=_host(url)))
        inherited = False  # the beginning may have been of another version: once more, from zero
    again = Sentence.of("the connection to {host} breaks again and again", host=_host(url))
    raise MirrorFailedError(again)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _transfer(url: str, remote: Remote, part: Path, progress: Progress, spare: int) -> None:
    """One connection: appends to ``part``, or starts it again where the server insists."""
    start = _size(part)
    if remote.size is not None and start >= remote.size:
        if start == remote.size:
            return
        start = 0
    with _connected(url, start, part) as response:
        start, total = _announced(response, start, url)
        if remote.size is not None and total not in (None, remote.size):
            text = "{host} has a file of {found} bytes instead of {size}"
            raise WrongError(Sentence.of(text, host=_host(url), found=total, size=remote.size))
        need = max(0, (total or remote.size or 0) - start) + spare
        if shutil.disk_usage(part.parent).free < need:
            raise _disk_full(part.parent, need)
        limit = total or remote.size or MAX_UNKNOWN
        with open(part, "r+b" if start else "wb") as file:
            file.truncate(start)
            file.seek(start)
            _remember(part, url, response)
            done = _copy(response, file, start, limit, total or remote.size or 0, progress, url)
    if total is not None and done < total:
        text = "the connection to {host} broke after {done} of {total} bytes"
        raise BrokenError(Sentence.of(text, host=_host(url), done=done, total=total))


def _copy(
    response: Any,
    file: Any,
    done: int,
    limit: int,
    total: int,
    progress: Progress,
    url: str,
) -> int:
    """Moves the body into the file; returns the position reached."""
    progress(done, total)
    while True:
        try:
            chunk = response.read1(CHUNK)  # what has come, not waiting for more
        except (http.client.HTTPException, OSError) as error:
            text = "the connection to {host} broke after {done} bytes"
            raise BrokenError(Sentence.of(text, host=_host(url), done=done)) from error
        if not chunk:
            return done
        done += len(chunk)
        if done > limit:
            text = "{host} sends more than the {limit} bytes expected"
            raise WrongError(Sentence.of(text, host=_host(url), limit=limit))
        file.write(chunk)
        file.flush()  # so that it is there even if this process is killed
        progress(done, total)


@contextlib.contextmanager
def _connected(url: str, start: int, part: Path) -> Iterator[Any]:
    """The server's answer to a request for everything from ``start`` on."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise MirrorFailedError(Sentence.of("{url} is not a web address", url=url))
    headers = {"User-Agent": "styleengine", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        version = _remembered(part, url)
        if version:
            headers["If-Range"] = version
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S
        )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # nothing beyond what we have
            raise StaleError(Sentence.of("{host} has a shorter file", host=_host(url))) from error
        answer = f"{error.code} ({error.reason})"
        said = Sentence.of("{host} answered {status}", host=_host(url), status=answer)
        raise MirrorFailedError(said) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise MirrorFailedError(why(error, _host(url))) from error
    with response:
        yield response


def _announced(response: Any, start: int, url: str) -> tuple[int, int | None]:
    """Where the body begins in the file, and the size of the whole file (None if not said)."""
    if response.status == 206:
        said = re.fullmatch(
            r"bytes (\d+)-\d+/(\d+)", (response.headers.get("Content-Range") or "").strip()
        )
        if said is None or int(said[1]) != start:
            text = "{host} does not send the part that was asked for"
            raise StaleError(Sentence.of(text, host=_host(url)))
        return start, int(said[2])
    if response.status != 200:
        text = "{host} answered {status}"
        raise MirrorFailedError(Sentence.of(text, host=_host(url), status=response.status))
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _remember(part: Path, url: str, response: Any) -> None:
    tag = response.headers.get("ETag", "")
    version = tag if tag.startswith('"') else response.headers.get("Last-Modified", "")
    _note(part).write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")


def _remembered(part: Path, url: str) -> str:
    """The strong validator of the version that ``part`` is the beginning of, at this address."""
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
        return str(note["version"]) if note["url"] == url else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
