"""One document as the rows of ours, with every column that our connector adds.

Keys of lines, content hashes, quantities and prices cost time in any reader. They are made here as one would write them
down first, with the functions that define them; nothing is compared with an earlier sync. As a command it is the floor
again: no framework, one pass over a document, one write for each record.

usage: python -m benchmarks.peers.same CONFIG
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import orjson

from benchmarks.peers import flat
from benchmarks.peers.plain import write_records
from benchmarks.peers.rows import Row, Rows
from benchmarks.peers.without_cdk import allow_bills_without_cdk

allow_bills_without_cdk()
from source_linkless.bills.charge_texts import read_charges  # noqa: E402 - the line above makes it possible
from source_linkless.bills.content import canonical, digest, line_keys, make_plain  # noqa: E402 - as above

Texts = Sequence[bytes]
"""The canonical text of each line of an array."""

_SEEN = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
_LINES = ("charges", "payments", "corrections")


def main(config: str) -> None:
    """Write every record as a line of Airbyte's protocol."""
    write_records(config, rows)


def rows(document: Row, connection: str) -> Iterator[tuple[str, Row]]:
    """Yield (stream, row); what two streams need is made once."""
    make_plain(document)
    source, seen = _source(document), _seen(connection)
    for account in document["accounts"]:
        yield "accounts", _account(account, source, seen)
        for bill in account["statements"]:
            keys, texts = _keys(bill, account, seen), _texts_of(bill)
            yield "statements", _statement(bill, keys, texts)
            for charge in _charges(bill, keys, texts["charges"]):
                yield "charges", charge
            for payment in _payments(bill, keys, texts["payments"]):
                yield "payments", payment


def _rows_of_accounts(document: Row, connection: str) -> Iterator[Row]:
    source, seen = _source(document), _seen(connection)
    for account in document["accounts"]:
        yield _account(account, source, seen)


def _rows_of_statements(document: Row, connection: str) -> Iterator[Row]:
    for bill, keys in _bills(document, connection):
        make_plain(bill)
        yield _statement(bill, keys, _texts_of(bill))


def _rows_of_charges(document: Row, connection: str) -> Iterator[Row]:
    for bill, keys in _bills(document, connection):
        make_plain(bill["charges"])
        yield from _charges(bill, keys, _texts(bill["charges"]))


def _rows_of_payments(document: Row, connection: str) -> Iterator[Row]:
    for bill, keys in _bills(document, connection):
        make_plain(bill["payments"])
        yield from _payments(bill, keys, _texts(bill["payments"]))


def _bills(document: Row, connection: str) -> Iterator[tuple[Row, Row]]:
    """Yield each bill with the keys of its rows."""
    seen = _seen(connection)
    for account in document["accounts"]:
        for bill in account["statements"]:
            yield bill, _keys(bill, account, seen)


def _seen(connection: str) -> Row:
    return {"connection_key": connection, "observed_at": _SEEN, "snapshot_at": _SEEN}


def _source(document: Row) -> Row:
    return {name: document[name] for name in ("source_name", "source_country")}


def _keys(bill: Row, account: Row, seen: Row) -> Row:
    return {**seen, "account_number": account["account_number"], "statement_key": bill["statement_id"]}


def _texts_of(bill: Row) -> Mapping[str, Texts]:
    return {name: _texts(bill[name]) for name in _LINES}


def _texts(lines: Sequence[Row]) -> Texts:
    return [canonical(line) for line in lines]


def _account(account: Row, source: Row, seen: Row) -> Row:
    dates = [bill["billing_date"] for bill in account["statements"]]
    counted = {"statement_count": len(dates), "first_billing_date": min(dates), "last_billing_date": max(dates)}
    return {**seen, "account_number": account["account_number"], **source, **counted}


def _statement(bill: Row, keys: Row, texts: Mapping[str, Texts]) -> Row:
    unordered = {name: orjson.Fragment(b"[" + b",".join(sorted(lines)) + b"]") for name, lines in texts.items()}
    ours = {"statement_key_basis": "statement_id", "content_hash": digest({**bill, **unordered})}
    told = {name: value for name, value in bill.items() if value is not None and name not in ("charges", "payments")}
    return told | keys | ours


def _charges(bill: Row, keys: Row, texts: Texts) -> Iterator[Row]:
    currency = {"currency_code": bill["currency_code"]}
    told = read_charges([(charge["charge_name"], charge["amount"]) for charge in bill["charges"]])
    for charge, key, said in zip(bill["charges"], _line_keys(texts), told, strict=True):
        dated = {"charge_key": key, "billing_date": bill["billing_date"]}
        yield (
            keys
            | dated
            | currency
            | charge
            | {name: value for name, value in said._asdict().items() if value is not None}
        )


def _payments(bill: Row, keys: Row, texts: Texts) -> Iterator[Row]:
    currency = {"currency_code": bill["currency_code"]}
    for payment, key in zip(bill["payments"], _line_keys(texts), strict=True):
        yield keys | {"payment_key": key} | currency | payment


def _line_keys(texts: Texts) -> list[str]:
    return [key.decode() for key in line_keys([text[1:-1] for text in texts])]


_BILL = ("account_number", "statement_key")
_MORE = {
    "accounts": {"statement_count": "number", "first_billing_date": "string", "last_billing_date": "string"},
    "statements": {"statement_key_basis": "string", "content_hash": "string"},
    "charges": {"charge_key": "string", "quantity": "number", "unit": "string", "unit_price": "number"},
    "payments": {"payment_key": "string"},
}
_MOMENTS = {"observed_at": "string", "snapshot_at": "string"}

ROWS = Rows(
    of_all=rows,
    of={
        "accounts": _rows_of_accounts,
        "statements": _rows_of_statements,
        "charges": _rows_of_charges,
        "payments": _rows_of_payments,
    },
    keys={**flat.ROWS.keys, "charges": (*_BILL, "charge_key"), "payments": (*_BILL, "payment_key")},
    columns={stream: {**columns, **_MOMENTS, **_MORE[stream]} for stream, columns in flat.ROWS.columns.items()},
)


if __name__ == "__main__":
    main(sys.argv[1])
