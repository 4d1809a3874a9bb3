"""Downloads against a real server on this machine: with and without Range, cut off, killed."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from styleengine.protocol import EngineError
from styleengine.weights.download import Remote, download
from tests.file_server import Site, serving
from tests.patience import DEADLINE

BODY = np.random.default_rng(5).integers(0, 256, 3_000_000, dtype=np.uint8).tobytes()
ORIGINAL = Remote((), "sha256", hashlib.sha256(BODY).hexdigest(), len(BODY))
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site(BODY)) as made:
        yield made


def remote_at(*urls: str | Site, size: int | None = len(BODY)) -> Remote:
    """The file with `BODY`, whatever these addresses really serve."""
    addresses = tuple(u.url() if isinstance(u, Site) else u for u in urls)
    return replace(ORIGINAL, urls=addresses, size=size)


def failure(remote: Remote, target: Path) -> EngineError:
    with pytest.raises(EngineError) as caught:
        download(remote, target)
    error = caught.value
    assert error.message.endswith(".") and "weights import FILE" in error.hint
    assert not target.exists()
    return error


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def test_downloads_and_reports(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = tmp_path / "w.h5"
    download(remote_at(site), target, lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == BODY
    assert seen[0] == (0, len(BODY)) and seen[-1] == (len(BODY), len(BODY))
    assert [p.name for p in tmp_path.iterdir()] == ["w.h5"]
    assert seen == sorted(seen) and len(seen) > 5


def test_a_verified_file_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "w.h5"
    target.write_bytes(BODY)
    download(remote_at(site), target)
    assert site.requests == []


def test_a_wrong_file_in_its_place_is_replaced(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "w.h5"
    target.write_bytes(b"x" * len(BODY))
    download(remote_at(site), target)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("etag", ['"v1"', 'W/"weak"', ""])
def test_goes_on_after_a_broken_connection(site: Site, tmp_path: Path, etag: str) -> None:
    site.etag = etag
    site.cut = [1_000_000, 700_000]
    target = tmp_path / "w.h5"
    download(remote_at(site), target)
    assert target.read_bytes() == BODY
    assert site.requests == [None, "bytes=1000000-", "bytes=1700000-"]


def test_starts_again_where_the_server_knows_no_range(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    site.cut = [1_000_000]
    target = tmp_path / "w.h5"
    download(remote_at(site), target)
    assert target.read_bytes() == BODY
    assert len(site.requests) == 2


def test_starts_again_when_the_file_has_changed_there(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "w.h5"
    site.body = bytes(len(BODY))
    site.cut = [1_000_000, 0]
    with pytest.raises(EngineError):
        download(remote_at(site), target)
    assert part_of(target).stat().st_size == 1_000_000
    site.body, site.etag = BODY, '"v2"'
    download(remote_at(site), target)
    assert target.read_bytes() == BODY
    assert site.requests[-1] == "bytes=1000000-"  # answered with the whole file, by If-Range


def test_starts_again_when_the_beginning_was_of_another_file(site: Site, tmp_path: Path) -> None:
    """Without a validator nobody notices before the checksum does."""
    site.etag = ""
    target = tmp_path / "w.h5"
    part_of(target).write_bytes(bytes(1_000_000))
    download(remote_at(site), target)
    assert target.read_bytes() == BODY
    assert site.requests == ["bytes=1000000-", None]


def test_starts_again_when_too_much_is_there(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "w.h5"
    part_of(target).write_bytes(BODY + b"more")
    download(remote_at(site, size=None), target)
    assert target.read_bytes() == BODY
    assert site.requests == [f"bytes={len(BODY) + 4}-", None]


def test_a_complete_unfinished_file_needs_no_connection(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "w.h5"
    part_of(target).write_bytes(BODY)
    download(remote_at(site), target)
    assert target.read_bytes() == BODY and site.requests == []


def test_unknown_length(site: Site, tmp_path: Path) -> None:
    site.length = False
    target = tmp_path / "w.h5"
    download(remote_at(site, size=None), target)
    assert target.read_bytes() == BODY


def test_truncated_every_time(site: Site, tmp_path: Path) -> None:
    site.cut = [500_000, 0]
    target = tmp_path / "w.h5"
    error = failure(remote_at(site), target)
    assert error.code == "download-failed"
    assert "127.0.0.1 broke after 500000 of 3000000 bytes" in error.message
    assert part_of(target).read_bytes() == BODY[:500_000]  # the next attempt goes on from here


def test_wrong_checksum(site: Site, tmp_path: Path) -> None:
    site.body = bytes(len(BODY))
    error = failure(remote_at(site), tmp_path / "w.h5")
    assert error.code == "bad-download" and "wrong checksum" in error.message
    assert list(tmp_path.iterdir()) == []


def test_wrong_length(site: Site, tmp_path: Path) -> None:
    site.body = b"<html>Please log in to the hotel's network</html>"
    error = failure(remote_at(site), tmp_path / "w.h5")
    assert error.code == "bad-download" and "instead of 3000000" in error.message


def test_endless_answer(site: Site, tmp_path: Path) -> None:
    site.length, site.body = False, BODY + BODY
    error = failure(remote_at(site), tmp_path / "w.h5")
    assert "sends more than the 3000000 bytes expected" in error.message


@pytest.mark.parametrize("status", [403, 404, 500])
def test_http_errors(site: Site, tmp_path: Path, status: int) -> None:
    site.status = status
    error = failure(remote_at(site), tmp_path / "w.h5")
    assert error.code == "download-failed" and f"127.0.0.1 answered {status}" in error.message


def test_refused_connection(tmp_path: Path) -> None:
    with serving(Site(BODY)) as gone:
        url = gone.url()
    error = failure(remote_at(url), tmp_path / "w.h5")
    assert "127.0.0.1 refuses the connection" in error.message


def test_unknown_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    remote = remote_at("http://no-such-host.invalid/w.h5")
    error = failure(remote, tmp_path / "w.h5")
    assert "no-such-host.invalid cannot be found" in error.message


def test_not_a_web_address(tmp_path: Path) -> None:
    error = failure(remote_at("file:///etc/passwd"), tmp_path / "w.h5")
    assert "is not a web address" in error.message


def test_the_next_mirror_takes_over_and_goes_on(site: Site, tmp_path: Path) -> None:
    site.cut = [900_000, 0]
    with serving(Site(BODY)) as second:
        remote = remote_at(site, second)
        download(remote, tmp_path / "w.h5")
        assert second.requests == ["bytes=900000-"]
    assert (tmp_path / "w.h5").read_bytes() == BODY


def test_every_mirror_is_named_when_all_fail(site: Site, tmp_path: Path) -> None:
    site.status = 404
    with serving(Site(BODY, status=503)) as second:
        error = failure(remote_at(site, second), tmp_path / "w.h5")
    assert "answered 404" in error.message and "answered 503" in error.message


def test_disk_space_is_asked_first(site: Site, tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        download(remote_at(site), tmp_path / "w.h5", spare=1 << 60)
    assert caught.value.code == "disk-full" and "STYLEENGINE_HOME" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_unwritable_folder(site: Site, tmp_path: Path) -> None:
    (tmp_path / "w.h5.part").mkdir()
    with pytest.raises(EngineError) as caught:
        download(remote_at(site), tmp_path / "w.h5")
    assert caught.value.code == "cannot-write"


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from styleengine.weights.download import Remote, download
from styleengine.protocol import EngineError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    download(Remote((sys.argv[1],), "sha256", sys.argv[2], 3_000_000), Path(sys.argv[3]))
except EngineError as error:
    print(error.code, error)
"""

