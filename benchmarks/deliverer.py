"""The provider as far as a connection that has a token needs it, as fast as a thread can answer.

Documents are serialised before anybody asks. It runs in the process of the benchmark, so that nothing of it is in the
figures of the process that is measured.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.documents import Huge

PRODUCT = "/sustainability/get"
Documents = Sequence[bytes | Huge]
_TOKEN = "access-sandbox-"  # noqa: S105 - opens nothing
_CONTEXT = {
    "connection_id": "00000000-0000-4000-8000-000000000001",
    "provider": {"id": "00000000-0000-4000-8000-000000000002", "name": "Springfield Power & Light"},
    "connection_status": "Connected",
    "connection_status_timestamp": "2026-01-31T10:20:30Z",
    "connection_status_reason": "DataFound",
    "num_of_entities": 0,
    "entities": [],
}


def token(number: int, odd: str = "") -> str:
    """Return the access token of a connection by the number of its document, and what is odd about that."""
    return f"{_TOKEN}{number}-{odd}"


class Deliverer(ThreadingHTTPServer):
    """Answers the document number n modulo their count to the token number n; for odd ones it has documents apart."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, documents: Documents, odd: Mapping[str, Documents]) -> None:
        """Listen at a free port of this machine."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.documents, self._odd = documents, odd
        self.before_first: Callable[[], object] | None = None
        """Called once, before the first document is answered."""
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def document(self, access_token: str) -> bytes | Huge:
        """Return the document of a connection."""
        with self._lock:
            call, self.before_first = self.before_first, None
            if call is not None:
                call()
        number, _, odd = access_token.removeprefix(_TOKEN).partition("-")
        documents = self._odd[odd] if odd else self.documents
        return documents[int(number) % len(documents)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: Deliverer

    def do_GET(self) -> None:
        """Answer the test of the keys: they are good."""
        self._send(2, [b"{}"])

    def do_POST(self) -> None:
        """Answer a document, or that the connection has one."""
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.rstrip("/") != PRODUCT:
            context = json.dumps(_CONTEXT).encode()
            self._send(len(context), [context])
            return
        found = self.server.document(asked["access_token"])
        if isinstance(found, Huge):
            self._send(found.size, found)
        else:
            self._send(len(found), [found])

    def _send(self, size: int, pieces: Iterable[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def deliverer(documents: Documents, odd: Mapping[str, Documents] | None = None) -> Iterator[Deliverer]:
    """Answer in a thread of this process while the block runs."""
    with Deliverer(documents, odd or {}) as server:
        thread = threading.Thread(target=server.serve_forever, name="deliverer", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
