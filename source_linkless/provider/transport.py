"""One HTTP exchange with the provider. The only module that uses requests.

    Request ──► requests.Session.send ──► _Adapter (HTTPAdapter) ──► urllib3 ──► _Response: every read has a time limit
                                                                                    └──► unpacked (gzip), size limit
    Answer  ◄── status, headers, body ◄── up to 32 MB: bytes; larger: an unnamed temporary file, mapped for reading

Requests go only to the configured host: redirects are answers like any other, and no cookies are kept. Proxies and
certificate authorities are those that requests finds in the environment; credentials of a .netrc file are not used.
Tokens and credentials travel in bodies and headers only, never in an address.

The timeouts of requests limit one pause each. A peer that sends one byte per second never reaches them and would occupy
a thread without end. So the adapter installs a response class that limits the whole exchange (`Bounds`). The temporary
file has no name, so the system frees its space when the last user closes it, even after SIGKILL.
"""

import asyncio
import gzip
import http.client
import io
import logging
import math
import mmap
import os
import re
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ProxyError
from urllib3.exceptions import ConnectTimeoutError, DecodeError, NewConnectionError, ReadTimeoutError, SSLError

from source_linkless.concurrency import DaemonThreads
from source_linkless.config import Config
from source_linkless.errors import Problem, invalid_configuration
from source_linkless.provider.outcomes import OWN_CODES

Body = bytes | mmap.mmap  # the pages of a mapped file do not count as memory of the process
NewFile = Callable[[], IO[bytes]]

MB = 2**20
IO_THREADS = 96  # most requests under way at once: the rate limit needs few, the others are for requests that hang
CONNECT_SECONDS = 10.0  # longest time for opening a connection to one address of the host
IN_MEMORY = 32 * MB
"""Most bytes of a body that stay in memory. A body with a larger announced length goes to disk from its first byte."""
CHUNK = 2**18  # most bytes that are read, or unpacked, at once
FREELY_UNPACKED = 16 * MB  # bytes that a body may always have when unpacked, however few were received
MOST_PER_PACKED_BYTE = 200
"""Most bytes per received byte above that. JSON of bills packs 10 to 40 times smaller; gzip allows 1,000 times."""
LARGEST_ERROR = MB  # an error answer with more bytes is no error object and is not kept: its HTTP status says enough
SUCCESSES = range(200, 300)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one exchange, in seconds and bytes.

    `read` limits the pause between two bytes. `total` limits the whole answer; `slowest` (bytes per second) extends it
    by the time that the received bytes may take at this pace, so that a large document may arrive over a slow line.
    `most` limits the size of the body.
    """

    read: float
    total: float
    slowest: float
    most: int

    def seconds(self, received: int) -> float:
        """Return the longest time in seconds that an answer may take of which `received` bytes have arrived."""
        return self.total + received / self.slowest


ORDINARY = Bounds(read=60.0, total=65.0, slowest=math.inf, most=16 * MB)
"""For answers of some hundred bytes. A `connect` and its `exchange` fit into `handshake.SUBMISSION_SECONDS`."""
DOCUMENT = Bounds(read=180.0, total=300.0, slowest=64 * 1024.0, most=512 * MB)
"""For documents and files. The provider may prepare one for minutes; then 200 MB may take an hour."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: a POST, or a GET if there is no body.

    `once`: it gets a connection of its own, because an idle one may just have been closed by the server, and then
    nobody knows whether the request arrived. `large`: the answer is a document or a file. `began` is called in a thread
    of the transport when the answer begins, before its body is read. `accept`: the content types of the answer.
    """

    path: str
    body: bytes | None = field(default=None, repr=False)
    once: bool = False
    large: bool = False
    began: Callable[[], object] = field(default=lambda: None, repr=False, compare=False)
    accept: str = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. The names of headers are in lower case; the body of a large error is empty."""

    status: int
    headers: Mapping[str, str]
    body: Body = field(repr=False)


