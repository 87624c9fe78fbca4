"""The document of a connection: its accounts and their bills, and what identifies each. Pure.

    body ─► Document ─► Account ─► Statement ─► rows
            cut          one at a time           written when asked for

Two levels: reading a document cuts its bytes into accounts and bills without decoding them, and a bill is decoded
when its account has its turn. So memory follows the bytes of the document and the objects of one account.

The shape is the one of the API notes, section 4.2. It is known from samples only, so nothing is promised:
each field may be missing, null, unknown or of another type, and none of that may lose data or end a sync.
What no column can hold is kept as `other_fields`, with two exceptions: the envelope's `username` is the login
at the portal, and credentials never reach a record; and nothing without a column is kept where personal data
shall not be (`personal`): a document that was read does not hold it any more.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from source_linkless.bills import columns
from source_linkless.bills.bill import Bill, charge_rows, payment_rows, read_bill
from source_linkless.bills.content import (
    Fields,
    Members,
    TooDeepError,
    key_of,
    make_plain,
    members,
    merged_fields,
    numbered,
)
from source_linkless.bills.cutting import Body, Cut, Piece, UnreadableError, cut, decoded
from source_linkless.bills.findings import Findings, shown
from source_linkless.bills.personal import KEEP, Personal

_KEY_DATES = ("billing_date", "billing_period_start_date", "billing_period_end_date")
_KEPT_BYTES = 4_000_000
"""Bills of an account up to this size are decoded once; those of a larger one each time they are looked at."""
_BILL_NAME = re.compile(rb'"statement_?(?:id|number)"\s*:\s*("[^"\\\x00-\x1f]{1,60}"|[0-9]{1,20})', re.IGNORECASE)
_DIGITS = re.compile(rb"-?[0-9]+")
_OBJECTS = re.compile(rb"\[\s*+\{")
_EMPTY = re.compile(rb"\[\s*+\]")
_NO_ACCOUNTS = re.compile(r"error|warning|message|detail|fault|problem", re.IGNORECASE)
"""Names of arrays that are no accounts."""
_SHORT = 1_000  # bytes of a field that is no JSON up to which it is kept as text
_NAMES_IN_WARNING = 5
_NOT_SHOWN = (
    "the document has a shape that the connector does not know, and 'personal_data' keeps the stream sustainability "
    "from showing it"
)


class UnreadableDocument(ValueError):  # noqa: N818 - named for what it is, as in the design
    """The body is no document that could be read. The text never quotes the content."""


@dataclass(slots=True)
class Statement:
    """One bill of the account `number`, a `streams.Part` of it.

    `key_basis` says which field made the `key`: statement_id, statement_number or content. `billing_date` is None when
    the bill has none that is a date; `content_hash` is that of `Bill`.
    """

    number: str
    key: str
    key_basis: str
    billing_date: str | None
    content_hash: str
    source: Bill | partial[Bill] = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Equal for bills that make the same rows, in every stream."""
        return f"{self.content_hash} {self.key}"

    def content(self) -> Bill:
        """Return what it says; of an account too large to be kept it is decoded again."""
        return self.source() if isinstance(self.source, partial) else self.source

    def row(self) -> Sequence[Members]:
        """Return its row in `statements`."""
        bill = self.content()
        ours = {"statement_key_basis": self.key_basis, "content_hash": self.content_hash}
        values, other = {**ours, **bill.values}, bill.other
        if (printed := values.pop("account_number", self.number)) != self.number:
            other = {**other, "account_number": printed}
        if other:
            values["other_fields"] = other
        return [self._keys() + b"," + members(values)]

    def charges(self) -> Sequence[Members]:
        """Return its rows in `charges`."""
        return charge_rows(self.content(), self._keys())

    def payments(self) -> Sequence[Members]:
        """Return its rows in `payments`."""
        return payment_rows(self.content(), self._keys())

    def _keys(self) -> Members:
        """Return the columns that say which bill a row is of."""
        return members({"account_number": self.number, "statement_key": self.key})


