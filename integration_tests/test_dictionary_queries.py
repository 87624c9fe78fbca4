"""The queries of the data dictionary give the results that stand there, on tables filled by three syncs and by dbt."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from source_linkless.streams import STREAMS
from testing import dbt_runs
from testing.generated_parts import prove, read, table
from testing.worlds import Sync, World, catalog_of

DICTIONARY = "docs/data-dictionary.md"
DATABASE = "bills.duckdb"
WEEK = 7 * 86_400.0

LOGINS = {
    "headquarters": "user_good+headquarters",
    "plant": "corrected+plant",
    "waterworks": "growing+waterworks",
    "campus": "partial+campus",
    "tower": "user_good+tower",
    "lab": "undocumented+lab",
    "depot": "never_ready+depot",
    "old-office": "wrong_password+old-office",
}
"""The logins of the example, by key."""
DELIVERED = [key for key in LOGINS if key not in ("depot", "old-office")]

TYPES = {"string": "VARCHAR", "number": "DECIMAL(38, 9)", "integer": "BIGINT", "object": "JSON", "array": "JSON"}
FORMATS = {"date": "DATE", "date-time": "TIMESTAMP"}

_QUERY = re.compile(r"```sql\n(?P<sql>.*?)```(?:\n\n<!-- generated: (?P<name>result of [^>]+?) -->)?", re.DOTALL)


@dataclass(slots=True)
class Warehouse:
    """A database that upserts by primary key, and keeps every version of a bill in `statements_history`."""

    database: duckdb.DuckDBPyConnection
    scratch: Path

    def create(self) -> None:
        """Make the tables of all streams, typed as Airbyte's destinations do it."""
        for stream in STREAMS.values():
            columns = [f'"{name}" {kind}' for name, kind in _types(stream.name).items()]
            key = ", ".join(stream.primary_key)
            self.database.execute(f"create table {stream.name} ({', '.join(columns)}, primary key ({key}))")
        self.database.execute("create table statements_history as from statements")

    def load(self, sync: Sync) -> None:
        """Put the records of a sync into their tables."""
        for stream in STREAMS:
            self._insert(f"or replace into {stream}", stream, sync.rows(stream))
        self._insert("into statements_history", "statements", sync.rows("statements"))

    def _insert(self, into: str, stream: str, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        file = self.scratch / f"{stream}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        self.database.execute(f"insert {into} by name from read_json($1, columns = {_types(stream)})", [str(file)])

    def answer(self) -> None:
        """Run the dbt package, which opens the file by itself."""
        self.database.close()
        dbt_runs.Warehouse(self.scratch, {}).dbt("build", "--exclude-resource-type", "test", "unit_test")
        self.database = duckdb.connect(str(self.scratch / DATABASE))

    def rows(self, name: str, columns: str) -> list[tuple[Any, ...]]:
        """Return columns of a table or a view."""
        return sorted(self.database.table(name).project(columns).fetchall())

    def ask(self, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Return the columns and the rows of a query."""
        result = self.database.execute(query)
        return [column[0] for column in result.description or ()], result.fetchall()


def _types(stream: str) -> dict[str, str]:
    properties = STREAMS[stream].json_schema()["properties"]
    kinds = {name: column["type"] for name, column in properties.items()}
    named = {name: kind if isinstance(kind, str) else kind[-1] for name, kind in kinds.items()}
    return {name: FORMATS.get(properties[name].get("format"), TYPES[kind]) for name, kind in named.items()}


@dataclass(frozen=True, slots=True)
class Example:
    """What the first sync sent, the documents that the last one met by key, and the tables after all of them."""

    first: Sync
    newest: dict[str, dict[str, Any]]
    warehouse: Warehouse


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    """Sync three times, a week apart: the tower loses an account, and its first one the two newest bills."""
    world = World()
    config = world.fleet([world.entry(name, key=key) for key, name in LOGINS.items()], data_timeout_minutes=5)
    with opened(tmp_path_factory.mktemp("records")) as warehouse:
        first = sync = world.read(config, catalog=catalog_of(STREAMS))
        warehouse.load(first)
        warehouse.answer()
        document = world.backend.document(LOGINS["tower"])
        del document["accounts"][1]
        del document["accounts"][0]["statements"][-2:]
        world.backend.deliver(LOGINS["tower"], document)
        newest = {}
        for _ in range(2):
            world.pass_time(WEEK)
            newest = {key: world.backend.document(LOGINS[key]) for key in DELIVERED}
            config = sync.config or config
            sync = world.read(config, state=sync.states, catalog=catalog_of(STREAMS))
            warehouse.load(sync)
        warehouse.answer()
        yield Example(first, newest, warehouse)


@contextmanager
def opened(scratch: Path) -> Iterator[Warehouse]:
    """Open an empty warehouse that has the tables of all streams and the views of the dictionary."""
    warehouse = Warehouse(duckdb.connect(str(scratch / DATABASE)), scratch)
    try:
        warehouse.create()
        for match in _QUERY.finditer(read(DICTIONARY)):
            if not match["name"]:
                warehouse.database.execute(match["sql"])
        yield warehouse
    finally:
        warehouse.database.close()


def shown(value: object) -> str:
    """Write a value for a table."""
    return "" if value is None else str(value)


RESULTS = {match["name"]: match["sql"] for match in _QUERY.finditer(read(DICTIONARY)) if match["name"]}


@pytest.mark.parametrize("name", RESULTS)
def test_a_query_gives_the_result_that_stands_under_it(name: str, example: Example) -> None:
    """Each query has its result below it, from the tables of a sync."""
    columns, rows = example.warehouse.ask(RESULTS[name])
    assert rows
    prove(DICTIONARY, {name: table(columns, [[shown(value) for value in row] for row in rows])})


def test_the_dictionary_answers_questions() -> None:
    """None of the queries has lost its result."""
    assert len(RESULTS) >= 10


def sample(stream: str, row: dict[str, Any]) -> str:
    """Return a record as it stands in the dictionary: one item of each array, no seconds (the pace may change)."""
    short: dict[str, Any] = {name: value[:1] if isinstance(value, list) else value for name, value in row.items()}
    short |= {
        name: f"{short[name][:17]}00.000000Z" for name in ("observed_at", "snapshot_at", "fetched_at") if name in short
    }
    short |= {name: short[name] // 10 * 10 for name in ("waited_seconds",) if name in short}
    if stream == "sustainability":
        short["statements"] = [{**bill, "charges": bill["charges"][:1]} for bill in short["statements"]]
    return f"```json\n{json.dumps(short, indent=2, ensure_ascii=False)}\n```"


@pytest.mark.parametrize("stream", STREAMS)
def test_the_sample_rows_are_real(stream: str, example: Example) -> None:
    """Each sample is the first record that the simulator's headquarters gives."""
    row = next(row for row in example.first.rows(stream) if row["connection_key"] == "headquarters")
    prove(DICTIONARY, {f"sample of {stream}": sample(stream, row)})


def accounts(example: Example) -> list[tuple[str, dict[str, Any]]]:
    """Return every account that the provider has now, with the key of its login."""
    return [(key, account) for key, document in example.newest.items() for account in document["accounts"]]


def test_the_views_hold_the_newest_documents(example: Example) -> None:
    """Whatever was corrected, late or gone: the views show what the provider has now, line by line."""
    bills = [(key, account, bill) for key, account in accounts(example) for bill in account["statements"]]
    warehouse = example.warehouse
    statements = warehouse.rows("current_statements", "connection_key, account_number, statement_id")
    charges = warehouse.rows("current_charges", "statement_key, charge_name, amount::double")
    payments = warehouse.rows("current_payments", "statement_key, date::varchar, amount::double")
    assert statements == sorted((key, account["account_number"], bill["statement_id"]) for key, account, bill in bills)
    assert charges == sorted(
        (bill["statement_id"], line["charge_name"], line["amount"]) for *_, bill in bills for line in bill["charges"]
    )
    assert payments == sorted(
        (bill["statement_id"], paid["date"], paid["amount"]) for *_, bill in bills for paid in bill["payments"]
    )


@pytest.mark.parametrize("stream", ["accounts", "sustainability"])
def test_the_views_of_accounts_hold_those_that_are_there(stream: str, example: Example) -> None:
    """An account that vanished is in the table and not in the view."""
    numbers = sorted((key, account["account_number"]) for key, account in accounts(example))
    kept = example.warehouse.rows(stream, "connection_key, account_number")
    assert example.warehouse.rows(f"current_{stream}", "connection_key, account_number") == numbers
    assert len(kept) == len(numbers) + 1


def test_the_tables_hold_more_than_the_views(example: Example) -> None:
    """The rule is needed: without it, queries would count bills that are gone."""
    for stream in ("statements", "charges", "payments"):
        current = example.warehouse.rows(f"current_{stream}", "statement_key")
        assert len(example.warehouse.rows(stream, "statement_key")) > len(current)


def test_lines_that_are_all_gone_stay(tmp_path: Path) -> None:
    """The known limit: an account whose every payment vanished while its bills stay says so nowhere."""
    world = World()
    sync = world.read(world.config())
    document = world.backend.document("user_good")
    for account in document["accounts"]:
        for bill in account["statements"]:
            bill["payments"] = []
    world.backend.deliver("user_good", document)
    with opened(tmp_path) as warehouse:
        warehouse.load(sync)
        before = warehouse.ask("select count(*) from current_payments")
        sync = world.read(sync.config or {}, state=sync.states)
        warehouse.load(sync)
        assert sync.rows("statements")
        assert warehouse.ask("select count(*) from current_payments") == before
