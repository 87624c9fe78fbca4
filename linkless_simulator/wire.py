"""One answer as bytes on the wire: the pieces, the pauses before them, and the end of the connection.

These are values without sockets; `server` sends them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

from linkless_simulator.answers import Answer


class End(Enum):
    """What happens to the connection after the last piece."""

    KEPT = auto()
    CLOSED = auto()
    RESET = auto()


@dataclass(frozen=True, slots=True)
class Wire:
    """Pieces, made while they are sent; `delay` (seconds) is waited once, `pause` before each piece."""

    pieces: Iterable[bytes] = ()
    end: End = End.KEPT
    delay: float = 0.0
    pause: float = 0.0


def plain(answer: Answer) -> Wire:
    """Return an answer without any fault."""
    if answer.dropped:
        return Wire(end=End.CLOSED, delay=answer.delay)
    return Wire((head(answer) + answer.body,), delay=answer.delay)


def head(answer: Answer, length: int | None = None, **headers: str) -> bytes:
    """Return status line and headers; `length` in place of the true one, -1 for none. `_` in a name is a dash."""
    number = len(answer.body) if length is None else length
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    whole = answer.headers | named | ({} if number < 0 else {"content-length": str(number)})
    lines = [f"HTTP/1.1 {answer.status} -", *(f"{name}: {value}" for name, value in whole.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def with_body(answer: Answer, body: bytes, **headers: str) -> Wire:
    """Return an answer with another body; `headers` replace or add."""
    return Wire((head(replace(answer, body=body), None, **headers) + body,))


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body; an empty one is the last."""
    return b"%x\r\n%s\r\n" % (len(data), data)
