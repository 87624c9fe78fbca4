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

from source_linkless.bills import columns, content
from source_linkless.bills.bill import Bill, Statement, read_bill
from source_linkless.bills.content import Fields, UnreadableError
from source_linkless.bills.cutting import Body, Cut, Piece, cut, decoded
from source_linkless.bills.findings import Findings, shown
from source_linkless.bills.personal import KEEP, Personal

_KEY_DATES = ("billing_date", "billing_period_start_date", "billing_period_end_date")
_KEPT_BYTES = 4_000_000  # bills of a larger account are decoded each time they are looked at
_BILL_NAME = re.compile(rb'"statement_?(?:id|number)"\s*:\s*("[^"\\\x00-\x1f]{1,60}"|[0-9]{1,20})', re.IGNORECASE)
_DIGITS = re.compile(rb"-?[0-9]+")
_OBJECTS = re.compile(rb"\[\s*+\{")
_EMPTY = re.compile(rb"\[\s*+\]")
_NO_ACCOUNTS = re.compile(r"error|warning|message|detail|fault|problem", re.IGNORECASE)  # in names of arrays
_SHORT = 1_000  # bytes of a field that is no JSON up to which it is kept as text
_NAMES_IN_WARNING = 5
_NOT_SHOWN = (
    "the document has a shape that the connector does not know, and 'personal_data' keeps the stream sustainability "
    "from showing it"
)


class UnreadableDocument(ValueError):  # noqa: N818 - named for what it is, as in the design
    """The body is no document that could be read. The text never quotes the content."""


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
class Document:
    """Everything a connection has. `warning` names the shape that could not be read.

    `entries` are, by account number, the items of the document's accounts, or the parts of these that belong to the
    number. `personal` says how personal data was and is treated: the numbers are those of the tables already.
    `findings` are of the accounts that were asked for.
    """

    source_name: str | None
    source_country: str | None
    entries: Mapping[str, Sequence[Cut]] = field(repr=False)
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
        return (self._account(number, entries) for number, entries in self.entries.items())

    def without_bills(self) -> "Document":
        """Return what tells which accounts there are; it keeps no bytes of the body alive."""
        return replace(self, entries=dict.fromkeys(self.entries, ()))

    def _account(self, number: str, entries: Sequence[Cut]) -> Account:
        lists = [entry.items for entry in entries if entry.items is not None]
        lost_before = len(self.findings.lost)
        sent = [*self._statements(number, [piece for items in lists for piece in items])]
        return Account(
            number,
            statements=_distinct(sent),
            sent=sent if lists else None,
            other_fields=content.merged_fields(_other_fields(entry, self.findings) for entry in entries),
            is_readable=not any(entry.unread for entry in entries),
            lost=len(self.findings.lost) - lost_before,
        )

    def _statements(self, number: str, pieces: Sequence[Piece]) -> Iterator[Statement]:
        """Decode the bills of an account, in the order sent, with repetitions; note those that cannot be read."""
        is_kept = sum(map(len, pieces)) <= _KEPT_BYTES
        for place, piece in enumerate(pieces, start=1):
            try:
                bill = read_bill(piece, self.findings, is_kept=self.personal.is_kept)
            except UnreadableError as error:
                match = _BILL_NAME.search(piece)
                name = bytes(match[1]).strip(b'"').decode(errors="replace") if match else f"number {place}"
                self.findings.lost.append((number, name, str(error)))
                continue
            key, basis = _statement_key(number, bill)
            sent = self.personal.bill(bill)
            source = sent if is_kept else partial(_read_again, piece, self.personal)
            yield Statement(number, key, basis, sent.values.get("billing_date"), sent.content_hash, source)


def read_document(body: Body, personal: Personal = KEEP) -> Document:
    """Read the answer of the product endpoint, all but its bills.

    No account number, and nothing that has no column, gets past here where `personal` keeps it back.

    Raises:
        UnreadableDocument: the body is no JSON, no object, has nothing that could be accounts, or too many of them.
    """
    try:
        document = _document(cut(body))
    except UnreadableError as error:
        raise UnreadableDocument(f"The document {error}.") from None
    if personal.is_kept:
        return document
    entries = {
        personal.account_number(number): [Cut(items=entry.items, unread=entry.unread) for entry in found]
        for number, found in document.entries.items()
    }
    warning = _NOT_SHOWN if document.warning else None  # a name in the text of the other one could be a number
    return replace(document, entries=entries, other_fields={}, warning=warning, personal=personal)


def _document(envelope: Cut) -> Document:
    has_place = envelope.items is not None or "accounts" in envelope.fields
    fields = {name: piece for name, piece in envelope.fields.items() if name != "username" and piece != b"null"}
    if not has_place and fields.keys() - columns.DOCUMENT.readers.keys():
        arrays = [name for name, piece in fields.items() if _OBJECTS.search(piece)]
        if all(map(_NO_ACCOUNTS.search, arrays)):
            raise UnreadableDocument("The answer has nothing that could be accounts: it is no document.")
    values, other = columns.DOCUMENT.split(_decoded(fields), Findings())
    if envelope.odd:
        other["accounts"] = [_value(piece) for piece in envelope.odd]
    unread = _unread(replace(envelope, fields=fields), "accounts")
    if not (unread or envelope.items) and any(not has_place or isinstance(one, dict | list) for one in other.values()):
        unread = sorted(other)
    entries = {"": [Cut(unread=unread)]} if unread else _by_number(envelope.items or ())
    return Document(values.get("source_name"), values.get("source_country"), entries, other, _warning(entries))


