"""What the command shows in columns: at most 80 wide, folded and never cut, without colour."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from source_linkless.cli.standing import Standing
from source_linkless.cli.wording import COLUMNS, advice, printable, wrapped
from source_linkless.errors import Status

_ID_COLUMNS = 36


def sources_table(sources: Sequence[Mapping[str, Any]]) -> str:
    """Return utilities as `/link/sources` lists them (API notes, section 2.6)."""
    table = _table("ID", "Country", "Utility and its login form")
    table.columns[0].min_width = _ID_COLUMNS
    for number, source in enumerate(sources):
        if number:
            table.add_row()
        country = source.get("country") or ""
        table.add_row(_cell(source.get("source_id")), _cell(country), _cell(*_about(source)))
    return _drawn(table)


def _about(source: Mapping[str, Any]) -> Iterable[Any]:
    yield source.get("name")
    yield source.get("website")
    for field in source.get("fields") or ():
        if isinstance(field, dict):
            secret = " (secret)" if field.get("field_type") == "Password" else ""
            yield f"- {field.get('field_name')}: {field.get('field_label')}{secret}"


def standings_table(standings: Sequence[Standing]) -> str:
    """Return how connections are, and below what to do about those that are not well."""
    table = _table("Key", "Status", "Reason", "Since", "Accounts")
    for one in standings:
        context, result = one.context, one.outcome
        count = context.account_count if context else None
        since = ((context and context.since) or "")[:10]
        cells = (one.login.key, result.status.value.replace("_", " "), result.reason, since, count)
        table.add_row(*(_cell(cell) for cell in cells))
    notes = [
        wrapped(f"{one.login.key}: {advice(one.outcome, has_person=True)}", "  ")
        for one in standings
        if one.outcome.status is not Status.READY and one.outcome.message
    ]
    return "\n".join([_drawn(table), *([""] if notes else []), *notes])


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _cell(*lines: Any) -> Text:
    return Text("\n".join(printable(str(line)) for line in lines if line is not None))


def _drawn(table: Table) -> str:
    page = io.StringIO()
    Console(file=page, width=COLUMNS, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())
