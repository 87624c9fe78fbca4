"""One document as plain rows: what the provider sent, with the keys of the parents. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.peers.rows import Row, Rows


def flat(document: Row, connection: str) -> Iterator[tuple[str, Row]]:
    """Yield (stream, row); lines get keys and currency of their bill, charges its date too."""
    source = _source(document)
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


def _accounts(document: Row, connection: str) -> Iterator[Row]:
    source = _source(document)
    for account in document["accounts"]:
        yield {"connection_key": connection, "account_number": account["account_number"], **source}


def _statements(document: Row, connection: str) -> Iterator[Row]:
    for bill, keys in _bills(document, connection):
        del bill["charges"], bill["payments"]
        bill.update(keys)
        yield bill


def _charges(document: Row, connection: str) -> Iterator[Row]:
    for bill, keys in _bills(document, connection):
        of_charge = {**keys, "currency_code": bill["currency_code"], "billing_date": bill["billing_date"]}
        for charge in bill["charges"]:
            charge.update(of_charge)
            yield charge


def _payments(document: Row, connection: str) -> Iterator[Row]:
    for bill, keys in _bills(document, connection):
        of_payment = {**keys, "currency_code": bill["currency_code"]}
        for payment in bill["payments"]:
            payment.update(of_payment)
            yield payment


def _bills(document: Row, connection: str) -> Iterator[tuple[Row, Row]]:
    """Yield each bill with the keys of its row."""
    for account in document["accounts"]:
        number = account["account_number"]
        for bill in account["statements"]:
            key = bill["statement_id"]
            yield bill, {"connection_key": connection, "account_number": number, "statement_key": key}


def _source(document: Row) -> Row:
    return {name: document[name] for name in ("source_name", "source_country")}


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
_OTHERS = {
    "accounts": {},
    "statements": {
        "billing_period_duration_days": "number",
        "previous_total_due_amount": "number",
        "balance_forward": "number",
        "total_due_amount": "number",
        "corrections": "array",
    },
    "charges": {"amount": "number"},
    "payments": {"amount": "number"},
}

ROWS = Rows(
    of_all=flat,
    of={"accounts": _accounts, "statements": _statements, "charges": _charges, "payments": _payments},
    keys={
        "accounts": ("account_number",),
        "statements": ("account_number", "statement_key"),
        "charges": (),  # lines of a bill have nothing of the kind
        "payments": (),
    },
    columns={stream: dict.fromkeys(texts, "string") | _OTHERS[stream] for stream, texts in _TEXTS.items()},
)
