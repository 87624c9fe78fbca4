"""One HTTP exchange with the provider. The only module that uses requests.

    Request ──► requests.Session.send ──► Adapter (HTTPAdapter) ──► urllib3 ──► _Response: every read has a time limit
                                                                                    └──► bodies: unpacked, size limit
    Answer  ◄── status, headers, body

Requests go only to the configured host: redirects are answers like any other, and no cookies are kept. Proxies and
certificate authorities are those that requests finds in the environment; credentials of a .netrc file are not used.
Tokens and credentials travel in bodies and headers only, never in an address.

The timeouts of requests limit one pause each. A peer that sends one byte per second never reaches them and would occupy
a thread for ever. So the adapter installs a response class that limits the whole exchange (`Bounds`).
"""

from __future__ import annotations

import asyncio
import http.client
import io
import logging
import os
import re
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError, SSLError

from source_linkless.concurrency import DaemonThreads
from source_linkless.config import Config
from source_linkless.errors import invalid_configuration
from source_linkless.provider.bodies import (
    CHUNK,
    IN_MEMORY,
    MB,
    Body,
    NewFile,
    NoRoomError,
    TooLargeError,
    collected,
    unpacked,
)

IO_THREADS = 96
"""Most requests under way at once. The rate limit needs few of them; the others are for requests that hang, so that
these do not hold up the requests of other logins. A thread is started when it is first needed."""
CONNECT_SECONDS = 10.0
"""Longest time for opening a connection to one address of the host."""
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Environment variables that tell requests which certificate authorities to trust."""
_OK, _MULTIPLE_CHOICES = 200, 300
_DIGITS_OF_A_LENGTH = 18
"""A `Content-Length` with more digits is larger than any limit."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one exchange, in seconds and bytes.

    `read` limits the pause between two bytes. `total` limits the whole answer; `slowest` (bytes per second, 0 for none)
    extends it by the time that the received bytes may take at this pace, so that a large document may arrive over a
    slow line. `most` limits the size of the body.
    """

    read: float
    total: float
    slowest: float
    most: int

    def seconds(self, received: int) -> float:
        """Return the longest time in seconds that an answer may take of which `received` bytes have arrived."""
        return self.total + (received / self.slowest if self.slowest else 0.0)


ORDINARY = Bounds(read=60.0, total=65.0, slowest=0.0, most=16 * MB)
"""For answers of some hundred bytes. A `connect` and its `exchange` fit into `handshake.SUBMISSION_SECONDS`."""
DOCUMENT = Bounds(read=180.0, total=300.0, slowest=64 * 1024.0, most=512 * MB)
"""For documents and files. The provider may prepare one for minutes; then 200 MB may take an hour."""
LARGEST_ERROR = MB
"""An error answer with more bytes is not kept: it is no error object, and its HTTP status says enough."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: a POST, or a GET if there is no body.

    `once`: it gets a connection of its own, because an idle one may just have been closed by the server, and then
    nobody knows whether the request arrived. `large`: the answer is a document or a file. `accept`: its content types.
    """

    path: str
    body: bytes | None = field(default=None, repr=False)
    once: bool = False
    large: bool = False
    began: Callable[[], object] | None = field(default=None, repr=False, compare=False)
    """Called in a thread of the transport when the answer begins, before its body is read."""
    accept: str = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. The names of headers are in lower case; the body of a large error is empty."""

    status: int
    headers: Mapping[str, str]
    body: Body = field(repr=False)


class Unreachable(Exception):  # noqa: N818 - an answer that did not come, not an error of ours
    """No answer came. `reached` is False when the request certainly did not reach the provider."""

    def __init__(self, reason: str, *, reached: bool) -> None:
        """Keep a reason code for the failure; never the library's text, which holds addresses."""
        super().__init__(reason)
        self.reason, self.reached = reason, reached


Transport = Callable[[Request], Awaitable[Answer]]
"""Sends one request; raises Unreachable when no answer comes. Tests pass their own."""


