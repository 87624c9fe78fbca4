"""One HTTP exchange, with real sockets on this machine: what is sent, where it goes, and what a failure says."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import logging
import mmap
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha512
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from time import monotonic
from typing import IO, Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from requests.adapters import HTTPAdapter

from source_linkless.concurrency import RateLimit
from source_linkless.config import parse_config
from source_linkless.errors import Problem
from source_linkless.linking.handshake import SUBMISSION_SECONDS
from source_linkless.provider.api import Api
from source_linkless.provider.outcomes import OWN_CODES
from source_linkless.provider.transport import (
    CHUNK,
    CONNECT_SECONDS,
    DOCUMENT,
    FREELY_UNPACKED,
    IN_MEMORY,
    IO_THREADS,
    MB,
    ORDINARY,
    Answer,
    HttpTransport,
    NewFile,
    Request,
)
from testing.raw_forms import form

PASSWORD = b'{"password": "a very secret password"}'


@dataclass
class Seen:
    """One request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    port: int


@dataclass
class Server:
    """A server that keeps what it was asked and answers as the test says."""

    answer: Callable[[BaseHTTPRequestHandler], None]
    seen: list[Seen] = field(default_factory=list)
    port: int = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def do_GET(self) -> None:
        """Answer like a POST."""
        self.do_POST()

    def do_POST(self) -> None:
        """Note the request, then answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.told.seen.append(Seen(self.command, self.path, headers, body, self.client_address[1]))
        self.server.told.answer(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        """Say nothing on standard error."""


class _HttpServer(ThreadingHTTPServer):
    request_queue_size = 128
    told: Server

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing on standard error: clients of these tests go away."""


