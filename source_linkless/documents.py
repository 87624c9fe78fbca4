"""The document of a connection: its accounts and statements, their keys and content hashes. Pure.

    Document ── Account ── Statement ── charges, payments

The shape is the one of the API notes, section 4.2. It is known from samples only, so nothing is promised:
each field may be missing, null, unknown or of another type, and none of that may lose data or end a sync.
What no column can hold is kept as `other_fields`, with one exception: the envelope's `username` is the login
at the portal, and credentials never reach a record.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from source_linkless import columns
from source_linkless.content import Fields, bill_digest, key_of, make_numbers_plain, merged_fields, numbered

_KEY_DATES = ("billing_date", "billing_period_start_date", "billing_period_end_date")

_NAME = re.compile(r"(accounts\[\]\.)?[A-Za-z_][A-Za-z0-9_]{0,39}")
_NAMES_IN_WARNING = 5

# orjson writes at most 254 levels; a record may put a value a few levels deeper than the document had it.
_LEVELS_OF_A_RECORD = 8


class UnreadableDocument(ValueError):  # noqa: N818 - named for what it is, as in the design
    """The body is no JSON object that could be read. The text never quotes the content."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One bill. `key_basis` says which field made the `key`: statement_id, statement_number or content.

    `billing_date` is None when the bill has none that is a date. `content_hash` is the SHA-256 of everything
    the provider said about the bill; layout, the order of names and lines, 12 against 12.0 make no
    difference.
    """

    key: str
    key_basis: str
    billing_date: str | None
    raw: Fields = field(repr=False)
    content_hash: str


@dataclass(frozen=True, slots=True)
class Account:
    """One utility account, merged from all entries of the document that have its number.

    `statements` are its distinct bills; `sent` the statement objects exactly as sent, repetitions included
    (None when the provider sent no list), and `sent_hashes` their content hashes. `is_readable` is False for
    an account whose bills are not where we know them.
    """

    number: str
    statements: tuple[Statement, ...] = field(default=(), repr=False)
    sent: Sequence[Fields] | None = field(default=None, repr=False)
    sent_hashes: Sequence[str] = field(default=(), repr=False)
    other_fields: Fields = field(default_factory=dict, repr=False)
    is_readable: bool = True


@dataclass(frozen=True, slots=True)
class Document:
    """Everything a connection has. `warning` names the shape that could not be read, never a value."""

    source_name: str | None
    source_country: str | None
    accounts: tuple[Account, ...]
    other_fields: Fields = field(repr=False)
    warning: str | None = None

    @property
    def is_readable(self) -> bool:
        """Whether the accounts of the document are all there is: an account not in it no longer exists."""
        return all(account.is_readable for account in self.accounts)


def read_document(body: bytes) -> Document:
    """Read the answer of the product endpoint.

    Raises:
        UnreadableDocument: the body is no JSON, no object, or nested deeper than a record can be.
    """
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UnreadableDocument("The document is not valid JSON.") from None
    if not isinstance(envelope, dict):
        raise UnreadableDocument("The document is not a JSON object.")
    _refuse_deep_nesting(envelope)
    make_numbers_plain(envelope)
    return _document(envelope)


def _refuse_deep_nesting(envelope: object) -> None:
    for _ in range(_LEVELS_OF_A_RECORD):
        envelope = [envelope]
    try:
        orjson.dumps(envelope)
    except orjson.JSONEncodeError:
        raise UnreadableDocument("The document is nested too deeply.") from None


def _document(envelope: Fields) -> Document:
    values, other = columns.split({**envelope, "username": None}, columns.DOCUMENT)
    unread = _unread(envelope, "accounts", other)
    if unread or (other and "accounts" not in envelope):
        accounts = [Account("", is_readable=False)]
        unread = unread or sorted(other)
        other = {**other, "accounts": envelope.get("accounts")}
    else:
        entries = [entry for sent in values.get("accounts", ()) for entry in _entries(sent)]
        accounts = [_merged(number, group) for number, group in _grouped(entries).items()]
        unread = sorted({name for entry in entries for name in entry.unread})
    other = {name: value for name, value in other.items() if value is not None}
    names = values.get("source_name"), values.get("source_country")
    return Document(*names, tuple(accounts), other, _warning(unread))


def _unread(owner: Fields, name: str, other: Fields) -> list[str]:
    """Name the fields that hold, in a way we do not know, what the array of objects `name` should."""
    value = owner.get(name)
    if value is None:
        return sorted(field for field, item in other.items() if isinstance(item, list))
    known = isinstance(value, list) and (not value or any(isinstance(item, dict) for item in value))
    return [] if known else [name]


def _warning(unread: Sequence[str]) -> str | None:
    if not unread:
        return None
    names = [name if _NAME.fullmatch(name) else "a field with an unusual name" for name in unread]
    listed = ", ".join(names[:_NAMES_IN_WARNING]) + (", …" if len(names) > _NAMES_IN_WARNING else "")
    older = "the older invoices shape" if "accounts[].invoices" in unread else "an unknown shape"
    return f"the document has {older} ({listed}): only the stream sustainability can show it"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One item of the document's accounts, or the part of it that belongs to `number`."""

    number: str
    statements: Sequence[Fields] | None
    other_fields: Fields
    unread: Sequence[str]


