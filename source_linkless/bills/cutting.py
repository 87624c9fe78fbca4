"""JSON text cut into pieces that are not decoded.

    {"source_name": …, "accounts": [{"account_number": "1", "site": …, "statements": [{…}, {…}]}, …]}
     └── a field                     └── fields ─────────────────┘                └─┴─ items
     Cut ─────────────────────────── Cut ──────────────────────────────────────── Piece

Only brackets and strings are looked at, each byte once. So a value that is no JSON costs its own piece and not the
rest of the document, and memory follows the number of pieces, which is bounded by the size of the body. Small bodies
with the documented fields are cut by msgspec instead: looking at brackets would be a fifth of what a sync computes.
"""

import mmap
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from source_linkless.bills.content import TOO_DEEP, UnreadableError, has_unsendable, sendable
from source_linkless.bills.findings import Findings

Body = bytes | mmap.mmap
"""The bytes of an answer, in memory or in a file that is mapped."""
Piece = bytes | memoryview
"""The text of one JSON value; of a large body a view."""

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_BETWEEN = rb'[^"\[\]{}]*+'


def _container(levels: int) -> bytes:
    """Return the pattern of an array or object of at most so many levels; which bracket closes it does not matter."""
    inner = rb"|" + _container(levels - 1) if levels > 1 else b""
    return rb"[\[{]" + _BETWEEN + rb"(?:(?:" + _STRING + inner + rb")" + _BETWEEN + rb")*+[\]}]"


_SPACE = re.compile(rb"(?:\A\xef\xbb\xbf)?[ \t\r\n]*+")  # a byte order mark may stand before everything
_NAME = re.compile(rb"(" + _STRING + rb")[ \t\r\n]*+:[ \t\r\n]*+", re.DOTALL)
_VALUE = re.compile(_container(6) + rb"|" + _STRING + rb'|[^"\[\]{},\s]++', re.DOTALL)
_BRACKETS = re.compile(_BETWEEN + rb"(?:" + _STRING + _BETWEEN + rb")*+(([\[{])++|[\]}]++)", re.DOTALL)
_INVALID = "is not valid JSON"
_AT_ONCE = 2**22  # bytes of a body: msgspec makes an object of 60 bytes for each item, however small that is
_FEWEST_PIECES, _BYTES_A_PIECE = 50_000, 300
"""A document may have 50,000 pieces, and one more for every 300 bytes: a real bill takes 500 and more."""
_UNCOUNTED, _MOST_BYTES, _MOST_VALUES = 2**20, 2**24, 400_000
"""Of a piece that is decoded as a whole: the size up to which nothing is counted, the largest, and the most values.
A value of two bytes takes up to 90 bytes of memory."""


class _Account(msgspec.Struct, forbid_unknown_fields=True):  # the documented fields
    statements: list[msgspec.Raw]
    account_number: msgspec.Raw = msgspec.Raw()
    account_id: msgspec.Raw = msgspec.Raw()


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):  # the documented fields
    accounts: list[_Account]
    source_name: msgspec.Raw = msgspec.Raw()
    source_country: msgspec.Raw = msgspec.Raw()
    username: msgspec.Raw = msgspec.Raw()


_ENVELOPE = msgspec.json.Decoder(_Envelope)


@dataclass(frozen=True, slots=True)
class Cut:
    """An object out of which one array was cut.

    `fields` has every other member, `items` the objects of the array (None when there is no array) and `odd` its other
    items. A value in place of the array is a field. `unread` names fields that may hold the items in an unknown shape.
    """

    fields: Mapping[str, Piece] = field(default_factory=dict, repr=False)
    items: Sequence[Any] | None = field(default=None, repr=False)
    odd: Sequence[Piece] = field(default=(), repr=False)
    unread: Sequence[str] = ()


def cut(body: Body) -> Cut:
    """Cut a body into its accounts, which are Cuts, and their statements, which are Pieces.

    Another case of these two names stands for the name where that is missing.

    Raises:
        UnreadableError: the body is no JSON object that is whole, or has too many pieces.
    """
    return (len(body) <= _AT_ONCE and _cut_at_once(bytes(body))) or _Cutter(body).whole()


def _cut_at_once(body: bytes) -> Cut | None:
    """Cut a small body that has the documented fields and objects only, in a twentieth of the time."""
    try:
        envelope = _ENVELOPE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    accounts = [Cut(_fields_of(account), [*map(bytes, account.statements)]) for account in envelope.accounts]
    pieces = [piece for account in accounts for piece in account.items or ()]
    if len(pieces) + len(accounts) >= _FEWEST_PIECES or any(piece[:1] != b"{" for piece in pieces):
        return None
    return Cut(_fields_of(envelope), accounts)


