"""How the document of a story differs from ordinary bills, by number of deliveries so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from linkless_simulator.awkward import KINDS
from linkless_simulator.bills import Document, Sizes, document, identifier
from linkless_simulator.sources import Source

# (login, source, sizes, today, version): the first delivery is version 1.
Build = Callable[[str, Source, Sizes, date, int], Document]


@dataclass(frozen=True, slots=True)
class Shape:
    """How a document is built, and in how many versions; later deliveries repeat the last one."""

    build: Build
    versions: int = 1


def _bills(login: str, source: Source, sizes: Sizes, today: date, _version: int) -> Document:
    return document(login, source, sizes, today)


def _growing(login: str, source: Source, sizes: Sizes, today: date, version: int) -> Document:
    """Every delivery happens a month after the one before: nothing old changes, one bill is new."""
    months = today.year * 12 + today.month - 1 + version - 1
    more = replace(sizes, statements=sizes.statements + version - 1)
    return document(login, source, more, date(months // 12, months % 12 + 1, min(today.day, 28)))


def _corrected(login: str, source: Source, sizes: Sizes, today: date, version: int) -> Document:
    """Version 1 lacks the late bill. After it: the late one is there, one is corrected, one is gone."""
    result = document(login, source, replace(sizes, statements=max(sizes.statements, 6)), today)
    statements = result["accounts"][0]["statements"]
    if version == 1:
        del statements[1]
        return result
    old = statements[2]
    old["charges"].append({"charge_name": "Correction of meter reading", "amount": -5.5})
    old["total_due_amount"] = round(old["total_due_amount"] - 5.5, 2)
    del statements[4]
    return result


def _catching_up(login: str, source: Source, sizes: Sizes, today: date, version: int) -> Document:
    """Version 1 lacks the bills of the last two weeks."""
    result = document(login, source, sizes, today)
    if version == 1:
        known_until = (today - timedelta(days=14)).isoformat()
        for account in result["accounts"]:
            account["statements"] = [bill for bill in account["statements"] if bill["billing_date"] <= known_until]
    return result


def _awkward(login: str, source: Source, sizes: Sizes, today: date, _version: int) -> Document:
    """One account for each kind of awkward bills."""
    more = replace(sizes, accounts=len(KINDS), statements=max(sizes.statements, 6))
    result = document(login, source, more, today)
    for account, change in zip(result["accounts"], KINDS.values(), strict=True):
        account["statements"] = change(account["statements"])
    return result


def _awkward_in(kind: str) -> Build:
    """Return what builds documents whose accounts all have one kind of awkward bills."""

    def build(login: str, source: Source, sizes: Sizes, today: date, _version: int) -> Document:
        result = document(login, source, replace(sizes, statements=max(sizes.statements, 6)), today)
        for account in result["accounts"]:
            account["statements"] = KINDS[kind](account["statements"])
        return result

    return build


def _partial(login: str, source: Source, sizes: Sizes, today: date, _version: int) -> Document:
    result = document(login, source, sizes, today)
    del result["accounts"][2:]
    return result


def _empty(login: str, source: Source, sizes: Sizes, today: date, _version: int) -> Document:
    return document(login, source, sizes, today) | {"accounts": []}


def _no_bills(login: str, source: Source, sizes: Sizes, today: date, _version: int) -> Document:
    result = document(login, source, sizes, today)
    for account in result["accounts"]:
        account["statements"] = []
    return result


def _undocumented(login: str, source: Source, sizes: Sizes, today: date, _version: int) -> Document:
    """Names are invented: nobody outside has seen what the provider sends beyond its samples."""
    result = document(login, source, sizes, today) | {"retrieved_by": "agent-7", "meta": {"pages": 3}}
    for account in result["accounts"]:
        account["service_address"] = {"street": "1 Main St", "zip": None}
        for statement in account["statements"]:
            statement["usage"] = [{"meter": "M-1", "quantity": 1234.5, "unit": "kWh", "estimated": False}]
            statement["corrections"] = [{"date": statement["billing_date"], "reason": "re-read", "amount": -1.25}]
            for line in (*statement["charges"], *statement["payments"]):
                line["category"] = {"level": 1, "tags": ["a", "b"]}
    return result


def _invoices(login: str, source: Source, sizes: Sizes, today: date, _version: int) -> Document:
    """The envelope of API notes, section 4.3, as far as its sample goes."""
    plain = document(login, source, sizes, today)
    accounts = [
        {
            "account_number": account["account_number"],
            "account_id": identifier("account", login, number),
            "invoices": [_invoice(statement) for statement in account["statements"]],
        }
        for number, account in enumerate(plain["accounts"])
    ]
    country = {"US": "United States", "CA": "Canada"}[source.country]
    return {
        "source_name": source.name,
        "source_type": "Electricity",
        "source_country": country,
        "accounts": accounts,
    }


def _invoice(statement: Mapping[str, Any]) -> dict[str, Any]:
    address = {
        "city": "Springfield",
        "countryCode": "US",
        "countryName": "United States",
        "postal_code": "97477",
    }
    return {
        "invoice_id": statement["statement_id"],
        "invoice_number": f"INV-{statement['billing_date']}",
        "invoice_address": address,
    }


def _unknown_shape(login: str, source: Source, sizes: Sizes, today: date, _version: int) -> Document:
    plain = document(login, source, sizes, today)
    return {"provider": source.name, "sites": [{"bills": plain["accounts"]}]}


SHAPES: Mapping[str, Shape] = {
    "bills": Shape(_bills),
    "growing": Shape(_growing, 1000),
    "corrected": Shape(_corrected, 2),
    "catching_up": Shape(_catching_up, 2),
    "awkward": Shape(_awkward),
    **{kind: Shape(_awkward_in(kind)) for kind in KINDS},
    "partial": Shape(_partial),
    "empty": Shape(_empty),
    "no_bills": Shape(_no_bills),
    "undocumented": Shape(_undocumented),
    "invoices": Shape(_invoices),
    "unknown_shape": Shape(_unknown_shape),
}