def says(status: int, body: bytes = b"{}", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return what answers every request in the same way."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in ({"Content_Length": str(len(body))} | headers).items():
            if value:
                handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    """Start a server that answers an empty object."""
    yield from served(Server(says(200)))


def served(told: Server, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve until the test is over."""
    http = _HttpServer(("127.0.0.1", 0), _Handler)
    http.told, told.port = told, http.server_address[1]
    if context:
        http.socket = context.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def transport(address: str, **limits: Any) -> HttpTransport:
    """Return a transport to an address."""
    return HttpTransport(parse_config(form(api_url=address)), **limits)


def sent(address: str | int, *requests: Request, **limits: Any) -> list[Answer]:
    """Send requests one after the other."""

    async def main(send: HttpTransport) -> list[Answer]:
        return [await send(request) for request in requests]

    where = address if isinstance(address, str) else f"http://127.0.0.1:{address}/api/v1"
    with closing(transport(where, **limits)) as send:
        return asyncio.run(main(send))


def failure(address: str | int, request: Request, **limits: Any) -> tuple[str, bool]:
    """Send a request that gets no answer; return the reason code and whether the request may have arrived."""
    with pytest.raises(Problem) as caught:
        sent(address, request, **limits)
    problem = caught.value
    assert problem.meaning is OWN_CODES[problem.reason]
    assert str(problem) == f"{problem.reason} ({request.path})"
    assert problem.__suppress_context__, "the library's text holds addresses"
    return problem.reason, problem.reached


def test_a_request_carries_the_keys_and_nothing_of_the_machine(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The body is sent as it is; keys are headers; a .netrc for the host adds no credentials."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password of-the-machine\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    sent(server.port, Request("/link/connect", PASSWORD, once=True), Request("/sustainability/get", b"{}"))
    for seen in server.seen:
        assert seen.headers["x-deck-client-id"] == "client-1"
        assert seen.headers["x-deck-secret"] == "secret-1"
        assert seen.headers["content-type"] == seen.headers["accept"] == "application/json"
        assert seen.headers["user-agent"] == f"source-linkless/{version('airbyte-source-linkless')}"
        assert not {"authorization", "cookie"} & set(seen.headers)
    first, second = server.seen
    assert (first.method, first.path, first.body) == ("POST", "/api/v1/link/connect", PASSWORD)
    assert (second.method, second.path, second.body) == ("POST", "/api/v1/sustainability/get", b"{}")


def test_a_cookie_of_one_answer_is_not_told_with_the_next_request(server: Server) -> None:
    """Requests of different logins share a connection and nothing else."""
    server.answer = says(200, Set_Cookie="session=of-one-login; Path=/")
    sent(server.port, Request("/connection/context", b"{}"), Request("/connection/context", b"{}"))
    assert ["cookie" in seen.headers for seen in server.seen] == [False, False]
    assert len({seen.port for seen in server.seen}) == 1


def test_a_request_without_a_body_is_a_get(server: Server) -> None:
    """The test of the keys is the only one."""
    sent(server.port, Request("/test/api_keys"))
    assert [(seen.method, seen.path) for seen in server.seen] == [("GET", "/api/v1/test/api_keys")]


def test_an_answer_is_status_headers_and_body(server: Server) -> None:
    """Whatever the status, it is an answer; names of headers are in lower case."""
    server.answer = says(503, b"<html>", Retry_After="7", X_Request_ID="r-1")
    (answer,) = sent(server.port, Request("/sustainability/get", b"{}"))
    assert (answer.status, answer.body) == (503, b"<html>")
    assert (answer.headers["retry-after"], answer.headers["x-request-id"]) == ("7", "r-1")


def test_an_answer_may_be_packed(server: Server) -> None:
    """Gzip is asked for, and an empty answer that says to be packed is empty."""
    server.answer = says(200, gzip.compress(b'{"status": "New"}'), Content_Encoding="gzip")
    (answer,) = sent(server.port, Request("/link/connection/status", b"{}"))
    assert answer.body == b'{"status": "New"}'
    assert server.seen[0].headers["accept-encoding"] == "gzip"
    server.answer = says(401, b"", Content_Encoding="gzip")
    assert sent(server.port, Request("/test/api_keys"))[0].status == 401


_HEX = b"".join(sha512(b"%d" % n).hexdigest().encode() for n in range(512))
"""64 KB in which gzip finds little that repeats."""
LARGE = b'{"filler": "%s"}' % (_HEX * (IN_MEMORY // len(_HEX)))


@pytest.mark.parametrize("packed", [False, True])
def test_a_large_answer_lies_in_a_file_without_a_name(server: Server, *, packed: bool) -> None:
    """More than 32 MB are mapped, not held in memory; nothing can be left behind, and the last user frees the space."""
    server.answer = says(200, gzip.compress(LARGE, 1), Content_Encoding="gzip") if packed else says(200, LARGE)
    (answer,) = sent(server.port, Request("/sustainability/get", b"{}", large=True))
    assert isinstance(answer.body, mmap.mmap)
    assert answer.body[:] == LARGE
    assert len(mapped_files()) == 1
    del answer
    assert mapped_files() == []


def mapped_files() -> list[str]:
    """Return the files without a name that this process has mapped."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return [line for line in maps if tempfile.gettempdir() in line and line.endswith("(deleted)")]


def in_chunks(body: bytes, size: int) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return what answers with a body of unannounced length, `size` bytes in a chunk."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])
    return says(200, framed, Content_Length="", Transfer_Encoding="chunked")


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, 3 * CHUNK + 1])
def test_a_body_is_whole_however_it_comes(server: Server, size: int) -> None:
    """Announced or not, packed or not, whatever its length: the same bytes arrive, over one connection."""
    body = (b"0123456789" * size)[:size]
    packed = gzip.compress(body, 1)
    answers = (
        says(200, body),
        in_chunks(body, 7_000 if size > 1 else 1),
        says(200, packed, Content_Encoding="gzip"),
        says(200, body, Content_Encoding="identity"),
    )
    remaining = iter(answers)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        next(remaining)(handler)

    server.answer = answer
    found = sent(server.port, *[Request("/sustainability/get", b"{}", large=True)] * len(answers))
    assert [one.body for one in found] == [body] * len(answers)
    assert len({seen.port for seen in server.seen}) == 1


def test_up_to_the_limit_an_answer_is_bytes(server: Server) -> None:
    """Usual documents need no disk."""
    server.answer = says(200, LARGE[:IN_MEMORY])
    request = Request("/sustainability/get", b"{}", large=True)
    (answer,) = sent(server.port, request, new_file=no_folder)
    assert answer.body == LARGE[:IN_MEMORY]


