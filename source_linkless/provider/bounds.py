"""How long one exchange may take, and how much may come: a limit for its whole, at the level of the socket.

The time-outs of `requests` are about one pause each. A peer that sends a byte a second, in a header or in a body, never
trips them and would hold one of the few threads for ever. So every read from the socket asks a watch: a fixed
time, which grows with what has arrived, so that a large document on a slow line is let through and a drip is not.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from urllib3.connection import HTTPConnection

MB = 2**20


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one exchange, in seconds and bytes.

    `read` is the longest pause between two bytes. `total` is the longest time for the whole, and `slowest` (bytes per
    second, 0 for none) adds the time that what has arrived may take at that pace. `most` bytes may the body have.
    """

    read: float
    total: float
    slowest: float
    most: int

    def seconds(self, received: int) -> float:
        """Return how long the exchange may have taken when `received` bytes are there."""
        return self.total + (received / self.slowest if self.slowest else 0.0)


ORDINARY = Bounds(read=60.0, total=70.0, slowest=0.0, most=16 * MB)
"""Answers of some hundred bytes. A `connect` and its `exchange` fit into `linking.SUBMISSION_SECONDS`."""
DOCUMENT = Bounds(read=180.0, total=300.0, slowest=64 * 1024.0, most=2048 * MB)
"""The product prepares for minutes at most; then 200 MB may take an hour, and a drip ends after five minutes."""
LARGEST_ERROR = MB
"""Bytes of an error answer that are looked at; a larger one is a page, and its HTTP status says enough."""


class Watch:
    """The time and the bytes of one exchange."""

    def __init__(self, bounds: Bounds, clock: Callable[[], float] = time.monotonic) -> None:
        """Start now."""
        self._bounds, self._clock, self._began, self._received = bounds, clock, clock(), 0

    def pause(self) -> float:
        """Return the seconds that the next bytes may take; raises TimeoutError when the time is over."""
        left = self._began + self._bounds.seconds(self._received) - self._clock()
        if left <= 0:
            raise TimeoutError
        return min(self._bounds.read, left)

    def arrived(self, number: int) -> None:
        """Count bytes that have arrived."""
        self._received += number


WATCH: ContextVar[Watch] = ContextVar("watch")
"""The watch of the exchange that this thread is busy with."""


class _WatchedSocket(io.RawIOBase):
    """The reading end of a socket, under the watch of its thread."""

    def __init__(self, sock: socket.socket, bare: io.RawIOBase) -> None:
        self._sock, self._bare = sock, bare

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        watch = WATCH.get()
        pause = watch.pause()
        if pause != self._sock.gettimeout():  # as it seldom is: to set it is a call of the system
            self._sock.settimeout(pause)
        number = self._bare.readinto(buffer)
        watch.arrived(number or 0)
        return number

    def close(self) -> None:
        with suppress(OSError):
            self._bare.close()
        super().close()


class _WatchedResponse(http.client.HTTPResponse):
    """An answer whose every byte, from the status line on, comes through the watch."""

    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp = io.BufferedReader(_WatchedSocket(sock, self.fp.detach()))


@cache
def watched(kind: type[HTTPConnection]) -> type[HTTPConnection]:
    """Return a class of connections that are like those of `kind`, and keep to the watch."""
    if kind.response_class is _WatchedResponse:
        return kind
    return type(f"Watched{kind.__name__}", (kind,), {"response_class": _WatchedResponse})