Transport = Callable[[Request], Awaitable[Answer]]
"""Sends one request; raises Problem with one of `outcomes.OWN_CODES` when no answer comes. Tests pass their own."""


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
        """Touch no network yet. Raises a config error for a file of certificates that does not exist."""
        # urllib3 logs what it cannot parse, which may be a token that nobody knows yet, so that it would not be masked.
        logging.getLogger("urllib3").propagate = False
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            if (path := os.environ.get(name)) and not Path(path).exists():
                message = f"The environment variable {name} names a file that does not exist: {path}."
                raise invalid_configuration(message)
        self._url = config.api_url
        # Clear text never goes to a proxy of the environment: only addresses on this machine may be http.
        settings = requests.Session().merge_environment_settings
        self._settings: Any = settings(self._url, {"http": ""}, stream=True, verify=None, cert=None)
        self._headers = {
            "x-deck-client-id": config.client_id,
            "x-deck-secret": config.secret,
            "Accept-Encoding": "gzip",
            "Content-Type": "application/json",
            "User-Agent": f"source-linkless/{version('airbyte-source-linkless')}",
        }
        self._threads, self._new_file = DaemonThreads(IO_THREADS, "http"), new_file
        both = {False: ordinary, True: document}
        self._shared = {is_large: (bounds, _session(bounds, IO_THREADS)) for is_large, bounds in both.items()}

    async def __call__(self, request: Request) -> Answer:
        """Send one request and read its whole answer."""
        try:
            answer = asyncio.get_running_loop().run_in_executor(self._threads, self._send, request)
        except RuntimeError:  # the system allows no more threads, and there is none yet
            raise Problem("NO_THREADS", OWN_CODES["NO_THREADS"], detail=request.path, reached=False) from None
        return await answer

    def close(self) -> None:
        """Close every connection and end the threads; a process that ends need not."""
        for _, session in self._shared.values():
            session.close()
        self._threads.shutdown()

    def _send(self, request: Request) -> Answer:
        bounds, shared = self._shared[request.large]
        method = "GET" if request.body is None else "POST"
        headers = self._headers | {"Accept": request.accept}
        prepared = requests.Request(method, self._url + request.path, headers=headers, data=request.body).prepare()
        how = {"timeout": (CONNECT_SECONDS, bounds.read), "allow_redirects": False, **self._settings}
        try:
            with (
                _session(bounds, 1) if request.once else nullcontext(shared) as session,
                closing(session.send(prepared, **how)) as response,
            ):
                request.began()
                return self._answer(response, bounds)
        except Exception as error:  # noqa: BLE001 - what a library raises costs this request and nothing else
            raise _unanswered(error, request.path) from None  # the cause would show the address of a proxy or more

    def _answer(self, response: requests.Response, bounds: Bounds) -> Answer:
        """Read the body; an error that is too large for an error object is not kept."""
        status, headers = response.status_code, {name.lower(): value for name, value in response.headers.items()}
        is_good = status in SUCCESSES
        # The first 18 digits of a length say enough: any such number is above every limit.
        length = headers.get("content-length", "")[:18]
        expected = int(length) if length.isascii() and length.isdecimal() else 0
        pieces = _unpacked(response.raw, headers.get("content-encoding", ""), expected)
        try:
            body = _collected(pieces, expected, bounds.most if is_good else LARGEST_ERROR, self._new_file)
        except _TooLargeError:
            if is_good:
                raise
            body = b""
        return Answer(status, headers, body)


def _unpacked(raw: Any, encoding: str, expected: int) -> Iterator[bytes]:
    """Yield a body without its `Content-Encoding`, in pieces; a short one that is not packed is one piece of memory.

    Raises _TooLargeError when it grows beyond MOST_PER_PACKED_BYTE, other errors when it is damaged or incomplete.
    """
    match encoding.strip().lower():
        case "" | "identity":
            yield from iter(partial(raw.read, expected if 0 < expected <= IN_MEMORY else CHUNK), b"")
        case "gzip" | "x-gzip":
            sent = 0
            try:
                for piece in iter(partial(gzip.GzipFile(fileobj=raw, mode="rb").read, CHUNK), b""):
                    sent += len(piece)
                    if sent > max(FREELY_UNPACKED, MOST_PER_PACKED_BYTE * raw.tell()):
                        raise _TooLargeError
                    yield piece
            except gzip.BadGzipFile:  # an OSError, as those of the disk are
                raise DecodeError from None
        case _:
            raise DecodeError


