"""One bill: decoded, divided into columns and lines, and written as the rows of three streams. Pure.

    text ─► said ─┬► values, other_fields ──────────────────────► row of `statements`
                  ├► charges: at any depth, with what is around ─► rows of `charges`
                  ├► payments ─────────────────────────────────► rows of `payments`
                  └► content_hash

Each line is written once, as its canonical text: the key of a line is the hash of that text, and a line whose values
all fit their columns is copied into its row. A line that does not is divided and written again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from typing import Any

import orjson

from source_linkless.bills import columns, content
from source_linkless.bills.charge_texts import Reading, read_charges
from source_linkless.bills.columns import Columns
from source_linkless.bills.content import MOST_LEVELS, Fields, Members, canonical, known, make_plain, members
from source_linkless.bills.cutting import Piece, decoded
from source_linkless.bills.findings import Findings, shown

_LINE_ARRAYS = ("charges", "payments", "corrections")  # the same items in another order are the same bill
_LINE_LEVELS = MOST_LEVELS - 3


@dataclass(slots=True)  # not frozen: a frozen one takes three times as long to make, and every bill makes some
class Lines:
    """The charges or payments of one bill.

    `values` are the columns of each, `texts` the texts of which their keys are made, without braces, and `betweens` and
    `rests` what follows the key in the row of each: from the quotation mark that ends the key, and the members behind.
    """

    values: list[dict[str, Any]] = field(repr=False)
    texts: list[bytes] = field(repr=False)
    betweens: list[bytes] = field(repr=False)
    rests: list[bytes] = field(repr=False)

    def rows(self, head: Members, key_column: bytes, more: Iterable[Members]) -> list[Members]:
        """Write the rows: `head` are members that all share; `more` those that are added to each, behind a comma."""
        heads, keys = repeat(b'%b,"%b":"' % (head, key_column)), content.line_keys(self.texts)
        return [*map(b"".join, zip(heads, keys, self.betweens, self.rests, more, strict=False))]


@dataclass(slots=True)
class Bill:
    """What one bill says, with plain numbers; `content_hash` is equal for equal content.

    `fields` is everything but the `arrays` of lines; `values` are the columns of its row, `other` is its other_fields.
    Layout, the order of names and of lines, and 12 against 12.0 make no difference to the hash.
    """

    fields: dict[str, Any] = field(repr=False)
    arrays: dict[str, list[Any]] = field(repr=False)
    values: dict[str, Any] = field(repr=False)
    other: dict[str, Any] = field(repr=False)
    charges: Lines = field(repr=False)
    payments: Lines = field(repr=False)
    content_hash: str

    def text(self) -> bytes:
        """Return a JSON text of everything."""
        return orjson.dumps({**self.fields, **self.arrays})


@dataclass(slots=True)
class Statement:
    """One bill of the account `number`, a part of it in `streams`.

    `key_basis` says which field made the `key`: statement_id, statement_number or content. `billing_date` is None when
    the bill has none that is a date; `content_hash` is that of `Bill`.
    """

    number: str
    key: str
    key_basis: str
    billing_date: str | None
    content_hash: str
    source: Bill | partial[Bill] = field(repr=False)
    fingerprint: str = field(init=False, repr=False)
    """Equal for bills that make the same rows, in every stream."""
    _keys: Members = field(init=False, repr=False)
    """The columns that say which bill a row is of."""

    def __post_init__(self) -> None:
        """Make what each stream needs, once."""
        self.fingerprint = f"{self.content_hash} {self.key}"
        self._keys = members({"account_number": self.number, "statement_key": self.key})

    def content(self) -> Bill:
        """Return what it says; of an account too large to be kept it is decoded again."""
        return self.source() if isinstance(self.source, partial) else self.source

    def row(self) -> Sequence[Members]:
        """Return its row in `statements`."""
        bill = self.content()
        values = {"statement_key_basis": self.key_basis, "content_hash": self.content_hash, **bill.values}
        printed = values.pop("account_number", self.number)
        if other := bill.other if printed == self.number else {**bill.other, "account_number": printed}:
            values["other_fields"] = other
        return [self._keys + b"," + members(values)]

    def charges(self) -> Sequence[Members]:
        """Return its rows in `charges`."""
        bill, head = self.content(), self._keys
        if self.billing_date is not None:
            head = b'%b,"billing_date":"%b"' % (head, self.billing_date.encode())
        said = read_charges([(one.get("charge_name", ""), one.get("amount")) for one in bill.charges.values])
        return bill.charges.rows(head, b"charge_key", [b"" if one.unit is None else _members_of(one) for one in said])

    def payments(self) -> Sequence[Members]:
        """Return its rows in `payments`."""
        return self.content().payments.rows(self._keys, b"payment_key", repeat(b""))


def _members_of(reading: Reading) -> Members:
    quantity, unit, price = reading
    said = {"quantity": quantity, "unit": unit, "unit_price": price}
    return b"," + orjson.dumps(known(**said) if quantity is None or price is None else said)[1:-1]


def read_bill(piece: Piece, findings: Findings, *, is_kept: bool = True) -> Bill:
    """Read the JSON text of one bill, an object.

    Unless `is_kept`, only the values of columns are kept, but for the hash: what has no column is free text.

    Raises:
        UnreadableError: the text is no JSON that could be read, or nested deeper than a record can be.
    """
    return _Reading(decoded(piece, findings), findings, is_kept=is_kept).bill()


class _Reading:
    """One bill while it is read."""

    def __init__(self, said: dict[str, Any], findings: Findings, *, is_kept: bool) -> None:
        self._findings, self._is_kept = findings, is_kept
        self._arrays = {name: said.pop(name) for name in _line_arrays(said)}
        self._fields = said
        self._inside: list[tuple[str, Any]] = []  # name and value of fields in which lines may be enclosed

    def bill(self) -> Bill:
        make_plain(self._fields)
        values, other = columns.STATEMENT.split(self._fields, self._findings)
        self._currency = known(currency_code=values.get("currency_code"))
        self._inside = [(name, one) for name, one in other.items() if type(one) is dict or type(one) is list]
        charges, payments = Lines([], [], [], []), Lines([], [], [], [])
        unordered: dict[str, Any] = {}
        for name, items in self._arrays.items():
            column = name.lower()
            if column == "corrections":
                make_plain(items, MOST_LEVELS - 1)
                self._inside += [(name, items)] if items else []
                values[column] = [one for one in items if type(one) is dict]
                texts = _canonical_texts(values[column])
            elif column == "charges":
                texts = self._lines(columns.CHARGE, items, charges)
            else:
                texts = self._lines(columns.PAYMENT, items, payments)
            ordered = b"{%b}" % b"},{".join(sorted(texts)) if texts else b""
            if len(texts) < len(items):
                other[name] = odd = [one for one in items if type(one) is not dict]
                make_plain(odd, MOST_LEVELS - 1)
                for one in odd:
                    self._findings.misfit(f"statements[].{column}", one)
                ordered = b",".join(filter(None, [ordered, *sorted(map(canonical, odd))]))
            unordered[name] = orjson.Fragment(b"[%b]" % ordered)
        hashed = self._fields
        if enclosed := [one for name, value in self._inside for one in _enclosed_in(value, name, {})]:
            hashed = {name: _without_order(value) for name, value in hashed.items()}
        for part_of, items in enclosed:
            self._lines(columns.CHARGE, items, charges, part_of)
        if charges.texts:
            self._findings.with_lines += 1
        elif any(values.get(name) for name in columns.AMOUNTS):
            self._findings.without_lines += 1
            places = _amounts_in(self._fields, "statements[]")
            self._findings.amounts_in.update(places if self._is_kept else ("a field without a column" for _ in places))
        content_hash = content.digest({**hashed, **unordered})
        return Bill(self._fields, self._arrays, values, other if self._is_kept else {}, charges, payments, content_hash)

    def _lines(self, kind: Columns, items: list[Any], lines: Lines, part_of: Fields | None = None) -> list[bytes]:
        """Read the objects of an array into `lines`; return the canonical text of each, without braces."""
        objects = items if {*map(type, items)} == {dict} else [one for one in items if type(one) is dict]
        all_fit = part_of is None and kind.fits_as_sent(objects)
        if not all_fit:
            for line in objects:
                make_plain(line, _LINE_LEVELS)
                if part_of is None and any(type(value) is dict or type(value) is list for value in line.values()):
                    self._inside.append(("", line))
        texts = _canonical_texts(objects)
        if all_fit:
            between = b'",%b,' % members(self._currency) if self._currency else b'",'
            lines.values += objects
            lines.texts += texts
            lines.betweens += [between] * len(texts)
            lines.rests += texts
            return texts
        around = b"," + canonical({"part_of": part_of})[1:-1] if part_of and self._is_kept else b""
        for line, text in zip(objects, texts, strict=True):
            values, other = kind.split(line, self._findings)
            rest = members(self._currency | values | known(other_fields=(self._is_kept and other) or None))
            lines.values.append(values)
            lines.texts.append((text if self._is_kept else canonical(values)[1:-1]) + around)
            lines.betweens.append(b'",' if rest else b'"')
            lines.rests.append(rest + around)
        return texts


def _canonical_texts(objects: list[Any]) -> list[bytes]:
    """Return the canonical text of each object, without braces: written at once, and divided between the objects."""
    texts = canonical(objects)[2:-2].split(b"},{")
    if len(texts) != len(objects):  # there are none, or what divides them stands inside one of them, too
        return [canonical(one)[1:-1] for one in objects]
    return texts


def _line_arrays(said: dict[str, Any]) -> list[str]:
    """Name the fields of a bill that are arrays of lines; another case of a name stands for one that is missing."""
    found = [name for name in _LINE_ARRAYS if type(said.get(name)) is list]
    if len(found) < len(_LINE_ARRAYS):
        others = {name: name.lower() for name in said if type(said[name]) is list}
        found += [name for name, plain in others.items() if plain in _LINE_ARRAYS and plain not in said]
    return found


def _enclosed_in(value: Any, name: str, around: Fields) -> Iterator[tuple[Fields, list[Any]]]:
    """Yield each array of charges inside a value, and the scalar fields of the objects that enclose it.

    `name` is the field that holds the value, `around` what encloses it. An object without scalar fields stands for
    itself by its name: of {"gas": {"charges": …}} that is {"gas": {}}. Where an outer object has another value for a
    name, both are kept in order.
    """
    if isinstance(value, list):
        for item in value:
            if type(item) is dict or type(item) is list:
                yield from _enclosed_in(item, "", around)
        return
    scalars = {one_name: one for one_name, one in value.items() if one is not None and type(one) not in (dict, list)}
    scalars = scalars or ({name: {}} if name else {})
    outer = {name: one if isinstance(one, list) else [one] for name, one in around.items() if name in scalars}
    both = {name: [*one, scalars[name]] for name, one in outer.items() if scalars[name] not in one}
    around = {**around, **scalars, **both}
    for inner_name, inner in value.items():
        if type(inner) is list and inner_name.lower() == "charges":
            yield around, inner
        if type(inner) is dict or type(inner) is list:
            yield from _enclosed_in(inner, inner_name, around)


def _amounts_in(value: Any, place: str) -> Iterator[str]:
    """Name each array in a value that holds objects with an amount."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _amounts_in(inner, f"{place}.{shown(name)}")
    elif isinstance(value, list):
        objects = [item for item in value if isinstance(item, dict)]
        amounts = [one[name] for one in objects for name in one if name.lower().endswith("amount")]
        if any(columns.number(amount) is not None for amount in amounts):
            yield place
        for item in value:
            yield from _amounts_in(item, f"{place}[]")


def _without_order(value: Any) -> Any:
    """Return a value whose arrays of objects are in one order: what encloses lines has no order either."""
    if isinstance(value, dict):
        return {name: _without_order(inner) for name, inner in value.items()}
    if isinstance(value, list):
        items = [_without_order(item) for item in value]
        return sorted(items, key=canonical) if all(isinstance(item, dict) for item in items) else items
    return value