def no_folder() -> IO[bytes]:
    """Fail as where nothing can be written."""
    raise FileNotFoundError


def full_disk() -> IO[bytes]:
    """Return a file on a disk that is full: the device that always is."""
    return Path("/dev/full").open("r+b")


@pytest.mark.parametrize("new_file", [no_folder, full_disk])
@pytest.mark.parametrize("packed", [False, True])
def test_no_room_for_a_large_answer_has_a_word(server: Server, new_file: NewFile, *, packed: bool) -> None:
    """A full disk ends this exchange and nothing else, whether the size was announced or not."""
    server.answer = says(200, gzip.compress(LARGE, 1), Content_Encoding="gzip") if packed else says(200, LARGE)
    request = Request("/sustainability/get", b"{}", large=True)
    assert failure(server.port, request, new_file=new_file) == ("NO_TEMPORARY_SPACE", True)


@pytest.mark.parametrize("way", ["announced", "packed", "in chunks"])
def test_where_little_is_expected_much_is_refused(server: Server, way: str) -> None:
    """Sixteen megabytes for what usually has some hundred bytes: announced, unpacked from little, or unannounced."""
    packed = says(200, gzip.compress(LARGE, 1), Content_Encoding="gzip")
    server.answer = {"announced": says(200, LARGE), "packed": packed, "in chunks": in_chunks(LARGE, MB)}[way]
    assert failure(server.port, Request("/link/connect", PASSWORD, once=True)) == ("ANSWER_TOO_LARGE", True)
    assert len(server.seen) == 1


@pytest.mark.parametrize("large", [False, True])
def test_a_large_error_is_not_kept(server: Server, *, large: bool) -> None:
    """Its status says enough; a page of megabytes is neither looked through nor held."""
    server.answer = says(503, LARGE, Retry_After="7")
    (answer,) = sent(server.port, Request("/sustainability/get", b"{}", large=large), new_file=no_folder)
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (503, b"", "7")


@pytest.mark.parametrize("address", ["http://[", "http://\u00ff\u00fe", ""])
def test_an_address_of_a_redirect_is_not_even_read(server: Server, address: str) -> None:
    """Nonsense there is no failure, and a long page under a redirect does not come into memory."""
    server.answer = says(302, LARGE, Location=address)
    (answer,) = sent(server.port, Request("/link/connect", PASSWORD, once=True))
    assert (answer.status, answer.body) == (302, b"")


def test_a_proxy_that_is_not_there_lets_nothing_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """What did not get past the proxy was not submitted."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{unused.getsockname()[1]}")
        request = Request("/link/connect", PASSWORD, once=True)
        assert failure("https://nowhere.invalid/api", request) == ("UNREACHABLE", False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(server: Server, status: int) -> None:
    """The keys go nowhere but to the configured host."""
    server.answer = says(status, Location=f"http://127.0.0.1:{server.port}/elsewhere")
    (answer,) = sent(server.port, Request("/link/connect", PASSWORD, once=True))
    assert answer.status == status
    assert [seen.path for seen in server.seen] == ["/api/v1/link/connect"]


def test_a_submission_has_a_connection_of_its_own(server: Server) -> None:
    """Other requests share one; what must be sent once never meets one that was just being closed."""
    usual, once = Request("/connection/context", b"{}"), Request("/link/connect", PASSWORD, once=True)
    sent(server.port, usual, once, usual, once, usual)
    ports = [seen.port for seen in server.seen]
    assert ports[0] == ports[2] == ports[4]
    assert len(set(ports)) == 3


def test_the_beginning_of_a_document_is_told_before_the_rest_of_its_body_arrives(server: Server) -> None:
    """It holds a place from then on, so that large documents that arrive slowly are never more than the places."""
    has_begun = threading.Event()

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "16")
        handler.end_headers()
        handler.wfile.write(b'{"accounts": ')
        assert has_begun.wait(10)
        handler.wfile.write(b"[]}")

    async def main() -> bytes:
        with closing(transport(f"http://127.0.0.1:{server.port}/api/v1")) as send:
            return bytes(await Api(send, RateLimit(100)).document("a token", began=has_begun.set))

    server.answer = slowly
    assert asyncio.run(main()) == b'{"accounts": []}'


def test_many_requests_are_under_way_at_once(server: Server) -> None:
    """A slow answer does not hold the others up: as many as there are threads meet at the server."""
    together, empty = threading.Barrier(IO_THREADS), says(200)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        together.wait(10)
        empty(handler)

    server.answer = answer

    async def main(send: HttpTransport) -> list[Answer]:
        return await asyncio.gather(*(send(Request("/sustainability/get", b"{}")) for _ in range(IO_THREADS)))

    with closing(transport(f"http://127.0.0.1:{server.port}")) as send:
        answers = asyncio.run(main(send))
    assert [answer.status for answer in answers] == [200] * IO_THREADS


@pytest.mark.parametrize("once", [True, False])
def test_a_refused_connection_reached_nobody(once: bool) -> None:  # noqa: FBT001 - a case of the table
    """Where nothing listens, nothing was submitted."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        assert failure(port, Request("/link/connect", PASSWORD, once=once)) == ("UNREACHABLE", False)