def _collected(pieces: Iterable[bytes], expected: int, most: int, new_file: NewFile) -> Body:
    """Return a whole body of at most `most` bytes; `expected` is its announced length, 0 if unknown.

    Raises _TooLargeError as soon as that is certain, and _NoRoomError when a large body cannot be written.
    """
    if expected > most:
        raise _TooLargeError
    size, memory = 0, io.BytesIO()
    file: IO[bytes] | None = None
    try:
        for piece in pieces:
            size += len(piece)
            if size > most:
                raise _TooLargeError
            if not file and max(size, expected) > IN_MEMORY:
                file = new_file()
                file.write(memory.getbuffer())
                memory = io.BytesIO()
            if file:
                file.write(piece)
            elif size == len(piece):  # a body that arrives in one piece is not copied
                memory = io.BytesIO(piece)
                memory.seek(size)
            else:
                memory.write(piece)
        if not file:
            return memory.getvalue()  # the buffer itself, not a copy
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError:  # of the file: urllib3 makes errors of its own of those of the network
        raise _NoRoomError from None
    finally:
        if file:
            with suppress(OSError):  # buffered bytes of a body that was given up may not fit on the disk
                file.close()  # a map of it stays readable


def _session(bounds: Bounds, connections: int) -> requests.Session:
    """Return a session that keeps nothing between two requests but connections, so it is thread-safe."""
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(bounds, connections))
    return session


class _Adapter(HTTPAdapter):
    """The adapter of requests, whose connections to the host, at most so many, keep to the bounds of an exchange."""

    def __init__(self, bounds: Bounds, connections: int) -> None:
        self._response = staticmethod(partial(_Response, bounds))
        super().__init__(pool_connections=1, pool_maxsize=connections)

    def get_connection_with_tls_context(self, *arguments: Any, **named: Any) -> Any:
        """Return the pool of connections to a host, as requests makes it, with our response class."""
        pool: Any = super().get_connection_with_tls_context(*arguments, **named)
        if "ConnectionCls" not in vars(pool):  # a new pool
            pool.ConnectionCls = type("Bounded", (pool.ConnectionCls,), {"response_class": self._response})
        return pool


class _Response(http.client.HTTPResponse):
    """An answer that is read within the bounds, from its status line on.

    Where `http.client` is lenient or strict in a way that costs data, this class differs:

    - a connection that is closed inside the headers is broken; `http.client` takes it for the end of the headers,
    - a line that is no header is ignored, as browsers do; `http.client` ignores all headers behind it too,
    - cookies and the addresses of redirects are dropped, so that nothing parses them.
    """

    def __init__(self, bounds: Bounds, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp: Any = _Reader(_Timed(sock, self.fp.detach(), bounds))

    def begin(self) -> None:
        self.fp.is_in_head = True
        super().begin()
        self.fp.is_in_head = False
        del self.headers["Set-Cookie"], self.headers["Location"]


# A status line, a header, its continuation, or the empty line behind the last.
_LINE_OF_A_HEAD = re.compile(rb"HTTP/|[\x21-\x39\x3b-\x7e]+:|[ \t]|\r?\n")


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
        self._sock.settimeout(min(self._bounds.read, left))
        number = self._bare.readinto(buffer)
        self._received += number or 0
        return number

    def close(self) -> None:
        with suppress(OSError):
            self._bare.close()
        super().close()


class _TooLargeError(Exception):
    pass


class _NoRoomError(Exception):
    pass


_FAILURES: tuple[tuple[tuple[type[Exception], ...], str, bool], ...] = (
    ((_TooLargeError,), "ANSWER_TOO_LARGE", True),
    ((_NoRoomError,), "NO_TEMPORARY_SPACE", True),
    ((ssl.SSLCertVerificationError,), "TLS_FAILED", False),  # without a valid certificate nothing is sent
    ((SSLError, ssl.SSLError, requests.exceptions.SSLError), "TLS_FAILED", True),  # it may break after the request
    ((NewConnectionError, ConnectTimeoutError, ProxyError), "UNREACHABLE", False),
    ((ReadTimeoutError,), "TIMEOUT", True),
    ((Exception,), "CONNECTION_BROKEN", True),
)
"""Exceptions, the reason code for them, and whether the request may have reached the provider; the first one counts."""


def _unanswered(error: Exception, path: str) -> Problem:
    """Classify a failure of the exchange by the exceptions that led to it; without their texts, which hold addresses.

    requests wraps urllib3, which wraps the standard library, as the `reason` or the first argument of its exception.
    """
    causes: list[Any] = [error]
    while isinstance(cause := causes[-1], BaseException):
        causes.append(getattr(cause, "reason", None) or next(iter(cause.args), None))
    _, reason, reached = next(row for row in _FAILURES if any(isinstance(cause, row[0]) for cause in causes))
    return Problem(reason, OWN_CODES[reason], detail=path, reached=reached)
