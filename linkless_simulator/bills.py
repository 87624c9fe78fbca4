"""Believable bills, made from nothing but a login name: the same name, source and day give the same bytes.

Every bill is a function of (login, account, month), so that adding or leaving out a month changes no other
bill. Amounts are whole cents until they are written: what the charges say adds up to what the bill says.
"""

import math
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b
from typing import Any

from linkless_simulator.charges import Line, lines_of
from linkless_simulator.sources import Source

Document = dict[str, Any]

_NAMES = (
    "Łódź Café Ltd",
    "Main Street Bakery",
    "Kwik-E-Mart No. 7",
    "O'Neil & Daughters",
    "École Élémentaire Nord",
    "Hillside HOA",
)
_STREETS = ("Evergreen Terrace", "Industrial Way", "Main St", "River Rd", "Rue de l'Église")
_TOWNS = {"US": ("Springfield, OR 97477", "USD"), "CA": ("North Haverbrook, ON K0A 1A0", "CAD")}
_MONTHS_PER_YEAR = 12


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much a document holds; without `accounts` and `charges`: 1 to 4 by login, as the supply prints."""

    accounts: int | None = None
    statements: int = 36
    charges: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What all bills of one account have in common."""

    number: str
    seed: str
    customer: str
    customer_number: str
    address: str
    supply: str
    currency: str
    read_day: int
    skipped: int
    pays_automatically: bool


def identifier(*parts: object) -> str:
    """Return a UUID that depends on `parts` only."""
    digest = blake2b("/".join(map(str, parts)).encode(), digest_size=16).digest()
    return str(uuid.UUID(bytes=digest, version=4))


def accounts_of(login: str, source: Source, sizes: Sizes) -> list[Account]:
    """Return the accounts that the login sees, in the order of the document."""
    rng = random.Random(f"accounts/{login}")
    count = rng.randint(1, 4)
    customer, street = rng.choice(_NAMES), rng.choice(_STREETS)
    return [_account(rng, login, source, customer, street, n) for n in range(sizes.accounts or count)]


def document(login: str, source: Source, sizes: Sizes, today: date) -> Document:
    """Return what `/sustainability/get` delivers: monthly bills up to the newest that was out by `today`."""
    return {
        "source_name": source.name,
        "source_country": source.country,
        "username": login,
        "accounts": [
            {"account_number": a.number, "statements": list(_statements(a, _months(a, sizes, today), sizes.charges))}
            for a in accounts_of(login, source, sizes)
        ],
    }


def _months(account: Account, sizes: Sizes, today: date) -> range:
    this = today.year * _MONTHS_PER_YEAR + today.month - 1
    newest = this if _billed(account, this) <= today else this - 1
    return range(newest - sizes.statements + 1, newest + 1)


def _account(rng: random.Random, login: str, source: Source, customer: str, street: str, n: int) -> Account:
    town, currency = _TOWNS[source.country]
    return Account(
        number=f"{rng.randrange(10**10):010d}",
        seed=f"{login}/{n}",
        customer=customer,
        customer_number=f"C-{rng.randrange(10**6):06d}",
        address=f"{customer}\n{rng.randrange(1, 9999)} {street}{f', Unit {n}' if n else ''}\n{town}",
        supply=source.supplies[n % len(source.supplies)],
        currency=currency,
        read_day=rng.randint(2, 25),
        skipped=rng.randrange(17),
        pays_automatically=rng.randrange(4) == 0,
    )


def _statements(account: Account, months: range, charges: int | None) -> Iterator[dict[str, Any]]:
    """Yield the bills of an account, oldest first. One payment in seventeen is missed, and made up later."""
    before = months.start - 1
    total_before = _total(account, before, charges) + _forward(account, before, charges)
    for month in months:
        forward = _forward(account, month, charges)
        lines = _lines(account, month, charges)
        total = sum(line.cents for line in lines) + forward
        yield _statement(account, month, lines, total_before, forward, total)
        total_before = total


def _lines(account: Account, month: int, charges: int | None) -> list[Line]:
    season = math.cos(2 * math.pi * (month % _MONTHS_PER_YEAR) / _MONTHS_PER_YEAR)
    return lines_of(account.supply, season, random.Random(f"bill/{account.seed}/{month}"), charges)


def _total(account: Account, month: int, charges: int | None) -> int:
    return sum(line.cents for line in _lines(account, month, charges))


def _missed(account: Account, month: int) -> bool:
    return month % 17 == account.skipped


def _forward(account: Account, month: int, charges: int | None) -> int:
    return _total(account, month - 1, charges) if _missed(account, month - 1) else 0


def _statement(
    account: Account, month: int, lines: list[Line], total_before: int, forward: int, total: int
) -> dict[str, Any]:
    start, end = _day(month - 1, account.read_day), _day(month, account.read_day)
    billed, due = _billed(account, month), end + timedelta(days=22)
    return {
        "statement_id": identifier("statement", account.seed, month),
        "customer_name": account.customer,
        "customer_number": account.customer_number,
        "account_number": account.number,
        "statement_number": None,
        "billing_address": account.address,
        "billing_period_start_date": start.isoformat(),
        "billing_period_end_date": end.isoformat(),
        "billing_period_duration_days": (end - start).days,
        "billing_date": billed.isoformat(),
        "next_billing_date": _billed(account, month + 1).isoformat(),
        "payment_due_date": due.isoformat(),
        "auto_pay_date": due.isoformat() if account.pays_automatically else None,
        "previous_total_due_amount": total_before / 100,
        "balance_forward": forward / 100,
        "total_due_amount": total / 100,
        "currency_code": account.currency,
        "payments": [] if forward else [_payment(account, start, total_before)],
        "corrections": [],
        "charges": [{"charge_name": line.text, "amount": line.cents / 100} for line in lines],
    }


def _payment(account: Account, start: date, cents: int) -> dict[str, Any]:
    details = "Automatic payment - thank you" if account.pays_automatically else "Payment received - thank you"
    return {"date": (start + timedelta(days=15)).isoformat(), "details": details, "amount": cents / 100}


def _billed(account: Account, month: int) -> date:
    return _day(month, account.read_day) + timedelta(days=1 + account.skipped % 3)


def _day(month: int, day: int) -> date:
    return date(month // _MONTHS_PER_YEAR, month % _MONTHS_PER_YEAR + 1, day)
