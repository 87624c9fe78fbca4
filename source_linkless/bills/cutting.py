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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from source_linkless.bills.content import has_unsendable, sendable
from source_linkless.bills.findings import Findings

Body = bytes | mmap.mmap
"""The bytes of an answer, in memory or in a file that is mapped."""

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_BETWEEN = rb'[^"\[\]{}]*+'


def _container(levels: int) -> bytes:
    """Return the pattern of an array or object of at most so many levels; which bracket closes it does not matter."""
    inner = rb"|" + _container(levels - 1) if levels > 1 else b""
    return rb"[\[{]" + _BETWEEN + rb"(?:(?:" + _STRING + inner + rb")" + _BETWEEN + rb")*+[\]}]"


_SPACE = re.compile(rb"[ \t\r\n]*+")
_NAME = re.compile(rb"(" + _STRING + rb")[ \t\r\n]*+:[ \t\r\n]*+", re.DOTALL)
_VALUE = re.compile(_container(6) + rb"|" + _STRING + rb'|[^"\[\]{},\s]++', re.DOTALL)
_BRACKETS = re.compile(_BETWEEN + rb"(?:" + _STRING + _BETWEEN + rb")*+(([\[{])++|[\]}]++)", re.DOTALL)
_INVALID = "is not valid JSON"
_AT_ONCE = 2**22
"""Bytes of a body that is cut at once: msgspec makes an object of 60 bytes for each item, however small that is."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_FEWEST_PIECES, _BYTES_A_PIECE = 50_000, 300
"""A document may have 50,000 pieces, and one more for every 300 bytes: a real bill takes 500 and more."""
_UNCOUNTED, _MOST_BYTES, _MOST_VALUES = 2**20, 2**24, 400_000
"""Of a piece that is decoded as a whole: the size up to which nothing is counted, the largest, and the most values.
A value of two bytes takes up to 90 bytes of memory."""


class UnreadableError(ValueError):
    """A text is no JSON that could be read; never quotes the text."""


class _Account(msgspec.Struct, forbid_unknown_fields=True):
    """An account that has the documented fields only."""

    statements: list[msgspec.Raw]
    account_number: msgspec.Raw = msgspec.Raw()
    account_id: msgspec.Raw = msgspec.Raw()


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """A document that has the documented fields only."""

    accounts: list[_Account]
    source_name: msgspec.Raw = msgspec.Raw()
    source_country: msgspec.Raw = msgspec.Raw()
    username: msgspec.Raw = msgspec.Raw()


_ENVELOPE = msgspec.json.Decoder(_Envelope)


@dataclass(slots=True)  # not frozen: a frozen one takes three times as long to make, and every bill is one
class Piece:
    """One JSON value in the bytes of a body."""

    body: Body = field(repr=False)
    start: int
    end: int

    def __len__(self) -> int:
        """Return its length in bytes."""
        return self.end - self.start

    @property
    def kind(self) -> bytes:
        """Return its first byte: `{` of an object, `[` of an array, `"` of a string."""
        return self.body[self.start : self.start + 1]

    @property
    def is_null(self) -> bool:
        """Whether it says nothing."""
        return self.body[self.start : self.end] == b"null"

    def text(self) -> bytes:
        """Copy its bytes."""
        return self.body[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Cut:
    """An object out of which one array was cut.

    `fields` has every other member, `items` the objects of the array (None when there is no array) and `odd` its other
    items. A value in place of the array is a field.
    """

    fields: Mapping[str, Piece] = field(default_factory=dict, repr=False)
    items: Sequence[Any] | None = field(default=None, repr=False)
    odd: Sequence[Piece] = field(default=(), repr=False)


def cut(body: Body, *arrays: str) -> Cut:
    """Cut a body: the objects of the array called `arrays[0]`, out of each of these those of `arrays[1]`, and so on.

    The items of the last one are Pieces, those of the others Cuts. Another case of a name stands for the name where
    that is missing.

    Raises:
        UnreadableError: the body is no JSON object that is whole, or has too many pieces.
    """
    if len(body) <= _AT_ONCE and arrays == ("accounts", "statements") and (found := _cut_at_once(bytes(body))):
        return found
    mark = len(_BYTE_ORDER_MARK)
    cutter = _Cutter(body, mark if body[:mark] == _BYTE_ORDER_MARK else 0)
    found = cutter.whole_object(arrays)
    if cutter.next_byte():
        raise UnreadableError(_INVALID)
    return found


def _cut_at_once(body: bytes) -> Cut | None:
    """Cut a small body that has the documented fields only, in a twentieth of the time; None for any other."""
    try:
        envelope = _ENVELOPE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if sum(len(account.statements) for account in envelope.accounts) + len(envelope.accounts) >= _FEWEST_PIECES:
        return None
    accounts = []
    for account in envelope.accounts:
        pieces = [_piece_of(raw) for raw in account.statements]
        odd = [piece for piece in pieces if piece.kind != b"{"]
        items = [piece for piece in pieces if piece.kind == b"{"] if odd else pieces
        accounts.append(Cut(_fields_of(account), items, odd))
    return Cut(_fields_of(envelope), accounts)


def _fields_of(documented: _Envelope | _Account) -> dict[str, Piece]:
    values = msgspec.structs.asdict(documented)
    return {name: _piece_of(raw) for name, raw in values.items() if isinstance(raw, msgspec.Raw) and bytes(raw)}


def _piece_of(raw: msgspec.Raw) -> Piece:
    text = bytes(raw)
    return Piece(text, 0, len(text))


def decoded(text: bytes, findings: Findings) -> Any:
    """Decode a JSON text, with characters that no destination can hold replaced.

    Raises:
        UnreadableError: it is no JSON, holds a number that no double can hold, or is too large for a record.
    """
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
    raise UnreadableError("is nested too deeply" if is_too_deep else _INVALID)  # outside: errors hold texts


def _repaired(text: bytes, findings: Findings) -> bytes:
    repaired = sendable(text)
    findings.repaired += repaired != text
    return repaired


class _Cutter:
    """Goes through a body from the place `_at` on."""

    def __init__(self, body: Body, start: int) -> None:
        self._body, self._at = body, start
        self._pieces_left = _FEWEST_PIECES + len(body) // _BYTES_A_PIECE

    def next_byte(self) -> bytes:
        """Go to the next byte that is no space; return it, or nothing at the end."""
        space = _SPACE.match(self._body, self._at)
        self._at = space.end() if space else self._at
        return self._body[self._at : self._at + 1]

    def whole_object(self, arrays: tuple[str, ...]) -> Cut:
        """Cut an object that must be the whole body."""
        if self.next_byte() == b"{":
            return self._object(arrays)
        decoded(self._body[self._at : self._at + _UNCOUNTED], Findings())
        raise UnreadableError("is not a JSON object")

    def _object(self, arrays: tuple[str, ...]) -> Cut:
        array, *inner = arrays
        fields: dict[str, Piece] = {}
        items: list[Any] | None = None
        odd: list[Piece] = []
        self._at += 1
        while self._has_more(b"}"):
            name = self._name()
            if name == array and self._body[self._at : self._at + 1] == b"[":
                items, odd = self._array(inner)
                fields.pop(name, None)
            else:
                fields[name] = self._piece()
        if items is None and array not in fields:
            for name in [name for name, piece in fields.items() if name.lower() == array and piece.kind == b"["][:1]:
                end, self._at = self._at, fields.pop(name).start
                items, odd = self._array(inner)
                self._at = end
        return Cut(fields, items, odd)

    def _array(self, inner: list[str]) -> tuple[list[Any], list[Piece]]:
        """Return the objects of an array, and its other items."""
        items: list[Any] = []
        odd: list[Piece] = []
        self._at += 1
        while self._has_more(b"]"):
            is_object = self._body[self._at : self._at + 1] == b"{"
            if is_object and inner:
                self._count()
                items.append(self._object(tuple(inner)))
            else:
                (items if is_object else odd).append(self._piece())
        return items, odd

    def _has_more(self, closing: bytes) -> bool:
        """Go to the next item or member; return False behind the bracket that closes them."""
        is_first = self._body[self._at - 1 : self._at] in (b"[", b"{")
        mark = self.next_byte()
        if not (is_first or mark in (b",", closing)):
            raise UnreadableError(_INVALID)
        if mark == closing or not is_first:
            self._at += 1
        self.next_byte()
        return mark != closing

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
        match = _VALUE.match(self._body, start)
        if match is not None:
            self._at = match.end()
        elif self._body[start : start + 1] in (b"[", b"{"):
            self._pass_over_deep_one()
        else:
            raise UnreadableError(_INVALID)
        return Piece(self._body, start, self._at)

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
