"""The simulator behind a faulty network: each fault is on the wire as the table says, and only where it was armed."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests

from linkless_simulator.__main__ import main
from linkless_simulator.backend import Backend
from linkless_simulator.front import Front
from linkless_simulator.wire_faults import WIRE_FAULTS, Setting
from testing.simulator_talk import SMALL

TOKEN, PRODUCT = "/link/token/create", "/sustainability/get"
SIZE = 200_000


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    """Run a front with small bodies and short pauses."""
    with Front(setting=Setting(size=SIZE, pause=0.001)) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(front: Front) -> None:
    """Give every test a provider of its own and a whole wire."""
    front.disarm()
    front.backend = Backend(sizes=SMALL)
    front.elsewhere.seen.clear()


def asked(front: Front, path: str = TOKEN, body: object = None, **options: Any) -> requests.Response:
    """Ask once, on a connection of its own."""
    keys = {"x-deck-client-id": front.client_id, "x-deck-secret": front.secret}
    return requests.post(front.url + path, json=body or {}, headers=keys, timeout=10, **options)


def raw(front: Front) -> bytes:
    """Ask for a link token and return every byte that comes until the connection ends."""
    host, port = front.url.split("/")[2].split(":")
    body = b"{}"
    head = (
        f"POST /api/v1{TOKEN} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n"
        f"x-deck-client-id: {front.client_id}\r\nx-deck-secret: {front.secret}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(head.encode() + body)
        return b"".join(iter(lambda: line.recv(65_536), b""))


def test_a_whole_wire_is_the_simulator(front: Front) -> None:
    """Without a fault the answers are those of the backend."""
    assert asked(front).json()["link_token"].startswith("link-")


@pytest.mark.parametrize("processed", [False, True])
def test_a_fault_meets_the_requests_it_was_armed_for(front: Front, *, processed: bool) -> None:
    """So many requests to that path and no other; the provider does what was asked, or nothing."""
    front.arm("http_502", "/connection/refresh", times=2, processed=processed)
    token = front.backend.link("instant")
    statuses = [asked(front, "/connection/refresh", {"access_token": token}).status_code for _ in range(3)]
    assert statuses == [502, 502, 200]
    assert asked(front).status_code == 200
    assert front.backend.count("/connection/refresh") == 3
    assert front.backend.submissions("instant") == (3 if processed else 1)


def test_a_name_that_is_no_fault_is_refused(front: Front) -> None:
    """A slip in a test must not look like a fault that does nothing."""
    with pytest.raises(KeyError):
        front.arm("rset", TOKEN)


LENIENT = ("closed_in_headers", "chunks_negative")
"""What the standard library takes for an answer, or fails at in an unusual way."""
BROKEN = [
    name
    for name, fault in WIRE_FAULTS.items()
    if fault.kind == "broken" and not name.startswith("gzip") and name not in LENIENT
]


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_no_answer(front: Front, name: str) -> None:
    """An ordinary client gets an error, whichever way the connection or its framing breaks."""
    front.arm(name, TOKEN, processed=True)
    with pytest.raises(requests.RequestException):
        asked(front)


def test_a_reset_is_a_reset(front: Front) -> None:
    """Not the end of a stream: the client's system reports it."""
    front.arm("reset", TOKEN)
    with pytest.raises(ConnectionResetError):
        raw(front)


def test_a_closed_connection_is_an_end(front: Front) -> None:
    """Without a byte, and in the middle of a body that was announced longer."""
    front.arm("closed", TOKEN)
    assert raw(front) == b""
    front.arm("closed_halfway", TOKEN)
    head, _, body = raw(front).partition(b"\r\n\r\n")
    assert 0 < len(body) < int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])


@pytest.mark.parametrize(("name", "change"), [("too_short", +10), ("too_long", -10)])
def test_a_length_is_wrong_by_as_much_as_said(front: Front, name: str, change: int) -> None:
    """The body itself is whole."""
    front.arm(name, TOKEN, processed=True)
    head, _, body = raw(front).partition(b"\r\n\r\n")
    assert json.loads(body)["link_token"]
    assert f"content-length: {len(body) + change}".encode() in head


