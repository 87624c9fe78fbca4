"""The floor again, with every column that our connector adds: no framework, one write for each record, the same rows.

Keys of lines, content hashes, quantities and prices cost whoever makes them. They are made here as one would write them
down first, with the functions that define them; nothing is compared with an earlier sync.

usage: python -m benchmarks.peers.same CONFIG
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import lru_cache

import orjson

from benchmarks.peers.flat import Row
from benchmarks.peers.plain import write_records
from source_linkless.charge_texts import read_charge_text
from source_linkless.content import canonical, digest, line_keys, make_numbers_plain

_SEEN = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
_read = lru_cache(8_192)(read_charge_text)  # as ours remembers them


def main(config: str) -> None:
    """Write every record as a line of Airbyte's protocol."""
    write_records(config, rows)


def rows(document: Row, connection: str) -> Iterator[tuple[str, Row]]:
    """Yield (stream, row) with all columns of ours."""
    make_numbers_plain(document)
    common = {"connection_key": connection, "observed_at": _SEEN, "snapshot_at": _SEEN}
    source = {name: document[name] for name in ("source_name", "source_country")}
    for account in document["accounts"]:
        keys = {**common, "account_number": account["account_number"]}
        dates = [bill["billing_date"] for bill in account["statements"]]
        counted = {"statement_count": len(dates), "first_billing_date": min(dates), "last_billing_date": max(dates)}
        yield "accounts", {**keys, **source, **counted}
        for bill in account["statements"]:
            yield from _rows_of_bill(bill, {**keys, "statement_key": bill["statement_id"]})


def _rows_of_bill(bill: Row, keys: Row) -> Iterator[tuple[str, Row]]:
    lines = {name: [canonical(line) for line in bill[name]] for name in ("charges", "payments", "corrections")}
    unordered = {name: orjson.Fragment(b"[" + b",".join(sorted(texts)) + b"]") for name, texts in lines.items()}
    ours = {"statement_key_basis": "statement_id", "content_hash": digest({**bill, **unordered})}
    told = {name: value for name, value in bill.items() if value is not None and name not in ("charges", "payments")}
    yield "statements", told | keys | ours
    currency = {"currency_code": bill["currency_code"]}
    for charge, key in zip(bill["charges"], _keys(lines["charges"]), strict=True):
        said = _read(charge["charge_name"])
        dated = {"charge_key": key, "billing_date": bill["billing_date"]}
        yield "charges", keys | dated | currency | charge | said
    for payment, key in zip(bill["payments"], _keys(lines["payments"]), strict=True):
        yield "payments", keys | {"payment_key": key} | currency | payment


def _keys(texts: list[bytes]) -> list[str]:
    return [key.decode() for key in line_keys([text[1:-1] for text in texts])]


if __name__ == "__main__":
    main(sys.argv[1])
