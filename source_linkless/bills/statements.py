"""The bills of one account: what identifies each, whether two are the same, when they are decoded. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import orjson

from source_linkless.bills import columns
from source_linkless.bills.bill_content import BillContent
from source_linkless.bills.content import TooDeepError, key_of, numbered
from source_linkless.bills.documented import bill_content
from source_linkless.bills.personal import Personal
from source_linkless.bills.rows import Members, members
from source_linkless.bills.slices import Slice

_KEY_DATES = ("billing_date", "billing_period_start_date", "billing_period_end_date")

_KEPT_BYTES = 4_000_000
"""Bills of an account up to this size are decoded once; those of a larger one each time they are looked at."""


class UnreadableDocument(ValueError):  # noqa: N818 - named for what it is, as in the design
    """The body is no JSON object that could be read. The text never quotes the content."""


@dataclass(slots=True)  # as in `bill_content`
class Statement:
    """One bill of the account `number`, a `streams.Part` of it.

    `key_basis` says which field made the `key`: statement_id, statement_number or content. `billing_date` is None when
    the bill has none that is a date; `content_hash` is that of `BillContent`.
    """

    number: str
    key: str
    key_basis: str
    billing_date: str | None
    content_hash: str
    source: BillContent | partial[BillContent] = field(repr=False)
    keys: Members = field(init=False, repr=False)
    """The columns that say which bill a row is of."""
    fingerprint: str = field(init=False, repr=False)
    """Equal for bills that make the same rows, in every stream."""

    def __post_init__(self) -> None:
        """Make once what every stream asks for."""
        self.keys = members({"account_number": self.number, "statement_key": self.key})
        self.fingerprint = f"{self.content_hash} {self.key}"

    def content(self) -> BillContent:
        """Return what it says; of an account too large to be kept it is decoded again."""
        return self.source() if isinstance(self.source, partial) else self.source


def read_statements(number: str, pieces: Sequence[Slice], personal: Personal) -> list[Statement]:
    """Decode the statement objects of the account `number`, in the order sent, repetitions included.

    `number` is the one of the tables, `personal` what may be sent of the bills.

    Raises:
        UnreadableDocument: one of them is no JSON or nested deeper than a record can be.
    """
    is_kept = sum(map(len, pieces)) <= _KEPT_BYTES
    return [_statement(number, piece, personal, is_kept=is_kept) for piece in pieces]


def distinct(bills: Sequence[Statement]) -> tuple[Statement, ...]:
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


def identifier(value: object) -> str | None:
    """Return what identifies something as text, or None for a value that identifies nothing."""
    if isinstance(value, str):
        return value if value.strip() else None
    whole = columns.integer(value)
    return str(whole) if isinstance(whole, int) else None


def _statement(number: str, piece: Slice, personal: Personal, *, is_kept: bool) -> Statement:
    said = _bill_content(piece)
    key, basis = _statement_key(number, said)
    date = columns.day(said.get("billing_date"))
    content = personal.bill(said)
    source = content if is_kept else partial(_content_of, piece, personal)
    return Statement(number, key, basis, date if isinstance(date, str) else None, content.content_hash, source)


def _content_of(piece: Slice, personal: Personal) -> BillContent:
    return personal.bill(_bill_content(piece))


def _bill_content(piece: Slice) -> BillContent:
    try:
        return bill_content(piece)
    except TooDeepError:
        problem = "nested too deeply"
    except orjson.JSONDecodeError:
        problem = "not valid JSON"
    raise UnreadableDocument(f"A bill of the document is {problem}.")  # outside the handlers: they hold the text


def _statement_key(number: str, said: BillContent) -> tuple[str, str]:
    for basis in ("statement_id", "statement_number"):
        key = identifier(said.get(basis))
        if key is not None:
            return key, basis
    period = [said.get(name) for name in _KEY_DATES]
    return key_of([number, *period]), "content"
