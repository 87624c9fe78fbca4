"""The declared fields of the provider's objects, and which value each column can hold. Pure.

One table per object of the API notes, section 4.2, that becomes a record. A value of another type than its
column never reaches it: it stays, under its own name, among the `other_fields`, like every undeclared field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final

_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(T00:00:00(\.0+)?)?")
_MAX_INTEGER = 2**63 - 1


class _NoValue:
    """What a reader returns for a value that its column cannot hold."""


NO_VALUE: Final = _NoValue()

Reader = Callable[[Any], Any]


def text(value: object) -> str | _NoValue:
    """Accept a string, as sent."""
    return value if isinstance(value, str) else NO_VALUE


def number(value: object) -> float | _NoValue:
    """Accept a JSON number, as sent: money is never recomputed."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else NO_VALUE


def integer(value: object) -> int | _NoValue:
    """Accept an integer that destinations can hold; in a document that was read, 31.0 is 31 already."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MAX_INTEGER:
        return NO_VALUE
    return value


def day(value: object) -> str | _NoValue:
    """Accept an ISO date; midnight without a zone is that date.

    Serialisers of date types print `2026-02-11T00:00:00`: such a value says nothing beyond the date. Any
    other time, and any zone, would make the date depend on where it is read, so those are no dates here.
    """
    return _day(value) if isinstance(value, str) else NO_VALUE


@lru_cache(maxsize=4096)
def _day(value: str) -> str | _NoValue:
    match = _DATE.fullmatch(value)
    if match is None:
        return NO_VALUE
    try:
        date.fromisoformat(match[1])
    except ValueError:
        return NO_VALUE
    return match[1]


def lines(_: object) -> _NoValue:
    """Accept nothing: an array of lines is read by itself (`bill_content`), and this stands in its place."""
    return NO_VALUE


class Columns:
    """The columns of one kind of object: for each field that has one, the reader of its values."""

    def __init__(self, **readers: Reader) -> None:
        """Declare the fields by name."""
        self.readers: Mapping[str, Reader] = readers

    def split(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Divide an object into the values of its columns and its `other_fields`; nulls are in neither."""
        values: dict[str, Any] = {}
        other: dict[str, Any] = {}
        for name, sent in fields.items():
            if sent is None:
                continue
            reader = self.readers.get(name)
            value: Any = NO_VALUE if reader is None else reader(sent)
            if value is NO_VALUE:
                other[name] = sent
            else:
                values[name] = value
        return values, other


DOCUMENT = Columns(source_name=text, source_country=text)
"""The envelope of a document, beside `accounts`. `username` is missing on purpose: see `documents`."""

ACCOUNT = Columns(account_number=text)
"""An account, beside `statements`."""

STATEMENT = Columns(
    account_number=text,
    statement_id=text,
    statement_number=text,
    customer_name=text,
    customer_number=text,
    billing_address=text,
    billing_date=day,
    billing_period_start_date=day,
    billing_period_end_date=day,
    billing_period_duration_days=integer,
    next_billing_date=day,
    payment_due_date=day,
    auto_pay_date=day,
    previous_total_due_amount=number,
    balance_forward=number,
    total_due_amount=number,
    currency_code=text,
    charges=lines,
    payments=lines,
    corrections=lines,
)

CHARGE = Columns(charge_name=text, amount=number, currency_code=text)

PAYMENT = Columns(date=day, details=text, amount=number, currency_code=text)