@pytest.mark.parametrize("name", ["drip", "slow_body"])
def test_a_slow_answer_is_whole_in_the_end(front: Front, name: str) -> None:
    """Nothing but time is wrong with it."""
    front.arm(name, TOKEN, processed=True)
    assert asked(front).json()["link_token"]


def test_silence_outlasts_a_client(front: Front) -> None:
    """And does not keep the simulator from stopping (the fixture does that)."""
    front.arm("silent", TOKEN)
    with closing(http.client.HTTPConnection(front.url.split("/")[2], timeout=0.05)) as connection:
        connection.request("POST", f"/api/v1{TOKEN}", b"{}")
        with pytest.raises(TimeoutError):
            connection.getresponse()


FINE = [name for name, fault in WIRE_FAULTS.items() if fault.kind == "fine" and name != "odd_header"]
"""Behind an odd header the standard library reads no other, not even the length."""


@pytest.mark.parametrize("name", FINE)
def test_what_is_fine_says_what_the_provider_says(front: Front, name: str) -> None:
    """Another form of the same answer; extra members stand beside the true ones."""
    front.arm(name, TOKEN)
    assert asked(front).json()["link_token"].startswith("link-")


GARBLED = ("nan", "float_1e400", "digits_400", "deep", "invalid_utf8", "half_a_character", "half_escaped")


@pytest.mark.parametrize("name", GARBLED)
def test_a_garbled_answer_holds_the_true_one(front: Front, name: str) -> None:
    """The damage stands in one member in front of the others."""
    front.arm(name, TOKEN)
    assert b'"link_token"' in asked(front).content


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_leads_to_a_host_that_listens(front: Front, status: int) -> None:
    """A client that follows it is seen there with everything it carries: silence of that host proves something."""
    front.arm(f"redirect_{status}", TOKEN)
    assert asked(front, allow_redirects=False).headers["location"].startswith(front.elsewhere.url)
    assert front.elsewhere.seen == []
    front.arm(f"redirect_{status}", TOKEN)
    assert asked(front).content == b"{}"
    (seen,) = front.elsewhere.seen
    assert front.secret in seen


@pytest.mark.parametrize(
    ("name", "status"),
    [("bulk", 200), ("large_error", 500), ("bomb", 200), ("document", 200), ("packed_document", 200)],
)
def test_a_large_body_has_about_the_size_that_was_set(front: Front, name: str, status: int) -> None:
    """It is valid JSON, made piece by piece while it is sent; a bomb is small on the wire."""
    front.arm(name, PRODUCT)
    answer = asked(front, PRODUCT, stream=True)
    packed = answer.raw.read(decode_content=False) if name != "document" else answer.content
    body = gzip.decompress(packed) if name in ("bomb", "packed_document") else packed
    assert answer.status_code == status
    assert json.loads(body)
    assert 0.6 * SIZE < len(body) <= 1.1 * SIZE
    assert name != "bomb" or len(packed) < SIZE / 100


def test_nobody_listens_until_the_line_is_mended(front: Front) -> None:
    """From the answer on that was named every connection is refused, and the port stays the same."""
    address = front.url
    front.refuse_after(TOKEN)
    assert asked(front).status_code == 200
    for _ in range(2):
        with pytest.raises(requests.ConnectionError, match="refused"):
            asked(front)
    front.disarm()
    assert front.url == address
    assert asked(front).status_code == 200


def test_a_front_that_was_never_started_can_be_mended() -> None:
    """Nothing to close, nothing to open."""
    front = Front()
    front.deafen()
    front.disarm()
    with pytest.raises(RuntimeError, match="not running"):
        _ = front.url


def test_the_faults_can_be_listed_and_are_known_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Every fault has a line of its own; a name or a path that makes no sense is refused."""
    assert main(["--faults"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(WIRE_FAULTS)
    for wrong in ("rset=/link/connect", "reset=connect", "reset"):
        with pytest.raises(SystemExit):
            main(["--fault", wrong])
