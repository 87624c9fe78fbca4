"""What can go wrong on the network: a table with one row per fault, which says what is on the wire.

    true answer of the backend ──► a row's `wire` ──► pieces that `server` plays

Where the request is not carried out, a stand-in takes the place of the true answer. Adding a fault is adding a row.
"""

import gzip
import itertools
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from linkless_simulator.answers import JSON, Answer, error_object, json_answer
from linkless_simulator.wire import End, Wire, chunk, head, with_body

PIECE = 2**16
STAND_IN = Answer(200, {"content-type": JSON}, json.dumps({"stand_in": "x" * 200}).encode())
_PAGE = b"<!doctype html><html><body><h1>Be right back</h1></body></html>"
_SECOND = b'HTTP/1.1 200 -\r\ncontent-length: 23\r\n\r\n{"status": "Connected"}'
_SENT, _SEVEN_LATER = "Sun, 22 Nov 2026 12:00:00 GMT", "Sun, 22 Nov 2026 12:00:07 GMT"


@dataclass(frozen=True)
class Setting:
    """What a fault may depend on: `size` of large bodies in bytes, `pause` of slow ones in seconds, another host."""

    size: int = 200 * 2**20
    pause: float = 1.0
    elsewhere: str = "http://127.0.0.1:9"


Make = Callable[[Answer, Setting], Wire]


@dataclass(frozen=True, slots=True)
class WireFault:
    """One fault. `kind` is its class; `needs_answer`: it changes a true answer, so the request is carried out."""

    kind: str
    about: str
    wire: Make
    needs_answer: bool = False


def _of_true(kind: str, about: str, wire: Make) -> WireFault:
    return WireFault(kind, about, wire, needs_answer=True)