def _unread(owner: Cut, array: str) -> list[str]:
    """Name the fields that hold, in a way we do not know, what the array of objects should."""
    if owner.items is not None:
        return [array] if owner.odd and not owner.items else []
    if owner.fields.get(array, b"null") != b"null":
        return [array]
    return sorted(name for name, piece in owner.fields.items() if piece[:1] == b"[" and not _EMPTY.match(piece))


def _warning(entries: Mapping[str, Sequence[Cut]]) -> str | None:
    unread = sorted({name for found in entries.values() for entry in found for name in entry.unread})
    names = [name if name.startswith("accounts[].") else shown(name) for name in unread]
    listed = ", ".join(names[:_NAMES_IN_WARNING]) + (", …" if len(names) > _NAMES_IN_WARNING else "")
    older = "the older invoices shape" if "accounts[].invoices" in unread else "an unknown shape"
    return f"the document has {older} ({listed}): only the stream sustainability can show it" if unread else None


def _by_number(items: Iterable[Cut]) -> dict[str, list[Cut]]:
    """Put each item under its number: its own, else `account_id`, else the number or numbers on its statements."""
    entries: dict[str, list[Cut]] = defaultdict(list)
    nameless: dict[str, list[Cut]] = defaultdict(list)
    for item in items:
        unread = [f"accounts[].{shown(name)}" for name in _unread(item, "statements")]
        number = _identifier_in(item.fields, "account_number") or _identifier_in(item.fields, "account_id")
        for owner, owned in ({number: item.items} if number else _owners(item.items)).items():
            same = entries[owner] if owner else nameless[content.digest(_decoded(item.fields))[:32]]
            same.append(replace(item, items=owned, unread=unread))
    for key, found in nameless.items():
        entries[key if len(nameless) > 1 else ""] += found
    return entries


def _identifier_in(fields: Mapping[str, Piece], name: str) -> str | None:
    piece = fields.get(columns.name_like(name, fields) or name)
    if piece is None:
        return None
    return bytes(piece).decode() if _DIGITS.fullmatch(piece) else _identifier(_value(piece, otherwise=None))


def _identifier(value: object) -> str | None:
    """Return what identifies something as text, or None for a value that identifies nothing."""
    found = columns.text(value)
    return found if found and found.strip() else None


def _owners(statements: Sequence[Piece] | None) -> Mapping[str, Sequence[Piece] | None]:
    """Divide the statements of an account that has no number by the numbers printed on them."""
    printed = defaultdict(list)
    for statement in statements or ():
        bill = _value(statement, otherwise={})
        printed[_identifier(bill.get(columns.name_like("account_number", bill))) or ""].append(statement)
    numbers = [number for number in printed if number]
    return printed if len(numbers) > 1 else {(numbers or [""])[0]: statements}


def _value(piece: Piece, otherwise: Any = "") -> Any:
    """Decode a value, with plain numbers; of one that is no JSON return `otherwise`, or as text if that is empty."""
    try:
        values = [decoded(piece, Findings())]
        content.make_plain(values)
    except UnreadableError:
        return bytes(piece[:_SHORT]).decode(errors="replace") if otherwise == "" else otherwise
    return values[0]


def _decoded(pieces: Mapping[str, Piece]) -> dict[str, Any]:
    return {name: _value(piece) for name, piece in pieces.items()}


def _other_fields(entry: Cut, findings: Findings) -> Fields:
    values, other = columns.ACCOUNT.split(_decoded(entry.fields), findings)
    if _identifier(values.get("account_number")) is None:
        other |= values  # a blank one
    if entry.odd:
        other["statements"] = [_value(piece) for piece in entry.odd]
    return other


def _read_again(piece: Piece, personal: Personal) -> Bill:
    return personal.bill(read_bill(piece, Findings(), is_kept=personal.is_kept))


def _statement_key(number: str, bill: Bill) -> tuple[str, str]:
    for basis in ("statement_id", "statement_number"):
        if key := _identifier(bill.values.get(basis)):
            return key, basis
    dates = [bill.values.get(name, bill.fields.get(name)) for name in _KEY_DATES]
    return content.digest([number, *dates])[:32], "content"


def _distinct(bills: Sequence[Statement]) -> tuple[Statement, ...]:
    """Return the distinct bills of an account: identical ones are one, others under one key are numbered."""
    keys = {bill.key for bill in bills}
    if len(keys) == len(bills) and "~" not in "".join(keys):
        return tuple(bills)  # as almost always: no key is claimed twice, and none looks numbered
    by_key: dict[str, dict[str, Statement]] = defaultdict(dict)
    for bill in bills:
        by_key[bill.key].setdefault(bill.content_hash, bill)
    ordered = (
        sorted(same.values(), key=lambda bill: (bill.billing_date or "", bill.content_hash)) for same in by_key.values()
    )
    return tuple(
        replace(bill, key=content.numbered(bill.key, ordinal))
        for same in ordered
        for ordinal, bill in enumerate(same, start=1)
    )
