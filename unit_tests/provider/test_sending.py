"""A request leaves in one write, on a connection of any kind."""

from __future__ import annotations

from typing import Any

import pytest
from urllib3.connection import HTTPConnection, HTTPSConnection

from source_linkless.provider.bounds import watched
from source_linkless.provider.sending import in_one_piece


class Socket:
    """Keeps what is sent, write by write."""

    def __init__(self) -> None:
        """Start with nothing sent."""
        self.writes: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        """Take what one write sends."""
        if data.endswith(b"broken"):
            raise BrokenPipeError
        self.writes.append(bytes(data))

    def settimeout(self, seconds: object) -> None:
        """Wait for nothing."""

    def close(self) -> None:
        """Have nothing open."""


def connection(kind: Any = HTTPConnection) -> tuple[HTTPConnection, Socket]:
    """Return a connection that is connected already, and its socket."""
    made, sock = in_one_piece(kind)("provider.test"), Socket()
    held: Any = sock
    made.sock = held
    return made, sock


@pytest.mark.parametrize("kind", [HTTPConnection, HTTPSConnection, watched(HTTPConnection)])
@pytest.mark.parametrize(("method", "body"), [("POST", b'{"a": 1}'), ("GET", None)])
def test_a_request_is_one_write(kind: type[HTTPConnection], method: str, body: bytes | None) -> None:
    """Its head and its body leave together, whatever the connection is otherwise."""
    line, sock = connection(kind)
    line.request(method, "/path", body, {"X-Key": "k"})
    [write] = sock.writes
    assert write.startswith(b"%b /path HTTP/1.1\r\n" % method.encode())
    assert b"X-Key: k\r\n" in write
    assert write.endswith(b"\r\n\r\n%b" % (body or b""))


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [(b"broken", {}, BrokenPipeError), (b"whole", {"X-Key": "two\nlines"}, ValueError)],
    ids=["not written", "not made"],
)
def test_of_a_request_that_failed_nothing_is_kept(body: bytes, headers: dict[str, str], error: type[Exception]) -> None:
    """What is sent next is sent at once, and alone: a tunnel is made outside of any request."""
    line, sock = connection()
    with pytest.raises(error):
        line.request("POST", "/path", body, headers)
    line.send(b"CONNECT provider.test:443 HTTP/1.0\r\n\r\n")
    assert sock.writes == [b"CONNECT provider.test:443 HTTP/1.0\r\n\r\n"]