def test_an_unknown_host_reached_nobody() -> None:
    """A name that does not exist is certain."""
    assert failure("https://nowhere.invalid/api", Request("/link/connect", PASSWORD)) == ("UNREACHABLE", False)


def test_no_answer_in_time_may_have_arrived(server: Server) -> None:
    """The request was sent; what became of it is unknown."""
    release = threading.Event()

    def keep_silent(_handler: BaseHTTPRequestHandler) -> None:
        release.wait(10)

    server.answer = keep_silent
    try:
        request = Request("/link/connect", PASSWORD, once=True)
        assert failure(server.port, request, ordinary=replace(ORDINARY, read=0.05)) == ("TIMEOUT", True)
    finally:
        release.set()
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "begun", [b"", b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"]
)
def test_a_drip_ends_although_every_byte_comes_in_time(server: Server, begun: bytes) -> None:
    """In the status line, in a header, in the body: the whole has a time, or a thread would be held for ever."""
    stop = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(begun)
        with suppress(OSError):
            while not stop.wait(0.005):
                handler.wfile.write(b"1")

    server.answer = drip
    try:
        request = Request("/link/connect", PASSWORD, once=True)
        assert failure(server.port, request, ordinary=replace(ORDINARY, total=0.1)) == ("TIMEOUT", True)
    finally:
        stop.set()


def test_a_slow_line_may_take_longer_for_more_bytes(server: Server) -> None:
    """What keeps to the slowest pace is let through long after the fixed time is over."""
    began = monotonic()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        says(200, b"", Content_Length="50")(handler)
        for _ in range(50):
            threading.Event().wait(0.004)
            handler.wfile.write(b"1")

    server.answer = answer
    slow = replace(DOCUMENT, total=0.05, slowest=100.0)
    (answered,) = sent(server.port, Request("/sustainability/get", b"{}", large=True), document=slow)
    assert answered.body == b"1" * 50
    assert monotonic() - began > 0.2