_FULL = """
import collections, errno, os, shutil, sys
from pathlib import Path
from styleengine.weights.download import Remote, download
from styleengine.protocol import EngineError
shutil.disk_usage = lambda _: collections.namedtuple("Usage", "free")(1 << 40)
target = Path(sys.argv[3])
try:
    download(Remote((sys.argv[1],), "sha256", sys.argv[2], 3_000_000), target)
except EngineError as error:
    print(error.code, error)
    print(errno.errorcode[error.__cause__.errno])
print(os.listdir(target.parent))
"""

_PLAIN = """
import sys
from pathlib import Path
from styleengine.weights.download import Remote, download
download(Remote((sys.argv[1],), "sha256", sys.argv[2], 3_000_000), Path(sys.argv[3]))
"""


def _child(code: str, site: Site, target: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, site.url(), ORIGINAL.digest, str(target)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE is POSIX")
def test_disk_that_fills_up_on_the_way(site: Site, tmp_path: Path) -> None:
    """The limit on file sizes stands in for a full disk: write() fails half-way."""
    with _child(_LIMITED, site, tmp_path / "w.h5") as child:
        said, _ = child.communicate(timeout=DEADLINE)
    assert said.startswith("disk-full There is not enough room in ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
def test_full_disk_for_real(site: Site, tmp_path: Path) -> None:
    """2 MB of tmpfs, mounted where only the child sees it, for 3 MB; the first check is misled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"']
    mount.append(str(folder))
    if subprocess.run([*mount, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    command = [sys.executable, "-c", _FULL, site.url(), ORIGINAL.digest, str(folder / "w.h5")]
    done = subprocess.run(
        [*mount, *command], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE
    )
    said = done.stdout.splitlines()
    assert said[0].startswith("disk-full There is not enough room in"), done.stderr
    assert said[1:] == ["ENOSPC", "[]"]


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process with a POSIX signal")
def test_killed_half_way_and_resumed(site: Site, tmp_path: Path) -> None:
    site.hold_after = 1_500_000
    target = tmp_path / "w.h5"
    with _child(_PLAIN, site, target) as child:
        end = time.monotonic() + DEADLINE
        while not (part_of(target).exists() and part_of(target).stat().st_size >= 1_000_000):
            assert time.monotonic() < end and child.poll() is None
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(DEADLINE) == -signal.SIGKILL
    site.release.set()
    site.hold_after = None
    kept = part_of(target).stat().st_size
    assert not target.exists() and 1_000_000 <= kept < len(BODY)
    download(remote_at(site), target)
    assert target.read_bytes() == BODY
    assert site.requests == [None, f"bytes={kept}-"]


def test_interrupted_by_the_user_and_resumed(site: Site, tmp_path: Path) -> None:
    def give_up(done: int, total: int) -> None:
        if done > 1_000_000:
            raise KeyboardInterrupt

    target = tmp_path / "w.h5"
    with pytest.raises(KeyboardInterrupt):
        download(remote_at(site), target, give_up)
    download(remote_at(site), target)
    assert target.read_bytes() == BODY and (site.requests[1] or "").startswith("bytes=1")
