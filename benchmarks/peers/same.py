"""The floor again, with every column that our connector adds: no framework, one write for each record, the same rows.

Keys of lines, content hashes, quantities and prices cost whoever makes them. They are made here as one would write them
down first, with the functions that define them; nothing is compared with an earlier sync.

usage: python -m benchmarks.peers.same CONFIG
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator
from functools import lru_cache

import orjson

from benchmarks.peers.flat import Row, configuration
from benchmarks.peers.plain import bodies
from source_linkless.charge_texts import read_charge_text
from source_linkless.content import canonical, line_keys, make_numbers_plain

_SEEN = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
_read = lru_cache(8_192)(read_charge_text)  # as ours remembers them


def main(config: str) -> None:
    """Write every record as a line of Airbyte's protocol."""
    write, dumps = sys.stdout.buffer.write, orjson.dumps
    url, connections = configuration(config)
    for connection, body in bodies(url, connections):
        common = {"connection_key": connection, "observed_at": _SEEN, "snapshot_at": _SEEN}
        for stream, row in rows(orjson.loads(body)):
            record = {"stream": stream, "data": common | row, "emitted_at": time.time_ns() // 1_000_000}
            write(dumps({"type": "RECORD", "record": record}, option=orjson.OPT_APPEND_NEWLINE))


def rows(document: Row) -> Iterator[tuple[str, Row]]:
    """Yield (stream, row) with all columns of ours but those that say when and by which login."""
    make_numbers_plain(document)
    source = {name: document[name] for name in ("source_name", "source_country")}
    for account in document["accounts"]:
        number, dates = account["account_number"], [bill["billing_date"] for bill in account["statements"]]
        counted = {"statement_count": len(dates), "first_billing_date": min(dates), "last_billing_date": max(dates)}
        yield "accounts", {"account_number": number, **source, **counted}
        for bill in account["statements"]:
            yield from _rows_of_bill(bill, {"account_number": number, "statement_key": bill["statement_id"]})


def _rows_of_bill(bill: Row, keys: Row) -> Iterator[tuple[str, Row]]:
    lines = {name: [canonical(line) for line in bill[name]] for name in ("charges", "payments", "corrections")}
    unordered = {name: orjson.Fragment(b"[" + b",".join(sorted(texts)) + b"]") for name, texts in lines.items()}
    ours = {"statement_key_basis": "statement_id", "content_hash": _sha256({**bill, **unordered})}
    told = {name: value for name, value in bill.items() if value is not None and name not in ("charges", "payments")}
    yield "statements", told | keys | ours
    currency = {"currency_code": bill["currency_code"]}
    for charge, key in zip(bill["charges"], _keys(lines["charges"]), strict=True):
        read = _read(charge["charge_name"])
        said = {"quantity": read.quantity, "unit": read.unit, "unit_price": read.unit_price}
        found = {name: value for name, value in said.items() if value is not None}
        dated = {"charge_key": key, "billing_date": bill["billing_date"]}
        yield "charges", keys | dated | currency | charge | found
    for payment, key in zip(bill["payments"], _keys(lines["payments"]), strict=True):
        yield "payments", keys | {"payment_key": key} | currency | payment


def _keys(texts: list[bytes]) -> list[str]:
    return [key.decode() for key in line_keys([text[1:-1] for text in texts])]


def _sha256(bill: Row) -> str:
    return hashlib.sha256(canonical(bill)).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1])
