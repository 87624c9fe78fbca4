"""One HTTP exchange, with real sockets on this machine: what is sent, where it goes, and what a failure says."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from source_linkless.config import parse_config
from source_linkless.transport import IO_THREADS, Answer, HttpTransport, Request, Unreachable
from unit_tests.raw_forms import form

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
    told: Server

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing on standard error: clients of these tests go away."""


def says(status: int, body: bytes = b"{}", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return what answers every request in the same way."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in ({"Content_Length": str(len(body))} | headers).items():
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


def transport(address: str) -> HttpTransport:
    """Return a transport to an address."""
    return HttpTransport(parse_config(form(api_url=address)))


def sent(address: str | int, *requests: Request) -> list[Answer]:
    """Send requests one after the other."""

    async def main(send: HttpTransport) -> list[Answer]:
        return [await send(request) for request in requests]

    where = address if isinstance(address, str) else f"http://127.0.0.1:{address}/api/v1"
    return asyncio.run(main(transport(where)))


def failure(address: str | int, request: Request) -> tuple[str, bool]:
    """Send a request that gets no answer; return the word and whether it may have arrived."""
    with pytest.raises(Unreachable) as caught:
        sent(address, request)
    assert str(caught.value) == caught.value.word
    assert caught.value.__suppress_context__, "the library's text holds addresses"
    return caught.value.word, caught.value.reached


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


def test_many_requests_are_under_way_at_once(server: Server) -> None:
    """A slow answer does not hold the others up: as many as there are threads meet at the server."""
    together, empty = threading.Barrier(IO_THREADS), says(200)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        together.wait(10)
        empty(handler)

    server.answer = answer

    async def main(send: HttpTransport) -> list[Answer]:
        return await asyncio.gather(*(send(Request("/sustainability/get", b"{}")) for _ in range(IO_THREADS)))

    answers = asyncio.run(main(transport(f"http://127.0.0.1:{server.port}")))
    assert [answer.status for answer in answers] == [200] * IO_THREADS


@pytest.mark.parametrize("once", [True, False])
def test_a_refused_connection_reached_nobody(once: bool) -> None:  # noqa: FBT001 - a case of the table
    """Where nobody listens, nothing was submitted."""
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
        assert failure(server.port, Request("/link/connect", PASSWORD, 0.05, once=True)) == ("TIMEOUT", True)
    finally:
        release.set()
    assert len(server.seen) == 1


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def stop_halfway(handler: BaseHTTPRequestHandler) -> None:
    """Promise more than is sent."""
    says(200, b'{"public_', Content_Length="1000")(handler)
    handler.close_connection = True


@pytest.mark.parametrize("answer", [hang_up, stop_halfway, says(200, b"no gzip", Content_Encoding="gzip")])
def test_a_broken_answer_may_have_arrived(server: Server, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
    """A closed connection, half an answer, an unreadable one: the request was sent, and is not sent again."""
    server.answer = answer
    assert failure(server.port, Request("/link/connect", PASSWORD, once=True)) == ("CONNECTION_BROKEN", True)
    assert len(server.seen) == 1


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
    """Neither a request nor an answer nor a failure shows a body, however it is printed."""
    answer = Answer(200, {"content-type": "application/json"}, b'{"access_token": "secret"}')
    for value in (Request("/link/connect", PASSWORD), answer, Unreachable("TIMEOUT", reached=True)):
        assert "secret" not in f"{value}{value!r}"