class HttpTransport:
    """The real transport: requests, in a small pool of threads that do nothing but input and output."""

    def __init__(
        self,
        config: Config,
        *,
        ordinary: Bounds = ORDINARY,
        document: Bounds = DOCUMENT,
        new_file: NewFile = TemporaryFile,
    ) -> None:
        """Prepare without touching the network; `new_file` makes the temporary file of a large body.

        Raises a config error when the environment names a file of certificates that does not exist.
        """
        # urllib3 logs what it cannot parse, which may be a token that nobody knows yet, so that it would not be masked.
        logging.getLogger("urllib3").propagate = False
        _refuse_missing_certificates()
        self._url, self._settings = config.api_url, _settings_of_this_machine(config.api_url)
        self._headers = {
            "x-deck-client-id": config.client_id,
            "x-deck-secret": config.secret,
            "Accept-Encoding": "gzip",
            "Content-Type": "application/json",
            "User-Agent": f"source-linkless/{version('airbyte-source-linkless')}",
        }
        self._ordinary, self._document, self._new_file = ordinary, document, new_file
        self._threads = DaemonThreads(IO_THREADS, "http")
        self._shared = {large: Session(self._bounds(large=large), IO_THREADS) for large in (False, True)}

    def _bounds(self, *, large: bool) -> Bounds:
        return self._document if large else self._ordinary

    async def __call__(self, request: Request) -> Answer:
        """Send one request and read its whole answer."""
        try:
            answer = asyncio.get_running_loop().run_in_executor(self._threads, self._send, request)
        except RuntimeError:  # the system allows no more threads, and there is none yet
            raise Unreachable("NO_THREADS", reached=False) from None
        return await answer

    def close(self) -> None:
        """Close every connection and end the threads; a process that ends need not."""
        for session in self._shared.values():
            session.close()
        self._threads.shutdown()

    def _send(self, request: Request) -> Answer:
        if not request.once:
            return self._exchange(self._shared[request.large], request)
        with Session(self._bounds(large=request.large), 1) as session:
            return self._exchange(session, request)

    def _exchange(self, session: requests.Session, request: Request) -> Answer:
        """Send one request. Whatever goes wrong costs this request and nothing else: libraries raise many things."""
        bounds = self._bounds(large=request.large)
        method = "GET" if request.body is None else "POST"
        url = self._url + request.path
        headers = self._headers | {"Accept": request.accept}
        prepared = requests.Request(method, url, headers=headers, data=request.body).prepare()
        timeouts = (CONNECT_SECONDS, bounds.read)
        try:
            with closing(session.send(prepared, timeout=timeouts, allow_redirects=False, **self._settings)) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                if request.began is not None:
                    request.began()
                return Answer(response.status_code, headers, self._body(response, headers, bounds))
        except Exception as error:  # noqa: BLE001 - see above
            raise _unreachable(error) from None  # the cause would show the address of a proxy or more

    def _body(self, response: requests.Response, headers: Mapping[str, str], bounds: Bounds) -> Body:
        """Read the body; an error that is too large for an error object is not kept."""
        is_good = _OK <= response.status_code < _MULTIPLE_CHOICES
        expected, encoding = _length(headers.get("content-length", "")), headers.get("content-encoding", "")
        # A body that is kept as it arrives is read into one piece of memory; one that is unpacked, by small pieces.
        at_once = expected if 0 < expected <= IN_MEMORY and not encoding else CHUNK
        pieces = unpacked(_pieces(response, at_once), encoding)
        try:
            most = bounds.most if is_good else LARGEST_ERROR
            return collected(pieces, expected=expected, most=most, new_file=self._new_file)
        except TooLargeError:
            if is_good:
                raise
            return b""


def _length(written: str) -> int:
    """Return an announced length in bytes, 0 when there is none that makes sense."""
    if not (written.isascii() and written.isdecimal()):
        return 0
    return int(written) if len(written) <= _DIGITS_OF_A_LENGTH else sys.maxsize


def _pieces(response: requests.Response, size: int) -> Iterator[bytes]:
    while piece := response.raw.read(size, decode_content=False):
        yield piece


def _refuse_missing_certificates() -> None:
    for name in _CERTIFICATES:
        path = os.environ.get(name)
        if path and not Path(path).exists():
            raise invalid_configuration(f"The environment variable {name} names a file that does not exist: {path}.")


def _settings_of_this_machine(address: str) -> Any:
    """Return what the environment says about proxies and certificates for an address, as arguments of `send`."""
    with requests.Session() as session:
        # Clear text never goes to a proxy of the environment: only addresses on this machine may be http.
        return session.merge_environment_settings(address, {"http": ""}, stream=True, verify=None, cert=None)


