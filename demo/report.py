"""What is in the database after a sync: rows per stream, the logins, the newest bills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

CURRENT_BILLS = """
    select *, total_due_amount - coalesce(balance_forward, 0) as billed
    from statements
    qualify snapshot_at = max(snapshot_at) over (partition by connection_key, account_number)
"""
"""The bills that are in the provider's newest document, each with its own cost (without older debts)."""

_LOGINS = """
    select connection_key as login, status, reason, waited_seconds as waited, accounts_delivered as accounts,
           statements_delivered as bills, message
    from connections order by connection_key
"""
_NEWEST_BILLS = f"""
    select connection_key as login, account_number as account, billing_date as billed, billed as cost,
           currency_code as currency, payment_due_date as due
    from ({CURRENT_BILLS}) order by billing_date desc nulls last, account_number limit 8
"""  # noqa: S608 - made of constants
COST_PER_MONTH = f"""
    select currency_code, connection_key || ' ' || account_number as account,
           strftime(billing_date, '%Y-%m') as month, sum(billed) as cost
    from ({CURRENT_BILLS}) where billing_date is not null group by all order by all
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns and rows of a query."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def ask(database: Path, query: str, parameters: Sequence[object] = ()) -> Answer:
    """Run one query on a database file."""
    with duckdb.connect(str(database), read_only=True) as connection:
        result = connection.execute(query, list(parameters))
        return Answer(tuple(column[0] for column in result.description), result.fetchall())


def show(database: Path, streams: Sequence[str], started: datetime, console: Console) -> None:
    """Print what the database holds and what of it came with the sync that started at `started` (UTC)."""
    console.print(_table("Rows per stream", _counts(database, streams, started)))
    console.print(_table("Logins (stream connections)", ask(database, _LOGINS)))
    console.print(_table("Newest bills (stream statements)", ask(database, _NEWEST_BILLS)))


def _counts(database: Path, streams: Sequence[str], started: datetime) -> Answer:
    rows = [(stream, *ask(database, _count_of(stream), [started.replace(tzinfo=None)]).rows[0]) for stream in streams]
    return Answer(("stream", "rows", "of this sync"), rows)


def _count_of(stream: str) -> str:
    name = stream.replace('"', '""')
    return f'select count(*), count(*) filter (_airbyte_extracted_at >= $1) from "{name}"'  # noqa: S608 - quoted


def _table(title: str, answer: Answer) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1))
    for number, column in enumerate(answer.columns):
        is_amount = any(isinstance(row[number], int | float | Decimal) for row in answer.rows)
        table.add_column(column, justify="right" if is_amount else "left", no_wrap=column != "message")
    for row in answer.rows:
        table.add_row(*map(_shown, row))
    return table


def _shown(value: object) -> Text:
    """Write a value for people: money and seconds with two digits, nothing for null."""
    if value is None:
        return Text("")
    return Text(f"{value:,.2f}" if isinstance(value, float | Decimal) else str(value))
