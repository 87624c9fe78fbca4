"""What one bill says, and the hash that stands for it. Pure.

    JSON text ─┬► documented: values that hold no others, and lines with documented fields ─► typed ─┬► BillContent
               └► anything else ───────────────────────────────────────────────────────────► dicts ─┘

Most bills are documented, and lines are most of what a sync sends: typed objects are made and written in half the time
of dicts. Both ways give the same texts, hence the same keys and hashes. For that the documented way leaves alone
what msgspec and orjson might write differently: numbers that a double does not hold exactly.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Any

import msgspec
import orjson
from msgspec import UNSET, UnsetType

from source_linkless.content import WHOLE_BELOW, Fields, TooDeepError, canonical, make_numbers_plain, within_record

_LINE_ARRAYS = ("charges", "payments", "corrections")
"""The same lines in another order are the same bill."""
_FOREIGN = {"charges": (b"{}", b'"date":', b'"details":'), "payments": (b"{}", b'"charge_name":')}
"""What no array of documented lines holds: one without a field, and names of fields that only other lines have."""

_EXACT = msgspec.Meta(gt=-WHOLE_BELOW, lt=WHOLE_BELOW)
_Number = Annotated[int, _EXACT] | Annotated[float, _EXACT]


class Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A charge or payment that has documented fields only, in the order of a canonical text.

    Without a currency of its own: no sample has one, and in its place the row gets that of the bill.
    """

    amount: _Number | UnsetType = UNSET
    charge_name: str | UnsetType = UNSET
    date: dt.date | UnsetType = UNSET
    details: str | UnsetType = UNSET


_DOCUMENTED = msgspec.json.Decoder(dict[str, str | _Number | bool | list[Line] | None])
_ENCODER = msgspec.json.Encoder()


@dataclass(slots=True)  # not frozen: a frozen one takes three times as long to make, and every bill makes some
class Lines:
    """The items of an array, with plain numbers.

    `array` is the JSON text of all, `texts` are the canonical texts of the objects among them (without braces), `odd`
    the others. `documented` are the objects again if all are documented, else it is empty.
    """

    array: bytes = field(repr=False)
    texts: Sequence[bytes] = field(repr=False)
    odd: Sequence[Any] = field(default=(), repr=False)
    documented: Sequence[Line] = field(default=(), repr=False)

    def objects(self) -> list[Fields]:
        """Decode the objects."""
        return [item for item in orjson.loads(self.array) if isinstance(item, dict)]

    def unordered(self) -> orjson.Fragment:
        """Return the same JSON text whatever the order of the items."""
        texts = [b"{" + b"},{".join(sorted(self.texts)) + b"}"] if self.texts else []
        return orjson.Fragment(b"[" + b",".join(texts + sorted(map(canonical, self.odd))) + b"]")


_NO_LINES = Lines(b"[]", ())


@dataclass(slots=True)
class BillContent:
    """Everything the provider said about one bill, with plain numbers: `lines` by their array, `fields` all else.

    `content_hash` is the SHA-256 of everything; layout, the order of names and lines, 12 against 12.0 make no
    difference.
    """

    fields: Fields = field(repr=False)
    lines: Mapping[str, Lines] = field(repr=False)
    content_hash: str

    def text(self) -> bytes:
        """Return a JSON text of the whole bill, its lines in the order sent."""
        return orjson.dumps({**self.fields, **{name: orjson.Fragment(one.array) for name, one in self.lines.items()}})


def bill_content(text: bytes) -> BillContent:
    """Read the JSON text of one bill, an object.

    Raises:
        orjson.JSONDecodeError: the text is no JSON that could be read.
        TooDeepError: it is nested deeper than a record can be.
    """
    try:
        fields = _DOCUMENTED.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _of_anything(orjson.loads(text))
    arrays = {name: value for name, value in fields.items() if type(value) is list}
    if not arrays.keys() <= set(_LINE_ARRAYS):
        return _of_anything(orjson.loads(text))
    return _content(fields, {name: _documented_lines(name, lines) for name, lines in arrays.items()})


def _of_anything(fields: dict[str, Any]) -> BillContent:
    try:
        arrays = {name: fields[name] for name in _LINE_ARRAYS if isinstance(fields.get(name), list)}
        return _content(fields, {name: _lines(items) for name, items in arrays.items()})
    except orjson.JSONEncodeError:
        raise TooDeepError from None


def _content(fields: dict[str, Any], lines: Mapping[str, Lines]) -> BillContent:
    for name in lines:
        del fields[name]
    make_numbers_plain(fields)
    text = within_record({**fields, **{name: found.unordered() for name, found in lines.items()}})
    return BillContent(fields, lines, sha256(text).hexdigest())


def _lines(items: list[Any]) -> Lines:
    make_numbers_plain(items)
    objects = [item for item in items if isinstance(item, dict)]
    texts = [canonical(one)[1:-1] for one in objects]
    return Lines(within_record(items), texts, [item for item in items if not isinstance(item, dict)])


def _documented_lines(name: str, lines: list[Line]) -> Lines:
    if not lines:
        return _NO_LINES
    for line in lines:
        amount = line.amount
        if type(amount) is float and amount.is_integer():
            line.amount = int(amount)
    array = _ENCODER.encode(lines)
    for foreign in _FOREIGN.get(name, ()):
        if foreign in array:  # or in a text: then the other way is as good
            return _lines(orjson.loads(array))
    texts = array[2:-2].split(b"},{")
    if len(texts) != len(lines):  # a text holds what stands between two objects
        texts = [_ENCODER.encode(line)[1:-1] for line in lines]
    return Lines(array, texts, documented=lines)
