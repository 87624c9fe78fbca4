"""One document as rows: what every reader but ours does with it, so that all do the same. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]

KEYS: Mapping[str, tuple[str, ...]] = {
    "accounts": ("account_number",),
    "statements": ("account_number", "statement_key"),
    "charges": (),
    "payments": (),
}
"""Every stream with what identifies a row in it, without the connection; lines of a bill have nothing of the kind."""

_TEXT, _NUMBER = {"type": ["null", "string"]}, {"type": ["null", "number"]}
_OF_BILL = ("connection_key", "account_number", "statement_key", "currency_code")
_TEXTS = {
    "accounts": ("connection_key", "account_number", "source_name", "source_country"),
    "statements": (
        *_OF_BILL,
        "billing_date",
        "statement_id",
        "statement_number",
        "customer_name",
        "customer_number",
        "billing_address",
        "billing_period_start_date",
        "billing_period_end_date",
        "next_billing_date",
        "payment_due_date",
        "auto_pay_date",
    ),
    "charges": (*_OF_BILL, "billing_date", "charge_name"),
    "payments": (*_OF_BILL, "date", "details"),
}
_NUMBERS = {
    "statements": (
        "billing_period_duration_days",
        "previous_total_due_amount",
        "balance_forward",
        "total_due_amount",
    ),
    "charges": ("amount",),
    "payments": ("amount",),
}


def flat(document: Row, connection: str) -> Iterator[tuple[str, Row]]:
    """Yield (stream, row) and use the document up; lines get keys and currency of their bill, charges its date too."""
    source = {name: document[name] for name in ("source_name", "source_country")}
    for account in document["accounts"]:
        number = account["account_number"]
        yield "accounts", {"connection_key": connection, "account_number": number, **source}
        for bill in account["statements"]:
            charges, payments, key = bill.pop("charges"), bill.pop("payments"), bill["statement_id"]
            keys = {"connection_key": connection, "account_number": number, "statement_key": key}
            bill.update(keys)
            yield "statements", bill
            of_payment = {**keys, "currency_code": bill["currency_code"]}
            of_charge = {**of_payment, "billing_date": bill["billing_date"]}
            for charge in charges:
                charge.update(of_charge)
                yield "charges", charge
            for payment in payments:
                payment.update(of_payment)
                yield "payments", payment


def schema(stream: str) -> Row:
    """Return the JSON schema of a stream's rows."""
    columns: Row = dict.fromkeys(_TEXTS[stream], _TEXT) | dict.fromkeys(_NUMBERS.get(stream, ()), _NUMBER)
    if stream == "statements":
        columns["corrections"] = {"type": ["null", "array"], "items": {"type": "object"}}
    return {"type": "object", "additionalProperties": True, "properties": columns}


def configuration(path: str) -> tuple[str, list[str]]:
    """Read where the provider is, and the access tokens; each is the name of its connection too."""
    told = json.loads(Path(path).read_bytes())
    return told["url"], told["connections"]
