"""Made-up documents in the documented shape (contract/openapi.yaml), the same bytes for the same number.

Every field of a bill that the provider documents, and no other unless it is asked for. Of sixteen charges six print
quantity and price in their text, as on the bills of the simulator; some amounts are whole, written as 40.0.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import orjson

_FIRST = date(2023, 1, 1)
_PLAIN = (
    "Customer charge",
    "Transmission and delivery",
    "Fuel adjustment",
    "Public benefits programs",
    "Énergie, période de pointe",
    "Renewable energy credit",
    "City franchise fee",
    "City utility tax 6.0%",
    "State sales tax",
    "Late payment fee",
)
_PRICED: tuple[tuple[str, Callable[[int], int]], ...] = (
    # text of a quantity and a number from 10 to 99, and the price that it prints, in hundredths of a cent
    ("Energy charge {:,} kWh @ $0.{:04d}", lambda number: number),
    ("On-peak energy {:,} kWh x {} ¢/kWh", lambda number: number * 100),
    ("Gas supply {} therms @ $0.{:04d}/therm", lambda number: number),
    ("Water usage {:,} CCF @ $3.{:02d}/CCF", lambda number: 30_000 + number * 100),
    ("Demand {} kW @ ${}.50/kW", lambda number: 5_000 + number * 10_000),
    ("Reactive demand {} kVar @ $0.{:02d}/kVar", lambda number: number * 100),
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much a document holds."""

    accounts: int = 10
    statements: int = 36
    charges: int = 16
    payments: int = 4

    @property
    def records(self) -> int:
        """The rows of accounts, statements, charges and payments that it makes."""
        return self.accounts * (1 + self.statements * (1 + self.charges + self.payments))


BILLS, CHARGES = "bills", "charges"
"""What of a document may have an undocumented field, each of them."""


def body(number: int, size: Size, odd: str = "") -> bytes:
    """Return the document of one connection as the provider would send it; `odd` are its BILLS, its CHARGES or none."""
    chance = random.Random(number)
    accounts = [_account(chance, size) for _ in range(size.accounts)]
    for bill in (bill for account in accounts for bill in account["statements"]):
        for thing in {"": [], BILLS: [bill], CHARGES: bill["charges"]}[odd]:
            thing["utility_type"] = "electricity"
    return orjson.dumps(_envelope(number, accounts))


def _envelope(number: int, accounts: list[dict[str, Any]]) -> dict[str, Any]:
    names = {"source_name": "Springfield Power & Light", "source_country": "US"}
    return {**names, "username": f"user{number}@example.com", "accounts": accounts}


def _account(chance: random.Random, size: Size) -> dict[str, Any]:
    number = f"{chance.randrange(10**10):010d}"
    return {
        "account_number": number,
        "statements": [_statement(chance, number, n, size) for n in range(size.statements)],
    }


def _statement(chance: random.Random, account: str, month: int, size: Size) -> dict[str, Any]:
    start = _FIRST + timedelta(days=30 * month)
    end = start + timedelta(days=30)
    due = (end + timedelta(days=22)).isoformat()
    return {
        "statement_id": _uuid(chance),
        "customer_name": "Łódź Café Ltd",
        "customer_number": f"C-{account[:6]}",
        "account_number": account,
        "statement_number": None,
        "billing_address": f"Łódź Café Ltd\n{account[:4]} Evergreen Terrace\nSpringfield, OR 97477",
        "billing_period_start_date": start.isoformat(),
        "billing_period_end_date": end.isoformat(),
        "billing_period_duration_days": 30,
        "billing_date": (end + timedelta(days=2)).isoformat(),
        "next_billing_date": (end + timedelta(days=32)).isoformat(),
        "payment_due_date": due,
        "auto_pay_date": due if month % 4 == 0 else None,
        "previous_total_due_amount": _amount(chance),
        "balance_forward": 0,
        "total_due_amount": _amount(chance),
        "currency_code": "USD",
        "payments": [_payment(chance, start, n) for n in range(size.payments)],
        "corrections": [],
        "charges": [_charge(chance, n) for n in range(size.charges)],
    }


def _uuid(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _amount(chance: random.Random) -> float:
    cents = chance.randint(-2_000, 90_000)
    return (cents - cents % 100 if chance.randrange(10) == 0 else cents) / 100


def _payment(chance: random.Random, start: date, number: int) -> dict[str, Any]:
    day = start + timedelta(days=5 * number + 3)
    return {
        "date": day.isoformat(),
        "details": f"Payment received - thank you, no. {number}",
        "amount": _amount(chance),
    }


def _charge(chance: random.Random, number: int) -> dict[str, Any]:
    lines = len(_PLAIN) + len(_PRICED)
    place = number % lines
    priced = place - len(_PLAIN)
    if priced < 0:
        return {"charge_name": _PLAIN[place], "amount": _amount(chance)}
    text, price = _PRICED[priced]
    quantity, printed = chance.randint(100, 9_999), chance.randint(10, 99)
    return {"charge_name": text.format(quantity, printed), "amount": round(quantity * price(printed) / 10_000, 2)}


class Huge:
    """One document of about so many bytes, made piece by piece: no process needs to hold it.

    Its accounts have the same bills under different numbers.
    """

    def __init__(self, about: int, size: Size = Size()) -> None:
        """Prepare one account, and count how many of it the document holds."""
        account = _account(random.Random(0), size)
        self._number = account["account_number"].encode()
        self._account = orjson.dumps(account)
        start, self._end = orjson.dumps(_envelope(0, [])).split(b"[]")
        self._start, self._end = start + b"[", b"]" + self._end
        self.accounts = about // len(self._account)
        self.size = len(self._start) + self.accounts * (len(self._account) + 1) - 1 + len(self._end)
        """Its length in bytes."""
        self.records = Size(self.accounts, size.statements, size.charges, size.payments).records

    def __iter__(self) -> Iterator[bytes]:
        """Make the pieces, one for each account."""
        yield self._start
        for number in range(self.accounts):
            yield (b"," if number else b"") + self._account.replace(self._number, b"%010d" % number)
        yield self._end
