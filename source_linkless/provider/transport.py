"""One HTTP exchange with the provider; the only module that uses requests.

A request goes to the configured host and nowhere else: no redirects, no credentials from the machine, no cookies. All
of that is work of a session of `requests`. Its adapter finds the way to the host (proxy, certificates) once; requests
leave through the pool of `urllib3` that it made, which sends what it is given. Tokens and credentials travel in bodies
and headers only, never in an address. An exchange is bounded in time and in size (`bounds`), and a large body never
stands in memory (`bodies`).
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout, parse_url

from source_linkless.concurrency.handover import DaemonThreads
from source_linkless.config import Config
from source_linkless.errors import invalid_configuration
from source_linkless.provider.bodies import (
    CHUNK,
    IN_MEMORY,
    Body,
    NewFile,
    NoRoomError,
    PackingError,
    TooLargeError,
    kept,
    unpacked,
)
from source_linkless.provider.bounds import DOCUMENT, LARGEST_ERROR, ORDINARY, WATCH, Bounds, Watch, watched
from source_linkless.provider.sending import in_one_piece

IO_THREADS = 16
"""Requests that may be under way at once: at least the usual latency in seconds times the rate limit."""
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The variables by which requests is told of other authorities than the public ones."""
_CONNECT_SECONDS = 10.0
_OK = 200


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    `once`: it must not travel on a connection that may just have been closed. `large`: a document is expected.
    """

    path: str
    body: bytes | None = field(default=None, repr=False)
    once: bool = False
    large: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer with its headers in lower case; the body of an error is empty when it is no error object."""

    status: int
    headers: Mapping[str, str]
    body: Body = field(repr=False)


class Unreachable(Exception):  # noqa: N818 - an answer that did not come, not an error of ours
    """No answer came. `reached` is False when the request certainly did not reach the provider."""

    def __init__(self, reason: str, *, reached: bool) -> None:
        """Keep a word for the failure; never the library's text, which holds addresses."""
        super().__init__(reason)
        self.reason, self.reached = reason, reached


Transport = Callable[[Request], Awaitable[Answer]]
"""Sends one request; raises Unreachable when no answer comes. Tests pass their own."""