def test_the_bounds_fit_together() -> None:
    """Connect and exchange fit into their time; 200 MB may come at a modem's pace, and a drip ends in minutes."""
    assert 2 * (CONNECT_SECONDS + ORDINARY.seconds(received=2**14)) <= SUBMISSION_SECONDS
    assert 200 * MB / DOCUMENT.seconds(200 * MB) < 64 * 1024
    assert DOCUMENT.seconds(300) < 6 * 60


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without a message."""
    handler.close_connection = True


def stop_halfway(handler: BaseHTTPRequestHandler) -> None:
    """Promise more than is sent."""
    says(200, b'{"public_', Content_Length="1000")(handler)
    handler.close_connection = True


def stop_between_chunks(handler: BaseHTTPRequestHandler) -> None:
    """Send no last chunk."""
    says(200, b"5\r\n{}   \r\n", Content_Length="", Transfer_Encoding="chunked")(handler)
    handler.close_connection = True


def writes(data: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return a handler that writes these bytes and closes the connection."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)
        handler.close_connection = True

    return answer


GZIP_START = gzip.compress(b"{}")[:-4]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BROKEN: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {
    "closed behind the status line": writes(b"HTTP/1.1 200 OK\r\n"),
    "closed behind a header": writes(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"),
    "closed inside a header": writes(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "negative chunk": writes(CHUNKED + b"-10\r\n{}\r\n0\r\n\r\n"),
    "chunk of 5,000 digits": writes(CHUNKED + b"9" * 5_000 + b"\r\n{}\r\n0\r\n\r\n"),
    "chunk without a number": writes(CHUNKED + b"\r\n{}\r\n0\r\n\r\n"),
    "two lengths": writes(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} "),
    "no HTTP": writes(b"220 mail.example ESMTP\r\n"),
    "no lines": writes(b"\x00" * 70_000),
    "headers without end": writes(b"HTTP/1.1 200 OK\r\n" + b"no colon\r\n" * 200 + b"\r\n"),
    "hung up": hang_up,
    "half a body": stop_halfway,
    "no last chunk": stop_between_chunks,
    "not packed": says(200, b"no gzip", Content_Encoding="gzip"),
    "gzip without its end": says(200, gzip.compress(b"{}")[:-4], Content_Encoding="gzip"),
    "more behind gzip": says(200, gzip.compress(b"{}") + b"more", Content_Encoding="gzip"),
    "a second member without its end": says(200, gzip.compress(b"{}") * 2 + GZIP_START, Content_Encoding="gzip"),
    "not asked for": says(200, b"{}", Content_Encoding="br"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_may_have_arrived(server: Server, name: str) -> None:
    """A closed connection, half an answer, an unreadable one: the request was sent, and is not sent again."""
    server.answer = BROKEN[name]
    assert failure(server.port, Request("/link/connect", PASSWORD, once=True)) == ("CONNECTION_BROKEN", True)
    assert len(server.seen) == 1


ODD_LINES = {
    "without a colon": b"access_token access-sandbox-of-a-login",
    "only a name": b"X-Name",
    "only a colon": b":",
    "binary": b"\xff\xfe\x00",
    "a space before the colon": b"X-Name : value",
    "empty value": b"X-Empty:",
    "a cookie": b"Set-Cookie: \xff=\x00; expires=never; domain=::",
}


@pytest.mark.parametrize("line", ODD_LINES.values(), ids=ODD_LINES)
def test_an_odd_header_line_costs_nothing_and_is_not_logged(
    server: Server, line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The headers behind it count, the connection is used again, and no log tells what stood there."""
    log = StringIO()
    above = logging.getLogger("above")
    monkeypatch.setattr(above, "handlers", [logging.StreamHandler(log)])
    monkeypatch.setattr(logging.getLogger("urllib3"), "parent", above)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: 2\r\n\r\n{}" % line)

    server.answer = answer
    answers = sent(server.port, *[Request("/connection/context", b"{}")] * 2)
    assert [(one.status, one.body) for one in answers] == [(200, b"{}")] * 2
    assert len({seen.port for seen in server.seen}) == 1
    assert log.getvalue() == ""