class Session(requests.Session):
    """A session with one adapter; thread-safe, as it keeps nothing between two requests but connections."""

    def __init__(self, bounds: Bounds, connections: int) -> None:
        """Keep up to `connections` connections open; `bounds` limits every exchange."""
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, Adapter(bounds, connections))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: no redirect is followed, and its address is not even parsed."""


class Adapter(HTTPAdapter):
    """The adapter of requests, whose connections keep to the bounds of an exchange."""

    def __init__(self, bounds: Bounds, connections: int) -> None:
        """Keep up to `connections` connections open to the host."""
        self._bounds = bounds
        super().__init__(pool_connections=1, pool_maxsize=connections)

    def get_connection_with_tls_context(self, *arguments: Any, **named: Any) -> Any:
        """Return the pool of connections to a host, as requests makes it, with our response class."""
        pool: Any = super().get_connection_with_tls_context(*arguments, **named)
        pool.ConnectionCls = _bounded(pool.ConnectionCls, self._bounds)
        return pool


class _Bounded(HTTPConnection):
    """Marks the classes of connections that have our response class already."""


@cache
def _bounded(kind: type[HTTPConnection], bounds: Bounds) -> type[HTTPConnection]:
    """Return a class of connections that are like those of `kind`, and whose answers keep to the bounds."""
    if issubclass(kind, _Bounded):
        return kind
    return type(
        f"Bounded{kind.__name__}", (_Bounded, kind), {"response_class": staticmethod(partial(_Response, bounds))}
    )


class _Response(http.client.HTTPResponse):
    """An answer that is read within the bounds, from its status line on.

    Where `http.client` is lenient or strict in a way that costs data, this class differs:

    - a connection that is closed inside the headers is broken; `http.client` takes it for the end of the headers,
    - a line that is no header is ignored, as browsers do; `http.client` ignores all headers behind it too,
    - cookies are dropped, so that nothing parses them.
    """

    def __init__(self, bounds: Bounds, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp: Any = _Reader(_Timed(sock, self.fp.detach(), bounds))

    def begin(self) -> None:
        self.fp.is_in_head = True
        super().begin()
        if self.fp is not None:  # it is when an answer without a body has ended already
            self.fp.is_in_head = False
        del self.headers["Set-Cookie"]


_LINE_OF_A_HEAD = re.compile(rb"HTTP/|[\x21-\x39\x3b-\x7e]+:|[ \t]|\r?\n")
"""A status line, a header, its continuation, or the empty line behind the last."""


class _Reader(io.BufferedReader):
    """Reads an answer by lines and bytes; see `_Response` for what it does with the lines of the head."""

    is_in_head = False

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if not self.is_in_head:
            return line
        if not line.endswith(b"\n") and len(line) != size:
            raise ConnectionResetError
        return line if _LINE_OF_A_HEAD.match(line) else b"x-ignored: no header\r\n"


class _Timed(io.RawIOBase):
    """The reading end of a socket, which raises TimeoutError when the time of its exchange is over."""

    def __init__(self, sock: socket.socket, bare: io.RawIOBase, bounds: Bounds) -> None:
        self._sock, self._bare, self._bounds = sock, bare, bounds
        self._began, self._received = time.monotonic(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._began + self._bounds.seconds(self._received) - time.monotonic()
        if left <= 0:
            raise TimeoutError
        pause = min(self._bounds.read, left)
        if pause != self._sock.gettimeout():
            self._sock.settimeout(pause)
        number = self._bare.readinto(buffer)
        self._received += number or 0
        return number

    def close(self) -> None:
        with suppress(OSError):
            self._bare.close()
        super().close()


_NOT_CONNECTED = NewConnectionError, ConnectTimeoutError, requests.exceptions.ProxyError
_TLS = SSLError, ssl.SSLError, requests.exceptions.SSLError


def _unreachable(error: Exception) -> Unreachable:
    """Classify a failure of the exchange by the exceptions that led to it."""
    causes = tuple(_causes(error))

    def is_any(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if is_any(*_TLS):  # without a valid certificate nothing is sent; TLS may also break after the request
        return Unreachable("TLS_FAILED", reached=not is_any(ssl.SSLCertVerificationError))
    if is_any(*_NOT_CONNECTED):
        return Unreachable("UNREACHABLE", reached=False)
    if is_any(ReadTimeoutError):
        return Unreachable("TIMEOUT", reached=True)
    if is_any(TooLargeError):
        return Unreachable("ANSWER_TOO_LARGE", reached=True)
    return Unreachable("NO_TEMPORARY_SPACE" if is_any(NoRoomError) else "CONNECTION_BROKEN", reached=True)


def _causes(error: object) -> Iterator[BaseException]:
    """Yield an exception and those inside it: requests wraps urllib3, which wraps the standard library."""
    while isinstance(error, BaseException):
        yield error
        error = getattr(error, "reason", None) or next(iter(error.args), None)