@dataclass(frozen=True, slots=True)
class Account:
    """One utility account, merged from all entries of the document that have its number.

    `statements` are its distinct bills; `sent` the statement objects exactly as sent (None when the provider sent
    no list). `is_readable` is False for an account whose bills are not where we know them; `lost` counts bills that
    could not be read.
    """

    number: str
    statements: Sequence[Statement] = field(default=(), repr=False)
    sent: Sequence[Statement] | None = field(default=None, repr=False)
    other_fields: Fields = field(default_factory=dict, repr=False)
    is_readable: bool = True
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of the document's accounts, or the part of it that belongs to one number; nothing is decoded.

    `unread` names fields that may hold its bills in an unknown shape.
    """

    sent: Cut = field(default_factory=Cut)
    unread: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """Everything a connection has; `entries` by account number. `warning` names the shape that could not be read.

    `personal` says how personal data was and is treated: the numbers are those of the tables already. `findings` are
    of the accounts that were asked for last.
    """

    source_name: str | None
    source_country: str | None
    entries: Mapping[str, Sequence[Entry]] = field(repr=False)
    other_fields: Fields = field(repr=False)
    warning: str | None = None
    personal: Personal = field(default=KEEP, repr=False)
    findings: Findings = field(default_factory=Findings, repr=False, compare=False)

    @property
    def is_readable(self) -> bool:
        """Whether the accounts of the document are all there is: an account not in it no longer exists."""
        return self.warning is None

    def accounts(self) -> Iterator[Account]:
        """Decode one account after the other: what is not held on to is forgotten when the next one is asked for."""
        self.findings.clear()
        for number, entries in self.entries.items():
            yield _merged(number, entries, self.personal, self.findings)

    def without_bills(self) -> "Document":
        """Return what tells which accounts there are; it keeps no bytes of the body alive."""
        return replace(self, entries=dict.fromkeys(self.entries, ()))


def read_document(body: Body, personal: Personal = KEEP) -> Document:
    """Read the answer of the product endpoint, all but its bills.

    No account number, and nothing that has no column, gets past here where `personal` keeps it back.

    Raises:
        UnreadableDocument: the body is no JSON, no object, has nothing that could be accounts, or too many of them.
    """
    try:
        document = _document(cut(body, "accounts", "statements"))
    except UnreadableError as error:
        raise UnreadableDocument(f"The document {error}.") from None
    return document if personal.is_kept else _protected(document, personal)


def identifier(value: object) -> str | None:
    """Return what identifies something as text, or None for a value that identifies nothing."""
    found = columns.text(value)
    return found if isinstance(found, str) and found.strip() else None


def _protected(document: Document, personal: Personal) -> Document:
    """Return a document without free text, and with pseudonyms in place of account numbers."""
    entries: dict[str, Sequence[Entry]] = {
        personal.account_number(number): [replace(entry, sent=Cut(items=entry.sent.items)) for entry in found]
        for number, found in document.entries.items()
    }
    warning = _NOT_SHOWN if document.warning else None  # a name in the text of the other one could be a number
    return replace(document, entries=entries, other_fields={}, warning=warning, personal=personal)


def _document(envelope: Cut) -> Document:
    pieces = {name: piece for name, piece in envelope.fields.items() if name != "username" and not piece.is_null}
    has_place = envelope.items is not None or "accounts" in envelope.fields
    if (
        not has_place
        and pieces.keys() - columns.DOCUMENT.readers.keys()
        and not any(map(_may_hold_accounts, pieces.items()))
    ):
        raise UnreadableDocument("The answer has nothing that could be accounts: it is no document.")
    values, other = columns.DOCUMENT.split(_decoded(pieces), Findings())
    if envelope.odd:
        other["accounts"] = [_value(piece) for piece in envelope.odd]
    unread = _unread(envelope, "accounts", pieces)
    if unread:
        entries: Mapping[str, Sequence[Entry]] = {"": [Entry(unread=unread)]}
    elif not envelope.items and any(not has_place or isinstance(item, dict | list) for item in other.values()):
        entries = {"": [Entry(unread=sorted(other))]}
    else:
        entries = _by_number(envelope.items or ())
    unread = sorted({name for found in entries.values() for entry in found for name in entry.unread})
    return Document(values.get("source_name"), values.get("source_country"), entries, other, _warning(unread))


def _may_hold_accounts(named: tuple[str, Piece]) -> bool:
    """Tell whether a field has an array of objects that could be accounts, and no errors by its name."""
    name, piece = named
    return not _NO_ACCOUNTS.search(name) and _OBJECTS.search(piece.body, piece.start, piece.end) is not None


def _unread(owner: Cut, array: str, fields: Mapping[str, Piece]) -> list[str]:
    """Name the fields that hold, in a way we do not know, what the array of objects should."""
    instead = fields.get(array)
    if owner.items is None and (instead is None or instead.is_null):
        return sorted(name for name, piece in fields.items() if piece.kind == b"[" and not _EMPTY.match(piece.text()))
    return [] if owner.items or (owner.items is not None and not owner.odd) else [array]


def _warning(unread: Sequence[str]) -> str | None:
    if not unread:
        return None
    names = [name if name.startswith("accounts[].") else shown(name) for name in unread]
    listed = ", ".join(names[:_NAMES_IN_WARNING]) + (", …" if len(names) > _NAMES_IN_WARNING else "")
    older = "the older invoices shape" if "accounts[].invoices" in unread else "an unknown shape"
    return f"the document has {older} ({listed}): only the stream sustainability can show it"


def _by_number(items: Iterable[Cut]) -> Mapping[str, Sequence[Entry]]:
    entries = defaultdict(list)
    nameless: dict[str, list[Entry]] = defaultdict(list)
    for item in items:
        for number, entry in _entries(item):
            if number:
                entries[number].append(entry)
            else:
                nameless[key_of(_decoded(item.fields))].append(entry)
    for key, found in nameless.items():
        entries[key if len(nameless) > 1 else ""] += found
    return entries


def _entries(sent: Cut) -> Iterator[tuple[str, Entry]]:
    """Put an item under its number: its own, else `account_id`, else the number or numbers on its statements."""
    unread = [f"accounts[].{shown(name)}" for name in _unread(sent, "statements", sent.fields)]
    number = _identifier_in(sent.fields, "account_number") or _identifier_in(sent.fields, "account_id")
    owners = {number: sent.items} if number else _owners(sent.items)
    return ((owner, Entry(replace(sent, items=owned), unread)) for owner, owned in owners.items())


def _identifier_in(fields: Mapping[str, Piece], name: str) -> str | None:
    piece = fields.get(columns.name_like(name, fields) or name)
    if piece is None:
        return None
    text = piece.text()
    return text.decode() if _DIGITS.fullmatch(text) else identifier(_value(piece, otherwise=None))


def _owners(statements: Sequence[Piece] | None) -> Mapping[str, Sequence[Piece] | None]:
    """Divide the statements of an account that has no number by the numbers printed on them."""
    printed = defaultdict(list)
    for statement in statements or ():
        bill = _value(statement, otherwise={})
        name = columns.name_like("account_number", bill)
        printed[(name and identifier(bill[name])) or ""].append(statement)
    numbers = [number for number in printed if number]
    return printed if len(numbers) > 1 else {(numbers or [""])[0]: statements}


def _value(piece: Piece, otherwise: Any = "") -> Any:
    """Decode a value, with plain numbers; of one that is no JSON return `otherwise`, or as text if that is empty."""
    try:
        values = [decoded(piece.text(), Findings())]
        make_plain(values)
    except (UnreadableError, TooDeepError):
        return piece.text()[:_SHORT].decode(errors="replace") if otherwise == "" else otherwise
    return values[0]


def _decoded(pieces: Mapping[str, Piece]) -> dict[str, Any]:
    return {name: _value(piece) for name, piece in pieces.items()}


def _merged(number: str, entries: Sequence[Entry], personal: Personal, findings: Findings) -> Account:
    lists = [entry.sent.items for entry in entries if entry.sent.items is not None]
    pieces = [piece for items in lists for piece in items]
    lost_before = len(findings.lost)
    read = [*_statements(number, pieces, personal, findings)]
    return Account(
        number,
        statements=_distinct(read),
        sent=read if lists else None,
        other_fields=merged_fields([_other_fields(entry.sent, findings) for entry in entries]),
        is_readable=not any(entry.unread for entry in entries),
        lost=len(findings.lost) - lost_before,
    )


def _other_fields(sent: Cut, findings: Findings) -> Fields:
    values, other = columns.ACCOUNT.split(_decoded(sent.fields), findings)
    if identifier(values.get("account_number")) is None:
        other |= values  # a blank one
    if sent.odd:
        other["statements"] = [_value(piece) for piece in sent.odd]
    return other


def _statements(number: str, pieces: Sequence[Piece], personal: Personal, findings: Findings) -> Iterator[Statement]:
    """Decode the bills of an account, in the order sent, with repetitions; note those that cannot be read."""
    is_kept = sum(map(len, pieces)) <= _KEPT_BYTES
    for place, piece in enumerate(pieces, start=1):
        try:
            bill = read_bill(piece.text(), findings, is_kept=personal.is_kept)
        except UnreadableError as error:
            findings.lost.append((number, _name_of(piece, place), str(error)))
            continue
        key, basis = _statement_key(number, bill)
        content = personal.bill(bill)
        source = content if is_kept else partial(_read_again, piece, personal)
        yield Statement(number, key, basis, content.values.get("billing_date"), content.content_hash, source)


def _read_again(piece: Piece, personal: Personal) -> Bill:
    return personal.bill(read_bill(piece.text(), Findings(), is_kept=personal.is_kept))


def _name_of(piece: Piece, place: int) -> str:
    """Return what identifies a bill that cannot be read, or its place in the account."""
    match = _BILL_NAME.search(piece.text())
    return match[1].strip(b'"').decode(errors="replace") if match else f"number {place}"


def _statement_key(number: str, bill: Bill) -> tuple[str, str]:
    for basis in ("statement_id", "statement_number"):
        key = identifier(bill.values.get(basis))
        if key is not None:
            return key, basis
    return key_of([number, *(bill.values.get(name, bill.fields.get(name)) for name in _KEY_DATES)]), "content"


def _distinct(bills: Sequence[Statement]) -> tuple[Statement, ...]:
    """Return the distinct bills of an account: identical ones are one, others under one key are numbered."""
    keys = {bill.key for bill in bills}
    if len(keys) == len(bills) and "~" not in "".join(keys):
        return tuple(bills)  # as almost always: no key is claimed twice, and none looks numbered
    by_key: dict[str, dict[str, Statement]] = defaultdict(dict)
    for bill in bills:
        by_key[bill.key].setdefault(bill.content_hash, bill)
    return tuple(bill for same_key in by_key.values() for bill in _numbered([*same_key.values()]))


def _numbered(bills: Sequence[Statement]) -> Iterator[Statement]:
    """Give bills that claim one key a key each, whatever their order."""
    ordered = sorted(bills, key=lambda bill: (bill.billing_date or "", bill.content_hash))
    for ordinal, bill in enumerate(ordered, start=1):
        key = numbered(bill.key, ordinal)
        yield bill if key == bill.key else replace(bill, key=key)