@pytest.mark.parametrize("digits", [19, 400, 5_000])
def test_an_absurd_length_is_too_large(server: Server, digits: int) -> None:
    """It is refused before anything is read; of an error the status counts all the same."""
    server.answer = writes(b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n{}" % (b"9" * digits))
    assert failure(server.port, Request("/connection/context", b"{}")) == ("ANSWER_TOO_LARGE", True)
    server.answer = writes(b"HTTP/1.1 503 no\r\nContent-Length: %b\r\n\r\n{}" % (b"9" * digits))
    (answer,) = sent(server.port, Request("/connection/context", b"{}"))
    assert (answer.status, answer.body) == (503, b"")


@pytest.mark.parametrize("length", [b"-5", b"", b"two", b"\xb2", b"1.0"])
def test_a_length_that_makes_no_sense_is_unknown(server: Server, length: bytes) -> None:
    """The body then ends with the connection."""
    server.answer = writes(b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n{}" % length)
    (answer,) = sent(server.port, Request("/connection/context", b"{}"))
    assert answer.body == b"{}"


@pytest.mark.parametrize("end", [b"", b"\0" * 7])
def test_gzip_may_have_several_members(server: Server, end: bytes) -> None:
    """RFC 1952 allows it, and zero bytes behind the last."""
    packed = b"".join(gzip.compress(part) for part in (b'{"a":', b"", b"1" * 3 * CHUNK, b"}")) + end
    server.answer = says(200, packed, Content_Encoding="gzip")
    (answer,) = sent(server.port, Request("/sustainability/get", b"{}", large=True))
    assert answer.body == b'{"a":%b}' % (b"1" * 3 * CHUNK)


def test_a_body_that_was_packed_beyond_reason_is_refused(server: Server) -> None:
    """Up to 16 MB anything may be unpacked; above, 200 bytes for each byte that was received."""
    request = Request("/sustainability/get", b"{}", large=True)
    server.answer = says(200, gzip.compress(b" " * FREELY_UNPACKED), Content_Encoding="gzip")
    assert len(sent(server.port, request)[0].body) == FREELY_UNPACKED
    server.answer = says(200, gzip.compress(b" " * (FREELY_UNPACKED + CHUNK)), Content_Encoding="gzip")
    assert failure(server.port, request) == ("ANSWER_TOO_LARGE", True)
    assert DOCUMENT.most == 512 * MB


@pytest.mark.parametrize("place", [requests.Session, HTTPAdapter])
@pytest.mark.parametrize("once", [True, False])
def test_every_request_is_sent_by_requests(
    server: Server, place: type, *, once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `requests` does not send, nothing is sent."""

    def stop(*_arguments: object, **_named: object) -> None:
        raise AssertionError

    monkeypatch.setattr(place, "send", stop)
    assert failure(server.port, Request("/link/connect", PASSWORD, once=once)) == ("CONNECTION_BROKEN", True)
    assert server.seen == []


def test_where_no_thread_can_be_started_the_request_was_not_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of processes that is used up ends this request and nothing else."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main(send: HttpTransport) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(Problem) as caught:
                await send(Request("/link/connect", PASSWORD, once=True))
            assert (str(caught.value), caught.value.reached) == ("NO_THREADS (/link/connect)", False)
            assert caught.value.meaning is OWN_CODES["NO_THREADS"]

    with closing(transport(f"http://127.0.0.1:{server.port}")) as send:
        asyncio.run(main(send))
    assert server.seen == []


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1 that nobody has signed but itself, and what a server needs to show it."""

    path: Path
    context: ssl.SSLContext


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """Make a certificate."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    builder = x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = builder.add_extension(here, critical=False).sign(key, hashes.SHA256())
    path, key_path = tmp_path / "certificate.pem", tmp_path / "key.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form_of_key = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_path.write_bytes(key.private_bytes(*form_of_key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return Certificate(path, context)


@pytest.fixture
def tls(certificate: Certificate) -> Iterator[Server]:
    """Start a server that speaks TLS."""
    yield from served(Server(says(200)), certificate.context)


def test_a_certificate_that_is_not_trusted_gets_nothing(tls: Server) -> None:
    """Who cannot prove to be the provider sees neither keys nor password."""
    request = Request("/link/connect", PASSWORD, once=True)
    assert failure(f"https://127.0.0.1:{tls.port}", request) == ("TLS_FAILED", False)
    assert tls.seen == []


def test_tls_that_breaks_after_the_request_may_have_arrived(
    tls: Server, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every failure of TLS comes before the request: a submission that was read counts."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.path))

    def answer_in_clear(handler: BaseHTTPRequestHandler) -> None:
        with socket.socket(fileno=handler.connection.detach()) as bare:
            bare.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        handler.close_connection = True
        raise ConnectionAbortedError

    tls.answer = answer_in_clear
    request = Request("/link/connect", PASSWORD, once=True)
    assert failure(f"https://127.0.0.1:{tls.port}", request) == ("TLS_FAILED", True)
    assert [seen.body for seen in tls.seen] == [PASSWORD]


def test_nothing_secret_is_shown() -> None:
    """Neither a request nor an answer shows a body, however it is printed."""
    answer = Answer(200, {"content-type": "application/json"}, b'{"access_token": "secret"}')
    for value in (Request("/link/connect", PASSWORD), answer):
        assert "secret" not in f"{value}{value!r}"
