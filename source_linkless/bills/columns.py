"""The declared fields of the provider's objects, and the values that each column can hold. Pure.

One table for each object of the API notes, section 4.2, that becomes a record. A column takes a value as sent, and
a value in another notation that can be read in one way only:

    "2026-02-01T00:00:00Z"      the date 2026-02-01: midnight in UTC says nothing beyond the date
    "1,234.50", "USD 125.30"    the numbers 1234.5 and 125.3; not "1,234", which could be either
    77 in a text column         the text "77"
    accountNumber               account_number, unless the object has that field, too

Every other value stays under its own name in `other_fields`, like every undeclared field, and is counted.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from importlib import resources
from typing import Any

from source_linkless.bills.content import WHOLE_BELOW
from source_linkless.bills.findings import Findings

_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]00:00(?::00(?:[.,]0+)?)?)?(?: ?(?:Z|UTC|[+-]00:?00))?")
_SAYS_NOTHING = re.compile(r"\s*|(?:(?:0[0-9]{3}|1[0-8][0-9]{2})-[0-9]{2}-|(?:1900|1970)-01-01).*", re.DOTALL)
"""Blank text, and what serialisers print for an unknown date: years 0 and 1, the first days of common calendars."""
_MAX_INTEGER = 2**63 - 1
_MOST_AMOUNT = 1e29  # destinations keep decimals of 38 digits with 9 of them behind the point
_CURRENCY = r"[A-Z]{3}|[A-Z]{0,2}[$€£¥]"
_AMOUNT = re.compile(
    rf"(-|\u2212)?\s?(?:({_CURRENCY})\s?)?(-|\u2212)?([0-9](?:[0-9.,' \u00a0\u202f]*[0-9])?)(?:\s?({_CURRENCY}))?"
)
_NUMBER = re.compile(
    r"[0-9]+(?:[.,](?:[0-9]{1,2}|[0-9]{4,}))?|0[.,][0-9]+|(?![0-9]+[,.][0-9]{3}\Z)"
    r"[0-9]{1,3}(?P<mark>[,.' \u00a0\u202f])[0-9]{3}(?:(?P=mark)[0-9]{3})*(?:(?!(?P=mark))[.,][0-9]+)?"
)
"""Without or with marks of thousands: three digits behind a single point or comma could be either."""
_MOST_DIGITS = 15  # every decimal of so many digits survives as a double
_OF_A_NUMBER = "-\u2212 0123456789.,'\u00a0\u202f"
_CODE = re.compile(r"[A-Z]{3}")

Reader = Callable[[Any], Any]
"""Returns what a column holds of a value; None when it cannot hold it."""


def text(value: object) -> str | None:
    """Accept a string as sent, and a whole number as its digits."""
    if type(value) is int:
        return str(value) if abs(value) <= _MAX_INTEGER else None
    return value if isinstance(value, str) else None


def number(value: object) -> float | None:
    """Accept a number as sent, and an amount as text or object; below 10^29, beyond which destinations fail."""
    if type(value) is str or type(value) is dict:
        value = amount_and_currency(value)[0]
    if type(value) is not int and type(value) is not float:  # isinstance with a union takes ten times as long
        return None
    return value if -_MOST_AMOUNT < value < _MOST_AMOUNT else None


def integer(value: object) -> int | None:
    """Accept a whole number of 64 bits, as number or text; in a document that was read, 31.0 is 31 already."""
    if type(value) is str and value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS:
        return int(value)
    return value if type(value) is int and abs(value) <= _MAX_INTEGER else None


def day(value: object) -> str | None:
    """Accept an ISO date, also with midnight, without a zone or in UTC; not a date that stands for "unknown".

    With another time or zone the date would depend on where it is read.
    """
    return _day(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def _day(value: str) -> str | None:
    match = _DATE.fullmatch(value)
    if match is None or _SAYS_NOTHING.fullmatch(value):
        return None
    try:
        return date.fromisoformat(match[1]).isoformat()
    except ValueError:
        return None


def _not_lines(_: object) -> None:
    """Accept nothing: `bill` reads arrays of lines, and any other value is not one."""


def amount_and_currency(sent: str | dict[str, Any]) -> tuple[float | None, str | None]:
    """Read an amount that is no number: a text, or an object with one amount and its currency.

    Returns the amount, None if it could be read in two ways, and the code of its currency, None if it has none.
    """
    if isinstance(sent, str):
        return _amount(sent)
    amounts = [name for name in ("amount", "value") if name in sent]
    currencies = [name for name in ("currency", "currency_code", "currencyCode") if name in sent]
    if len(amounts) != 1 or len(currencies) > 1 or len(sent) > len(amounts) + len(currencies):
        return None, None
    value = sent[amounts[0]]
    found, code = _amount(value) if isinstance(value, str) else (value, None)
    named = sent[currencies[0]] if currencies else None
    if named is not None and not (isinstance(named, str) and _CODE.fullmatch(named) and code in (None, named)):
        return None, None
    return (None, None) if isinstance(found, bool) or not isinstance(found, int | float) else (found, named or code)


@lru_cache(maxsize=4096)
def _amount(sent: str) -> tuple[float | None, str | None]:
    match = _AMOUNT.fullmatch(sent.strip())
    if match is None or (match[1] and match[3]) or (match[2] and match[5]):
        return None, None
    digits = _NUMBER.fullmatch(match[4])
    if digits is None or sum(map(str.isdecimal, digits[0])) > _MOST_DIGITS:
        return None, None
    found = float(digits[0].replace(digits["mark"] or " ", "").replace(",", "."))
    amount = int(found) if found.is_integer() else found
    currency = match[2] or match[5]
    code = currency if currency and _CODE.fullmatch(currency) else None
    return (-amount if match[1] or match[3] else amount), code


class Columns:
    """The columns of one kind of object, which messages call `where`: the reader of each field that has a column."""

    def __init__(self, where: str, **readers: Reader) -> None:
        self._where = where
        self.readers: Mapping[str, Reader] = readers
        self._shape = [(name, reader) for name, reader in readers.items() if name != "currency_code"]
        self._documented = {_letters(name): name for name in readers}

    def fits_as_sent(self, objects: Sequence[dict[str, Any]]) -> bool:
        """Tell whether all objects have a value for each column and nothing else, so that they may be copied into rows.

        Whole numbers are made plain on the way. An object with a currency of its own does not fit: its row must not get
        that of its bill. Most of what a sync sends passes here.
        """
        shape, size = self._shape, len(self._shape)
        try:
            for fields in objects:
                if len(fields) != size:
                    return False
                for name, reader in shape:
                    value = fields[name]
                    kind = type(value)
                    if kind is str:
                        if reader is not text and (reader is not day or _day(value) != value):
                            return False
                    elif reader is not number or (kind is not float and kind is not int):
                        return False
                    elif kind is int or value.is_integer():  # what is not whole is below 2^53
                        if not -WHOLE_BELOW < value < WHOLE_BELOW:
                            return False
                        fields[name] = int(value)
        except KeyError:
            return False
        return True

    def split(self, fields: Mapping[str, Any], findings: Findings) -> tuple[dict[str, Any], dict[str, Any]]:
        """Divide an object into the values of its columns and its `other_fields`; nulls are in neither."""
        readers = self.readers
        values: dict[str, Any] = {}
        other: dict[str, Any] = {}
        currency: str | None = None
        for name, sent in fields.items():
            if sent is None:
                continue
            column = name if name in readers else self._documented.get(_letters(name))
            if column is None or (column != name and fields.get(column) is not None):
                other[name] = sent
                continue
            reader = readers[column]
            if reader is text and type(sent) is str:  # as most are: a call for each would cost as much as all the rest
                values[column] = sent
                continue
            value: Any = reader(sent)
            if value is None:
                other[name] = sent
                if not (isinstance(sent, str) and _SAYS_NOTHING.fullmatch(sent)):
                    findings.misfit(f"{self._where}{column}", sent)
                continue
            values[column] = value
            if reader is number and type(sent) in (str, dict):
                currency = amount_and_currency(sent)[1] or currency
                if type(sent) is dict or sent.strip(_OF_A_NUMBER):
                    other[name] = sent  # it says more than the number
        if currency and "currency_code" in self.readers and "currency_code" not in values:
            values["currency_code"] = currency
        return values, other


@lru_cache(maxsize=4096)
def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def name_like(name: str, names: Iterable[str]) -> str | None:
    """Return the one of some names that can only mean a documented one, that one itself first; None if none does."""
    found = [one for one in names if _letters(one) == _letters(name)]
    return name if name in found else next(iter(found), None)


DOCUMENT = Columns("", source_name=text, source_country=text)
"""The envelope of a document, beside `accounts`. `username` is missing on purpose: see `documents`."""

ACCOUNT = Columns("accounts[].", account_number=text)
"""An account, beside `statements`."""

_BILL = json.loads(resources.files("source_linkless").joinpath("schemas", "statements.json").read_bytes())
_READERS = {"string": text, "date": day, "number": number, "integer": integer, "array": _not_lines}
STATEMENT = Columns(
    "statements[].",
    account_number=text,
    charges=_not_lines,
    payments=_not_lines,
    **{
        name: _READERS[column.get("format", column["type"][1])]
        for name, column in _BILL["properties"].items()
        if name not in {*_BILL["required"], "other_fields"}  # these are ours
    },
)
"""A bill, beside the arrays of lines: the columns of the schema that can be null."""

CHARGE = Columns("charges[].", charge_name=text, amount=number, currency_code=text)

PAYMENT = Columns("payments[].", date=day, details=text, amount=number, currency_code=text)

AMOUNTS = tuple(name for name, reader in STATEMENT.readers.items() if reader is number)
"""The columns of a bill that hold money."""
