"""The document of a connection: its accounts and statements, their keys and content hashes. Pure.

    body ─► Document ─► Account ─► Statement ─► content: fields, charges, payments

Two levels: reading a document cuts its bytes into accounts and bills without decoding them, and a bill is decoded
when its account has its turn. So memory follows the bytes of the document and the objects of one account.

The shape is the one of the API notes, section 4.2. It is known from samples only, so nothing is promised:
each field may be missing, null, unknown or of another type, and none of that may lose data or end a sync.
What no column can hold is kept as `other_fields`, with two exceptions: the envelope's `username` is the login
at the portal, and credentials never reach a record; and nothing without a column is kept where personal data
shall not be (`personal`): a document that was read does not hold it any more.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from source_linkless.bills import columns
from source_linkless.bills.content import Fields, merged_fields
from source_linkless.bills.personal import KEEP, Personal
from source_linkless.bills.slices import Cut, Slice, UnreadableError, cut_twice, member
from source_linkless.bills.statements import (
    Statement,
    UnreadableDocument,
    distinct,
    identifier,
    read_statements,
)
from source_linkless.provider.bodies import Body

__all__ = ["Account", "Document", "Statement", "UnreadableDocument", "read_document"]

_NAME = re.compile(r"(accounts\[\]\.)?[A-Za-z_][A-Za-z0-9_]{0,39}")
_NAMES_IN_WARNING = 5
_NOT_SHOWN = (
    "the document has a shape that the connector does not know, and 'personal_data' keeps the stream sustainability "
    "from showing it"
)


@dataclass(frozen=True, slots=True)
class Account:
    """One utility account, merged from all entries of the document that have its number.

    `statements` are its distinct bills; `sent` the statement objects exactly as sent (None when the provider sent
    no list). `is_readable` is False for an account whose bills are not where we know them.
    """

    number: str
    statements: Sequence[Statement] = field(default=(), repr=False)
    sent: Sequence[Statement] | None = field(default=None, repr=False)
    other_fields: Fields = field(default_factory=dict, repr=False)
    is_readable: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of the document's accounts, or the part of it that belongs to one number; its bills are not decoded."""

    statements: Sequence[Slice] | None = field(default=None, repr=False)
    other_fields: Fields = field(default_factory=dict, repr=False)
    unread: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """Everything a connection has; `entries` by account number. `warning` names the shape that could not be read.

    `personal` says how personal data was and is treated: the numbers are those of the tables already.
    """

    source_name: str | None
    source_country: str | None
    entries: Mapping[str, Sequence[Entry]] = field(repr=False)
    other_fields: Fields = field(repr=False)
    warning: str | None = None
    personal: Personal = field(default=KEEP, repr=False)

    @property
    def is_readable(self) -> bool:
        """Whether the accounts of the document are all there is: an account not in it no longer exists."""
        return self.warning is None

    def accounts(self) -> Iterator[Account]:
        """Decode one account after the other: what is not held on to is forgotten when the next one is asked for.

        Raises:
            UnreadableDocument: a bill of the account is no JSON or nested deeper than a record can be.
        """
        return (_merged(number, entries, self.personal) for number, entries in self.entries.items())

    def without_bills(self) -> Document:
        """Return what tells which accounts there are; it keeps no bytes of the body alive."""
        return replace(self, entries=dict.fromkeys(self.entries, ()))


def read_document(body: Body, personal: Personal = KEEP) -> Document:
    """Read the answer of the product endpoint, all but its bills.

    No account number, and nothing that has no column, gets past here where `personal` keeps it back.

    Raises:
        UnreadableDocument: the body is no JSON, no object, or nested deeper than a record can be.
    """
    try:
        document = _document(cut_twice(body, "accounts", "statements"))
    except UnreadableError as error:
        raise UnreadableDocument(f"The document {error}.") from None
    return document if personal.is_kept else _protected(document, personal)