class HttpTransport:
    """The real transport: `urllib3` in a small pool of threads that do nothing but input and output."""

    def __init__(
        self,
        config: Config,
        *,
        ordinary: Bounds = ORDINARY,
        document: Bounds = DOCUMENT,
        new_file: NewFile = TemporaryFile,
    ) -> None:
        """Prepare without touching the network; the bounds are those of usual answers and of a document.

        Raises a config error when the environment names certificates that are not there.
        """
        _refuse_missing_certificates()
        self._url, self._settings = config.api_url, _settings_of_this_machine(config.api_url)
        self._path = parse_url(config.api_url).path or ""
        self._headers = {
            "x-deck-client-id": config.client_id,
            "x-deck-secret": config.secret,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Content-Type": "application/json",
            "User-Agent": f"source-linkless/{version('airbyte-source-linkless')}",
        }
        self._ordinary, self._document, self._new_file = ordinary, document, new_file
        self._threads = DaemonThreads(IO_THREADS, "http")
        self._shared = self._way(IO_THREADS)

    async def __call__(self, request: Request) -> Answer:
        """Send one request and read its whole answer."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._send, request)

    def close(self) -> None:
        """Close every connection and end the threads; a process that ends need not."""
        self._shared.close()
        self._threads.shutdown()

    def _way(self, connections: int) -> _Way:
        return _Way(self._url, self._settings, connections)

    def _send(self, request: Request) -> Answer:
        if not request.once:
            return self._exchange(self._shared, request)
        with closing(self._way(1)) as way:
            return self._exchange(way, request)

    def _exchange(self, way: _Way, request: Request) -> Answer:
        bounds = self._document if request.large else self._ordinary
        WATCH.set(Watch(bounds))
        try:
            with self._response(way, request, bounds) as response:
                headers = {name.lower(): value for name, value in response.headers.itermerged()}
                return Answer(response.status, headers, self._body(response, headers, bounds))
        except (requests.RequestException, HTTPError, PackingError, TooLargeError, NoRoomError) as error:
            raise _unreachable(error) from None  # the cause would show the address of a proxy or more

    @contextmanager
    def _response(self, way: _Way, request: Request, bounds: Bounds) -> Iterator[BaseHTTPResponse]:
        response = way.pool().urlopen(
            "GET" if request.body is None else "POST",
            self._path + request.path,
            request.body,
            self._headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=Timeout(connect=_CONNECT_SECONDS, read=bounds.read),
            preload_content=False,
            decode_content=False,
        )
        try:
            yield response
        finally:
            response.close()  # a connection is used again if the body was read to its end
            response.release_conn()

    def _body(self, response: BaseHTTPResponse, headers: Mapping[str, str], bounds: Bounds) -> Body:
        """Read the body; an error that is too large for an error object is not kept."""
        is_good, encoding = response.status == _OK, headers.get("content-encoding", "")
        length = headers.get("content-length", "")
        expected = int(length) if length.isascii() and length.isdecimal() else 0
        # What can be kept as it comes is read into one piece of memory; unpacking goes by small pieces.
        piece = expected if expected <= IN_MEMORY and not encoding else 0
        chunks = unpacked(_chunks(response, piece or CHUNK), encoding)
        try:
            most = bounds.most if is_good else LARGEST_ERROR
            return kept(chunks, expected=expected, most=most, new_file=self._new_file)
        except TooLargeError:
            if is_good:
                raise
            return b""


def _refuse_missing_certificates() -> None:
    for name in _CERTIFICATES:
        path = os.environ.get(name)
        if path and not Path(path).exists():
            raise invalid_configuration(f"The environment variable {name} names a file that does not exist: {path}.")


def _settings_of_this_machine(address: str) -> Any:
    """Read once which proxy and which certificates the environment names for an address."""
    with requests.Session() as session:
        # Clear text is for this machine only, never for a proxy of the environment.
        return session.merge_environment_settings(address, {"http": ""}, stream=True, verify=None, cert=None)


class _Way:
    """The way to the host: through the proxy and with the certificates that `requests` finds, under the watch."""

    def __init__(self, url: str, settings: Mapping[str, Any], connections: int) -> None:
        self._url, self._settings = url, settings
        self._adapter: Any = HTTPAdapter(pool_maxsize=connections)
        self._pool: HTTPConnectionPool | None = None

    def pool(self) -> HTTPConnectionPool:
        """Return the pool of connections: there is one, as there is one host."""
        if self._pool is None:
            request = requests.Request("GET", self._url).prepare()
            verify, cert = self._settings["verify"], self._settings["cert"]
            proxies = self._settings["proxies"]
            pool: Any = self._adapter.get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
            self._adapter.cert_verify(pool, self._url, verify, cert)
            pool.ConnectionCls = watched(pool.ConnectionCls)
            pool.ConnectionCls = in_one_piece(pool.ConnectionCls)
            self._pool = pool
        return self._pool

    def close(self) -> None:
        """Close every connection."""
        self._adapter.close()


def _chunks(response: BaseHTTPResponse, size: int) -> Iterator[bytes]:
    while chunk := response.read(size, decode_content=False):
        yield chunk


_NOBODY_THERE = NewConnectionError, ConnectTimeoutError, ProxyError  # the last: no way through the proxy
_WORDS = ((TooLargeError, "ANSWER_TOO_LARGE"), (NoRoomError, "NO_TEMPORARY_SPACE"))


def _unreachable(error: Exception) -> Unreachable:
    if isinstance(error, SSLError):  # nothing is sent to who has no valid certificate; later TLS may break too
        is_certificate = bool(error.args) and isinstance(error.args[0], ssl.SSLCertVerificationError)
        return Unreachable("TLS_FAILED", reached=not is_certificate)
    if isinstance(error, _NOBODY_THERE):
        return Unreachable("UNREACHABLE", reached=False)
    if isinstance(error, ReadTimeoutError):
        return Unreachable("TIMEOUT", reached=True)
    reason = next((reason for kind, reason in _WORDS if isinstance(error, kind)), "CONNECTION_BROKEN")
    return Unreachable(reason, reached=True)