def _entries(sent: Fields) -> list[_Entry]:
    """Put an item under its number: its own, else `account_id`, else the number or numbers on its statements."""
    values, other = columns.split(sent, columns.ACCOUNT)
    statements = values.get("statements")
    unread = [f"accounts[].{name}" for name in _unread(sent, "statements", other)]
    number = _key_text(sent.get("account_number")) or _key_text(sent.get("account_id"))
    owners = {number: statements} if number else _owners(statements)
    return [_Entry(owner, owned, other, unread) for owner, owned in owners.items()]


def _owners(statements: Sequence[Fields] | None) -> Mapping[str, Sequence[Fields] | None]:
    """Divide the statements of an account that has no number by the numbers printed on them."""
    printed = defaultdict(list)
    for statement in statements or ():
        printed[_key_text(statement.get("account_number")) or ""].append(statement)
    numbers = [number for number in printed if number]
    return printed if len(numbers) > 1 else {(numbers or [""])[0]: statements}


def _key_text(value: object) -> str | None:
    """Return what identifies something as text, or None for a value that identifies nothing."""
    if isinstance(value, str):
        return value if value.strip() else None
    whole = columns.integer(value)
    return str(whole) if isinstance(whole, int) else None


def _grouped(entries: Iterable[_Entry]) -> Mapping[str, list[_Entry]]:
    groups = defaultdict(list)
    for entry in entries:
        groups[entry.number].append(entry)
    return groups


def _merged(number: str, entries: Sequence[_Entry]) -> Account:
    lists = [entry.statements for entry in entries if entry.statements is not None]
    sent = [statement for statements in lists for statement in statements]
    hashes = [bill_digest(statement) for statement in sent]
    return Account(
        number,
        statements=tuple(_statements(number, zip(sent, hashes, strict=True))),
        sent=sent if lists else None,
        sent_hashes=hashes,
        other_fields=merged_fields([entry.other_fields for entry in entries]),
        is_readable=not any(entry.unread for entry in entries),
    )


def _statements(number: str, sent: Iterable[tuple[Fields, str]]) -> Iterator[Statement]:
    """Yield the distinct bills of an account: identical ones are one, others under one key are numbered."""
    bills: dict[str, dict[str, Statement]] = defaultdict(dict)
    for raw, content_hash in sent:
        key, basis = _statement_key(number, raw)
        bills[key].setdefault(content_hash, Statement(key, basis, _billing_date(raw), raw, content_hash))
    for same_key in bills.values():
        ordered = sorted(same_key.values(), key=lambda bill: (bill.billing_date or "", bill.content_hash))
        for ordinal, bill in enumerate(ordered, start=1):
            key = numbered(bill.key, ordinal)
            yield bill if key == bill.key else replace(bill, key=key)


def _statement_key(number: str, raw: Fields) -> tuple[str, str]:
    for basis in ("statement_id", "statement_number"):
        key = _key_text(raw.get(basis))
        if key is not None:
            return key, basis
    period = [raw.get(name) for name in _KEY_DATES]
    return key_of([number, *period]), "content"


def _billing_date(raw: Fields) -> str | None:
    date = columns.day(raw.get("billing_date"))
    return date if isinstance(date, str) else None
