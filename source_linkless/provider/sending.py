"""How a request leaves: its head and its body in one write.

`http.client` writes one after the other. That is two packets and two records of TLS for a request of some hundred
bytes, and each write waits for its turn among the threads of the interpreter.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from urllib3.connection import HTTPConnection


class _InOnePiece(HTTPConnection):
    """A connection that keeps what it is given to send until a request is whole."""

    _kept: bytearray | None = None
    """What of a request is there; None between requests, when a tunnel is made and everything leaves at once."""

    def request(self, *arguments: Any, **named: Any) -> None:
        self._kept = bytearray()
        try:
            super().request(*arguments, **named)
            whole = bytes(self._kept)
        finally:
            self._kept = None
        self.send(whole)

    def send(self, data: Any) -> None:
        if self._kept is None:
            super().send(data)
        else:
            self._kept += data


@cache
def in_one_piece(kind: type[HTTPConnection]) -> type[HTTPConnection]:
    """Return a class of connections that are like those of `kind`, and send each request in one write.

    A body must be bytes.
    """
    return type(f"Whole{kind.__name__}", (_InOnePiece, kind), {})
