"""What is in the database after a sync: rows per stream, the logins, the newest bills, usage, cost and findings."""

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

_LOGINS = """
    select connection_key as login, status, reason, waited_seconds as waited, accounts_delivered as accounts,
           statements_delivered as bills, message
    from connections order by connection_key
"""
_NEWEST_BILLS = """
    select connection_key as login, account_number as account, billing_date as billed, cost,
           currency_code as currency, total_due_amount as due
    from linkless__bills where superseded_by is null order by billed desc nulls last, account limit 8
"""
_YEAR = """
    with months as (
        select * from linkless__monthly
        where month >= (
            select date_trunc('month', max(period_end) - 1) - interval 11 months from linkless__bills))
    select connection_key as login, account_number as account,
           sum(quantity) filter (service = 'electricity' and unit = 'kWh') as "electricity kWh",
           sum(quantity) filter (service = 'gas' and unit = 'kWh') as "gas kWh",
           sum(quantity) filter (service = 'water' and unit = 'm³') as "water m³",
           sum(cost) as cost, currency_code as currency
    from months group by all order by all
"""
_FINDINGS = """
    select connection_key as login, account_number as account, kind, start_date as start, end_date as "end", days,
           severity
    from linkless__coverage order by all
"""
PER_MONTH = """
    select currency_code, unit, connection_key || ' ' || account_number as account,
           strftime(month, '%Y-%m') as month, sum(quantity) as quantity, sum(cost) as cost
    from linkless__monthly
    where month is not null and unit in ('kWh', 'm³') and service <> 'wastewater'
    group by all order by all
"""
"""Usage and cost for the charts, by currency, unit, account and month."""


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
    console.print(_table("Newest bills (model linkless__bills)", ask(database, _NEWEST_BILLS)))
    console.print(_table("Usage and cost of the last twelve months (model linkless__monthly)", ask(database, _YEAR)))
    findings = ask(database, _FINDINGS)
    if findings.rows:
        console.print(_table("Missing, doubled and late bills (model linkless__coverage)", findings))


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
