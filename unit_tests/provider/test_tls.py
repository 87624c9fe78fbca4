"""Who gets the keys: the configured host alone, in clear on this machine only, else once it has proven itself."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from source_linkless.provider.transport import Request
from unit_tests.provider.test_transport import PASSWORD, Server, failure, says, sent, served

SUBMISSION = Request("/link/connect", PASSWORD, once=True)
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("elsewhere.example")
SIGNS = x509.KeyUsage(
    **dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"), False),
    **dict.fromkeys(("key_agreement", "encipher_only", "decipher_only"), False),
    **dict.fromkeys(("key_cert_sign", "crl_sign"), True),
)
"""What an authority does; from Python 3.13 on, one that does not say so is not trusted."""
SWITCHES = ("PYTHONHTTPSVERIFY", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
"""Variables that turn verification off elsewhere: `0`, or empty."""


@dataclass(frozen=True)
class Authority:
    """A certificate authority of one's own; `path` is its certificate, as a company hands it out."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def path(self) -> Path:
        """Where the certificate lies."""
        return self.folder / "authority.pem"

    def context(self, host: x509.GeneralName = HERE, ends: datetime = NOW + DAY) -> ssl.SSLContext:
        """Return what a server needs that shows a certificate of this authority for a host, valid until `ends`."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = unsigned("server", "authority", key, ends).add_extension(
            x509.SubjectAlternativeName([host]), critical=False
        )
        signed = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        ).sign(self.key, hashes.SHA256())
        path = self.folder / "server.pem"
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*form))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def unsigned(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, ends: datetime = NOW + DAY
) -> x509.CertificateBuilder:
    """Return a certificate that nobody has signed yet."""
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, issuer)]
    builder = x509.CertificateBuilder(subject_name=names[0], issuer_name=names[1], public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(NOW - 9 * DAY).not_valid_after(ends)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Found an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = unsigned("authority", "authority", key).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    builder = builder.add_extension(SIGNS, critical=True)
    made = Authority(tmp_path_factory.mktemp("authority"), key, builder.sign(key, hashes.SHA256()))
    made.path.write_bytes(made.certificate.public_bytes(serialization.Encoding.PEM))
    return made


serving = contextmanager(served)


@contextmanager
def environment(**variables: str) -> Iterator[pytest.MonkeyPatch]:
    """Set variables as a machine has them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield patch


def test_a_private_authority_is_trusted_by_the_standard_variable(authority: Authority) -> None:
    """A company's own certificates need no option: REQUESTS_CA_BUNDLE names the file."""
    with serving(Server(says(200)), authority.context()) as server, environment(REQUESTS_CA_BUNDLE=str(authority.path)):
        (answer,) = sent(f"https://127.0.0.1:{server.port}", SUBMISSION)
    assert (answer.status, [seen.body for seen in server.seen]) == (200, [PASSWORD])


REFUSED: Mapping[str, tuple[bool, x509.GeneralName, datetime]] = {
    "unknown authority": (False, HERE, NOW + DAY),
    "another host's name": (True, ELSEWHERE, NOW + DAY),
    "expired": (True, HERE, NOW - DAY),
}
"""Whether the authority is known, for whom the certificate is, and until when."""


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("once", [True, False])
def test_a_host_that_cannot_prove_itself_gets_nothing(authority: Authority, case: str, *, once: bool) -> None:
    """The failure has one reason code, is known to have reached no host, and not a byte of the request was sent."""
    is_known, host, ends = REFUSED[case]
    bundle = {"REQUESTS_CA_BUNDLE": str(authority.path)} if is_known else {}
    with serving(Server(says(200)), authority.context(host, ends)) as server, environment(**bundle):
        request = Request("/link/connect", PASSWORD, once=once)
        assert failure(f"https://127.0.0.1:{server.port}", request) == ("TLS_FAILED", False)
    assert server.seen == []


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_are_not_there_are_named_before_anything_is_sent(name: str, tmp_path: Path) -> None:
    """A wrong path in the environment is a mistake of the configuration, with one sentence."""
    missing = str(tmp_path / "missing.pem")
    with environment(**{name: missing}), pytest.raises(AirbyteTracedException) as refused:
        sent("https://127.0.0.1:9", SUBMISSION)
    assert refused.value.message == f"The environment variable {name} names a file that does not exist: {missing}."


@pytest.mark.parametrize("value", ["", "0"])
def test_no_variable_turns_the_verification_off(authority: Authority, value: str) -> None:
    """What switches it off elsewhere does not here."""
    names = {name: value for name in SWITCHES if value == "" or "BUNDLE" not in name}
    with serving(Server(says(200)), authority.context()) as server, environment(**names):
        assert failure(f"https://127.0.0.1:{server.port}", SUBMISSION) == ("TLS_FAILED", False)
    assert server.seen == []


