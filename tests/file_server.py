"""A web server on this machine for one file, with the habits of real ones."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from styleengine.weights.download import Remote
from tests.patience import DEADLINE


@dataclass
class Site:
    """A web server for one file, and what was asked of it."""

    body: bytes
    ranges: bool = True
    etag: str = '"v1"'
    status: int = 0
    cut: list[int] = field(default_factory=list)  # break the n-th answer after so many bytes
    hold_after: int | None = None  # send so much, then wait for `release`
    length: bool = True
    release: threading.Event = field(default_factory=threading.Event)
    requests: list[str | None] = field(default_factory=list)
    sent: int = 0
    port: int = 0

    def url(self, name: str = "w.h5") -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    def remote(self) -> Remote:
        """The description of what is served at this moment."""
        return Remote(
            (self.url(),), "sha256", hashlib.sha256(self.body).hexdigest(), len(self.body)
        )


@contextlib.contextmanager
def serving(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            site.requests.append(wanted)
            if site.status:
                self.send_error(site.status)
                return
            start = 0
            fresh = self.headers.get("If-Range") in (None, site.etag)
            if wanted and site.ranges and fresh:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(site.body):
                    self.send_error(416)
                    return
                self.send_response(206)
                last = len(site.body) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(site.body)}")
            else:
                self.send_response(200)
            if site.etag:
                self.send_header("ETag", site.etag)
            content = site.body[start:]
            if site.length:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if site.cut:
                content = content[: site.cut.pop(0)]
            with contextlib.suppress(ConnectionError):
                if site.hold_after is not None:
                    self.wfile.write(content[: site.hold_after])
                    self.wfile.flush()
                    site.release.wait(DEADLINE)
                    content = content[site.hold_after :]
                self.wfile.write(content)
            site.sent += len(content)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.release.set()
        server.shutdown()
        server.server_close()
        thread.join(DEADLINE)
