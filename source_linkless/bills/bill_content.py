"""What one bill says, and the hash that stands for it. Pure.

    fields that hold a value ─► its row in `statements`
    charges, payments, corrections ─► `Lines`: rows of their own, and texts of which their keys are made

Nothing is promised of a bill, so this takes it for any JSON object. Most are what the provider documents: those are
read into types instead (`documented`), which say the same in half the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from source_linkless.bills import columns
from source_linkless.bills.content import Fields, TooDeepError, canonical, make_numbers_plain, sha256_of, within_record
from source_linkless.bills.rows import Members, known, members, with_other

LINE_ARRAYS = ("charges", "payments", "corrections")
"""The same lines in another order are the same bill."""


@dataclass(slots=True)  # not frozen: a frozen one takes three times as long to make, and every bill makes some
class Lines:
    """The items of an array, with plain numbers.

    `texts` are the canonical texts of the objects among them (without braces), `odd` are the others: if there are any,
    `mixed` is the JSON text of all. `documented` are the objects again if all are documented lines, else it is empty.
    """

    texts: Sequence[bytes] = field(repr=False)
    odd: Sequence[Any] = field(default=(), repr=False)
    mixed: bytes = field(default=b"", repr=False)
    documented: Sequence[Any] = field(default=(), repr=False)

    def array(self) -> bytes:
        """Return the JSON text of all, in the order sent."""
        return self.mixed or _array(self.texts)

    def objects(self) -> list[Fields]:
        """Decode the objects."""
        return [item for item in orjson.loads(self.array()) if isinstance(item, dict)]

    def unordered(self) -> bytes:
        """Return the same JSON text whatever the order of the items."""
        objects = _array(sorted(self.texts))
        if not self.odd:  # as almost always
            return objects
        odd = b",".join(sorted(map(canonical, self.odd))) + b"]"
        return b"%b,%b" % (objects[:-1], odd) if self.texts else b"[" + odd


def _array(texts: Sequence[bytes]) -> bytes:
    return b"[{%b}]" % b"},{".join(texts) if texts else b"[]"


class BillContent(Protocol):
    """Everything the provider said about one bill, with plain numbers."""

    lines: Mapping[str, Lines]
    """By the name of their array."""
    content_hash: str
    """SHA-256 of everything; layout, the order of names and of lines, 12 against 12.0 make no difference."""

    @property
    def fields(self) -> Fields:
        """All but the lines."""

    def get(self, name: str) -> Any:
        """Return the value of a field; None if it has none."""

    def row(self, number: str) -> Members:
        """Return what the bill itself says in the row of an account of that number; no members if that is nothing."""

    def text(self) -> bytes:
        """Return a JSON text of everything, its lines in the order sent."""


@dataclass(slots=True)
class AnyBill:
    """What a bill says that may be any JSON object. See `BillContent`."""

    fields: Fields = field(repr=False)
    lines: Mapping[str, Lines] = field(repr=False)
    content_hash: str

    def get(self, name: str) -> Any:
        """See `BillContent`."""
        return self.fields.get(name)

    def row(self, number: str) -> Members:
        """See `BillContent`."""
        values, other = columns.STATEMENT.split(self.fields)
        if (printed := values.pop("account_number", number)) != number:
            other["account_number"] = printed
        other.update({name: lines.odd for name, lines in self.lines.items() if lines.odd})
        corrections = self.lines.get("corrections")
        return members(with_other(values | known(corrections=corrections and corrections.objects()), other))

    def text(self) -> bytes:
        """See `BillContent`."""
        return orjson.dumps({**self.fields, **{name: orjson.Fragment(one.array()) for name, one in self.lines.items()}})


def any_bill(text: bytes, read: Mapping[str, Lines]) -> AnyBill:
    """Read the JSON text of one bill, an object; the lines of some of its arrays may have been read.

    Raises:
        orjson.JSONDecodeError: the text is no JSON that could be read.
        TooDeepError: it is nested deeper than a record can be.
    """
    fields: dict[str, Any] = orjson.loads(text)
    arrays = {name: fields.pop(name) for name in LINE_ARRAYS if isinstance(fields.get(name), list)}
    try:
        lines = {name: read.get(name) or lines_of(items) for name, items in arrays.items()}
        make_numbers_plain(fields)
        unordered = {name: orjson.Fragment(found.unordered()) for name, found in lines.items()}
        return AnyBill(fields, lines, sha256_of(within_record({**fields, **unordered})))
    except (orjson.JSONEncodeError, RecursionError):
        raise TooDeepError from None


def lines_of(items: list[Any]) -> Lines:
    """Make lines of the items of an array.

    Raises TooDeepError, orjson.JSONEncodeError or RecursionError when they are nested too deeply.
    """
    make_numbers_plain(items)
    array = within_record(items)
    texts = [canonical(item)[1:-1] for item in items if isinstance(item, dict)]
    odd = [item for item in items if not isinstance(item, dict)]
    return Lines(texts, odd, array if odd else b"")