def _protected(document: Document, personal: Personal) -> Document:
    """Return a document without free text, and with pseudonyms in place of account numbers."""
    entries: dict[str, Sequence[Entry]] = {
        personal.account_number(number): [replace(entry, other_fields={}) for entry in found]
        for number, found in document.entries.items()
    }
    warning = _NOT_SHOWN if document.warning else None  # a name in the text of the other one could be a number
    return replace(document, entries=entries, other_fields={}, warning=warning, personal=personal)


def _document(envelope: Cut[Cut[Slice]]) -> Document:
    values, other = columns.DOCUMENT.split({**envelope.fields, "username": None})
    unread = _unread(envelope, "accounts", other)
    if unread or (not envelope.items and _says_something(envelope, other)):
        entries: Mapping[str, Sequence[Entry]] = {"": [Entry(unread=unread or sorted(other))]}
    else:
        entries = _by_number(envelope.items or ())
    unread = sorted({name for found in entries.values() for entry in found for name in entry.unread})
    return Document(values.get("source_name"), values.get("source_country"), entries, other, _warning(unread))


def _says_something(envelope: Cut[Any], other: Fields) -> bool:
    """Tell whether an envelope without accounts holds what only an account's row could show."""
    has_place = envelope.items is not None or "accounts" in envelope.fields
    return any(not has_place or isinstance(item, dict | list) for item in other.values())


def _unread(owner: Cut[Any], array: str, other: Fields) -> list[str]:
    """Name the fields that hold, in a way we do not know, what the array of objects should."""
    if owner.items is None and owner.fields.get(array) is None:
        return sorted(field for field, item in other.items() if item and isinstance(item, list))
    is_known = owner.items is not None and (owner.items or array not in owner.fields)
    return [] if is_known else [array]


def _warning(unread: Sequence[str]) -> str | None:
    if not unread:
        return None
    names = [name if _NAME.fullmatch(name) else "a field with an unusual name" for name in unread]
    listed = ", ".join(names[:_NAMES_IN_WARNING]) + (", …" if len(names) > _NAMES_IN_WARNING else "")
    older = "the older invoices shape" if "accounts[].invoices" in unread else "an unknown shape"
    return f"the document has {older} ({listed}): only the stream sustainability can show it"


def _by_number(items: Iterable[Cut[Slice]]) -> Mapping[str, Sequence[Entry]]:
    entries = defaultdict(list)
    for item in items:
        for number, entry in _entries(item):
            entries[number].append(entry)
    return entries


def _entries(sent: Cut[Slice]) -> Iterator[tuple[str, Entry]]:
    """Put an item under its number: its own, else `account_id`, else the number or numbers on its statements."""
    values, other = columns.ACCOUNT.split(sent.fields)
    unread = [f"accounts[].{name}" for name in _unread(sent, "statements", other)]
    number = identifier(sent.fields.get("account_number")) or identifier(sent.fields.get("account_id"))
    if identifier(values.get("account_number")) is None:
        other |= values  # a blank one
    owners = {number: sent.items} if number else _owners(sent.items)
    return ((owner, Entry(owned, other, unread)) for owner, owned in owners.items())


def _owners(statements: Sequence[Slice] | None) -> Mapping[str, Sequence[Slice] | None]:
    """Divide the statements of an account that has no number by the numbers printed on them."""
    printed = defaultdict(list)
    for statement in statements or ():
        printed[identifier(member(statement, "account_number")) or ""].append(statement)
    numbers = [number for number in printed if number]
    return printed if len(numbers) > 1 else {(numbers or [""])[0]: statements}


def _merged(number: str, entries: Sequence[Entry], personal: Personal) -> Account:
    lists = [entry.statements for entry in entries if entry.statements is not None]
    read = read_statements(number, [statement for statements in lists for statement in statements], personal)
    return Account(
        number,
        statements=distinct(read),
        sent=read if lists else None,
        other_fields=merged_fields([entry.other_fields for entry in entries]),
        is_readable=not any(entry.unread for entry in entries),
    )
