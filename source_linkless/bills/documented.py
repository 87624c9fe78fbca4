"""Bills that are what the provider documents, read into types instead of dicts: most bills are. Pure.

    JSON text ─┬► each field documented, each value of its type ─► DocumentedBill ─┬► says the same
               └► anything else ──────────────────────────────────► AnyBill ───────┘
                  but its arrays of documented lines still into types

Lines are most of what a sync sends. A typed object is decoded and written in half the time of a dict, and that it was
decoded says that it may be copied into rows as it is. The texts are those that the other way makes, hence the same
keys and hashes; what msgspec and orjson might write differently, numbers that no double holds exactly, is left to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any

import msgspec
import orjson
from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import astuple

from source_linkless.bills import columns
from source_linkless.bills.bill_content import LINE_ARRAYS, AnyBill, BillContent, Lines, any_bill, lines_of
from source_linkless.bills.columns import Columns
from source_linkless.bills.content import Fields, sha256_of
from source_linkless.bills.rows import Members
from source_linkless.bills.slices import Integer, Number, Slice

_TYPES: Mapping[columns.Reader, Any] = {
    columns.text: str,
    columns.number: Number,
    columns.integer: Integer,
    columns.day: date,
}
"""The values that each kind of column takes as they are."""


def _struct(name: str, types: Mapping[str, Any], missing: Any = UNSET, *, is_all: bool = True) -> Any:
    """Describe objects with these fields, written in the order of a canonical text, none as `missing`.

    Unless `is_all`, they may have other fields, which are passed over.
    """
    fields = [(field, types[field] | UnsetType, missing) for field in sorted(types)]
    return msgspec.defstruct(name, fields, forbid_unknown_fields=is_all, omit_defaults=True, gc=False)


def _line(name: str, kind: Columns) -> Any:
    """Describe lines without a currency of their own: no sample has one, and their row gets that of the bill."""
    types = {field: _TYPES[reader] for field, reader in kind.readers.items() if field != "currency_code"}
    return list[_struct(name, types)]  # type: ignore[misc]


_ARRAYS: Mapping[str, Any] = {
    "charges": _line("Charge", columns.CHARGE),
    "payments": _line("Payment", columns.PAYMENT),
    "corrections": Annotated[list[Any], msgspec.Meta(max_length=0)],  # of unknown shape
}
_FIELDS = {name: (_ARRAYS.get(name) or _TYPES[reader]) | None for name, reader in columns.STATEMENT.readers.items()}
_AMOUNTS = [name for name, reader in columns.STATEMENT.readers.items() if reader is columns.number]
_BILL = msgspec.json.Decoder(_struct("Bill", _FIELDS))
_ROW = _struct("Row", _FIELDS, missing=None)
"""The same fields, of which those without a value are not written."""
_ARRAYS_OF = msgspec.json.Decoder(_struct("Arrays", dict.fromkeys(LINE_ARRAYS, Raw), Raw(b"null"), is_all=False))
_LINES_OF = {name: msgspec.json.Decoder(_ARRAYS[name]) for name in LINE_ARRAYS}
_ODD = (msgspec.DecodeError, UnicodeDecodeError)
_NO_LINES = Lines(())
_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines


@dataclass(slots=True)
class DocumentedBill:
    """What a documented bill says. See `BillContent`."""

    _bill: Any = field(repr=False)
    """The typed object, without its lines."""
    lines: Mapping[str, Lines] = field(repr=False)
    content_hash: str

    @property
    def fields(self) -> Fields:
        """See `BillContent`."""
        fields: Fields = msgspec.to_builtins(self._bill)
        return fields

    def get(self, name: str) -> Any:
        """See `BillContent`."""
        value = getattr(self._bill, name)
        return None if value is UNSET else value.isoformat() if type(value) is date else value

    def row(self, number: str) -> Members:
        """See `BillContent`."""
        if self.get("account_number") not in (None, number):
            return AnyBill(self.fields, self.lines, self.content_hash).row(number)
        row = _ROW(*astuple(self._bill))
        row.account_number = UNSET
        if "corrections" in self.lines:
            row.corrections = []
        return _encode(row)[1:-1]

    def text(self) -> bytes:
        """See `BillContent`."""
        return _written(copy(self._bill), {name: lines.array() for name, lines in self.lines.items()})


def bill_content(text: bytes | Slice) -> BillContent:
    """Read the JSON text of one bill, an object.

    Raises:
        orjson.JSONDecodeError: the text is no JSON that could be read.
        TooDeepError: it is nested deeper than a record can be.
    """
    try:
        bill = _BILL.decode(text)
    except _ODD:
        return any_bill(bytes(text), _documented_arrays(text))
    lines = {name: _lines(found) for name in LINE_ARRAYS if type(found := getattr(bill, name)) is list}
    _make_numbers_plain(bill, _AMOUNTS)
    written = _written(bill, {name: found.unordered() for name, found in lines.items()})
    for name in lines:
        setattr(bill, name, UNSET)
    return DocumentedBill(bill, lines, sha256_of(written))


def _documented_arrays(text: bytes | Slice) -> Mapping[str, Lines]:
    """Return the lines of each array that holds documented ones alone, of a bill that is odd elsewhere."""
    try:
        arrays = _ARRAYS_OF.decode(text)
    except _ODD:
        return {}
    found = {}
    for name, decoder in _LINES_OF.items():
        with suppress(*_ODD):
            found[name] = _lines(decoder.decode(getattr(arrays, name)))
    return found


def _written(bill: Any, arrays: Mapping[str, bytes]) -> bytes:
    """Write a bill with these texts for its arrays."""
    for name, text in arrays.items():
        setattr(bill, name, Raw(text))
    return _encode(bill)


def _lines(lines: list[Any]) -> Lines:
    if not lines:
        return _NO_LINES
    for line in lines:  # as `_make_numbers_plain`, but by name: this runs once for every line of a sync
        amount = line.amount
        if type(amount) is float and amount.is_integer():
            line.amount = int(amount)
    texts = _encode_lines(lines)[1:-2].split(b"}\n{")  # no text of JSON holds the end of a line
    if not all(texts):  # nothing of a line without any field can be copied
        return lines_of(orjson.loads(_encode(lines)))
    return Lines(texts, documented=lines)


def _make_numbers_plain(bill: Any, amounts: list[str]) -> None:
    for name in amounts:
        amount = getattr(bill, name)
        if type(amount) is float and amount.is_integer():
            setattr(bill, name, int(amount))