def _fields_of(documented: _Envelope | _Account) -> dict[str, Piece]:
    values = msgspec.structs.asdict(documented)
    return {name: bytes(raw) for name, raw in values.items() if isinstance(raw, msgspec.Raw) and bytes(raw)}


def decoded(piece: Piece, findings: Findings) -> Any:
    """Decode a JSON text, with characters that no destination can hold replaced.

    Raises:
        UnreadableError: it is no JSON, holds a number that no double can hold, or is too large for a record.
    """
    text = bytes(piece[: _MOST_BYTES + 1])
    if len(text) > _UNCOUNTED and (len(text) > _MOST_BYTES or sum(map(text.count, b",[{")) > _MOST_VALUES):
        raise UnreadableError("is too large")
    if has_unsendable(text):
        text = _repaired(text, findings)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        is_too_deep = "depth" in str(error)
    if not is_too_deep and (repaired := _repaired(text, findings)) != text:
        return decoded(repaired, findings)
    raise UnreadableError(TOO_DEEP if is_too_deep else _INVALID)  # outside: errors hold texts


def _repaired(text: bytes, findings: Findings) -> bytes:
    repaired = sendable(text)
    findings.repaired += repaired != text
    return repaired


class _Cutter:
    """Goes through a body from the place `_at` on."""

    def __init__(self, body: Body) -> None:
        self._body, self._view, self._at = body, memoryview(body), 0
        self._pieces_left = _FEWEST_PIECES + len(body) // _BYTES_A_PIECE

    def whole(self) -> Cut:
        """Cut an object that must be the whole body."""
        if self._next_byte() != b"{":
            decoded(self._body[self._at : self._at + _UNCOUNTED], Findings())
            raise UnreadableError("is not a JSON object")
        found = self._object("accounts", "statements")
        if self._next_byte():
            raise UnreadableError(_INVALID)
        return found

    def _next_byte(self) -> bytes:
        """Go to the next byte that is no space; return it, or nothing at the end."""
        space = _SPACE.match(self._body, self._at)
        self._at = space.end() if space else self._at
        return self._body[self._at : self._at + 1]

    def _object(self, array: str, *inner: str) -> Cut:
        self._count()
        fields: dict[str, Piece] = {}
        starts: dict[str, int] = {}
        items: list[Any] | None = None
        odd: list[Piece] = []
        for _ in self._each(b"}"):
            name = self._name()
            if name == array and self._body[self._at : self._at + 1] == b"[":
                items, odd = self._array(*inner)
                fields.pop(name, None)
            else:
                starts[name] = self._at
                fields[name] = self._piece()
        other_cases = [name for name, piece in fields.items() if name.lower() == array and piece[:1] == b"["]
        if items is None and array not in fields and other_cases:
            end, self._at = self._at, starts[other_cases[0]]
            del fields[other_cases[0]]
            items, odd = self._array(*inner)
            self._at = end
        return Cut(fields, items, odd)

    def _array(self, *inner: str) -> tuple[list[Any], list[Piece]]:
        """Return the objects of an array, and its other items."""
        items: list[Any] = []
        odd: list[Piece] = []
        for first in self._each(b"]"):
            if first == b"{":
                items.append(self._object(*inner) if inner else self._piece())
            else:
                odd.append(self._piece())
        return items, odd

    def _each(self, closing: bytes) -> Iterator[bytes]:
        """Stop at each item or member, with its first byte, and end behind the bracket that closes them."""
        self._at += 1
        if self._next_byte() == closing:
            self._at += 1
            return
        mark = b","
        while mark == b",":
            yield self._next_byte()
            mark = self._next_byte()
            if mark not in (b",", closing):
                raise UnreadableError(_INVALID)
            self._at += 1

    def _name(self) -> str:
        match = _NAME.match(self._body, self._at)
        if match is None:
            raise UnreadableError(_INVALID)
        self._at = match.end()
        return str(decoded(match[1], Findings()))

    def _piece(self) -> Piece:
        """Pass over one value."""
        self._count()
        start = self._at
        if match := _VALUE.match(self._body, start):
            self._at = match.end()
        elif self._body[start : start + 1] in (b"[", b"{"):
            self._pass_over_deep_one()
        else:
            raise UnreadableError(_INVALID)
        return self._view[start : self._at]

    def _pass_over_deep_one(self) -> None:
        level, start = 0, self._at
        while level > 0 or self._at == start:
            run = _BRACKETS.match(self._body, self._at)
            if run is None:
                raise UnreadableError(_INVALID)
            self._at = run.end()
            level += self._at - run.start(1) if run[2] else run.start(1) - self._at
        self._at += level  # brackets that close what encloses it

    def _count(self) -> None:
        self._pieces_left -= 1
        if self._pieces_left < 0:
            raise UnreadableError("has too many accounts or bills for its size")