def test_a_redirect_carries_no_keys_to_another_host() -> None:
    """The other host gets no request, whatever the status and whether a body would be sent again."""
    with serving(Server(says(200))) as other, serving(Server(says(200))) as server:
        for status in (301, 302, 303, 307, 308):
            server.answer = says(status, Location=f"http://127.0.0.1:{other.port}/elsewhere")
            sent(server.port, SUBMISSION, Request("/test/api_keys"))
    assert (len(server.seen), other.seen) == (10, [])


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_never_sees_what_is_sent_in_clear(name: str) -> None:
    """Plain http stays on this machine, also where the environment names a proxy for everything."""
    with serving(Server(says(200))) as proxy, serving(Server(says(200))) as server:
        with environment(NO_PROXY="", no_proxy="", **{name: f"http://127.0.0.1:{proxy.port}"}):
            sent(server.port, SUBMISSION, Request("/test/api_keys"))
        assert (len(server.seen), proxy.seen) == (2, [])


def test_a_host_that_the_environment_excepts_is_reached_without_its_proxy(authority: Authority) -> None:
    """NO_PROXY holds: the proxy, which is not there, is only missed by the others."""
    with serving(Server(says(200)), authority.context()) as server, closed_port() as port:
        variables = {"REQUESTS_CA_BUNDLE": str(authority.path), "HTTPS_PROXY": f"http://127.0.0.1:{port}"}
        with environment(**variables, NO_PROXY="127.0.0.1", no_proxy="127.0.0.1"):
            (answer,) = sent(f"https://127.0.0.1:{server.port}", SUBMISSION)
        with environment(**variables, NO_PROXY="elsewhere.example", no_proxy="elsewhere.example"):
            assert failure(f"https://127.0.0.1:{server.port}", SUBMISSION) == ("UNREACHABLE", False)
    assert (answer.status, len(server.seen)) == (200, 1)


@contextmanager
def closed_port() -> Iterator[int]:
    """Keep a port at which nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


def test_a_proxy_is_only_asked_for_a_tunnel() -> None:
    """Under https it gets the name of the host, and nothing of the request."""
    heard = b""

    def listen(door: socket.socket) -> None:
        nonlocal heard
        connection, _ = door.accept()
        with connection:
            heard = connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 502 no\r\ncontent-length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as door, environment(NO_PROXY="", no_proxy="") as patch:
        patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{door.getsockname()[1]}")
        proxy = threading.Thread(target=listen, args=(door,))
        proxy.start()
        failure("https://provider.invalid/api/v1", SUBMISSION)
        proxy.join()
    assert heard.startswith(b"CONNECT provider.invalid:443 HTTP/1.")
    assert b"x-deck" not in heard.lower()
    assert b"password" not in heard


def test_through_the_tunnel_of_a_proxy_the_host_gets_everything_and_the_proxy_nothing(authority: Authority) -> None:
    """One tunnel serves requests that share a connection; what the proxy wants for itself does not go further."""
    carried: list[bytes] = []
    with (
        serving(Server(says(200)), authority.context()) as server,
        socket.create_server(("127.0.0.1", 0)) as door,
        environment(NO_PROXY="", no_proxy="", REQUESTS_CA_BUNDLE=str(authority.path)) as patch,
    ):
        patch.setenv("HTTPS_PROXY", f"http://somebody:of-the-proxy@127.0.0.1:{door.getsockname()[1]}")
        proxy = threading.Thread(target=tunnel, args=(door, server.port, carried))
        proxy.start()
        answers = sent(f"https://127.0.0.1:{server.port}/api/v1", *[Request("/sustainability/get", PASSWORD)] * 2)
        proxy.join()
    assert [answer.body for answer in answers] == [b"{}"] * 2
    assert [(seen.path, seen.body) for seen in server.seen] == [("/api/v1/sustainability/get", PASSWORD)] * 2
    assert not any("proxy-authorization" in seen.headers for seen in server.seen)
    assert b"Proxy-Authorization: Basic " in carried[0]
    assert PASSWORD not in b"".join(carried)


def tunnel(door: socket.socket, port: int, carried: list[bytes]) -> None:
    """Be a proxy for one tunnel, and keep what it carries."""
    here, _ = door.accept()
    with here, socket.create_connection(("127.0.0.1", port)) as there:
        carried.append(here.recv(1 << 16))
        here.sendall(b"HTTP/1.1 200 go on\r\n\r\n")
        back = threading.Thread(target=carry, args=(there, here, carried))
        back.start()
        carry(here, there, carried)
        back.join()


def carry(source: socket.socket, sink: socket.socket, carried: list[bytes]) -> None:
    """Pass on what comes until nothing does."""
    with suppress(OSError):  # one of the two has closed without a farewell
        while piece := source.recv(1 << 16):
            carried.append(piece)
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