def _cut(end: End) -> Make:
    return lambda answer, _setting: Wire((head(answer) + answer.body[: len(answer.body) // 2],), end)


def _drip(answer: Answer, setting: Setting) -> Wire:
    whole = head(answer) + answer.body
    return Wire((whole[n : n + 1] for n in range(len(whole))), pause=setting.pause)


def _slow_body(answer: Answer, setting: Setting) -> Wire:
    return Wire((head(answer), *(answer.body[n : n + 1] for n in range(len(answer.body)))), pause=setting.pause)


def _length(change: int) -> Make:
    def wire(answer: Answer, _setting: Setting) -> Wire:
        return Wire((head(answer, len(answer.body) + change) + answer.body,), End.CLOSED)

    return wire


def _followed_by(more: bytes) -> Make:
    return lambda answer, _setting: Wire((head(answer) + answer.body + more,))


def _chunks(*, last: bytes, first: bytes = b"") -> Make:
    def wire(answer: Answer, _setting: Setting) -> Wire:
        middle = len(answer.body) // 2
        parts = (first, chunk(answer.body[:middle]), chunk(answer.body[middle:]) if answer.body else b"", last)
        return Wire((head(answer, -1, transfer_encoding="chunked"), *parts), End.KEPT if last else End.CLOSED)

    return wire


def _status(status: int) -> Make:
    return lambda answer, _setting: with_body(replace(answer, status=status), answer.body)


def _odd_header(answer: Answer, _setting: Setting) -> Wire:
    line, rest = head(answer).split(b"\r\n", 1)
    return Wire((line + b"\r\naccess_token of-somebody\r\n" + rest + answer.body,))


def _members(answer: Answer, _setting: Setting) -> Wire:
    middle = len(answer.body) // 2
    packed = gzip.compress(answer.body[:middle]) + gzip.compress(answer.body[middle:])
    return with_body(answer, packed, content_encoding="gzip")


def _raw(data: bytes) -> Make:
    return lambda _answer, _setting: Wire((data,), End.CLOSED)


def _says(status: int, body: bytes = b"", **headers: str) -> Make:
    return lambda _answer, _setting: with_body(Answer(status), body, **headers)


def _code(status: int, code: str, *, more: str | None = None, **headers: str) -> Make:
    body = json_answer(error_object(code, more), status).body
    return _says(status, body, content_type=JSON, **headers)


def _redirect(status: int) -> Make:
    return lambda _answer, setting: with_body(Answer(status), b"", location=f"{setting.elsewhere}/api/v1/link/connect")


def _packed(change: Callable[[bytes], bytes]) -> Make:
    return lambda answer, _setting: with_body(answer, change(answer.body), content_encoding="gzip")


def _changed(change: Callable[[bytes], bytes]) -> Make:
    return lambda answer, _setting: with_body(answer, change(answer.body) if answer.body else b"")


def _member(text: str) -> Make:
    """Return what puts one more member in front of those of the true object."""
    return _changed(lambda body: b"{" + text.encode("utf-8", "surrogatepass") + b"," + body.lstrip()[1:])


def _doubled(body: bytes) -> bytes:
    """Name every member twice: the true one is the last."""
    value: Any = json.loads(body)
    twins = "".join(f"{json.dumps(name)}:null," for name in value)
    return ("{" + twins + json.dumps(value)[1:]).encode()


def _filler(size: int) -> Iterator[bytes]:
    yield b'{"filler":"'
    yield from (b"x" * PIECE for _ in range(size // PIECE))
    yield b'"}'


def _length_of_filler(size: int) -> int:
    return size // PIECE * PIECE + len(b'{"filler":""}')


def _large(status: int) -> Make:
    def wire(_answer: Answer, setting: Setting) -> Wire:
        top = head(Answer(status, {"content-type": JSON}), _length_of_filler(setting.size))
        return Wire(_after(top, _filler(setting.size)))

    return wire


def _bomb(_answer: Answer, setting: Setting) -> Wire:
    return _packed_pieces(_filler(setting.size))


def _packed_pieces(pieces: Iterator[bytes]) -> Wire:
    def packed() -> Iterator[bytes]:
        packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        yield from (chunk(piece) for piece in map(packer.compress, pieces) if piece)
        yield chunk(packer.flush()) + chunk(b"")

    top = head(Answer(200, {"content-type": JSON}), -1, content_encoding="gzip", transfer_encoding="chunked")
    return Wire(_after(top, packed()))


def _after(first: bytes, *rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from itertools.chain(*rest)


def _document(_answer: Answer, setting: Setting) -> Wire:
    pieces = (chunk(piece) for piece in _pieces_of_document(setting.size))
    top = head(Answer(200, {"content-type": JSON}), -1, transfer_encoding="chunked")
    return Wire(_after(top, pieces, (chunk(b""),)))


def _packed_document(_answer: Answer, setting: Setting) -> Wire:
    return _packed_pieces(_pieces_of_document(setting.size))


def _pieces_of_document(size: int) -> Iterator[bytes]:
    """Yield a document of one account with as many bills as `size` bytes hold."""
    bill = '{"statement_id":"%09d","billing_date":"2026-01-15","total_amount":1.5,"notes":"' + "n" * 900 + '"}'
    number = max(1, size // (len(bill) + 7))
    yield b'{"source_name":"Large","accounts":[{"account_number":"1","statements":['
    for first in range(0, number, 64):
        rows = ",".join(bill % n for n in range(first, min(first + 64, number)))
        yield ("," if first else "").encode() + rows.encode()
    yield b"]}]}"


WIRE_FAULTS: Mapping[str, WireFault] = {
    # the connection
    "reset": WireFault("broken", "Reset before a byte", lambda _answer, _setting: Wire(end=End.RESET)),
    "closed": WireFault("broken", "Closed before a byte", lambda _answer, _setting: Wire(end=End.CLOSED)),
    "reset_halfway": WireFault("broken", "Reset in the middle of the body", _cut(End.RESET)),
    "closed_halfway": WireFault("broken", "Closed in the middle of the body", _cut(End.CLOSED)),
    "not_http": WireFault("broken", "No HTTP at all", _raw(b"220 mail.example ESMTP\r\n")),
    "endless_header": WireFault("broken", "A header of 200 KB", _raw(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 200_000)),
    "many_headers": WireFault("broken", "200 headers", _raw(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n")),
    "closed_in_headers": WireFault(
        "broken", "Closed inside the headers", _raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
    ),
    "odd_header": _of_true("fine", "A header line without a colon", _odd_header),
    # time
    "silent": WireFault("slow", "Nothing for an hour", lambda _answer, _setting: Wire(end=End.CLOSED, delay=3600)),
    "drip": WireFault("slow", "A byte at a time, from the status line on", _drip),
    "slow_body": WireFault("slow", "The headers, then a byte at a time", _slow_body),
    # length
    "too_short": WireFault("broken", "A longer body is announced than is sent", _length(+10)),
    "too_long": WireFault("garbled", "A shorter body is announced than is sent", _length(-10)),
    "two_answers": _of_true("fine", "A second answer behind the true one", _followed_by(_SECOND)),
    "chunks": _of_true("fine", "Chunked, as it may be", _chunks(last=chunk(b""))),
    "chunks_cut": WireFault("broken", "Chunked, without the last chunk", _chunks(last=b"")),
    "chunks_odd": WireFault("broken", "Chunked, with a size that is no number", _chunks(last=b"zz\r\n")),
    "chunks_negative": WireFault("broken", "Chunked, with a size of -10", _chunks(first=b"-10\r\n", last=chunk(b""))),
    "length_absurd": WireFault(
        "bulky", "A length of 5,000 digits", _raw(b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5_000 + b"\r\n\r\n{}")
    ),
    # limits
    "limited": WireFault("limited", "429", _says(429)),
    "limited_coded": WireFault("limited", "429, RATE_LIMIT_EXCEEDED", _code(429, "RATE_LIMIT_EXCEEDED")),
    "limited_seconds": WireFault("limited", "429, Retry-After: 7", _says(429, retry_after="7")),
    "limited_date": WireFault(
        "limited", "429, Retry-After: seven seconds after its Date", _says(429, date=_SENT, retry_after=_SEVEN_LATER)
    ),
    "limited_past": WireFault(
        "limited", "429, Retry-After: a date that is over", _says(429, date=_SEVEN_LATER, retry_after=_SENT)
    ),
    "limited_nonsense": WireFault("limited", "429, Retry-After: soon", _says(429, retry_after="soon")),
    "limited_absurd": WireFault("limited_long", "429, Retry-After: 400 nines", _says(429, retry_after="9" * 400)),
    # statuses
    "http_500": WireFault("down", "500, empty", _says(500)),
    "http_502": WireFault("down", "502 with an HTML page", _says(502, _PAGE, content_type="text/html")),
    "http_503": WireFault("down", "503, Retry-After: 7", _says(503, retry_after="7")),
    "http_504": WireFault("down", "504, empty", _says(504)),
    "large_error": WireFault("down", "500 with a body of `size`", _large(500)),
    "http_401": WireFault("keys", "401, empty", _says(401)),
    # not what was asked for
    "page": WireFault("odd", "200 with an HTML page", _says(200, _PAGE, content_type="text/html")),
    "empty": WireFault("odd", "200, empty", _says(200)),
    "no_content": WireFault("odd", "204", _says(204)),
    "error_under_200": WireFault("down", "UNEXPECTED_ERROR under a 200", _code(200, "UNEXPECTED_ERROR")),
    "accepted": WireFault("odd", "202, empty", _says(202)),
    "http_201": _of_true("fine", "201 with the true answer", _status(201)),
    "http_202": _of_true("fine", "202 with the true answer", _status(202)),
    "code_large": WireFault(
        "down", "UNEXPECTED_ERROR under a 200, 20 KB", _code(200, "UNEXPECTED_ERROR", more="x" * 20_000)
    ),
    "code_spelt": WireFault("down", "The code `unexpected-error` under a 200", _code(200, "unexpected-error")),
    "code_number": WireFault("down", "The code 503 under a 200", _says(200, b'{"error_code": 503}', content_type=JSON)),
    "array": WireFault("odd", "An array in place of an object", _says(200, b"[]", content_type=JSON)),
    "encrypted": WireFault("odd", "Encrypted", _says(200, b"e30", content_type="application/json+encrypted")),
    "redirect_301": WireFault("odd", "301 to another host", _redirect(301)),
    "redirect_302": WireFault("odd", "302 to another host", _redirect(302)),
    "redirect_307": WireFault("odd", "307 to another host", _redirect(307)),
    "redirect_308": WireFault("odd", "308 to another host", _redirect(308)),
    # packing
    "gzip": _of_true("fine", "Packed, as it may be", _packed(gzip.compress)),
    "gzip_members": _of_true("fine", "Packed in two members", _members),
    "gzip_cut": WireFault("broken", "Packed, its end missing", _packed(lambda body: gzip.compress(body)[:-9])),
    "gzip_not": WireFault("broken", "Said to be packed, and is not", _packed(lambda body: body)),
    "bomb": WireFault("bulky", "A body of `size`, packed very small", _bomb),
    # content
    "wrong_type": _of_true(
        "fine", "text/html", lambda answer, _: with_body(answer, answer.body, content_type="text/html")
    ),
    "duplicate_keys": _of_true("fine", "Every member twice, the true one last", _changed(_doubled)),
    "u2028": _of_true("fine", "U+2028 and U+0085 in a text", _member('"x":"\u2028\u0085"')),
    "beyond_64_bits": _of_true("fine", "An integer of 30 digits", _member(f'"x":{"9" * 30}')),
    "nan": _of_true("garbled", "NaN", _member('"x":NaN')),
    "float_1e400": _of_true("garbled", "1e400", _member('"x":1e400')),
    "digits_400": _of_true("garbled", "An integer of 400 digits", _member(f'"x":{"9" * 400}')),
    "deep": _of_true("garbled", "100,000 levels", _member(f'"x":{"[" * 100_000}{"]" * 100_000}')),
    "invalid_utf8": _of_true("garbled", "Bytes that are no UTF-8", _changed(lambda body: b'{"x":"\xff",' + body[1:])),
    "half_a_character": _of_true("garbled", "Half a surrogate pair", _member('"x":"\ud800"')),
    "half_escaped": _of_true("garbled", "Half a surrogate pair, escaped", _member('"x":"\\ud800"')),
    "byte_order_mark": _of_true("garbled", "A byte order mark", _changed(lambda body: b"\xef\xbb\xbf" + body)),
    # size
    "bulk": WireFault("bulky", "A body of `size`", _large(200)),
    "document": WireFault("large", "A document of `size`, for the product", _document),
    "packed_document": WireFault("large", "The same, packed", _packed_document),
}
"""All faults by name."""
