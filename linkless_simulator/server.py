"""HTTP around a backend, with one thread per kept-alive connection. All decisions are in the backend."""

import socket
import socketserver
import struct
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self

from linkless_simulator import widget
from linkless_simulator.backend import CLIENT_ID, SECRET, Backend
from linkless_simulator.sources import ORDINARY
from linkless_simulator.wire import End, Wire, plain

BASE_PATH = "/api/v1"
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing discards unsent bytes and resets the connection

Respond = Callable[[str, str, dict[str, str], bytes], Wire]
"""Answers one request: method, path below the base address, headers, body."""


class Simulator:
    """The simulated API on a port of this machine; a context manager.

    `url` (after `start`) is the value for the connector's option `api_url`. `client_id`, `secret` and `source_id` are
    valid. `backend` holds all state and rules.
    """

    client_id = CLIENT_ID
    secret = SECRET
    source_id = ORDINARY.source_id

    def __init__(self, backend: Backend | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Prepare; `port` 0 means any free one. Nothing is opened before `start`."""
        self.backend = backend or Backend()
        self._address = (host, port)
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """The base address, without a slash at its end; RuntimeError when the simulator is not running."""
        if self._server is None:
            raise RuntimeError("The simulator is not running")
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}{BASE_PATH}"

    def start(self) -> Self:
        """Open the port and answer from now on; OSError when the port is taken."""
        self._server = _Server(self._address, self.respond, self.backend)
        self._server.start()
        return self

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Wire:
        """Return the answer to one request as it goes over the wire."""
        return plain(self.backend.answer(method, path, headers, body))

    def stop(self) -> None:
        """Close the port and every connection, and wait for the threads."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def deafen(self) -> None:
        """Refuse connections from now on and end idle ones; the port stays reserved. `hear` undoes this."""
        if self._server is not None:
            self._server.deafen()

    def hear(self) -> None:
        """Accept connections again after `deafen`."""
        if self._server is not None and self._server.reserved is not None:
            address = self._server.server_address
            self.stop()
            self._server = _Server((str(address[0]), int(address[1])), self.respond, self.backend)
            self._server.start()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


class _Server(socketserver.ThreadingTCPServer):
    """Keeps track of open connections, so that stopping ends them instead of waiting for the clients."""

    allow_reuse_address = True
    request_queue_size = 512
    daemon_threads = False

    def __init__(self, address: tuple[str, int], respond: Respond, backend: Backend) -> None:
        super().__init__(address, _Handler)
        self.respond, self.backend = respond, backend
        self.stopping = Event()
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        self._thread = Thread(target=self.serve_forever, args=(0.05,), name="simulator", daemon=True)
        self.reserved: socket.socket | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        with self._lock:
            for connection in self._open:
                _hang_up(connection)
        self.server_close()
        if self.reserved is not None:
            self.reserved.close()

    def deafen(self) -> None:
        """Stop listening; requests that are being answered are finished."""
        self.shutdown()
        self.socket.close()
        self.reserved = (
            socket.socket()
        )  # bound but not listening: connections are refused, and no other process can take the port
        self.reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.reserved.bind(self.server_address)
        with self._lock:
            for connection in self._open:
                _hang_up(connection, socket.SHUT_RD)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)


def _hang_up(connection: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    with suppress(OSError):  # the client may have been faster
        connection.shutdown(how)


def _reset(connection: socket.socket) -> None:
    """Close immediately, although file objects still hold the socket open."""
    with socket.socket(fileno=connection.detach()) as bare:
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client went away
            super().handle()

    def _answer(self) -> None:
        """Read one request and send its answer."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.server.reserved is not None:  # sent over an idle connection while it was being ended
            self.close_connection = True
            return
        path = self.path.removeprefix(BASE_PATH) if self.path.startswith(BASE_PATH) else ""
        if self.path in widget.PATHS:
            wire = plain(widget.respond(self.server.backend, self.command, self.path, body))
        else:
            wire = self.server.respond(self.command, path, dict(self.headers.items()), body)
        self.server.stopping.wait(wire.delay)
        for piece in wire.pieces:
            if self.server.stopping.wait(wire.pause):
                break
            self.wfile.write(piece)
        self.close_connection = self.close_connection or wire.end is not End.KEPT
        if wire.end is End.RESET:
            _reset(self.connection)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - names that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in http.server
        """Log nothing: the journal of the backend has the requests."""
