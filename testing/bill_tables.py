"""Bills as rows of the connector's tables, for tests of queries and models in a warehouse.

tables = Tables()
account = tables.account("steady")
account.bill("jan", "2026-01-01", "2026-02-01", lines=[line("Energy 817 kWh @ $0.10", 81.70, 817, "kWh", 0.10)])
tables.script(POSTGRES)   # SQL that makes and fills the tables
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from source_linkless.streams import STREAMS

OBSERVED = "2026-07-01T06:00:00.000000Z"
"""When everything was observed, unless a test says otherwise."""
DUCKDB = {"string": "varchar", "number": "decimal(38, 9)", "integer": "bigint", "object": "json", "array": "json",
          "date": "date", "date-time": "timestamp"}  # fmt: skip
POSTGRES = {"string": "text", "number": "numeric", "integer": "bigint", "object": "jsonb", "array": "jsonb",
            "date": "date", "date-time": "timestamp with time zone"}  # fmt: skip
TABLES = ("accounts", "statements", "charges", "payments", "connections")

Row = dict[str, Any]


def line(  # noqa: PLR0913, PLR0917 - the columns of a line, in the order of its text
    text: str,
    amount: float | None,
    quantity: float | None = None,
    unit: str | None = None,
    price: float | None = None,
    part_of: Mapping[str, Any] | None = None,
    currency: str | None = None,
) -> Row:
    """Return one line of a bill, with what the connector reads from its text."""
    row = {"charge_name": text, "amount": amount, "quantity": quantity, "unit": unit, "unit_price": price}
    return row | {"part_of": part_of, "currency_code": currency}


@dataclass
class Account:
    """One account, alone under a connection of the same name."""

    tables: Tables
    key: str
    number: str = "1"

    def bill(  # noqa: PLR0913 - the columns that a story is about
        self,
        key: str,
        start: str | None = None,
        end: str | None = None,
        days: int | None = None,
        lines: Sequence[Row] = (),
        *,
        billed: str | None = None,
        observed: str = OBSERVED,
        snapshot: str = OBSERVED,
        paid: float | None = None,
        currency: str = "USD",
        **columns: Any,
    ) -> Account:
        """Add a bill. Without `billed` it is issued two days after its end."""
        issued = billed or (end and (date.fromisoformat(end) + timedelta(days=2)).isoformat())
        common = {"connection_key": self.key, "account_number": self.number, "statement_key": key,
                  "observed_at": observed, "snapshot_at": snapshot, "currency_code": currency}  # fmt: skip
        self.tables.rows["statements"].append(
            common
            | {"statement_key_basis": "statement_id", "statement_id": key, "billing_date": issued}
            | {"billing_period_start_date": start, "billing_period_end_date": end, "billing_period_duration_days": days}
            | {"content_hash": json.dumps([key, start, end, list(lines), columns])}
            | columns
        )
        for number, one in enumerate(lines):
            row = {name: value for name, value in one.items() if value is not None}
            self.tables.rows["charges"].append(common | {"charge_key": f"{key}-{number}", "billing_date": issued} | row)
        if paid is not None:
            payment = {"payment_key": f"{key}-paid", "amount": paid, "date": issued, "details": "Payment"}
            self.tables.rows["payments"].append(common | payment)
        return self


@dataclass
class Tables:
    """The rows of the connector's tables, by stream."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in TABLES})

    def account(
        self, key: str, *, observed: str = OBSERVED, statement_count: int | None = None, country: str = "US"
    ) -> Account:
        """Add a login with one account."""
        common = {"connection_key": key, "observed_at": observed}
        self.rows["connections"].append(common | {"status": "ready", "actor": "nobody", "source_name": "Utility"})
        self.rows["accounts"].append(
            common
            | {"snapshot_at": observed, "account_number": "1", "source_country": country}
            | {"statement_count": statement_count}
        )
        return Account(self, key)

    def script(self, types: Mapping[str, str], schema: str) -> str:
        """Return statements that make the tables in a schema and fill them."""
        return f"create schema if not exists {schema};\n" + "".join(
            self._create(name, types, schema) + self._insert(name, schema) for name in TABLES
        )

    def _create(self, name: str, types: Mapping[str, str], schema: str) -> str:
        columns = ", ".join(f'"{column}" {_type(kind, types)}' for column, kind in _properties(name).items())
        return f"create table {schema}.{name} ({columns});\n"

    def _insert(self, name: str, schema: str) -> str:
        if not self.rows[name]:
            return ""
        columns = list(_properties(name))
        values = ",\n".join(
            "(" + ", ".join(_literal(row.get(column)) for column in columns) + ")" for row in self.rows[name]
        )
        names = ", ".join(f'"{column}"' for column in columns)
        return f"insert into {schema}.{name} ({names}) values\n{values};\n"


def _properties(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = STREAMS[name].json_schema()["properties"]
    return properties


def _type(column: Mapping[str, Any], types: Mapping[str, str]) -> str:
    kind = column["type"] if isinstance(column["type"], str) else column["type"][-1]
    return types[column.get("format", kind)]


def _literal(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return repr(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return "'" + text.replace("'", "''") + "'"
