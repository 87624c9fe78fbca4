"""One HTTP exchange with the provider; the only module that uses requests.

A request goes to the configured host and nowhere else: no redirects, no credentials from the machine. Tokens and
credentials travel in bodies and headers only, never in an address.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, SSLError

from source_linkless.config import Config
from source_linkless.handover import DaemonThreads

IO_THREADS = 16
"""Requests that may be under way at once: at least the usual latency in seconds times the rate limit."""
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `once`: it must not travel on a connection that may just have been closed."""

    path: str
    body: bytes | None = field(default=None, repr=False)
    read_seconds: float = _READ_SECONDS
    once: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer with its headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Unreachable(Exception):  # noqa: N818 - an answer that did not come, not an error of ours
    """No answer came. `reached` is False when the request certainly did not reach the provider."""

    def __init__(self, word: str, *, reached: bool) -> None:
        """Keep a word for the failure; never the library's text, which holds addresses."""
        super().__init__(word)
        self.word, self.reached = word, reached


Transport = Callable[[Request], Awaitable[Answer]]
"""Sends one request; raises Unreachable when no answer comes. Tests pass their own."""


class HttpTransport:
    """The real transport: `requests` in a small pool of threads that do nothing but input and output."""

    def __init__(self, config: Config) -> None:
        """Prepare without touching the network."""
        self._url = config.api_url
        self._headers = {
            "x-deck-client-id": config.client_id,
            "x-deck-secret": config.secret,
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": f"source-linkless/{version('airbyte-source-linkless')}",
        }
        self._threads = DaemonThreads(IO_THREADS, "http")
        self._session = self._new_session()

    async def __call__(self, request: Request) -> Answer:
        """Send one request and read its whole answer."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._send, request)

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.mount("https://", HTTPAdapter(pool_maxsize=IO_THREADS))
        session.mount("http://", HTTPAdapter(pool_maxsize=IO_THREADS))
        session.headers.update(self._headers)
        session.auth = lambda prepared: prepared  # a .netrc of the machine must not add credentials
        return session

    def _send(self, request: Request) -> Answer:
        if not request.once:
            return self._exchange(self._session, request)
        with self._new_session() as session:
            return self._exchange(session, request)

    def _exchange(self, session: requests.Session, request: Request) -> Answer:
        try:
            with session.request(
                "GET" if request.body is None else "POST",
                self._url + request.path,
                data=request.body,
                timeout=(_CONNECT_SECONDS, request.read_seconds),
                allow_redirects=False,  # the keys go nowhere but to the configured host
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, headers, response.content)
        except requests.RequestException as error:
            raise _unreachable(error) from None  # the cause would show the address of a proxy or more


def _unreachable(error: requests.RequestException) -> Unreachable:
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    if isinstance(reason, SSLError):  # nothing is sent to who has no valid certificate; later TLS may break too
        is_certificate = bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
        return Unreachable("TLS_FAILED", reached=not is_certificate)
    if isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return Unreachable("UNREACHABLE", reached=False)
    if isinstance(error, requests.Timeout):
        return Unreachable("TIMEOUT", reached=True)
    return Unreachable("CONNECTION_BROKEN", reached=True)
